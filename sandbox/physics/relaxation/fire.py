"""Method ``"fire"``: damped dynamics that stops whenever it would climb (fast inertial relaxation engine).

For rough landscapes, where Newton's quadratic model is worth little, and as a check that shares no step with the other
methods. The dynamics is that of FIRE 2.0 (Guenole et al., Comput. Mater. Sci. 175, 109584, 2020; the original is
Bitzek et al., Phys. Rev. Lett. 97, 170201, 2006): semi-implicit Euler, velocities bent towards the force, and half a
step back when the power turns negative. Two things are ours:

- masses that follow the curvature. With ``m_i`` = twice the stiffest directions of a node's bonds, ``|x.H.x| <= sum
  m x^2``, so no frequency exceeds 1 and one time step suits every network: explicit integration is stable below 2.
  Masses grow at once where the network stiffens, and shrink by and by where it softens.
- time step, restarts and masses are per sample, so that a batch relaxes as its samples would one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.landscape import Landscape, Point
from sandbox.physics.relaxation.criteria import ESCAPE, TIGHTER, relative_residual
from sandbox.physics.relaxation.directions import Directions, Factored, doubted
from sandbox.physics.relaxation.problem import Problem

if TYPE_CHECKING:
    from sandbox.physics.forces import Forces

EVALUATIONS_PER_ITERATION = 100
"""Evaluations of the forces allowed per unit of ``max_iterations``: a step here is far cheaper, and worth far less,
than one of Newton's."""

MAX_CHECKED = 20_000
"""Free components up to which the end is shown to be a minimum, by a factorization of the Hessian."""

TIME_STEP, LONGEST_STEP, SHORTEST_STEP = 0.5, 1.2, 0.01  # in units of the inverse of the highest frequency
GROWTH, SHRINK, DELAY = 1.1, 0.5, 5
BEND, BEND_DECAY = 0.25, 0.97  # decays of 0.99, and longer steps, took two to ten times the evaluations
MAX_MOVE = 0.2  # of the mean bond length: how far a component may move in one step
MAX_RESTARTS = 500  # in a row, without one step downhill between them
MAX_ESCAPES = 10
MASS_DECAY = 0.9  # per step, where the network has become softer
LIGHTEST = 1e-14  # of the heaviest mass of the sample: nodes on which nothing acts have none


@dataclass(eq=False)
class _Motion:
    """What varies in time: a row for each sample that still moves."""

    sample: np.ndarray  # (A,) index in the batch
    x: np.ndarray  # (A, N*D)
    v: np.ndarray  # (A, N*D)
    finite: np.ndarray  # (A, N*D) last state with finite forces
    mass: np.ndarray  # (A, N*D)
    reach: np.ndarray  # (A,) longest move in one step
    dt: np.ndarray  # (A,)
    bend: np.ndarray  # (A,)
    downhill: np.ndarray  # (A,) steps since the last restart
    restarts: np.ndarray  # (A,) in a row
    goal: np.ndarray  # (A,) forces asked for, in units of those that count as none
    nearest: np.ndarray  # (A,) least relative error of the state with all forces none
    live: np.ndarray  # (A,) mask

    def keep(self, mask: np.ndarray) -> _Motion:
        return _Motion(**{f.name: np.ascontiguousarray(getattr(self, f.name)[mask]) for f in fields(self)})

    def restart(self, which: np.ndarray, mass: np.ndarray) -> None:
        """Rest, with masses that fit the present state."""
        self.v[which] = 0.0
        self.mass[which] = mass[which]
        self.bend[which] = BEND
        self.downhill[which] = 0


def can_relax(problem: Problem) -> bool:
    """Whether the method applies: no box, and free stiffnesses only for a single sample."""
    shared = problem.knobs is not None and problem.batch > 1
    return problem.material.box is None and not shared


def relax(problem: Problem) -> Equilibrium:
    """Relax every sample by damped dynamics; up to 100 evaluations of the forces per unit of ``max_iterations``.

    Converged means what it means elsewhere: every force is below the tolerance times the forces that meet there, or
    below round-off, the Hessian is positive definite, *and* the Newton step that is left is small. A saddle is left
    along its direction of negative curvature.
    Beyond :data:`MAX_CHECKED` free components (or where a factor would be nearly dense) the Hessian is not examined:
    ``curvature_bound`` is then NaN, and a converged sample is a stationary point at which the dynamics came to rest.
    """
    return _Fire(problem).run()


