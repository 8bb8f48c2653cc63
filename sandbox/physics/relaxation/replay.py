"""A learning step recorded once and replayed over a stream of samples, many steps to a kernel launch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sandbox.physics import rigidity
from sandbox.physics.boundary import Boundary
from sandbox.physics.knobs import Coupling, Knobs
from sandbox.physics.material import Material
from sandbox.physics.relaxation import fused
from sandbox.physics.relaxation.problem import pose


@dataclass(frozen=True)
class Tape:
    """What a step does to a bench, in order.

    Attributes:
        phases: ``"clamp"`` (the sample's inputs), ``"nudge"`` (to its targets), ``"hold"`` or ``"release"``.
        betas: nudging strength of each ``"nudge"``; of no meaning for the others.
    """

    phases: tuple[str, ...]
    betas: tuple[float, ...]

    @property
    def relaxations(self) -> int:
        """Relaxations of a step."""
        return sum(phase in ("hold", "release") for phase in self.phases)

    @property
    def last_beta(self) -> float:
        """Nudging strength that a step leaves behind."""
        return next((b for p, b in zip(self.phases[::-1], self.betas[::-1], strict=True) if p == "nudge"), 0.0)


@dataclass(frozen=True, eq=False)
class Replayed:
    """What became of a stream of steps.

    Attributes:
        steps: done; fewer than asked if the next one met a relaxation that did not converge. That one is taken back.
        stiffness, knobs: (P,) after the last step done.
        state: (1, N, D).
        iterations: evaluations of the forces.
        unstable: phases in which the joint energy was seen not to be convex.
    """

    steps: int
    stiffness: np.ndarray
    knobs: np.ndarray
    state: np.ndarray
    iterations: int
    unstable: int


def can_replay(material: Material, boundary: Boundary) -> bool:
    """Whether the fused relaxation suits single samples of the boundary."""
    return fused.can_relax(pose(material, boundary.sample(0), None, None, None, 1.0, 1))


def replay(
    material: Material,
    loose: Boundary,
    nudged: Boundary,
    tape: Tape,
    stiffness: np.ndarray,
    knobs: Knobs,
    start: np.ndarray | None,
    *,
    fresh: bool,
    tolerance: float,
    look_tolerance: float,
    look_inward: float,
    max_iterations: int,
) -> Replayed:
    """Do the tape's step on each sample of the boundaries in turn.

    Args:
        loose, nudged: what is imposed on the samples with nudges of stiffness 0 and 1.
        stiffness: (P,) at the start.
        knobs: at the start; their compliance and coupling hold throughout.
        start: (1, N, D) state before the first step, the rest state by default.
        fresh: whether every sample starts from the rest state.
        look_tolerance: on the force, where it is looked whether held stiffnesses are at a minimum.
        look_inward: how far inside its bounds a stiffness at a bound is looked at, relative to the largest.

    Raises:
        NetworkError: for floppy or disconnected parts.
    """
    from sandbox.physics.relaxation import replay_kernel as rk
    from sandbox.physics.relaxation.fused_sample import REPORT_SIZE

    first = replace(nudged.sample(0), pair_stiffness=loose.pair_stiffness, spring_stiffness=loose.spring_stiffness)
    rigidity.check(pose(material, first, stiffness, None, None, tolerance, max_iterations))
    every = pose(material, loose, stiffness, knobs, None, tolerance, max_iterations)
    n_edges, samples = len(stiffness), loose.batch
    kernel = rk.replay_kernel(
        material.law, material.node_law, material.components, material.geometry == "projection", knobs.coupling
    )
    springs = (nudged.spring_stiffness - loose.spring_stiffness).ravel()
    grip = np.concatenate([springs, nudged.pair_stiffness - loose.pair_stiffness])
    workspace = fused.workspace_of(every, springs != 0)
    plan, outside, pairs = workspace.plan, every.outside, every.pair_springs
    outside[:, 2] = nudged.spring_targets.reshape(samples, -1)
    if len(nudged.pairs):
        pairs[:, 1] = nudged.pair_targets
    rest = material.rest_state().ravel()
    state = np.array(rest if start is None else start, dtype=float).ravel()
    held, knob = stiffness.astype(float), every.knob_rows.T.ravel()
    tally = np.zeros(rk.TALLY_SIZE)
    scratch = workspace.scratch(1)
    phases, betas = _program(tape)
    kernel(
        phases,
        betas,
        np.arange(samples, dtype=np.int32),
        plan.n_top,
        int(len(nudged.pairs) == 0),
        int(fresh),
        np.ascontiguousarray(loose.values).reshape(-1),
        rest,
        look_tolerance,
        look_inward,
        n_edges,
        workspace.ends,
        workspace.frame.ravel(),
        held,
        material.fixed_parameters.ravel(),
        knob,
        material.node_parameter_rows.ravel(),
        outside.reshape(-1),
        fused.loaded(every, springs),
        pairs.reshape(-1),
        grip,
        plan.place,
        plan.seats.ravel(),
        plan.slots.ravel(),
        plan.columns,
        fused.never_empty(plan.entries),
        plan.starts,
        fused.never_empty(plan.updates),
        fused.never_empty(plan.forwards),
        fused.never_empty(plan.backwards),
        tolerance,
        max_iterations,
        state,
        *scratch,
        np.empty(REPORT_SIZE),
        np.empty(3 * n_edges + len(state)),
        tally,
    )
    return Replayed(
        steps=int(tally[rk.STEPS]),
        stiffness=held,
        knobs=_values(knob[::4], knobs.coupling),
        state=state.reshape(1, *material.rest_state().shape),
        iterations=int(tally[rk.SPENT]),
        unstable=int(tally[rk.UNSTABLE]),
    )


def _program(tape: Tape) -> tuple[np.ndarray, np.ndarray]:
    """The kernel's phases: after every hold, a look at the curvature."""
    from sandbox.physics.relaxation import replay_kernel as rk

    codes = {"clamp": (rk.CLAMP,), "nudge": (rk.NUDGE,), "hold": (rk.HOLD, rk.LOOK), "release": (rk.RELEASE,)}
    phases = [(code, beta) for name, beta in zip(tape.phases, tape.betas, strict=True) for code in codes[name]]
    return np.array([p[0] for p in phases], dtype=np.int32), np.array([p[1] for p in phases], dtype=float)


def _values(coordinates: np.ndarray, coupling: Coupling) -> np.ndarray:
    with np.errstate(over="ignore"):  # a runaway knob is infinite, and refused where it is used
        return np.exp(coordinates) if coupling == "log" else coordinates
