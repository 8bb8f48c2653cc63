"""Conjugate gradients preconditioned by a multigrid V-cycle, in one launch.

A cycle sweeps forward on the way down and backward on the way up (Gauss-Seidel by blocks), so that it is symmetric, and
positive definite where the matrix that it is made of is. The coarsest level is solved by its inverse. A cycle is only a
preconditioner: it is done in single precision, on a residual scaled to 1, which halves what large networks wait for.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.launch import Direct
from sandbox.physics.relaxation.aggregation_kernel import lanes_of

# Columns of the table of coarser levels: number of slices (on the coarsest: of live components, listed at TO), length
# of vectors; where in the pool of integers, and in that of numbers.
SLICES, LENGTH, START, MIDDLE, COLUMN, FIRST, TO, BACK_FIRST, BACK = range(9)
VALUES, INVERSE, WEIGHT, BACK_WEIGHT, RIGHT, X, LEFT, COLUMNS = range(9, 17)

# Rows of the work of a solve: solution, residual, direction, its product with the matrix, one over the residual that
# each component is allowed.
SOLUTION, RESIDUAL, DIRECTION, PRODUCT, PER_ALLOWED, WORK_ROWS = range(6)

# What a solve is told, and what it reports. GOAL: residual of all components to stop at; CLOSE: the same in units of
# the one allowed; BELOW: curvatures under minus this are negative.
GOAL, BELOW, MOST_PRODUCTS, CLOSE, RESUME, CONTROLS = range(6)
PRODUCTS, SIZE, LOWEST, NEGATIVE, SOLVED, OVERLAP, REPORT = range(7)

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_single = ti.types.ndarray(dtype=ti.f32, ndim=1)
_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_ints = ti.types.ndarray(dtype=ti.i32, ndim=1)
_int_table = ti.types.ndarray(dtype=ti.i32, ndim=2)


@lru_cache(maxsize=8)
def solve_kernel(size: int, motions: int) -> Callable[..., None]:
    """The kernel for blocks of ``size`` components on the finest level and ``motions`` on the others."""
    runtime.start()
    block, wide, coarse = size * size, size * motions, motions * motions
    lanes, coarse_lanes = lanes_of(size), lanes_of(motions)

    @ti.func
    def down(level: ti.i32, levels: ti.template(), ints: ti.template(), pool: ti.template()):
        """Sweep forward from zero, and restrict what is left to the next level."""
        start, middle, column = levels[level, START], levels[level, MIDDLE], levels[level, COLUMN]
        values, inverse = levels[level, VALUES], levels[level, INVERSE]
        right, x = levels[level, RIGHT], levels[level, X]
        rest = levels[level, LEFT]
        for s in range(levels[level, SLICES]):
            left = ti.Vector.zero(ti.f32, coarse_lanes * motions)
            for p in ti.static(range(coarse_lanes * motions)):
                left[p] = pool[right + s * coarse_lanes * motions + p]
            for step in range((ints[middle + s] - ints[start + s]) // coarse_lanes):
                at = ints[start + s] + step * coarse_lanes
                for lane in ti.static(range(coarse_lanes)):
                    j = ints[column + at + lane] * motions
                    for c in ti.static(range(motions)):
                        for d in ti.static(range(motions)):
                            left[lane * motions + c] -= (
                                pool[values + (at + lane) * coarse + c * motions + d] * pool[x + j + d]
                            )
            for lane in ti.static(range(coarse_lanes)):
                i = s * coarse_lanes + lane
                for c in ti.static(range(motions)):
                    value = ti.cast(0.0, ti.f32)
                    for d in ti.static(range(motions)):
                        value += pool[inverse + i * coarse + c * motions + d] * left[lane * motions + d]
                    pool[x + i * motions + c] = value
        for s in range(levels[level, SLICES]):
            left = ti.Vector.zero(ti.f32, coarse_lanes * motions)
            for step in range((ints[start + s + 1] - ints[middle + s]) // coarse_lanes):
                at = ints[middle + s] + step * coarse_lanes
                for lane in ti.static(range(coarse_lanes)):
                    j = ints[column + at + lane] * motions
                    for c in ti.static(range(motions)):
                        for d in ti.static(range(motions)):
                            left[lane * motions + c] -= (
                                pool[values + (at + lane) * coarse + c * motions + d] * pool[x + j + d]
                            )
            for p in ti.static(range(coarse_lanes * motions)):
                pool[rest + s * coarse_lanes * motions + p] = left[p]
        first, to, weight = levels[level, BACK_FIRST], levels[level, BACK], levels[level, BACK_WEIGHT]
        below = levels[level + 1, RIGHT]
        for s in range(levels[level + 1, LENGTH] // (coarse_lanes * motions)):
            total = ti.Vector.zero(ti.f32, coarse_lanes * motions)
            for step in range((ints[first + s + 1] - ints[first + s]) // coarse_lanes):
                at = ints[first + s] + step * coarse_lanes
                for lane in ti.static(range(coarse_lanes)):
                    i = rest + ints[to + at + lane] * motions
                    for k in ti.static(range(motions)):
                        for c in ti.static(range(motions)):
                            total[lane * motions + k] += (
                                pool[weight + (at + lane) * coarse + c * motions + k] * pool[i + c]
                            )
            for p in ti.static(range(coarse_lanes * motions)):
                pool[below + s * coarse_lanes * motions + p] = total[p]

    @ti.func
    def up(level: ti.i32, levels: ti.template(), ints: ti.template(), pool: ti.template()):
        """Add the correction from the next level, and sweep backward."""
        slices = levels[level, SLICES]
        start, column = levels[level, START], levels[level, COLUMN]
        first, to, weight = levels[level, FIRST], levels[level, TO], levels[level, WEIGHT]
        values, inverse = levels[level, VALUES], levels[level, INVERSE]
        right, x = levels[level, RIGHT], levels[level, X]
        above = levels[level + 1, X]
        for s in range(slices):
            gain = ti.Vector.zero(ti.f32, coarse_lanes * motions)
            for step in range((ints[first + s + 1] - ints[first + s]) // coarse_lanes):
                at = ints[first + s] + step * coarse_lanes
                for lane in ti.static(range(coarse_lanes)):
                    j = above + ints[to + at + lane] * motions
                    for c in ti.static(range(motions)):
                        for k in ti.static(range(motions)):
                            gain[lane * motions + c] += (
                                pool[weight + (at + lane) * coarse + c * motions + k] * pool[j + k]
                            )
            for p in ti.static(range(coarse_lanes * motions)):
                pool[x + s * coarse_lanes * motions + p] += gain[p]
        for back in range(slices):
            s = slices - 1 - back
            left = ti.Vector.zero(ti.f32, coarse_lanes * motions)
            for p in ti.static(range(coarse_lanes * motions)):
                left[p] = pool[right + s * coarse_lanes * motions + p]
            for step in range((ints[start + s + 1] - ints[start + s]) // coarse_lanes):
                at = ints[start + s + 1] - (step + 1) * coarse_lanes  # downwards, as memory is fetched ahead
                for lane in ti.static(range(coarse_lanes)):
                    j = ints[column + at + lane] * motions
                    for c in ti.static(range(motions)):
                        for d in ti.static(range(motions)):
                            left[lane * motions + c] -= (
                                pool[values + (at + lane) * coarse + c * motions + d] * pool[x + j + d]
                            )
            for lane in ti.static(range(coarse_lanes)):
                i = s * coarse_lanes + lane
                for c in ti.static(range(motions)):
                    value = ti.cast(0.0, ti.f32)
                    for d in ti.static(range(motions)):
                        value += pool[inverse + i * coarse + c * motions + d] * left[lane * motions + d]
                    pool[x + i * motions + c] = value

    @ti.func
    def lower_levels(levels: ti.template(), ints: ti.template(), pool: ti.template()):
        """From the right-hand side of the first coarser level to its correction."""
        last = levels.shape[0] - 1
        for level in range(last):
            down(level, levels, ints, pool)
        live, listed = levels[last, SLICES], levels[last, TO]
        inverse, right, x = levels[last, INVERSE], levels[last, RIGHT], levels[last, X]
        for i in range(live):
            total = ti.cast(0.0, ti.f32)
            for j in range(live):
                total += pool[inverse + i * live + j] * pool[right + ints[listed + j]]
            pool[x + ints[listed + i]] = total
        for back in range(last):
            up(last - 1 - back, levels, ints, pool)

    @ti.kernel
    def solve(
        start: _ints,
        middle: _ints,
        column: _ints,
        values: _vector,  # the matrix
        smooth: _single,  # what the preconditioner is made of: the same over a unit, or a majorant
        inverse: _single,
        first: _ints,
        to: _ints,
        weight: _single,
        back_first: _ints,
        back_from: _ints,
        back_weight: _single,
        levels: _int_table,
        ints: _ints,
        pool: _single,
        z: _single,  # (n*size or more,) zeros at first: the preconditioned residual
        rest: _single,  # (n*size or more,) scratch
        work: _matrix,  # (WORK_ROWS, more than n*size), in and out; zero past n*size
        control: _vector,
        report: _vector,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            diagonal = column.shape[0] * block
            below = levels[0, RIGHT]
            above = levels[0, X]
            n_below = levels[0, LENGTH]
            slices = middle.shape[0]
            n = slices * lanes
            products = 0
            lowest = report[LOWEST]
            negative = 0
            solved = 0
            overlap = report[OVERLAP]
            resume = control[RESUME] > 0.5
            worst = 0.0
            excess = 0.0
            for p in range(n * size):
                worst = ti.max(worst, ti.abs(work[RESIDUAL, p]))
                excess = ti.max(excess, ti.abs(work[RESIDUAL, p]) * work[PER_ALLOWED, p])
            if worst <= control[GOAL] or excess <= control[CLOSE]:
                solved = 1
            while solved == 0 and negative == 0 and products < control[MOST_PRODUCTS]:
                # z = cycle(residual)
                unit = 1.0 / worst
                for s in range(slices):
                    left = ti.Vector.zero(ti.f32, lanes * size)
                    for p in ti.static(range(lanes * size)):
                        left[p] = ti.cast(work[RESIDUAL, s * lanes * size + p] * unit, ti.f32)
                    for step in range((middle[s] - start[s]) // lanes):
                        at = start[s] + step * lanes
                        for lane in ti.static(range(lanes)):
                            j = column[at + lane] * size
                            for c in ti.static(range(size)):
                                for d in ti.static(range(size)):
                                    left[lane * size + c] -= smooth[(at + lane) * block + c * size + d] * z[j + d]
                    for lane in ti.static(range(lanes)):
                        i = s * lanes + lane
                        for c in ti.static(range(size)):
                            value = ti.cast(0.0, ti.f32)
                            for d in ti.static(range(size)):
                                value += inverse[i * block + c * size + d] * left[lane * size + d]
                            z[i * size + c] = value
                if n_below > 0:
                    for s in range(slices):
                        left = ti.Vector.zero(ti.f32, lanes * size)
                        for step in range((start[s + 1] - middle[s]) // lanes):
                            at = middle[s] + step * lanes
                            for lane in ti.static(range(lanes)):
                                j = column[at + lane] * size
                                for c in ti.static(range(size)):
                                    for d in ti.static(range(size)):
                                        left[lane * size + c] -= smooth[(at + lane) * block + c * size + d] * z[j + d]
                        for p in ti.static(range(lanes * size)):
                            rest[s * lanes * size + p] = left[p]
                    for s in range(n_below // (coarse_lanes * motions)):
                        total = ti.Vector.zero(ti.f32, coarse_lanes * motions)
                        for step in range((back_first[s + 1] - back_first[s]) // coarse_lanes):
                            at = back_first[s] + step * coarse_lanes
                            for lane in ti.static(range(coarse_lanes)):
                                i = back_from[at + lane] * size
                                for k in ti.static(range(motions)):
                                    for c in ti.static(range(size)):
                                        total[lane * motions + k] += (
                                            back_weight[(at + lane) * wide + c * motions + k] * rest[i + c]
                                        )
                        for p in ti.static(range(coarse_lanes * motions)):
                            pool[below + s * coarse_lanes * motions + p] = total[p]
                    lower_levels(levels, ints, pool)
                    for s in range(slices):
                        gain = ti.Vector.zero(ti.f32, lanes * size)
                        for step in range((first[s + 1] - first[s]) // lanes):
                            at = first[s] + step * lanes
                            for lane in ti.static(range(lanes)):
                                j = above + to[at + lane] * motions
                                for c in ti.static(range(size)):
                                    for k in ti.static(range(motions)):
                                        gain[lane * size + c] += (
                                            weight[(at + lane) * wide + c * motions + k] * pool[j + k]
                                        )
                        for p in ti.static(range(lanes * size)):
                            z[s * lanes * size + p] += gain[p]
                before = overlap
                overlap = 0.0
                for back in range(slices):
                    s = slices - 1 - back
                    left = ti.Vector.zero(ti.f32, lanes * size)
                    for p in ti.static(range(lanes * size)):
                        left[p] = ti.cast(work[RESIDUAL, s * lanes * size + p] * unit, ti.f32)
                    for step in range((start[s + 1] - start[s]) // lanes):
                        at = start[s + 1] - (step + 1) * lanes
                        for lane in ti.static(range(lanes)):
                            j = column[at + lane] * size
                            for c in ti.static(range(size)):
                                for d in ti.static(range(size)):
                                    left[lane * size + c] -= smooth[(at + lane) * block + c * size + d] * z[j + d]
                    for lane in ti.static(range(lanes)):
                        i = s * lanes + lane
                        for c in ti.static(range(size)):
                            value = ti.cast(0.0, ti.f32)
                            for d in ti.static(range(size)):
                                value += inverse[i * block + c * size + d] * left[lane * size + d]
                            z[i * size + c] = value
                            overlap += ti.cast(value, ti.f64) * work[RESIDUAL, i * size + c] * worst
                ratio = 0.0
                if resume and before > 0.0:
                    ratio = overlap / before
                resume = True
                for p in range(n * size):
                    work[DIRECTION, p] = ti.cast(z[p], ti.f64) * worst + ratio * work[DIRECTION, p]
                curvature = 0.0
                length = 0.0
                for s in range(slices):
                    total = ti.Vector.zero(ti.f64, lanes * size)
                    for lane in ti.static(range(lanes)):
                        i = s * lanes + lane
                        for c in ti.static(range(size)):
                            for d in ti.static(range(size)):
                                total[lane * size + c] += (
                                    values[diagonal + i * block + c * size + d] * work[DIRECTION, i * size + d]
                                )
                    for step in range((start[s + 1] - start[s]) // lanes):
                        at = start[s] + step * lanes
                        for lane in ti.static(range(lanes)):
                            j = column[at + lane] * size
                            for c in ti.static(range(size)):
                                for d in ti.static(range(size)):
                                    total[lane * size + c] += (
                                        values[(at + lane) * block + c * size + d] * work[DIRECTION, j + d]
                                    )
                    for p in ti.static(range(lanes * size)):
                        value = work[DIRECTION, s * lanes * size + p]
                        work[PRODUCT, s * lanes * size + p] = total[p]
                        curvature += total[p] * value
                        length += value * value
                products += 1
                if not (length > 0.0 and overlap > 0.0 and ti.abs(curvature) < 1e300):
                    break
                lowest = ti.min(lowest, curvature / length)
                if curvature < -control[BELOW] * length:
                    negative = 1
                elif curvature <= 0.0:
                    break
                else:
                    step = overlap / curvature
                    worst = 0.0
                    excess = 0.0
                    for p in range(n * size):
                        work[SOLUTION, p] += step * work[DIRECTION, p]
                        left = work[RESIDUAL, p] - step * work[PRODUCT, p]
                        work[RESIDUAL, p] = left
                        worst = ti.max(worst, ti.abs(left))
                        excess = ti.max(excess, ti.abs(left) * work[PER_ALLOWED, p])
                    if worst <= control[GOAL] or excess <= control[CLOSE]:
                        solved = 1
            report[PRODUCTS] = float(products)
            report[SIZE] = worst
            report[LOWEST] = lowest
            report[NEGATIVE] = float(negative)
            report[SOLVED] = float(solved)
            report[OVERLAP] = overlap

    return Direct(solve)
