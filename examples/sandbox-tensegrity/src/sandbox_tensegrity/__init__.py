"""Tensegrity: struts that push and pull, cables that only pull, and the prism of three struts."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

import sandbox
from sandbox.errors import NetworkError
from sandbox.parts import Graph, Looks, SystemPart, Trial
from sandbox.physics.network import Network

SANDBOX_HOOKS = 1

MEMBER = sandbox.EdgeLaw("k/2*((1 - cable)*(r - l)**2 + cable*max(r - l, 0)**2)", ("k", "l", "cable"))
"""A strut is a spring (cable = 0); a cable (cable = 1) is one when it is longer than at rest, and slack otherwise."""


class Prism(Graph):
    """Three struts from a triangle to another above it; cables along both triangles and up the sides.

    Edges: 3 bottom and 3 top cables, 3 side cables, 3 struts. ``twist`` is the angle about the axis from the bottom end
    of a strut to its top end. Where nothing pulls, it relaxes to 150 degrees, whatever the members are made of.
    Groups: bottom, top.

    Source: Connelly and Terrell 1995 (Structural Topology 21, 59).
    """

    radius: float = Field(1.0, gt=0, description="of both triangles, corners on it")
    height: float = Field(1.5, gt=0)
    twist: float = Field(150.0, gt=120, lt=180, description="degrees, before anything relaxes")

    def build(self, rng: np.random.Generator) -> Network:
        third = 2 * np.pi * np.arange(3) / 3
        above = third + np.radians(self.twist) - 2 * np.pi / 3
        circle = [np.stack([np.cos(a), np.sin(a), np.full(3, z)], axis=1) for a, z in ((third, 0.0), (above, 1.0))]
        scale = np.array([self.radius, self.radius, self.height])
        i = np.arange(3)
        after = (i + 1) % 3
        edges = [(i, after), (3 + i, 3 + after), (i, 3 + i), (i, 3 + after)]
        return Network(
            np.concatenate(circle) * scale,
            np.concatenate([np.stack(pair, axis=1) for pair in edges]),
            groups={"bottom": i, "top": 3 + i},
        )


class Tensegrity(SystemPart):
    """Struts of stiffness ``strut``; all other edges are cables of stiffness ``cable``, too short by ``strain``.

    A slack cable has no stiffness, so a structure of slack cables may be floppy; the relaxation then says so.
    """

    looks: ClassVar[Looks] = Looks(state="displacement", stiffness="stiffness", moves=True)
    trial: ClassVar[Trial] = Trial(network={"type": "prism"}, inputs=((0, 1),), outputs=((3, 4),), span=(0.01, 0.05))

    struts: tuple[int, ...] = Field((9, 10, 11), description="edges that are struts; those of the prism by default")
    cable: float = Field(1.0, gt=0, description="stiffness of a cable")
    strut: float = Field(10.0, gt=0, description="stiffness of a strut")
    strain: float = Field(0.1, ge=0, lt=1, description="part of its length by which a cable is too short")

    def stiffness_unit(self) -> dict[str, float]:
        return {"energy": 1, "length": -2}

    def build(self, network: Network, rng: np.random.Generator) -> sandbox.Material:
        wrong = [edge for edge in self.struts if not 0 <= edge < network.n_edges]
        if wrong:
            raise NetworkError(f"strut {wrong[0]} does not exist; edges run from 0 to {network.n_edges - 1}")
        cables = np.ones(network.n_edges)
        cables[list(self.struts)] = 0.0
        return sandbox.Material(
            network,
            MEMBER,
            {
                "k": np.where(cables, self.cable, self.strut),
                "l": network.lengths() * (1 - self.strain * cables),
                "cable": cables,
            },
            bounds=(1e-3, 1e3),
        )


@sandbox.hookimpl
def register_graphs(register: sandbox.Register) -> None:
    register("prism", Prism)


@sandbox.hookimpl
def register_systems(register: sandbox.Register) -> None:
    register("tensegrity", Tensegrity)
