"""From bonds to nodes: the gradient and the sparse Hessian, gathered.

What depends on the graph and on what is clamped is worked out once per boundary pattern: an order of the free
components, the pattern of the Hessian, and two constant matrices of 0 and +-1 that say which bond contributes to
which entry. A gradient or a Hessian is then one product of such a matrix with what the bonds hold, for all samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee
from scipy.sparse.linalg import spilu

from sandbox.physics.boundary import Boundary
from sandbox.physics.material import Material

MAX_FACTORED = 300_000
"""Above this many free components a factorization takes more memory and time than conjugate gradients."""

MAX_FRONT = 4_000
"""Above this many components in the widest front (random graphs, thick solids) a factor is nearly dense."""


@dataclass(frozen=True, eq=False)
class Assembly:
    """Maps from bonds to the F free components of a material under one pattern of clamps.

    Attributes:
        free: (F,) the free components, indices into the flat state (N*D,), in the order of elimination.
        place: (N*D,) position of each component in that order, -1 where clamped.
        gather: (F, bonds*D) of +-1: gradient = gather @ (force of the bonds on their second nodes).
        indptr, indices: pattern of the Hessian, symmetric and whole, by columns, sorted.
        gather_blocks: (entries, bonds*S) of +-1, S = D*(D + 1)/2: Hessian = gather_blocks @ blocks.
        diagonal: (F,) entries on the diagonal.
        direct: whether factoring this pattern is affordable.
        components: D.
        part, bond_part: (F,), (bonds,) connected part of each free component and bond; see :func:`free_parts`.
        stacked: patterns of block-diagonal matrices, by number of samples, as they are asked for.
    """

    free: np.ndarray
    place: np.ndarray
    gather: csr_array
    indptr: np.ndarray
    indices: np.ndarray
    gather_blocks: csr_array
    diagonal: np.ndarray
    direct: bool
    components: int
    part: np.ndarray
    bond_part: np.ndarray
    stacked: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @property
    def n_free(self) -> int:
        return len(self.free)

    def most_of_node(self, values: np.ndarray) -> np.ndarray:
        """For values of the free components (F, A), the largest one at the node of each: (F, A)."""
        if self.components == 1:
            return values
        most = np.zeros((len(self.place) // self.components, values.shape[1]))
        node = self.free // self.components
        np.maximum.at(most, node, values)
        return most[node]

    @cached_property
    def incident(self) -> csr_array:
        """(F, bonds) of 1: which bonds meet at each component."""
        bonds = self.gather.indices // self.components
        shape = (self.n_free, len(self.bond_part))
        return csr_array((np.ones(len(bonds)), bonds, self.gather.indptr), shape=shape)

    @property
    def samples_at_once(self) -> int:
        """How many samples, each with a Hessian of its own, one factorization can take."""
        return max(MAX_FACTORED // max(self.n_free, 1), 1) if self.direct else 1

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Values of the free components (F, A) as states (A, N*D), zero where clamped."""
        state = np.zeros((values.shape[1], len(self.place)))
        state[:, self.free] = values.T
        return state

    def block_diagonal(self, values: np.ndarray) -> csc_array:
        """The Hessians of A samples, entries (entries, A), as one matrix (A*F, A*F), sample after sample."""
        n_entries, samples = values.shape
        if samples not in self.stacked:
            if len(self.stacked) > 4:  # batches shrink as samples converge; do not keep every size
                self.stacked.clear()
            offset = np.arange(samples, dtype=np.int32)[:, None]
            indices = (self.indices + self.n_free * offset).ravel()
            indptr = np.append((self.indptr[:-1] + n_entries * offset).ravel(), n_entries * samples)
            self.stacked[samples] = indices, indptr.astype(np.int32)
        indices, indptr = self.stacked[samples]
        size = samples * self.n_free
        return csc_array((np.ascontiguousarray(values.T).ravel(), indices, indptr), shape=(size, size))


def assembly(material: Material, boundary: Boundary) -> Assembly:
    """The assembly for the boundary's pattern, from the material's cache or made now."""
    key = b"assembly" + boundary.pattern
    found = material.caches.get(key)
    if not isinstance(found, Assembly):
        found = _assemble(np.concatenate([material.network.edges, boundary.pairs]), boundary.clamped)
        material.caches[key] = found
    return found


