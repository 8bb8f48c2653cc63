"""Equilibria against SciPy: its sparse solver, and its minimizer on energies written down here once more."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import spsolve

from sandbox.physics.boundary import Boundary
from sandbox.physics.graphs import jittered_grid, triangular
from sandbox.physics.laws.library import CONDUCTANCE, DIODE, SPRING
from sandbox.physics.material import Material
from sandbox.validation.check import Check

GROUP = "SciPy"
STATE = 1e-6
"""L-BFGS knows the minimum to the root of the rounding of the energy, and a little worse in soft directions."""


ENERGY = 1e-10
"""How far L-BFGS may stay above the minimum, relative to it."""


def checks() -> Iterator[Check]:
    yield Check(GROUP, "potentials of a linear network against a sparse solve", linear(), 1e-10)
    energy, state = springs()
    yield Check(GROUP, "energy of a stretched lattice, above L-BFGS's", energy, 1e-12, -ENERGY)
    yield Check(GROUP, "positions of a stretched lattice, against L-BFGS", state, STATE)
    energy, state = diodes()
    yield Check(GROUP, "energy of a diode network, above L-BFGS's", energy, 1e-12, -ENERGY)
    yield Check(GROUP, "potentials of a diode network, against L-BFGS", state, STATE)


def linear() -> float:
    """400 nodes, conductances over two decades."""
    rng = np.random.default_rng(1)
    network = jittered_grid(20, seed=1)
    k = 10 ** rng.uniform(-1, 1, network.n_edges)
    held = np.array([0, 57, 399])
    values = np.array([0.0, 0.4, 1.0])
    n = network.n_nodes
    rest = Material(network, CONDUCTANCE, {"k": k}).relax(Boundary.free(n, 1).clamp(held, values[:, None]))
    i, j = network.edges.T
    laplacian = csr_array(
        coo_array((np.concatenate([k, k, -k, -k]), (np.r_[i, j, i, j], np.r_[i, j, j, i])), shape=(n, n))
    )
    free = np.setdiff1d(np.arange(n), held)
    wanted = np.asarray(spsolve(laplacian[free][:, free].tocsc(), -laplacian[free][:, held] @ values))
    return float(np.abs(rest.state[0, free, 0] - wanted).max())


def springs() -> tuple[float, float]:
    """A triangular lattice with random stiffnesses, its sides moved and sheared: large deformation."""
    rng = np.random.default_rng(2)
    network = triangular((6, 5))
    k, lengths = rng.uniform(0.5, 2.0, network.n_edges), network.lengths()
    x = network.positions
    left, right = network.nodes("left"), network.nodes("right")
    held = np.zeros(network.n_nodes, dtype=bool)
    held[np.r_[left, right]] = True
    goal = x.copy()
    goal[right] += [1.0, 0.6]
    boundary = Boundary.free(network.n_nodes, 2).clamp(np.flatnonzero(held), goal[held])
    rest = Material(network, SPRING, {"k": k, "l": lengths}).relax(boundary)
    i, j = network.edges.T

    def energy(free: np.ndarray) -> tuple[float, np.ndarray]:
        s = goal.copy()
        s[~held] = free.reshape(-1, 2)
        bond = s[j] - s[i]
        r = np.hypot(*bond.T)
        pull = (k * (r - lengths) / r)[:, None] * bond
        gradient = np.zeros_like(s)
        np.add.at(gradient, j, pull)
        np.add.at(gradient, i, -pull)
        return float((k / 2 * (r - lengths) ** 2).sum()), gradient[~held].ravel()

    return _compare(energy, x[~held].ravel(), float(rest.energy[0]), rest.state[0][~held].ravel())


def diodes() -> tuple[float, float]:
    """A jittered grid of diodes, terminals at its corners."""
    rng = np.random.default_rng(3)
    network = jittered_grid(6, seed=3)
    k, vt, leak = rng.uniform(0.2, 1.0, network.n_edges), 0.2, 0.05
    n = network.n_nodes
    held = np.zeros(n, dtype=bool)
    held[[0, 5, 35]] = True
    goal = np.zeros(n)
    goal[[5, 35]] = 0.6, -0.3
    boundary = Boundary.free(n, 1).clamp(np.flatnonzero(held), goal[held][:, None])
    rest = Material(network, DIODE, {"k": k, "vt": vt, "leak": leak}).relax(boundary)
    i, j = network.edges.T

    def energy(free: np.ndarray) -> tuple[float, np.ndarray]:
        s = goal.copy()
        s[~held] = free
        d = s[j] - s[i]
        current = k * vt * np.expm1(d / vt) + leak * d
        gradient = np.bincount(j, current, n) - np.bincount(i, current, n)
        total = k * (vt**2 * np.expm1(d / vt) - vt * d) + leak / 2 * d**2
        return float(total.sum()), gradient[~held]

    return _compare(energy, np.zeros(n - 3), float(rest.energy[0]), rest.state[0, ~held, 0])


def _compare(energy: object, start: np.ndarray, ours: float, state: np.ndarray) -> tuple[float, float]:
    """How far our energy is above SciPy's, relative to it, and the largest difference of the states."""
    options = {"maxiter": 20_000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    found = minimize(energy, start, jac=True, method="L-BFGS-B", options=options)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return (ours - found.fun) / abs(found.fun), float(np.abs(state - found.x).max())
