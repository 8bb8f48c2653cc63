"""Energy watch: whether a motion has come by energy that nothing gave it."""

from __future__ import annotations

import numpy as np

EXCESS = 0.9
"""Gain of energy, relative to the swing, from which on a motion has exploded. An integrator that is unstable adds to
the kinetic and the potential energy at once, so that the gain passes the swing. A small motion that is stable keeps
below ``(omega*time_step/2)**2`` of it, which is 0.25 at half the stable time step."""

BATH = 50.0
"""Energy that a bath may lend a free component, in units of its temperature; in equilibrium it lends about 1."""

ROUNDING = 1e-10
"""Gain of energy, relative to the energies, that passes for rounding."""

GROWN = 4.0
"""Factor by which the swing of a driven motion grows between two looks at its stability, each of which costs a few
hundred products with the Hessian."""


class EnergyWatch:
    """The energies of B samples, looked at record by record.

    In a motion that nothing drives, energy passes between its kinetic and its potential form, and friction takes some.
    A gain of the sum beyond what a bath may have lent is an instability of the integrator.

    Args:
        bath: (B,) energy that a bath may have lent: :data:`BATH` times temperature and number of free components.
        driven: whether walls shake. They may do any amount of work, so the gain says nothing; that the swing has grown
            is reported instead, so that the stability of small motions about the present state can be looked at.
        stable: the longest stable time step about the start, where known.

    Attributes:
        swing: (B,) largest kinetic energy, or change of the potential one since the first record, whichever is larger.
    """

    def __init__(self, bath: np.ndarray, driven: bool = False, stable: float | None = None) -> None:
        self.driven, self.stable = driven, stable
        self.swing = np.zeros(len(bath))
        self._bath = bath
        self._first: tuple[np.ndarray, np.ndarray] | None = None
        self._looked = np.zeros(len(bath))

    def look(self, potential: np.ndarray, kinetic: np.ndarray) -> tuple[int, int] | None:
        """Take in further records (T, B); return row and sample of the first that has gained too much, if any."""
        if self._first is None:
            self._first = potential[0].copy(), kinetic[0].copy()
        with np.errstate(all="ignore"):
            change = potential - self._first[0]
            swing = np.maximum.accumulate(np.maximum(kinetic, np.abs(change)), axis=0)
            swing = np.maximum(swing, self.swing)
            self.swing = swing[-1]
            if self.driven:
                return None
            gain = change + kinetic - self._first[1]
            allowed = EXCESS * swing + self._bath + ROUNDING * (np.abs(potential) + kinetic)
            bad = np.argwhere(~(gain <= allowed))  # energies that are no numbers are among them
        return (int(bad[0, 0]), int(bad[0, 1])) if len(bad) else None

    def gained(self, sample: int, potential: float, kinetic: float) -> tuple[float, float]:
        """Return the energy of a sample at the first record and now."""
        assert self._first is not None
        return float(self._first[0][sample] + self._first[1][sample]), potential + kinetic

    def has_grown(self) -> np.ndarray:
        """Return samples whose swing has grown by :data:`GROWN` since they were last among those returned."""
        grown = np.flatnonzero(self.swing > GROWN * self._looked)
        self._looked[grown] = self.swing[grown]
        return grown
