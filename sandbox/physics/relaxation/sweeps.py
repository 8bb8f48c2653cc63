"""Method ``"sweeps"``: exact coordinate descent for energies that are quadratic in the state, within a box.

One component after another goes to its minimum given the others, ``s <- clip(s - g/H)``; where the energy is not
convex in it, to the better end of the box. The energy never rises, and the box is kept exactly. This is how layered
Hopfield networks are relaxed (Scellier et al. 2022, arXiv:2205.15021); components are ordered by colour, so that those
of a layer move together. Sweeps are over-relaxed (Young's rule, from the rate measured), which converges within a box
too (Cryer, SIAM J. Control 9 (1971) 385).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from sandbox.physics.assembly import Assembly
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.landscape import Landscape, Point
from sandbox.physics.relaxation.colouring import colour
from sandbox.physics.relaxation.criteria import PIVOT_FLOOR, TIGHTER, allowed, excess, relative_residual
from sandbox.physics.relaxation.directions import RUNNING, doubted
from sandbox.physics.relaxation.factor import Factor
from sandbox.physics.relaxation.problem import Problem
from sandbox.physics.relaxation.sweeps_minimum import MAX_CHECKED, Faces, judge
from sandbox.physics.runtime import threads

SWEEPS_PER_ITERATION = 100
"""Sweeps allowed per unit of ``max_iterations``: they are far cheaper than Newton iterations, and many are needed."""

FIRST_SWEEPS, MOST_SWEEPS = 10, 320  # per launch, doubling
SWEEPS_PER_STIFFNESS = 100  # where free stiffnesses take turns with the state
MOST_OVER = 1.98
PARALLEL_ROWS = 100_000
"""Free components above which a lone sample is swept colour by colour, in parallel."""
MAX_ESCAPES = 100


@dataclass(frozen=True, eq=False)
class _Order:
    """Rows by colour; what depends on the boundary pattern alone."""

    rows: np.ndarray  # (F,)
    starts: np.ndarray  # (colours + 1,)


def can_relax(problem: Problem) -> bool:
    """Whether the method applies: an energy that is quadratic in the state, with or without a box."""
    return problem.material.is_linear


def relax(problem: Problem) -> Equilibrium:
    """Sweep every sample to its minimum within the box; up to 100 sweeps per unit of ``max_iterations``.

    A sample has converged when its projected gradient (what is left of the gradient where the box lets the state give
    way) is nowhere above the tolerance times the forces that meet there, or is below round-off, the Hessian of the
    components inside the box is positive definite, and the Newton step that is left is small. A saddle is left along
    its direction of negative curvature, up to a face of the box. Free stiffnesses take turns with the state, minimized
    exactly within their bounds over the mean of the samples; then all samples converge together. Beyond
    :data:`~sandbox.physics.relaxation.sweeps_minimum.MAX_CHECKED` components the Hessian is not examined, and
    ``curvature_bound`` is NaN.
    """
    return _Sweeps(problem).run()


class _Sweeps:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.landscape = Landscape(problem)
        self.maps: Assembly = self.landscape.assembly
        self.low, self.high = problem.material.box or (-np.inf, np.inf)
        self.order = _order(problem, self.maps)
        batch = problem.batch
        self.state = np.ascontiguousarray(problem.start.reshape(batch, -1)).copy()
        self.free_state = np.clip(self.state[:, self.maps.free], self.low, self.high)
        self.over, self.settled = np.ones(batch), np.zeros(batch, dtype=int)
        self.status = np.full(batch, Status.OUT_OF_ITERATIONS)
        self.live = np.ones(batch, dtype=bool)
        self.sweeps, self.escapes = np.zeros(batch, dtype=int), np.zeros(batch, dtype=int)
        self.curvature, self.error = np.full((2, batch), np.nan)
        self.goal, self.nearest = np.ones(batch), np.full(batch, np.inf)
        self.common: Factor | None = None  # of the Hessian that all samples have in common

    def run(self) -> Equilibrium:
        problem, coupled = self.problem, self.problem.knobs is not None
        stiffness, quadratic = problem.stiffness, None
        before = np.full(problem.batch, np.inf)
        faces_before = np.zeros_like(self.free_state, dtype=bool)
        n_sweeps, budget = 0, max(1, problem.max_iterations * SWEEPS_PER_ITERATION)
        launch = SWEEPS_PER_STIFFNESS if coupled else FIRST_SWEEPS
        while True:
            point, faces, residual, beyond = self._look(stiffness)
            if coupled:
                stiffness = _stiffnesses(point)
            small = beyond <= self.goal
            self._end(self.live & ~(point.finite & np.isfinite(residual)), Status.NOT_FINITE)
            if quadratic is None or coupled:
                quadratic = self._quadratic(stiffness)
                if not self._bounded(quadratic[0]):
                    break
            small &= self.live
            if coupled and not small[self.live].all():
                small[:] = False  # they share the stiffnesses, which still move
            if small.any():
                residual[self._judge(point, faces, small)] = np.inf
            if not self.live.any() or n_sweeps >= budget:
                break
            if not coupled:
                steady = (faces.held == faces_before).all(axis=1) & (n_sweeps > 0)
                self._accelerate(before, residual, launch, steady)
                launch = min(2 * launch, MOST_SWEEPS) if n_sweeps else launch
            before, faces_before = residual, faces.held
            launch = min(launch, budget - n_sweeps)
            self._sweep(launch, *quadratic)
            n_sweeps += launch
            self.sweeps[self.live] += launch
        return self._report(point, faces)

    def _look(self, stiffness: np.ndarray) -> tuple[Point, Faces, np.ndarray, np.ndarray]:
        """The point, which components the box holds, the projected gradient (B,), and the same in units of the forces
        that count as none.
        """
        self.state[:, self.maps.free] = self.free_state
        if self.problem.knobs is not None:
            # The minimization over the stiffnesses starts where they are.
            self.landscape = Landscape(replace(self.problem, stiffness=stiffness))
        point = self.landscape.at(self.state, np.arange(self.problem.batch))
        gradient = point.gradient.T
        at_low, at_high = self.free_state <= self.low, self.free_state >= self.high
        held = (at_low & (gradient >= 0)) | (at_high & (gradient <= 0))
        force = np.where(held, 0.0, gradient).T
        beyond = excess(force, allowed(*self.landscape.forces_at_play(point), self.problem.tolerance))
        faces = Faces(held, self.low, self.high)
        return point, faces, np.abs(force).max(axis=0, initial=0.0), beyond.max(axis=0, initial=0.0)

    def _quadratic(self, stiffness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Entries of the Hessian at held stiffnesses, and the gradient (B, F) where all free components are 0."""
        held = Landscape(replace(self.problem, stiffness=stiffness, knobs=None))
        origin = self.state.copy()
        origin[:, self.maps.free] = 0.0
        point = held.at(origin, np.arange(self.problem.batch))
        hessian = held.hessians(point.only(np.zeros(1, dtype=int)))
        return np.ascontiguousarray(hessian.values[:, 0]), np.ascontiguousarray(point.gradient.T)

    def _bounded(self, hessian: np.ndarray) -> bool:
        """Factor the Hessian; without a box, an energy that is not convex has no minimum, and all samples end here."""
        maps = self.maps
        diagonal, floor = hessian[maps.diagonal], self._floor(hessian)
        lowest, bounded = diagonal.min(initial=np.inf), bool((diagonal > floor).all())
        if self.problem.knobs is None and maps.direct and 0 < maps.n_free <= MAX_CHECKED:
            self.common = Factor(maps, hessian[:, None], maps.most_of_node(floor[:, None]))
            lowest, bounded = self.common.lowest[0], not self.common.bad[0]
        if bounded or (np.isfinite(self.low) and np.isfinite(self.high)):
            return True
        self.curvature[:] = lowest
        self._end(self.live, Status.SINGULAR)
        return False

    def _floor(self, hessian: np.ndarray) -> np.ndarray:
        """(F,) curvatures below which a component counts as flat: a small part of what its row holds."""
        return PIVOT_FLOOR * np.add.reduceat(np.abs(hessian), self.maps.indptr[:-1])

    def _judge(self, point: Point, faces: Faces, small: np.ndarray) -> np.ndarray:
        """Samples that are stationary: at a minimum, or sent to a face of the box. Returns those sent."""
        if not self.maps.direct or not 0 < self.maps.n_free <= MAX_CHECKED:
            self._end(small, Status.CONVERGED)
            return np.zeros(0, dtype=int)
        which = np.flatnonzero(small)
        if self.common is not None and not self.common.bad[0]:
            # Positive definite with all components, so with any of them: one factorization for all samples.
            self.curvature[which] = self.common.lowest
            if not faces.held[which].any():
                left = -self.common.solve(point.gradient[:, which])
                verdict = self._judge_state(point, which, left, np.full(len(which), Status.CONVERGED))
                self.status[which[verdict >= 0]] = verdict[verdict >= 0]
                self.live[which[verdict >= 0]] = False
                return np.zeros(0, dtype=int)
        found = judge(self.landscape, point, faces, which, self.free_state, shared=self.problem.knobs is not None)
        self.curvature[which] = found.lowest
        verdict = self._judge_state(point, which, found.left, found.verdict)
        ended = verdict >= 0
        self.status[which[ended]] = verdict[ended]
        self.live[which[ended]] = False
        sent = which[found.verdict == RUNNING]
        self.free_state[sent] = found.state[found.verdict == RUNNING]
        self.escapes[sent] += 1
        self.over[sent] = 1.0
        self._end(self.live & (self.escapes > MAX_ESCAPES), Status.SINGULAR)
        return sent

    def _judge_state(self, point: Point, which: np.ndarray, left: np.ndarray, verdict: np.ndarray) -> np.ndarray:
        """Verdicts (A,) without those on minima whose state is not known: smaller forces are asked for there.

        Args:
            left: (F, A) Newton steps that are left, among the components that the box does not hold.
        """
        some = point.only(which)
        error, ratio = self.landscape.state_error(some, self.state[which], left)
        if self.problem.knobs is not None:
            ratio = np.full_like(ratio, ratio.max(initial=0.0))  # they share the stiffnesses
        judged = verdict == Status.CONVERGED
        self.error[which[judged]] = error[judged]
        verdict, unknown = doubted(verdict, judged, ratio, self.nearest[which], self.problem.tolerance)
        self.nearest[which[unknown]] = ratio[unknown]
        self.goal[which[unknown]] *= TIGHTER
        return verdict

    def _accelerate(self, before: np.ndarray, now: np.ndarray, launch: int, steady: np.ndarray) -> None:
        """Young's rule: the rate measured gives the spectral radius of Jacobi's method, and that the best factor."""
        with np.errstate(all="ignore"):
            rate = (now / before) ** (1.0 / launch)
            square = (rate + self.over - 1.0) ** 2 / (rate * self.over**2)
            best = 2.0 / (1.0 + np.sqrt(1.0 - np.minimum(square, 1.0)))
        best = np.clip(np.where((rate > 0) & (rate < 1), best, 1.0), 1.0, MOST_OVER)
        # The residual leaps when the factor changes; only the launch after that shows a rate.
        self.settled = np.where(steady, self.settled + 1, 0)
        change = (self.settled > 1) & np.isfinite(best) & (np.abs(best - self.over) > 0.1 * (2.0 - self.over))
        self.over = np.where(change, best, self.over)
        self.settled[change] = 0

    def _sweep(self, n_sweeps: int, hessian: np.ndarray, linear: np.ndarray) -> None:
        from sandbox.physics.relaxation.sweeps_kernel import sweep_kernels

        by_sample, by_colour = sweep_kernels()
        maps, order = self.maps, self.order
        if maps.n_free == 0:
            return
        active = np.flatnonzero(self.live).astype(np.int32)
        low, high = max(self.low, -1e300), min(self.high, 1e300)
        common = (active, order.rows, maps.indptr, maps.indices, maps.diagonal.astype(np.int32), hessian, linear)
        rest = (self.over, low, high, self._floor(hessian), self.free_state)
        if len(active) < threads() and maps.n_free >= PARALLEL_ROWS:
            for _ in range(n_sweeps):
                for first, last in zip(order.starts[:-1], order.starts[1:], strict=True):
                    by_colour(int(first), int(last), *common, *rest)
        else:
            by_sample(n_sweeps, *common, *rest)

    def _end(self, which: np.ndarray, status: Status) -> None:
        which = which & self.live
        self.status[which] = status
        self.live &= ~which

    def _report(self, point: Point, faces: Faces) -> Equilibrium:
        from sandbox.physics import edge_kernel as ek

        problem = self.problem
        gradient = np.where(faces.held.T, 0.0, point.gradient)
        with np.errstate(invalid="ignore", over="ignore"):
            residual = relative_residual(gradient, *self.landscape.forces_at_play(point))
        return Equilibrium(
            state=self.state.reshape(problem.start.shape),
            stiffness=problem.stiffness if problem.knobs is None else _stiffnesses(point),
            stiffness_force=point.pulls[ek.PULL].mean(axis=0),
            energy=point.energy + point.still,
            residual=residual,
            iterations=self.sweeps,
            status=self.status,
            curvature_bound=self.curvature,
            indefinite=self.escapes,
            method="sweeps",
            state_error=self.error,
        )


def _stiffnesses(point: Point) -> np.ndarray:
    from sandbox.physics.edge_kernel import THETA

    return point.stiffnesses[THETA].copy()


def _order(problem: Problem, maps: Assembly) -> _Order:
    key = b"colours" + problem.boundary.pattern
    found = problem.material.caches.get(key)
    if not isinstance(found, _Order):
        shape = (maps.n_free, maps.n_free)
        colours = colour(csr_array((np.ones(len(maps.indices)), maps.indices, maps.indptr), shape=shape))
        rows = np.argsort(colours, kind="stable").astype(np.int32)
        found = _Order(rows, np.concatenate([[0], np.cumsum(np.bincount(colours))]))
        problem.material.caches[key] = found
    return found
