"""Symbolic factorization: what depends on the graph and on what is clamped, worked out once.

The numeric LDL^T of the fused relaxation walks through flat lists made here: where each edge's Hessian block lands,
and which entry each elimination step updates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu


@dataclass(frozen=True, eq=False)
class Plan:
    """Order of elimination and sparsity of L for the F free components of a network.

    Entries of the Hessian and of its factor live in one vector of slots: F diagonal ones, then the strict lower
    triangle of L column by column.

    Attributes:
        place: (N*D,) position of each component in the order of elimination, -1 where clamped.
        slots: (bonds, S) slot of each entry of a bond's Hessian block, -1 where clamped: lower triangle of block
            (i, i), the same of (j, j), then all of (i, j); S = D*(D + 1) + D*D.
        columns: (F + 1,) start of each column of L in ``rows``.
        rows: (L,) row of each strictly lower entry, sorted within a column.
        updates: (U,) slot updated by each pair of entries of a column, in the order the elimination visits them.
    """

    place: np.ndarray
    slots: np.ndarray
    columns: np.ndarray
    rows: np.ndarray
    updates: np.ndarray

    @property
    def n_free(self) -> int:
        return len(self.columns) - 1

    @property
    def n_slots(self) -> int:
        return self.n_free + len(self.rows)


def analyze(bonds: np.ndarray, clamped: np.ndarray) -> Plan:
    """Make the plan for bonds (E, 2) and a mask (N, D) of clamped components.

    The order is minimum degree on A + A^T (SuperLU's), which for these graphs keeps L a few times the size of A.
    """
    n_nodes, dim = clamped.shape
    free = np.flatnonzero(~clamped.ravel())
    number = np.full(n_nodes * dim, -1)
    number[free] = np.arange(len(free))
    component = np.arange(dim)
    i, j = bonds[:, 0, None] * dim + component, bonds[:, 1, None] * dim + component  # (E, D) each
    a, b = _block_entries(i, j)
    order = _elimination_order(number[a], number[b], len(free))
    lower = order.lower
    place = np.full(n_nodes * dim, -1)
    place[free] = order.position
    columns, rows = lower.indptr.astype(np.int64), lower.indices.astype(np.int64)
    keys = np.repeat(np.arange(len(free)), np.diff(columns)) * len(free) + rows

    def slot(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Slot of the entry at positions p, q; -1 if either is clamped."""
        row, column = np.maximum(p, q), np.minimum(p, q)
        found = np.searchsorted(keys, column * len(free) + row)
        return np.where(column < 0, -1, np.where(row == column, row, len(free) + found))

    count = np.diff(columns)
    local = np.arange(len(rows)) - np.repeat(columns[:-1], count)  # rank of each entry in its column
    first = np.repeat(np.arange(len(rows)), local + 1)
    second = np.arange(len(first)) - np.repeat(np.cumsum(local + 1) - (local + 1), local + 1)
    second += np.repeat(np.repeat(columns[:-1], count), local + 1)
    updates = slot(rows[first], rows[second])
    return Plan(
        place=place.astype(np.int32),
        slots=np.ascontiguousarray(slot(place[a], place[b]).astype(np.int32)),
        columns=columns.astype(np.int32),
        rows=rows.astype(np.int32) if len(rows) else np.zeros(0, dtype=np.int32),
        updates=updates.astype(np.int32),
    )


def _block_entries(i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of components (a, b), each (E, S), in the order of :attr:`Plan.slots`."""
    dim = i.shape[1]
    c, d = np.tril_indices(dim)
    e, f = np.divmod(np.arange(dim * dim), dim)
    return np.concatenate([i[:, c], j[:, c], i[:, e]], axis=1), np.concatenate([i[:, d], j[:, d], j[:, f]], axis=1)


@dataclass(frozen=True, eq=False)
class _Order:
    position: np.ndarray
    lower: csc_array


def _elimination_order(a: np.ndarray, b: np.ndarray, n: int) -> _Order:
    """Positions of the n free components, and the strict lower pattern of L in that order."""
    inside = (a >= 0) & (b >= 0) & (a != b)
    p, q = a[inside], b[inside]
    degree = np.bincount(p, minlength=n) + np.bincount(q, minlength=n)
    # A diagonally dominant matrix with negative off-diagonals: its factor has no accidental zeros.
    values = np.concatenate([-np.ones(2 * len(p)), degree + 1.0])
    rows, columns = np.concatenate([p, q, np.arange(n)]), np.concatenate([q, p, np.arange(n)])
    if n == 0:
        return _Order(np.zeros(0, dtype=int), coo_array((0, 0)).tocsc())
    matrix = coo_array((values, (rows, columns)), shape=(n, n)).tocsc()
    factor = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    lower = factor.L.tocoo()
    keep = (lower.row > lower.col) & (lower.data != 0)
    pattern = coo_array((lower.data[keep], (lower.row[keep], lower.col[keep])), shape=(n, n)).tocsc()
    pattern.sort_indices()
    return _Order(np.asarray(factor.perm_c), pattern)
