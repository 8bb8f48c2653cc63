"""A learning step recorded once and replayed over a stream of samples, many steps to a kernel launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sandbox.physics import holding
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


@dataclass(frozen=True, eq=False)
class Stream:
    """What one replica of a material is to learn from, and where it starts.

    Attributes:
        loose, nudged: what is imposed on the samples with nudges of stiffness 0 and 1.
        stiffness: (P,).
        knobs: their compliance and coupling hold throughout.
        state: (1, N, D) before the first step, the rest state by default.
    """

    loose: Boundary
    nudged: Boundary
    tape: Tape
    stiffness: np.ndarray
    knobs: Knobs
    state: np.ndarray | None


def replay(
    material: Material,
    streams: Sequence[Stream],
    *,
    fresh: bool,
    tolerance: float,
    look_tolerance: float,
    look_inward: float,
    max_iterations: int,
) -> list[Replayed]:
    """Do a tape's step on each sample of a stream in turn; streams in parallel, for as many replicas of the material.

    Args:
        streams: of as many samples each, with tapes that differ in nothing but nudging strengths, and with boundaries
            that clamp and nudge the same components. The coupling of the knobs is the same.
        fresh: whether every sample starts from the rest state.
        look_tolerance: on the force, where it is looked whether held stiffnesses are at a minimum.
        look_inward: how far inside its bounds a stiffness at a bound is looked at, relative to the largest.

    Raises:
        NetworkError: for floppy or disconnected parts.
    """
    from sandbox.physics.launch import direct
    from sandbox.physics.relaxation import replay_kernel as rk
    from sandbox.physics.relaxation.fused_sample import REPORT_SIZE

    replicas, samples = len(streams), streams[0].loose.batch
    for s in streams:
        s.nudged.sample(0).check_held()
        first = replace(
            s.nudged.sample(0), pair_stiffness=s.loose.pair_stiffness, spring_stiffness=s.loose.spring_stiffness
        )
        holding.check(pose(material, first, s.stiffness, None, None, tolerance, max_iterations))
    every = [pose(material, s.loose, s.stiffness, s.knobs, None, tolerance, max_iterations) for s in streams]
    loose, nudged = streams[0].loose, streams[0].nudged
    coupling = streams[0].knobs.coupling
    n_edges = len(streams[0].stiffness)
    kernel = direct(
        rk.replay_kernel(
            material.law,
            material.node_law,
            material.components,
            material.geometry == "projection",
            coupling,
            replicas > 1,
        )
    )
    springs = (nudged.spring_stiffness - loose.spring_stiffness).ravel()
    grip = np.concatenate([springs, nudged.pair_stiffness - loose.pair_stiffness])
    workspace = fused.workspace_of(every[0], springs != 0)
    plan = workspace.plan
    outside = np.concatenate([problem.outside for problem in every])
    outside[:, 2] = np.concatenate([s.nudged.spring_targets.reshape(samples, -1) for s in streams])
    pairs = np.concatenate([problem.pair_springs for problem in every])
    if len(nudged.pairs):
        pairs[:, 1] = np.concatenate([s.nudged.pair_targets for s in streams])
    rest = material.rest_state()
    state = np.array([rest if s.state is None else s.state[0] for s in streams], dtype=float)
    held = np.array([s.stiffness for s in streams], dtype=float)
    knob = np.array([problem.knob_rows.T for problem in every])
    tally = np.zeros((replicas, rk.TALLY_SIZE))
    scratch = workspace.scratch(replicas)
    programs = [_program(s.tape) for s in streams]
    kernel(
        programs[0][0],
        np.concatenate([betas for _, betas in programs]),
        replicas,
        samples,
        plan.n_top,
        int(len(nudged.pairs) == 0),
        int(fresh),
        np.concatenate([s.loose.values for s in streams]).reshape(-1),
        rest.ravel(),
        look_tolerance,
        look_inward,
        n_edges,
        workspace.ends,
        workspace.frame.ravel(),
        held.reshape(-1),
        material.fixed_parameters.ravel(),
        knob.reshape(-1),
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
        fused.never_empty(plan.bond_part),
        fused.never_empty(plan.part),
        tolerance,
        max_iterations,
        state.reshape(-1),
        *scratch,
        np.empty(replicas * REPORT_SIZE),
        np.empty(replicas * (3 * n_edges + rest.size)),
        tally.reshape(-1),
    )
    return [
        Replayed(
            steps=int(tally[r, rk.STEPS]),
            stiffness=held[r],
            knobs=_values(knob[r, :, 0], coupling),
            state=state[r : r + 1],
            iterations=int(tally[r, rk.SPENT]),
            unstable=int(tally[r, rk.UNSTABLE]),
        )
        for r in range(replicas)
    ]


def _program(tape: Tape) -> tuple[np.ndarray, np.ndarray]:
    """The kernel's phases: after every hold, a look at the curvature."""
    from sandbox.physics.relaxation import replay_kernel as rk

    codes = {"clamp": (rk.CLAMP,), "nudge": (rk.NUDGE,), "hold": (rk.HOLD, rk.LOOK), "release": (rk.RELEASE,)}
    phases = [(code, beta) for name, beta in zip(tape.phases, tape.betas, strict=True) for code in codes[name]]
    return np.array([p[0] for p in phases], dtype=np.int32), np.array([p[1] for p in phases], dtype=float)


def _values(coordinates: np.ndarray, coupling: Coupling) -> np.ndarray:
    with np.errstate(over="ignore"):  # a runaway knob is infinite, and refused where it is used
        return np.exp(coordinates) if coupling == "log" else coordinates
