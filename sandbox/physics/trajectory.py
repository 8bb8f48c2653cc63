"""What goes into and comes out of a run of dynamics: walls that shake, and the trajectory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sandbox.errors import SandboxError
from sandbox.shown import Shown

RECORDS = ("positions", "velocities", "energy")
"""What a run can record."""


@dataclass(frozen=True, eq=False)
class Drive:
    """Walls that shake: clamped values move by ``amplitude*direction*sin(2*pi*frequency*t + phase)``.

    Args:
        nodes: (n,) indices; they must be clamped in every component along which ``direction`` points.
        amplitude: in units of the state, one or (B,): one for each sample.
        frequency: in cycles per unit of time, one or (B,).
        phase: in radians, one or (B,).
        direction: (D,), used as given, not normalized; the first axis by default.
    """

    nodes: npt.ArrayLike
    amplitude: npt.ArrayLike
    frequency: npt.ArrayLike
    phase: npt.ArrayLike = 0.0
    direction: npt.ArrayLike | None = None


@dataclass(frozen=True, eq=False)
class Phase:
    """All that the next step depends on: positions and velocities (B, N, D), and the number of the step."""

    positions: np.ndarray
    velocities: np.ndarray
    step: int


class Trajectory(Shown):
    """What was recorded of a run, T times for B samples.

    Attributes:
        steps: (T,) numbers of the recorded steps.
        times: (T,) steps times the time step.
        final: where the run ended, recorded or not; ``simulate(..., start=final.positions,
            velocities=final.velocities, first_step=final.step)`` goes on as if it had not ended.

    What was not asked for raises on access.
    """

    def __init__(self, steps: np.ndarray, time_step: float, final: Phase, recorded: dict[str, np.ndarray]) -> None:
        self.steps, self.times, self.final = steps, steps * time_step, final
        self._recorded = recorded

    @property
    def recorded(self) -> tuple[str, ...]:
        """Names of what was recorded."""
        return tuple(self._recorded)

    @property
    def positions(self) -> np.ndarray:
        """(T, B, N, D)."""
        return self._get("positions")

    @property
    def velocities(self) -> np.ndarray:
        """(T, B, N, D), at the same times as the positions."""
        return self._get("velocities")

    @property
    def potential(self) -> np.ndarray:
        """(T, B) energy of edges, nodes, external forces and springs: what is conserved together with the kinetic."""
        return self._get("energy")[..., 0]

    @property
    def kinetic(self) -> np.ndarray:
        """(T, B) kinetic energy of the components that are not clamped."""
        return self._get("energy")[..., 1]

    @property
    def energy(self) -> np.ndarray:
        """(T, B) potential and kinetic energy together."""
        return self._get("energy").sum(axis=-1)

    def _get(self, what: str) -> np.ndarray:
        if what not in self._recorded:
            raise SandboxError(f"the run did not record {what!r}; ask for it by record=({what!r}, ...)")
        return self._recorded[what]

    def __repr__(self) -> str:
        batch, nodes, dim = self.final.positions.shape
        kept = ", ".join(self._recorded) or "nothing"
        return f"Trajectory({len(self.steps)} times of {batch} samples, {nodes} nodes, {dim}D: {kept})"
