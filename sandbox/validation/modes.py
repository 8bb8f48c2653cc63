"""Normal modes of a chain, from the Hessian and as motion in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics import simulate
from sandbox.physics.graphs import triangular
from sandbox.physics.laws.library import SPRING
from sandbox.physics.material import Material
from sandbox.physics.modes import normal_modes
from sandbox.physics.network import Network
from sandbox.validation.check import Check

GROUP = "normal modes"
FREE, K, MASS = 12, 2.0, 0.5


def checks() -> Iterator[Check]:
    yield Check(GROUP, "frequencies of a chain, 2 sqrt(k/m) sin(m pi/(2 (N + 1)))", frequencies(), 1e-12)
    yield Check(GROUP, "a mode in time, at the frequency that velocity Verlet has", motion(), 1e-10)
    yield Check(GROUP, "rigid motions of a free triangular lattice: 3", rigid_motions(), 3.0, 3.0)


def _chain() -> tuple[Material, Boundary, np.ndarray]:
    n = FREE + 2
    along = np.arange(n - 1)
    network = Network(np.arange(float(n))[:, None], np.stack([along, along + 1], axis=1))
    boundary = Boundary.free(n, 1).clamp([0, n - 1], [[0.0], [n - 1.0]])
    number = np.arange(1, FREE + 1)
    wanted = 2 * np.sqrt(K / MASS) * np.sin(number * np.pi / (2 * (FREE + 1)))
    return Material(network, SPRING, {"k": K, "l": 1.0}, linearized=True), boundary, wanted


def frequencies() -> float:
    """Largest relative error."""
    material, boundary, wanted = _chain()
    found = normal_modes(material, boundary=boundary, masses=MASS).frequencies
    return float(np.abs(found / wanted - 1).max())


def motion() -> float:
    """Largest deviation, relative to the amplitude, over 400 steps.

    Velocity Verlet moves a mode of frequency w exactly as cos(v t), with sin(v dt/2) = w dt/2.
    """
    material, boundary, wanted = _chain()
    mode, amplitude, dt = 3, 0.1, 0.07
    shape = np.sin(np.pi * mode * np.arange(FREE + 2) / (FREE + 1))
    x0 = np.arange(FREE + 2.0) + amplitude * shape
    run = simulate(material, boundary, time_step=dt, steps=400, masses=MASS, start=x0[None, :, None], every=7)
    v = 2 / dt * np.arcsin(wanted[mode - 1] * dt / 2)
    expected = np.arange(FREE + 2.0) + amplitude * np.cos(v * run.times)[:, None] * shape
    return float(np.abs(run.positions[:, 0, :, 0] - expected).max() / amplitude)


def rigid_motions() -> float:
    """Number of frequencies that vanish."""
    network = triangular((4, 4))
    material = Material(network, SPRING, {"k": 1.0, "l": network.lengths()})
    found = normal_modes(material, Boundary.free(network.n_nodes, 2)).frequencies
    return float((np.abs(found) < 1e-6).sum())
