"""Newton's method on one sample, as a Taichi function: what the fused kernels are made of.

Everything is serial within a sample, so results do not depend on the number of threads. The exact Hessian is factored
as L D L^T along the lists of a :class:`~sandbox.physics.relaxation.plan.Plan`; a pivot that is not positive shows that
the Hessian is not, and the step is then shifted, or at a stationary point follows the direction of negative curvature
that the factorization yields.

No ``from __future__ import annotations`` here: Taichi reads the annotations of its functions.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportIndexIssue=false
# pyright: reportOptionalCall=false
# (Annotations are Taichi's types, and laws are functions that Taichi compiles.)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics.equilibrium import Status
from sandbox.physics.knobs import Coupling
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.relaxation.criteria import (
    ENERGY_NOISE,
    ESCAPE,
    FIRST_SHIFT,
    FORCE_NOISE,
    MAX_BACKTRACKS,
    MAX_TURN,
    PIVOT_FLOOR,
    REST_SCALE,
    SUFFICIENT_DECREASE,
)

# Columns of the report of a sample.
ENERGY, RESIDUAL, SCALE, EVALUATIONS, STATUS, PIVOT, INDEFINITE, CULPRIT, REPORT_SIZE = range(9)


@lru_cache(maxsize=64)
def sample_function(
    law: EdgeLaw, node_law: NodeLaw | None, dim: int, projection: bool, coupling: Coupling
) -> Callable[..., None]:
    """``relax_sample`` for one kind of material, to be called in kernels."""
    edge_terms = in_kernel(law)
    node_terms = in_kernel(node_law) if node_law is not None else None
    n_fixed, n_node = len(law.fixed), len(node_law.parameters) if node_law is not None else 0
    has_node_law = node_law is not None
    log_knobs = coupling == "log"
    linear = projection and law.is_quadratic and (node_law is None or node_law.is_quadratic)
    local_steps = 1 if law.is_quadratic_in_stiffness and not log_knobs else 60

    @ti.func
    def stiffness_of(phi: ti.f64) -> ti.f64:
        value = phi
        if ti.static(log_knobs):
            value = ti.exp(phi)
        return value

    @ti.func
    def relax_sample(
        b: ti.i32,  # row of state, stiffness, pull, work and report
        m: ti.i32,  # row of outside and pair_springs
        row: ti.i32,  # row of held and knob
        free: ti.f64,  # 1: stiffnesses of positive compliance relax too; 0: all are held
        beta: ti.f64,  # stiffness of the nudging springs
        n_edges: ti.i32,
        ends: ti.template(),  # (E + Q, 2) edges, then pairs
        frame: ti.template(),  # (E + Q, D + 1) shift, or direction and offset
        held: ti.template(),  # (rows, E) stiffnesses
        fixed: ti.template(),  # (parameters, E)
        knob: ti.template(),  # (rows, 4, E) coordinate, compliance, lower and upper bound of the coordinate
        node_parameters: ti.template(),  # (parameters, N*D)
        outside: ti.template(),  # (M, 3, N*D) force, spring stiffness, spring target
        pair_springs: ti.template(),  # (M, 2, Q) stiffness, target
        grip: ti.template(),  # (N*D + Q,) 1 where beta adds to the stiffness of a spring
        place: ti.template(),
        slots: ti.template(),
        columns: ti.template(),
        rows: ti.template(),
        updates: ti.template(),
        tolerance: ti.f64,
        max_evaluations: ti.i32,
        state: ti.template(),  # (B, N*D), in and out
        stiffness: ti.template(),  # (B, E), out
        pull: ti.template(),  # (B, E) dE/dtheta, out
        work: ti.template(),  # (B, N*D + 2F + 3*slots)
        report: ti.template(),  # (B, REPORT_SIZE), out
    ):
        n_state = state.shape[1]
        n_free = columns.shape[0] - 1
        n_slots = n_free + columns[n_free]
        gradient = n_state
        step = gradient + n_free
        hessian = step + n_free
        factor = hessian + n_slots
        excess = factor + n_slots
        for i in range(n_state):
            work[b, i] = state[b, i]
        energy = 0.0
        knob_energy = 0.0
        residual = 0.0
        scale = 0.0
        alpha = 0.0
        slope = 0.0
        pivot = 0.0
        escaping = 0
        backtracks = 0
        indefinite = 0
        culprit = -1
        evaluations = 0
        status = int(Status.OUT_OF_ITERATIONS)
        reuse = 0  # 1: linear forces, held stiffnesses: the factor at hand is that of every state
        for evaluation in range(max_evaluations):
            # Energy, gradient and Hessian at the trial state.
            trial = 0.0
            trial_knobs = 0.0
            magnitude = 0.0
            at_play = 0.0
            noise = 0.0
            longest = 0.0
            torn = 0  # stiffnesses at a maximum of their own energy
            for f in range(n_free):
                work[b, gradient + f] = 0.0
            if reuse == 0:
                for s in range(n_slots):
                    work[b, hessian + s] = 0.0
                    work[b, excess + s] = 0.0
            for e in range(ends.shape[0]):
                i = ends[e, 0] * dim
                j = ends[e, 1] * dim
                n = ti.Vector.zero(ti.f64, dim)
                v = 0.0
                reach = 0.0
                for c in ti.static(range(dim)):
                    reach += ti.abs(work[b, i + c]) + ti.abs(work[b, j + c])
                if ti.static(projection):
                    v = frame[e, dim]
                    for c in ti.static(range(dim)):
                        n[c] = frame[e, c]
                        v += n[c] * (work[b, j + c] - work[b, i + c])
                else:
                    for c in ti.static(range(dim)):
                        n[c] = work[b, j + c] - work[b, i + c] + frame[e, c]
                    v = n.norm()
                    n = n / ti.max(v, 1e-300)
                bond_energy = 0.0
                tension = 0.0
                curvature = 0.0
                if e < n_edges:
                    theta = held[row, e]
                    others = [fixed[q, e] for q in ti.static(range(n_fixed))]
                    eps = knob[row, 1, e] * free
                    reduction = 0.0
                    if eps > 0.0:
                        # Minimize over the stiffness of this edge: another edge law, of the same sparsity.
                        phi = theta
                        if ti.static(log_knobs):
                            phi = ti.log(theta)
                        phi = ti.min(ti.max(phi, knob[row, 2, e]), knob[row, 3, e])
                        for _local in range(local_steps):
                            theta = stiffness_of(phi)
                            term = edge_terms(v, theta, *others)
                            first = 0.0  # typed before they are assigned: a derivative may be a whole number
                            second = 0.0
                            first = term[3]
                            second = term[4]
                            if ti.static(log_knobs):
                                first = term[3] * theta
                                second = term[4] * theta * theta + term[3] * theta
                            h = (phi - knob[row, 0, e]) / eps + first
                            bend = 1.0 / eps + second
                            if bend < 0.1 / eps:  # not convex here: a bounded step downhill
                                bend = 1.0 / eps + ti.abs(second)
                            better = phi - h / bend
                            better = ti.min(ti.max(better, knob[row, 2, e]), knob[row, 3, e])
                            moved = ti.abs(better - phi)
                            phi = better
                            if moved <= 4e-16 * (1.0 + ti.abs(phi)):
                                break
                        theta = stiffness_of(phi)
                        if (phi > knob[row, 2, e]) and (phi < knob[row, 3, e]):
                            term = edge_terms(v, theta, *others)
                            second = 0.0
                            mixed = 0.0
                            second = term[4]
                            mixed = term[5]
                            if ti.static(log_knobs):
                                second = term[4] * theta * theta + term[3] * theta
                                mixed = term[5] * theta
                            if not (1.0 / eps + second > 0.0):
                                torn += 1
                            reduction = mixed * mixed / ti.max(1.0 / eps + second, 1e-12 / eps)
                        give = knob[row, 0, e] - phi
                        trial_knobs += give * give / (2.0 * eps)
                    term = edge_terms(v, theta, *others)
                    bond_energy = term[0]
                    tension = term[1]
                    curvature = term[2] - reduction
                    at_play = ti.max(at_play, ti.max(ti.abs(tension), REST_SCALE * ti.abs(term[2] * v)))
                    stiffness[b, e] = theta
                    pull[b, e] = term[3]
                    longest = ti.max(longest, ti.abs(v))
                else:
                    k = pair_springs[m, 0, e - n_edges] + beta * grip[n_state + e - n_edges]
                    stretch = v - pair_springs[m, 1, e - n_edges]
                    bond_energy = 0.5 * k * stretch * stretch
                    tension = k * stretch
                    curvature = k
                trial += bond_energy
                magnitude += ti.abs(bond_energy)
                noise = ti.max(noise, ti.abs(tension) + ti.abs(curvature) * reach)
                across = 0.0
                if ti.static(not projection):
                    across = tension / ti.max(v, 1e-300)
                for c in ti.static(range(dim)):
                    p = place[i + c]
                    if p >= 0:
                        work[b, gradient + p] -= tension * n[c]
                    p = place[j + c]
                    if p >= 0:
                        work[b, gradient + p] += tension * n[c]
                if reuse == 0:
                    # What lifts the block's negative eigenvalues, along and across the bond, to zero.
                    lift_along = ti.max(-curvature, 0.0)
                    lift_across = ti.max(-across, 0.0)
                    for c in ti.static(range(dim)):
                        for d in ti.static(range(dim)):
                            entry = (curvature - across) * n[c] * n[d]
                            lift = (lift_along - lift_across) * n[c] * n[d]
                            if ti.static(c == d):
                                entry += across
                                lift += lift_across
                            if ti.static(d <= c):
                                low = ti.static(c * (c + 1) // 2 + d)
                                s = slots[e, low]
                                if s >= 0:
                                    work[b, hessian + s] += entry
                                    work[b, excess + s] += lift
                                s = slots[e, ti.static(dim * (dim + 1) // 2) + low]
                                if s >= 0:
                                    work[b, hessian + s] += entry
                                    work[b, excess + s] += lift
                            s = slots[e, ti.static(dim * (dim + 1) + c * dim + d)]
                            if s >= 0:
                                work[b, hessian + s] -= entry
                                work[b, excess + s] -= lift
            for i in range(n_state):
                value = work[b, i]
                push = outside[m, 0, i]
                k = outside[m, 1, i] + beta * grip[i]
                off = value - outside[m, 2, i]
                node_energy = 0.5 * k * off * off - push * value
                force = k * off - push
                curvature = k
                if ti.static(has_node_law):
                    node_args = [node_parameters[q, i] for q in ti.static(range(n_node))]
                    term = node_terms(value, *node_args)
                    node_energy += term[0]
                    force += term[1]
                    curvature += term[2]
                    at_play = ti.max(at_play, ti.abs(term[1]))
                trial += node_energy
                magnitude += ti.abs(node_energy)
                at_play = ti.max(at_play, ti.abs(push))
                noise = ti.max(noise, ti.abs(force) + ti.abs(curvature) * ti.abs(value))
                p = place[i]
                if p >= 0:
                    work[b, gradient + p] += force
                    if reuse == 0:
                        work[b, hessian + p] += curvature
                        work[b, excess + p] += ti.max(-curvature, 0.0)
            worst = 0.0
            finite = 1
            for f in range(n_free):
                g = ti.abs(work[b, gradient + f])
                if not (g < 1e300):
                    finite = 0
                    culprit = f
                worst = ti.max(worst, g)
            trial += trial_knobs
            magnitude += trial_knobs
            if not (ti.abs(trial) < 1e300):
                finite = 0
            evaluations = evaluation + 1

            accepted = 1
            if evaluation > 0:
                allowed = energy + SUFFICIENT_DECREASE * alpha * slope + ENERGY_NOISE * magnitude
                if escaping == 1:
                    allowed = energy - ENERGY_NOISE * magnitude
                if finite == 0 or not (trial <= allowed):
                    accepted = 0
            elif finite == 0:
                status = int(Status.NOT_FINITE)
                break

            if accepted == 0:
                backtracks += 1
                if backtracks > MAX_BACKTRACKS:
                    status = int(Status.STALLED)
                    if escaping == 1:
                        status = int(Status.SINGULAR)
                    break
                alpha *= 0.5
            else:
                backtracks = 0
                energy = trial
                knob_energy = trial_knobs
                residual = worst
                scale = at_play
                for i in range(n_state):
                    state[b, i] = work[b, i]
                small = residual <= ti.max(tolerance * scale, FORCE_NOISE * noise)

                # Factor the Hessian; if it is not positive definite, lift the blocks that are not, then shift.
                largest = 0.0
                stiffest = 0.0
                for f in range(n_free):
                    largest = ti.max(largest, ti.abs(work[b, hessian + f]))
                    stiffest = ti.max(stiffest, ti.abs(work[b, hessian + f] + work[b, excess + f]))
                shift = 0.0
                bad = -1
                for attempt in range(80):
                    if reuse == 1:
                        break
                    for s in range(n_slots):
                        work[b, factor + s] = work[b, hessian + s]
                        if attempt > 0:
                            work[b, factor + s] += work[b, excess + s]
                    for f in range(n_free):
                        work[b, factor + f] += shift
                    bad = -1
                    lowest = largest + shift
                    u = 0
                    for f in range(n_free):
                        diagonal = work[b, factor + f]
                        lowest = ti.min(lowest, diagonal)
                        if not (diagonal > PIVOT_FLOOR * stiffest):
                            bad = f
                            break
                        for p in range(columns[f], columns[f + 1]):
                            ratio = work[b, factor + n_free + p] / diagonal
                            for q in range(columns[f], p + 1):
                                work[b, factor + updates[u]] -= ratio * work[b, factor + n_free + q]
                                u += 1
                        for p in range(columns[f], columns[f + 1]):
                            work[b, factor + n_free + p] /= diagonal
                    if attempt == 0:
                        pivot = lowest
                        if bad >= 0:
                            indefinite += 1
                            culprit = bad
                    if bad < 0 or small:
                        break
                    shift = ti.max(8.0 * shift, FIRST_SHIFT * stiffest)
                if ti.static(linear):  # noqa: SIM102 (one is decided when the kernel is compiled)
                    if free == 0.0 and bad < 0 and shift == 0.0:
                        reuse = 1
                if small and bad < 0:
                    status = int(Status.CONVERGED)
                    if torn > 0:
                        status = int(Status.SINGULAR)
                        indefinite += 1
                    break
                alpha = 1.0
                slope = 0.0
                if bad >= 0:
                    if not (pivot < -PIVOT_FLOOR * stiffest):
                        status = int(Status.SINGULAR)
                        break
                    # Stationary but not a minimum: L^T z = e_bad gives z with curvature equal to the pivot.
                    escaping = 1
                    top = 1.0
                    for f in range(n_free):
                        work[b, step + f] = 0.0
                    work[b, step + bad] = 1.0
                    for back in range(bad):
                        f = bad - 1 - back
                        z = 0.0
                        for p in range(columns[f], columns[f + 1]):
                            z -= work[b, factor + n_free + p] * work[b, step + rows[p]]
                        work[b, step + f] = z
                        top = ti.max(top, ti.abs(z))
                        slope += z * work[b, gradient + f]
                    slope += work[b, gradient + bad]
                    size = ESCAPE * ti.select(longest > 0.0, longest, 1.0) / top
                    if slope > 0.0:
                        size = -size
                    for f in range(n_free):
                        work[b, step + f] *= size
                else:
                    escaping = 0
                    for f in range(n_free):
                        work[b, step + f] = -work[b, gradient + f]
                    for f in range(n_free):
                        z = work[b, step + f]
                        for p in range(columns[f], columns[f + 1]):
                            work[b, step + rows[p]] -= work[b, factor + n_free + p] * z
                    for f in range(n_free):
                        work[b, step + f] /= work[b, factor + f]
                    for back in range(n_free):
                        f = n_free - 1 - back
                        z = work[b, step + f]
                        for p in range(columns[f], columns[f + 1]):
                            z -= work[b, factor + n_free + p] * work[b, step + rows[p]]
                        work[b, step + f] = z
                        slope += z * work[b, gradient + f]
                    if ti.static(not projection):
                        turn = 0.0
                        for e in range(n_edges):
                            change = 0.0
                            length = 0.0
                            for c in ti.static(range(dim)):
                                i = ends[e, 0] * dim + c
                                j = ends[e, 1] * dim + c
                                a = state[b, j] - state[b, i] + frame[e, c]
                                length += a * a
                                d = 0.0
                                if place[j] >= 0:
                                    d += work[b, step + place[j]]
                                if place[i] >= 0:
                                    d -= work[b, step + place[i]]
                                change += d * d
                            turn = ti.max(turn, change / ti.max(length, 0.01 * longest * longest))
                        turn = ti.sqrt(turn)
                        if turn > MAX_TURN:
                            alpha = MAX_TURN / turn
            for i in range(n_state):
                p = place[i]
                work[b, i] = state[b, i]
                if p >= 0:
                    work[b, i] += alpha * work[b, step + p]
        report[b, ENERGY] = energy - knob_energy
        report[b, RESIDUAL] = residual
        report[b, SCALE] = scale
        report[b, EVALUATIONS] = evaluations
        report[b, STATUS] = status
        report[b, PIVOT] = pivot
        report[b, INDEFINITE] = indefinite
        report[b, CULPRIT] = culprit

    return relax_sample
