"""Scales that turn numbers into colours and line widths, and can be shared between panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba, to_rgba_array
from matplotlib.ticker import MaxNLocator

from sandbox.plot.style import DIVERGING, EDGE, FAINT, MISSING, NEGATIVE, SEQUENTIAL

THINNEST = 0.35
"""Width of a bond without stiffness, in points: still seen."""
STRONG = 4.0
"""Stiffnesses of more than this many times the ninth decile are as wide as that, lest one make hairlines of others."""


class ColourScale:
    """Colours for values: linear from the least to the greatest, or symmetric about zero if signed.

    Args:
        *samples: arrays whose finite values the scale must cover.
        label: what the values are, with their unit.
        signed: diverging about zero.
    """

    def __init__(self, *samples: np.ndarray, label: str, signed: bool = False) -> None:
        finite = np.concatenate([np.ravel(s)[np.isfinite(np.ravel(s))] for s in samples])
        self.label = label
        self.empty = len(finite) == 0
        self.missing = any(not np.isfinite(s).all() for s in samples)
        low, high = (0.0, 1.0) if self.empty else (float(finite.min()), float(finite.max()))
        if signed:
            high = max(abs(low), abs(high)) or 1.0
            low = -high
        elif high - low <= 1e-12 * max(abs(low), abs(high)):  # constant up to rounding: a band around the value
            middle, half = (low + high) / 2, 0.1 * abs(high) or 1.0
            low, high = middle - half, middle + half
        self.mappable = ScalarMappable(
            Normalize(low, high), (DIVERGING if signed else SEQUENTIAL).with_extremes(bad=MISSING)
        )

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Colours of values, (..., 4)."""
        return self.mappable.to_rgba(np.ma.masked_invalid(values))


@dataclass(frozen=True)
class WidthScale:
    """Line widths proportional to the size of the stiffness, from a hairline at zero.

    Args:
        least, most: range of the sizes of the stiffnesses that is told apart.
        widest: width at ``most``, in points.
        negative: whether any is negative.
        beyond: whether any is larger than ``most``; it is as wide as that.
    """

    least: float
    most: float
    widest: float
    negative: bool = False
    beyond: bool = False

    @classmethod
    def over(cls, samples: Sequence[np.ndarray], widest: float) -> WidthScale:
        """The scale that covers all samples."""
        values = np.concatenate([np.ravel(s) for s in samples])
        values = values[np.isfinite(values)]
        if len(values) == 0:
            return cls(0.0, 0.0, widest)
        sizes = np.abs(values)
        most, usual = float(sizes.max()), float(np.quantile(sizes, 0.9))
        beyond = most > STRONG * usual > 0
        if beyond:
            power = 10.0 ** np.floor(np.log10(STRONG * usual))
            most = float(power * max(r for r in (1, 1.5, 2, 3, 4, 5, 6, 8) if r * power <= STRONG * usual))
        return cls(float(sizes.min()), most, widest, bool((values < 0).any()), beyond)

    def widths(self, stiffness: np.ndarray) -> np.ndarray:
        """Widths in points."""
        share = np.abs(np.nan_to_num(stiffness)) / (self.most or 1.0)
        return np.clip(self.widest * share, THINNEST, max(self.widest, THINNEST))

    def colours(self, stiffness: np.ndarray) -> np.ndarray:
        """Grey; paler where there is no stiffness, pink where it is negative. (E, 4)."""
        colours = np.tile(to_rgba(EDGE), (len(stiffness), 1))
        colours[np.isnan(stiffness) | (stiffness == 0)] = to_rgba(FAINT)
        colours[np.nan_to_num(stiffness) < 0] = to_rgba(NEGATIVE)
        return colours

    def examples(self) -> list[float]:
        """Up to three round stiffnesses within the range, for a legend."""
        if self.most == 0:
            return [0.0]
        if self.most - self.least <= 1e-6 * self.most:
            return [self.most]
        ticks = np.asarray(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]).tick_values(self.least, self.most))
        ticks = ticks[(ticks >= self.least) & (ticks <= self.most) & (ticks > 0)]
        if len(ticks) < 2:
            return [self.least, self.most] if self.least > 0 else [self.most / 2, self.most]
        return [float(ticks[i]) for i in np.unique(np.linspace(0, len(ticks) - 1, 3).round().astype(int))]


def mix(colours: np.ndarray, fade: np.ndarray | float) -> np.ndarray:
    """Colours moved towards white by the share ``fade``, one per colour."""
    colours = to_rgba_array(colours).copy()
    colours[:, :3] += (1 - colours[:, :3]) * np.reshape(fade, (-1, 1))
    return colours
