"""Method ``"multigrid"``: Newton with the exact Hessian for one large sample, by conjugate gradients with multigrid.

The hierarchy is made once for a pattern of clamps, from the material's own stiffnesses in its state of reference, and
serves every relaxation. Where it serves badly, one is made for that relaxation alone; so the outcome does not depend on
what was relaxed before.
"""

from __future__ import annotations

import numpy as np

from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.landscape import Point
from sandbox.physics.relaxation import criteria, newton
from sandbox.physics.relaxation.criteria import HIGH_CONTRAST, LEFT, PIVOT_FLOOR
from sandbox.physics.relaxation.cycle_solver import Solver
from sandbox.physics.relaxation.directions import Directions
from sandbox.physics.relaxation.hierarchy import Hierarchy
from sandbox.physics.relaxation.iterative import FORCING
from sandbox.physics.relaxation.newton import Descent
from sandbox.physics.relaxation.problem import Problem
from sandbox.physics.relaxation.rows_landscape import RowLandscape

MIN_FREE = 3000
"""Free components, of flow and of elasticity, below which the fused method is faster even at first."""

MIN_FREE_ELASTIC = 1200

SLOW = 40
"""Products with the Hessian in one solve after which the kept hierarchy is given up for one of the Hessian's own."""

MAX_PRODUCTS = 400
"""Products in one solve. A network that needs more is for a factorization."""

CAP = 0.1  # of the gradient: what a Newton step has to leave at most
MILD_CAP = 1e-3  # the same where only free stiffnesses make the energy not quadratic
NEAR = 30.0  # times the last goal: a goal below is not worth a step of its own
FIRST_LOOK = 1e-3  # of the gradient: how far a quadratic energy is relaxed before the forces at play are looked at
EVEN = 10.0  # times the number of components: ratio of curvatures up to which a network may be even
MARGIN = 0.5  # of the force allowed: what a solve aims at
PROBE = 1e-6  # reduction of a random residual that would not be possible without meeting a negative eigenvalue


class TooHardError(Exception):
    """A solve takes more products than are worth it."""


def can_relax(problem: Problem) -> bool:
    """Whether the method applies: one sample, no box on the state."""
    return problem.material.box is None and problem.batch == 1


def suits(problem: Problem) -> bool:
    """Whether the method is likely to be the fastest."""
    clamped = problem.boundary.clamped
    least = MIN_FREE if problem.material.components == 1 else MIN_FREE_ELASTIC
    return can_relax(problem) and clamped.size - int(clamped.sum()) > least


def relax(problem: Problem) -> Equilibrium:
    """Relax; networks that are too hard for multigrid are handed to :mod:`sandbox.physics.relaxation.newton`."""
    landscape = RowLandscape(problem)
    try:
        return _RowDescent(problem, landscape, Cycles(landscape, problem.tolerance), coupled=False).run()
    except TooHardError:
        return newton.relax(problem)


class _RowDescent(Descent):
    method = "multigrid"
    landscape: RowLandscape

    def _note_edges(self, point: Point, who: np.ndarray) -> None:
        """Edges are evaluated at the end."""

    def _report(self) -> Equilibrium:
        stiffness, self.pull[0] = self.landscape.edges(self.state[0])
        if self.problem.knobs is not None:
            self.stiffness = stiffness
        return super()._report()


