"""The kernel that evaluates a law written in Taichi over arrays.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.laws.law import EdgeLaw

_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)


@lru_cache(maxsize=64)
def terms_kernel(law: EdgeLaw) -> Callable[..., None]:
    """A kernel of arguments (2 + fixed, n) and results (6, n)."""
    from sandbox.physics.laws.generate import in_kernel

    runtime.start()
    terms: Any = in_kernel(law)
    n_fixed = len(law.fixed)

    @ti.kernel
    def evaluate(arguments: _matrix, out: _matrix):
        for e in range(arguments.shape[1]):
            others = [arguments[2 + q, e] for q in ti.static(range(n_fixed))]
            m = terms(arguments[0, e], arguments[1, e], *others)
            for q in ti.static(range(6)):
                out[q, e] = m[q]

    return evaluate
