"""Energy landscape of one large sample in the rows of its Hessian; of bonds only the places of entries are kept."""

from __future__ import annotations

import numpy as np

from sandbox.physics.assembly import free_parts
from sandbox.physics.landscape import Point
from sandbox.physics.relaxation import criteria
from sandbox.physics.relaxation.hierarchy import Matrix
from sandbox.physics.relaxation.problem import Problem
from sandbox.physics.relaxation.rows import Rows, rows_of
from sandbox.physics.state_error import scales, state_error


class RowLandscape:
    """The energy of the one sample of a problem, in the rows of its Hessian.

    Attributes:
        assembly: the rows.
        matrix: the Hessian at the last state evaluated; of a quadratic energy, once for all.
        mild: whether it is quadratic but for free stiffnesses.
        lift: the most that a negative curvature of a bond or node has to be lifted by to be none.
        stiffest: largest entry on the diagonal.
        softest_bond: least curvature of bonds and springs that is not zero, where the forces were last looked at.
    """

    def __init__(self, problem: Problem) -> None:
        from sandbox.physics.relaxation import rows_landscape_kernel as rk

        material, knobs = problem.material, problem.knobs
        self._rk, self._problem = rk, problem
        self.quadratic = material.is_linear and (knobs is None or not knobs.compliance.any())
        self.mild = material.is_linear
        self.assembly: Rows = rows_of(problem)
        self._kernels = rk.landscape_kernels(
            material.law,
            material.node_law,
            material.components,
            material.geometry == "projection",
            None if knobs is None else knobs.coupling,
        )
        self._frame = material.frame(problem.boundary.pairs)
        self._here = np.empty(len(self.assembly.clamped))
        self._gradient = np.empty(len(self.assembly.clamped))
        self.state = problem.start.reshape(-1)
        self.matrix = self.assembly.matrix()
        self._known = False
        self.lift, self.stiffest = 0.0, 0.0
        self.softest_bond = np.inf

    def at(self, state: np.ndarray, samples: np.ndarray) -> Point:
        """Evaluate the state (1, N*D), with its Hessian; what is not used here is left empty."""
        rk = self._rk
        self.state = np.ascontiguousarray(state[0])
        done = self._known and self.quadratic
        report = self._evaluate(rk.GRADIENT if done else rk.HESSIAN, self.matrix.values)
        if not done:
            self.lift, self.stiffest, self._known = float(report[rk.LIFT]), float(report[rk.DIAGONAL]), True
        tight = np.maximum(self._problem.tolerance * report[rk.SCALE], criteria.FORCE_NOISE * report[rk.NOISE])
        loose = np.array([self.assembly.most_bonds * tight])
        return _point(self._gradient[: self.assembly.n_free].copy(), report, loose)

    def majorant(self, matrix: Matrix) -> None:
        """Fill in the Hessian at the last state with every negative curvature lifted to zero."""
        report = self._evaluate(self._rk.MAJORANT, matrix.values)
        self.stiffest = float(report[self._rk.DIAGONAL])

    def reference(self) -> Matrix:
        """The majorant of the bare material in its state of reference, at its own stiffnesses."""
        p, material = self._problem, self._problem.material
        bare = len(p.boundary.pairs) == 0 and not p.outside[0, 1].any() and self.lift <= 0
        if bare and self.quadratic and np.array_equal(p.stiffness, material.stiffness):
            return self.matrix
        matrix = self.assembly.matrix()
        self._evaluate(
            self._rk.MAJORANT,
            matrix.values,
            state=np.ascontiguousarray(material.rest_state().ravel()),
            stiffness=material.stiffness,
            knobs=np.zeros_like(p.knob_rows),
            pairs=np.zeros_like(p.pair_springs[0]),
            outside=np.zeros_like(p.outside[0]),
        )
        return matrix

    def _evaluate(
        self,
        task: int,
        values: np.ndarray,
        state: np.ndarray | None = None,
        stiffness: np.ndarray | None = None,
        knobs: np.ndarray | None = None,
        pairs: np.ndarray | None = None,
        outside: np.ndarray | None = None,
    ) -> np.ndarray:
        p, rows, report = self._problem, self.assembly, np.empty(self._rk.REPORT)
        self._kernels.rows(
            task,
            int(rows.still > 0),
            rows.n,
            len(p.stiffness),
            len(rows.column),
            rows.ends,
            rows.slots,
            rows.node,
            self._frame,
            p.stiffness if stiffness is None else stiffness,
            p.material.fixed_parameters,
            p.knob_rows if knobs is None else knobs,
            p.pair_springs[0] if pairs is None else pairs,
            p.material.node_parameter_rows,
            p.outside[0] if outside is None else outside,
            rows.clamped,
            self.state if state is None else state,
            self._here,
            self._gradient,
            values,
            report,
        )
        return report

    def forces_at_play(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """(n*D, 1), (n*D, 1) as :meth:`sandbox.physics.landscape.Landscape.forces_at_play`, at the last state."""
        return self.forces_at(self.state)

    def forces_at(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same at a state (N*D,), with its own number for every component of a node."""
        p, rows = self._problem, self.assembly
        meet = np.empty((len(rows.node), 2))
        self.softest_bond = self._kernels.forces(
            len(p.stiffness),
            rows.ends,
            rows.node,
            self._frame,
            p.stiffness,
            p.material.fixed_parameters,
            p.knob_rows,
            p.pair_springs[0],
            p.material.node_parameter_rows,
            p.outside[0],
            rows.clamped,
            rows.n,
            state,
            np.empty_like(self._here),
            meet,
        )
        play, noise = (np.repeat(meet[: rows.n, k], rows.size)[:, None] for k in (0, 1))
        play[~rows.moving] = np.inf  # there any force counts as none
        return play, noise

    def state_error(self, point: Point, state: np.ndarray, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`sandbox.physics.landscape.Landscape.state_error`."""
        moved, *around = self._around(state)
        return state_error(move[moved], *around)

    def reach(self) -> float:
        """The least length or difference that errors of the last state are compared with."""
        _, coordinates, *parts = self._around(self.state)
        return float(scales(coordinates, *parts).min(initial=np.inf))

    def _around(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(n*D,) rows of components of nodes, and what :func:`scales` takes."""
        p, rows = self._problem, self.assembly
        material, boundary = p.material, p.boundary
        there = state.reshape(1, *boundary.values.shape[1:])
        pairs = material.measure_pairs(there, boundary.pairs)
        variable = np.concatenate([material.measure_edges(there), pairs], axis=1)
        node_part, bond_part = free_parts(p.ends, boundary.clamped)
        real = rows.node[: rows.n] >= 0
        part = np.repeat(node_part[rows.node[: rows.n][real]], rows.size)
        moved, coordinates = np.repeat(real, rows.size), self._here[: rows.n_free]
        return moved, coordinates[moved, None], variable, part, bond_part

    def turn(self, point: Point, move: np.ndarray) -> np.ndarray:
        """(1,) as :meth:`sandbox.physics.landscape.Landscape.turn`."""
        rows, flat = self.assembly, np.ascontiguousarray(move[:, 0])
        n_edges, longest = len(self._problem.stiffness), float(point.longest[0])
        return np.array([self._kernels.turn(rows.n, n_edges, rows.ends, self._frame, self._here, flat, longest)])

    def edges(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stiffness and dE/dtheta of every edge (E,), at a state (N*D,)."""
        p = self._problem
        stiffness, pull = np.empty(len(p.stiffness)), np.empty(len(p.stiffness))
        if len(pull):
            fixed = p.material.fixed_parameters
            self._kernels.edges(len(pull), p.ends, self._frame, p.stiffness, fixed, p.knob_rows, state, stiffness, pull)
        return stiffness, pull


_NOTHING = np.zeros((0, 1))


def _point(gradient: np.ndarray, report: np.ndarray, loose: np.ndarray) -> Point:
    energy, still, knobs, magnitude, worst, longest = (report[k : k + 1] for k in range(6))
    finite = (worst < 1e300) & (np.abs(energy + knobs) < 1e300)
    return Point(
        energy=energy,
        loose=loose,
        still=still,
        knob_energy=knobs,
        magnitude=magnitude,
        gradient=gradient[:, None],
        residual=worst,
        longest=longest,
        finite=finite,
        node_curvature=_NOTHING,
        node_play=_NOTHING,
        node_noise=_NOTHING,
        table=_NOTHING,
        normal=_NOTHING,
        pulls=_NOTHING,
        stiffnesses=_NOTHING,
    )
