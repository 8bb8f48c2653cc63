"""Motions that cost no energy to first order: linear algebra on the compatibility matrix of a network.

To first order a displacement u changes the lengths of the bonds by R u, with R the compatibility (or rigidity) matrix;
displacements in its null space are zero modes (Lubensky et al., Rep. Prog. Phys. 78, 073901, 2015).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

MAX_DENSE = 800
"""Components up to which all zero modes are found, by dense algebra."""

SCREENED = 120
"""Components above which a sparse search looks whether there is any zero mode at all, before dense algebra."""

ZERO = 1e-13
"""|R u|^2 of a unit displacement below this fraction of the largest possible is zero: far above its rounding (1e-30),
below the bending of a strip a thousand bonds long (1e-12)."""

SHIFT = 1e-12
"""In the same units: keeps the factorization of R^T R regular where there are zero modes."""

BLOCK = 6
STEPS = 6

STILL = 1e-10
"""Of the largest squared displacement: nodes below do not move."""


def compatibility_matrix(directions: np.ndarray, edges: np.ndarray, n_nodes: int) -> csr_array:
    """R, (E, N*D): the change of each edge's variable per displacement of each component.

    Args:
        directions: (E, D) unit vectors along the bonds, from the first node to the second; 1 or -1 where D = 1.
        edges: (E, 2) node indices.
    """
    n_edges, dim = directions.shape
    columns = edges[:, :, None].astype(np.int64) * dim + np.arange(dim)
    values = np.stack([-directions, directions], axis=1)
    indptr = np.arange(n_edges + 1) * 2 * dim
    return csr_array((values.ravel(), columns.ravel(), indptr), shape=(n_edges, n_nodes * dim))


def zero_modes(matrix: csr_array) -> tuple[np.ndarray, bool]:
    """Zero modes of a matrix R (rows, F): orthonormal rows (K, F), and whether these are all of them.

    Up to :data:`MAX_DENSE` components all are found. Beyond, up to :data:`BLOCK` of them, by inverse iteration on
    R^T R + shift.
    """
    size = int(matrix.shape[1])  # pyright: ignore[reportOptionalSubscript]
    scale = 2.0 * max(1, int(np.bincount(matrix.indices, minlength=1).max(initial=1)))
    if size == 0:
        return np.zeros((0, 0)), True
    if size > SCREENED:
        some = _softest(matrix, scale)
        if len(some) == 0 or size > MAX_DENSE:
            return some, len(some) < BLOCK
    values, vectors = eigh((matrix.T @ matrix).toarray())
    # Eigenvalues carry the rounding of R^T R; the stretches themselves do not.
    candidates = vectors[:, values < 1e3 * ZERO * scale]
    return _stretching_nothing(matrix, candidates, scale), True


def moving_nodes(modes: np.ndarray, components: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the nodes that modes move, those that move most first.

    Args:
        modes: (M, F) displacements of some components.
        components: (F,) which ones, of N*D.
        shape: N, D.
    """
    squares = np.zeros(shape)
    squares.flat[components] = np.sum(modes**2, axis=0)
    size = squares.sum(axis=1)
    moving = np.flatnonzero(size > STILL * size.max(initial=0.0))
    return moving[np.argsort(-np.round(size[moving], 9), kind="stable")]


def _softest(matrix: csr_array, scale: float) -> np.ndarray:
    size = int(matrix.shape[1])  # pyright: ignore[reportOptionalSubscript]
    stiffness = csc_array(matrix.T @ matrix)
    shifted = csc_array(stiffness + SHIFT * scale * eye_array(size))
    options = {"SymmetricMode": True}
    solver = splu(shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    basis = np.random.default_rng(0).standard_normal((size, min(BLOCK, size)))
    for _ in range(STEPS):
        basis = np.linalg.qr(solver.solve(basis))[0]
    return _stretching_nothing(matrix, basis, scale)


def _stretching_nothing(matrix: csr_array, basis: np.ndarray, scale: float) -> np.ndarray:
    """The part of the span of an orthonormal basis (F, K) that R maps to zero, as rows."""
    stretches = matrix @ basis
    squares, mixes = np.linalg.eigh(stretches.T @ stretches)
    return (basis @ mixes[:, squares < ZERO * scale]).T
