"""The law of every edge of every sample, evaluated by kernels generated per law.

Results are left edge by edge, to be gathered by node (:mod:`sandbox.physics.assembly`); nothing is scattered, so that
they do not depend on the number of threads. A free stiffness is eliminated here: the edge is minimized over it, which
gives another edge law of the same sparsity. A stiffness is shared by the samples of a batch, so it minimizes the
knob's energy plus the *mean* over the samples; all energies are those of a sample, and the knobs count once per sample.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.knobs import Coupling
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.relaxation.criteria import REST_SCALE
from sandbox.physics.transverse import SHORTEST
from sandbox.physics.transverse_kernel import across

# Rows of the table of a bond. VARIABLE: v of the law; PLAY: the force at play; NOISE: what its rounding scales with;
# ACROSS: the curvature across the bond, only in true geometry.
ENERGY, TENSION, CURVATURE, VARIABLE, PLAY, NOISE, ACROSS, TABLE_ROWS = range(8)
# Rows of the table of an edge's stiffness: dE/dtheta, and d2E/dv dphi with phi the coordinate of the knob.
PULL, MIXED, PULL_ROWS = range(3)
# Rows of the table of stiffnesses: value, knob energy per sample, and how far the coordinate phi gives way per unit
# force summed over the samples (0 where held or at a bound).
THETA, KNOB_ENERGY, GIVE, STIFFNESS_ROWS = range(4)

LOCAL_STEPS = 60  # of Newton's method for a stiffness in which its energy is not quadratic

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_tensor = ti.types.ndarray(dtype=ti.f64, ndim=3)
_index_table = ti.types.ndarray(dtype=ti.i32, ndim=2)


@lru_cache(maxsize=64)
def edge_kernel(law: EdgeLaw, dim: int, projection: bool, coupling: Coupling) -> Callable[..., None]:
    """The kernel that evaluates every bond of every sample; compiled at its first call, cached by law."""
    runtime.start()
    edge_terms = in_kernel(law)
    n_fixed = len(law.fixed)
    log_knobs = coupling == "log"
    local_steps = 1 if law.is_quadratic_in_stiffness and not log_knobs else LOCAL_STEPS

    @ti.kernel
    def evaluate(
        n_edges: ti.i32,
        ends: _index_table,  # (E + Q, 2) edges, then pairs
        frame: _matrix,  # (E + Q, D + 1) shift, or direction and offset
        held: _vector,  # (E,) stiffnesses
        fixed: _matrix,  # (parameters, E)
        knob: _matrix,  # (4, E) coordinate, compliance, lower and upper bound of the coordinate
        pair_springs: _tensor,  # (A, 2, Q) stiffness, target
        state: _matrix,  # (A, N*D)
        table: _tensor,  # (TABLE_ROWS, A, E + Q), out
        pulls: _tensor,  # (PULL_ROWS, A, E), out
        stiffnesses: _matrix,  # (STIFFNESS_ROWS, E), out
        normal: _matrix,  # ((E + Q)*D, A) derivative of v in the second node's components, out
        force: _matrix,  # ((E + Q)*D, A) tension*normal, out
    ):
        n_samples = state.shape[0]
        for e, b in ti.ndrange(ends.shape[0], n_samples):
            i = ends[e, 0] * dim
            j = ends[e, 1] * dim
            v = 0.0
            if ti.static(projection):
                v = frame[e, dim]
                for c in ti.static(range(dim)):
                    normal[e * dim + c, b] = frame[e, c]
                    v += frame[e, c] * (state[b, j + c] - state[b, i + c])
            else:
                n = ti.Vector.zero(ti.f64, dim)
                for c in ti.static(range(dim)):
                    n[c] = state[b, j + c] - state[b, i + c] + frame[e, c]
                v = n.norm()
                for c in ti.static(range(dim)):
                    normal[e * dim + c, b] = n[c] / ti.max(v, SHORTEST)
            table[VARIABLE, b, e] = v

        for e in range(n_edges):
            theta = held[e]
            give = 0.0
            knob_energy = 0.0
            eps = knob[1, e]
            if eps > 0.0:
                others = [fixed[q, e] for q in ti.static(range(n_fixed))]
                rigidity = n_samples / eps
                phi = theta
                if ti.static(log_knobs):
                    phi = ti.log(theta)
                phi = ti.min(ti.max(phi, knob[2, e]), knob[3, e])
                second = rigidity
                for _ in range(local_steps):
                    theta = phi
                    if ti.static(log_knobs):
                        theta = ti.exp(phi)
                    first = rigidity * (phi - knob[0, e])
                    second = rigidity
                    for b in range(n_samples):
                        m = edge_terms(table[VARIABLE, b, e], theta, *others)
                        if ti.static(log_knobs):
                            first += m[3] * theta
                            second += m[4] * theta * theta + m[3] * theta
                        else:
                            first += m[3]
                            second += m[4]
                    bend = second
                    if bend < 0.1 * rigidity:  # not convex here: a bounded step downhill
                        bend = rigidity + ti.abs(second - rigidity)
                    better = phi - first / bend
                    better = ti.min(ti.max(better, knob[2, e]), knob[3, e])
                    moved = ti.abs(better - phi)
                    phi = better
                    if moved <= 4e-16 * (1.0 + ti.abs(phi)):
                        break
                theta = phi
                if ti.static(log_knobs):
                    theta = ti.exp(phi)
                if (phi > knob[2, e]) and (phi < knob[3, e]):
                    give = 1.0 / ti.max(second, 1e-12 * rigidity)
                knob_energy = 0.5 * (phi - knob[0, e]) * (phi - knob[0, e]) / eps
            stiffnesses[THETA, e] = theta
            stiffnesses[KNOB_ENERGY, e] = knob_energy
            stiffnesses[GIVE, e] = give

        for e, b in ti.ndrange(ends.shape[0], n_samples):
            i = ends[e, 0] * dim
            j = ends[e, 1] * dim
            v = table[VARIABLE, b, e]
            energy = 0.0
            tension = 0.0
            curvature = 0.0
            play = 0.0
            if e < n_edges:
                theta = stiffnesses[THETA, e]
                others = [fixed[q, e] for q in ti.static(range(n_fixed))]
                m = edge_terms(v, theta, *others)
                energy = m[0]
                tension = m[1]
                curvature = m[2]
                play = ti.max(ti.abs(tension), REST_SCALE * ti.abs(m[2] * v))
                mixed = 0.0  # typed before it is assigned: a derivative may be a whole number
                mixed = m[5]
                if ti.static(log_knobs):
                    mixed = m[5] * theta
                pulls[PULL, b, e] = m[3]
                pulls[MIXED, b, e] = mixed
                if n_samples == 1 and stiffnesses[GIVE, e] > 0.0:
                    # The stiffness belongs to this sample alone, and its giving way softens the edge.
                    curvature -= mixed * mixed * stiffnesses[GIVE, e]
            else:
                k = pair_springs[b, 0, e - n_edges]
                stretch = v - pair_springs[b, 1, e - n_edges]
                energy = 0.5 * k * stretch * stretch
                tension = k * stretch
                curvature = k
            reach = 0.0
            for c in ti.static(range(dim)):
                reach += ti.abs(state[b, i + c]) + ti.abs(state[b, j + c])
                force[e * dim + c, b] = tension * normal[e * dim + c, b]
            table[ENERGY, b, e] = energy
            table[TENSION, b, e] = tension
            table[CURVATURE, b, e] = curvature
            table[PLAY, b, e] = play
            table[NOISE, b, e] = ti.abs(tension) + ti.abs(curvature) * reach
            if ti.static(not projection):
                table[ACROSS, b, e] = across(tension / ti.max(v, SHORTEST), tension, curvature, v, reach)

    return evaluate


@lru_cache(maxsize=8)
def block_kernel(dim: int, projection: bool) -> Callable[..., None]:
    """The kernel that makes each bond's Hessian block, and what lifts the block's negative eigenvalues to zero."""
    runtime.start()
    size = dim * (dim + 1) // 2

    @ti.kernel
    def blocks(
        table: _tensor,  # (TABLE_ROWS, A, E + Q)
        normal: _matrix,  # ((E + Q)*D, A)
        block: _matrix,  # ((E + Q)*S, A) lower triangle by rows, S = D*(D + 1)/2, out
        lift: _matrix,  # the same, out
    ):
        for e, b in ti.ndrange(table.shape[2], table.shape[1]):
            curvature = table[CURVATURE, b, e]
            turning = 0.0
            if ti.static(not projection):
                turning = table[ACROSS, b, e]
            lift_along = ti.max(-curvature, 0.0)
            lift_across = ti.max(-turning, 0.0)
            for c in ti.static(range(dim)):
                for d in ti.static(range(c + 1)):
                    nn = normal[e * dim + c, b] * normal[e * dim + d, b]
                    row = e * size + ti.static(c * (c + 1) // 2 + d)
                    block[row, b] = (curvature - turning) * nn
                    lift[row, b] = (lift_along - lift_across) * nn
                    if ti.static(c == d):
                        block[row, b] += turning
                        lift[row, b] += lift_across

    return blocks
