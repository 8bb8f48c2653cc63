"""Many steps in a launch, one thread per sample.

Each bond is evaluated once and its force scattered to both ends, serially in the order of the edges.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from typing import Any

import taichi as ti

from sandbox.physics.dynamics.arrays import indices, matrix, steps, tensor, vector, words
from sandbox.physics.dynamics.bond_functions import BondFunctions
from sandbox.physics.dynamics.energies import KINETIC, POTENTIAL, accumulate
from sandbox.physics.dynamics.kind import Kind
from sandbox.physics.dynamics.node_functions import NodeFunctions
from sandbox.physics.runtime import SPREAD


def by_sample_kernel(
    kind: Kind, bonds: BondFunctions, nodes: NodeFunctions, move: Callable[..., Any]
) -> Callable[..., None]:
    """The kernel for one kind of system."""
    energy_of, pair_energy, node_energy = bonds.energy_of, bonds.pair_energy, nodes.node_energy
    pull_both, pull_pairs_both, strides_of = bonds.pull_both, bonds.pull_pairs_both, bonds.strides_of
    dim, pairs, outside, has_node_law = kind.dim, kind.pairs, kind.outside, kind.node_law is not None
    parallel, spread = kind.parallel, SPREAD if kind.parallel else 1

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
        ends: indices,  # (2E,)
        rows: indices,  # (E,) of the frame; not read for projection
        frame: vector,
        parameters: matrix,  # (parameters, E), or one column where all edges are alike
        strides: indices,  # (parameters,) 1, or 0 where all edges are alike
        pair_ends: indices,
        pair_frame: vector,
        pair_springs: tensor,  # (B, 2, Q) stiffness, target
        coefficients: matrix,  # (4, N*D) half step over mass, decay, noise, mass; 0, 0, 0, 0 where clamped
        held: vector,
        drive: indices,  # (N*D,) row of waves, or -1
        waves: tensor,  # (B, drives, D + 2) amplitudes, angular frequency, phase
        heat: vector,  # (B,) square root of the temperature
        names: words,  # (B,) numbers of the samples
        node_parameters: matrix,
        springs: vector,
        loads: matrix,  # (2, B*N*D) force, spring target
        x: vector,
        velocity: vector,
        force: vector,
        seen: vector,
        positions: vector,  # records, out
        velocities: vector,
        energies: vector,
        broken: steps,
        alarm: indices,
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
            stride = strides_of(strides)
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
                            value = energy_of(x, i, j, e, rows, frame, parameters, stride)
                            total, lost = accumulate(total, lost, value)
                        if ti.static(pairs):
                            for q in range(pair_ends.shape[0] // 2):
                                i = origin + pair_ends[2 * q] * dim
                                j = origin + pair_ends[2 * q + 1] * dim
                                value = pair_energy(x, i, j, b, q, pair_frame, pair_springs)
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
                pull_both(0, n_edges, origin, x, ends, rows, frame, parameters, stride, force)
                if ti.static(pairs):
                    n_pairs = pair_ends.shape[0] // 2
                    pull_pairs_both(0, n_pairs, b, origin, x, pair_ends, pair_frame, pair_springs, force)
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

    return by_sample
