"""Elastic networks: disordered or from a file, of true or linearized geometry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

import sandbox
from sandbox.errors import NetworkError
from sandbox.parts import Looks, SystemPart
from sandbox.physics.laws import SPRING, SPRING_OF_REST_LENGTH
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.spread import Values, draw, stiffnesses


class ElasticNetwork(SystemPart):
    """Springs k/2 (r - l)^2 between nodes, unstressed at the reference positions.

    ``adjustable`` says which parameter learns: the stiffness k or the rest length l. ``minimum`` and ``maximum`` bound
    it; those of rest lengths are in units of the initial length of the shortest and longest edge. Stiffnesses are those
    of the network's edges where it has a column ``stiffness``.
    """

    looks: ClassVar[Looks] = Looks(state="displacement", stiffness="stiffness", moves=True)
    edge_columns: ClassVar[Mapping[str, str]] = {"stiffness": "stiffness"}

    geometry: Literal["true", "linearized"] = "true"
    adjustable: Literal["stiffness", "rest length"] = "stiffness"
    stiffness: Values = 1.0
    minimum: float = Field(1e-3, ge=0, description="lowest stiffness, or rest length in units of the shortest edge")
    maximum: float = Field(
        float("inf"), gt=0, allow_inf_nan=True, description="highest stiffness, or rest length in longest edges"
    )
    prestrain: float = Field(0.0, ge=0, lt=1, description="rest lengths differ from initial lengths by up to this part")
    mass: float = Field(1.0, gt=0, description="of every node, for dynamics")
    damping: float = Field(0.0, ge=0, description="rate at which friction takes velocity, 1/time, for dynamics")

    def stiffness_unit(self) -> dict[str, float]:
        return {"length": 1} if self.adjustable == "rest length" else {"energy": 1, "length": -2}

    def inertia(self) -> tuple[float, float]:
        return self.mass, self.damping

    def build(self, network: Network, rng: np.random.Generator) -> Material:
        if network.n_edges == 0:
            raise NetworkError("an elastic network needs edges, and this network has none")
        if self.adjustable == "rest length" and "stiffness" in network.edge_values:
            raise NetworkError(
                "the column 'stiffness' of the network's edges may be stiffnesses, or rest lengths, which an exported "
                "run calls so where rest lengths learn; remove it, or give it another name"
            )
        learns = self.adjustable == "stiffness"
        k = stiffnesses(self, "stiffness", network, rng) if learns else draw(self.stiffness, network.n_edges, rng)
        length = network.lengths()
        rest = length * (1 + self.prestrain * rng.uniform(-1, 1, network.n_edges)) if self.prestrain else length
        if learns:
            law, bounds = SPRING, (self.minimum, self.maximum)
        else:
            low, high = self.minimum * float(length.min()), self.maximum * float(length.max())
            law, bounds = SPRING_OF_REST_LENGTH, (low, high)
            rest = np.clip(rest, low, high)
        return Material(network, law, {"k": k, "l": rest}, bounds=bounds, linearized=self.geometry == "linearized")


@sandbox.hookimpl
def register_systems(register: sandbox.Register) -> None:
    register("elastic_network", ElasticNetwork)
