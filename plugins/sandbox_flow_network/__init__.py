"""Flow networks: pressures at nodes, flows through edges; linear, power-law and diode conductors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

import sandbox
from sandbox.parts import Looks, SystemPart
from sandbox.physics.laws import CONDUCTANCE, DIODE, POWER_LAW
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.spread import Spread, Values, stiffnesses


class FlowNetwork(SystemPart):
    """Nodes at pressures s, edges through which fluid or current flows; the adjustable stiffness is the conductance k.

    Laws, with d = s_first - s_second the drop along an edge and the flow counted from its first node to its second:
    ``linear``, flow = k d; ``power``, flow = k sign(d) |d|^n; ``diode``, flow = k vt (exp(d/vt) - 1) + leak d, which is
    easy from first to second. The minimum of the content (half the dissipation, for linear edges) is where flows
    balance at every free node.

    Conductances are those of the network's edges where it has a column ``conductance`` (or ``stiffness``, as an
    exported run calls it), as a file may.
    """

    looks: ClassVar[Looks] = Looks(state="pressure", stiffness="conductance")
    edge_columns: ClassVar[Mapping[str, str]] = {"conductance": "conductance", "stiffness": "conductance"}

    law: Literal["linear", "power", "diode"] = "linear"
    conductance: Values = Spread(low=0.5, high=1.5)
    minimum: float = Field(1e-3, ge=0, description="lowest conductance")
    maximum: float = Field(float("inf"), gt=0, allow_inf_nan=True, description="highest conductance")
    exponent: float = Field(1 / 1.852, gt=0, description="n of the power law; Hazen-Williams pipes have 1/1.852")
    rounding: float = Field(1e-8, gt=0, description="drop below which the power law is rounded off")
    thermal_voltage: float = Field(0.1, gt=0, description="vt of the diode")
    leak: float = Field(0.01, ge=0, description="linear conductance in parallel with the diode")

    turn: Literal["as listed", "reversed", "at random"] = Field(
        "as listed",
        description="which way diodes point: from the first node of each edge to its second, the other way, or either "
        "way at random; edges are listed as their diodes point",
    )

    def stiffness_unit(self) -> dict[str, float]:
        return {"energy": 1, "state": -1 - (self.exponent if self.law == "power" else 1)}

    def build(self, network: Network, rng: np.random.Generator) -> Material:
        k = stiffnesses(self, "conductance", network, rng)
        if self.turn == "at random":
            network = network.turned(rng.random(network.n_edges) >= 0.5)
        elif self.turn == "reversed":
            network = network.turned(np.ones(network.n_edges, dtype=bool))
        law, others = {
            "linear": (CONDUCTANCE, {}),
            "power": (POWER_LAW, {"n": self.exponent, "delta": self.rounding}),
            # Easy for s_second - s_first < 0: from the first node to the second.
            "diode": (DIODE, {"vt": -self.thermal_voltage, "leak": self.leak}),
        }[self.law]
        return Material(network, law, {"k": k, **others}, bounds=(self.minimum, self.maximum))


@sandbox.hookimpl
def register_systems(register: sandbox.Register) -> None:
    register("flow_network", FlowNetwork)
