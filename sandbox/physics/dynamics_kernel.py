"""The kernels of dynamics: one pass over the network for each time step.

A pass at step n takes the positions x_n, evaluates the forces there, completes the velocities v_n (the last half kick
of the step before), lets them be recorded, and goes on to x_{n+1}: half kick, half drift, friction and noise, half
drift (BAOAB; Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34). Without friction this is velocity Verlet. One
evaluation of the forces a step, and a run can start at any (x_n, v_n).

Two forms give the same bits:

- *by sample*: many steps in a launch, one thread per sample, each bond evaluated once and its force scattered to both
  ends, serially in the order of the edges;
- *by node*: many steps in a launch, in parallel over parts of the nodes, each part with the bonds that have an end in
  it, in the order of the edges. A bond between two parts is evaluated in both, for one end each, from an image of the
  other end, since whoever has that part may have moved it already. So every node adds up the same forces in the same
  order whatever the parts are, and whoever works on them. A thread begins with the parts that it had in the step
  before, which are in its cache, and then helps with those that are left; the next step begins when none is.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import taichi as ti
from taichi.lang import impl

from sandbox.physics import runtime
from sandbox.physics.dynamics_tables import FIRST, INSIDE
from sandbox.physics.launch import Direct
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.randomness import four_normals
from sandbox.physics.runtime import SPREAD

HUGE = 1e300

POTENTIAL, KINETIC = 0, 1

Bath = Literal["none", "friction", "langevin"]

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_tensor = ti.types.ndarray(dtype=ti.f64, ndim=3)
_indices = ti.types.ndarray(dtype=ti.i32, ndim=1)
_words = ti.types.ndarray(dtype=ti.u32, ndim=1)
_steps = ti.types.ndarray(dtype=ti.i64, ndim=1)


@dataclass(frozen=True)
class Kind:
    """What kernels are compiled for: the kind of material and boundary, never one network.

    Args:
        projection: whether the variable of a bond is linear in the state (see ``Material.frame``).
        shifted: whether some bond crosses a periodic boundary; always true for ``projection``.
        pairs: whether there are springs across pairs.
        outside: whether there are external forces or springs to targets.
        driven: whether some clamped component moves.
        bath: what the velocities exchange with: nothing, friction, or friction and noise.
    """

    law: EdgeLaw
    node_law: NodeLaw | None
    dim: int
    projection: bool
    shifted: bool
    pairs: bool
    outside: bool
    driven: bool
    bath: Bath
    parallel: bool


class Kernels(NamedTuple):
    by_sample: Callable[..., None]
    by_node: Callable[..., None]
    measure: Callable[..., None]
    set_walls: Callable[..., None]


@lru_cache(maxsize=64)
def dynamics_kernels(kind: Kind) -> Kernels:
    """The kernels for one kind of system; each is compiled at its first call.

    Arrays are flat: component c of node i of sample b is at ``(b*N + i)*D + c`` where it depends on the sample, at
    ``i*D + c`` where it does not. Frames have D + 1 entries a bond: periodic shift, or direction and offset.
    """
    runtime.start()
    edge_terms = in_kernel(kind.law)
    node_terms: Any = in_kernel(kind.node_law) if kind.node_law is not None else None
    n_parameters = len(kind.law.parameters)
    n_node_parameters = len(kind.node_law.parameters) if kind.node_law is not None else 0
    has_node_law = node_terms is not None
    dim, width = kind.dim, kind.dim + 1
    projection, shifted, pairs, outside = kind.projection, kind.shifted, kind.pairs, kind.outside
    spread = SPREAD if kind.parallel else 1
    driven, friction, noise, parallel = kind.driven, kind.bath != "none", kind.bath == "langevin", kind.parallel

    @ti.func
    def gap_between(x: ti.template(), i, j):
        gap = ti.Vector.zero(ti.f64, dim)
        for c in ti.static(range(dim)):
            gap[c] = x[j + c] - x[i + c]
        return gap

    @ti.func
    def variable(gap, frame: ti.template(), row, crossing: ti.template()):
        """Vector along which a bond pulls, and the variable of its law; ``gap``: from its first end to its second."""
        n = gap
        v = 0.0
        if ti.static(projection):
            v = frame[row * width + dim]
            for c in ti.static(range(dim)):
                n[c] = frame[row * width + c]
                v += n[c] * gap[c]
        else:
            square = 0.0
            for c in ti.static(range(dim)):
                if ti.static(crossing):
                    n[c] += frame[row * width + c]
                square += n[c] * n[c]
            v = ti.sqrt(square)
        return n, v

    @ti.func
    def per_length(tension, v):
        pull = tension
        if ti.static(not projection):
            pull = tension / ti.max(v, 1e-300)
        return pull

    @ti.func
    def row_of(e, rows: ti.template()):
        row = e
        if ti.static(not projection and shifted):
            row = rows[e]
        return row

    @ti.func
    def pull_of(v, e, parameters: ti.template(), strides):
        arguments = [parameters[q, e * strides[q]] for q in ti.static(range(n_parameters))]
        return per_length(edge_terms(v, *arguments)[1], v)

    @ti.func
    def energy_of(
        x: ti.template(), i, j, e, rows: ti.template(), frame: ti.template(), parameters: ti.template(), strides
    ):
        _, v = variable(gap_between(x, i, j), frame, row_of(e, rows), shifted)
        arguments = [parameters[q, e * strides[q]] for q in ti.static(range(n_parameters))]
        return edge_terms(v, *arguments)[0]

    @ti.func
    def pair_energy(gap, b, q, pair_frame: ti.template(), pair_springs: ti.template()):
        _, v = variable(gap, pair_frame, q, False)
        off = v - pair_springs[b, 1, q]
        return 0.5 * pair_springs[b, 0, q] * off * off

    @ti.func
    def pair_force(gap, b, q, pair_frame: ti.template(), pair_springs: ti.template()):
        n, v = variable(gap, pair_frame, q, False)
        return n * per_length(pair_springs[b, 0, q] * (v - pair_springs[b, 1, q]), v)

    @ti.func
    def steps_of(strides: ti.template()):
        return ti.Vector([strides[q] for q in ti.static(range(n_parameters))])

    @ti.func
    def pull_both(
        first,
        last,
        origin,
        x: ti.template(),
        ends: ti.template(),
        rows: ti.template(),
        frame: ti.template(),
        parameters: ti.template(),
        strides,
        force: ti.template(),
    ):
        """Add the forces of bonds on both of their ends.

        Bonds that follow each other often begin at the same node: its position and force stay in registers.
        """
        i = -1
        begin = ti.Vector.zero(ti.f64, dim)
        sum = ti.Vector.zero(ti.f64, dim)
        for e in range(first, last):
            if origin + ends[2 * e] * dim != i:
                if i >= 0:
                    for c in ti.static(range(dim)):
                        force[i + c] = sum[c]
                i = origin + ends[2 * e] * dim
                for c in ti.static(range(dim)):
                    begin[c] = x[i + c]
                    sum[c] = force[i + c]
            j = origin + ends[2 * e + 1] * dim
            gap = ti.Vector.zero(ti.f64, dim)
            for c in ti.static(range(dim)):
                gap[c] = x[j + c] - begin[c]
            n, v = variable(gap, frame, row_of(e, rows), shifted)
            f = n * pull_of(v, e, parameters, strides)
            for c in ti.static(range(dim)):
                sum[c] += f[c]
                force[j + c] = force[j + c] - f[c]  # in place it would be an atomic
        if i >= 0:
            for c in ti.static(range(dim)):
                force[i + c] = sum[c]

    @ti.func
    def node_force(value, k, g, node_parameters: ti.template(), springs: ti.template(), loads: ti.template()):
        f = 0.0
        if ti.static(has_node_law):
            arguments = [node_parameters[q, k] for q in ti.static(range(n_node_parameters))]
            f -= node_terms(value, *arguments)[1]
        if ti.static(outside):
            f += loads[0, g] - springs[k] * (value - loads[1, g])
        return f

    @ti.func
    def node_energy(value, k, g, node_parameters: ti.template(), springs: ti.template(), loads: ti.template()):
        e = 0.0
        if ti.static(has_node_law):
            arguments = [node_parameters[q, k] for q in ti.static(range(n_node_parameters))]
            e += node_terms(value, *arguments)[0]
        if ti.static(outside):
            off = value - loads[1, g]
            e += 0.5 * springs[k] * off * off - loads[0, g] * value
        return e

    @ti.func
    def accumulate(total, lost, value):
        """Compensated summation: the change of a large energy stays visible."""
        add = value - lost
        new = total + add
        return new, (new - total) - add

    @ti.func
    def move(
        n: ti.i64,
        b,
        i,
        force,  # vector, exerted by the bonds
        settle,
        advance,
        keep,
        time_step: ti.f64,
        seed: ti.u64,
        x: ti.template(),
        velocity: ti.template(),
        seen: ti.template(),
        coefficients: ti.template(),
        held: ti.template(),
        drive: ti.template(),
        waves: ti.template(),
        heat: ti.template(),
        names: ti.template(),
        node_parameters: ti.template(),
        springs: ti.template(),
        loads: ti.template(),
        broken: ti.template(),
        alarm: ti.template(),
    ):
        """Complete the velocity of node i of sample b at step n, and move it to step n + 1."""
        n_state = drive.shape[0]
        random = ti.Vector.zero(ti.f64, 4)
        if ti.static(noise):  # noqa: SIM102 (a static branch, then one at run time)
            if advance:
                random = four_normals(seed, n, names[b], ti.cast(i, ti.u32))
        finite = 1
        for c in ti.static(range(dim)):
            k = i * dim + c
            g = b * n_state + k
            value = x[g]
            kick = coefficients[0, k] * (force[c] + node_force(value, k, g, node_parameters, springs, loads))
            v = velocity[g]
            if settle:
                v += kick
            wave = -1
            if ti.static(driven):
                wave = drive[k]
                if wave >= 0:
                    angle = waves[b, wave, dim] * (ti.cast(n, ti.f64) * time_step) + waves[b, wave, dim + 1]
                    v = waves[b, wave, c] * waves[b, wave, dim] * ti.cos(angle)
            if keep:
                seen[g] = v
            if advance:
                v += kick
                if ti.static(friction):
                    half = 0.5 * time_step
                    value += half * v
                    v *= coefficients[1, k]
                    if ti.static(noise):
                        v += coefficients[2, k] * heat[b] * random[c]
                    value += half * v
                else:
                    value += time_step * v
                if ti.static(driven):  # noqa: SIM102
                    if wave >= 0:
                        angle = waves[b, wave, dim] * (ti.cast(n + 1, ti.f64) * time_step) + waves[b, wave, dim + 1]
                        value = held[g] + waves[b, wave, c] * ti.sin(angle)
                x[g] = value
                if not (ti.abs(value) < HUGE):
                    finite = 0
            velocity[g] = v
        if finite == 0:  # noqa: SIM102 (Taichi evaluates both sides of `and`)
            if broken[b * (n_state // dim) + i] == 0:
                broken[b * (n_state // dim) + i] = n + 1
                alarm[0] = 1

    @ti.kernel
    def by_sample(
        first: ti.i64,
        passes: ti.i32,
        end: ti.i64,
        fresh: ti.i32,
        start: ti.i64,
        every: ti.i64,
        time_step: ti.f64,
        seed: ti.u64,
        keep_positions: ti.i32,
        keep_velocities: ti.i32,
        keep_energy: ti.i32,
        ends: _indices,  # (2E,)
        rows: _indices,  # (E,) of the frame; not read for projection
        frame: _vector,
        parameters: _matrix,  # (parameters, E), or one column where all edges are alike
        strides: _indices,  # (parameters,) 1, or 0 where all edges are alike
        pair_ends: _indices,
        pair_frame: _vector,
        pair_springs: _tensor,  # (B, 2, Q) stiffness, target
        coefficients: _matrix,  # (4, N*D) half step over mass, decay, noise, mass; 0, 0, 0, 0 where clamped
        held: _vector,
        drive: _indices,  # (N*D,) row of waves, or -1
        waves: _tensor,  # (B, drives, D + 2) amplitudes, angular frequency, phase
        heat: _vector,  # (B,) square root of the temperature
        names: _words,  # (B,) numbers of the samples
        node_parameters: _matrix,
        springs: _vector,
        loads: _matrix,  # (2, B*N*D) force, spring target
        x: _vector,
        velocity: _vector,
        force: _vector,
        seen: _vector,
        positions: _vector,  # records, out
        velocities: _vector,
        energies: _vector,
        broken: _steps,
        alarm: _indices,
    ):
        n_state = drive.shape[0]
        n_edges = ends.shape[0] // 2
        batch = heat.shape[0]
        if ti.static(not parallel):
            ti.loop_config(serialize=True)
        for turn in range(batch * spread):
            if turn % spread != 0:
                continue
            b = turn // spread
            origin = b * n_state
            every_edge = steps_of(strides)
            record = 0
            for s in range(passes):
                n = first + s
                keep = ti.cast((n - start) % every == 0, ti.i32)
                place = (record * batch + b) * n_state
                if keep:
                    if keep_positions:
                        for k in range(n_state):
                            positions[place + k] = x[origin + k]
                    if keep_energy:
                        total = 0.0
                        lost = 0.0
                        for e in range(n_edges):
                            i = origin + ends[2 * e] * dim
                            j = origin + ends[2 * e + 1] * dim
                            value = energy_of(x, i, j, e, rows, frame, parameters, every_edge)
                            total, lost = accumulate(total, lost, value)
                        if ti.static(pairs):
                            for q in range(pair_ends.shape[0] // 2):
                                i = origin + pair_ends[2 * q] * dim
                                j = origin + pair_ends[2 * q + 1] * dim
                                value = pair_energy(gap_between(x, i, j), b, q, pair_frame, pair_springs)
                                total, lost = accumulate(total, lost, value)
                        if ti.static(has_node_law or outside):
                            for k in range(n_state):
                                g = origin + k
                                total, lost = accumulate(
                                    total, lost, node_energy(x[g], k, g, node_parameters, springs, loads)
                                )
                        energies[(record * batch + b) * 2 + POTENTIAL] = total
                for k in range(n_state):
                    force[origin + k] = 0.0
                pull_both(0, n_edges, origin, x, ends, rows, frame, parameters, every_edge, force)
                if ti.static(pairs):
                    for q in range(pair_ends.shape[0] // 2):
                        i = origin + pair_ends[2 * q] * dim
                        j = origin + pair_ends[2 * q + 1] * dim
                        f = pair_force(gap_between(x, i, j), b, q, pair_frame, pair_springs)
                        for c in ti.static(range(dim)):
                            force[i + c] = force[i + c] + f[c]  # in place it would be an atomic
                            force[j + c] = force[j + c] - f[c]
                settle = ti.cast(fresh == 0 or s > 0, ti.i32)
                advance = ti.cast(n < end, ti.i32)
                for i in range(n_state // dim):
                    f = ti.Vector.zero(ti.f64, dim)
                    for c in ti.static(range(dim)):
                        f[c] = force[origin + i * dim + c]
                    move(
                        n, b, i, f, settle, advance, keep, time_step, seed, x, velocity, seen, coefficients, held,
                        drive, waves, heat, names, node_parameters, springs, loads, broken, alarm,
                    )  # fmt: skip
                if keep:
                    if keep_velocities:
                        for k in range(n_state):
                            velocities[place + k] = seen[origin + k]
                    if keep_energy:
                        total = 0.0
                        lost = 0.0
                        for k in range(n_state):
                            v = seen[origin + k]
                            total, lost = accumulate(total, lost, 0.5 * coefficients[3, k] * v * v)
                        energies[(record * batch + b) * 2 + KINETIC] = total
                    record += 1

    @ti.func
    def gap_from(here, side, far, x: ti.template(), images: ti.template()):
        """From the first end of a bond to its second, of which one is in the part, and of the other there is an image.

        ``side``: which of the ends is here, at component ``here`` of ``x``; ``far``: component of the image.
        """
        sign = 1.0 - 2.0 * side
        gap = ti.Vector.zero(ti.f64, dim)
        for c in ti.static(range(dim)):
            gap[c] = sign * (images[far + c] - x[here + c])
        return gap

    @ti.kernel
    def by_node(
        first: ti.i64,
        passes: ti.i32,
        end: ti.i64,
        fresh: ti.i32,
        keep: ti.i32,  # whether the velocities of the first pass are recorded
        time_step: ti.f64,
        seed: ti.u64,
        ends: _indices,
        rows: _indices,
        frame: _vector,
        parameters: _matrix,
        strides: _indices,
        pair_ends: _indices,
        pair_frame: _vector,
        pair_springs: _tensor,
        nodes: _indices,  # (parts + 1,) first node of each part
        starts: _indices,  # (parts + 1,) of the runs of bonds that have an end in each part
        runs: _indices,  # (4*runs,) see Parts
        far: _indices,  # images of the ends that are elsewhere
        pair_starts: _indices,
        pair_runs: _indices,
        pair_far: _indices,
        shared: _indices,  # (G,) nodes of which there are images
        shared_starts: _indices,  # (parts + 1,) of those in each part
        coefficients: _matrix,
        held: _vector,
        drive: _indices,
        waves: _tensor,
        heat: _vector,
        names: _words,
        node_parameters: _matrix,
        springs: _vector,
        loads: _matrix,
        x: _vector,
        images: _vector,  # (2*B*G*D,) at even passes, and at odd ones
        velocity: _vector,
        force: _vector,  # scratch
        seen: _vector,
        broken: _steps,
        alarm: _indices,
        workers: ti.i32,
        passed: ti.i64,  # passes of earlier launches
        taken: _steps,  # (B*parts,) how many passes some thread has begun for each part
        done: _steps,  # (1,) parts that are finished, of all passes
    ):
        n_state = drive.shape[0]
        n_parts = nodes.shape[0] - 1
        n_images = shared.shape[0] * dim
        batch = heat.shape[0]
        total = batch * n_parts
        for turn in range(workers * SPREAD):
            if turn % SPREAD != 0:
                continue
            every_edge = steps_of(strides)
            own = impl.call_internal("linear_thread_idx") % workers * total // workers
            for s in range(passes):
                n = first + s
                stamp = passed + s + 1
                now = ti.cast((passed + s) % 2, ti.i32)
                settle = ti.cast(fresh == 0 or s > 0, ti.i32)
                advance = ti.cast(n < end, ti.i32)
                for q in range(total):
                    t = (own + q) % total
                    if ti.atomic_max(taken[t], stamp) < stamp:
                        b = t // n_parts
                        part = t - b * n_parts
                        origin = b * n_state
                        image = (now * batch + b) * n_images
                        for k in range(origin + nodes[part] * dim, origin + nodes[part + 1] * dim):
                            force[k] = 0.0
                        for run in range(starts[part], starts[part + 1]):
                            begin, stop, kind = runs[4 * run], runs[4 * run + 1], runs[4 * run + 2]
                            if kind == INSIDE:
                                pull_both(begin, stop, origin, x, ends, rows, frame, parameters, every_edge, force)
                            else:
                                side = kind - FIRST
                                for e in range(begin, stop):
                                    here = origin + ends[2 * e + side] * dim
                                    there = image + far[runs[4 * run + 3] + e - begin] * dim
                                    gap = gap_from(here, side, there, x, images)
                                    direction, v = variable(gap, frame, row_of(e, rows), shifted)
                                    pull = (1.0 - 2.0 * side) * pull_of(v, e, parameters, every_edge)
                                    for c in ti.static(range(dim)):
                                        force[here + c] = force[here + c] + pull * direction[c]
                        if ti.static(pairs):
                            for run in range(pair_starts[part], pair_starts[part + 1]):
                                begin, stop, kind = pair_runs[4 * run], pair_runs[4 * run + 1], pair_runs[4 * run + 2]
                                for e in range(begin, stop):
                                    if kind == INSIDE:
                                        i = origin + pair_ends[2 * e] * dim
                                        j = origin + pair_ends[2 * e + 1] * dim
                                        f = pair_force(gap_between(x, i, j), b, e, pair_frame, pair_springs)
                                        for c in ti.static(range(dim)):
                                            force[i + c] = force[i + c] + f[c]
                                            force[j + c] = force[j + c] - f[c]
                                    else:
                                        side = kind - FIRST
                                        here = origin + pair_ends[2 * e + side] * dim
                                        there = image + pair_far[pair_runs[4 * run + 3] + e - begin] * dim
                                        gap = gap_from(here, side, there, x, images)
                                        f = pair_force(gap, b, e, pair_frame, pair_springs)
                                        for c in ti.static(range(dim)):
                                            force[here + c] = force[here + c] + (1.0 - 2.0 * side) * f[c]
                        for i in range(nodes[part], nodes[part + 1]):
                            f = ti.Vector.zero(ti.f64, dim)
                            for c in ti.static(range(dim)):
                                f[c] = force[origin + i * dim + c]
                            move(
                                n, b, i, f, settle, advance, keep * ti.cast(s == 0, ti.i32), time_step, seed, x,
                                velocity, seen, coefficients, held, drive, waves, heat, names, node_parameters,
                                springs, loads, broken, alarm,
                            )  # fmt: skip
                        image = ((1 - now) * batch + b) * n_images
                        for g in range(shared_starts[part], shared_starts[part + 1]):
                            for c in ti.static(range(dim)):
                                images[image + g * dim + c] = x[origin + shared[g] * dim + c]
                        ti.atomic_add(done[0], 1)
                # Whoever works on a part waits for nobody, so this ends however many threads there are.
                while ti.atomic_max(done[0], 0) < stamp * total:
                    pass

    @ti.kernel
    def measure(
        n_edges: ti.i32,
        ends: _indices,
        rows: _indices,
        frame: _vector,
        parameters: _matrix,
        strides: _indices,
        pair_ends: _indices,
        pair_frame: _vector,
        pair_springs: _tensor,
        coefficients: _matrix,
        node_parameters: _matrix,
        springs: _vector,
        loads: _matrix,
        x: _vector,
        seen: _vector,
        store: _vector,  # (B*E,)
        energies: _vector,  # (B*2,), out
    ):
        n_state = coefficients.shape[1]
        batch = energies.shape[0] // 2
        for t in range(batch * n_edges):
            b = t // n_edges
            e = t - b * n_edges
            i = b * n_state + ends[2 * e] * dim
            j = b * n_state + ends[2 * e + 1] * dim
            store[t] = energy_of(x, i, j, e, rows, frame, parameters, steps_of(strides))
        for b in range(batch):
            origin = b * n_state
            total = 0.0
            lost = 0.0
            for e in range(n_edges):
                total, lost = accumulate(total, lost, store[b * n_edges + e])
            if ti.static(pairs):
                for q in range(pair_ends.shape[0] // 2):
                    i = origin + pair_ends[2 * q] * dim
                    j = origin + pair_ends[2 * q + 1] * dim
                    total, lost = accumulate(
                        total, lost, pair_energy(gap_between(x, i, j), b, q, pair_frame, pair_springs)
                    )
            if ti.static(has_node_law or outside):
                for k in range(n_state):
                    g = origin + k
                    total, lost = accumulate(total, lost, node_energy(x[g], k, g, node_parameters, springs, loads))
            energies[2 * b + POTENTIAL] = total
            total = 0.0
            lost = 0.0
            for k in range(n_state):
                v = seen[origin + k]
                total, lost = accumulate(total, lost, 0.5 * coefficients[3, k] * v * v)
            energies[2 * b + KINETIC] = total

    @ti.kernel
    def set_walls(n: ti.i64, time_step: ti.f64, held: _vector, drive: _indices, waves: _tensor, x: _vector):
        n_state = drive.shape[0]
        for g in range(x.shape[0]):
            b = g // n_state
            wave = drive[g - b * n_state]
            if wave >= 0:
                angle = waves[b, wave, dim] * (ti.cast(n, ti.f64) * time_step) + waves[b, wave, dim + 1]
                x[g] = held[g] + waves[b, wave, g % dim] * ti.sin(angle)

    return Kernels(Direct(by_sample), Direct(by_node), Direct(measure), set_walls)
