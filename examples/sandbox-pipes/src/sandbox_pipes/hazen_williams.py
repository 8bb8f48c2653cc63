"""The head losses of Hazen and Williams, as a law of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from sandbox.parts import Looks, SystemPart
from sandbox.physics.laws import LOAD, POWER_LAW
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.spread import Values, draw
from sandbox_pipes.pipe_network import PipeNetwork

EXPONENT = 1.852
RESISTANCE = 4.727 * 0.3048 ** (4.871 - 3 * EXPONENT)
"""10.667 in SI units. EPANET's manual (Rossman 2000, table 3.1) has 4.727, in feet and seconds."""


def conductance(length: np.ndarray, diameter: np.ndarray, roughness: np.ndarray) -> np.ndarray:
    """The k of ``q = k |h|^(1/1.852)``, from the loss ``h = 10.667 C^-1.852 D^-4.871 L q^1.852``.

    Args:
        length: (E,) L in m.
        diameter: (E,) D in m.
        roughness: (E,) the coefficient C, a number.

    Returns:
        (E,) in m^3/s at a loss of 1 m.
    """
    return (RESISTANCE * roughness**-EXPONENT * diameter**-4.871 * length) ** (-1 / EXPONENT)


class Pipes(Material):
    """Pipes, their demands, and the heads of tanks and reservoirs, which are what a clamp "at rest" holds.

    Args:
        heads: (N,) in m, NaN at junctions; these rest at the mean of the others, where a relaxation starts.
        demand: (N,) drawn at each node, m^3/s.
        bounds: of the conductances.
    """

    def __init__(
        self,
        network: Network,
        law: EdgeLaw,
        parameters: Mapping[str, npt.ArrayLike],
        heads: np.ndarray,
        demand: np.ndarray,
        bounds: tuple[float, float],
    ) -> None:
        loads = {"f": -demand[:, None]}
        super().__init__(network, law, parameters, bounds=bounds, node_law=LOAD, node_parameters=loads)
        self.heads, self.demand = heads, demand

    def rest_state(self) -> np.ndarray:
        known = ~np.isnan(self.heads)
        return np.where(known, self.heads, self.heads[known].mean() if known.any() else 0.0)[:, None]

    def with_law(self, law: EdgeLaw, parameters: Mapping[str, npt.ArrayLike]) -> Pipes:
        merged = {name: value for name, value in {**self.parameters, **parameters}.items() if name in law.parameters}
        bounds = float(self.bounds[0][0]), float(self.bounds[1][0])
        return Pipes(self.network, law, merged, self.heads, self.demand, bounds)


class HazenWilliams(SystemPart):
    """Heads s at nodes; through a pipe flows q = k sign(d) |d|^(1/1.852). The conductance k learns.

    Pipes, demands and heads are those of a network of type ``epanet``; hold its tanks and reservoirs with a clamp of
    the group ``fixed``, without a value. On any other network, pipes are as long as edges, in m, and nothing is drawn.
    """

    looks: ClassVar[Looks] = Looks(state="head (m)", stiffness="conductance")

    diameter: Values = Field(0.3, description="of pipes, in m, on other networks")
    roughness: Values = Field(100.0, description="of pipes, the coefficient C, on other networks")
    minimum: float = Field(1e-7, gt=0, description="lowest conductance, m^3/s at a loss of 1 m")
    rounding: float = Field(1e-8, gt=0, description="loss, in m, below which the law is rounded off")

    def build(self, network: Network, rng: np.random.Generator) -> Pipes:
        if isinstance(network, PipeNetwork):
            k = conductance(network.length, network.diameter, network.roughness)
            heads, demand = network.head, network.demand
        else:
            diameter, roughness = (draw(v, network.n_edges, rng) for v in (self.diameter, self.roughness))
            k = conductance(network.lengths(), diameter, roughness)
            heads, demand = np.full(network.n_nodes, np.nan), np.zeros(network.n_nodes)
        parameters = {"k": np.maximum(k, self.minimum), "n": 1 / EXPONENT, "delta": self.rounding}
        return Pipes(network, POWER_LAW, parameters, heads, demand, (self.minimum, np.inf))
