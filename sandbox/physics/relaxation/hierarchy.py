"""A multigrid hierarchy for one matrix of rows of blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sandbox.physics.relaxation.aggregation_kernel import Kernels
    from sandbox.physics.relaxation.galerkin_kernel import GalerkinKernels

COARSEST = 24
"""Rows up to which a level is solved by the inverse of its matrix."""

MAX_INVERTED = 600
"""Components of a level that cannot be made coarser up to which its inverse is affordable; beyond, it is left out."""

MAX_LEVELS = 20
STRENGTH = 0.02
"""Of the geometric mean of the diagonal blocks: weaker neighbours do not count as such in an aggregate; halved from
level to level."""

SMOOTHING = 4 / 3  # over the largest eigenvalue of D^-1 A: the best for interpolation, as of Vanek et al.
POWER_STEPS = 8
UNDERRATED = 1.1  # what the power iteration may have missed of the largest eigenvalue
SLOW = 0.8  # a level that keeps more than this fraction of the rows above is not worth having
DENSE = 0.7  # a level that has more than this fraction of the entries above, as of a random graph, is not either
PRODUCTS = 3  # blocks of A P per entry of A, to begin with
GUESS = 50  # entries per coarse row, to begin with; memory that is not touched costs nothing


@dataclass(frozen=True, eq=False)
class Matrix:
    """A symmetric matrix of n rows of D x D blocks, in slices; see :mod:`sandbox.physics.relaxation.rows_kernel`.

    Attributes:
        start, middle, column: (slices + 1,), (slices,), (entries,) the pattern without the diagonal. A column from n
            on is a clamped neighbour.
        values: ((entries + n)*D*D,) the blocks of the entries, then those on the diagonal.
        size: D.
    """

    start: np.ndarray
    middle: np.ndarray
    column: np.ndarray
    values: np.ndarray
    size: int

    @property
    def n(self) -> int:
        from sandbox.physics.relaxation.aggregation_kernel import lanes_of

        return len(self.middle) * lanes_of(self.size)


@dataclass(frozen=True, eq=False)
class Frame:
    """Where rows are, for the rigid motions: positions (n, dim); lattice vectors (dim, dim) of a periodic cell.

    Attributes:
        visit: the rows that have a node, in an order in which neighbours are near each other.
        spins: whether the motions of an aggregate include rotations.
    """

    position: np.ndarray
    cell: np.ndarray | None
    visit: np.ndarray
    spins: bool

    @property
    def dim(self) -> int:
        return self.position.shape[1]

    @property
    def motions(self) -> int:
        return self.dim * (self.dim + 1) // 2 if self.spins else self.dim

    def nearest(self, away: np.ndarray) -> np.ndarray:
        """Vectors (..., dim), each to the nearest periodic image."""
        if self.cell is None:
            return away
        return away - np.round(away @ np.linalg.pinv(self.cell)) @ self.cell


@dataclass(frozen=True, eq=False)
class Level:
    """A level and the interpolation to it, in slices: blocks ``weight`` at rows ``to``, from ``first`` on.

    ``back_first``, ``back``, ``back_weight``: the same by rows of the next level, so that restriction gathers as well.
    ``inverse``: of the diagonal blocks.
    """

    matrix: Matrix
    inverse: np.ndarray
    first: np.ndarray
    to: np.ndarray
    weight: np.ndarray
    back_first: np.ndarray
    back: np.ndarray
    back_weight: np.ndarray


class Hierarchy:
    """Levels for a matrix that is positive definite, or nearly so.

    Args:
        matrix: the finest level. The hierarchy stays of use while the values change moderately.
        frame: of its rows.

    Attributes:
        unit: what matrices are divided by to be kept in single precision.
        values, inverse: of the finest level that the cycle works with, in single precision.
    """

    def __init__(self, matrix: Matrix, frame: Frame) -> None:
        from sandbox.physics.relaxation.aggregation_kernel import aggregation_kernels

        self.frame = frame
        self._kernels = aggregation_kernels(matrix.size, frame.motions, frame.dim)
        self.unit = float(np.abs(matrix.values[len(matrix.column) * matrix.size**2 :]).max(initial=0.0)) or 1.0
        inverse = self._inverted(matrix)
        self._own = self._single(matrix.values / self.unit), self._single(inverse * self.unit)
        self.values, self.inverse = self._own
        levels: list[Level] = []
        kernels, at, unit = self._kernels, matrix, 1.0
        while len(frame.visit) > COARSEST and len(levels) < MAX_LEVELS:
            made = _coarsen(kernels, at, inverse, frame, unit, STRENGTH * 0.5 ** len(levels))
            if made is None or len(made[1].column) > DENSE * len(at.column):
                break
            level, at, frame, unit = made
            levels.append(level)
            kernels = aggregation_kernels(frame.motions, frame.motions, frame.dim)
            inverse = np.empty(at.n * frame.motions**2)
            kernels.invert(at.n, at.values, len(at.column) * frame.motions**2, inverse)
        while levels and at.n * at.size > MAX_INVERTED:
            level = levels.pop()
            at, inverse = level.matrix, level.inverse
        self._pack(levels, at, inverse)

    def use(self, matrix: Matrix | None) -> None:
        """Let the finest level of the cycle be that of a matrix, or of the hierarchy's own."""
        if matrix is None:
            self.values, self.inverse = self._own
        else:
            self.values = self._single(matrix.values / self.unit)
            self.inverse = self._single(self._inverted(matrix) * self.unit)

    def _inverted(self, matrix: Matrix) -> np.ndarray:
        inverse = np.empty(matrix.n * matrix.size**2)
        self._kernels.invert(matrix.n, matrix.values, len(matrix.column) * matrix.size**2, inverse)
        return inverse

    @staticmethod
    def _single(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)

    def _pack(self, levels: list[Level], coarsest: Matrix, inverse: np.ndarray) -> None:
        from sandbox.physics.relaxation import cycle_kernel as ck

        if not levels:
            none = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.float32)
            self.first, self.to, self.weight = np.zeros(2, dtype=np.int32), *none
            self.back_first, self.back, self.back_weight = self.first, *none
            self.levels = np.zeros((1, ck.COLUMNS), dtype=np.int32)
            self.ints, self.pool = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.float32)
            return
        finest = levels[0]
        self.first, self.to, self.weight = finest.first, finest.to, self._single(finest.weight)
        self.back_first, self.back = finest.back_first, finest.back
        self.back_weight = self._single(finest.back_weight)
        table = np.zeros((len(levels), ck.COLUMNS), dtype=np.int32)
        ints: list[np.ndarray] = []
        numbers: list[np.ndarray] = []
        size = coarsest.size

        def place(parts: list[np.ndarray], array: np.ndarray) -> int:
            parts.append(array)
            return sum(map(len, parts[:-1]))

        for row, level in zip(table, levels[1:], strict=False):
            m = level.matrix
            row[ck.SLICES], row[ck.LENGTH] = len(m.middle), m.n * size
            row[ck.START], row[ck.MIDDLE] = place(ints, m.start), place(ints, m.middle)
            row[ck.COLUMN] = place(ints, m.column)
            row[ck.FIRST], row[ck.TO] = place(ints, level.first), place(ints, level.to)
            row[ck.BACK_FIRST], row[ck.BACK] = place(ints, level.back_first), place(ints, level.back)
            row[ck.VALUES] = place(numbers, m.values / self.unit)
            row[ck.INVERSE], row[ck.WEIGHT] = place(numbers, level.inverse * self.unit), place(numbers, level.weight)
            row[ck.BACK_WEIGHT] = place(numbers, level.back_weight)
            for vector in (ck.RIGHT, ck.X, ck.LEFT):
                row[vector] = place(numbers, np.zeros(m.n * size))
        last = table[-1]
        live, whole = _inverse(coarsest, inverse)
        last[ck.SLICES], last[ck.LENGTH] = len(live), coarsest.n * size
        last[ck.TO], last[ck.INVERSE] = place(ints, live.astype(np.int32)), place(numbers, whole.ravel() * self.unit)
        last[ck.RIGHT] = place(numbers, np.zeros(coarsest.n * size))
        last[ck.X] = place(numbers, np.zeros(coarsest.n * size))
        self.levels = table
        self.ints = np.concatenate([*ints, np.zeros(1, dtype=np.int32)])
        self.pool = self._single(np.concatenate(numbers))


