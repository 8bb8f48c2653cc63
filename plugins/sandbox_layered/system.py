"""The layered system: wirings, the energy of a connection, boxes; relaxed by sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from sandbox.copies import Copied
from sandbox.errors import BoundaryError, NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.knobs import Knobs
from sandbox.physics.network import Network
from sandbox.physics.system import TOLERANCE
from sandbox_layered.connections import Wiring
from sandbox_layered.couplings import Held
from sandbox_layered.energies import ConnectionEnergy
from sandbox_layered.kept import Kept
from sandbox_layered.layers import Layers
from sandbox_layered.stiffnesses import StiffnessVector

Relaxations = Literal["joint", "once"]

Precision = Literal["double", "single"]

MAX_SWEEPS = 20_000
"""A sweep costs a few matrix products. Most relaxations take tens; some samples near an instability take thousands."""


class LayeredSystem(Copied):
    """Layers of units with one state each, joined to the next layer only.

    The energy is ``sum(own/2*s**2) - sum(b*s)`` over the units and an energy of every connection, see
    :mod:`sandbox_layered.energies`; a state is confined to a box unless it is clamped.

    Args:
        network: nodes only; the groups "layer 1", "layer 2", ... name the layers, the input first.
        wirings: of each layer with the next.
        energy: of every connection.
        stiffness: (P,), in the order of ``stiffness_groups``.
        box: lowest and highest states of each layer: a number or (n,) each.
        weight_bounds: lowest and highest weight; biases are not bounded.
        word: what weights are called in ``stiffness_groups``.
        biased: whether units have biases.
        stiffness_relaxations: what becomes of free stiffnesses. ``"joint"``: states and stiffnesses go to a minimum
            together. ``"once"``: the states go to a minimum at the stiffnesses as they were, then the stiffnesses to
            theirs at these states, and no further: the simulation of Scellier et al. 2022, arXiv:2205.15021. It is
            not a minimum of the joint energy, and descent of the Lyapunov function is not promised.
        precision: of states and of what they receive, while they relax; stiffnesses are in double precision always.
            ``"single"`` is for stiffnesses that relax once.

    Raises:
        NetworkError: for sizes that do not fit one another.
    """

    components = 1
    kept: ClassVar[Mapping[str, type]] = {"from_inputs": Kept, "common_compliances": Kept}

    def __init__(
        self,
        network: Network,
        wirings: Sequence[Wiring],
        energy: ConnectionEnergy,
        stiffness: np.ndarray,
        *,
        box: Sequence[tuple[float | np.ndarray, float | np.ndarray]],
        weight_bounds: tuple[float, float] = (-np.inf, np.inf),
        word: str = "weights",
        biased: bool = True,
        stiffness_relaxations: Relaxations = "joint",
        precision: Precision = "double",
    ) -> None:
        self.network = network
        self.layers = Layers.of(network)
        self.wirings, self.energy = tuple(wirings), energy
        self.layout = StiffnessVector(self.wirings, word, biased)
        self.stiffness_relaxations: Relaxations = stiffness_relaxations
        if precision == "single" and stiffness_relaxations == "joint":
            raise NetworkError(
                "single precision does not tell whether a joint minimum is one; set stiffness_relaxations = 'once', or "
                "precision = 'double'"
            )
        self.precision: Precision = precision
        self.from_inputs: Kept[Held] = Kept()
        self.common_compliances: Kept[list[float | None]] = Kept()
        self._check_sizes(len(box))
        self.box = [
            (np.broadcast_to(np.asarray(low, dtype=float), (n,)), np.broadcast_to(np.asarray(high, dtype=float), (n,)))
            for (low, high), n in zip(box, self.layers.sizes, strict=True)
        ]
        self.stiffness = np.array(stiffness, dtype=float)
        if self.stiffness.shape != (self.layout.size,) or not np.isfinite(self.stiffness).all():
            raise NetworkError(f"stiffnesses must be {self.layout.size} finite numbers; got {self.stiffness.shape}")
        self.stiffness.flags.writeable = False
        low, high = weight_bounds
        if not low < high:
            raise NetworkError(f"the weight bounds are {weight_bounds}; the lower must be below the upper")
        self.weight_bounds = weight_bounds
        self._bounds = np.full(self.layout.size, -np.inf), np.full(self.layout.size, np.inf)
        for connection in range(len(self.wirings)):
            self.layout.weights(self._bounds[0], connection)[:] = low
            self.layout.weights(self._bounds[1], connection)[:] = high
            w = self.layout.weights(self.stiffness, connection)
            if w.min() < low or w.max() > high:
                raise NetworkError(
                    f"{word} {connection + 1} run from {w.min():.4g} to {w.max():.4g}, outside the bounds [{low:.4g}, "
                    f"{high:.4g}]"
                )

    def _check_sizes(self, boxes: int) -> None:
        sizes = self.layers.sizes
        for what, count, wanted in (("wirings", len(self.wirings), len(sizes) - 1), ("boxes", boxes, len(sizes))):
            if count != wanted:
                raise NetworkError(f"{len(sizes)} layers take {wanted} {what}; got {count}")
        for number, wiring in enumerate(self.wirings):
            ends = int(np.prod(wiring.pre_shape)), int(np.prod(wiring.post_shape))
            if ends != sizes[number : number + 2]:
                raise NetworkError(
                    f"connection {number + 1} joins {ends[0]} to {ends[1]} units, but the layers have "
                    f"{sizes[number]} and {sizes[number + 1]}"
                )

    @property
    def relaxes_jointly(self) -> bool:
        """Whether free stiffnesses and states end at a joint minimum; not where the stiffnesses relax once."""
        return self.stiffness_relaxations == "joint"

    @property
    def stiffness_groups(self) -> Mapping[str, slice]:
        """Where in the vector of stiffnesses each group is: "weights 1", "biases 1", "weights 2", ..."""
        return self.layout.groups

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self._bounds

    def rest_state(self) -> np.ndarray:
        return np.concatenate([np.clip(0.0, low, high) for low, high in self.box])[:, None]

    def measure_pairs(self, state: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        pairs = np.asarray(pairs)
        return state[..., pairs[:, 1], 0] - state[..., pairs[:, 0], 0]

    def relax(
        self,
        boundary: Boundary,
        stiffness: np.ndarray | None = None,
        *,
        knobs: Knobs | None = None,
        start: np.ndarray | None = None,
        tolerance: float = TOLERANCE,
        max_iterations: int = MAX_SWEEPS,
        method: str = "auto",
        throw: bool = True,
    ) -> Equilibrium:
        """See :meth:`sandbox.physics.system.System.relax`; ``method`` is "auto" or "sweeps".

        Raises:
            NotConverged: with the report of all samples.
            BoundaryError: for what a layered network does not take: springs across pairs, springs so negative that
                a unit has no minimum, knobs that act on the logarithm.
        """
        from sandbox_layered.relaxation import relax

        if method not in ("auto", "sweeps"):
            raise BoundaryError(f"layered networks have no method {method!r}; choose 'auto' or 'sweeps'")
        theta = self.stiffness if stiffness is None else np.asarray(stiffness, dtype=float)
        for what, given in (("stiffnesses", theta), ("knobs", None if knobs is None else knobs.values)):
            if given is not None and given.shape != (self.layout.size,):
                raise BoundaryError(f"{what} have shape {given.shape}; this system has ({self.layout.size},)")
        return relax(self, boundary, theta, knobs, start, tolerance, max_iterations, throw)

    def sensitivity(self, equilibrium: Equilibrium, boundary: Boundary, cost_gradient: np.ndarray) -> np.ndarray:
        """See :meth:`sandbox.physics.system.System.sensitivity`; units at an end of their box do not respond."""
        from sandbox_layered.adjoint import adjoint_gradient

        return adjoint_gradient(self, equilibrium, boundary, cost_gradient)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.layers.sizes))
        return f"{type(self).__name__}({sizes}, {type(self.energy).__name__.lower()} energy, {self.layout.size} knobs)"
