"""Gradient and Hessian of one sample in the rows of its matrix: each bond once, and nothing is kept of it.

What a bond contributes goes straight to the entries of its two rows, one bond after another: a fixed order, which keeps
results the same for any number of threads. A free stiffness is eliminated on the way.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportOptionalCall=false, reportIndexIssue=false
# (annotations of Taichi kernels are values, not types; laws are functions that Taichi compiles)

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.knobs import Coupling
from sandbox.physics.launch import Direct
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.relaxation.criteria import REST_SCALE
from sandbox.physics.relaxation.rows_bond_functions import bond_functions
from sandbox.physics.transverse import SHORTEST
from sandbox.physics.transverse_kernel import across

# What an evaluation reports. STILL: energy of what cannot move, the bonds between clamped nodes among it; SCALE: the
# largest force at play; NOISE: the most that the rounding of one scales with; LIFT: largest curvature that a majorant
# of the Hessian has more, DIAGONAL: largest entry.
ENERGY, STILL, KNOB_ENERGY, MAGNITUDE, WORST, LONGEST, SCALE, NOISE, LIFT, DIAGONAL, REPORT = range(11)

# What is evaluated besides the gradient.
GRADIENT, HESSIAN, MAJORANT = range(3)

NOT_FINITE = 1e300

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_ints = ti.types.ndarray(dtype=ti.i32, ndim=1)
_pairs = ti.types.ndarray(dtype=ti.i32, ndim=2)


class Kernels(NamedTuple):
    """``rows`` evaluates the rows; ``forces`` what meets at each; ``edges`` what is reported of each edge; ``turn`` how
    far bonds would turn.
    """

    rows: Callable[..., None]
    forces: Callable[..., float]
    edges: Callable[..., None]
    turn: Callable[..., float]


@lru_cache(maxsize=64)
def landscape_kernels(
    law: EdgeLaw, node_law: NodeLaw | None, dim: int, projection: bool, coupling: Coupling | None
) -> Kernels:
    """The kernels for one kind of material; no coupling stands for stiffnesses that are held."""
    runtime.start()
    edge_terms = in_kernel(law)
    node_terms = in_kernel(node_law) if node_law is not None else None
    n_fixed, n_node = len(law.fixed), len(node_law.parameters) if node_law is not None else 0
    has_node_law = node_law is not None
    stiffness_at, variable = bond_functions(law, dim, projection, coupling)
    block = dim * dim

    @ti.kernel
    def rows(
        task: ti.i32,
        partial: ti.i32,  # 1 if nodes of rows have clamped components
        n_rows: ti.i32,
        n_edges: ti.i32,
        entries: ti.i32,
        ends: _pairs,  # (bonds, 2) rows of the ends
        slots: _pairs,  # (bonds, 2) entries of the bond, -1 for none
        node: _ints,  # (n + clamped,) of each row, -1 for none
        frame: _matrix,  # (E + Q, D + 1) shift, or direction and offset
        held: _vector,  # (E,) stiffnesses
        fixed: _matrix,  # (parameters, E)
        knob: _matrix,  # (4, E) coordinate, compliance, lower and upper bound of the coordinate
        pair_springs: _matrix,  # (2, Q) stiffness, target
        node_parameters: _matrix,  # (parameters, N*D)
        outside: _matrix,  # (3, N*D) force, spring stiffness, spring target
        clamped: _ints,  # ((n + clamped)*D,) 1 where clamped
        state: _vector,  # (N*D,)
        here: _vector,  # ((n + clamped)*D,) the state by rows, out
        gradient: _vector,  # ((n + clamped)*D,), out
        values: _vector,  # ((entries + n)*D*D,), zero in padding, out unless only the gradient is asked for
        report: _vector,  # (REPORT,), out
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            for r in range(node.shape[0]):
                for c in ti.static(range(dim)):
                    here[r * dim + c] = state[node[r] * dim + c] if node[r] >= 0 else 0.0
                    gradient[r * dim + c] = 0.0
            # Summed in a cascade: the rounding of a plain sum of 10^6 energies would drown the last steps' gains.
            total_energy = 0.0
            many = 0.0
            few = 0.0
            knob_energy = 0.0
            magnitude = 0.0
            still = 0.0
            scale = 0.0
            noise = 0.0
            longest = 0.0
            lift = 0.0
            diagonal = entries * block
            if task > GRADIENT:
                for q in range(n_rows * block):
                    values[diagonal + q] = 0.0
            for e in range(ends.shape[0]):
                i = ends[e, 0]
                j = ends[e, 1]
                mine = ti.Vector.zero(ti.f64, dim)
                other = ti.Vector.zero(ti.f64, dim)
                reach = 0.0
                for c in ti.static(range(dim)):
                    mine[c] = here[i * dim + c]
                    other[c] = here[j * dim + c]
                    reach += ti.abs(mine[c]) + ti.abs(other[c])
                v, n = variable(e, mine, other, frame)
                tension = 0.0
                curvature = 0.0
                energy = 0.0
                if e < n_edges:
                    theta, energy_knob, softer = stiffness_at(v, e, held, fixed, knob)
                    others = [fixed[q, e] for q in ti.static(range(n_fixed))]
                    m = edge_terms(v, theta, *others)
                    energy = m[0]
                    tension = m[1]
                    curvature = m[2]
                    scale = ti.max(scale, ti.abs(tension))
                    scale = ti.max(scale, REST_SCALE * ti.abs(curvature * v))
                    curvature -= softer
                    longest = ti.max(longest, ti.abs(v))
                    knob_energy += energy_knob
                else:
                    k = pair_springs[0, e - n_edges]
                    stretch = v - pair_springs[1, e - n_edges]
                    energy = 0.5 * k * stretch * stretch
                    tension = k * stretch
                    curvature = k
                if i < n_rows or j < n_rows:
                    few += energy
                    magnitude += ti.abs(energy)
                    noise = ti.max(noise, ti.abs(tension) + ti.abs(curvature) * reach)
                else:
                    still += energy
                if e % 64 == 63:
                    many += few
                    few = 0.0
                    if e % 4096 == 4095:
                        total_energy += many
                        many = 0.0
                for c in ti.static(range(dim)):
                    gradient[i * dim + c] -= tension * n[c]
                    gradient[j * dim + c] += tension * n[c]
                if task > GRADIENT:
                    turning = 0.0
                    if ti.static(not projection):
                        turning = across(tension / ti.max(v, SHORTEST), tension, curvature, v, reach)
                    lift = ti.max(lift, ti.max(-curvature, -turning))
                    if task == MAJORANT:
                        turning = ti.max(turning, 0.0)
                        curvature = ti.max(curvature, 0.0)
                    for c in ti.static(range(dim)):
                        for d in ti.static(range(dim)):
                            entry = (curvature - turning) * n[c] * n[d]
                            if ti.static(c == d):
                                entry += turning
                            if i < n_rows:
                                values[diagonal + i * block + c * dim + d] += entry
                                values[slots[e, 0] * block + c * dim + d] = -entry
                            if j < n_rows:
                                values[diagonal + j * block + c * dim + d] += entry
                                values[slots[e, 1] * block + c * dim + d] = -entry
                    if partial == 1:
                        # Clamped components neither move nor resist.
                        for side in ti.static(range(2)):
                            r = j if ti.static(side == 1) else i
                            q = i if ti.static(side == 1) else j
                            if r < n_rows:
                                for c in ti.static(range(dim)):
                                    for d in ti.static(range(dim)):
                                        if clamped[r * dim + c] + clamped[r * dim + d] > 0:
                                            values[diagonal + r * block + c * dim + d] = 0.0
                                        if clamped[r * dim + c] + clamped[q * dim + d] > 0:
                                            values[slots[e, side] * block + c * dim + d] = 0.0
            total_energy += many + few
            many = 0.0
            few = 0.0
            worst = 0.0
            stiffest = 0.0
            for r in range(node.shape[0]):
                if node[r] >= 0:
                    for c in ti.static(range(dim)):
                        i = node[r] * dim + c
                        value = here[r * dim + c]
                        push = outside[0, i]
                        k = outside[1, i]
                        off = value - outside[2, i]
                        energy = 0.5 * k * off * off - push * value
                        slope = k * off - push
                        curvature = k
                        if ti.static(has_node_law):
                            parameters = [node_parameters[q, i] for q in ti.static(range(n_node))]
                            m = node_terms(value, *parameters)
                            energy += m[0]
                            slope += m[1]
                            curvature += m[2]
                            scale = ti.max(scale, ti.abs(m[1]))
                        scale = ti.max(scale, ti.abs(push))
                        noise = ti.max(noise, ti.abs(slope) + ti.abs(curvature * value))
                        if r < n_rows and clamped[r * dim + c] == 0:
                            few += energy
                            magnitude += ti.abs(energy)
                            total = gradient[r * dim + c] + slope
                            gradient[r * dim + c] = total
                            size = ti.abs(total)
                            if not (size < NOT_FINITE):
                                size = 2.0 * NOT_FINITE
                            worst = ti.max(worst, size)
                            if task > GRADIENT:
                                lift = ti.max(lift, -curvature)
                                if task == MAJORANT:
                                    curvature = ti.max(curvature, 0.0)
                                at = diagonal + r * block + c * dim + c
                                values[at] += curvature
                                stiffest = ti.max(stiffest, ti.abs(values[at]))
                        else:
                            still += energy
                            gradient[r * dim + c] = 0.0
                if r % 64 == 63:
                    many += few
                    few = 0.0
                    if r % 4096 == 4095:
                        total_energy += many
                        many = 0.0
            report[ENERGY] = total_energy + many + few
            report[STILL] = still
            report[KNOB_ENERGY] = knob_energy
            report[MAGNITUDE] = magnitude + knob_energy
            report[WORST] = worst
            report[LONGEST] = longest
            report[SCALE] = scale
            report[NOISE] = noise
            report[LIFT] = lift
            report[DIAGONAL] = stiffest

    @ti.kernel
    def forces(
        n_edges: ti.i32,
        ends: _pairs,  # (bonds, 2) rows of the ends
        node: _ints,
        frame: _matrix,
        held: _vector,
        fixed: _matrix,
        knob: _matrix,
        pair_springs: _matrix,
        node_parameters: _matrix,
        outside: _matrix,
        clamped: _ints,
        n_rows: ti.i32,
        state: _vector,  # (N*D,)
        here: _vector,  # ((n + clamped)*D,) the state by rows, out
        meet: _matrix,  # ((n + clamped), 2) forces that meet at the node of each row, and what their rounding scales by
    ) -> ti.f64:
        """Sum at every node the magnitudes of the forces that meet there, and of what their rounding scales with.

        Returns the least curvature that is not zero, of the bonds and springs that can move.
        """
        softest = NOT_FINITE
        ti.loop_config(serialize=True)
        for _ in range(1):
            for r in range(node.shape[0]):
                meet[r, 0] = 0.0
                meet[r, 1] = 0.0
                for c in ti.static(range(dim)):
                    here[r * dim + c] = state[node[r] * dim + c] if node[r] >= 0 else 0.0
            for e in range(ends.shape[0]):
                i = ends[e, 0]
                j = ends[e, 1]
                mine = ti.Vector.zero(ti.f64, dim)
                other = ti.Vector.zero(ti.f64, dim)
                reach = 0.0
                for c in ti.static(range(dim)):
                    mine[c] = here[i * dim + c]
                    other[c] = here[j * dim + c]
                    reach += ti.abs(mine[c]) + ti.abs(other[c])
                v, _n = variable(e, mine, other, frame)
                lost = 0.0
                curvature = 0.0
                if e < n_edges:
                    theta, _energy, softer = stiffness_at(v, e, held, fixed, knob)
                    others = [fixed[q, e] for q in ti.static(range(n_fixed))]
                    m = edge_terms(v, theta, *others)
                    at_play = ti.max(ti.abs(m[1]), REST_SCALE * ti.abs(m[2] * v))
                    meet[i, 0] += at_play
                    meet[j, 0] += at_play
                    curvature = ti.abs(m[2] - softer)
                    lost = ti.abs(m[1]) + curvature * reach
                else:
                    curvature = ti.abs(pair_springs[0, e - n_edges])
                    lost = curvature * (ti.abs(v - pair_springs[1, e - n_edges]) + reach)
                if curvature > 0.0 and (i < n_rows or j < n_rows):
                    softest = ti.min(softest, curvature)
                meet[i, 1] += lost
                meet[j, 1] += lost
            for r in range(node.shape[0]):
                if node[r] >= 0:
                    for c in ti.static(range(dim)):
                        i = node[r] * dim + c
                        value = here[r * dim + c]
                        slope = outside[1, i] * (value - outside[2, i]) - outside[0, i]
                        curvature = outside[1, i]
                        meet[r, 0] += ti.abs(outside[0, i])
                        if ti.static(has_node_law):
                            parameters = [node_parameters[q, i] for q in ti.static(range(n_node))]
                            m = node_terms(value, *parameters)
                            meet[r, 0] += ti.abs(m[1])
                            slope += m[1]
                            curvature += m[2]
                        meet[r, 1] += ti.abs(slope) + ti.abs(curvature * value)
                        if curvature != 0.0 and r < n_rows and clamped[r * dim + c] == 0:
                            softest = ti.min(softest, ti.abs(curvature))
        return softest

    @ti.kernel
    def edges(
        n_edges: ti.i32,
        ends: _pairs,
        frame: _matrix,
        held: _vector,
        fixed: _matrix,
        knob: _matrix,
        state: _vector,
        stiffness: _vector,  # (E,), out
        pull: _vector,  # (E,) dE/dtheta, out
    ):
        """Stiffnesses and the forces on them."""
        ti.loop_config(serialize=True)
        for e in range(n_edges):
            mine = ti.Vector.zero(ti.f64, dim)
            other = ti.Vector.zero(ti.f64, dim)
            for c in ti.static(range(dim)):
                mine[c] = state[ends[e, 0] * dim + c]
                other[c] = state[ends[e, 1] * dim + c]
            v, _n = variable(e, mine, other, frame)
            theta, _energy, _softer = stiffness_at(v, e, held, fixed, knob)
            others = [fixed[q, e] for q in ti.static(range(n_fixed))]
            m = edge_terms(v, theta, *others)
            stiffness[e] = theta
            pull[e] = m[3]

    @ti.kernel
    def turn(
        n_rows: ti.i32,
        n_edges: ti.i32,
        ends: _pairs,
        frame: _matrix,
        here: _vector,  # ((n + clamped)*D,) where the rows are
        move: _vector,  # (n*D,)
        longest: ti.f64,
    ) -> ti.f64:
        """Largest move of a bond's vector in its length, or in a tenth of the longest edge if that is more."""
        most = 0.0
        ti.loop_config(serialize=True)
        for e in range(n_edges):
            i = ends[e, 0]
            j = ends[e, 1]
            squared = 0.0
            moved = 0.0
            for c in ti.static(range(dim)):
                squared += (here[j * dim + c] - here[i * dim + c] + frame[e, c]) ** 2
                step = 0.0
                if i < n_rows:
                    step -= move[i * dim + c]
                if j < n_rows:
                    step += move[j * dim + c]
                moved += step * step
            if longest > 0.0:  # bonds that all have no length set no scale
                most = ti.max(most, moved / ti.max(squared, 0.01 * longest * longest))
        return ti.sqrt(most)

    return Kernels(Direct(rows), Direct(forces), Direct(edges), Direct(turn))
