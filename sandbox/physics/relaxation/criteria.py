"""Criteria that all relaxation methods share: when a force counts as none, a pivot as zero, a step as too long.

Forces are judged where they act: at each node against the forces that meet there. What is stiff in one place then
decides nothing in another. The forces at a node say little where stiff edges drown soft ones in round-off, so the state
is judged too: by the Newton step that is left, against the lengths or differences in the same connected part.
"""

from __future__ import annotations

import numpy as np

MACHINE_EPSILON = 2.2e-16
ENERGY_NOISE = 1e-14  # of the summed magnitudes: what rounding may add to an energy
FORCE_NOISE = 16 * MACHINE_EPSILON  # of the sum of |force| + curvature*coordinates: what rounding may add to a force
REST_SCALE = 1e-4  # of curvature*length: the forces at play in a network without tension
WORTH_A_LOOK = 16.0  # times the tolerance, of the largest force: the forces at every node are looked at only below
STATE_SLACK = 1e3  # times the tolerance, of the longest variable nearby: how far off a state at rest may be
LEFT = 0.1  # of the force, and of the force allowed: what is left of it in solving for the step that judges a state
PIVOT_FLOOR = 1e-13  # of the node's largest diagonal entry: pivots below are not positive
SUFFICIENT_DECREASE = 1e-4
FIRST_SHIFT = 1e-6  # of the node's largest diagonal entry: added when lifting the blocks is not enough
MAX_BACKTRACKS = 60
HIGH_CONTRAST = 1e4  # of the diagonal entries: above, the state of iterative methods is judged, at the price of a solve
MAX_TURN = 0.5  # of its length: how far a bond may move in one step
ESCAPE = 0.05  # of the longest bond: first step along negative curvature
SURELY_POSITIVE = 1e-4  # of the largest curvature: bonds of which none is softer hold a rigid network in a minimum,
# and its state is known as well as its forces
LEFT = 0.1  # of the force, and of the force allowed: what is left of it in solving for the step that judges a state
TIGHTER = 0.1  # of the forces: what is asked for next where the forces are none and the state is not known
NEARER = 0.5  # of the error of the state before: what smaller forces must bring it to, to be asked for again
KEPT_FACTOR = 0.02  # of the force before: a step that leaves no more is followed by one with the same factor


def allowed(play: np.ndarray, noise: np.ndarray, tolerance: float) -> np.ndarray:
    """Return (F, A) the largest force on each component that counts as none.

    Args:
        play, noise: (F, A) sum of the forces that meet at the component's node, and what rounding scales with there.
        tolerance: asked for, relative to the forces that meet at a node.
    """
    return np.maximum(tolerance * play, FORCE_NOISE * noise)


def excess(gradient: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return (F, A) the force on each component in units of the largest one that counts as none.

    Args:
        gradient, allowed: (F, A) force, and what :func:`allowed` says of it.
    """
    size = np.abs(gradient)
    return np.divide(size, allowed, out=np.where(size > 0, np.inf, 0.0), where=allowed > 0)


def relative_residual(gradient: np.ndarray, play: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return (A,) the largest force on a component relative to the forces that meet there; round-off counts as none.

    Args:
        gradient, play, noise: (F, A) force, forces at play, and what the rounding of the force scales with.
    """
    size = np.abs(gradient)
    felt = ~(size <= FORCE_NOISE * noise)  # what is not a number is felt
    ratio = np.divide(size, play, out=np.where(felt, np.inf, 0.0), where=felt & (play > 0))
    return ratio.max(axis=0, initial=0.0)
