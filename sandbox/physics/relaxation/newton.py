"""Method ``"newton"``: Newton with the exact Hessian, for any size and batch.

All samples move at once: each has its own step length and stops by itself, unless free stiffnesses couple the batch,
which then moves as one. Criteria and the meaning of what is reported are those of the fused kernel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from sandbox.physics.assembly import assembly
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.landscape import Landscape, Point
from sandbox.physics.relaxation import criteria
from sandbox.physics.relaxation.directions import RUNNING, Directions, Factored, Finder, Shared, doubted
from sandbox.physics.relaxation.iterative import Coupled, Iterative
from sandbox.physics.relaxation.problem import Problem

MAX_IDLE = 10
"""Steps without a gain in energy (beyond round-off) or a lower residual before a sample is called stalled."""


def can_relax(problem: Problem) -> bool:
    """Whether the method applies: no box on the state."""
    return problem.material.box is None


def relax(problem: Problem) -> Equilibrium:
    """Relax all samples: in one go, or in as few parts as one factorization each allows."""
    maps = assembly(problem.material, problem.boundary)
    held = problem.knobs is None or not problem.knobs.compliance.any()
    if not held or (problem.material.is_linear and held):
        return _descent(problem, held).run()
    fit = maps.samples_at_once
    parts = [part(problem, first, first + fit) for first in range(0, problem.batch, fit)]
    return joined([_descent(p, held).run() for p in parts])


class Terrain(Protocol):
    """What a descent asks of an energy landscape; see :class:`sandbox.physics.landscape.Landscape`."""

    @property
    def assembly(self) -> Places: ...

    def at(self, state: np.ndarray, samples: np.ndarray) -> Point: ...

    def turn(self, point: Point, move: np.ndarray) -> np.ndarray: ...

    def forces_at_play(self, point: Point) -> tuple[np.ndarray, np.ndarray]: ...

    def state_error(self, point: Point, state: np.ndarray, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


class Places(Protocol):
    """Where the free components are in the state."""

    @property
    def n_free(self) -> int: ...

    def spread(self, values: np.ndarray) -> np.ndarray: ...


def _descent(problem: Problem, held: bool) -> Descent:
    """By factorization where that is affordable, by conjugate gradients otherwise."""
    landscape = Landscape(problem)
    maps, dim = landscape.assembly, problem.material.components
    quadratic, coupled = problem.material.is_linear and held, not held and problem.batch > 1
    finder: Finder
    if coupled:
        alike = problem.material.is_linear
        direct = maps.direct and (alike or problem.batch <= maps.samples_at_once)
        finder = Coupled(landscape, dim, direct, alike)
    elif not maps.direct:
        finder = Iterative(landscape, dim, quadratic)
    else:
        finder = Shared(landscape) if quadratic else Factored(landscape)
    return Descent(problem, landscape, finder, coupled)


class Descent:
    """The state of a minimization: B samples, some of which are still active.

    Args:
        coupled: whether free stiffnesses make the samples move as one.
    """

    method = "newton"

    def __init__(self, problem: Problem, landscape: Terrain, finder: Finder, coupled: bool) -> None:
        self.problem, self.landscape, self.finder, self.coupled = problem, landscape, finder, coupled
        batch, n_free = problem.batch, landscape.assembly.n_free
        self.state = problem.start.reshape(batch, -1).copy()
        self.step = np.zeros((n_free, batch))
        self.stiffness = problem.stiffness
        self.pull = np.zeros((batch, len(problem.stiffness)))
        self.alpha, self.slope = np.zeros(batch), np.zeros(batch)
        self.total, self.energy = np.full(batch, np.nan), np.full(batch, np.nan)
        self.residual, self.still = np.full(batch, np.nan), np.zeros(batch)
        self.best, self.nearest = np.full(batch, np.inf), np.full(batch, np.inf)
        self.error = np.full(batch, np.nan)
        self.lowest = np.full(batch, np.nan)
        self.escaping = np.zeros(batch, dtype=bool)
        self.backtracks, self.idle, self.indefinite, self.evaluations = np.zeros((4, batch), dtype=int)
        self.verdict = np.full(batch, RUNNING)

    def run(self) -> Equilibrium:
        active = np.arange(self.problem.batch)
        trial = self.state
        for _ in range(self.problem.max_iterations):
            point = self.landscape.at(trial, active)
            self.evaluations[active] += 1
            accepted = self._accept(point, active)
            if not accepted.all():
                self._back(active[~accepted])
            if accepted.any():
                self._advance(point.only(accepted), trial[accepted], active[accepted])
            active = active[self.verdict[active] == RUNNING]
            if len(active) == 0:
                break
            trial = self.state[active] + self.alpha[active, None] * self.landscape.assembly.spread(self.step[:, active])
        return self._report()

    def _accept(self, point: Point, who: np.ndarray) -> np.ndarray:
        finite = self._all(point.finite)
        first = self.evaluations[who] == 1
        self.verdict[who[first & ~finite]] = Status.NOT_FINITE
        noise = criteria.ENERGY_NOISE * self._sum(point.magnitude)
        allowed = self.total[who] + criteria.SUFFICIENT_DECREASE * self.alpha[who] * self.slope[who] + noise
        allowed = np.where(self.escaping[who], self.total[who] - noise, allowed)
        with np.errstate(invalid="ignore"):
            return finite & (first | (self._sum(point.energy + point.knob_energy) <= allowed))

    def _back(self, who: np.ndarray) -> None:
        """Halve the steps that were refused."""
        self.backtracks[who] += 1
        self.alpha[who] *= 0.5
        stuck = who[(self.backtracks[who] > criteria.MAX_BACKTRACKS) & (self.verdict[who] == RUNNING)]
        self.verdict[stuck] = np.where(self.escaping[stuck], Status.SINGULAR, Status.STALLED)

    def _advance(self, point: Point, state: np.ndarray, who: np.ndarray) -> None:
        """Take the samples of a point to it, and find where to go from there."""
        total = self._sum(point.energy + point.knob_energy)
        gained = ~(self.total[who] - total <= criteria.ENERGY_NOISE * self._sum(point.magnitude))
        allowed, relative, excess = self._look(point)
        excess = self._most(excess)
        self.idle[who] = np.where(gained | (excess < 0.5 * self.best[who]), 0, self.idle[who] + 1)
        self.best[who] = np.minimum(self.best[who], excess)
        self.backtracks[who] = 0
        self.state[who] = state
        self.total[who], self.energy[who] = total, point.energy
        self.residual[who], self.still[who] = relative, point.still
        self._note_edges(point, who)
        small = excess <= 1.0
        if self.landscape.assembly.n_free == 0:
            self.verdict[who], self.lowest[who] = Status.CONVERGED, 0.0
            return
        with np.errstate(all="ignore"):
            resolved = criteria.FORCE_NOISE * np.abs(state).max(axis=1, initial=0.0)
            coarse = resolved > criteria.STATE_SLACK * self.problem.tolerance * point.longest
            found = self.finder.find(point, small, allowed, coarse)
            self._judge_state(found, point, state, who, small)
        self.verdict[who], self.lowest[who] = found.verdict, found.lowest
        self.indefinite[who] += found.indefinite
        self.escaping[who] = found.escaping
        idle = who[(self.idle[who] > MAX_IDLE) & (self.verdict[who] == RUNNING) & ~found.escaping]
        self.verdict[idle] = Status.STALLED
        with np.errstate(over="ignore", invalid="ignore"):  # where no minimum is, numbers leave their range
            self._set_out(found, point, who)

    def _look(self, point: Point) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The forces that count as none (F, A), the largest force relative to those at play (A,), and to these (A,).

        Where no sample can be at rest, no node is looked at: the two figures are lower bounds then.
        """
        tolerance = self.problem.tolerance
        if (point.residual > point.loose).all():
            with np.errstate(divide="ignore"):
                excess = point.residual / point.loose
            return np.broadcast_to(point.loose, point.gradient.shape), tolerance * excess, excess
        play, noise = self.landscape.forces_at_play(point)
        allowed = criteria.allowed(play, noise, tolerance)
        excess = criteria.excess(point.gradient, allowed)
        relative = criteria.relative_residual(point.gradient, play, noise)
        return allowed, relative, excess.max(axis=0, initial=0.0)

    def _judge_state(
        self, found: Directions, point: Point, state: np.ndarray, who: np.ndarray, small: np.ndarray
    ) -> None:
        """Take back the verdict on minima whose state is not known: go on, or say so where going on does not help."""
        judged = small & found.left & (found.verdict == Status.CONVERGED)
        if not judged.any():
            return
        error, ratio = self.landscape.state_error(point, state, found.move)
        ratio = self._most(ratio)
        self.error[who[judged]] = error[judged]
        found.verdict[:], unknown = doubted(found.verdict, judged, ratio, self.nearest[who], self.problem.tolerance)
        self.nearest[who[unknown]] = ratio[unknown]

    def _note_edges(self, point: Point, who: np.ndarray) -> None:
        """Keep what will be reported of the edges at a point that samples have been taken to."""
        self.pull[who] = point.pulls[0]
        if self.problem.knobs is not None:
            self.stiffness = point.stiffnesses[0].copy()

    def _set_out(self, found: Directions, point: Point, who: np.ndarray) -> None:
        """Lengths of the first trial steps."""
        move = found.move
        if found.escaping.any():
            top = self._most(np.abs(move).max(axis=0))
            longest = self._most(point.longest)
            size = criteria.ESCAPE * np.where(longest > 0, longest, 1.0) / np.where(top > 0, top, 1.0)
            uphill = self._sum(np.sum(move * point.gradient, axis=0)) > 0
            move = np.where(found.escaping, np.where(uphill, -size, size) * move, move)
        self.step[:, who] = move
        self.slope[who] = self._sum(np.sum(move * point.gradient, axis=0))
        self.alpha[who] = 1.0
        if self.problem.material.geometry == "distance":
            turn = self._most(self.landscape.turn(point, move))
            limited = ~found.escaping & (turn > criteria.MAX_TURN)
            self.alpha[who] = np.where(limited, criteria.MAX_TURN / np.where(limited, turn, 1.0), 1.0)

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """(A,) of each sample, or of all together where they are coupled; so for the next two."""
        return np.full_like(values, values.sum()) if self.coupled else values

    def _most(self, values: np.ndarray) -> np.ndarray:
        return np.full_like(values, values.max()) if self.coupled else values

    def _all(self, mask: np.ndarray) -> np.ndarray:
        return np.full_like(mask, mask.all()) if self.coupled else mask

    def _report(self) -> Equilibrium:
        shape = self.problem.start.shape
        return Equilibrium(
            state=self.state.reshape(shape),
            stiffness=self.stiffness,
            stiffness_force=self.pull.mean(axis=0),
            energy=self.energy + self.still,
            residual=self.residual,
            iterations=self.evaluations,
            status=np.where(self.verdict == RUNNING, Status.OUT_OF_ITERATIONS, self.verdict).astype(int),
            curvature_bound=self.lowest,
            indefinite=self.indefinite,
            method=self.method,
            state_error=self.error,
        )


def part(problem: Problem, first: int, last: int) -> Problem:
    """The samples from ``first`` to before ``last``."""
    if first == 0 and last >= problem.batch:
        return problem
    b, some = problem.boundary, slice(first, last)
    boundary = replace(
        b,
        values=b.values[some],
        forces=b.forces[some],
        spring_targets=b.spring_targets[some],
        pair_targets=b.pair_targets[some],
    )
    return replace(problem, boundary=boundary, start=problem.start[some])


def joined(parts: list[Equilibrium]) -> Equilibrium:
    """Equilibria of parts of a batch with held stiffnesses, as one."""
    if len(parts) == 1:
        return parts[0]
    names = ("state", "energy", "residual", "iterations", "status", "curvature_bound", "indefinite", "state_error")
    fields = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    weights = np.array([len(part.status) for part in parts], dtype=float)
    force = np.average([part.stiffness_force for part in parts], axis=0, weights=weights)
    return replace(parts[0], **fields, stiffness_force=force)
