"""Exact coordinate updates of a quadratic energy ``s.H.s/2 + g.s`` within a box, many sweeps per launch.

The kernels know nothing of laws: one compilation serves every material.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.runtime import SPREAD

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_indices = ti.types.ndarray(dtype=ti.i32, ndim=1)


@lru_cache(maxsize=1)
def sweep_kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """Two kernels with the same result, bit for bit: samples in parallel, and the rows of one colour in parallel."""
    runtime.start()

    @ti.func
    def update(
        b: ti.i32,
        f: ti.i32,
        indptr: ti.template(),
        indices: ti.template(),
        diagonal: ti.template(),
        hessian: ti.template(),
        linear: ti.template(),
        over: ti.template(),
        low: ti.f64,
        high: ti.f64,
        floor: ti.template(),
        state: ti.template(),
    ):
        g = linear[b, f]
        for p in range(indptr[f], indptr[f + 1]):
            g += hessian[p] * state[b, indices[p]]
        h = hessian[diagonal[f]]
        s = state[b, f]
        if h > floor[f]:
            s = ti.min(ti.max(s - over[b] * g / h, low), high)
        elif (low > -1e300) and (high < 1e300):
            # Not convex: the lowest energy within the box is at one of its ends, or here if the energy is flat.
            down = low - s
            up = high - s
            at_low = down * (g + 0.5 * h * down)
            at_high = up * (g + 0.5 * h * up)
            if ti.min(at_low, at_high) < 0.0:
                s = low if at_low <= at_high else high
        state[b, f] = s

    @ti.kernel
    def sweep_samples(
        n_sweeps: ti.i32,
        active: _indices,  # (A,) samples to sweep
        order: _indices,  # (F,) rows, colour after colour
        indptr: _indices,
        indices: _indices,
        diagonal: _indices,  # (F,)
        hessian: _vector,  # entries, the same for all samples
        linear: _matrix,  # (B, F)
        over: _vector,  # (B,) over-relaxation, 1 for exact updates
        low: ti.f64,
        high: ti.f64,
        floor: _vector,  # (F,) curvatures below are not positive
        state: _matrix,  # (B, F), in and out
    ):
        for turn in range(active.shape[0] * SPREAD):
            if turn % SPREAD != 0:
                continue
            a = turn // SPREAD
            for _ in range(n_sweeps):
                for q in range(order.shape[0]):
                    update(
                        active[a], order[q], indptr, indices, diagonal, hessian, linear, over, low, high, floor, state
                    )

    @ti.kernel
    def sweep_colour(
        first: ti.i32,
        last: ti.i32,
        active: _indices,
        order: _indices,
        indptr: _indices,
        indices: _indices,
        diagonal: _indices,
        hessian: _vector,
        linear: _matrix,
        over: _vector,
        low: ti.f64,
        high: ti.f64,
        floor: _vector,
        state: _matrix,
    ):
        for a, q in ti.ndrange(active.shape[0], (first, last)):
            update(active[a], order[q], indptr, indices, diagonal, hessian, linear, over, low, high, floor, state)

    return sweep_samples, sweep_colour
