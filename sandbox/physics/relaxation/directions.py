"""Where to go from a point: Newton directions, and ways out of saddles.

A finder answers for every sample of a point: the move, whether the Hessian was positive definite, and, at a
stationary point, whether that is a minimum. Here by factorization; by conjugate gradients in
:mod:`sandbox.physics.relaxation.iterative`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sandbox.physics.equilibrium import Status
from sandbox.physics.landscape import Hessians, Landscape, Point
from sandbox.physics.relaxation.criteria import FIRST_SHIFT, NEARER, PIVOT_FLOOR, STATE_SLACK
from sandbox.physics.relaxation.factor import Factor

RUNNING = -1
MAX_SHIFTS = 80


@dataclass(eq=False)
class Directions:
    """For A samples: ``move`` (F, A), lowest curvature met, and masks (A,).

    ``indefinite``: the Hessian was not positive definite. ``escaping``: the point is stationary, and the move is a
    direction of negative curvature, without length or sign. ``verdict``: a :class:`Status`, or ``RUNNING``. ``left``:
    the point is stationary, and the move is the Newton step that is left.
    """

    move: np.ndarray
    lowest: np.ndarray
    indefinite: np.ndarray
    escaping: np.ndarray
    verdict: np.ndarray
    left: np.ndarray

    @classmethod
    def none(cls, point: Point) -> Directions:
        samples = point.gradient.shape[1]
        no = np.zeros(samples, dtype=bool)
        moves, verdict = np.zeros_like(point.gradient), np.full(samples, RUNNING)
        return cls(moves, np.zeros(samples), no, no.copy(), verdict, no.copy())


class Finder(Protocol):
    """How the directions are found."""

    def find(self, point: Point, small: np.ndarray, allowed: np.ndarray, coarse: np.ndarray) -> Directions:
        """Directions at a point.

        Args:
            small: (A,) the samples that are stationary.
            allowed: (F, A) the force on each component that would count as none.
            coarse: (A,) where coordinates are too coarse for the accuracy asked of the state. There, and where the
                contrast of stiffnesses is high, the Newton step that is left is wanted of stationary samples.
        """
        ...


class Factored:
    """One block-diagonal factorization for all samples, each sample with a Hessian of its own."""

    def __init__(self, landscape: Landscape) -> None:
        self._landscape = landscape

    def find(self, point: Point, small: np.ndarray, allowed: np.ndarray, coarse: np.ndarray) -> Directions:
        hessians = self._landscape.hessians(point)
        factor = Factor(self._landscape.assembly, hessians.values, PIVOT_FLOOR * hessians.stiff)
        found = Directions.none(point)
        found.lowest, found.indefinite = factor.lowest, factor.bad
        judge(found, factor, small)
        good = ~factor.bad
        found.left = small & good
        if good.any():
            found.move[:, good] = -factor.solve(np.where(good, point.gradient, 0.0))[:, good]
        lifted = np.flatnonzero(~small & factor.bad)
        if len(lifted):
            self._lift(found, point, hessians, lifted)
        return found

    def _lift(self, found: Directions, point: Point, hessians: Hessians, which: np.ndarray) -> None:
        """Lift the negative blocks of the samples whose Hessian is indefinite, then shift until it is definite."""
        maps, stiff = self._landscape.assembly, hessians.stiff
        shift = FIRST_SHIFT * stiff
        for _ in range(MAX_SHIFTS):
            factor = Factor(maps, lifted(hessians, maps.diagonal, which, shift), PIVOT_FLOOR * stiff[:, which])
            done = ~factor.bad
            moves = factor.solve(point.gradient[:, which])
            found.move[:, which[done]] = -moves[:, done]
            which = which[~done]
            if len(which) == 0:
                return
            shift = 8.0 * shift
        found.verdict[which] = Status.SINGULAR


class Shared:
    """One factorization for all samples and iterations, where the energy is quadratic."""

    def __init__(self, landscape: Landscape) -> None:
        self._landscape = landscape
        self._factor: Factor | None = None

    def find(self, point: Point, small: np.ndarray, allowed: np.ndarray, coarse: np.ndarray) -> Directions:
        if self._factor is None:
            hessian = self._landscape.hessians(point.only(np.zeros(1, dtype=int)))
            self._factor = Factor(self._landscape.assembly, hessian.values, PIVOT_FLOOR * hessian.stiff)
        if self._factor.bad[0]:
            return Factored(self._landscape).find(point, small, allowed, coarse)
        found = Directions.none(point)
        found.lowest[:] = self._factor.lowest
        found.verdict[small], found.left = Status.CONVERGED, small
        found.move[:] = -self._factor.solve(point.gradient)
        return found


def judge(found: Directions, factor: Factor, small: np.ndarray) -> None:
    """Minimum, saddle or neither, for the samples that are stationary."""
    unstable = factor.unstable
    found.verdict[small & ~factor.bad] = Status.CONVERGED
    found.verdict[small & factor.bad & ~unstable] = Status.SINGULAR
    found.escaping = small & factor.bad & unstable
    if found.escaping.any():
        found.move[:, found.escaping] = factor.negative_directions()[:, found.escaping]


def doubted(
    verdict: np.ndarray, judged: np.ndarray, ratio: np.ndarray, nearest: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Take back verdicts on minima whose state is not known to the accuracy asked for.

    Such a sample goes on, to smaller forces, where its state is nearer than the last time, and is imprecise otherwise.

    Args:
        verdict: (A,) of each sample.
        judged: (A,) mask of those to look at.
        ratio: (A,) relative error of the state; see :func:`sandbox.physics.state_error.state_error`.
        nearest: (A,) the same when the verdict was taken back the last time; infinite the first time.
        tolerance: asked for, on forces.

    Returns:
        (A,) the verdicts that are left, and (A,) mask of those taken back.
    """
    unknown = judged & ~(ratio <= STATE_SLACK * tolerance)
    other = np.where(ratio < NEARER * nearest, RUNNING, Status.IMPRECISE)
    return np.where(unknown, other, verdict), unknown


def lifted(hessians: Hessians, diagonal: np.ndarray, which: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The Hessians of some samples, (entries, samples): negative blocks lifted to zero, the diagonal shifted."""
    values = hessians.values[:, which]
    if hessians.excess is not None:
        values = values + hessians.excess[:, which]
    values[diagonal] += shift[:, which]
    return values
