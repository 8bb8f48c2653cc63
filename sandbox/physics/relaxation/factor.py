"""L D L^T of the Hessians of a batch, as one block-diagonal sparse matrix."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.linalg import SuperLU, splu, spsolve_triangular

from sandbox.physics.assembly import Assembly

_OPTIONS = {"SymmetricMode": True}


class Factor:
    """The factor of A symmetric matrices (entries, A), and what its pivots tell of them.

    SuperLU with diagonal pivots only is L D L^T: by Sylvester's law the signs of D are those of the eigenvalues.

    Args:
        floor: (F, A), pivots that are not above it count as not positive.

    Attributes:
        lowest: (A,) lowest pivot up to the first bad one.
        bad: (A,) whether there is a pivot that is not positive.
        unstable: (A,) whether the first of these is negative, by more than its floor.
    """

    def __init__(self, maps: Assembly, values: np.ndarray, floor: np.ndarray) -> None:
        self._shape = values.shape[1], maps.n_free
        broken = ~np.isfinite(values).all(axis=0)
        if broken.any():
            values = np.where(broken, 0.0, values)
            values[np.ix_(maps.diagonal, np.flatnonzero(broken))] = 1.0
        self._lu, shift = _factorize(maps, values, floor)
        pivots = self._lu.U.diagonal()[self._lu.perm_c].reshape(self._shape) - shift
        # An exact zero on the diagonal is passed by only off the diagonal; nothing is known of such a sample.
        strayed = (self._lu.perm_r != self._lu.perm_c).reshape(self._shape).any(axis=1)
        rank = self._lu.perm_c.reshape(self._shape)
        not_positive = ~(pivots > floor.T)
        first = np.where(not_positive, rank, rank.max(initial=0) + 1)
        self._culprit = np.argmin(first, axis=1)
        rows = np.arange(len(pivots))
        until = rank <= first.min(axis=1)[:, None]
        self.lowest = np.where(until, pivots, np.inf).min(axis=1)
        self.bad = not_positive.any(axis=1) | strayed | broken
        self.unstable = np.zeros(len(pivots), dtype=bool)
        if maps.n_free:
            self.unstable = self.bad & (pivots[rows, self._culprit] < -floor.T[rows, self._culprit])
        self.lowest = np.where(strayed | broken, np.minimum(self.lowest, 0.0), self.lowest)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for right-hand sides (F, A), one per sample; or any number of them if A = 1."""
        samples, n_free = self._shape
        if samples == 1:
            return self._lu.solve(right)
        return self._lu.solve(np.ascontiguousarray(right.T).ravel()).reshape(samples, n_free).T

    def negative_directions(self) -> np.ndarray:
        """(F, A) directions z of curvature z.H.z equal to the first bad pivot: L^T z = (unit vector of that pivot)."""
        samples, n_free = self._shape
        order = self._lu.perm_c
        right = np.zeros(samples * n_free)
        right[order[np.arange(samples) * n_free + self._culprit]] = 1.0
        upper = csc_array(self._lu.L).T.tocsr()
        np.nan_to_num(upper.data, copy=False, posinf=0.0, neginf=0.0)  # past the first bad pivot anything goes
        return spsolve_triangular(upper, right, lower=False)[order].reshape(samples, n_free).T


def _factorize(maps: Assembly, values: np.ndarray, floor: np.ndarray) -> tuple[SuperLU, np.ndarray]:
    """The factor, and what had to be added on the diagonal."""
    try:
        return _splu(maps.block_diagonal(values)), np.zeros_like(floor.T)
    except RuntimeError:
        # A pivot that is exactly zero, as of a node without edges: a shift far below the floor lets the others through.
        shift = np.maximum(0.1 * floor, 1e-300)
        shifted = values.copy()
        shifted[maps.diagonal] += shift
        return _splu(maps.block_diagonal(shifted)), shift.T


def _splu(matrix: csc_array) -> SuperLU:
    # The components are already in the order of elimination.
    return splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, relax=10, panel_size=10, options=_OPTIONS)
