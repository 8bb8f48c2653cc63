"""Curvature of a bond's energy across the bond, to be called in kernels; see :mod:`sandbox.physics.transverse`.

No ``from __future__ import annotations`` here: Taichi reads the annotations of its functions.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (Annotations are Taichi's types.)

import taichi as ti

from sandbox.physics.transverse import CONE, LENGTH_NOISE, SHORTEST


@ti.func
def across(ratio: ti.f64, tension: ti.f64, curvature: ti.f64, length: ti.f64, reach: ti.f64) -> ti.f64:
    """Curvature across a bond; ``ratio``: tension over length; ``reach``: of the coordinates of its ends."""
    value = ratio
    if length <= ti.max(LENGTH_NOISE * reach, SHORTEST):
        if ti.abs(tension) <= 2.0 * ti.abs(curvature) * length:
            value = curvature
        elif length <= SHORTEST:
            value = curvature
            if tension < 0.0:
                value = -CONE * ti.abs(curvature)
    return value
