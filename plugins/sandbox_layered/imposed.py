"""What the outside world imposes on each layer during a relaxation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sandbox.errors import BoundaryError
from sandbox.physics.boundary import Boundary
from sandbox_layered.layers import Layers


@dataclass(frozen=True, eq=False)
class Imposed:
    """Clamps, forces and springs of one layer of n units, and the box of its states.

    Attributes:
        clamped: (n,) mask; or (B, n), where samples differ.
        values: (B, n) clamped values.
        push: (B, n) external force plus spring stiffness times target.
        stiffness: (n,) of the springs.
        targets: (B, n) of the springs.
        forces: (B, n) external forces.
        low, high: (n,) lowest and highest state of a unit that is free; or one for all, which is faster.
        still: whether all units are clamped.
        loose: whether none is.
    """

    clamped: np.ndarray
    values: np.ndarray
    push: np.ndarray
    stiffness: np.ndarray
    targets: np.ndarray
    forces: np.ndarray
    low: np.ndarray | float
    high: np.ndarray | float
    still: bool
    loose: bool

    def confine(self, states: np.ndarray) -> np.ndarray:
        """States (B, n) within the box, clamped ones at their values; a new array."""
        if self.still:
            return self.values
        inside = np.clip(states, self.low, self.high)
        return inside if self.loose else np.where(self.clamped, self.values, inside)

    def inside(self, states: np.ndarray) -> np.ndarray:
        """(B, n) mask of the units that are neither clamped nor at an end of their box."""
        return (states > self.low) & (states < self.high) & ~self.clamped

    def energy(self, states: np.ndarray) -> np.ndarray:
        """(B,) of forces and springs."""
        total = np.zeros(len(states))
        if self.stiffness.any():
            total += (self.stiffness / 2 * (states - self.targets) ** 2).sum(axis=1)
        if self.forces.any():
            total -= (self.forces * states).sum(axis=1)
        return total


def imposed_on(
    layers: Layers, box: Sequence[tuple[np.ndarray, np.ndarray]], boundary: Boundary, dtype: type | np.dtype = float
) -> list[Imposed]:
    """What a boundary means to each layer; ``box`` has the lowest and highest states of each layer, (n,) each.

    Args:
        dtype: of all numbers.

    Raises:
        BoundaryError: for a boundary of another network, springs across pairs, or what pulls at a node that is held.
    """
    n = sum(layers.sizes)
    if (boundary.n_nodes, boundary.components) != (n, 1):
        raise BoundaryError(
            f"the boundary is for {boundary.n_nodes} nodes of {boundary.components} components; the layers have {n} "
            "nodes of 1"
        )
    if len(boundary.pairs):
        raise BoundaryError(
            "a layered network takes no springs across pairs of nodes; read and nudge the nodes of its output layer"
        )
    boundary.check_held()
    clamped = layers.split(boundary.clamped[:, 0], bool)
    stiffness = layers.split(boundary.spring_stiffness[:, 0], dtype)
    values, forces, targets = (
        layers.split(array[..., 0], dtype) for array in (boundary.values, boundary.forces, boundary.spring_targets)
    )
    return [
        Imposed(
            clamped[layer],
            values[layer],
            forces[layer] + stiffness[layer] * targets[layer],
            stiffness[layer],
            targets[layer],
            forces[layer],
            *(_common(limit.astype(dtype, copy=False)) for limit in box[layer]),
            still=bool(clamped[layer].all()),
            loose=not clamped[layer].any(),
        )
        for layer in range(len(layers))
    ]


def _common(limit: np.ndarray) -> np.ndarray | float:
    """(n,), or a number that stands for n equal ones."""
    return float(limit[0]) if limit.min() == limit.max() else limit
