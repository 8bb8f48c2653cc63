"""What is watched while an experiment goes on: stiffnesses that reach a bound, knobs that run away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox.events import Events, Kind

if TYPE_CHECKING:
    from sandbox.apparatus.meter import Meter
    from sandbox.physics.system import System

RUNAWAY = 1e3
"""A knob this many times the largest stiffness as built has run away. The knob of a stiffness theta rests at theta +
compliance*force, and what the theory says of a step holds while that is near theta."""


class Watch:
    """Over the stiffnesses and knobs of a system.

    Attributes:
        bounds: (P,), (P,) lowest and highest stiffnesses; ``None`` where none is bounded.
    """

    def __init__(self, system: System) -> None:
        self.bounds = system.bounds if np.isfinite(system.bounds).any() else None
        self._runaway = RUNAWAY * float(np.abs(system.stiffness).max(initial=0.0))

    def number_at_bounds(self, stiffness: np.ndarray) -> int:
        """How many of the stiffnesses, (P,), are at a bound."""
        if self.bounds is None:
            return 0
        low, high = self.bounds
        # Log knobs end within a rounding of the bound.
        return int(((stiffness <= low * (1 + 1e-12)) | (stiffness >= high * (1 - 1e-12))).sum())

    def look_at_stiffnesses(self, stiffness: np.ndarray, meter: Meter, events: Events) -> None:
        """Count the stiffnesses, (P,), that are at a bound; that there are more than before is an event."""
        if self.bounds is None:
            return
        before, meter.at_bounds = meter.at_bounds, self.number_at_bounds(stiffness)
        if meter.at_bounds > before:
            detail = f"{meter.at_bounds} of {len(stiffness)} stiffnesses are at a bound"
            events.add(Kind.SATURATION, meter.at_bounds - before, detail)

    def look_at_knobs(self, knobs: np.ndarray, events: Events, last_step: int | None = None) -> None:
        """Note the knobs, (P,), that have run away, in the steps as far as ``last_step``."""
        # One product of the knobs with themselves tells, in most cases, that none of them is far away.
        if not np.dot(knobs, knobs) <= self._runaway**2:
            far = np.flatnonzero(np.abs(knobs) > self._runaway)
            if len(far):
                knob = int(far[np.argmax(np.abs(knobs[far]))])
                size, detail = float(abs(knobs[knob])), f"knob {knob} at {knobs[knob]:.3g}"
                events.add(Kind.RUNAWAY, len(far), detail, last_step=last_step, size=size)
