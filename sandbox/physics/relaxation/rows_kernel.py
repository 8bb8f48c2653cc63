"""Rows in the order in which a Gauss-Seidel sweep visits them, a few at a time.

A sweep in the given order would wait at each row for the one before. Rows are therefore coloured, neighbours never
alike; within windows that fit a cache they are sorted by colour, and those of a colour by how many neighbours come
before and after. Then they are dealt into slices of a few rows of one colour, so that a slice is swept at once, with
one loop over the entries of its rows, padded to the same number (sliced ELLPACK: Monakov et al., HiPEAC 2010). Rows
without a node fill up the last slice of a colour.

Entry k of lane l of slice s is at ``start[s] + k*lanes + l``; those from ``middle[s]`` on come after the row. A padding
entry names the row itself as its neighbour.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

import taichi as ti

WINDOW = 2048
"""Rows sorted together."""

COLOURS = 31  # bits of a mask; rows of the last one may be neighbours, and have slices of their own
COUNTED = 15  # neighbours on one side up to which rows are told apart
BINS = 32 * 256

_ints = ti.types.ndarray(dtype=ti.i32, ndim=1)
_pairs = ti.types.ndarray(dtype=ti.i32, ndim=2)


def most_slices(n: int) -> int:
    """How many slices n numbers may take: a number each at worst, and one for each colour in each window."""
    return n + (n // WINDOW + 1) * (COLOURS + 1)


@ti.func
def deal(
    n: ti.i32,
    lanes: ti.i32,
    first: ti.template(),  # (n + 1,) compressed rows of neighbours
    neighbour: ti.template(),
    colour: ti.template(),  # (n,) scratch
    place: ti.template(),  # (n + BINS,) row of each number, out; then scratch
    start: ti.template(),  # (slices + 1,) out
    middle: ti.template(),  # (slices,) out
):
    """Number of slices, and of entries. Neighbours outside 0..n-1 come after every row."""
    for i in range(n):
        colour[i] = -1
    for i in range(n):
        taken = 0
        for e in range(first[i], first[i + 1]):
            j = neighbour[e]
            if j < n:
                taken |= (1 << (colour[j] + 1)) >> 1
        c = 0
        while c < COLOURS - 1 and (taken >> c) & 1 == 1:
            c += 1
        colour[i] = c
    total = 0
    for w in range((n + WINDOW - 1) // WINDOW):
        begin = w * WINDOW
        end = ti.min(begin + WINDOW, n)
        for b in range(BINS):
            place[n + b] = 0
        for i in range(begin, end):
            before = 0
            for e in range(first[i], first[i + 1]):
                j = neighbour[e]
                if j < begin:  # noqa: SIM114  (kernels evaluate both sides of an or)
                    before += 1
                elif j < end and colour[j] < colour[i]:
                    before += 1
            after = first[i + 1] - first[i] - before
            key = colour[i] * 256 + ti.min(before, COUNTED) * 16 + ti.min(after, COUNTED)
            place[i] = key
            place[n + key] += lanes if colour[i] == COLOURS - 1 else 1
        for b in range(BINS):
            if b % 256 == 0:
                total = (total + lanes - 1) // lanes * lanes
            count = place[n + b]
            place[n + b] = total
            total += count
        total = (total + lanes - 1) // lanes * lanes
        for i in range(begin, end):
            key = place[i]
            place[i] = place[n + key]
            place[n + key] += lanes if colour[i] == COLOURS - 1 else 1
    slices = total // lanes
    for s in range(slices + 1):
        start[s] = 0
    for s in range(slices):
        middle[s] = 0
    for i in range(n):
        s = place[i] // lanes
        before = 0
        for e in range(first[i], first[i + 1]):
            j = neighbour[e]
            if j < n:
                before += ti.cast(place[j] < place[i], ti.i32)
        middle[s] = ti.max(middle[s], before)
        start[s + 1] = ti.max(start[s + 1], first[i + 1] - first[i] - before)
    for s in range(slices):
        before = middle[s]
        middle[s] = start[s] + before * lanes
        start[s + 1] = middle[s] + start[s + 1] * lanes
    return slices, start[slices]


@ti.kernel
def arrange(
    n: ti.i32,
    lanes: ti.i32,
    ends: _pairs,  # (bonds, 2)
    rank: _ints,  # (N,) number of each node, those with a free component from 0, the others from n
    first: _ints,  # (n + 1,) out: bonds of each number
    near: _ints,  # (2*entries,) out: rank of the far end, then 2*bond, plus 1 where the number is the second end
    colour: _ints,  # (n + 1,) scratch
    place: _ints,
    start: _ints,
    middle: _ints,
    counts: _ints,  # (2,) slices and entries, out
):
    """Bonds by number, and the slices that the numbers make."""
    ti.loop_config(serialize=True)
    for _ in range(1):
        entries = near.shape[0] // 2
        for i in range(n + 1):
            first[i] = 0
        for m in range(ends.shape[0]):
            for side in ti.static(range(2)):
                i = rank[ends[m, side]]
                if i < n:
                    first[i + 1] += 1
        for i in range(n):
            first[i + 1] += first[i]
            colour[i] = first[i]
        for m in range(ends.shape[0]):
            for side in ti.static(range(2)):
                i = rank[ends[m, side]]
                if i < n:
                    near[colour[i]] = rank[ends[m, 1 - side]]
                    near[entries + colour[i]] = 2 * m + side
                    colour[i] += 1
        slices, total = deal(n, lanes, first, near, colour, place, start, middle)
        counts[0] = slices
        counts[1] = total


@ti.kernel
def fill(
    n: ti.i32,
    lanes: ti.i32,
    first: _ints,
    near: _ints,
    place: _ints,
    start: _ints,
    middle: _ints,
    column: _ints,  # (entries,) row of the neighbour, out; clamped ones after the last row
    slots: _pairs,  # (bonds, 2) entry of each bond in the rows of its ends, out where there is one
):
    """The entries of the slices."""
    ti.loop_config(serialize=True)
    for _ in range(1):
        rows = (start.shape[0] - 1) * lanes
        bonds = near.shape[0] // 2
        for r in range(rows):
            s = r // lanes
            for k in range((start[s + 1] - start[s]) // lanes):
                e = start[s] + k * lanes + r % lanes
                column[e] = r
        for i in range(n):
            r = place[i]
            s = r // lanes
            before = start[s] + r % lanes
            after = middle[s] + r % lanes
            for e in range(first[i], first[i + 1]):
                j = near[e]
                code = near[bonds + e]
                q = rows + j - n
                if j < n:
                    q = place[j]
                if q < r:
                    column[before] = q
                    slots[code // 2, code % 2] = before
                    before += lanes
                else:
                    column[after] = q
                    slots[code // 2, code % 2] = after
                    after += lanes
