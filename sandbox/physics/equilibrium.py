"""What a relaxation returns, and how it says that it failed."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from sandbox.errors import SandboxError


class Status(enum.IntEnum):
    """How the relaxation of one sample ended. The value of each member is advice."""

    CONVERGED = 0
    OUT_OF_ITERATIONS = 1
    STALLED = 2
    NOT_FINITE = 3
    SINGULAR = 4

    @property
    def advice(self) -> str:
        return _ADVICE[self]


_ADVICE = {
    Status.CONVERGED: "at a minimum, to the tolerance",
    Status.OUT_OF_ITERATIONS: "more iterations may help (max_iterations), or a start closer to the minimum",
    Status.STALLED: "the line search found no lower energy; the tolerance may be below round-off for this contrast of "
    "stiffnesses",
    Status.NOT_FINITE: "the energy became infinite or NaN; check parameters and clamped values of the sample",
    Status.SINGULAR: "the stationary point has a flat or unstable direction that could not be left; look for floppy "
    "parts, buckling, or a compliance beyond the limit of convexity",
}


class Late:
    """An attribute given as an array, or as a function of nothing that is called when the array is first asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type) -> np.ndarray:
        if instance is None:
            raise AttributeError(self._name)  # so a dataclass sees that there is no default
        value = vars(instance)[self._name]
        if callable(value):
            value = vars(instance)[self._name] = value()
        return cast(np.ndarray, value)

    def __set__(self, instance: object, value: np.ndarray | Callable[[], np.ndarray]) -> None:
        vars(instance)[self._name] = value


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """The outcome of relaxing B samples of a system.

    Attributes:
        state: (B, N, D).
        stiffness: (P,) stiffnesses at the end: as given, or relaxed against their knobs.
        stiffness_force: (P,) dE/dtheta at the end, mean over the samples. May be given as a function, which is called
            when the forces are first asked for.
        energy: (B,) of everything that was minimized: network, forces, springs; the knobs' energy is not included.
        residual: (B,) largest force on a free component, relative to the forces at play.
        iterations: (B,) evaluations of the forces.
        status: (B,) of :class:`Status`.
        min_curvature: (B,) an upper bound of the lowest eigenvalue of the Hessian (the smallest pivot of its
            factorization, or the smallest curvature met); a minimum has a positive one. NaN where not computed.
        indefinite: (B,) iterations at which negative curvature was met and left behind on the way.
        method: the method that was used.
    """

    state: np.ndarray
    stiffness: np.ndarray
    stiffness_force: np.ndarray
    energy: np.ndarray
    residual: np.ndarray
    iterations: np.ndarray
    status: np.ndarray
    min_curvature: np.ndarray
    indefinite: np.ndarray
    method: str

    if not TYPE_CHECKING:
        stiffness_force = Late()

    @property
    def converged(self) -> np.ndarray:
        """(B,) mask."""
        return self.status == Status.CONVERGED

    def summary(self) -> str:
        """One line: how many samples, how they ended, the worst residual."""
        worst = int(np.argmax(np.where(np.isnan(self.residual), np.inf, self.residual)))
        counts = ", ".join(
            f"{int((self.status == s).sum())} {s.name.lower().replace('_', ' ')}"
            for s in Status
            if (self.status == s).any()
        )
        return (
            f"{len(self.status)} sample(s) by {self.method}: {counts}; worst residual {self.residual[worst]:.2e} "
            f"(sample {worst}), {int(self.iterations.max())} iterations at most"
        )

    def __repr__(self) -> str:
        return f"Equilibrium({self.summary()})"


class NotConverged(SandboxError):  # noqa: N818 (it names an outcome, as StopIteration does)
    """A relaxation that did not end at a minimum. ``report`` is the equilibrium as far as it got."""

    def __init__(self, report: Equilibrium) -> None:
        self.report = report
        failed = np.flatnonzero(~report.converged)
        first = int(failed[0])
        advice = Status(int(report.status[first])).advice
        super().__init__(f"not converged: {report.summary()}; sample {first}: {advice}")
