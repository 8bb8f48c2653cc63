"""Preconditioned conjugate gradients that notice negative curvature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from sandbox.physics.assembly import Assembly
from sandbox.physics.relaxation.criteria import PIVOT_FLOOR

Operator = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Solution:
    """The outcome for C systems with one matrix.

    Attributes:
        x: (n, C), the iterate at the end, or just before negative curvature was met.
        lowest: (C,) smallest Rayleigh quotient p.H.p/p.p of a search direction, no lower than the lowest eigenvalue.
        softest: (C,) the same in the metric of the nodes' own stiffnesses: p.H.p/p.S.p.
        negative: (C,) whether negative curvature was met.
        direction: (n, C), the direction of negative curvature, where it was.
        solved: (C,) whether the tolerance was reached.
    """

    x: np.ndarray
    lowest: np.ndarray
    softest: np.ndarray
    negative: np.ndarray
    direction: np.ndarray
    solved: np.ndarray


def conjugate_gradients(
    apply: Operator,
    precondition: Operator,
    right: np.ndarray,
    tolerance: np.ndarray,
    stiff: np.ndarray,
    max_iterations: int,
) -> Solution:
    """Solve H x = right for C columns at once, each stopping by itself.

    Args:
        apply: H times (n, C).
        precondition: a positive definite approximation of the inverse of H, times (n, C).
        right: (n, C).
        tolerance: (C,) on the Euclidean norm of the residual.
        stiff: (n, C) or (n, 1), the diagonal of S: the stiffness of each component's node. Curvatures below minus
            :data:`~sandbox.physics.relaxation.criteria.PIVOT_FLOOR` of it are negative.
        max_iterations: products with H.

    Source: truncated conjugate gradients as of Steihaug, SIAM J. Numer. Anal. 20 (1983) 626, without the trust region.
    """
    x, direction = np.zeros_like(right), np.zeros_like(right)
    residual = right.copy()
    z = precondition(residual)
    p = z.copy()
    product = _dots(residual, z)
    lowest, softest = np.full((2, right.shape[1]), np.inf)
    negative = np.zeros(right.shape[1], dtype=bool)
    solved = np.sqrt(_dots(residual, residual)) <= tolerance
    running = ~solved
    for _ in range(max_iterations):
        if not running.any():
            break
        along = apply(p)
        curvature, length = _dots(p, along), _dots(p, p)
        running &= (length > 0) & np.isfinite(curvature)
        quotient = np.divide(curvature, length, out=np.full_like(curvature, np.inf), where=running)
        lowest = np.minimum(lowest, quotient)
        weight = _dots(p, stiff * p)
        relative = np.divide(curvature, weight, out=np.full_like(curvature, np.inf), where=running & (weight > 0))
        softest = np.minimum(softest, relative)
        met = running & (relative < -PIVOT_FLOOR)
        direction[:, met] = p[:, met]
        negative |= met
        running &= ~met & (curvature > 0)
        step = np.divide(product, curvature, out=np.zeros_like(product), where=running)
        x += step * p
        residual -= step * along
        solved |= running & (np.sqrt(_dots(residual, residual)) <= tolerance)
        running &= ~solved
        z = precondition(residual)
        before, product = product, _dots(residual, z)
        p = z + np.divide(product, before, out=np.zeros_like(product), where=running & (before > 0)) * p
    return Solution(x, lowest, softest, negative, direction, solved)


def _dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->j", a, b)


def block_jacobi(maps: Assembly, values: np.ndarray, dim: int) -> csr_array:
    """The inverse of the D x D diagonal blocks of A Hessians (entries, A), made positive definite; (A*F, A*F)."""
    n_free, n_samples = maps.n_free, values.shape[1]
    node, component = np.divmod(maps.free, dim)
    nodes, slot = np.unique(node, return_inverse=True)
    columns = np.repeat(np.arange(n_free), np.diff(maps.indptr))
    own = np.flatnonzero(node[maps.indices] == node[columns])
    where = slot[maps.indices[own]], slice(None), component[maps.indices[own]], component[columns[own]]
    blocks = np.zeros((len(nodes), n_samples, dim, dim))
    blocks[:, :, np.arange(dim), np.arange(dim)] = 1.0  # components that are clamped decouple
    blocks[where] = values[own]
    if dim == 1:
        inverse = 1.0 / _positive(blocks)
    else:
        eigenvalues, vectors = np.linalg.eigh(blocks)
        inverse = np.einsum("...ij,...j,...kj->...ik", vectors, 1.0 / _positive(eigenvalues), vectors)
    entries = np.zeros_like(values)
    entries[own] = inverse[where]
    matrix = csr_array(maps.block_diagonal(entries))
    matrix.eliminate_zeros()
    return matrix


def _positive(curvatures: np.ndarray) -> np.ndarray:
    size = np.abs(curvatures)
    return np.maximum(size, 1e-8 * size.max(initial=1e-300))
