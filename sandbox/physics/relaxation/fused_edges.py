"""The edges' part of the fused relaxation: energy and forces in one pass over the bonds, and their Hessian.

The pass leaves what the Hessian is made of with the bonds, so that it is put together only where it is factored, and
what is known of the edges outlives a change of what nudges the nodes.

No ``from __future__ import annotations`` here: Taichi reads the annotations of its functions.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportIndexIssue=false
# (Annotations are Taichi's types, and laws are functions that Taichi compiles.)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics.knobs import Coupling
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.relaxation.criteria import REST_SCALE
from sandbox.physics.transverse import SHORTEST
from sandbox.physics.transverse_kernel import across

# What a pass over the bonds found, in the sample's memory. PLAY: the largest tension of an edge; STRONG: that of any
# bond; LEAST: the least curvature of a bond, STIFFEST the largest one along or across a bond; TORN: stiffnesses at a
# maximum of their own energy; STILL: the energy of bonds between clamped nodes, which push nobody. Then what the last
# factorization left: whether it is good for what it was made of, and under which nudging.
ENERGY, KNOBS, MAGNITUDE, PLAY, STRONG, LONGEST, LEAST, STIFFEST, TORN, STILL, FACTORED, BETA, FOUND = range(13)


# What it recorded of each bond; MIXED is the change of the tension with the stiffness, PULL the energy's; the last two,
# the curvature across the bond and its direction, only in true geometry.
TENSION, ALONG, MIXED, STIFFNESS, PULL, ACROSS, DIRECTION = range(7)


def width(dim: int, projection: bool) -> int:
    """Numbers in the record of a bond."""
    return ACROSS if projection else DIRECTION + dim


@ti.func
def larger(a: ti.f64, b: ti.f64) -> ti.f64:
    """The larger one, b where one is not a number: an instruction where ``ti.max`` takes three."""
    return ti.select(a > b, a, b)


@ti.func
def smaller(a: ti.f64, b: ti.f64) -> ti.f64:
    """The smaller one, b where one is not a number."""
    return ti.select(a < b, a, b)


@lru_cache(maxsize=64)
def edge_functions(
    law: EdgeLaw, dim: int, projection: bool, coupling: Coupling
) -> tuple[Callable[..., None], Callable[..., int], Callable[..., None]]:
    """``evaluate``, ``let_go`` and ``assemble`` for one kind of material, to be called in kernels."""
    edge_terms = in_kernel(law)
    n_fixed = len(law.fixed)
    log_knobs = coupling == "log"
    in_closed_form = law.is_affine_in_stiffness and not log_knobs
    local_steps = 1 if law.is_quadratic_in_stiffness and not log_knobs else 60
    size = width(dim, projection)

    @ti.func
    def stiffness_of(phi: ti.f64) -> ti.f64:
        value = phi
        if ti.static(log_knobs):
            value = ti.exp(phi)
        return value

    @ti.func
    def geometry(at: ti.i32, e: ti.i32, ends: ti.template(), frame: ti.template(), work: ti.template()):
        """Length (or projected difference) of a bond, its inverse, direction, and the reach of its ends."""
        i = at + ends[2 * e]
        j = at + ends[2 * e + 1]
        n = ti.Vector.zero(ti.f64, dim)
        v = 0.0
        inverse = 0.0
        reach = 0.0
        for c in ti.static(range(dim)):
            apart = work[j + c] - work[i + c]
            if ti.static(projection):
                n[c] = frame[e * (dim + 1) + c]
                v += n[c] * apart
            else:
                n[c] = apart + frame[e * (dim + 1) + c]
                reach += ti.abs(work[j + c]) + ti.abs(work[i + c])
        if ti.static(projection):
            v += frame[e * (dim + 1) + dim]
        else:
            v = n.norm()
            inverse = 1.0 / larger(v, SHORTEST)
            for c in ti.static(range(dim)):
                n[c] *= inverse
        return v, inverse, n, reach

    @ti.func
    def leave(
        at: ti.i32,  # of the record of the bond
        force: ti.i32,
        e: ti.i32,
        tension: ti.f64,
        curvature: ti.f64,
        turning: ti.f64,
        n: ti.template(),
        seats: ti.template(),
        record: ti.template(),
        work: ti.template(),
    ):
        """Record what the Hessian of a bond is made of, and add its forces."""
        record[at + TENSION] = tension
        record[at + ALONG] = curvature
        if ti.static(not projection):
            record[at + ACROSS] = turning
            for c in ti.static(range(dim)):
                record[at + DIRECTION + c] = n[c]
        for c in ti.static(range(dim)):
            first = force + seats[e * 2 * dim + c]
            work[first] = work[first] - tension * n[c]
            second = force + seats[e * 2 * dim + dim + c]
            work[second] = work[second] + tension * n[c]

    @ti.func
    def evaluate(
        at: ti.i32,  # offset in work: the state, then as written below
        edge_force: ti.i32,
        bonds: ti.i32,
        found: ti.i32,
        n_free: ti.i32,
        n_state: ti.i32,
        n_bonds: ti.i32,
        m: ti.i32,
        row: ti.i32,
        free: ti.f64,
        beta: ti.f64,
        n_edges: ti.i32,
        ends: ti.template(),
        frame: ti.template(),
        held: ti.template(),
        fixed: ti.template(),
        knob: ti.template(),
        pair_springs: ti.template(),
        grip: ti.template(),
        seats: ti.template(),
        bond_part: ti.template(),
        record: ti.template(),
        work: ti.template(),
    ):
        """Energy and forces; what :func:`width` counts is recorded of every bond."""
        for f in range(n_free + 1):
            work[edge_force + f] = 0.0
        total = 0.0
        knobs = 0.0
        magnitude = 0.0
        at_play = 0.0
        longest = 0.0
        torn = 0.0
        still = 0.0
        least = 1e300
        stiffest = 0.0
        for e in range(n_edges):
            v, inverse, n, reach = geometry(at, e, ends, frame, work)
            theta = held[row * n_edges + e]
            others = [fixed[q * n_edges + e] for q in ti.static(range(n_fixed))]
            k = 4 * (row * n_edges + e)
            eps = knob[k + 1] * free
            reduction = 0.0
            if eps > 0.0:
                # Minimize over the stiffness of this edge: another edge law, of the same sparsity.
                u = knob[k]
                low = knob[k + 2]
                high = knob[k + 3]
                phi = theta
                if ti.static(in_closed_form):
                    term = edge_terms(v, theta, *others)
                    first = 0.0
                    first = term[3]
                    phi = u - eps * first
                    if phi > low and phi < high:
                        mixed = 0.0
                        mixed = term[5]
                        reduction = eps * mixed * mixed
                        knobs += 0.5 * eps * first * first
                    else:
                        phi = ti.min(ti.max(phi, low), high)
                        knobs += (u - phi) * (u - phi) / (2.0 * eps)
                    theta = phi
                else:
                    if ti.static(log_knobs):
                        phi = ti.log(theta)
                    phi = ti.min(ti.max(phi, low), high)
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
                        h = (phi - u) / eps + first
                        bend = 1.0 / eps + second
                        if bend < 0.1 / eps:  # not convex here: a bounded step downhill
                            bend = 1.0 / eps + ti.abs(second)
                        better = phi - h / bend
                        better = ti.min(ti.max(better, low), high)
                        moved = ti.abs(better - phi)
                        phi = better
                        if moved <= 4e-16 * (1.0 + ti.abs(phi)):
                            break
                    theta = stiffness_of(phi)
                    if phi > low and phi < high:
                        term = edge_terms(v, theta, *others)
                        second = 0.0
                        mixed = 0.0
                        second = term[4]
                        mixed = term[5]
                        if ti.static(log_knobs):
                            second = term[4] * theta * theta + term[3] * theta
                            mixed = term[5] * theta
                        if not (1.0 / eps + second > 0.0):
                            torn += 1.0
                        reduction = mixed * mixed / ti.max(1.0 / eps + second, 1e-12 / eps)
                    knobs += (u - phi) * (u - phi) / (2.0 * eps)
            term = edge_terms(v, theta, *others)
            tension = 0.0
            tension = term[1]
            curvature = term[2] - reduction
            record[bonds + e * size + STIFFNESS] = theta
            record[bonds + e * size + PULL] = term[3]
            turning = 0.0
            if ti.static(not projection):
                turning = across(tension * inverse, tension, curvature, v, reach)
            if bond_part[e] >= 0:
                at_play = larger(ti.abs(tension), at_play)
                at_play = larger(REST_SCALE * ti.abs(term[2] * v), at_play)
                longest = larger(ti.abs(v), longest)
                least = smaller(curvature, least)
                stiffest = larger(curvature, stiffest)
                stiffest = larger(turning, stiffest)
                total += term[0]
                magnitude += ti.abs(term[0])
            else:
                still += term[0]
            if ti.static(in_closed_form):
                record[bonds + e * size + MIXED] = term[5]
            leave(bonds + e * size, edge_force, e, tension, curvature, turning, n, seats, record, work)
        strong = at_play
        for q in range(n_bonds - n_edges):
            e = n_edges + q
            v, inverse, n, reach = geometry(at, e, ends, frame, work)
            of_pair = m * 2 * (n_bonds - n_edges) + q
            k = pair_springs[of_pair] + beta * grip[n_state + q]
            stretch = v - pair_springs[of_pair + n_bonds - n_edges]
            tension = k * stretch
            turning = 0.0
            if ti.static(not projection):
                turning = across(tension * inverse, tension, k, v, reach)
            if bond_part[e] >= 0:
                if k < 0.0:
                    least = smaller(k, least)
                stiffest = larger(k, stiffest)
                stiffest = larger(turning, stiffest)
                strong = larger(ti.abs(tension), strong)
                total += 0.5 * tension * stretch
                magnitude += 0.5 * ti.abs(tension * stretch)
            else:
                still += 0.5 * tension * stretch
            leave(bonds + e * size, edge_force, e, tension, k, turning, n, seats, record, work)
        work[found + ENERGY] = total
        work[found + KNOBS] = knobs
        work[found + MAGNITUDE] = magnitude
        work[found + PLAY] = at_play
        work[found + STRONG] = strong
        work[found + LONGEST] = longest
        work[found + LEAST] = least
        work[found + STIFFEST] = stiffest
        work[found + TORN] = torn
        work[found + STILL] = still
        work[found + FACTORED] = 0.0

    @ti.func
    def let_go(
        bonds: ti.i32,
        found: ti.i32,
        row: ti.i32,
        n_edges: ti.i32,
        knob: ti.template(),
        bond_part: ti.template(),
        record: ti.template(),
        work: ti.template(),
    ) -> ti.i32:
        """Make of the record of a pass over held stiffnesses that of one over free ones; 0 if this cannot.

        For stiffnesses in closed form inside their bounds, whose knobs hold them where they are: no force changes,
        and only the curvatures are others. There must be no pairs.
        """
        knobs = 0.0
        least = 1e300
        stiffest = 0.0
        for e in range(n_edges):
            at = bonds + e * size
            eps = knob[4 * (row * n_edges + e) + 1]
            first = record[at + PULL]
            mixed = record[at + MIXED]
            curvature = record[at + ALONG] - eps * mixed * mixed
            record[at + ALONG] = curvature
            knobs += 0.5 * eps * first * first
            if bond_part[e] >= 0:
                least = smaller(curvature, least)
                stiffest = larger(curvature, stiffest)
                if ti.static(not projection):
                    stiffest = larger(record[at + ACROSS], stiffest)
        work[found + KNOBS] = knobs
        work[found + LEAST] = least
        work[found + STIFFEST] = stiffest
        work[found + FACTORED] = 0.0
        return int(ti.static(in_closed_form))

    @ti.func
    def assemble(
        bonds: ti.i32,
        hessian: ti.i32,
        n_slots: ti.i32,
        n_bonds: ti.i32,
        lifted: ti.i32,  # 1: negative eigenvalues of every bond's block, along and across it, become zero
        stiff: ti.i32,
        n_free: ti.i32,
        frame: ti.template(),
        seats: ti.template(),
        slots: ti.template(),
        record: ti.template(),
        lower: ti.template(),
        work: ti.template(),
    ):
        """The bonds' part of the Hessian, in the slots of the plan; and how stiff they are at each free component."""
        entries = ti.static(dim * (dim + 1) + dim * dim)
        for s in range(n_slots + 1):
            lower[hessian + s] = 0.0
        for f in range(n_free + 1):
            work[stiff + f] = 0.0
        for e in range(n_bonds):
            at = bonds + e * size
            along = record[at + ALONG]
            turning = 0.0
            n = ti.Vector.zero(ti.f64, dim)
            for c in ti.static(range(dim)):
                if ti.static(projection):
                    n[c] = frame[e * (dim + 1) + c]
                else:
                    n[c] = record[at + DIRECTION + c]
            if ti.static(not projection):
                turning = record[at + ACROSS]
            stiffer = larger(ti.abs(along), turning)  # compression across a bond resists nothing
            for c in ti.static(range(2 * dim)):
                seat = stiff + seats[e * 2 * dim + c]
                work[seat] = work[seat] + stiffer
            if lifted == 1:
                along = ti.max(along, 0.0)
                turning = ti.max(turning, 0.0)
            for c in ti.static(range(dim)):
                for d in ti.static(range(dim)):
                    entry = (along - turning) * n[c] * n[d]
                    if ti.static(c == d):
                        entry += turning
                    if ti.static(d <= c):
                        low = ti.static(c * (c + 1) // 2 + d)
                        first = hessian + slots[e * entries + low]
                        lower[first] = lower[first] + entry
                        second = hessian + slots[e * entries + ti.static(dim * (dim + 1) // 2) + low]
                        lower[second] = lower[second] + entry
                    between = hessian + slots[e * entries + ti.static(dim * (dim + 1) + c * dim + d)]
                    lower[between] = lower[between] - entry

    return evaluate, let_go, assemble
