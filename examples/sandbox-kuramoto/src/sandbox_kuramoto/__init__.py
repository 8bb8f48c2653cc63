"""Kuramoto oscillators that have locked: their phases are at a minimum of an energy, and their couplings learn."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

import sandbox
from sandbox.errors import NetworkError
from sandbox.parts import Looks, SystemPart, Trial
from sandbox.physics.network import Network
from sandbox.spread import Spread, Values, draw

SANDBOX_HOOKS = 1

COUPLING = sandbox.EdgeLaw("K*(1 - cos(d))", ("K",))
DETUNING = sandbox.NodeLaw("-w*s", ("w",))


class Kuramoto(SystemPart):
    """Phases s with ds_i/dt = w_i + sum_j K_ij sin(s_j - s_i), at rest in the frame of their common frequency.

    The motion goes downhill in E = sum K_ij (1 - cos(s_j - s_i)) - sum w_i s_i, so locked oscillators are at a minimum
    of E: for w = 0, of the energy of XY spins. Where frequencies differ too much for the couplings there is no minimum,
    and a relaxation says so. The couplings learn.

    Source: Kuramoto 1975 (Lecture Notes in Physics 39, 420); the energy: van Hemmen and Wreszinski 1993 (Journal of
    Statistical Physics 72, 145).
    """

    looks: ClassVar[Looks] = Looks(state="phase", stiffness="coupling")
    trial: ClassVar[Trial] = Trial(settings={"frequency": {"low": 0.0, "high": 0.5}})

    coupling: Values = 1.0
    frequency: Annotated[
        float | tuple[float, ...] | Spread,
        Field(description="of each oscillator, or a random draw; only differences from the mean count"),
    ] = 0.0
    minimum: float = Field(1e-3, gt=0, description="lowest coupling")
    maximum: float = Field(1e3, gt=0, description="highest coupling")

    def build(self, network: Network, rng: np.random.Generator) -> sandbox.Material:
        couplings = draw(self.coupling, network.n_edges, rng).clip(self.minimum, self.maximum)
        if isinstance(self.frequency, tuple):
            if len(self.frequency) != network.n_nodes:
                raise NetworkError(f"{len(self.frequency)} frequencies are given for {network.n_nodes} oscillators")
            w = np.array(self.frequency)
        else:
            w = draw(self.frequency, network.n_nodes, rng)
        return sandbox.Material(
            network,
            COUPLING,
            {"K": couplings},
            node_law=DETUNING,
            node_parameters={"w": (w - w.mean())[:, None]},
            bounds=(self.minimum, self.maximum),
        )


@sandbox.hookimpl
def register_systems(register: sandbox.Register) -> None:
    register("kuramoto", Kuramoto)
