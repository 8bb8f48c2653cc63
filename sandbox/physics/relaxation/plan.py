"""Symbolic factorization: what depends on the graph and on what is clamped, worked out once.

The numeric LDL^T of the fused relaxation walks through flat lists made here: where each edge's Hessian block lands,
and which entry each elimination step updates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

from sandbox.physics.assembly import free_parts

MOST_LAST = 0.25
"""Of the components may be put last: more would cost the other factorizations more than it spares one."""


GROUP = 4
"""Operations that the processor can have under way at once: more are of no use to it, and fill up less."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Order of elimination and sparsity of L for the F free components of a network.

    Entries of the Hessian and of its factor live in one vector of slots: F diagonal ones, then the strict lower
    triangle of L column by column.

    Attributes:
        place: (N*D,) position of each component in the order of elimination, -1 where clamped.
        seats: (bonds, 2*D) the same of the components of each bond's ends, F where clamped.
        slots: (bonds, S) slot of each entry of a bond's Hessian block, ``n_slots`` where clamped: lower triangle of
            block (i, i), the same of (j, j), then all of (i, j); S = D*(D + 1) + D*D.
        columns: (F + 1,) start of each column of L among its entries.
        entries: (L, 2) row and column of each strictly lower entry, column by column, sorted within one.
        starts: (F + 1,) first of the groups of updates that eliminating each component makes.
        updates: (U, GROUP, 3) slots: the one updated, and the two entries of a column whose product is taken off.
        forwards: (V, GROUP, 3) slot, row and column of the entries, column by column: the order of solving with L.
        backwards: (W, GROUP, 3) slot, column and row of the same, the last row first: for L^T.
        n_top: components from here on were asked to be eliminated last; F if none were.
        bond_part: (bonds,) connected part of the free nodes that each bond has an end in, -1 if both ends are clamped.
        part: (F,) the same of each free component.
    """

    place: np.ndarray
    seats: np.ndarray
    slots: np.ndarray
    columns: np.ndarray
    entries: np.ndarray
    starts: np.ndarray
    updates: np.ndarray
    forwards: np.ndarray
    backwards: np.ndarray
    n_top: int
    bond_part: np.ndarray
    part: np.ndarray

    @property
    def n_free(self) -> int:
        return len(self.columns) - 1

    @property
    def n_slots(self) -> int:
        return self.n_free + len(self.entries)

    @property
    def n_kept(self) -> int:
        """Slots of the components that are eliminated last."""
        return self.n_free - self.n_top + int(self.columns[-1] - self.columns[self.n_top])


def analyze(bonds: np.ndarray, clamped: np.ndarray, last: np.ndarray) -> Plan:
    """Make the plan for bonds (E, 2) and a mask (N, D) of clamped components.

    The order is minimum degree on A + A^T (SuperLU's), which for these graphs keeps L a few times the size of A.

    Args:
        last: (N*D,) mask of components to eliminate last. If they are not few, it is as if there were none.
    """
    n_nodes, dim = clamped.shape
    free = np.flatnonzero(~clamped.ravel())
    number = np.full(n_nodes * dim, -1)
    number[free] = np.arange(len(free))
    component = np.arange(dim)
    i, j = bonds[:, 0, None] * dim + component, bonds[:, 1, None] * dim + component  # (E, D) each
    a, b = _block_entries(i, j)
    late = last[free]
    if late.sum() > MOST_LAST * len(free):
        late[:] = False
    order = _elimination_order(number[a], number[b], late)
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
    slot_of = len(free) + np.arange(len(rows))
    owner = np.repeat(np.arange(len(free)), count)
    updates = np.stack([slot(rows[first], rows[second]), slot_of[first], slot_of[second]], axis=1)
    starts, updates = _grouped(updates, owner[first], len(free), len(free) + len(rows))
    _, forwards = _grouped(np.stack([slot_of, rows, owner], axis=1), owner, len(free), len(free), target=1)
    order = np.argsort(-rows, kind="stable")
    turned = np.stack([slot_of, owner, rows], axis=1)[order]
    _, backwards = _grouped(turned, (len(free) - 1 - rows)[order], len(free), len(free), target=1)
    node_part, bond_part = free_parts(bonds, clamped)
    part = np.empty(len(free), dtype=np.int32)
    part[place[free]] = node_part[free // dim]
    seats, slots = place[np.concatenate([i, j], axis=1)], slot(place[a], place[b])
    return Plan(
        place=place.astype(np.int32),
        seats=np.where(seats < 0, len(free), seats).astype(np.int32),
        slots=np.ascontiguousarray(np.where(slots < 0, len(free) + len(rows), slots).astype(np.int32)),
        columns=columns.astype(np.int32),
        entries=np.stack([rows, owner], axis=1).astype(np.int32),
        starts=starts,
        updates=updates,
        forwards=forwards,
        backwards=backwards,
        n_top=len(free) - int(late.sum()),
        bond_part=bond_part,
        part=part,
    )


def _grouped(
    operations: np.ndarray, key: np.ndarray, keys: int, nowhere: int, target: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Groups of :data:`GROUP` operations (n, 3) of one key (sorted), and the first group of each key.

    The operations of a key have different targets, so a group's can all be read before one is written. What fills up
    a key's last group repeats its last operation with a target that nothing reads.
    """
    count = np.bincount(key, minlength=keys)
    starts = np.concatenate([[0], np.cumsum(-(-count // GROUP))])
    rank = np.arange(len(key)) - np.repeat(np.cumsum(count) - count, count)
    groups = np.zeros((starts[-1], GROUP, 3), dtype=np.int32)
    groups[starts[key] + rank // GROUP, rank % GROUP] = operations
    last = np.flatnonzero(np.diff(key, append=keys))
    for filled in range(1, GROUP):
        short = last[(count[key[last]] - 1) % GROUP < filled]
        padding = operations[short].copy()
        padding[:, target] = nowhere
        groups[starts[key[short] + 1] - 1, filled] = padding
    return starts.astype(np.int32), groups


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


def _elimination_order(a: np.ndarray, b: np.ndarray, late: np.ndarray) -> _Order:
    """Positions of the free components, and the strict lower pattern of L in that order."""
    n = len(late)
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
    if late.any():
        position = np.empty(n, dtype=int)
        position[np.lexsort((factor.perm_c, late))] = np.arange(n)
        return _Order(position, _pattern(position[p], position[q], n))
    lower = factor.L.tocoo()
    keep = (lower.row > lower.col) & (lower.data != 0)
    pattern = coo_array((lower.data[keep], (lower.row[keep], lower.col[keep])), shape=(n, n)).tocsc()
    pattern.sort_indices()
    return _Order(np.asarray(factor.perm_c), pattern)


def _pattern(a: np.ndarray, b: np.ndarray, n: int) -> csc_array:
    """Strict lower pattern of L for entries (a, b) of a symmetric matrix: each column hands its own on to the next."""
    columns: list[set[int]] = [set() for _ in range(n)]
    for row, column in zip(np.maximum(a, b).tolist(), np.minimum(a, b).tolist(), strict=True):
        columns[column].add(row)
    for below in columns:
        if below:
            parent = min(below)
            columns[parent] |= below - {parent}
    rows = [row for below in columns for row in sorted(below)]
    starts = np.concatenate([[0], np.cumsum([len(below) for below in columns])])
    return csc_array((np.ones(len(rows)), rows, starts), shape=(n, n))
