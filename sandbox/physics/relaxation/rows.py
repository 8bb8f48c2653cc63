"""The nodes that move, as rows of a matrix in the order of sweeps, and one sample's energy on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from sandbox.physics import runtime
from sandbox.physics.relaxation.hierarchy import Frame, Hierarchy, Matrix
from sandbox.physics.relaxation.problem import Problem

FAR = 20_000
"""Where the ends of a typical bond are further apart in the numbering, nodes are renumbered: caches hold no more."""


@dataclass(eq=False)
class Rows:
    """What depends on the graph and the clamps, made once for each pattern and kept with the material.

    Attributes:
        node: (n + clamped,) node of each row; clamped neighbours come last.
        clamped: ((n + clamped)*D,) 1 for components that do not move.
        start, middle, column, slots: see :mod:`sandbox.physics.relaxation.rows_kernel`.
        ends: (bonds, 2) rows of the ends of each bond.
        frame: for rigid motions.
        hierarchy: of the bare material, made when first asked for.
    """

    node: np.ndarray
    clamped: np.ndarray
    start: np.ndarray
    middle: np.ndarray
    column: np.ndarray
    slots: np.ndarray
    ends: np.ndarray
    frame: Frame
    size: int
    n_state: int
    n_rows: int
    hierarchy: Hierarchy | None = None

    @property
    def n(self) -> int:
        """Rows, with those that fill up slices."""
        return self.n_rows

    @property
    def n_free(self) -> int:
        """Components of the rows, clamped ones among them included."""
        return self.n * self.size

    @cached_property
    def free(self) -> np.ndarray:
        """(n*D,) indices of the rows' components into the flat state, its length for rows without a node."""
        node = self.node[: self.n, None]
        return np.where(node < 0, self.n_state, node * self.size + np.arange(self.size)).ravel()

    @cached_property
    def most_bonds(self) -> int:
        """Bonds at the node that has most, and one for what acts on the node itself."""
        return int(np.bincount(self.ends.ravel()).max(initial=0)) + 1

    @cached_property
    def moving(self) -> np.ndarray:
        """(n*D,) mask of the rows' components that move."""
        return self.clamped[: self.n_free] == 0

    @cached_property
    def still(self) -> int:
        """Components that are clamped on nodes that are not wholly so."""
        return int(self.clamped[: self.n_free].sum()) - self.size * int(np.sum(self.node[: self.n] < 0))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values of the rows' components (n*D, A) as states (A, N*D), zero elsewhere."""
        state = np.zeros((values.shape[1], self.n_state + 1))
        state[:, self.free] = values.T
        return np.ascontiguousarray(state[:, :-1])

    def matrix(self) -> Matrix:
        """A matrix of this pattern, its values yet to be filled in."""
        values = np.zeros((len(self.column) + self.n) * self.size**2)
        return Matrix(self.start, self.middle, self.column, values, self.size)


def rows_of(problem: Problem) -> Rows:
    """The rows for the problem's pattern, made at its first relaxation."""
    caches = problem.material.caches
    key = b"rows" + problem.boundary.pattern
    found = caches.get(key)
    if not isinstance(found, Rows):
        caches[key] = found = _arrange(problem)
    return found


def _arrange(problem: Problem) -> Rows:
    runtime.start()
    from sandbox.physics.launch import direct
    from sandbox.physics.relaxation import rows_kernel as rk
    from sandbox.physics.relaxation.aggregation_kernel import lanes_of

    boundary, ends = problem.boundary, problem.ends
    n_nodes, dim = boundary.n_nodes, boundary.components
    fixed = boundary.clamped.all(axis=1)
    moving, held = np.flatnonzero(~fixed), np.flatnonzero(fixed)
    n = len(moving)
    rank = np.empty(n_nodes, dtype=np.int32)
    rank[moving] = np.arange(n)
    rank[held] = np.arange(n, n_nodes)
    inner = rank[ends]
    free_end = inner < n
    if n > FAR:
        both = inner[free_end.all(axis=1)]
        if len(both) and np.abs(both[:, 0] - both[:, 1]).mean() > FAR:
            graph = coo_array((np.ones(len(both), dtype=np.int8), both.T), shape=(n, n))
            moving = moving[reverse_cuthill_mckee(csr_array(graph + graph.T), symmetric_mode=True)]
            rank[moving] = np.arange(n)
    entries = int(np.count_nonzero(free_end))
    lanes = lanes_of(dim)
    slices = rk.most_slices(n)
    first, near = np.empty(n + 1, dtype=np.int32), np.empty(max(2 * entries, 1), dtype=np.int32)
    colour, place = np.empty(n + 1, dtype=np.int32), np.empty(n + rk.BINS, dtype=np.int32)
    start, middle = np.empty(slices + 1, dtype=np.int32), np.empty(slices, dtype=np.int32)
    counts = np.empty(2, dtype=np.int32)
    direct(rk.arrange)(n, lanes, ends, rank, first, near, colour, place, start, middle, counts)
    slices, padded = counts.tolist()
    start, middle = start[: slices + 1].copy(), middle[:slices].copy()
    column, slots = np.empty(max(padded, 1), dtype=np.int32), np.full(ends.shape, -1, dtype=np.int32)
    if len(ends):
        direct(rk.fill)(n, lanes, first, near, place, start, middle, column, slots)
    n_rows = slices * lanes
    node = np.full(n_rows + len(held), -1, dtype=np.int32)
    node[place[:n]] = moving
    node[n_rows:] = held
    row = np.empty(n_nodes, dtype=np.int32)
    row[moving] = place[:n]
    row[held] = np.arange(n_rows, n_rows + len(held))
    network = problem.material.network
    spins = dim > 1
    position = network.positions[node[:n_rows]] if spins else np.zeros((n_rows, 1))
    cell = network.cell if spins else None
    return Rows(
        node=node,
        clamped=(boundary.clamped[node] | (node < 0)[:, None]).ravel().astype(np.int32),
        start=start,
        middle=middle,
        column=column,
        slots=slots,
        ends=row[ends],
        frame=Frame(position, cell, place[:n].copy(), spins),
        size=dim,
        n_state=n_nodes * dim,
        n_rows=n_rows,
    )
