"""Whether a stationary point of a quadratic energy within a box is a minimum, and how to leave it if not.

Only components that the box does not hold count: the Hessian among them must be positive definite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from sandbox.physics.assembly import Assembly
from sandbox.physics.equilibrium import Status
from sandbox.physics.landscape import Landscape, Point
from sandbox.physics.relaxation.criteria import PIVOT_FLOOR
from sandbox.physics.relaxation.directions import RUNNING
from sandbox.physics.relaxation.factor import Factor
from sandbox.physics.relaxation.krylov import conjugate_gradients

MAX_CHECKED = 20_000
"""Free components, of the samples that are factored at once, up to which the Hessian is examined."""

MAX_PRODUCTS = 20_000  # with the Hessian of all samples
PROBE = 1e-6  # reduction of a random residual that would not be possible without meeting a negative eigenvalue


@dataclass(frozen=True, eq=False)
class Faces:
    """The box, and the components (B, F) that are at a face and pushed against it."""

    held: np.ndarray
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Judgement:
    """Of A stationary samples: lowest curvature met, a :class:`Status` or ``RUNNING``, where these are to go, and the
    Newton step (F, A) that is left at a minimum.
    """

    lowest: np.ndarray
    verdict: np.ndarray
    state: np.ndarray
    left: np.ndarray


def judge(
    landscape: Landscape, point: Point, faces: Faces, which: np.ndarray, state: np.ndarray, shared: bool
) -> Judgement:
    """Examine the samples ``which`` of a point at free states (B, F); ``shared``: they share free stiffnesses."""
    maps, samples = landscape.assembly, len(which)
    left = np.zeros((maps.n_free, samples))
    result = Judgement(np.zeros(samples), np.full(samples, RUNNING), state[which].copy(), left)
    chunk = max(1, MAX_CHECKED // max(1, maps.n_free))
    for part in np.split(np.arange(samples), range(chunk, samples, chunk)):
        _examine(landscape, point.only(which[part]), faces, which[part], state, result, part)
    if shared and samples > 1 and (result.verdict == Status.CONVERGED).all():
        _examine_shared(landscape, point, faces, result)
    return result


def _examine(
    landscape: Landscape,
    point: Point,
    faces: Faces,
    which: np.ndarray,
    state: np.ndarray,
    result: Judgement,
    part: np.ndarray,
) -> None:
    maps = landscape.assembly
    hessians = landscape.hessians(point)
    held = faces.held[which]
    factor = Factor(maps, _among_free(maps, hessians.values, held, hessians.stiff), PIVOT_FLOOR * hessians.stiff)
    unstable = factor.unstable
    found = ~factor.bad
    result.left[:, part[found]] = -factor.solve(np.where(held.T, 0.0, point.gradient))[:, found]
    result.lowest[part] = factor.lowest
    result.verdict[part] = np.where(factor.bad, Status.SINGULAR, Status.CONVERGED)
    boxed = np.isfinite(faces.low) and np.isfinite(faces.high)
    if not (boxed and unstable.any()):
        return
    direction = factor.negative_directions().T[unstable]
    slope = np.sum(direction * point.gradient.T[unstable], axis=1, keepdims=True)
    direction = np.where(slope > 0, -direction, direction)
    start = state[which[unstable]]
    # Downhill all the way to the first face: the energy along the direction is concave.
    room = np.where(direction > 0, faces.high - start, start - faces.low)
    length = np.divide(room, np.abs(direction), out=np.full_like(room, np.inf), where=direction != 0)
    end = start + length.min(axis=1, keepdims=True) * direction
    first = length.argmin(axis=1)
    rows = np.arange(len(first))
    end[rows, first] = np.where(direction[rows, first] > 0, faces.high, faces.low)
    result.state[part[unstable]] = np.clip(end, faces.low, faces.high)
    result.verdict[part[unstable]] = RUNNING


def _examine_shared(landscape: Landscape, point: Point, faces: Faces, result: Judgement) -> None:
    """All samples together, softened by the stiffnesses they share: a solve meets negative curvature where there is."""
    maps = landscape.assembly
    hessians = landscape.hessians(point)
    values = _among_free(maps, hessians.values, faces.held, hessians.stiff)
    factor = Factor(maps, values, PIVOT_FLOOR * hessians.stiff)
    matrix, free = csr_array(maps.block_diagonal(values)), ~faces.held

    def apply(move: np.ndarray) -> np.ndarray:
        softened = landscape.softening(point, np.where(free, move.reshape(free.shape), 0.0).T).T
        return matrix @ move - np.where(free, softened, 0.0).reshape(-1, 1)

    def precondition(move: np.ndarray) -> np.ndarray:
        return factor.solve(move.reshape(free.shape).T).T.reshape(-1, 1)

    right = np.random.default_rng(0).standard_normal((free.size, 1))
    tolerance = PROBE * np.linalg.norm(right, axis=0)
    stiff = hessians.stiff.T.reshape(-1, 1)
    solution = conjugate_gradients(apply, precondition, right, tolerance, stiff, MAX_PRODUCTS)
    result.lowest[:] = np.minimum(result.lowest, solution.lowest)
    if solution.negative[0]:
        result.verdict[:] = Status.SINGULAR


def _among_free(maps: Assembly, values: np.ndarray, held: np.ndarray, stiff: np.ndarray) -> np.ndarray:
    """Entries (entries, A) with held components (A, F) uncoupled from the rest, and as stiff as their node."""
    column = np.repeat(np.arange(maps.n_free), np.diff(maps.indptr))
    kept = ~(held[:, maps.indices] | held[:, column]).T
    values = np.where(kept, values, 0.0)
    values[maps.diagonal] = np.where(held.T, stiff, values[maps.diagonal])
    return values
