"""Newton's method on one sample, as a Taichi function: what the fused kernels are made of.

Everything is serial within a sample, so results do not depend on the number of threads. The exact Hessian is factored
as L D L^T along the lists of a :class:`~sandbox.physics.relaxation.plan.Plan`; a pivot that is not positive shows that
the Hessian is not, and the step is then shifted, or at a stationary point follows the direction of negative curvature
that the factorization yields.

Arrays are flat: an access costs a load for each dimension but the first. Nothing is written with ``+=``, which is an
atomic operation on an array, some ten times the cost of an addition.

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
from sandbox.physics.relaxation import fused_edges as fe
from sandbox.physics.relaxation.criteria import (
    ENERGY_NOISE,
    ESCAPE,
    FIRST_SHIFT,
    FORCE_NOISE,
    KEPT_FACTOR,
    MAX_BACKTRACKS,
    MAX_TURN,
    NEARER,
    PIVOT_FLOOR,
    STATE_SLACK,
    SUFFICIENT_DECREASE,
    SURELY_POSITIVE,
    WORTH_A_LOOK,
)
from sandbox.physics.relaxation.fused_edges import larger, smaller
from sandbox.physics.relaxation.fused_factor import copy_top, factorize, substitute
from sandbox.physics.relaxation.fused_rest import memory as rest_memory
from sandbox.physics.relaxation.fused_rest import rest_functions

# Columns of the report of a sample.
ENERGY, RESIDUAL, STATE_ERROR, EVALUATIONS, STATUS, PIVOT, INDEFINITE, REPORT_SIZE = range(8)


def memory(n_state: int, n_free: int) -> int:
    """Numbers that a sample needs to work with, besides its factor and what is recorded of its bonds."""
    return 3 * n_state + 4 * n_free + 3 + fe.FOUND + rest_memory(n_free)


@lru_cache(maxsize=64)
def sample_function(
    law: EdgeLaw, node_law: NodeLaw | None, dim: int, projection: bool, coupling: Coupling
) -> Callable[..., None]:
    """``relax_sample`` for one kind of material, to be called in kernels."""
    evaluate, let_go, assemble = fe.edge_functions(law, dim, projection, coupling)
    at_rest, state_error = rest_functions(node_law, dim, projection)
    node_terms = in_kernel(node_law) if node_law is not None else None
    n_node = len(node_law.parameters) if node_law is not None else 0
    has_node_law = node_law is not None
    linear = projection and law.is_quadratic and (node_law is None or node_law.is_quadratic)

    @ti.func
    def relax_sample(
        batch: ti.i32,
        b: ti.i32,  # row of state, lower, record, work and report
        m: ti.i32,  # row of outside and pair_springs
        row: ti.i32,  # row of held and knob
        free: ti.f64,  # 1: stiffnesses of positive compliance relax too; 0: all are held
        beta: ti.f64,  # stiffness of the nudging springs
        known: ti.i32,  # 1: work holds the bonds at this state, from under another nudge; 2: with stiffnesses held
        signs: ti.i32,  # 1: curvatures that are all positive prove a minimum, and no pivot is asked for
        n_top: ti.i32,  # components from here on in the order of elimination, if any, are all that beta acts on
        n_edges: ti.i32,
        ends: ti.template(),  # (E + Q, 2) first component of the ends of edges, then of pairs
        frame: ti.template(),  # (E + Q, D + 1) shift, or direction and offset
        held: ti.template(),  # (rows, E) stiffnesses
        fixed: ti.template(),  # (parameters, E)
        knob: ti.template(),  # (rows, E, 4) coordinate, compliance, lower and upper bound of the coordinate
        node_parameters: ti.template(),  # (parameters, N*D)
        outside: ti.template(),  # (M, 3, N*D) force, spring stiffness, spring target
        loaded: ti.template(),  # (K,) components that one of these, grip or a node law acts on
        pair_springs: ti.template(),  # (M, 2, Q) stiffness, target
        grip: ti.template(),  # (N*D + Q,) 1 where beta adds to the stiffness of a spring
        place: ti.template(),
        seats: ti.template(),
        slots: ti.template(),
        columns: ti.template(),
        entries: ti.template(),
        starts: ti.template(),
        updates: ti.template(),
        forwards: ti.template(),
        backwards: ti.template(),
        bond_part: ti.template(),
        part: ti.template(),
        tolerance: ti.f64,
        max_evaluations: ti.i32,
        state: ti.template(),  # (B, N*D), in and out
        lower: ti.template(),  # (B, slots, the one of what is clamped, and those kept)
        record: ti.template(),  # (B, bonds, width), out
        work: ti.template(),  # (B, memory)
        report: ti.template(),  # (B, REPORT_SIZE), out
    ):
        n_state = place.shape[0]
        n_bonds = ends.shape[0] // 2
        n_free = columns.shape[0] - 1
        n_slots = n_free + columns[n_free]
        width = ti.static(fe.width(dim, projection))
        factor = b * (lower.shape[0] // batch)
        bonds = b * width * n_bonds
        at = b * (work.shape[0] // batch)
        node_force = at + n_state
        node_curvature = node_force + n_state
        gradient = node_curvature + n_state
        step = gradient + n_free
        edge_force = step + n_free + 1  # one more of each, and a slot of the factor, for what is clamped or not there
        stiff = edge_force + n_free + 1
        rest = stiff + n_free + 1
        found = rest + (4 * n_free + 2)  # as many as rest_memory says
        start = b * n_state  # of the accepted state
        of_node = m * 3 * n_state
        for i in range(n_state):
            work[at + i] = state[start + i]
        energy = 0.0
        knob_energy = 0.0
        residual = 0.0
        relative = 0.0
        error = -1.0
        nearest = 1e300  # the least error of the state, relative, with all forces none
        still = 0.0
        alpha = 0.0
        slope = 0.0
        pivot = 0.0
        escaping = 0
        backtracks = 0
        indefinite = 0
        evaluations = 0
        status = int(Status.OUT_OF_ITERATIONS)
        factored = 0  # 1: there is a factor without a shift
        for evaluation in range(max_evaluations):
            # Energy and gradient at the trial state.
            passed = 0
            if evaluation == 0:
                passed = int(known == 1)
                if known == 2:
                    passed = let_go(bonds, found, row, n_edges, knob, bond_part, record, work)
            if passed == 0:
                evaluate(
                    at, edge_force, bonds, found, n_free, n_state, n_bonds, m, row, free, beta, n_edges,
                    ends, frame, held, fixed, knob, pair_springs, grip, seats, bond_part, record, work,
                )  # fmt: skip
            trial = work[found + fe.ENERGY]
            trial_knobs = work[found + fe.KNOBS]
            magnitude = work[found + fe.MAGNITUDE]
            at_play = work[found + fe.PLAY]
            strong = work[found + fe.STRONG]
            softest = 0.0  # spring of a node
            gentlest = 1e300  # the same, of those that resist
            stiffest = work[found + fe.STIFFEST]
            still = work[found + fe.STILL]
            for f in range(n_free):
                work[gradient + f] = work[edge_force + f]
            for q in range(loaded.shape[0]):
                i = loaded[q]
                value = work[at + i]
                push = outside[of_node + i]
                k = outside[of_node + n_state + i] + beta * grip[i]
                off = value - outside[of_node + 2 * n_state + i]
                node_energy = 0.5 * k * off * off - push * value
                force = k * off - push
                curvature = k
                if ti.static(has_node_law):
                    node_args = [node_parameters[a * n_state + i] for a in ti.static(range(n_node))]
                    term = node_terms(value, *node_args)
                    node_energy += term[0]
                    force += term[1]
                    curvature += term[2]
                    if place[i] >= 0:
                        at_play = larger(ti.abs(term[1]), at_play)
                work[node_force + i] = force
                work[node_curvature + i] = curvature
                if place[i] >= 0:
                    trial += node_energy
                    magnitude += ti.abs(node_energy)
                    at_play = larger(ti.abs(push), at_play)
                    strong = larger(ti.abs(force), strong)
                    softest = smaller(curvature, softest)
                    if curvature > 0.0:
                        gentlest = smaller(curvature, gentlest)
                    stiffest = larger(curvature, stiffest)
                    work[gradient + place[i]] = work[gradient + place[i]] + force
                else:
                    still += node_energy
            worst = 0.0
            pushes = 0.0
            for f in range(n_free):
                g = ti.abs(work[gradient + f])
                worst = larger(g, worst)
                pushes += g
            trial += trial_knobs
            magnitude += trial_knobs
            finite = int(ti.abs(trial) < 1e300 and pushes < 1e300)
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
                # Can it be at rest at all? If so, look closely, node by node.
                small = 0
                here = worst / larger(at_play, 1e-300)
                steepest = larger(-smaller(work[found + fe.LEAST], softest), stiffest)
                far = 0.0
                for i in range(n_state):
                    far = larger(ti.abs(work[at + i]), far)
                lost = FORCE_NOISE * n_bonds * (strong + 2 * dim * steepest * far)
                if worst <= WORTH_A_LOOK * tolerance * at_play or worst <= lost:
                    small, here = at_rest(
                        at, node_force, node_curvature, gradient, rest, bonds, of_node, n_free, n_state, n_bonds,
                        n_edges, tolerance, ends, frame, seats, bond_part, place, loaded, node_parameters, outside,
                        record, work,
                    )  # fmt: skip
                keep = 0  # 1: no other factor is needed
                sure = 0  # 1: nor one to tell that this is a minimum, and its state known
                if ti.static(linear):
                    # Nothing bends but what comes of stiffnesses that are free, and that little.
                    quick = evaluation > 0 and backtracks == 0 and worst <= KEPT_FACTOR * residual
                    if free == 0.0 or (quick and not small):
                        keep = factored
                backtracks = 0
                energy = trial
                knob_energy = trial_knobs
                residual = worst
                relative = here
                for i in range(n_state):
                    state[start + i] = work[at + i]
                if ti.static(projection):
                    least = smaller(gentlest, work[found + fe.LEAST])
                    # No resistance to where a node is held is more than that of all nodes in a row.
                    near = n_free * pushes <= STATE_SLACK * tolerance * least * work[found + fe.LONGEST]
                    if small and near and signs == 1 and softest >= 0.0 and least > SURELY_POSITIVE * stiffest:
                        keep = 1
                        sure = 1

                # Factor the Hessian; if it is not positive definite, lift the blocks that are not, then shift.
                shift = 0.0
                bad = -1
                if keep == 0:
                    begin = 0
                    if evaluation == 0 and known == 1 and work[found + fe.FACTORED] == 1.0 and n_top < n_free:
                        # Only the nudge is another, and it acts on the last components alone.
                        copy_top(1, factor, n_top, n_free, columns, lower)
                        begin = n_top
                        more = beta - work[found + fe.BETA]
                        for q in range(loaded.shape[0]):
                            p = place[loaded[q]]
                            if p >= n_top:
                                lower[factor + p] = lower[factor + p] + more * grip[loaded[q]]
                    for attempt in range(80):
                        if begin == 0:
                            lifted = int(attempt > 0)
                            assemble(
                                bonds, factor, n_slots, n_bonds, lifted, stiff, n_free, frame, seats, slots, record,
                                lower, work,
                            )  # fmt: skip
                            for q in range(loaded.shape[0]):
                                p = place[loaded[q]]
                                if p >= 0:
                                    bend = work[node_curvature + loaded[q]]
                                    work[stiff + p] = work[stiff + p] + ti.abs(bend)
                                    if lifted == 1:
                                        bend = ti.max(bend, 0.0)
                                    lower[factor + p] = lower[factor + p] + bend
                            if shift > 0.0:
                                for f in range(n_free):
                                    lower[factor + f] = lower[factor + f] + shift * work[stiff + f]
                        bad, low = factorize(
                            begin, n_top, factor, n_free, ti.select(n_free > 0, 1e300, 0.0), stiff,
                            columns, entries, starts, updates, lower, work,
                        )  # fmt: skip
                        if attempt == 0:
                            pivot = low
                            if bad >= 0:
                                indefinite += 1
                        if bad < 0 or small:
                            break
                        begin = 0
                        shift = ti.max(8.0 * shift, FIRST_SHIFT)
                    factored = int(bad < 0 and shift == 0.0)
                    work[found + fe.FACTORED] = float(factored * int(begin == 0))
                    work[found + fe.BETA] = beta
                if small and bad < 0 and (sure == 1 or work[found + fe.TORN] > 0.0 or n_free == 0):
                    status = int(Status.CONVERGED)
                    if work[found + fe.TORN] > 0.0:
                        status = int(Status.SINGULAR)
                        indefinite += 1
                    break
                escaping = int(bad >= 0)
                if escaping == 1 and not (pivot < -PIVOT_FLOOR * work[stiff + bad]):
                    status = int(Status.SINGULAR)
                    break
                if escaping == 0:
                    for f in range(n_free):
                        work[step + f] = -work[gradient + f]
                    substitute(step, factor, forwards, lower, work)
                    for f in range(n_free):
                        work[step + f] = work[step + f] * lower[factor + f]
                else:
                    # Stationary but not a minimum: the curvature along z of L^T z = e_bad is that pivot.
                    for f in range(n_free):
                        work[step + f] = 0.0
                    work[step + bad] = 1.0
                substitute(step, factor, backwards, lower, work)
                if small and escaping == 0:
                    error, off = state_error(at, step, rest, n_free, n_state, place, part, work)
                    if off <= STATE_SLACK * tolerance:
                        status = int(Status.CONVERGED)
                        break
                    if not (off < NEARER * nearest):
                        status = int(Status.IMPRECISE)
                        break
                    nearest = off
                slope = 0.0
                top = 0.0
                for f in range(n_free):
                    slope += work[step + f] * work[gradient + f]
                    top = larger(ti.abs(work[step + f]), top)
                alpha = 1.0
                if escaping == 1:
                    factored = 0
                    longest = work[found + fe.LONGEST]
                    alpha = ESCAPE * ti.select(longest > 0.0, longest, 1.0) / top
                    if slope > 0.0:
                        alpha = -alpha
                elif ti.static(not projection):
                    turn = MAX_TURN * MAX_TURN
                    longest = work[found + fe.LONGEST]
                    for e in range(n_edges):
                        change = 0.0
                        length = 0.0
                        for c in ti.static(range(dim)):
                            i = ends[2 * e] + c
                            j = ends[2 * e + 1] + c
                            a = work[at + j] - work[at + i] + frame[e * (dim + 1) + c]
                            length += a * a
                            d = 0.0
                            if place[j] >= 0:
                                d += work[step + place[j]]
                            if place[i] >= 0:
                                d -= work[step + place[i]]
                            change += d * d
                        length = ti.max(length, 0.01 * longest * longest)
                        if change > turn * length and length > 0.0:  # bonds that all have no length set no scale
                            turn = change / length
                    if turn > MAX_TURN * MAX_TURN:
                        alpha = MAX_TURN / ti.sqrt(turn)
            for i in range(n_state):
                p = place[i]
                if p >= 0:
                    work[at + i] = state[start + i] + alpha * work[step + p]
        entry = b * ti.static(REPORT_SIZE)
        report[entry + ENERGY] = energy - knob_energy + still
        report[entry + RESIDUAL] = relative
        report[entry + STATE_ERROR] = error
        report[entry + EVALUATIONS] = evaluations
        report[entry + STATUS] = status
        report[entry + PIVOT] = pivot
        report[entry + INDEFINITE] = indefinite

    return relax_sample
