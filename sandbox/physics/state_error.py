"""Error of a state at rest, estimated by the Newton step that is left."""

from __future__ import annotations

import numpy as np

UNIFORM = 64 * 2.2e-16
"""Of the coordinates: variables below are round-off, and set no scale for a state."""


def state_error(
    move: np.ndarray,
    coordinates: np.ndarray,
    variable: np.ndarray,
    part: np.ndarray,
    bond_part: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (A,) the largest component of the step, and (A,) the most that one is of the longest variable around.

    Each component is compared with the longest variable in its connected part of the network; where all of them are
    round-off, with the coordinates.

    Args:
        move: (F, A) Newton step that is left.
        coordinates: (F, A) state of the free components.
        variable: (A, bonds) length or difference of each bond.
        part, bond_part: (F,), (bonds,) part of each; -1 for bonds between clamped nodes.
    """
    size, samples = np.abs(move), move.shape[1]
    if len(size) == 0:
        return np.zeros(samples), np.zeros(samples)
    scale = scales(coordinates, variable, part, bond_part)
    ratio = np.divide(size, scale, out=np.where(size > 0, np.inf, 0.0), where=scale > 0)
    return size.max(axis=0), ratio.max(axis=0)


def scales(coordinates: np.ndarray, variable: np.ndarray, part: np.ndarray, bond_part: np.ndarray) -> np.ndarray:
    """Return (F, A) what the error of each component is compared with; arguments as of :func:`state_error`."""
    samples = coordinates.shape[1]
    longest, furthest = np.zeros((2, part.max(initial=-1) + 1, samples))
    inside = bond_part >= 0
    np.maximum.at(longest, bond_part[inside], np.abs(variable).T[inside])
    np.maximum.at(furthest, part, np.abs(coordinates))
    return np.where(longest > UNIFORM * furthest, longest, furthest)[part]
