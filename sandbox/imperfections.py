"""Imperfect apparatus: what a real bench does to readings, knobs and edges, drawn once per apparatus and hidden."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sandbox.errors import SandboxError
from sandbox.physics.laws.hidden import hidden
from sandbox.physics.material import Material
from sandbox.physics.system import System
from sandbox.settings import Settings


class Imperfections(Settings):
    """How far an apparatus is from perfect. All zero: perfect."""

    reading_noise: float = Field(default=0.0, ge=0, description="s.d. of every reading of an output, in its units")
    homeostat_noise: float = Field(
        default=0.0, ge=0, description="s.d. of the error of a held stiffness's knob, relative to the mean stiffness"
    )
    knob_gain: float = Field(
        default=0.0,
        ge=0,
        le=3,
        description="s.d. of the log of each knob's gain: of compliance and written changes",
    )
    quantum: float = Field(default=0.0, ge=0, description="step of the knobs, in units of the stiffness; 0: none")
    drift: float = Field(
        default=0.0, ge=0, le=1, description="s.d. of each stiffness's relative change when it is released or written"
    )
    dead: float = Field(default=0.0, ge=0, lt=1, description="part of the edges whose knob does nothing")
    law_factor: float = Field(
        default=0.0, ge=0, le=3, description="s.d. of the log of a hidden factor on the energy of each edge"
    )
    hardening: float = Field(
        default=0.0, ge=0, description="hidden law: energy E becomes E*(1 + a*dE/dtheta), a uniform from 0 to this"
    )

    def disguise(self, system: System, rng: np.random.Generator) -> System:
        """The system with the hidden factors and nonlinearities of its edges.

        Raises:
            SandboxError: for a system that is not made of edges with an energy linear in the stiffness.
        """
        if not self.law_factor and not self.hardening:
            return system
        if not isinstance(system, Material):
            raise SandboxError(
                "law_factor and hardening change the energy of single edges; this system is not made of edges"
            )
        count = system.network.n_edges
        factor = np.exp(self.law_factor * rng.standard_normal(count))
        hardening = rng.uniform(0, self.hardening, count)
        return system.with_law(hidden(system.law), {"hidden_factor": factor, "hidden_hardening": hardening})


class Flaws:
    """The imperfections of one apparatus with P knobs: what was drawn once, and the noise to come.

    Args:
        settings: how strong they are.
        count: P.
        rng: of every draw.

    Attributes:
        gains: (P,) of the knobs; 0 for dead ones.
    """

    def __init__(self, settings: Imperfections, count: int, rng: np.random.Generator) -> None:
        self.settings = settings
        self.rng = rng
        gains = np.exp(settings.knob_gain * rng.standard_normal(count))
        gains[rng.permutation(count)[: round(settings.dead * count)]] = 0.0
        self.gains = gains

    def reading(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs as the meter shows them."""
        if not self.settings.reading_noise:
            return outputs
        return outputs + self.settings.reading_noise * self.rng.standard_normal(outputs.shape)

    def knobs(self, wanted: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
        """Where the homeostat's knobs end, (P,), when they ought to end at ``wanted`` to hold ``stiffness``."""
        if self.settings.homeostat_noise:
            size = self.settings.homeostat_noise * float(np.abs(stiffness).mean())
            wanted = wanted + size * self.rng.standard_normal(len(wanted))
        return self._on_grid(wanted)

    def written(self, old: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Stiffnesses (P,) after a controller asked to change them from ``old`` to ``wanted``."""
        return self.drifted(self._on_grid(old + self.gains * (wanted - old)))

    def drifted(self, stiffness: np.ndarray) -> np.ndarray:
        """Stiffnesses (P,) after a step's drift."""
        if not self.settings.drift:
            return stiffness
        return stiffness * (1 + self.settings.drift * self.rng.standard_normal(len(stiffness)))

    def _on_grid(self, values: np.ndarray) -> np.ndarray:
        """The nearest settings of the knobs; a dead knob has none and is left alone."""
        quantum = self.settings.quantum
        if not quantum:
            return values
        return np.where(self.gains > 0, quantum * np.round(values / quantum), values)
