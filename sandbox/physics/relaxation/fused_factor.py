"""L D L^T of the Hessian of one sample along the lists of a plan, and solving with it, as Taichi functions.

The factor takes the place of the Hessian. Once all is well, the diagonal slots hold the inverses of the pivots.

No ``from __future__ import annotations`` here: Taichi reads the annotations of its functions.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (Annotations are Taichi's types.)

import taichi as ti

from sandbox.physics.relaxation.criteria import PIVOT_FLOOR
from sandbox.physics.relaxation.fused_edges import smaller
from sandbox.physics.relaxation.plan import GROUP


@ti.func
def factorize(
    begin: ti.i32,  # first column to eliminate: those before are done
    n_top: ti.i32,  # column before which the slots are kept
    factor: ti.i32,
    n_free: ti.i32,
    lowest: ti.f64,
    stiff: ti.i32,  # how stiff each component is; pivots that are not above a small part of it are not positive
    columns: ti.template(),
    entries: ti.template(),
    starts: ti.template(),
    updates: ti.template(),
    lower: ti.template(),
    work: ti.template(),
):
    """The first column of a bad pivot, -1 if there is none, and the lowest pivot until then."""
    off = factor + n_free
    bad = -1
    end = n_free
    for f in range(begin, n_free):
        if f == n_top and begin < n_top:
            copy_top(0, factor, n_top, n_free, columns, lower)
        diagonal = lower[factor + f]
        lowest = smaller(diagonal, lowest)
        if not (diagonal > PIVOT_FLOOR * work[stiff + f]):
            bad = f
            end = f
            break
        inverse = 1.0 / diagonal
        lower[factor + f] = inverse
        for g in range(starts[f], starts[f + 1]):
            # All of a group are read before one is written, lest each waits for the one before.
            value = ti.Vector.zero(ti.f64, GROUP)
            for k in ti.static(range(GROUP)):
                u = 3 * (GROUP * g + k)
                ratio = lower[factor + updates[u + 1]] * inverse
                value[k] = lower[factor + updates[u]] - ratio * lower[factor + updates[u + 2]]
            for k in ti.static(range(GROUP)):
                lower[factor + updates[3 * (GROUP * g + k)]] = value[k]
    for p in range(columns[begin], columns[end]):
        lower[off + p] = lower[off + p] * lower[factor + entries[2 * p + 1]]
    return bad, lowest


@ti.func
def copy_top(
    back: ti.i32,  # 1: the reverse
    factor: ti.i32,
    n_top: ti.i32,
    n_free: ti.i32,
    columns: ti.template(),
    lower: ti.template(),
):
    """Copy, behind the slots, what is left of the Hessian when the columns before ``n_top`` are eliminated."""
    kept = factor + n_free + columns[n_free] + 1
    n_diagonal = n_free - n_top
    for q in range(n_diagonal + columns[n_free] - columns[n_top]):
        slot = factor + n_top + q
        if q >= n_diagonal:
            slot = factor + n_free + columns[n_top] + q - n_diagonal
        if back == 1:
            lower[slot] = lower[kept + q]
        else:
            lower[kept + q] = lower[slot]


@ti.func
def substitute(step: ti.i32, factor: ti.i32, groups: ti.template(), lower: ti.template(), work: ti.template()):
    """Solve with L or L^T in place."""
    for g in range(groups.shape[0] // ti.static(3 * GROUP)):
        value = ti.Vector.zero(ti.f64, GROUP)
        for k in ti.static(range(GROUP)):
            p = 3 * (GROUP * g + k)
            value[k] = work[step + groups[p + 1]] - lower[factor + groups[p]] * work[step + groups[p + 2]]
        for k in ti.static(range(GROUP)):
            work[step + groups[3 * (GROUP * g + k) + 1]] = value[k]
