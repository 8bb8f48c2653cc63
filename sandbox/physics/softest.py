"""Softest directions of an equilibrium: the least eigenvalue of the Hessian, and nodes that move at no cost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigvalsh
from scipy.sparse import csc_array, eye_array
from scipy.sparse.linalg import ArpackError, LinearOperator, SuperLU, eigsh, splu

from sandbox.physics.assembly import widest_front
from sandbox.physics.boundary import Boundary
from sandbox.physics.landscape import Landscape
from sandbox.physics.material import Material
from sandbox.physics.zero_modes import moving_nodes

MAX_DENSE = 200
"""Free components up to which all eigenvalues are taken."""

MAX_COMPONENTS = 100_000
MAX_FRONT = 1_000
"""Free components, and components in the widest front of an elimination, up to which the Hessian is factored: a few
seconds."""

SHIFT = 1e-12
"""Of the largest row sum of magnitudes: added to the diagonal first, so that a flat direction can be factored too."""

STEP = 100.0
"""Factor between shifts. The eigenvalue is then no closer to others, seen from the shift, than by this factor."""

FLAT = 1e-11
"""Of the largest row sum of magnitudes: a curvature below is rounding. The rounding of an eigenvalue is 1e-15."""

BLOCK = 8
STEPS = 4
"""Vectors and steps of inverse iteration. A step takes 1e-6 of what is 1e6 times as stiff as the shift."""


def lowest_curvature(material: Material, boundary: Boundary, state: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    """Return (B,) the least eigenvalues of the Hessians of the free components, in units of energy over state squared.

    By inverse Lanczos iteration on the Hessian, shifted upwards until it is positive definite. Components that a box
    holds at a face are not free.

    Args:
        state: (B, N, D).
        stiffness: (E,), held.

    Returns:
        Not a number for samples with nothing free or a Hessian that is not finite, and for all where a factor would
        be too large (:data:`MAX_COMPONENTS`, :data:`MAX_FRONT`).
    """
    every = _hessians(material, boundary, state, stiffness, np.arange(boundary.batch))
    lowest = np.full(boundary.batch, np.nan)
    for b, matrix, _ in every:
        lowest[b] = _least(matrix)
    return lowest


def flat_nodes(
    material: Material, boundary: Boundary, state: np.ndarray, stiffness: np.ndarray, sample: int
) -> np.ndarray:
    """Return the nodes that can move without a change of energy to second order, those that move most first.

    By inverse iteration on random vectors: what is left of them is in the null space of the Hessian. None where the
    Hessian has a negative eigenvalue or is too large to factor.
    """
    for _, matrix, places in _hessians(material, boundary, state, stiffness, np.array([sample])):
        most = float(abs(matrix).sum(axis=0).max())
        factor = _definite(csc_array(matrix + SHIFT * most * eye_array(len(places)))) if most > 0 else None
        if factor is None:
            continue
        basis = np.random.default_rng(0).standard_normal((len(places), min(BLOCK, len(places))))
        for _ in range(STEPS):
            basis = np.linalg.qr(factor.solve(basis))[0]
        curvatures, mixes = np.linalg.eigh(basis.T @ (matrix @ basis))
        flat = (basis @ mixes[:, curvatures < FLAT * most]).T
        return moving_nodes(flat, places, (boundary.n_nodes, boundary.components))
    return np.zeros(0, dtype=int)


def _hessians(
    material: Material, boundary: Boundary, state: np.ndarray, stiffness: np.ndarray, samples: np.ndarray
) -> Iterator[tuple[int, csc_array, np.ndarray]]:
    """Yield samples, Hessians of their free components in the order of elimination, and which components these are.

    Samples with nothing free or a Hessian that is not finite are passed over; all, if it is too large to factor.
    """
    from sandbox.physics.relaxation.problem import pose

    free = boundary.clamped.size - int(boundary.clamped.sum())
    if free == 0 or free > MAX_COMPONENTS:
        return
    problem = pose(material, boundary, stiffness, None, state, 0.0, 1)
    if free > MAX_DENSE and widest_front(problem.ends, boundary.n_nodes) * boundary.components > MAX_FRONT:
        return
    landscape = Landscape(problem)
    maps, states = landscape.assembly, problem.start.reshape(problem.batch, -1)
    low, high = material.box or (-np.inf, np.inf)
    for b in samples:
        point = landscape.at(states[b : b + 1], np.array([b]))
        with np.errstate(all="ignore"):
            matrix = csc_array(maps.block_diagonal(landscape.hessians(point).values))
        if not np.isfinite(matrix.data).all():
            continue
        s, gradient = states[b, maps.free], point.gradient[:, 0]
        held = ((s <= low) & (gradient >= 0)) | ((s >= high) & (gradient <= 0))
        inside = np.flatnonzero(~held)
        if held.any():
            matrix = csc_array(matrix[inside][:, inside])
        if len(inside):
            yield int(b), matrix, maps.free[inside]


def _least(matrix: csc_array) -> float:
    """Return the least eigenvalue of a symmetric matrix; not a number if the iteration does not settle."""
    size = len(matrix.indptr) - 1
    if size <= MAX_DENSE:
        return float(eigvalsh(matrix.toarray(), subset_by_index=(0, 0))[0])
    most = float(abs(matrix).sum(axis=0).max())
    shift, factor = SHIFT * most, None
    while factor is None:
        factor = _definite(csc_array(matrix + shift * eye_array(size)))
        if factor is None and shift > 2.0 * most:
            return np.nan
        shift *= STEP
    solve = LinearOperator((size, size), matvec=factor.solve, dtype=float)  # pyright: ignore[reportCallIssue]
    start = np.random.default_rng(0).standard_normal(size)
    try:
        _, vectors = eigsh(solve, k=1, which="LA", v0=start)
    except ArpackError:
        return np.nan
    x = vectors[:, 0]
    return float(x @ (matrix @ x) / (x @ x))  # the shift is gone, and its rounding


def _definite(matrix: csc_array) -> SuperLU | None:
    """Factor a symmetric matrix in its own order; None if it is not positive definite."""
    try:
        factor = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError:  # a pivot that is exactly zero
        return None
    diagonal = (factor.perm_r == factor.perm_c).all()
    return factor if diagonal and bool((factor.U.diagonal() > 0).all()) else None