def _coarsen(
    kernels: Kernels, matrix: Matrix, inverse: np.ndarray, frame: Frame, unit: float, strength: float
) -> tuple[Level, Matrix, Frame, float] | None:
    """The interpolation to the next level, its matrix and frame, and the unit of its rotations (a length)."""
    from sandbox.physics.relaxation.aggregation_kernel import lanes_of
    from sandbox.physics.relaxation.galerkin_kernel import galerkin_kernels
    from sandbox.physics.relaxation.rows_kernel import BINS, most_slices

    n, size, motions, dim = matrix.n, matrix.size, frame.motions, frame.dim
    pattern = matrix.start, matrix.column, matrix.values
    home, root = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    work = np.empty(2 * n * size)
    n_coarse = kernels.aggregate(n, *pattern, frame.visit, strength**2, work, home, root)
    if not 0 < n_coarse <= SLOW * n:
        return None
    damping = SMOOTHING / (UNDERRATED * kernels.stiffest_mode(n, *pattern, inverse, work, POWER_STEPS))
    away, centre = np.zeros((1, dim)), np.zeros((n_coarse, dim))
    level = np.ones(2)
    next_unit = unit
    if frame.spins:
        away, centre = _centred(frame, home, root[:n_coarse])
        next_unit = float(np.sqrt(np.mean(np.sum(away**2, axis=1)))) or unit
        level[:] = 1.0 / next_unit, unit / next_unit
    most = len(matrix.column) + n
    first, to = np.empty(n + 1, dtype=np.int32), np.empty(most, dtype=np.int32)
    weight = np.empty(most * size * motions)
    blocks = kernels.interpolate(n, *pattern, inverse, home, away.ravel(), level, damping, first, to, weight)
    to, weight = to[:blocks].copy(), weight[: blocks * size * motions].copy()
    galerkin = galerkin_kernels(size, motions)
    start, column, origin, values, diagonal = _galerkin(galerkin, matrix, first, to, weight, n_coarse, motions)
    seen = np.empty(n_coarse, dtype=np.int32)
    lanes = lanes_of(motions)
    slices = most_slices(n_coarse)
    place, counts = np.empty(n_coarse + BINS, dtype=np.int32), np.empty(2, dtype=np.int32)
    starts, middle = np.empty(slices + 1, dtype=np.int32), np.empty(slices, dtype=np.int32)
    galerkin.place(n_coarse, start, column, seen, place, starts, middle, counts)
    slices, entries = counts.tolist()
    starts, middle = starts[: slices + 1].copy(), middle[:slices].copy()
    new_column, new_values = np.empty(entries, dtype=np.int32), np.zeros((entries + slices * lanes) * motions**2)
    galerkin.reorder(
        n_coarse, start, column, origin, values, diagonal, place, starts, middle, new_column, new_values, to
    )
    row = place[:n_coarse].copy()
    position = np.zeros((slices * lanes, dim))
    position[row] = centre
    return (
        Level(
            matrix,
            inverse,
            *_sliced(galerkin, n, size, motions, first, to, weight),
            *_sliced_back(galerkin, n, slices * lanes, size, motions, first, to, weight),
        ),
        Matrix(starts, middle, new_column, new_values, motions),
        Frame(position, frame.cell, row, frame.spins),
        next_unit,
    )


