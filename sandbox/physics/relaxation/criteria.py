"""What the Newton methods agree on: when a force is round-off, a pivot zero, a step too long."""

from __future__ import annotations

MACHINE_EPSILON = 2.2e-16
ENERGY_NOISE = 1e-14  # of the summed magnitudes: what rounding may add to an energy
FORCE_NOISE = 16 * MACHINE_EPSILON  # of |force| + curvature*coordinates: what rounding may add to a force
REST_SCALE = 1e-4  # of curvature*length: the forces at play in a network without tension
PIVOT_FLOOR = 1e-13  # of the largest diagonal entry: pivots below are not positive
SUFFICIENT_DECREASE = 1e-4
FIRST_SHIFT = 1e-6  # of the largest diagonal entry: added when lifting the blocks is not enough
MAX_BACKTRACKS = 60
MAX_TURN = 0.5  # of its length: how far a bond may move in one step
ESCAPE = 0.05  # of the longest bond: first step along negative curvature
SURELY_POSITIVE = 1e-6  # of the largest curvature: bonds of which none is softer hold a rigid network in a minimum
KEPT_FACTOR = 0.02  # of the force before: a step that leaves no more is followed by one with the same factor
