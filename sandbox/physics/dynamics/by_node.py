"""Many steps in a launch, in parallel over parts of the nodes.

Each part has the bonds that have an end in it, in the order of the edges. A bond between two parts is evaluated in
both, for one end each, from an image of the other end, since whoever has that part may have moved it already. So every
node adds up the same forces in the same order whatever the parts are, and whoever works on them. A thread begins with
the parts that it had in the step before, which are in its cache, and then helps with those that are left; the next step
begins when none is.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from typing import Any

import taichi as ti
from taichi.lang import impl

from sandbox.physics.dynamics.arrays import indices, matrix, steps, tensor, vector, words
from sandbox.physics.dynamics.bond_functions import BondFunctions
from sandbox.physics.dynamics.kind import Kind
from sandbox.physics.dynamics.tables import FIRST, INSIDE
from sandbox.physics.runtime import SPREAD


def by_node_kernel(kind: Kind, bonds: BondFunctions, move: Callable[..., Any]) -> Callable[..., None]:
    """The kernel for one kind of system."""
    pull_both, pull_one, strides_of = bonds.pull_both, bonds.pull_one, bonds.strides_of
    pull_pairs_both, pull_pairs_one = bonds.pull_pairs_both, bonds.pull_pairs_one
    dim, pairs = kind.dim, kind.pairs

    @ti.kernel
    def by_node(
        first: ti.i64,
        passes: ti.i32,
        end: ti.i64,
        fresh: ti.i32,
        keep: ti.i32,  # whether the velocities of the first pass are recorded
        time_step: ti.f64,
        seed: ti.u64,
        ends: indices,
        rows: indices,
        frame: vector,
        parameters: matrix,
        strides: indices,
        pair_ends: indices,
        pair_frame: vector,
        pair_springs: tensor,
        nodes: indices,  # (parts + 1,) first node of each part
        starts: indices,  # (parts + 1,) of the runs of bonds that have an end in each part
        runs: indices,  # (4*runs,) see Parts
        far: indices,  # images of the ends that are elsewhere
        pair_starts: indices,
        pair_runs: indices,
        pair_far: indices,
        shared: indices,  # (G,) nodes of which there are images
        shared_starts: indices,  # (parts + 1,) of those in each part
        coefficients: matrix,
        held: vector,
        drive: indices,
        waves: tensor,
        heat: vector,
        names: words,
        node_parameters: matrix,
        springs: vector,
        loads: matrix,
        x: vector,
        images: vector,  # (2*B*G*D,) at even passes, and at odd ones
        velocity: vector,
        force: vector,  # scratch
        seen: vector,
        broken: steps,
        alarm: indices,
        workers: ti.i32,
        passed: ti.i64,  # passes of earlier launches
        taken: steps,  # (B*parts,) how many passes some thread has begun for each part
        done: steps,  # (1,) parts that are finished, of all passes
    ):
        n_state = drive.shape[0]
        n_parts = nodes.shape[0] - 1
        n_images = shared.shape[0] * dim
        batch = heat.shape[0]
        total = batch * n_parts
        for turn in range(workers * SPREAD):
            if turn % SPREAD != 0:
                continue
            stride = strides_of(strides)
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
                                pull_both(begin, stop, origin, x, ends, rows, frame, parameters, stride, force)
                            else:
                                pull_one(
                                    begin, stop, kind - FIRST, origin, image, x, images, far, runs[4 * run + 3], ends,
                                    rows, frame, parameters, stride, force,
                                )  # fmt: skip
                        if ti.static(pairs):
                            for run in range(pair_starts[part], pair_starts[part + 1]):
                                begin, stop, kind = pair_runs[4 * run], pair_runs[4 * run + 1], pair_runs[4 * run + 2]
                                if kind == INSIDE:
                                    pull_pairs_both(
                                        begin, stop, b, origin, x, pair_ends, pair_frame, pair_springs, force
                                    )
                                else:
                                    pull_pairs_one(
                                        begin, stop, kind - FIRST, b, origin, image, x, images, pair_far,
                                        pair_runs[4 * run + 3], pair_ends, pair_frame, pair_springs, force,
                                    )  # fmt: skip
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

    return by_node
