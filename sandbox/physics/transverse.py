"""Curvature of a bond's energy across the bond, down to bonds of no length.

The Hessian of an energy V(r) of the distance r of two nodes is V'' along the bond and V'/r across it. What it is at
r = 0 depends on the force V'(0) there:

- V'(0) = 0, as of a spring of rest length 0: the energy is smooth, and V'/r goes to V''(0). The Hessian is V''(0) in
  every direction.
- V'(0) < 0, as of a compressed spring: the energy is the tip of a cone, a maximum. The force has no direction and is
  taken as zero; the curvature is taken as negative, so that no such state passes for a minimum.
- V'(0) > 0: the energy is the bottom of a cone, a minimum. The force is taken as zero (it is any vector up to V'(0) in
  length), the curvature as V''(0), which is less than it is.

The kernels' twin of :func:`across` is :mod:`sandbox.physics.transverse_kernel`.
"""

from __future__ import annotations

import numpy as np

LENGTH_NOISE = 9e-16
"""Of the coordinates of its ends (summed magnitudes): a bond no longer than this has a length made of rounding."""

SHORTEST = 1e-150
"""In units of length: bonds below have no direction, as the square of their length leaves the range of numbers."""

CONE = 1e6
"""Of |V''|: the negative curvature taken at the tip of a cone; more than contrasts of stiffness usually are."""


def across(tension: np.ndarray, curvature: np.ndarray, length: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return the curvature across bonds.

    Args:
        tension, curvature: V' and V''.
        length: r.
        reach: summed magnitudes of the coordinates of both ends.
    """
    with np.errstate(over="ignore"):
        ratio = np.divide(tension, length, out=np.zeros_like(tension), where=length > SHORTEST)
    # A force that the curvature explains, at a length made of rounding: V'(0) is zero.
    none = length <= np.maximum(LENGTH_NOISE * reach, SHORTEST)
    smooth = none & (np.abs(tension) <= 2.0 * np.abs(curvature) * length)
    tip = np.where(tension < 0.0, -CONE * np.abs(curvature), curvature)
    return np.where(smooth, curvature, np.where(length > SHORTEST, ratio, tip))


def lengthless(length: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return the mask of bonds whose length is made of rounding, so that they have no direction."""
    return length <= LENGTH_NOISE * reach
