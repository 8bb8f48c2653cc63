"""Newton directions by conjugate gradients: for large systems, and for samples that share free stiffnesses."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from sandbox.physics.equilibrium import Status
from sandbox.physics.landscape import Hessians, Landscape, Point
from sandbox.physics.relaxation.criteria import FIRST_SHIFT, HIGH_CONTRAST, LEFT, PIVOT_FLOOR, STATE_SLACK
from sandbox.physics.relaxation.directions import MAX_SHIFTS, Directions, judge, lifted
from sandbox.physics.relaxation.factor import Factor
from sandbox.physics.relaxation.krylov import Operator, Solution, block_jacobi, conjugate_gradients

MAX_PRODUCTS = 20_000  # with the Hessian, in one solve
FARTHEST = 1e-6  # of the gradient: how far one solve goes at most, as the forces at play are then others
PROBE = 1e-6  # reduction of a random residual that would not be possible without meeting a negative eigenvalue
FORCING = 0.9, 0.5, 1e-2
"""Eisenstat and Walker, SIAM J. Sci. Comput. 17 (1996) 16, choice 2: factor, cap alone, coupled."""


class Iterative:
    """Conjugate gradients with a block-Jacobi preconditioner: one sample, or any number with one quadratic energy.

    A saddle is told from a minimum by a solve with a random right-hand side, unless no block of the Hessian has a
    negative eigenvalue. A flat direction is noticed only where conjugate gradients meet it.
    """

    def __init__(self, landscape: Landscape, dim: int, quadratic: bool) -> None:
        self._landscape, self._dim, self._quadratic = landscape, dim, quadratic
        self._kept: tuple[Hessians, csr_array, csr_array] | None = None
        self._forcing = Forcing(FORCING[1])

    def find(self, point: Point, small: np.ndarray, allowed: np.ndarray, coarse: np.ndarray) -> Directions:
        if self._kept is None or not self._quadratic:
            maps = self._landscape.assembly
            hessian = self._landscape.hessians(point.only(np.zeros(1, dtype=int)))
            jacobi = block_jacobi(maps, majorant(hessian), self._dim)
            self._kept = hessian, csr_array(maps.block_diagonal(hessian.values)), jacobi
        hessian, matrix, jacobi = self._kept
        found = Directions.none(point)
        least = allowed.min(axis=0, initial=np.inf)
        apply, precondition, stiff = matrix.__matmul__, jacobi.__matmul__, hessian.stiff[:, :1]
        doubtful = small & coarse
        if small.any() and self._landscape.contrast(point, hessian.stiff) > HIGH_CONTRAST:
            doubtful = small
        if doubtful.any() or not small.all():
            size = np.linalg.norm(point.gradient, axis=0)
            goal = np.maximum(0.1 * least, FARTHEST * size)
            if not self._quadratic:
                goal = np.maximum(goal, self._forcing.tolerance(size))
            goal = np.where(doubtful, telling(self._landscape, point, least), np.where(small, np.inf, goal))
            solution = truncated(apply, precondition, point.gradient, goal, stiff)
            found.move = np.where(small & ~doubtful, 0.0, -solution.x)
            found.lowest, found.indefinite = solution.lowest, solution.negative
            found.left = doubtful & ~solution.negative
        if small.any():
            met = probe(apply, precondition, len(point.gradient), stiff, hessian.excess is None)
            found.lowest = np.where(small, met.lowest, found.lowest)
            judge_probe(found, met, small, met.direction, stiff)
        return found


class Coupled:
    """Samples that share free stiffnesses: conjugate gradients, preconditioned with what the samples are by themselves.

    The Hessian of the summed energy is blockdiag(A_b) - V D^-1 V^T, with A_b the Hessians at fixed stiffnesses: never
    more than blockdiag(A_b), whose factor makes a preconditioner that leaves eigenvalues from 0 to 1.
    """

    def __init__(self, landscape: Landscape, dim: int, direct: bool, alike: bool) -> None:
        """With ``direct``, A is factored; with ``alike``, the energy is quadratic, so that all A_b are the same."""
        self._landscape, self._dim = landscape, dim
        self._direct, self._alike = direct, alike
        self._forcing = Forcing(FORCING[2])

    def find(self, point: Point, small: np.ndarray, allowed: np.ndarray, coarse: np.ndarray) -> Directions:
        maps = self._landscape.assembly
        hessians = self._landscape.hessians(point.only(np.zeros(1, dtype=int)) if self._alike else point)
        found = Directions.none(point)
        found.lowest[:] = np.inf
        if self._direct:
            factor = Factor(maps, hessians.values, PIVOT_FLOOR * hessians.stiff)
            if factor.bad.any() and self._alike:
                self._alike = False  # each sample is to find its own way out
                return self.find(point, small, allowed, coarse)
            found.lowest[:], found.indefinite[:] = factor.lowest, factor.bad
            if factor.bad.any() and small.all():
                judge(found, factor, factor.bad)
                if (found.verdict == Status.SINGULAR).any():
                    found.verdict[:] = Status.SINGULAR
                found.escaping[:] = True  # together; samples that are not bad stay in place
                return found
            precondition = _flat(self._preconditioner(factor, hessians).solve, point)
        else:
            precondition = self._each(block_jacobi(maps, majorant(hessians), self._dim), point)
        bare = self._each(csr_array(maps.block_diagonal(hessians.values)), point)
        softened = _flat(lambda move: self._landscape.softening(point, move), point)
        stiff = np.broadcast_to(hessians.stiff, point.gradient.shape).T.reshape(-1, 1)
        self._solve(found, point, small, lambda move: bare(move) - softened(move), precondition, stiff, allowed, coarse)
        return found

    def _solve(
        self,
        found: Directions,
        point: Point,
        small: np.ndarray,
        apply: Operator,
        precondition: Operator,
        stiff: np.ndarray,
        allowed: np.ndarray,
        coarse: np.ndarray,
    ) -> None:
        """The Newton step; at a stationary point, a search for negative curvature, and the step that is left."""
        shape, least = point.gradient.T.shape, allowed.min(initial=np.inf).reshape(1)
        right = np.ascontiguousarray(point.gradient.T).reshape(-1, 1)
        if small.all():
            solution = probe(apply, precondition, point.gradient.size, stiff, sure=False)
            judge_probe(found, solution, small, solution.direction.reshape(shape).T, stiff)
            if not solution.negative[0] and (coarse.any() or self._landscape.contrast(point, stiff) > HIGH_CONTRAST):
                goal = telling(self._landscape, point, least).min(keepdims=True)
                left = truncated(apply, precondition, right, goal, stiff)
                found.move, found.left = -left.x.reshape(shape).T, small & ~left.negative
        else:
            size = np.linalg.norm(right, axis=0)
            goal = np.maximum(0.1 * least, np.maximum(FARTHEST * size, self._forcing.tolerance(size)))
            solution = truncated(apply, precondition, right, goal, stiff)
            found.move = -solution.x.reshape(shape).T
            found.indefinite = found.indefinite | solution.negative
        found.lowest = np.minimum(found.lowest, solution.lowest)

    def _each(self, matrix: csr_array, point: Point) -> Operator:
        """Products with the block-diagonal matrix of all samples, or with one matrix that serves them all."""
        return _flat(matrix.__matmul__, point) if self._alike else matrix.__matmul__

    def _preconditioner(self, factor: Factor, hessians: Hessians) -> Factor:
        maps, stiff = self._landscape.assembly, hessians.stiff
        values, shift = hessians.values, FIRST_SHIFT * stiff
        for _ in range(MAX_SHIFTS):
            bad = np.flatnonzero(factor.bad)
            if len(bad) == 0:
                break
            values = values.copy()
            values[:, bad] = lifted(hessians, maps.diagonal, bad, shift)
            factor = Factor(maps, values, PIVOT_FLOOR * stiff)
            shift = 8.0 * shift
        return factor


class Forcing:
    """How exactly a Newton system is to be solved: the more so, the faster the gradient falls."""

    def __init__(self, cap: float) -> None:
        self._cap, self._before = cap, np.inf

    def tolerance(self, size: np.ndarray) -> np.ndarray:
        ratio = float(size.max()) / self._before
        self._before = float(size.max())
        return min(self._cap, max(FORCING[0] * ratio**2, 1e-12)) * size


def judge_probe(
    found: Directions, probe: Solution, small: np.ndarray, direction: np.ndarray, stiff: np.ndarray
) -> None:
    """Minimum, saddle or neither, for the samples that are stationary, by the curvatures that a probe has met.

    Args:
        stiff: (n, 1) stiffness of each component's node; one of none is flat.
    """
    if probe.negative[0]:
        found.indefinite, found.escaping = found.indefinite | small, small
        found.move = np.where(small, direction, found.move)
    else:
        flat = not (stiff > 0).all() or not PIVOT_FLOOR < probe.softest[0] < np.inf
        found.verdict[small] = Status.SINGULAR if flat else Status.CONVERGED


def probe(apply: Operator, precondition: Operator, n: int, stiff: np.ndarray, sure: bool) -> Solution:
    """Look for negative curvature from a random start; if it is ``sure`` that there is none, only at one curvature."""
    right = np.random.default_rng(0).standard_normal((n, 1))
    tolerance = PROBE * np.linalg.norm(right, axis=0)
    return conjugate_gradients(apply, precondition, right, tolerance, stiff, 1 if sure else MAX_PRODUCTS)


def truncated(
    apply: Operator, precondition: Operator, right: np.ndarray, tolerance: np.ndarray, stiff: np.ndarray
) -> Solution:
    """Solve until negative curvature is met; where that is at once, go along the preconditioned right-hand side."""
    solution = conjugate_gradients(apply, precondition, right, tolerance, stiff, MAX_PRODUCTS)
    nowhere = ~solution.x.any(axis=0)
    if nowhere.any():
        solution.x[:, nowhere] = precondition(right)[:, nowhere]
    return solution


def _flat(function: Operator, point: Point) -> Operator:
    """A function of (F, A), as one of (A*F, 1)."""
    shape = point.gradient.T.shape
    return lambda move: np.ascontiguousarray(function(move.reshape(shape).T).T).reshape(-1, 1)


def majorant(hessians: Hessians) -> np.ndarray:
    return hessians.values if hessians.excess is None else hessians.values + hessians.excess


def telling(landscape: Landscape, point: Point, least: np.ndarray) -> np.ndarray:
    """Return (A,) what may be left of the forces in solving for the step that judges a state.

    Forces that are none at stiff nodes may move soft ones far, so no motion is to be left out, however soft.

    Args:
        least: (A,) the smallest force, of all components, that would count as none.
    """
    size = np.linalg.norm(point.gradient, axis=0)
    known = STATE_SLACK * landscape.tolerance * point.longest * landscape.softest(point) / max(1, len(point.gradient))
    return LEFT * np.minimum(np.minimum(least, size), known)
