"""Learning steps in one kernel launch: a recorded sequence of phases, replayed on one sample after another.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportIndexIssue=false
# (Annotations of kernels are Taichi's types.)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.equilibrium import Status
from sandbox.physics.knobs import Coupling
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.relaxation import fused_edges
from sandbox.physics.relaxation.fused_edges import PULL, STIFFNESS
from sandbox.physics.relaxation.fused_sample import (
    EVALUATIONS,
    INDEFINITE,
    REPORT_SIZE,
    STATUS,
    sample_function,
)

# Phases of a step.
CLAMP, NUDGE, HOLD, LOOK, RELEASE = range(5)

# Columns of the tally.
STEPS, SPENT, UNSTABLE, FAILED, TALLY_SIZE = range(5)

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_indices = ti.types.ndarray(dtype=ti.i32, ndim=1)


@lru_cache(maxsize=64)
def replay_kernel(
    law: EdgeLaw, node_law: NodeLaw | None, dim: int, projection: bool, coupling: Coupling, parallel: bool
) -> Callable[..., None]:
    """The kernel for one kind of material; compiled at its first call, cached by law and never by network."""
    runtime.start()
    spread = runtime.SPREAD if parallel else 1
    relax_sample = sample_function(law, node_law, dim, projection, coupling)
    width = fused_edges.width(dim, projection)
    log_knobs = coupling == "log"

    @ti.func
    def coordinate(theta: ti.f64) -> ti.f64:
        phi = theta
        if ti.static(log_knobs):
            phi = ti.log(theta)
        return phi

    @ti.func
    def value(phi: ti.f64) -> ti.f64:
        theta = phi
        if ti.static(log_knobs):
            theta = ti.exp(phi)
        return theta

    # Arguments as in relax_sample, all flat, and what is to be done. R replicas learn side by side, each from its own
    # samples, with its own stiffnesses, knobs and nudgings.
    @ti.kernel
    def replay(
        phases: _indices,  # what to do, in order, on every sample
        betas: _vector,  # (R, phases) nudging strength of each NUDGE
        replicas: ti.i32,
        samples: ti.i32,  # T of each replica; M = R*T
        n_top: ti.i32,  # see relax_sample
        carries: ti.i32,  # whether a relaxation may go on from what the one before found: nudges act on nodes alone
        fresh: ti.i32,  # whether each sample starts at rest
        imposed: _vector,  # (M, N*D) values of the clamped components
        rest: _vector,  # (N*D,)
        look_tolerance: ti.f64,
        look_inward: ti.f64,  # of the largest stiffness: how far inside its bounds one at a bound is looked at
        n_edges: ti.i32,
        ends: _indices,
        frame: _vector,
        held: _vector,  # (R, E), in and out
        fixed: _vector,
        knob: _vector,  # (R, E, 4), in and out
        node_parameters: _vector,
        outside: _vector,
        loaded: _indices,
        pair_springs: _vector,
        grip: _vector,
        place: _indices,
        seats: _indices,
        slots: _indices,
        columns: _indices,
        entries: _indices,
        starts: _indices,
        updates: _indices,
        forwards: _indices,
        backwards: _indices,
        bond_part: _indices,
        part: _indices,
        tolerance: ti.f64,
        max_evaluations: ti.i32,
        state: _vector,  # (R, N*D), in and out
        lower: _vector,
        record: _vector,
        work: _vector,
        report: _vector,
        before: _vector,  # (R, 3*E + N*D) what a failed step is taken back to, and the knobs before a look
        tally: _vector,  # (R, TALLY_SIZE), out
    ):
        if ti.static(not parallel):
            ti.loop_config(serialize=True)
        for turn in range(replicas * spread):
            if turn % spread != 0:
                continue
            r = 0  # of one that is known to be the first, offsets vanish from the machine code
            if ti.static(parallel):
                r = turn // spread
            n_state = place.shape[0]
            of_edge = r * n_edges
            of_state = r * n_state
            of_bond = r * width * (ends.shape[0] // 2)
            of_report = r * ti.static(REPORT_SIZE)
            of_tally = r * ti.static(TALLY_SIZE)
            taken = r * (3 * n_edges + n_state)
            for t in range(samples):
                m = r * samples + t
                beta = 0.0
                failed = 0
                spent = 0.0
                unstable = 0.0
                known = 0
                for e in range(n_edges):
                    before[taken + e] = held[of_edge + e]
                    before[taken + n_edges + e] = knob[4 * (of_edge + e)]
                for i in range(n_state):
                    before[taken + 3 * n_edges + i] = state[of_state + i]
                for phase in range(phases.shape[0]):
                    what = phases[phase]
                    if what == CLAMP:
                        known = 0
                        for i in range(n_state):
                            if fresh == 1:
                                state[of_state + i] = rest[i]
                            if place[i] < 0:
                                state[of_state + i] = imposed[m * n_state + i]
                    elif what == NUDGE:
                        beta = betas[r * phases.shape[0] + phase]
                    else:
                        free = 1.0
                        goal = tolerance
                        most = max_evaluations
                        turned = 0  # stiffnesses at a bound
                        if what == HOLD:
                            free = 0.0
                            known = 0
                        if what == LOOK:
                            goal = look_tolerance
                            most = 1
                            for e in range(n_edges):
                                phi = coordinate(held[of_edge + e])
                                if phi <= knob[4 * (of_edge + e) + 2] or phi >= knob[4 * (of_edge + e) + 3]:
                                    turned += 1
                        if turned > 0:
                            known = 0
                            inward = 0.0
                            for e in range(n_edges):
                                inward = ti.max(inward, look_inward * ti.abs(held[of_edge + e]))
                            for e in range(n_edges):
                                kept = knob[4 * (of_edge + e)]
                                before[taken + 2 * n_edges + e] = kept
                                phi = coordinate(held[of_edge + e])
                                side = 0.0
                                if phi <= knob[4 * (of_edge + e) + 2]:
                                    side = 1.0
                                if phi >= knob[4 * (of_edge + e) + 3]:
                                    side = -1.0
                                if side != 0.0:
                                    knob[4 * (of_edge + e)] = coordinate(value(kept) + inward * side)
                        relax_sample(
                            replicas, r, m, r, free, beta, known, 1, n_top,
                            n_edges, ends, frame, held, fixed, knob, node_parameters, outside, loaded, pair_springs,
                            grip, place, seats, slots, columns, entries, starts, updates, forwards, backwards,
                            bond_part, part, goal, most, state, lower, record, work, report,
                        )  # fmt: skip
                        known = 0
                        spent += report[of_report + EVALUATIONS]
                        well = report[of_report + STATUS] == float(int(Status.CONVERGED))
                        if what == LOOK:
                            if turned > 0:
                                for e in range(n_edges):
                                    knob[4 * (of_edge + e)] = before[taken + 2 * n_edges + e]
                            else:
                                known = carries
                            if not well:
                                unstable += 1.0
                        elif not well:
                            failed = 1
                            break
                        elif what == HOLD:
                            known = 2 * carries
                            for e in range(n_edges):
                                theta = held[of_edge + e]
                                soft = knob[4 * (of_edge + e) + 1]
                                if ti.static(log_knobs):
                                    knob[4 * (of_edge + e)] = (
                                        ti.log(theta) + soft * theta * record[of_bond + width * e + PULL]
                                    )
                                else:
                                    knob[4 * (of_edge + e)] = theta + soft * record[of_bond + width * e + PULL]
                        else:
                            for e in range(n_edges):
                                held[of_edge + e] = record[of_bond + width * e + STIFFNESS]
                            if report[of_report + INDEFINITE] > 0.0:
                                unstable += 1.0
                if failed == 1:
                    for e in range(n_edges):
                        held[of_edge + e] = before[taken + e]
                        knob[4 * (of_edge + e)] = before[taken + n_edges + e]
                    for i in range(n_state):
                        state[of_state + i] = before[taken + 3 * n_edges + i]
                    tally[of_tally + FAILED] = 1.0
                    break
                tally[of_tally + STEPS] = tally[of_tally + STEPS] + 1.0
                tally[of_tally + SPENT] = tally[of_tally + SPENT] + spent
                tally[of_tally + UNSTABLE] = tally[of_tally + UNSTABLE] + unstable

    return replay
