"""Ladders: an error measured at falling settings, and the order that its clean part shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLEAN = 30.0
"""How far above its floor an error has to be: what the floor adds to a local slope is then a few per cent."""

PLATEAU = 0.05
"""By how much successive local slopes may differ. A further power in the expansion shows as a drift of the local slope
that halves from rung to rung, whatever the order; nothing is assumed of the order itself."""


@dataclass(frozen=True)
class Ladder:
    """Errors (n,) at n rungs, the rungs that are clean, and the slope over those."""

    rungs: np.ndarray
    errors: np.ndarray
    clean: np.ndarray
    slope: float


def clean_part(rungs: np.ndarray, errors: np.ndarray, floors: np.ndarray) -> Ladder:
    """The longest run of rungs above the floor with steady local slopes, and the least-squares slope over it.

    Args:
        rungs: (n,) falling.
        errors, floors: (n,) of the quantity whose order is wanted, and what would be there without it.
    """
    local = np.diff(np.log(errors)) / np.diff(np.log(rungs))
    best = range(0)
    for first in range(len(rungs)):
        last = first
        while last < len(local) and errors[last + 1] > CLEAN * floors[last + 1]:
            if last > first and abs(local[last] - local[last - 1]) > PLATEAU:
                break
            last += 1
        if errors[first] > CLEAN * floors[first] and last - first >= len(best):
            best = range(first, last + 1)
    clean = np.isin(np.arange(len(rungs)), best)
    slope = float(np.polyfit(np.log(rungs[clean]), np.log(errors[clean]), 1)[0]) if len(best) > 2 else float("nan")
    return Ladder(rungs, errors, clean, slope)