def _assemble(bonds: np.ndarray, clamped: np.ndarray) -> Assembly:
    n_nodes, dim = clamped.shape
    place = np.full(n_nodes * dim, -1)
    free = np.flatnonzero(~clamped.ravel())
    place[free] = np.arange(len(free))
    direct = len(free) <= MAX_FACTORED and widest_front(bonds, n_nodes) * dim <= MAX_FRONT
    i, j = (bonds[:, side, None].astype(np.int64) * dim + np.arange(dim) for side in (0, 1))  # (bonds, D)
    if direct and len(free):
        free = free[_elimination_order(place[i], place[j], len(free))]
        place[free] = np.arange(len(free))
    indptr, indices, gather_blocks, diagonal = _hessian_maps(place[i], place[j], len(free))
    node_part, bond_part = free_parts(bonds, clamped)
    return Assembly(
        free=free,
        place=place,
        gather=_gather(place[i], place[j], len(free)),
        indptr=indptr,
        indices=indices,
        gather_blocks=gather_blocks,
        diagonal=diagonal,
        direct=direct,
        components=dim,
        part=node_part[free // dim],
        bond_part=bond_part,
    )


def free_parts(bonds: np.ndarray, clamped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label the connected parts of the nodes that can move; clamped nodes join nothing.

    Args:
        bonds: (bonds, 2) nodes.
        clamped: (N, D) mask of the components that are held.

    Returns:
        (N,) the part of each node, -1 where it is wholly clamped, and (bonds,) the part of each bond, -1 where both
        its ends are.
    """
    moving = np.logical_not(clamped.all(axis=1))
    inside = bonds[moving[bonds].all(axis=1)]
    size = len(clamped)
    graph = coo_array((np.ones(len(inside), dtype=np.int8), (inside[:, 0], inside[:, 1])), shape=(size, size))
    label = np.where(moving, connected_components(graph, directed=False)[1], -1)
    kept, numbered = np.unique(label, return_inverse=True)
    part = (numbered - int(len(kept) > 0 and kept[0] < 0)).astype(np.int32)
    return part, part[bonds].max(axis=1) if len(bonds) else np.zeros(0, dtype=np.int32)


def _gather(i: np.ndarray, j: np.ndarray, n_free: int) -> csr_array:
    """(F, bonds*D): a bond's force acts on its second node, and minus it on its first."""
    columns = np.arange(i.size)
    rows, signs = np.concatenate([i.ravel(), j.ravel()]), np.repeat([-1.0, 1.0], i.size)
    kept = rows >= 0
    columns = np.concatenate([columns, columns])[kept]
    return csr_array(coo_array((signs[kept], (rows[kept], columns)), shape=(n_free, i.size)))


def _hessian_maps(i: np.ndarray, j: np.ndarray, n_free: int) -> tuple[np.ndarray, np.ndarray, csr_array, np.ndarray]:
    """Pattern by columns, contributions of the bonds' blocks, positions of the diagonal.

    A bond's block K enters at (i, i) and (j, j), and with a minus sign at (i, j) and (j, i).
    """
    dim = i.shape[1]
    c, d = (x.ravel() for x in np.indices((dim, dim)))
    high, low = np.maximum(c, d), np.minimum(c, d)
    rows = np.concatenate([i[:, c], j[:, c], i[:, c], j[:, c]], axis=1)
    columns = np.concatenate([i[:, d], j[:, d], j[:, d], i[:, d]], axis=1)
    size = dim * (dim + 1) // 2
    source = np.arange(len(i))[:, None] * size + np.tile(high * (high + 1) // 2 + low, 4)
    signs = np.broadcast_to(np.repeat([1.0, 1.0, -1.0, -1.0], dim * dim), rows.shape)
    kept = (rows >= 0) & (columns >= 0)
    diagonal_keys = np.arange(n_free) * (n_free + 1)
    keys, inverse = np.unique(np.concatenate([columns[kept] * n_free + rows[kept], diagonal_keys]), return_inverse=True)
    contributions = int(kept.sum())
    gather_blocks = coo_array((signs[kept], (inverse[:contributions], source[kept])), shape=(len(keys), len(i) * size))
    column, row = np.divmod(keys, max(n_free, 1))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=n_free))]).astype(np.int32)
    return indptr, row.astype(np.int32), csr_array(gather_blocks), inverse[contributions:]


def _elimination_order(i: np.ndarray, j: np.ndarray, n_free: int) -> np.ndarray:
    """The free components in order of minimum degree: SuperLU's, by an incomplete factorization left empty."""
    dim = i.shape[1]
    a, b = np.repeat(i, dim, axis=1).ravel(), np.tile(j, dim).ravel()
    own = [(x[:, c], x[:, d]) for x in (i, j) for c in range(dim) for d in range(c)]
    a, b = np.concatenate([a, *(x for x, _ in own)]), np.concatenate([b, *(x for _, x in own)])
    kept = (a >= 0) & (b >= 0)
    rows = np.concatenate([a[kept], b[kept], np.arange(n_free)])
    columns = np.concatenate([b[kept], a[kept], np.arange(n_free)])
    degree = np.bincount(rows, minlength=n_free)
    values = np.where(rows == columns, degree[rows] + 1.0, -1e-3)
    matrix = csc_array(coo_array((values, (rows, columns)), shape=(n_free, n_free)))
    options = {"SymmetricMode": True}
    order = spilu(matrix, 1.0, 1.0, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options).perm_c
    return np.argsort(order)


def widest_front(bonds: np.ndarray, n_nodes: int) -> int:
    """The most nodes that a frontal elimination of the graph holds at once: about the square root of the fill of L.

    In reverse Cuthill-McKee order; ~sqrt(N) for planar graphs, ~N^(2/3) for solids, ~N for random graphs.
    """
    if len(bonds) == 0:
        return 0
    ones = np.ones(len(bonds))
    graph = csr_array(coo_array((ones, (bonds[:, 0], bonds[:, 1])), shape=(n_nodes, n_nodes)))
    graph = csr_array(graph + graph.T)
    rank = np.empty(n_nodes, dtype=np.int64)
    rank[reverse_cuthill_mckee(graph, symmetric_mode=True)] = np.arange(n_nodes)
    ends = np.sort(rank[bonds], axis=1)
    first = np.arange(n_nodes)
    np.minimum.at(first, ends[:, 1], ends[:, 0])
    opened = np.bincount(first, minlength=n_nodes + 1)
    closed = np.bincount(np.arange(n_nodes) + 1, minlength=n_nodes + 1)
    return int(np.cumsum(opened - closed).max())
