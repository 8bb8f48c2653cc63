"""Locked phases against closed forms, SciPy's minimum, and the motion itself, integrated until it stops."""

import numpy as np
import pytest
from sandbox_kuramoto import Kuramoto
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from sandbox.errors import NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import NotConverged
from sandbox.physics.material import Material
from sandbox.physics.network import Network

RNG = np.random.default_rng(1)
PAIR = Network(np.array([[0.0], [1.0]]), np.array([[0, 1]]))


def ring(n: int) -> Network:
    angle = 2 * np.pi * np.arange(n) / n
    edges = np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)
    return Network(np.stack([np.cos(angle), np.sin(angle)], axis=1), edges)


def grid() -> Network:
    """Five by five, with the bonds of a square lattice."""
    nodes = np.arange(25).reshape(5, 5)
    right, up = ([a.ravel(), b.ravel()] for a, b in ((nodes[:, :-1], nodes[:, 1:]), (nodes[:-1], nodes[1:])))
    return Network(np.indices((5, 5)).reshape(2, -1).T.astype(float), np.concatenate([right, up], axis=1).T)


def locked(system: Material, start: np.ndarray | None = None) -> np.ndarray:
    """(N,) phases, the first of which is held at 0: the frame's phase is nobody's business."""
    held = Boundary.free(system.network.n_nodes, 1).clamp([0], [0.0])
    return system.relax(held, start=None if start is None else start[None, :, None]).state[0, :, 0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_two_oscillators_lock_at_an_arcsine(share):
    K = 0.7
    system = Kuramoto(coupling=K, frequency=(0.0, 2 * K * share)).build(PAIR, RNG)
    assert locked(system)[1] == pytest.approx(np.arcsin(share), rel=1e-8)


def test_two_oscillators_too_far_apart_do_not_lock():
    system = Kuramoto(coupling=0.7, frequency=(0.0, 1.5)).build(PAIR, RNG)
    with pytest.raises(NotConverged):
        locked(system)


@pytest.mark.parametrize("turns", [1, 2, -2])
def test_a_ring_keeps_its_turns(turns):
    """Twisted states 2 pi q i/n are minima for |q| < n/4: their energy is n K (1 - cos(2 pi q/n))."""
    n, K = 12, 1.5
    system = Kuramoto(coupling=K).build(ring(n), RNG)
    twisted = 2 * np.pi * turns * np.arange(n) / n
    near = twisted + np.random.default_rng(3).uniform(-0.2, 0.2, n)
    near[0] = 0.0
    np.testing.assert_allclose(locked(system, near), twisted, atol=1e-8)


def test_scipy_and_the_motion_end_where_the_relaxation_does():
    network = grid()
    frequencies = tuple(np.random.default_rng(5).uniform(-0.4, 0.4, network.n_nodes))
    system = Kuramoto(coupling={"low": 0.5, "high": 1.5}, frequency=frequencies).build(network, RNG)
    K, w = system.stiffness, np.array(frequencies) - np.mean(frequencies)
    i, j = network.edges.T

    def speed(s):
        pull = K * np.sin(s[j] - s[i])
        return w + np.bincount(i, pull, len(s)) - np.bincount(j, pull, len(s))

    phases = locked(system)
    assert np.ptp(phases) > 0.3  # they have something to find
    lowest = minimize(
        lambda s: float((K * (1 - np.cos(s[j] - s[i]))).sum() - w @ s), np.zeros(network.n_nodes),
        jac=lambda s: -speed(s), method="BFGS", options={"gtol": 1e-10},
    )  # fmt: skip
    np.testing.assert_allclose(phases, lowest.x - lowest.x[0], atol=1e-7)
    end = solve_ivp(lambda t, s: speed(s), (0, 300), np.zeros(network.n_nodes), method="LSODA", rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(phases, end.y[:, -1] - end.y[0, -1], atol=1e-7)


def test_frequencies_that_do_not_fit_are_refused():
    with pytest.raises(NetworkError, match="3 frequencies are given for 2 oscillators"):
        Kuramoto(frequency=(0.0, 0.1, 0.2)).build(PAIR, RNG)
