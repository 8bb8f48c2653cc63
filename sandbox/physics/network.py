"""A network: nodes with positions, edges between them, named groups of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sandbox.copies import Copied
from sandbox.errors import NetworkError
from sandbox.physics.transverse import lengthless
from sandbox.shown import Shown
from sandbox.suggestions import did_you_mean, listed


@dataclass(frozen=True, eq=False)
class Network(Copied, Shown):
    """Nodes, edges and named groups; geometry and topology only, no physics.

    Args:
        positions: reference positions of the nodes, (N, D) with D = 1, 2 or 3, in units of length.
        edges: node indices ``(i, j)`` of each edge, (E, 2). Parallel edges are allowed, self-loops are not.
        shifts: (E, D) periodic image offsets: the bond vector of edge ``(i, j)`` is ``x_j - x_i + shift``.
            Zero (the default) for bonds that do not cross a periodic boundary.
        cell: (D, D) lattice vectors of the periodic box, one per row; ``None`` for free boundaries. A zero row is a
            direction that is not periodic.
        groups: names of sets of nodes, each an array of node indices.
        edge_values: further columns of the edges by name, each (E,), numbers or texts, as a file has them. They mean
            nothing to the network; systems take from them what they know by name.
        node_values: further columns of the nodes, each (N,).

    Raises:
        NetworkError: on shapes that do not fit, indices out of range, self-loops, or positions that are not finite.
    """

    positions: np.ndarray
    edges: np.ndarray
    shifts: np.ndarray = field(default=None)  # type: ignore[assignment]
    cell: np.ndarray | None = None
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    edge_values: Mapping[str, np.ndarray] = field(default_factory=dict)
    node_values: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positions = np.array(_numbers("positions", self.positions, np.float64), order="C")
        if positions.ndim != 2 or not 1 <= positions.shape[1] <= 3 or len(positions) == 0:
            raise NetworkError(
                f"positions have shape {np.shape(self.positions)}; expected (N, D) with N >= 1 nodes in D = 1, 2 or 3"
            )
        n, dim = positions.shape
        if not np.isfinite(positions).all():
            bad = int(np.argwhere(~np.isfinite(positions))[0, 0])
            raise NetworkError(f"node {bad} has the position {positions[bad]}; every coordinate must be finite")
        edges = _numbers("edges", self.edges)
        if edges.size == 0:
            edges = np.zeros((0, 2), dtype=np.int32)
        if edges.ndim != 2 or edges.shape[1] != 2 or not np.issubdtype(edges.dtype, np.integer):
            raise NetworkError(f"edges have shape {edges.shape} and type {edges.dtype}; expected (E, 2) integers")
        outside = np.flatnonzero((edges < 0).any(axis=1) | (edges >= n).any(axis=1))
        if len(outside):
            e = int(outside[0])
            raise NetworkError(f"edge {e} joins nodes {tuple(edges[e].tolist())}, but nodes run from 0 to {n - 1}")
        loops = np.flatnonzero(edges[:, 0] == edges[:, 1])
        shifts = np.zeros((len(edges), dim)) if self.shifts is None else _numbers("shifts", self.shifts, np.float64)
        if shifts.shape != (len(edges), dim) or not np.isfinite(shifts).all():
            raise NetworkError(
                f"shifts have shape {shifts.shape}; expected finite ones, one per edge, {edges.shape[0], dim}"
            )
        cell = None if self.cell is None else _numbers("the cell", self.cell, np.float64)
        if cell is not None and (cell.size != dim**2 or not np.isfinite(cell).all()):
            raise NetworkError(f"the cell has shape {cell.shape}; expected {dim} finite vectors of {dim} components")
        if len(loops):
            e = int(loops[0])
            raise NetworkError(f"edge {e} joins node {edges[e, 0]} to itself; remove it or use a larger periodic cell")
        groups = {str(name): node_indices(str(name), nodes, n) for name, nodes in self.groups.items()}
        set_ = object.__setattr__
        set_(self, "positions", positions)
        set_(self, "edges", np.array(edges, dtype=np.int32, order="C"))
        set_(self, "shifts", np.array(shifts, order="C"))
        set_(self, "cell", None if cell is None else cell.reshape(dim, dim))
        set_(self, "groups", groups)
        set_(self, "edge_values", _columns("edge", self.edge_values, len(edges)))
        set_(self, "node_values", _columns("node", self.node_values, n))
        for array in (self.positions, self.edges, self.shifts, *groups.values()):
            array.flags.writeable = False

    @property
    def n_nodes(self) -> int:
        return len(self.positions)

    @property
    def n_edges(self) -> int:
        return len(self.edges)

    @property
    def dimension(self) -> int:
        return self.positions.shape[1]

    @property
    def coordination(self) -> float:
        """Mean number of edges per node, z = 2E/N."""
        return 2 * self.n_edges / self.n_nodes

    @property
    def degrees(self) -> np.ndarray:
        """Number of edges at each node, (N,)."""
        return np.bincount(self.edges.ravel(), minlength=self.n_nodes)

    def bond_vectors(self, positions: npt.ArrayLike | None = None) -> np.ndarray:
        """``x_j - x_i + shift`` of every edge, (..., E, D), at positions (..., N, D); by default the reference ones."""
        x = self.positions if positions is None else np.asarray(positions)
        return x[..., self.edges[:, 1], :] - x[..., self.edges[:, 0], :] + self.shifts

    def lengths(self, positions: npt.ArrayLike | None = None) -> np.ndarray:
        """Length of every edge, (..., E)."""
        return np.linalg.norm(self.bond_vectors(positions), axis=-1)

    @cached_property
    def lengthless(self) -> np.ndarray:
        """(E,) mask of edges whose ends are at one place, to the rounding of their coordinates."""
        reach = np.abs(self.positions[self.edges]).sum(axis=(1, 2)) + np.abs(self.shifts).sum(axis=1)
        return lengthless(self.lengths(), reach)

    def strains(self, positions: npt.ArrayLike) -> np.ndarray:
        """Change of every edge's length over its reference length, (..., E), at positions (..., N, D).

        Not a number for edges that have no reference length.
        """
        reference = self.lengths()
        change = self.lengths(positions) - reference
        none = np.broadcast_to(self.lengthless, change.shape)
        return np.divide(change, reference, out=np.full_like(change, np.nan), where=~none)

    def pair_shifts(self, pairs: npt.ArrayLike) -> np.ndarray:
        """Image offsets of pairs of nodes (Q, 2), (Q, D), as those of edges: from the first to the nearest image of
        the second, at the reference positions. Zero in a network without a cell.
        """
        ends = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
        if self.cell is None or not len(ends):
            return np.zeros((len(ends), self.dimension))
        gaps = self.positions[ends[:, 1]] - self.positions[ends[:, 0]]
        period = np.any(self.cell != 0, axis=1)
        # Rounded fractions of the cell, and their neighbours: in a skew cell the nearest image may be one of these.
        nearest = -np.round(gaps @ np.linalg.pinv(self.cell)) * period
        steps = np.array(list(product((0.0, -1.0, 1.0), repeat=self.dimension))) * period
        shifts = (nearest[:, None, :] + steps) @ self.cell
        lengths = np.linalg.norm(gaps[:, None, :] + shifts, axis=-1)
        here = np.linalg.norm(gaps, axis=-1)
        lengths = np.where((shifts == 0).all(axis=-1), here[:, None] * (1 - 1e-9), lengths)  # halfway: no shift
        return shifts[np.arange(len(ends)), np.argmin(lengths, axis=1)]

    def nodes(self, group: str) -> np.ndarray:
        """Indices of the nodes of a named group.

        Raises:
            NetworkError: if there is no such group; names the nearest ones.
        """
        if group not in self.groups:
            hint, known = did_you_mean(group, self.groups), listed(sorted(self.groups))
            raise NetworkError(f"the network has no group {group!r}; {hint}groups: {known}")
        return self.groups[group]

    def with_groups(self, **groups: npt.ArrayLike) -> Network:
        """The same network with groups added or replaced."""
        return replace(self, groups={**self.groups, **groups})

    def components(self) -> np.ndarray:
        """Label of the connected component of each node, (N,), the component of node 0 first."""
        ones = np.ones(self.n_edges)
        adjacency = coo_array((ones, (self.edges[:, 0], self.edges[:, 1])), shape=(self.n_nodes, self.n_nodes))
        return connected_components(adjacency, directed=False)[1]

    def turned(self, which: npt.ArrayLike) -> Network:
        """The same network with some edges (a mask or indices) listed from their second node to their first.

        Laws that tell the two ends apart, as a diode's does, see the difference: it conducts the other way.
        """
        which = np.asarray(which)
        edges, shifts = self.edges.copy(), self.shifts.copy()
        edges[which] = edges[which][:, ::-1]
        shifts[which] = -shifts[which]
        return replace(self, edges=edges, shifts=shifts)

    def keep_edges(self, keep: npt.ArrayLike) -> Network:
        """The same nodes with a subset of the edges (a mask or indices)."""
        keep = np.asarray(keep)
        columns = {name: values[keep] for name, values in self.edge_values.items()}
        return replace(self, edges=self.edges[keep], shifts=self.shifts[keep], edge_values=columns)

    def keep_nodes(self, keep: npt.ArrayLike) -> Network:
        """A subset of the nodes (a mask or indices), the edges among them, and the groups renumbered."""
        mask = np.zeros(self.n_nodes, dtype=bool)
        mask[np.asarray(keep)] = True
        number = np.cumsum(mask) - 1
        inside = mask[self.edges].all(axis=1)
        groups = {name: number[nodes[mask[nodes]]] for name, nodes in self.groups.items()}
        return replace(
            self,
            positions=self.positions[mask],
            edges=number[self.edges[inside]],
            shifts=self.shifts[inside],
            groups=groups,
            edge_values={name: values[inside] for name, values in self.edge_values.items()},
            node_values={name: values[mask] for name, values in self.node_values.items()},
        )

    def __repr__(self) -> str:
        kind = "free" if self.cell is None else "periodic"
        names = f", groups {listed(self.groups)}" if self.groups else ""
        return f"Network({self.n_nodes} nodes, {self.n_edges} edges, {self.dimension}D, {kind}{names})"


def _numbers(name: str, values: Any, dtype: npt.DTypeLike | None = None) -> np.ndarray:
    """As an array, the same one if it is one.

    Raises:
        NetworkError: if they are no table of numbers.
    """
    try:
        return np.asarray(values, dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise NetworkError(f"{name} must be a table of numbers: {error}") from None


def _columns(kind: str, values: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
    """Check columns of nodes or edges, and make them arrays that cannot be written to."""
    columns = {}
    for name, given in values.items():
        array = np.array(given)
        if array.shape != (count,) or array.dtype.kind not in "biufU":
            raise NetworkError(
                f"the {kind} values {name!r} have shape {array.shape} and type {array.dtype}; expected a number or a "
                f"text for each {kind}, ({count},)"
            )
        array.flags.writeable = False
        columns[str(name)] = array
    return columns


def node_indices(name: str, nodes: Any, n: int) -> np.ndarray:
    """Node indices of a group given as indices or as a mask, sorted as given, checked."""
    array = np.atleast_1d(np.asarray(nodes))
    if array.dtype == bool:
        if array.shape != (n,):
            raise NetworkError(f"group {name!r} is a mask of shape {array.shape}; expected ({n},)")
        array = np.flatnonzero(array)
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise NetworkError(f"group {name!r} must be node indices or a mask; got {array.dtype} of shape {array.shape}")
    if array.min() < 0 or array.max() >= n:
        raise NetworkError(f"group {name!r} names node {int(array.max())}, but nodes run from 0 to {n - 1}")
    return array.astype(np.int64)  # a copy: the caller's array stays the caller's
