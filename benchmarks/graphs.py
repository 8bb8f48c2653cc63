"""The graphs of the workloads, with their stiffnesses; every one is a function of its size and a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, diags_array

from sandbox.physics.graphs import jittered_grid, square
from sandbox.physics.network import Network


def grid_side(size: int) -> int:
    """Nodes along the side of the square grid that has about ``size`` nodes."""
    return max(3, round(size**0.5))


@dataclass(frozen=True, eq=False)
class Flow:
    """A jittered grid of conductances lognormal(0, 0.5), its left column at 1 and its right column at 0.

    Attributes:
        k, k_new: (E,) conductances, and others drawn alike for the re-solve.
        clamped: (N,) mask, with ``values`` (N,).
        incidence: (E, N), a row has -1 at the edge's first node and +1 at its second.
    """

    network: Network
    k: np.ndarray
    k_new: np.ndarray
    clamped: np.ndarray
    values: np.ndarray
    incidence: csc_array

    def system(self, k: np.ndarray) -> tuple[csc_array, np.ndarray]:
        """Matrix (F, F) and right-hand side (F,) of the free pressures."""
        free = ~self.clamped
        inside = csc_array(self.incidence[:, free])
        weighted = diags_array(k) @ inside
        drop = self.incidence[:, self.clamped] @ self.values[self.clamped]
        matrix = csc_array(inside.T @ weighted)
        matrix.sort_indices()
        return matrix, -(weighted.T @ drop)


def flow(size: int, seed: int = 0) -> Flow:
    network = jittered_grid(grid_side(size), seed=seed)
    k, k_new = np.random.default_rng(seed).lognormal(0.0, 0.5, (2, network.n_edges))
    left, right = network.nodes("left"), network.nodes("right")
    clamped, values = np.zeros(network.n_nodes, dtype=bool), np.zeros(network.n_nodes)
    clamped[left] = clamped[right] = True
    values[left] = 1.0
    return Flow(network, k, k_new, clamped, values, incidence(network))


def incidence(network: Network) -> csc_array:
    """(E, N) of a network: -1 at the first node of each edge, +1 at the second."""
    count = network.n_edges
    rows, signs = np.repeat(np.arange(count), 2), np.tile([-1.0, 1.0], count)
    return csc_array((signs, (rows, network.edges.ravel())), shape=(count, network.n_nodes))


@dataclass(frozen=True, eq=False)
class Elastic:
    """A jittered grid of springs k = 1 and rest lengths within 2 % of the initial ones.

    The left column is held where it is, the right column moved by 2 % of the width along x.

    Attributes:
        rest: (E,) rest lengths.
        clamped: (N,) mask of nodes; ``start`` (N, 2) has them in place and the others as they were.
    """

    network: Network
    rest: np.ndarray
    clamped: np.ndarray
    start: np.ndarray

    @property
    def mean_length(self) -> float:
        return float(self.network.lengths().mean())


def elastic(size: int, seed: int = 0) -> Elastic:
    network = jittered_grid(grid_side(size), seed=seed)
    rest = network.lengths() * (1 + np.random.default_rng(seed).uniform(-0.02, 0.02, network.n_edges))
    clamped, start = np.zeros(network.n_nodes, dtype=bool), network.positions.copy()
    clamped[network.nodes("left")] = clamped[network.nodes("right")] = True
    start[network.nodes("right"), 0] += 0.02
    return Elastic(network, rest, clamped, start)


@dataclass(frozen=True, eq=False)
class Lattice:
    """A square lattice with both diagonals, free at its sides, springs k = 1 at their rest lengths, unit masses.

    Attributes:
        velocities: (N, 2) at the start, normal with standard deviation 0.05.
    """

    network: Network
    rest: np.ndarray
    velocities: np.ndarray


def lattice(size: int, seed: int = 0) -> Lattice:
    side = grid_side(size)
    network = square((side, side), diagonals=True)
    velocities = np.random.default_rng(seed).normal(0.0, 0.05, network.positions.shape)
    return Lattice(network, network.lengths(), velocities)
