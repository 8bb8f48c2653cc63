"""Regular lattices, made by repeating a rectangular cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt

import numpy as np

from sandbox.errors import NetworkError
from sandbox.physics.graphs._checks import positive, whole
from sandbox.physics.groups import sides
from sandbox.physics.memory import require_network
from sandbox.physics.network import Network

_ROW = sqrt(3) / 2  # distance of the rows of a triangular lattice


@dataclass(frozen=True)
class Lattice:
    """A cell and its nodes, in units of the nearest-neighbour distance; the bonds follow from their lengths.

    Args:
        name: for error messages.
        cell: edge lengths of the rectangular cell, (D,).
        basis: positions of its nodes, (M, D).
        lengths: every pair of nodes at one of these distances is bonded; at most the shortest edge of the cell away.
        trim: whether a free boundary cuts off nodes at corners that hang by a single bond.
    """

    name: str
    cell: tuple[float, ...]
    basis: tuple[tuple[float, ...], ...]
    lengths: tuple[float, ...] = (1.0,)
    trim: bool = False

    def bonds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each bond of a cell once: ``a`` (K,) and ``b`` (K,) in the basis, and the cell ``b`` is in, (K, D)."""
        basis, dim = np.array(self.basis), len(self.cell)
        offsets = np.array(list(product((-1, 0, 1), repeat=dim)))
        gaps = basis[None, :, None] + offsets * np.array(self.cell) - basis[:, None, None]
        near = np.isclose(np.linalg.norm(gaps, axis=-1)[..., None], self.lengths).any(axis=-1)
        a, b, cell = np.nonzero(near)
        half = (cell > len(offsets) // 2) | ((cell == len(offsets) // 2) & (a < b))
        return a[half], b[half], offsets[cell[half]]

    def build(self, shape: Sequence[int], spacing: float, periodic: bool) -> Network:
        """Repeat the cell ``shape`` times along each axis; see :func:`square` for arguments and errors."""
        dim, m = len(self.cell), len(self.basis)
        if not isinstance(shape, Sequence) or len(shape) != dim:
            raise NetworkError(f"the shape of a {self.name} lattice is {shape!r}; expected {dim} numbers of cells")
        size = np.array([whole(f"shape[{axis}]", n, 1, 2**31) for axis, n in enumerate(shape)])
        n_nodes = int(np.prod(size.astype(object))) * m
        require_network(n_nodes, n_nodes // m * len(self.bonds()[0]))
        whole(f"the number of nodes of a {self.name} lattice", n_nodes, 1)
        cell = np.array(self.cell) * positive("spacing", spacing)
        a, b, offsets = self.bonds()
        alone = (a == b) & (np.count_nonzero(offsets, axis=1) == 1)
        least = np.where(np.any(offsets[alone] != 0, axis=0), 2, 1)
        if periodic and (size < least).any():
            raise NetworkError(
                f"a periodic {self.name} lattice of shape {tuple(size.tolist())} joins nodes to themselves; "
                f"the smallest has the shape {tuple(least.tolist())}"
            )
        cells = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).reshape(-1, 1, dim)
        positions = (cells * cell + np.array(self.basis) * spacing).reshape(-1, dim)
        wraps, goals = np.divmod(cells + offsets, size)
        here = np.ravel_multi_index(tuple(cells.T), tuple(size)).reshape(-1, 1) * m + a
        there = np.ravel_multi_index(tuple(np.moveaxis(goals, -1, 0)), tuple(size)) * m + b
        edges = np.stack([here, there], axis=-1).reshape(-1, 2)
        if periodic:
            return Network(positions, edges, (wraps * (size * cell)).reshape(-1, dim), np.diag(size * cell))
        network = Network(positions, edges[(wraps == 0).all(axis=-1).ravel()])
        if self.trim and (network.degrees > 1).any():
            network = network.keep_nodes(network.degrees > 1)
        return network.with_groups(**sides(network, tolerance=0.5 * spacing))


SQUARE = Lattice("square", (1, 1), ((0, 0),))
BRACED_SQUARE = Lattice("square", (1, 1), ((0, 0),), (1, sqrt(2)))
TRIANGULAR = Lattice("triangular", (1, 2 * _ROW), ((0, 0), (0.5, _ROW)))
HONEYCOMB = Lattice("honeycomb", (2 * _ROW, 3), ((_ROW, 0), (0, 0.5), (0, 1.5), (_ROW, 2)), trim=True)
KAGOME = Lattice(
    "kagome",
    (2, 4 * _ROW),
    ((0, 0), (1, 0), (0.5, _ROW), (0, 2 * _ROW), (1, 2 * _ROW), (1.5, 3 * _ROW)),
    trim=True,
)
CUBIC = Lattice("cubic", (1, 1, 1), ((0, 0, 0),))
_H = sqrt(0.5)
FCC = Lattice("fcc", (2 * _H, 2 * _H, 2 * _H), ((0, 0, 0), (0, _H, _H), (_H, 0, _H), (_H, _H, 0)))


def square(shape: Sequence[int], *, spacing: float = 1.0, periodic: bool = False, diagonals: bool = False) -> Network:
    """Square lattice: 4 neighbours (2 bonds per node), with both diagonals 8 (4 bonds per node).

    Args:
        shape: number of cells along each axis; a cell of the square lattice has one node.
        spacing: nearest-neighbour distance, in units of length.
        periodic: wrap around in every direction. If not, the groups left, right, bottom and top (in 3D also back and
            front) hold the nodes within half a spacing of the extreme coordinate, so that both rows of a staggered
            edge are held.
        diagonals: bond the next-nearest neighbours too, at sqrt(2) spacings.

    Raises:
        NetworkError: if the shape has the wrong number of entries, an argument is not positive, or a periodic lattice
            is so small that nodes would be joined to themselves.
    """
    return (BRACED_SQUARE if diagonals else SQUARE).build(shape, spacing, periodic)


def triangular(shape: Sequence[int], *, spacing: float = 1.0, periodic: bool = False) -> Network:
    """Triangular lattice: 6 neighbours; 2 nodes in a cell of 1 x sqrt(3) spacings. See :func:`square`."""
    return TRIANGULAR.build(shape, spacing, periodic)


def honeycomb(shape: Sequence[int], *, spacing: float = 1.0, periodic: bool = False) -> Network:
    """Honeycomb: 3 neighbours; 4 nodes in a cell of sqrt(3) x 3 spacings, zigzag along x. See :func:`square`.

    Free boundaries lose the two corner nodes that would hang by a single bond.
    """
    return HONEYCOMB.build(shape, spacing, periodic)


def kagome(shape: Sequence[int], *, spacing: float = 1.0, periodic: bool = False) -> Network:
    """Kagome lattice: 4 neighbours; 6 nodes in a cell of 2 x 2 sqrt(3) spacings. See :func:`square`.

    Free boundaries lose the corner node that would hang by a single bond.
    """
    return KAGOME.build(shape, spacing, periodic)


def cubic(shape: Sequence[int], *, spacing: float = 1.0, periodic: bool = False) -> Network:
    """Simple cubic lattice: 6 neighbours; one node in a cell. See :func:`square`."""
    return CUBIC.build(shape, spacing, periodic)


def fcc(shape: Sequence[int], *, spacing: float = 1.0, periodic: bool = False) -> Network:
    """Face-centred cubic lattice: 12 neighbours; 4 nodes in a cube of sqrt(2) spacings. See :func:`square`."""
    return FCC.build(shape, spacing, periodic)
