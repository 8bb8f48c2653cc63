"""Layered networks, solved layer by layer: Hopfield-like networks and deep resistive networks."""

from __future__ import annotations

import sandbox
from sandbox_layered.graph import Layered
from sandbox_layered.parts import Hopfield, Resistive


@sandbox.hookimpl
def register_graphs(register: sandbox.Register) -> None:
    register("layered", Layered)


@sandbox.hookimpl
def register_systems(register: sandbox.Register) -> None:
    register("hopfield", Hopfield)
    register("resistive", Resistive)
