"""Solves with a multigrid hierarchy."""

from __future__ import annotations

import numpy as np

from sandbox.physics import runtime
from sandbox.physics.relaxation.hierarchy import Hierarchy, Matrix


class Solver:
    """Conjugate gradients with the cycle of a hierarchy, kept going from call to call.

    Args:
        matrix: of the system.
        clamped: how many columns past the last row there are.
    """

    def __init__(self, matrix: Matrix, hierarchy: Hierarchy, clamped: int) -> None:
        from sandbox.physics.relaxation import cycle_kernel as ck

        runtime.start()
        self._matrix, self._hierarchy = matrix, hierarchy
        self._kernel = ck.solve_kernel(matrix.size, hierarchy.frame.motions)
        self._work = np.zeros((ck.WORK_ROWS, (matrix.n + clamped) * matrix.size))
        self._z = np.zeros(self._work.shape[1], dtype=np.float32)
        self._rest = np.empty(self._work.shape[1], dtype=np.float32)
        self._control, self._report = np.zeros(ck.CONTROLS), np.zeros(ck.REPORT)
        self.products = 0

    def anew(self, hierarchy: Hierarchy) -> None:
        """Go on from the iterate with another hierarchy."""
        from sandbox.physics.relaxation import cycle_kernel as ck

        self._hierarchy = hierarchy
        self._control[ck.RESUME] = 0.0

    def begin(self, right: np.ndarray) -> None:
        """Take a right-hand side (n*D,) and start from zero."""
        from sandbox.physics.relaxation import cycle_kernel as ck

        self._work[ck.SOLUTION] = 0.0
        self._work[ck.RESIDUAL, : len(right)] = right
        self._control[ck.RESUME] = 0.0
        self._report[:] = 0.0
        self._report[ck.LOWEST] = np.inf
        self.products = 0

    def allow(self, residual: np.ndarray) -> None:
        """Take the residual (n*D,) that each component is allowed; see :meth:`go`."""
        from sandbox.physics.relaxation import cycle_kernel as ck

        with np.errstate(divide="ignore", over="ignore"):
            np.minimum(1.0 / residual, 1e300, out=self._work[ck.PER_ALLOWED, : len(residual)])

    def go(self, goal: float, below: float, max_products: int, close: float = -1.0) -> None:
        """Iterate until no component of the residual is above ``goal``, or none above ``close`` times the one that it
        is allowed, or a curvature is below ``-below``.
        """
        from sandbox.physics.relaxation import cycle_kernel as ck

        m, h = self._matrix, self._hierarchy
        self._control[: ck.RESUME] = goal, below, max_products, close
        self._kernel(
            m.start,
            m.middle,
            m.column,
            m.values,
            h.values,
            h.inverse,
            h.first,
            h.to,
            h.weight,
            h.back_first,
            h.back,
            h.back_weight,
            h.levels,
            h.ints,
            h.pool,
            self._z,
            self._rest,
            self._work,
            self._control,
            self._report,
        )
        self.products += int(self._report[ck.PRODUCTS])
        self._control[ck.RESUME] = 1.0

    @property
    def x(self) -> np.ndarray:
        """(n*D,) the iterate."""
        return self._work[0, : self._matrix.n * self._matrix.size]

    @property
    def preconditioned(self) -> np.ndarray:
        """(n*D,) what the last cycle made of the residual before it."""
        scale = float(self._report[1]) / self._hierarchy.unit
        return scale * self._z[: self._matrix.n * self._matrix.size]

    @property
    def direction(self) -> np.ndarray:
        """(n*D,) the last search direction."""
        return self._work[2, : self._matrix.n * self._matrix.size]

    @property
    def lowest(self) -> float:
        """Lowest Rayleigh quotient of a search direction."""
        return float(self._report[2])

    @property
    def negative(self) -> bool:
        """Whether negative curvature was met, along ``direction``."""
        return bool(self._report[3])

    @property
    def solved(self) -> bool:
        return bool(self._report[4])
