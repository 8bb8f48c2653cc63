"""What a relaxation returns, and how it says that it failed."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from sandbox.copies import Copied
from sandbox.errors import SandboxError
from sandbox.shown import Shown

if TYPE_CHECKING:
    from sandbox.physics.boundary import Boundary
    from sandbox.physics.material import Material


class Status(enum.IntEnum):
    """How the relaxation of one sample ended; :attr:`advice` says what may help."""

    CONVERGED = 0
    OUT_OF_ITERATIONS = 1
    STALLED = 2
    NOT_FINITE = 3
    SINGULAR = 4
    IMPRECISE = 5

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
    Status.IMPRECISE: "the forces are at round-off, but the state is not known to the accuracy asked for: stiff parts, "
    "or coordinates far from the origin, drown the forces on soft parts; lower the contrast of stiffnesses, move the "
    "origin, or ask for less (tolerance)",
}


NAMED = 8
"""Nodes named in a message."""


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


@dataclass(frozen=True)
class Fault:
    """Where a relaxation met a number that is not finite.

    Attributes:
        what: which quantity, and ``value`` what it came to.
        iteration: evaluations of the forces until then.
        node, edge: where, if the quantity belongs to one; ``ends`` are the nodes of the edge.
    """

    sample: int
    iteration: int
    what: str
    value: float = float("nan")
    node: int | None = None
    edge: int | None = None
    ends: tuple[int, ...] = ()

    def __str__(self) -> str:
        place = ""
        if self.edge is not None:
            place = f" of edge {self.edge} (nodes {' and '.join(map(str, self.ends))})"
        elif self.node is not None:
            place = f" of node {self.node}"
        return f"{self.what}{place} is {self.value} at iteration {self.iteration} of sample {self.sample}"


@dataclass(frozen=True, eq=False)
class Equilibrium(Copied, Shown):
    """The outcome of relaxing B samples of a system.

    Attributes:
        state: (B, N, D).
        stiffness: (P,) stiffnesses at the end: as given, or relaxed against their knobs.
        stiffness_force: (P,) dE/dtheta at the end, mean over the samples. May be given as a function, which is called
            when the forces are first asked for.
        energy: (B,) of everything that was minimized: network, forces, springs; the knobs' energy is not included.
        residual: (B,) largest force on a free component, relative to the forces that meet at its node. Forces below
            their round-off count as none. Of a sample that did not converge it may be a lower bound.
        iterations: (B,) evaluations of the forces.
        status: (B,) of :class:`Status`.
        curvature_bound: (B,) an upper bound of the least eigenvalue of the Hessian: the smallest pivot of its
            factorization, or the smallest curvature met, whichever the method has. Not positive: no minimum. NaN where
            not computed. The eigenvalue itself is :attr:`lowest_curvature`.
        indefinite: (B,) iterations at which negative curvature was met and left behind on the way.
        method: the method that was used.
        state_error: (B,) estimate of the error of the state: the largest component of the Newton step that is left.
            NaN where no such step was needed to tell.
        fault: the first number found that is not finite, where there is one.
    """

    state: np.ndarray
    stiffness: np.ndarray
    stiffness_force: np.ndarray
    energy: np.ndarray
    residual: np.ndarray
    iterations: np.ndarray
    status: np.ndarray
    curvature_bound: np.ndarray
    indefinite: np.ndarray
    method: str
    state_error: np.ndarray | None = None
    fault: Fault | None = None

    if not TYPE_CHECKING:
        stiffness_force = Late()

    def __getstate__(self) -> Any:
        _ = self.stiffness_force  # computed if it was not: what computes it cannot be sent to another process
        return super().__getstate__()

    @property
    def converged(self) -> np.ndarray:
        """(B,) mask."""
        return self.status == Status.CONVERGED

    @cached_property
    def lowest_curvature(self) -> np.ndarray:
        """(B,) least eigenvalue of the Hessian of the free components, stiffnesses held; computed when first asked for.

        The same whatever the method was. NaN where :attr:`origin` is not known, or the Hessian is too large to factor
        (see :mod:`sandbox.physics.softest`).
        """
        if self.origin is None:
            return np.full(len(self.status), np.nan)
        from sandbox.physics.softest import lowest_curvature

        return lowest_curvature(*self.origin, self.state, self.stiffness)

    def flat_nodes(self, sample: int) -> np.ndarray:
        """Return the nodes that can move without a change of energy where a sample ended, those that move most first.

        None where :attr:`origin` is not known or the Hessian is too large to factor.
        """
        if self.origin is None:
            return np.zeros(0, dtype=int)
        from sandbox.physics.softest import flat_nodes

        return flat_nodes(*self.origin, self.state, self.stiffness, sample)

    def advice(self, sample: int) -> str:
        """Say what to do about a sample that did not converge, and where, if that is known."""
        status = Status(int(self.status[sample]))
        if status == Status.NOT_FINITE and self.fault is not None:
            return f"{self.fault}; {status.advice}"
        moving = self.flat_nodes(sample) if status == Status.SINGULAR else ()
        if len(moving) == 0:
            return status.advice
        names = ", ".join(map(str, moving[:NAMED].tolist())) + (f", ... ({len(moving)} in all)" * (len(moving) > NAMED))
        return (
            f"node{'s' if len(moving) > 1 else ''} {names} can move without a change of energy, to second order: add "
            "edges there, clamp or support the nodes, or remove them (sandbox.physics.graphs.prune, or the key prune "
            "of a lattice)"
        )

    def softest(self) -> tuple[str, float] | None:
        """Return a name and the least :attr:`lowest_curvature` of the samples, or its bound where that is not known."""
        named = {"lowest curvature": self.lowest_curvature, "upper bound of lowest curvature": self.curvature_bound}
        for name, values in named.items():
            if np.isfinite(values).all():
                return name, float(values.min())
        return None

    @property
    def origin(self) -> tuple[Material, Boundary] | None:
        """What was relaxed and what was imposed on it, where known. Checkpoints do not keep it."""
        return vars(self).get("_origin")

    def of(self, material: Material, boundary: Boundary) -> Self:
        """The same equilibrium, told of its :attr:`origin`."""
        vars(self)["_origin"] = material, boundary
        return self

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
        first = int(np.flatnonzero(~report.converged)[0]) if report.fault is None else report.fault.sample
        super().__init__(f"not converged: {report.summary()}; sample {first}: {report.advice(first)}")