class Cycles:
    """Newton directions by conjugate gradients with a multigrid cycle made of a positive definite majorant.

    A saddle is told from a minimum by a solve with a random right-hand side, unless no block of the Hessian has a
    negative eigenvalue and a step has been solved for. A flat direction is noticed where conjugate gradients meet it.
    """

    def __init__(self, landscape: RowLandscape, tolerance: float) -> None:
        self._landscape, self._tolerance = landscape, tolerance
        self._rows = landscape.assembly
        self._own: Hierarchy | None = None
        self._fresh = False  # whether it is of the Hessian at hand
        self._solver: Solver | None = None
        self._lowest, self._before = np.inf, np.inf

    def find(self, point: Point, small: np.ndarray, allowed: np.ndarray, coarse: np.ndarray) -> Directions:
        """The Newton step, or at a stationary point the verdict on it."""
        found = Directions.none(point)
        if small[0]:
            self._judge(found)
            if found.verdict[0] == Status.CONVERGED and (coarse[0] or self._uneven()):
                self._leave(found, point, float(allowed.min(initial=np.inf)))
        else:
            self._step(found, point, allowed[:, 0])
        return found

    def _prepared(self) -> Solver:
        """The solver for the Hessian at hand."""
        landscape, rows = self._landscape, self._rows
        if self._solver is not None and landscape.quadratic:
            return self._solver
        made = False
        if rows.hierarchy is None:
            matrix = landscape.reference()
            rows.hierarchy, made = Hierarchy(matrix, rows.frame), matrix is landscape.matrix
        hierarchy = self._own or rows.hierarchy
        if not made:  # of the Hessian at hand, which it works with then
            hierarchy.use(landscape.matrix if landscape.lift <= 0 else None)
        self._fresh = False
        self._solver = Solver(landscape.matrix, hierarchy, len(rows.node) - rows.n)
        return self._solver

    def _step(self, found: Directions, point: Point, allowed: np.ndarray) -> None:
        landscape, solver = self._landscape, self._prepared()
        size = float(point.residual[0])
        solver.begin(point.gradient[:, 0])
        if landscape.quadratic:
            self._solve(FIRST_LOOK * size)
            there = landscape.state - self._rows.spread(solver.x[:, None])[0]
            solver.allow(criteria.allowed(*landscape.forces_at(there), self._tolerance)[:, 0])
            self._solve(0.0, close=MARGIN)
        else:
            cap = MILD_CAP if landscape.mild else CAP
            forcing = FORCING[0] * (size / self._before) ** 2 if np.isfinite(self._before) else cap
            goal, self._before = min(cap, forcing) * size, size
            with np.errstate(divide="ignore"):
                last = MARGIN * size / float((np.abs(point.gradient[:, 0]) / allowed).max(initial=0.0))
            if goal < (NEAR if landscape.mild else 1.0) * last:
                solver.allow(allowed)
                self._solve(0.0, close=MARGIN)
            else:
                self._solve(goal)
        self._lowest = solver.lowest
        found.move[:, 0] = -(solver.x if solver.x.any() else solver.preconditioned)
        if not np.dot(found.move[:, 0], point.gradient[:, 0]) < 0:
            raise TooHardError  # the energy is flat along the force: a shifted factorization finds a way down
        found.lowest[0], found.indefinite[0] = solver.lowest, solver.negative

    def _solve(self, goal: float, close: float = -1.0) -> None:
        """Go on to a goal (see :meth:`Solver.go`), with a hierarchy of the Hessian's own if the kept one is slow."""
        solver = self._prepared() if self._solver is None else self._solver
        floor = PIVOT_FLOOR * self._landscape.stiffest
        if not self._fresh:
            solver.go(goal, floor, SLOW, close)
            if solver.solved or solver.negative:
                return
            matrix = self._landscape.matrix
            if self._landscape.lift > 0:
                matrix = self._rows.matrix()
                self._landscape.majorant(matrix)
            self._own = Hierarchy(matrix, self._rows.frame)
            self._fresh = True
            solver.anew(self._own)
        solver.go(goal, floor, MAX_PRODUCTS, close)
        if not solver.negative and solver.products >= MAX_PRODUCTS:
            raise TooHardError

    def _judge(self, found: Directions) -> None:
        """Minimum, saddle or flat."""
        landscape, rows = self._landscape, self._rows
        floor, lowest = PIVOT_FLOOR * landscape.stiffest, self._lowest
        if landscape.lift > 0 or lowest == np.inf:
            solver = self._prepared()
            floor = PIVOT_FLOOR * landscape.stiffest
            right = np.random.default_rng(0).standard_normal(rows.n_free)
            right[~rows.moving] = 0.0
            solver.begin(right)
            try:
                self._solve(PROBE * float(np.abs(right).max()))
            except TooHardError:
                if solver.lowest > floor:
                    raise
            lowest = solver.lowest
            if solver.negative:
                found.indefinite[0] = found.escaping[0] = True
                found.move[:, 0] = solver.direction
        softest = self._softest_component()
        found.lowest[0] = min(lowest, softest)
        if not found.escaping[0]:
            flat = not floor < found.lowest[0]
            if flat and self._uneven():
                raise TooHardError  # what is soft beside what is stiff, or flat: a factorization tells
            found.verdict[0] = Status.SINGULAR if flat else Status.CONVERGED

    def _leave(self, found: Directions, point: Point, allowed: float) -> None:
        """Solve for the Newton step that is left at a minimum, by which its state is judged.

        Forces that are none at stiff nodes may move soft ones far, so it is solved until no motion is left out.
        """
        landscape, solver = self._landscape, self._prepared()
        solver.begin(point.gradient[:, 0])
        soft = min(self._lowest, self._softest_component(), landscape.softest_bond)
        known = criteria.STATE_SLACK * self._tolerance * landscape.reach() * soft / self._rows.n_free
        goal = min(LEFT * min(allowed, float(point.residual[0])), LEFT * known)
        if goal > 0:
            self._solve(goal)
        if solver.negative:
            raise TooHardError  # round-off, or no minimum: a factorization tells
        found.move[:, 0], found.left[0] = -solver.x, True

    def _diagonal(self) -> np.ndarray:
        """Entries on the diagonal of the components that move."""
        m, rows = self._landscape.matrix, self._rows
        blocks = m.values[len(m.column) * m.size**2 :].reshape(m.n, m.size, m.size)
        return blocks.diagonal(axis1=1, axis2=2).ravel()[rows.moving]

    def _softest_component(self) -> float:
        """The lowest entry on the diagonal: no lower than the lowest eigenvalue."""
        return float(self._diagonal().min(initial=np.inf))

    def _uneven(self) -> bool:
        """Whether stiffness is so uneven, or the softest motion met so soft, that forces say little of the state."""
        landscape = self._landscape
        soft = landscape.stiffest / HIGH_CONTRAST
        if self._softest_component() < soft or self._lowest < min(
            soft, landscape.stiffest / (EVEN * self._rows.n_free)
        ):
            return True
        return landscape.softest_bond < soft
