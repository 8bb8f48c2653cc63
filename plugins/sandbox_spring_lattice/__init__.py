"""Spring lattices: regular arrays of masses and springs, for statics, dynamics and learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

import sandbox
from sandbox.parts import Looks, SystemPart
from sandbox.physics.laws import SPRING
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.spread import Values, column, stiffnesses


class SpringLattice(SystemPart):
    """Springs of stiffness k between neighbouring masses; true lengths unless linearized.

    Mass and damping matter to dynamics only. Stiffnesses and rest lengths are those of the network's edges where it has
    columns ``stiffness`` and ``rest_length``.
    """

    looks: ClassVar[Looks] = Looks(state="displacement", stiffness="stiffness", moves=True)
    edge_columns: ClassVar[Mapping[str, str]] = {"stiffness": "stiffness", "rest_length": "rest_length"}

    stiffness: Values = 1.0
    rest_length: float | None = Field(None, ge=0, description="of every spring; its initial length by default")
    minimum: float = Field(1e-3, ge=0, description="lowest stiffness")
    maximum: float = Field(float("inf"), gt=0, allow_inf_nan=True, description="highest stiffness")
    geometry: Literal["true", "linearized"] = "true"
    mass: float = Field(1.0, gt=0, description="of every node")
    damping: float = Field(0.0, ge=0, description="rate at which friction takes velocity, 1/time")

    def stiffness_unit(self) -> dict[str, float]:
        return {"energy": 1, "length": -2}

    def inertia(self) -> tuple[float, float]:
        return self.mass, self.damping

    def build(self, network: Network, rng: np.random.Generator) -> Material:
        k, rest = stiffnesses(self, "stiffness", network, rng), column(self, "rest_length", network)
        if rest is None:
            rest = network.lengths() if self.rest_length is None else self.rest_length
        bounds = (self.minimum, self.maximum)
        return Material(network, SPRING, {"k": k, "l": rest}, bounds=bounds, linearized=self.geometry == "linearized")


@sandbox.hookimpl
def register_systems(register: sandbox.Register) -> None:
    register("spring_lattice", SpringLattice)