def _galerkin(
    kernels: GalerkinKernels,
    matrix: Matrix,
    first: np.ndarray,
    to: np.ndarray,
    weight: np.ndarray,
    n_coarse: int,
    motions: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """P^T A P: compressed rows without the diagonal, where each entry is in the upper half, that half, the diagonal."""
    n, blocks = matrix.n, len(to)
    pattern = matrix.start, matrix.column, matrix.values
    seen = np.empty(n_coarse, dtype=np.int32)
    capacity = PRODUCTS * (len(matrix.column) + n)
    product_first = np.empty(n + 1, dtype=np.int32)
    while True:
        product_to, product = np.empty(capacity, dtype=np.int32), np.empty(capacity * matrix.size * motions)
        if kernels.multiply(n, *pattern, first, to, weight, seen, product_first, product_to, product) >= 0:
            break
        capacity *= 2
    members = np.empty(n_coarse + 1 + 2 * blocks, dtype=np.int32)
    upper_start = np.empty(n_coarse + 1, dtype=np.int32)
    diagonal = np.empty(n_coarse * motions**2)
    made = first, to, weight, product_first, product_to, product
    capacity = min(GUESS, n_coarse) * n_coarse
    while True:
        upper, values = np.empty(capacity, dtype=np.int32), np.empty(capacity * motions**2)
        entries = kernels.project(n, *made, n_coarse, members, seen, upper_start, upper, values, diagonal)
        if entries >= 0:
            break
        capacity *= 2
    start, column = np.empty(n_coarse + 1, dtype=np.int32), np.empty(2 * entries, dtype=np.int32)
    origin = np.empty(2 * entries, dtype=np.int32)
    kernels.mirror(n_coarse, upper_start, upper, seen, start, column, origin)
    return start, column, origin, values, diagonal


def _sliced(
    kernels: GalerkinKernels, n: int, size: int, motions: int, first: np.ndarray, to: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interpolation in slices: starts, rows, weights."""
    from sandbox.physics.relaxation.aggregation_kernel import lanes_of

    slices = np.empty(n // lanes_of(size) + 1, dtype=np.int32)
    none, nothing = np.zeros(1, dtype=np.int32), np.zeros(1)
    total = kernels.slice_weights(0, n, first, to, weight, slices, none, nothing)
    new_to, new_weight = np.zeros(total, dtype=np.int32), np.zeros(total * size * motions)
    kernels.slice_weights(1, n, first, to, weight, slices, new_to, new_weight)
    return slices, new_to, new_weight


def _sliced_back(
    kernels: GalerkinKernels,
    n: int,
    n_coarse: int,
    size: int,
    motions: int,
    first: np.ndarray,
    to: np.ndarray,
    weight: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same by rows of the coarse level."""
    from sandbox.physics.relaxation.aggregation_kernel import lanes_of

    count = np.empty(n_coarse, dtype=np.int32)
    slices = np.empty(n_coarse // lanes_of(motions) + 1, dtype=np.int32)
    none, nothing = np.zeros(1, dtype=np.int32), np.zeros(1)
    total = kernels.slice_back(0, n, n_coarse, first, to, weight, count, slices, none, nothing)
    back, back_weight = np.zeros(total, dtype=np.int32), np.zeros(total * size * motions)
    kernels.slice_back(1, n, n_coarse, first, to, weight, count, slices, back, back_weight)
    return slices, back, back_weight


def _centred(frame: Frame, home: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row its position (n, dim) relative to the centre of its aggregate, and the centres."""
    inside = np.maximum(home, 0)
    away = frame.nearest(frame.position - frame.position[root][inside])
    away[home < 0] = 0.0
    count = np.bincount(inside, home >= 0, len(root))
    mean = np.stack([np.bincount(inside, x, len(root)) for x in away.T], axis=1) / np.maximum(count, 1)[:, None]
    away -= mean[inside]
    away[home < 0] = 0.0
    return away, frame.position[root] + mean


def _inverse(matrix: Matrix, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The components that have stiffness, and the inverse of the matrix among them, never indefinite."""
    from sandbox.physics.relaxation.aggregation_kernel import lanes_of

    n, size, lanes = matrix.n, matrix.size, lanes_of(matrix.size)
    entries = len(matrix.column)
    slices = np.repeat(np.arange(n // lanes), np.diff(matrix.start))
    dense = np.zeros((n, n, size, size))
    values = matrix.values.reshape(-1, size, size)
    np.add.at(dense, (slices * lanes + np.arange(entries) % lanes, matrix.column), values[:entries])
    dense[np.arange(n), np.arange(n)] += values[entries:]
    whole = dense.transpose(0, 2, 1, 3).reshape(n * size, n * size)
    live = np.flatnonzero(blocks.reshape(n, size, size).diagonal(axis1=1, axis2=2).ravel() > 0)
    scale = 1 / np.sqrt(whole.diagonal()[live])
    part = whole[np.ix_(live, live)] * scale * scale[:, None]
    eigenvalues, vectors = np.linalg.eigh((part + part.T) / 2)
    kept = eigenvalues > 1e-12 * eigenvalues[-1:].max(initial=0.0)
    inverse = (vectors[:, kept] / eigenvalues[kept]) @ vectors[:, kept].T
    return live, inverse * scale * scale[:, None]