class _Fire:
    def __init__(self, problem: Problem) -> None:
        from sandbox.physics.forces import Forces

        self.problem = problem
        self.landscape = Landscape(problem)
        batch = problem.batch
        self.state = np.ascontiguousarray(problem.start.reshape(batch, -1)).copy()
        self.status = np.full(batch, Status.OUT_OF_ITERATIONS)
        self.curvature, self.error = np.full((2, batch), np.nan)
        self.escapes = np.zeros(batch, dtype=int)
        self.evaluations = np.zeros(batch, dtype=int)
        self.forces = Forces(problem)
        self.forces.evaluate(self.state)
        self.motion = _start(problem, self.state, self.forces)

    def run(self) -> Equilibrium:
        from sandbox.physics import forces as f

        problem, move = self.problem, self.motion
        for _ in range(max(1, problem.max_iterations * EVALUATIONS_PER_ITERATION)):
            forces = self.forces
            forces.evaluate(move.x)
            self.evaluations[move.sample[move.live]] += 1
            worst, excess = (forces.report[:, c] for c in (f.WORST, f.EXCESS))
            finite = worst < f.NOT_FINITE
            move.finite[finite] = move.x[finite]
            self._end(~finite & (self.evaluations[move.sample] == 1), Status.NOT_FINITE)
            self._end(move.restarts > MAX_RESTARTS, Status.STALLED)
            small = move.live & finite & (excess <= move.goal)
            if small.any():
                self._judge(small)
            if 2 * move.live.sum() <= len(move.live):
                self.state[move.sample] = move.finite
                if not move.live.any():
                    break
                # Samples at rest cost as much as those that move; drop them when they are the majority.
                live = move.live
                self.motion = move = move.keep(live)
                self.forces = type(forces)(problem, move.sample)
                self.forces.gradient[:], self.forces.mass[:] = forces.gradient[live], forces.mass[live]
                finite = finite[live]
            _step(move, self.forces, finite)
        self.state[move.sample] = move.finite
        return self._report()

    def _end(self, which: np.ndarray, status: Status) -> None:
        move = self.motion
        which = which & move.live
        self.status[move.sample[which]] = status
        move.live &= ~which

    def _judge(self, small: np.ndarray) -> None:
        """Stationary samples: converged at a minimum, or pushed off their saddle."""
        move, maps = self.motion, self.landscape.assembly
        if not 0 < maps.n_free <= MAX_CHECKED or not maps.direct:
            self._end(small, Status.CONVERGED)
            return
        chunk = max(1, MAX_CHECKED // max(1, maps.n_free))
        which = np.flatnonzero(small)
        for part in np.split(which, range(chunk, len(which), chunk)):
            sample = move.sample[part]
            point = self.landscape.at(np.ascontiguousarray(move.x[part]), sample)
            everywhere = np.ones(len(part), dtype=bool)
            found = Factored(self.landscape).find(point, everywhere, point.gradient, everywhere)
            self.curvature[sample] = found.lowest
            self._judge_state(found, point, part)
            tired = found.escaping & (self.escapes[sample] >= MAX_ESCAPES)
            verdict = np.where(tired, Status.SINGULAR, found.verdict)
            ended = verdict >= 0
            self.status[sample[ended]] = verdict[ended]
            move.live[part[ended]] = False
            leaving = found.escaping & ~ended
            away = part[leaving]
            if len(away):
                direction = found.move[:, leaving]
                slope = np.sum(direction * point.gradient[:, leaving], axis=0)
                length = np.where(point.longest[leaving] > 0, point.longest[leaving], 1.0)
                size = ESCAPE * length / np.abs(direction).max(axis=0)
                move.x[away] += maps.spread(direction * np.where(slope > 0, -size, size))
                move.restart(away, move.mass)
                self.escapes[move.sample[away]] += 1
                # What was evaluated is no longer where the samples are: no step before the next evaluation.
                self.forces.gradient[away] = 0.0

    def _judge_state(self, found: Directions, point: Point, part: np.ndarray) -> None:
        """Take back the verdict on minima whose state is not known: smaller forces are asked for, down to round-off."""
        move, sample = self.motion, self.motion.sample[part]
        error, ratio = self.landscape.state_error(point, move.x[part], found.move)
        judged = found.left & (found.verdict == Status.CONVERGED)
        self.error[sample[judged]] = error[judged]
        found.verdict[:], unknown = doubted(found.verdict, judged, ratio, move.nearest[part], self.problem.tolerance)
        move.nearest[part[unknown]] = ratio[unknown]
        move.goal[part[unknown]] *= TIGHTER

    def _report(self) -> Equilibrium:
        from sandbox.physics import edge_kernel as ek

        problem = self.problem
        point = self.landscape.at(self.state, np.arange(problem.batch))
        with np.errstate(invalid="ignore", over="ignore"):
            residual = relative_residual(point.gradient, *self.landscape.forces_at_play(point))
        return Equilibrium(
            state=self.state.reshape(problem.start.shape),
            stiffness=problem.stiffness if problem.knobs is None else point.stiffnesses[ek.THETA],
            stiffness_force=point.pulls[ek.PULL].mean(axis=0),
            energy=point.energy + point.still,
            residual=residual,
            iterations=self.evaluations,
            status=self.status,
            curvature_bound=self.curvature,
            indefinite=self.escapes,
            method="fire",
            state_error=self.error,
        )


def _start(problem: Problem, state: np.ndarray, forces: Forces) -> _Motion:
    from sandbox.physics.edge_kernel import VARIABLE

    batch, n_edges = len(state), len(problem.stiffness)
    reach = np.full(batch, np.inf)
    if problem.material.geometry == "distance" and n_edges:
        reach = MAX_MOVE * forces.table[VARIABLE, :, :n_edges].mean(axis=1)
        reach[reach == 0] = np.inf  # bonds that all have no length set no scale
    return _Motion(
        sample=np.arange(batch),
        x=state.copy(),
        v=np.zeros_like(state),
        finite=state.copy(),
        mass=_masses(forces),
        reach=reach,
        dt=np.full(batch, TIME_STEP),
        bend=np.full(batch, BEND),
        downhill=np.zeros(batch, dtype=int),
        restarts=np.zeros(batch, dtype=int),
        goal=np.ones(batch),
        nearest=np.full(batch, np.inf),
        live=np.ones(batch, dtype=bool),
    )


def _masses(forces: Forces) -> np.ndarray:
    mass = np.nan_to_num(forces.mass, nan=1e300, posinf=1e300)
    return np.maximum(mass, np.maximum(LIGHTEST * mass.max(axis=1, keepdims=True), 1e-300))


def _step(move: _Motion, forces: Forces, finite: np.ndarray) -> None:
    """One step of every live sample; its forces are those at ``move.x``."""
    fresh = _masses(forces)
    g = forces.gradient
    move.v[~move.live] = 0.0
    g[~move.live] = 0.0
    if not finite.all():
        # Too far: back to where the forces were finite, and more slowly from there.
        lost = ~finite
        move.x[lost] = move.finite[lost]
        g[lost], fresh[lost] = 0.0, move.mass[lost]
        move.restart(lost, fresh)
        move.dt[lost] *= SHRINK
        move.restarts[lost] += 1
    np.maximum(MASS_DECAY * move.mass, fresh, out=move.mass)
    power = -np.einsum("ai,ai->a", g, move.v)
    uphill = power < 0
    if uphill.any():
        move.x[uphill] -= 0.5 * move.dt[uphill, None] * move.v[uphill]
        move.restart(uphill, fresh)
        move.dt[uphill] = np.maximum(SHRINK * move.dt[uphill], SHORTEST_STEP)
        move.restarts[uphill] += 1
    downhill = power > 0
    move.restarts[downhill] = 0
    move.downhill[downhill] += 1
    faster = downhill & (move.downhill > DELAY)
    move.dt[faster] = np.minimum(GROWTH * move.dt[faster], LONGEST_STEP)
    move.bend[faster] *= BEND_DECAY
    acceleration = -g / move.mass
    move.v += move.dt[:, None] * acceleration
    # Bend the velocity towards the force, at constant speed in the metric of the masses.
    speed = np.sqrt(np.einsum("ai,ai,ai->a", move.mass, move.v, move.v))
    pull = np.sqrt(np.einsum("ai,ai->a", -g, acceleration))
    ratio = np.divide(speed, pull, out=np.zeros_like(speed), where=pull > 0)
    bend = np.where(pull > 0, move.bend, 0.0)[:, None]
    move.v = (1.0 - bend) * move.v + bend * ratio[:, None] * acceleration
    longest = move.dt * np.abs(move.v).max(axis=1, initial=0.0)
    limit = np.divide(move.reach, longest, out=np.ones_like(longest), where=longest > move.reach)
    move.v *= limit[:, None]
    move.x += move.dt[:, None] * move.v
