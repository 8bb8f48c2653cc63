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
from sandbox.physics.relaxation.fused_sample import EVALUATIONS, INDEFINITE, STATUS, sample_function

# Phases of a step.
CLAMP, NUDGE, HOLD, LOOK, RELEASE = range(5)

# Columns of the tally.
STEPS, SPENT, UNSTABLE, FAILED, TALLY_SIZE = range(5)

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_tensor = ti.types.ndarray(dtype=ti.f64, ndim=3)
_indices = ti.types.ndarray(dtype=ti.i32, ndim=1)
_index_table = ti.types.ndarray(dtype=ti.i32, ndim=2)


@lru_cache(maxsize=64)
def replay_kernel(
    law: EdgeLaw, node_law: NodeLaw | None, dim: int, projection: bool, coupling: Coupling
) -> Callable[..., None]:
    """The kernel for one kind of material; compiled at its first call, cached by law and never by network."""
    runtime.start()
    relax_sample = sample_function(law, node_law, dim, projection, coupling)
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

    @ti.kernel
    def replay(
        phases: _indices,  # what to do, in order, on every sample
        betas: _vector,  # nudging strength of each NUDGE
        order: _indices,  # (T,) samples to visit
        fresh: ti.i32,  # whether each sample starts at rest
        imposed: _matrix,  # (M, N*D) values of the clamped components
        rest: _vector,  # (N*D,)
        look_tolerance: ti.f64,
        look_inward: ti.f64,  # of the largest stiffness: how far inside its bounds one at a bound is looked at
        n_edges: ti.i32,
        ends: _index_table,
        frame: _matrix,
        held: _matrix,  # (R, E), in and out
        fixed: _matrix,
        knob: _tensor,  # (R, 4, E), in and out
        node_parameters: _matrix,
        outside: _tensor,
        pair_springs: _tensor,
        grip: _vector,
        place: _indices,
        slots: _index_table,
        columns: _indices,
        rows: _indices,
        updates: _indices,
        tolerance: ti.f64,
        max_evaluations: ti.i32,
        state: _matrix,  # (R, N*D), in and out
        stiffness: _matrix,
        pull: _matrix,
        work: _matrix,
        report: _matrix,
        before: _tensor,  # (R, 4, max(E, N*D)) what a failed step is taken back to, and the knobs before a look
        tally: _matrix,  # (R, TALLY_SIZE), out
    ):
        ti.loop_config(block_dim=1)
        for r in range(held.shape[0]):
            for t in range(order.shape[0]):
                m = order[t]
                beta = 0.0
                failed = 0
                spent = 0.0
                unstable = 0.0
                for e in range(n_edges):
                    before[r, 0, e] = held[r, e]
                    before[r, 1, e] = knob[r, 0, e]
                for i in range(state.shape[1]):
                    before[r, 2, i] = state[r, i]
                for phase in range(phases.shape[0]):
                    what = phases[phase]
                    if what == CLAMP:
                        for i in range(state.shape[1]):
                            if fresh == 1:
                                state[r, i] = rest[i]
                            if place[i] < 0:
                                state[r, i] = imposed[m, i]
                    elif what == NUDGE:
                        beta = betas[phase]
                    else:
                        free = 1.0
                        goal = tolerance
                        most = max_evaluations
                        if what == HOLD:
                            free = 0.0
                        if what == LOOK:
                            goal = look_tolerance
                            most = 1
                            inward = 0.0
                            for e in range(n_edges):
                                inward = ti.max(inward, look_inward * ti.abs(held[r, e]))
                            for e in range(n_edges):
                                before[r, 3, e] = knob[r, 0, e]
                                phi = coordinate(held[r, e])
                                side = 0.0
                                if phi <= knob[r, 2, e]:
                                    side = 1.0
                                if phi >= knob[r, 3, e]:
                                    side = -1.0
                                if side != 0.0:
                                    knob[r, 0, e] = coordinate(value(knob[r, 0, e]) + inward * side)
                        relax_sample(
                            r, m, r, free, beta,
                            n_edges, ends, frame, held, fixed, knob, node_parameters, outside, pair_springs, grip,
                            place, slots, columns, rows, updates, goal, most,
                            state, stiffness, pull, work, report,
                        )  # fmt: skip
                        if what == LOOK:
                            for e in range(n_edges):
                                knob[r, 0, e] = before[r, 3, e]
                        spent += report[r, EVALUATIONS]
                        well = report[r, STATUS] == float(int(Status.CONVERGED))
                        if what == LOOK:
                            if not well:
                                unstable += 1.0
                        elif not well:
                            failed = 1
                            break
                        elif what == HOLD:
                            for e in range(n_edges):
                                theta = held[r, e]
                                if ti.static(log_knobs):
                                    knob[r, 0, e] = ti.log(theta) + knob[r, 1, e] * theta * pull[r, e]
                                else:
                                    knob[r, 0, e] = theta + knob[r, 1, e] * pull[r, e]
                        else:
                            for e in range(n_edges):
                                held[r, e] = stiffness[r, e]
                            if report[r, INDEFINITE] > 0.0:
                                unstable += 1.0
                if failed == 1:
                    for e in range(n_edges):
                        held[r, e] = before[r, 0, e]
                        knob[r, 0, e] = before[r, 1, e]
                    for i in range(state.shape[1]):
                        state[r, i] = before[r, 2, i]
                    tally[r, FAILED] = 1.0
                    break
                tally[r, STEPS] += 1.0
                tally[r, SPENT] += spent
                tally[r, UNSTABLE] += unstable

    return replay
