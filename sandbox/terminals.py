"""Terminals: the places at which the outside world meets a system.

A set of input terminals turns numbers into clamps or forces; a set of output terminals reads numbers from states and
takes the nudging springs. A terminal is one component of one node, or a pair of nodes (their distance, or the
difference of their values).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sandbox.errors import BoundaryError
from sandbox.physics.boundary import Boundary
from sandbox.physics.system import System
from sandbox.units import Powers, force_on, state_of

Kind = Literal["value", "force", "pair"]

GRIP = 100.0
"""Stiffness of the springs that clamp an output pair."""


@dataclass(frozen=True, eq=False)
class Terminals:
    """n terminals of one kind.

    Attributes:
        nodes: (n,) node indices, or (n, 2) for pairs.
        kind: ``"value"`` clamps a node component (or reads it); ``"force"`` pushes it (injects a current);
            ``"pair"`` sets (or reads) the distance of two nodes or the difference of their values.
        component: which state component; of no meaning for pairs.
    """

    nodes: np.ndarray
    kind: Kind = "value"
    component: int = 0

    @classmethod
    def at(cls, nodes: npt.ArrayLike, component: int = 0) -> Terminals:
        """Node components whose value is clamped or read."""
        return cls(_indices(nodes).reshape(-1), "value", component)

    @classmethod
    def pushing(cls, nodes: npt.ArrayLike, component: int = 0) -> Terminals:
        """Node components on which the input is an external force or an injected current."""
        return cls(_indices(nodes).reshape(-1), "force", component)

    @classmethod
    def across(cls, pairs: npt.ArrayLike) -> Terminals:
        """Pairs of nodes."""
        return cls(_indices(pairs).reshape(-1, 2), "pair")

    def __len__(self) -> int:
        return len(self.nodes)

    def quantity(self, moves: bool) -> Powers:
        """What is imposed or read there, where states are positions or not."""
        state = state_of(moves)
        return force_on(state) if self.kind == "force" else state

    @property
    def all_nodes(self) -> np.ndarray:
        """Every node that is part of a terminal."""
        return np.unique(self.nodes)

    def check(self, system: System, role: str) -> None:
        """See that the terminals exist.

        Raises:
            BoundaryError: naming the terminal.
        """
        n = system.network.n_nodes
        for number, node in enumerate(self.nodes.reshape(len(self), -1)):
            if node.min() < 0 or node.max() >= n:
                raise BoundaryError(f"{role} terminal {number} is at node {node.tolist()}; nodes run from 0 to {n - 1}")
        if self.kind == "pair" and len(self) and (self.nodes[:, 0] == self.nodes[:, 1]).any():
            raise BoundaryError(f"an {role} pair joins a node to itself: {self.nodes.tolist()}")
        if self.kind == "pair" and role == "input":
            if len(np.unique(self.nodes)) < self.nodes.size:
                raise BoundaryError(
                    f"two input pairs share a node, which cannot be at two places: {self.nodes.tolist()}"
                )
            if system.components == 1 and len(self) > 1:
                raise BoundaryError(
                    "a pair as input of a scalar system grounds its first node, so there can be one only; "
                    f"{len(self)} were given: clamp node values instead"
                )
        if len(np.unique(np.sort(self.nodes.reshape(len(self), -1), axis=1), axis=0)) < len(self):
            raise BoundaryError(f"two {role} terminals are at the same place: {self.nodes.tolist()}")
        if not 0 <= self.component < system.components:
            raise BoundaryError(f"{role} terminals ask for component {self.component} of {system.components}")

    def rows(self, values: npt.ArrayLike, what: str) -> np.ndarray:
        """Values (B, n) of the terminals, given as such or as (n,) for one sample.

        Raises:
            BoundaryError: saying what they are, where the shape is another or a number is not finite.
        """
        width = len(self)
        rows = np.atleast_2d(np.asarray(values, dtype=float))
        if rows.ndim != 2 or rows.shape[1] != width:
            raise BoundaryError(f"{what} have shape {np.shape(values)}; expected ({width},) or (samples, {width})")
        if not np.isfinite(rows).all():
            sample, place = np.argwhere(~np.isfinite(rows))[0]
            raise BoundaryError(f"{what} must be finite; sample {sample}, terminal {place} is {rows[sample, place]}")
        return rows

    def drive(self, system: System, boundary: Boundary, values: np.ndarray) -> Boundary:
        """Impose input values (B, n) on a boundary.

        A pair is set by clamping both nodes, symmetrically about the middle of their rest positions and along the
        line between them; in the plane that fixes the distance and removes the rigid motions, and nothing else. In
        space a body that nothing else holds could still turn about that line; one component of a third node is held
        at rest to stop it, which no distance in the body notices.
        """
        if self.kind == "value":
            return boundary.clamp(self.nodes, values, [self.component])
        if self.kind == "force":
            return boundary.push(self.nodes, values, [self.component])
        low, high = self.pair_places(system, values)
        alone = system.components == 3 and len(self) == 1 and not boundary.clamped.any()
        boundary = boundary.clamp(self.nodes[:, 0], low).clamp(self.nodes[:, 1], high)
        if alone:
            rest = system.rest_state()
            first, second = rest[self.nodes[0]]
            turning = np.cross((second - first) / np.linalg.norm(second - first), rest - first)
            node, component = np.unravel_index(np.argmax(np.abs(turning)), turning.shape)
            boundary = boundary.clamp([int(node)], [[rest[node, component]]], [int(component)])
        return boundary

    def grip(self, system: System, boundary: Boundary, values: np.ndarray) -> Boundary:
        """Hold outputs at values (B, n). Of a pair the distance is wanted, not the place: a stiff spring holds it."""
        if self.kind == "pair":
            return self.nudge(boundary, values, GRIP)
        return self.drive(system, boundary, values)

    def pair_places(self, system: System, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States (B, n, D), (B, n, D) of the two ends of every pair at which the pair reads ``values`` (B, n)."""
        rest = system.rest_state()
        shift = system.network.pair_shifts(self.nodes) if system.components > 1 else 0.0
        a, b = rest[self.nodes[:, 0]], rest[self.nodes[:, 1]] + shift
        length = np.linalg.norm(b - a, axis=1, keepdims=True)
        if system.components == 1:
            return np.zeros((*values.shape, 1)), values[..., None] + 0 * a
        if not length.all():
            i, j = self.nodes[int(np.argmin(length))].tolist()
            raise BoundaryError(
                f"the input pair of nodes {i} and {j} is at one place, so there is no line to set their distance "
                "along; take another pair"
            )
        middle, direction = (a + b) / 2, (b - a) / length
        half = values[..., None] * direction / 2
        return middle - half, middle + half - shift

    def nudge(self, boundary: Boundary, targets: np.ndarray, beta: float) -> Boundary:
        """Attach a spring of stiffness beta from every terminal to its target (B, n)."""
        if self.kind == "pair":
            return boundary.pair_spring(self.nodes, targets, beta)
        return boundary.spring(self.nodes, targets, beta, [self.component])

    def read(self, system: System, state: np.ndarray) -> np.ndarray:
        """Readings (B, n) at states (B, N, D)."""
        if self.kind == "pair":
            return system.measure_pairs(state, self.nodes)
        return state[:, self.nodes, self.component]

    def cost_gradient(self, system: System, state: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """dC/ds, (B, N, D), of the cost C = 1/2 |reading - target|^2 at states (B, N, D)."""
        error = self.read(system, state) - targets
        gradient = np.zeros_like(state)
        if self.kind != "pair":
            gradient[:, self.nodes, self.component] = error
            return gradient
        difference = state[:, self.nodes[:, 1]] - state[:, self.nodes[:, 0]]
        if system.components == 1:
            direction = np.ones_like(difference)
        else:
            difference = difference + system.network.pair_shifts(self.nodes)
            length = np.linalg.norm(difference, axis=-1, keepdims=True)
            # Between nodes at one place there is no direction, and no gradient.
            direction = np.divide(difference, length, out=np.zeros_like(difference), where=length > 0)
        np.add.at(gradient, np.s_[:, self.nodes[:, 0]], -error[..., None] * direction)  # pyright: ignore[reportArgumentType]
        np.add.at(gradient, np.s_[:, self.nodes[:, 1]], error[..., None] * direction)  # pyright: ignore[reportArgumentType]
        return gradient


def check_overlaps(inputs: Terminals, outputs: Terminals, surroundings: Boundary) -> None:
    """See that a place is held by one thing only, and that an output is free to move.

    Raises:
        BoundaryError: naming the node.
    """
    held = surroundings.clamped.copy()
    driven = np.zeros_like(held)
    if inputs.kind == "pair":
        driven[inputs.nodes.ravel()] = True
    elif inputs.kind == "value":
        driven[inputs.nodes, inputs.component] = True
    both = np.flatnonzero((held & driven).any(axis=1))
    if len(both):
        raise BoundaryError(f"node {int(both[0])} is an input, and clamped by the surroundings too; drop one of them")
    pushed = np.flatnonzero((driven & (surroundings.forces[0] != 0)).any(axis=1))
    if len(pushed):
        raise BoundaryError(
            f"node {int(pushed[0])} is an input, held at what is imposed there, and pushed by the surroundings, which "
            "would change nothing; drop one of them"
        )
    held |= driven
    at_outputs = held[outputs.nodes]
    stuck = at_outputs.all(axis=(1, 2)) if outputs.kind == "pair" else at_outputs[:, outputs.component]
    if stuck.any():
        place = outputs.nodes[int(np.argmax(stuck))].tolist()
        raise BoundaryError(f"the output at node {place} is clamped, so it can neither answer nor be nudged")


def _indices(nodes: npt.ArrayLike) -> np.ndarray:
    """Check that nodes are given by their numbers: a mask would be read as the nodes 0 and 1, and 1.7 as 1.

    Raises:
        BoundaryError: for a mask, or numbers that are not whole.
    """
    array = np.asarray(nodes)
    if array.size and array.dtype.kind not in "iu":
        hint = "; of a mask, give np.flatnonzero(mask)" if array.dtype == bool else ""
        raise BoundaryError(f"terminals are at node indices, whole numbers; got {array.dtype}{hint}")
    return array.astype(int)
