"""Sweeps: odd and even layers in turn are moved to their exact minimum among their neighbours, and a little beyond.

Layers are joined to the next ones only, so all odd layers are minimized at once while the even ones stay, and the
other way round: block coordinate descent with two blocks, over-relaxed, whose energy never rises. Source of the scheme
for Hopfield and resistive networks: Scellier, "A fast algorithm to simulate nonlinear resistive networks",
arXiv:2402.11674.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.errors import BoundaryError
from sandbox.physics.equilibrium import Status
from sandbox_layered.couplings import Coupling
from sandbox_layered.imposed import Imposed
from sandbox_layered.layers import group_name

States = list[np.ndarray]

PACE = 1.15
"""How far to go, as a multiple of the way to the minimum: over-relaxation of two blocks. Anything below 2 lowers the
energy of a unit in its box, so sweeps only descend. The best value depends on how strongly layers depend on each
other; this one is near it where forces fall by half in a sweep, and costs little where they fall faster."""


@dataclass(eq=False)
class Sweeper:
    """Layers with what joins them and what is imposed on them.

    Args:
        couplings: of each layer with the next.
        imposed: on each layer.
        own: stiffness that every unit has by itself.
    """

    couplings: Sequence[Coupling]
    imposed: Sequence[Imposed]
    own: float

    def __post_init__(self) -> None:
        # Sweeps are bound by memory: what they pass over is kept in the cache, and nothing is added that is zero.
        self._sums = [np.empty_like(here.push) for here in self.imposed]
        self._moves = [np.empty_like(here.push) for here in self.imposed]
        self._pushed = [bool(here.push.any()) for here in self.imposed]
        last = (len(self.imposed) - 1) % 2
        self._order = (last, 1 - last)

    def free_layers(self, parity: int) -> list[int]:
        """Layers of a parity that are not clamped as a whole."""
        return [layer for layer in range(parity, len(self.imposed), 2) if not self.imposed[layer].still]

    def check_springs(self) -> None:
        """See that springs leave every free unit a positive stiffness; couplings must not be free.

        Raises:
            BoundaryError: naming the unit.
        """
        for layer, here in enumerate(self.imposed):
            if not (here.stiffness < 0).any():
                continue
            given = np.broadcast_to(self._stiffness(layer), here.stiffness.shape)
            bad = ~here.clamped & (given <= 0)
            if bad.any():
                unit = int(np.argmax(bad))
                raise BoundaryError(
                    f"the spring of stiffness {here.stiffness[unit]:g} on unit {unit} of {group_name(layer + 1)} "
                    f"leaves it the stiffness {given[unit]:g}: no minimum of the energy; nudge with a smaller beta"
                )

    def refresh(self, states: States) -> None:
        for layer, coupling in enumerate(self.couplings):
            coupling.refresh(states[layer], states[layer + 1])

    def received(self, states: States, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """What a layer receives, (B, n), and its stiffness, (n,), springs included in both.

        The first is good until the same layer is asked for again.
        """
        received, parts = self._sums[layer], []
        if layer > 0:
            parts.append(self.couplings[layer - 1].to_post(states[layer - 1], states[layer]))
        if layer < len(self.couplings):
            parts.append(self.couplings[layer].to_pre(states[layer], states[layer + 1]))
        if self._pushed[layer] or len(parts) < 2:
            parts.append(self.imposed[layer].push)
        np.add(parts[0], parts[1], out=received)
        for part in parts[2:]:
            received += part
        stiffness = self._stiffness(layer)
        # Free conductances can fall so far that a negative spring wins; the unit then has no minimum.
        return received, np.where(stiffness > 0, stiffness, np.nan)

    def _stiffness(self, layer: int) -> np.ndarray:
        """(n,) of the units of a layer: their own, of springs and of connections."""
        stiffness = self.own + self.imposed[layer].stiffness
        if layer > 0:
            stiffness = stiffness + self.couplings[layer - 1].loads()[1]
        if layer < len(self.couplings):
            stiffness = stiffness + self.couplings[layer].loads()[0]
        return stiffness

    def sweep(self, states: States) -> np.ndarray:
        """Move the last layer and every other before it, where nudges act, towards the minimum; then those between.

        Args:
            states: overwritten by the new ones, layer by layer.

        Returns:
            (B,) largest force met, to within the factor :data:`PACE`; see :meth:`residual`.
        """
        forces, at_play = np.zeros((2, len(states[0])))
        for parity in self._order:
            self.refresh(states)
            for layer in self.free_layers(parity):
                received, stiffness = self.received(states, layer)
                np.maximum(at_play, largest(received), out=at_play)
                move = np.multiply(received, PACE / stiffness, out=self._moves[layer])
                move += np.multiply(states[layer], 1 - PACE, out=received)
                before, states[layer] = states[layer], self.imposed[layer].confine(move)
                np.subtract(states[layer], before, out=move)
                move *= stiffness
                np.maximum(forces, largest(move), out=forces)
        return _relative(forces, at_play)

    def residual(self, states: States) -> np.ndarray:
        """(B,) largest force that a unit is free to follow, relative to the largest that a unit receives."""
        forces, at_play = np.zeros((2, len(states[0])))
        self.refresh(states)
        for layer, here in enumerate(self.imposed):
            if not here.still:
                received, stiffness = self.received(states, layer)
                np.maximum(at_play, largest(received), out=at_play)
                best = here.confine(np.divide(received, stiffness, out=received))
                best -= states[layer]
                best *= stiffness
                np.maximum(forces, largest(best), out=forces)
        return _relative(forces, at_play)


@dataclass(eq=False)
class Settled:
    """How the sweeps ended: states by layer; residual, sweeps and status of each sample, (B,)."""

    states: States
    residual: np.ndarray
    iterations: np.ndarray
    status: np.ndarray


def settle(sweeper: Sweeper, states: States, tolerance: float, max_iterations: int) -> Settled:
    """Sweep until every sample is at rest; a sample's iterations are the sweeps until it was."""
    batch = len(states[0])
    iterations = np.zeros(batch, dtype=int)
    residual = np.full(batch, np.inf)
    for _ in range(max_iterations):
        moving = ~(residual <= tolerance)
        iterations += moving
        with np.errstate(over="ignore", invalid="ignore"):
            residual = sweeper.sweep(states)
            if not (residual > tolerance).any():
                residual = sweeper.residual(states)
        # A sample that is not finite makes no more progress; the others may.
        if not (residual > tolerance).any():
            break
    status = np.where(residual <= tolerance, Status.CONVERGED, Status.OUT_OF_ITERATIONS)
    status[~np.isfinite(residual)] = Status.NOT_FINITE
    return Settled(states, residual, iterations, status)


def largest(values: np.ndarray) -> np.ndarray:
    """(B,) largest absolute value in a row."""
    return np.maximum(values.max(axis=1), -values.min(axis=1))


def _relative(forces: np.ndarray, at_play: np.ndarray) -> np.ndarray:
    return forces / np.maximum(at_play, np.finfo(float).tiny)
