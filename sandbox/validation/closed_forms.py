"""Systems whose equilibrium is known in closed form, by every method of relaxation that applies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.physics.boundary import Boundary
from sandbox.physics.laws.library import CONDUCTANCE, DIODE, POWER_LAW, SPRING
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.validation.check import Check

GROUP = "closed forms"
TIGHT = 1e-9
"""Relative error left by relaxations to 1e-10 of the force."""


def checks() -> Iterator[Check]:
    for method in ("fused", "newton", "fire"):
        yield Check(GROUP, f"springs in series share a pull as 1/k ({method})", springs_in_series(method), TIGHT)
        yield Check(GROUP, f"a bridge of five resistors ({method})", bridge(method), TIGHT)
    yield Check(GROUP, "a bridge of five resistors (sweeps)", bridge("sweeps"), TIGHT)
    yield Check(GROUP, "a ladder of 12 rungs, by its recurrence", ladder(), TIGHT)
    yield Check(GROUP, "two long springs pulled across, large rotation", pulled_across(), TIGHT)
    yield Check(GROUP, "two pipes in series, flow as drop^0.54", pipes(), 1e-7)
    yield Check(GROUP, "a diode and a resistor in series", diode(), TIGHT)


def springs_in_series(method: str) -> float:
    """Displacements under an end displacement D: the force is D/sum(1/k) in every spring."""
    k = np.array([1.0, 4.0, 0.3, 2.0, 7.0])
    network = _chain(len(k) + 1)
    boundary = Boundary.free(6, 1).clamp([0], [[0.0]]).clamp([5], [[5.7]])
    rest = Material(network, SPRING, {"k": k, "l": 1.0}).relax(boundary, method=method)
    wanted = np.arange(6) + np.concatenate([[0.0], np.cumsum(0.7 / (1 / k).sum() / k)])
    return float(np.abs(rest.state[0, :, 0] - wanted).max())


def bridge(method: str) -> float:
    """Wheatstone's bridge off balance; the two inner potentials solve a 2 x 2 system (Cramer's rule)."""
    k = np.array([1.0, 2.0, 3.0, 0.5, 1.5])  # a-b, a-c, b-d, c-d, b-c
    network = Network(np.array([[0.0, 0], [1, 1], [1, -1], [2, 0]]), np.array([[0, 1], [0, 2], [1, 3], [2, 3], [1, 2]]))
    boundary = Boundary.free(4, 1).clamp([0], [[1.0]]).clamp([3], [[0.0]])
    rest = Material(network, CONDUCTANCE, {"k": k}).relax(boundary, method=method)
    b, c = k[0] + k[2] + k[4], k[1] + k[3] + k[4]
    determinant = b * c - k[4] ** 2
    wanted = [(k[0] * c + k[4] * k[1]) / determinant, (b * k[1] + k[4] * k[0]) / determinant]
    return float(np.abs(rest.state[0, 1:3, 0] - wanted).max())


def ladder() -> float:
    """Conductance of n rungs g after rails of conductance r: G <- g + 1/(1/r + 1/G)."""
    rungs, r, g = 12, 2.0, 0.7
    positions = np.stack([np.tile(np.arange(rungs + 1.0), 2), np.repeat([0.0, 1.0], rungs + 1)], axis=1)
    top = np.arange(rungs + 1)
    rails = np.stack([top[:-1], top[1:]], axis=1)
    across = np.stack([top[1:], top[1:] + rungs + 1], axis=1)
    lower = rails + rungs + 1
    k = np.concatenate([np.full(rungs, r), np.full(rungs, g), np.full(rungs, 1.0)])
    material = Material(Network(positions, np.concatenate([rails, across, lower])), CONDUCTANCE, {"k": k})
    ground = np.arange(rungs + 1, 2 * rungs + 2)
    boundary = Boundary.free(2 * rungs + 2, 1).clamp([0], [[1.0]]).clamp(ground, np.zeros((len(ground), 1)))
    rest = material.relax(boundary)
    conductance = g
    for _ in range(rungs - 1):
        conductance = g + 1 / (1 / r + 1 / conductance)
    wanted = 1 / (1 / r + 1 / conductance)
    return abs(r * (1.0 - float(rest.state[0, 1, 0])) / wanted - 1)


def pulled_across() -> float:
    """A node between two springs of length l is pushed aside by F = 2 k y (1 - l/sqrt(l^2 + y^2))."""
    k, length, y = 1.3, 1.0, 1.7
    network = Network(np.array([[-1.0, 0], [0, 0], [1, 0]]), np.array([[0, 1], [1, 2]]))
    force = 2 * k * y * (1 - length / np.hypot(length, y))
    boundary = Boundary.free(3, 2).clamp([0, 2], network.positions[[0, 2]]).push([1], [[0.0, force]])
    start = np.array([[[-1.0, 0], [0, 0.5], [1, 0]]])  # the straight state is a saddle
    rest = Material(network, SPRING, {"k": k, "l": length}).relax(boundary, start=start)
    return float(np.abs(rest.state[0, 1] - [0.0, y]).max())


def pipes() -> float:
    """Two pipes: k_1 x^n = k_2 (1 - x)^n."""
    k, n = np.array([1.0, 3.0]), 0.54
    network = _chain(3)
    boundary = Boundary.free(3, 1).clamp([0], [[0.0]]).clamp([2], [[1.0]])
    rest = Material(network, POWER_LAW, {"k": k, "n": n, "delta": 1e-8}).relax(boundary)
    ratio = (k[1] / k[0]) ** (1 / n)
    return abs(float(rest.state[0, 1, 0]) - ratio / (1 + ratio))


def diode() -> float:
    """The drop x over the diode is chosen, and the source that gives it follows from equal currents."""
    vt, leak, x, conductance = 0.1, 0.01, 0.35, 2.0
    current = vt * (np.exp(x / vt) - 1) + leak * x
    # A conductor is a diode of no strength and a leak; the middle node stands between the two.
    network = _chain(3)
    boundary = Boundary.free(3, 1).clamp([0], [[0.0]]).clamp([2], [[x + current / conductance]])
    material = Material(network, DIODE, {"k": [1.0, 0.0], "vt": vt, "leak": [leak, conductance]})
    return abs(float(material.relax(boundary).state[0, 1, 0]) - x)


def _chain(nodes: int) -> Network:
    along = np.arange(nodes - 1)
    return Network(np.arange(float(nodes))[:, None], np.stack([along, along + 1], axis=1))
