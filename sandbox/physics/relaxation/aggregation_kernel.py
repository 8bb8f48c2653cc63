"""Towards the next coarser level of a matrix of D x D blocks: aggregates and interpolation.

Smoothed aggregation: Vanek, Mandel, Brezina, Computing 56 (1996) 179. The near null space of an elastic network is the
rigid motions. On a coarser level an unknown is such a motion of an aggregate, about its centre, so that interpolation
before smoothing follows from distances between centres, with nothing to orthogonalize.

Matrices are slices of rows of blocks as in :mod:`sandbox.physics.relaxation.rows_kernel`: values are those of the
entries, then the blocks on the diagonal. Columns past the last row are clamped and do not count.

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

FLAT = 1e-13
"""Of the diagonal entry: what elimination leaves of it below this is zero, and its component is left alone."""

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_ints = ti.types.ndarray(dtype=ti.i32, ndim=1)


class Kernels(NamedTuple):
    """What makes a coarser level; see the functions of :func:`aggregation_kernels`."""

    invert: Callable[..., int]
    stiffest_mode: Callable[..., float]
    aggregate: Callable[..., int]
    interpolate: Callable[..., int]


LANES = {1: 8, 2: 4, 3: 2}


def lanes_of(size: int) -> int:
    """Rows of a slice, for blocks of a size: as many as the registers hold."""
    return LANES.get(size, 1)


@lru_cache(maxsize=8)
def aggregation_kernels(size: int, motions: int, dim: int) -> Kernels:
    """Kernels for blocks of ``size`` components, and ``motions`` of an aggregate in ``dim`` dimensions.

    ``size`` is ``dim`` on the finest level and ``motions`` on the others.
    """
    runtime.start()
    block, wide = size * size, size * motions
    spins = motions > dim
    lanes = lanes_of(size)

    @ti.func
    def motion(c: ti.template(), k: ti.template(), away: ti.template(), i: ti.i32, level: ti.template()):
        """Component c of row i in motion k of its aggregate, whose centre is at -away."""
        value = 1.0 if ti.static(c == k) else 0.0
        if ti.static(spins):
            if ti.static(c < dim and k >= dim):
                if ti.static(dim == 2):
                    value = (-away[i * 2 + 1] if ti.static(c == 0) else away[i * 2]) * level[0]
                else:
                    axis = ti.static(k - dim)
                    if ti.static(c != axis):
                        other = ti.static(3 - c - axis)
                        sign = ti.static(1.0 if (axis + 1) % 3 == other else -1.0)
                        value = sign * away[i * 3 + other] * level[0]
            if ti.static(c >= dim and c == k):
                value = level[1]
        return value

    @ti.kernel
    def invert(n: ti.i32, values: _vector, first: ti.i32, inverse: _vector) -> ti.i32:
        """Inverses of the diagonal blocks, zero in components without stiffness; how many of these there are."""
        flat = 0
        ti.loop_config(serialize=True)
        for i in range(n):
            at = i * block
            if ti.static(size == 1):
                value = values[first + i]
                inverse[i] = 0.0
                if value > 0.0:
                    inverse[i] = 1.0 / value
                else:
                    flat += 1
            else:
                for q in range(block):
                    inverse[at + q] = values[first + at + q]
                for k in range(size):
                    pivot = inverse[at + k * size + k]
                    if pivot > FLAT * values[first + at + k * size + k]:
                        for c in range(size):
                            for d in range(size):
                                if c != k and d != k:
                                    inverse[at + c * size + d] -= (
                                        inverse[at + c * size + k] * inverse[at + k * size + d] / pivot
                                    )
                        for c in range(size):
                            if c != k:
                                inverse[at + c * size + k] /= pivot
                                inverse[at + k * size + c] /= pivot
                        inverse[at + k * size + k] = -1.0 / pivot
                    else:
                        flat += 1
                        for c in range(size):
                            inverse[at + c * size + k] = 0.0
                            inverse[at + k * size + c] = 0.0
                for q in range(block):
                    inverse[at + q] = -inverse[at + q]
        return flat

    @ti.kernel
    def stiffest_mode(
        n: ti.i32, start: _ints, column: _ints, values: _vector, inverse: _vector, work: _vector, steps: ti.i32
    ) -> ti.f64:
        """Largest eigenvalue of D^-1 A by power iteration, from below; ``work`` is (2*n*size,)."""
        largest = 0.0
        ti.loop_config(serialize=True)
        for _ in range(1):
            diagonal = column.shape[0] * block
            for p in range(n * size):
                work[p] = 1.0 if (p * 40503) % 65536 < 32768 else -1.0
            for _step in range(steps):
                top = 0.0
                for i in range(n):
                    total = ti.Vector.zero(ti.f64, size)
                    for c in ti.static(range(size)):
                        for d in ti.static(range(size)):
                            total[c] += values[diagonal + i * block + c * size + d] * work[i * size + d]
                    for k in range((start[i // lanes + 1] - start[i // lanes]) // lanes):
                        e = start[i // lanes] + k * lanes + i % lanes
                        j = column[e]
                        if j < n:
                            for c in ti.static(range(size)):
                                for d in ti.static(range(size)):
                                    total[c] += values[e * block + c * size + d] * work[j * size + d]
                    for c in ti.static(range(size)):
                        value = 0.0
                        for d in ti.static(range(size)):
                            value += inverse[i * block + c * size + d] * total[d]
                        work[(n + i) * size + c] = value
                before = 0.0
                for p in range(n * size):
                    before += work[p] * work[p]
                    top += work[n * size + p] * work[n * size + p]
                largest = ti.sqrt(top / before)
                scale = 1.0 / ti.max(ti.sqrt(top), 1e-300)
                for p in range(n * size):
                    work[p] = work[n * size + p] * scale
        return largest

    @ti.kernel
    def aggregate(
        n: ti.i32,
        start: _ints,
        column: _ints,
        values: _vector,
        visit: _ints,  # rows with a node, in the order in which aggregates are begun
        threshold: ti.f64,  # on |A_ij|^2 / (|A_ii| |A_jj|)
        norm: _vector,  # (n,) scratch
        home: _ints,  # (n,) aggregate of each row, -1 for none, out
        root: _ints,  # (n,) the row that each aggregate began with, out
    ) -> ti.i32:
        """Number of aggregates: each a row and its strong neighbours, leftovers with the strongest neighbour."""
        count = 0
        ti.loop_config(serialize=True)
        for _ in range(1):
            diagonal = column.shape[0] * block
            for i in range(n):
                total = 0.0
                for q in range(block):
                    total += values[diagonal + i * block + q] ** 2
                norm[i] = ti.sqrt(total)
                home[i] = -1
            for turn in ti.static(range(3)):
                for at in range(visit.shape[0]):
                    i = visit[at]
                    if home[i] == -1:
                        strong = 0
                        free = 1
                        best = -1
                        most = 0.0
                        for k in range((start[i // lanes + 1] - start[i // lanes]) // lanes):
                            e = start[i // lanes] + k * lanes + i % lanes
                            j = column[e]
                            if j < n:
                                total = 0.0
                                for q in range(block):
                                    total += values[e * block + q] ** 2
                                if total > threshold * norm[i] * norm[j]:
                                    strong += 1
                                    if home[j] != -1:
                                        free = 0
                                    if home[j] >= 0 and total / norm[j] > most:
                                        most = total / norm[j]
                                        best = home[j]
                        if ti.static(turn == 1):
                            if best >= 0:
                                home[i] = -2 - best  # not to be joined in this turn
                        elif strong > 0 and (free == 1 or ti.static(turn == 2)):
                            home[i] = count
                            root[count] = i
                            for k in range((start[i // lanes + 1] - start[i // lanes]) // lanes):
                                e = start[i // lanes] + k * lanes + i % lanes
                                j = column[e]
                                if j < n:  # noqa: SIM102  (kernels evaluate both sides of an and)
                                    if home[j] == -1:
                                        total = 0.0
                                        for q in range(block):
                                            total += values[e * block + q] ** 2
                                        if total > threshold * norm[i] * norm[j]:
                                            home[j] = count
                            count += 1
                if ti.static(turn == 1):
                    for i in range(n):
                        if home[i] < -1:
                            home[i] = -2 - home[i]
        return count

    @ti.kernel
    def interpolate(
        n: ti.i32,
        start: _ints,
        column: _ints,
        values: _vector,
        inverse: _vector,
        home: _ints,
        away: _vector,  # (n*dim,) from the centre of its aggregate
        level: _vector,  # (2,) scales of rotations; see Hierarchy
        damping: ti.f64,
        first: _ints,  # (n + 1,) out
        to: _ints,  # (entries + n,) aggregates, out
        weight: _vector,  # ((entries + n)*size*motions,) out
    ) -> ti.i32:
        """Interpolation (1 - damping D^-1 A) T, with T the motions of the aggregates; number of its blocks."""
        count = 0
        ti.loop_config(serialize=True)
        for _ in range(1):
            diagonal = column.shape[0] * block
            for i in range(n):
                begin = count
                first[i] = begin
                for near in range(-1, (start[i // lanes + 1] - start[i // lanes]) // lanes):
                    j = i
                    source = diagonal + i * block
                    e = start[i // lanes] + near * lanes + i % lanes
                    if near >= 0:
                        j = column[e]
                        source = e * block
                    if j < n:  # noqa: SIM102  (kernels evaluate both sides of an and)
                        if home[j] >= 0:
                            at = begin
                            while at < count and to[at] != home[j]:
                                at += 1
                            if at == count:
                                to[at] = home[j]
                                for q in range(wide):
                                    weight[at * wide + q] = 0.0
                                count += 1
                            for k in ti.static(range(motions)):
                                for d in ti.static(range(size)):
                                    value = motion(d, k, away, j, level)
                                    for c in ti.static(range(size)):
                                        weight[at * wide + c * motions + k] += values[source + c * size + d] * value
                for at in range(begin, count):
                    for k in ti.static(range(motions)):
                        total = ti.Vector.zero(ti.f64, size)
                        for c in ti.static(range(size)):
                            for d in ti.static(range(size)):
                                total[c] -= inverse[i * block + c * size + d] * weight[at * wide + d * motions + k]
                        for c in ti.static(range(size)):
                            weight[at * wide + c * motions + k] = damping * total[c]
                    if to[at] == home[i]:
                        for c in ti.static(range(size)):
                            # A component without stiffness, as a clamped one, does not follow.
                            if inverse[i * block + c * size + c] > 0.0:
                                for k in ti.static(range(motions)):
                                    weight[at * wide + c * motions + k] += motion(c, k, away, i, level)
            first[n] = count
        return count

    return Kernels(*map(Direct, (invert, stiffest_mode, aggregate, interpolate)))
