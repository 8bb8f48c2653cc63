"""The matrix of a coarser level: P^T A P for an interpolation P in compressed rows, dealt into slices.

First A P row by row, then the half of P^T (A P) on and above the diagonal; the other half is its mirror image.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.launch import Direct
from sandbox.physics.relaxation.aggregation_kernel import lanes_of
from sandbox.physics.relaxation.rows_kernel import deal

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_ints = ti.types.ndarray(dtype=ti.i32, ndim=1)


class GalerkinKernels(NamedTuple):
    """See the functions of :func:`galerkin_kernels`."""

    multiply: Callable[..., int]
    project: Callable[..., int]
    mirror: Callable[..., None]
    place: Callable[..., None]
    reorder: Callable[..., None]
    slice_weights: Callable[..., int]
    slice_back: Callable[..., int]


@lru_cache(maxsize=8)
def galerkin_kernels(size: int, motions: int) -> GalerkinKernels:
    """Kernels for blocks of ``size`` components, and ``motions`` of an aggregate."""
    runtime.start()
    block, wide, coarse = size * size, size * motions, motions * motions
    lanes, coarse_lanes = lanes_of(size), lanes_of(motions)

    @ti.kernel
    def multiply(
        n: ti.i32,
        start: _ints,
        column: _ints,
        values: _vector,
        first: _ints,
        to: _ints,
        weight: _vector,
        seen: _ints,  # (n_coarse,) scratch
        product_first: _ints,  # (n + 1,) scratch
        product_to: _ints,  # (products,) scratch
        product: _vector,  # (products*size*motions,) scratch
    ) -> ti.i32:
        """A P in compressed rows, for which the scratch may be too short; number of blocks, or minus one then."""
        count = 0
        ti.loop_config(serialize=True)
        for _ in range(1):
            diagonal = column.shape[0] * block
            for big in range(seen.shape[0]):
                seen[big] = -1
            for i in range(n):
                begin = count
                product_first[i] = begin
                # No more than the neighbours' blocks, before those of one aggregate are added up.
                most = first[i + 1] - first[i]
                slots = (start[i // lanes + 1] - start[i // lanes]) // lanes
                for near in range(slots):
                    j = column[start[i // lanes] + near * lanes + i % lanes]
                    if j < n:
                        most += first[j + 1] - first[j]
                if count < 0 or count + most > product_to.shape[0]:
                    count = -1
                    break
                for near in range(-1, slots):
                    j = i
                    source = diagonal + i * block
                    e = start[i // lanes] + near * lanes + i % lanes
                    if near >= 0:
                        j = column[e]
                        source = e * block
                    if j < n and (near < 0 or j != i):
                        for q in range(first[j], first[j + 1]):
                            other = to[q]
                            at = seen[other]
                            if at < begin:
                                at = count
                                count += 1
                                seen[other] = at
                                product_to[at] = other
                                for z in range(wide):
                                    product[at * wide + z] = 0.0
                            for c in ti.static(range(size)):
                                for k in ti.static(range(motions)):
                                    total = product[at * wide + c * motions + k]
                                    for d in ti.static(range(size)):
                                        total += values[source + c * size + d] * weight[q * wide + d * motions + k]
                                    product[at * wide + c * motions + k] = total
            if count >= 0:
                product_first[n] = count
        return count

    @ti.kernel
    def project(
        n: ti.i32,
        first: _ints,
        to: _ints,
        weight: _vector,
        product_first: _ints,
        product_to: _ints,
        product: _vector,
        n_coarse: ti.i32,
        members: _ints,  # (n_coarse + 1 + 2*blocks,) scratch
        seen: _ints,  # (n_coarse,) scratch
        upper_start: _ints,  # (n_coarse + 1,) out
        upper_column: _ints,  # (capacity,) out
        upper_values: _vector,  # (capacity*motions^2,) out
        coarse_diagonal: _vector,  # (n_coarse*motions^2,) out
    ) -> ti.i32:
        """P^T (A P) on and above the diagonal; number of entries above, or minus one if there is no place for them."""
        count = 0
        ti.loop_config(serialize=True)
        for _ in range(1):
            blocks = first[n]
            rows = n_coarse + 1
            for q in range(n_coarse + 1):
                members[q] = 0
            for q in range(blocks):
                members[to[q] + 1] += 1
            for q in range(n_coarse):
                members[q + 1] += members[q]
                seen[q] = members[q]
            for i in range(n):
                for q in range(first[i], first[i + 1]):
                    at = seen[to[q]]
                    members[rows + at] = i
                    members[rows + blocks + at] = q
                    seen[to[q]] = at + 1
            for big in range(n_coarse):
                seen[big] = -1
            for big in range(n_coarse):
                begin = count
                upper_start[big] = begin
                for q in range(coarse):
                    coarse_diagonal[big * coarse + q] = 0.0
                if count >= 0:
                    for m in range(members[big], members[big + 1]):
                        i = members[rows + m]
                        w = members[rows + blocks + m] * wide
                        for p in range(product_first[i], product_first[i + 1]):
                            other = product_to[p]
                            if other == big:
                                for k in ti.static(range(motions)):
                                    for g in ti.static(range(motions)):
                                        total = coarse_diagonal[big * coarse + k * motions + g]
                                        for c in ti.static(range(size)):
                                            total += weight[w + c * motions + k] * product[p * wide + c * motions + g]
                                        coarse_diagonal[big * coarse + k * motions + g] = total
                            if other > big:
                                at = seen[other]
                                if at < begin:
                                    at = count
                                    count += 1
                                    if count > upper_column.shape[0]:
                                        count = -1
                                        break
                                    seen[other] = at
                                    upper_column[at] = other
                                    for z in range(coarse):
                                        upper_values[at * coarse + z] = 0.0
                                for k in ti.static(range(motions)):
                                    for g in ti.static(range(motions)):
                                        total = upper_values[at * coarse + k * motions + g]
                                        for c in ti.static(range(size)):
                                            total += weight[w + c * motions + k] * product[p * wide + c * motions + g]
                                        upper_values[at * coarse + k * motions + g] = total
                        if count < 0:
                            break
            upper_start[n_coarse] = count
        return count

    @ti.kernel
    def mirror(
        n: ti.i32,
        upper_start: _ints,
        upper_column: _ints,
        seen: _ints,  # (n,) scratch
        start: _ints,  # (n + 1,) out
        column: _ints,  # (2*upper,) out
        origin: _ints,  # (2*upper,) out: the entry above the diagonal, or minus one minus that to be transposed
    ):
        """The pattern of both halves of a symmetric matrix, in compressed rows."""
        ti.loop_config(serialize=True)
        for _ in range(1):
            for q in range(n + 1):
                start[q] = 0
            for i in range(n):
                start[i + 1] += upper_start[i + 1] - upper_start[i]
                for e in range(upper_start[i], upper_start[i + 1]):
                    start[upper_column[e] + 1] += 1
            for i in range(n):
                start[i + 1] += start[i]
                seen[i] = start[i]
            for i in range(n):
                for e in range(upper_start[i], upper_start[i + 1]):
                    j = upper_column[e]
                    at = seen[i]
                    column[at] = j
                    origin[at] = e
                    seen[i] = at + 1
                    at = seen[j]
                    column[at] = i
                    origin[at] = -1 - e
                    seen[j] = at + 1

    @ti.kernel
    def place(
        n: ti.i32,
        start: _ints,
        column: _ints,
        colour: _ints,  # (n,) scratch
        place: _ints,  # (n + BINS,) row of each aggregate, out
        slices: _ints,  # (slices + 1,) out
        middle: _ints,  # (slices,) out
        counts: _ints,  # (2,) slices and entries, out
    ):
        """Deal the aggregates, with neighbours in compressed rows, into slices."""
        ti.loop_config(serialize=True)
        for _ in range(1):
            made, entries = deal(n, coarse_lanes, start, column, colour, place, slices, middle)
            counts[0] = made
            counts[1] = entries

    @ti.kernel
    def reorder(
        n: ti.i32,
        start: _ints,
        column: _ints,
        origin: _ints,
        values: _vector,  # of the upper half
        diagonal: _vector,
        place: _ints,
        slices: _ints,
        middle: _ints,
        new_column: _ints,  # (entries,) out
        new_values: _vector,  # zeros at first, out
        to: _ints,  # aggregates that interpolation refers to, renumbered
    ):
        """The coarse matrix (blocks of ``motions``) in slices."""
        ti.loop_config(serialize=True)
        for _ in range(1):
            entries = new_column.shape[0]
            for r in range(middle.shape[0] * coarse_lanes):
                s = r // coarse_lanes
                for k in range((slices[s + 1] - slices[s]) // coarse_lanes):
                    new_column[slices[s] + k * coarse_lanes + r % coarse_lanes] = r
            for i in range(n):
                r = place[i]
                before = slices[r // coarse_lanes] + r % coarse_lanes
                after = middle[r // coarse_lanes] + r % coarse_lanes
                for e in range(start[i], start[i + 1]):
                    q = place[column[e]]
                    at = after
                    if q < r:
                        at = before
                        before += coarse_lanes
                    else:
                        after += coarse_lanes
                    new_column[at] = q
                    source = origin[e]
                    for c in ti.static(range(motions)):
                        for d in ti.static(range(motions)):
                            from_upper = source * coarse + c * motions + d
                            if source < 0:
                                from_upper = (-1 - source) * coarse + d * motions + c
                            new_values[at * coarse + c * motions + d] = values[from_upper]
                for z in range(coarse):
                    new_values[(entries + r) * coarse + z] = diagonal[i * coarse + z]
            for q in range(to.shape[0]):
                to[q] = place[to[q]]

    @ti.kernel
    def slice_weights(
        task: ti.i32,  # 0: count, 1: fill
        n: ti.i32,
        first: _ints,
        to: _ints,
        weight: _vector,
        slices: _ints,  # (slices + 1,) out of the first task
        new_to: _ints,  # zeros at first, out of the second
        new_weight: _vector,  # the same
    ) -> ti.i32:
        """Interpolation in slices; number of its blocks, with padding."""
        total = 0
        ti.loop_config(serialize=True)
        for s in range(n // lanes):
            most = 0
            for lane in range(lanes):
                i = s * lanes + lane
                most = ti.max(most, first[i + 1] - first[i])
                if task == 1:
                    for q in range(first[i], first[i + 1]):
                        at = slices[s] + (q - first[i]) * lanes + lane
                        new_to[at] = to[q]
                        for z in range(wide):
                            new_weight[at * wide + z] = weight[q * wide + z]
            if task == 0:
                slices[s] = total
                total += most * lanes
                slices[s + 1] = total
        return total

    @ti.kernel
    def slice_back(
        task: ti.i32,  # 0: count, 1: fill
        n: ti.i32,
        n_coarse: ti.i32,
        first: _ints,
        to: _ints,
        weight: _vector,
        count: _ints,  # (n_coarse,) scratch
        slices: _ints,  # (slices + 1,) out of the first task
        new_from: _ints,  # zeros at first, out of the second
        new_weight: _vector,  # the same
    ) -> ti.i32:
        """Interpolation transposed, by rows of the coarse level, in slices; number of its blocks, with padding."""
        total = 0
        ti.loop_config(serialize=True)
        for _ in range(1):
            for r in range(n_coarse):
                count[r] = 0
            for i in range(n):
                for q in range(first[i], first[i + 1]):
                    r = to[q]
                    if task == 1:
                        at = slices[r // coarse_lanes] + count[r] * coarse_lanes + r % coarse_lanes
                        new_from[at] = i
                        for z in range(wide):
                            new_weight[at * wide + z] = weight[q * wide + z]
                    count[r] += 1
            if task == 0:
                for s in range(n_coarse // coarse_lanes):
                    most = 0
                    for lane in range(coarse_lanes):
                        most = ti.max(most, count[s * coarse_lanes + lane])
                    slices[s] = total
                    total += most * coarse_lanes
                    slices[s + 1] = total
        return total

    made = multiply, project, mirror, place, reorder, slice_weights, slice_back
    return GalerkinKernels(*map(Direct, made))
