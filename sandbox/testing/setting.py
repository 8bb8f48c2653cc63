"""A system on a bench of its own: the network, terminals and samples with which its part is tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from sandbox.apparatus import Apparatus
from sandbox.errors import SandboxError
from sandbox.parts import SystemPart
from sandbox.physics.boundary import Boundary
from sandbox.physics.network import Network
from sandbox.physics.system import System
from sandbox.plugins import plugins
from sandbox.terminals import Terminals

SAMPLES = 3
TOLERANCE = 1e-12
"""Of relaxations, so that what they leave is far below what finite differences are allowed."""


@dataclass(eq=False)
class Setting:
    """What one system part is tried with; everything is made once, from one seed."""

    part: SystemPart
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    @cached_property
    def network(self) -> Network:
        table = dict(self.part.trial.network)
        graph = plugins().parts["graph"][str(table.pop("type", ""))].model_validate(table)
        return graph.build(np.random.default_rng(3))  # type: ignore[attr-defined]

    @cached_property
    def system(self) -> System:
        return self.part.build(self.network, np.random.default_rng(5))

    @property
    def moves(self) -> bool:
        return self.part.looks.moves

    @cached_property
    def terminals(self) -> tuple[Terminals, Terminals]:
        """Inputs and outputs: of the trial, or far pairs where nodes move, or any nodes."""
        trial, network = self.part.trial, self.network
        if trial.inputs is not None and trial.outputs is not None:
            return _places(network, trial.inputs), _places(network, trial.outputs)
        if self.moves:
            x = network.positions
            order = np.argsort(x[:, 0], kind="stable")
            left, right = order[:2], order[-2:]
            return Terminals.across([(left[0], right[0])]), Terminals.across([(left[1], right[1])])
        if network.n_nodes < 4:
            raise SandboxError("the network of the trial has fewer than four nodes; give the trial a larger one")
        nodes = self.rng.permutation(network.n_nodes)
        return Terminals.at(nodes[: min(3, network.n_nodes - 2)]), Terminals.at(nodes[-2:])

    @cached_property
    def inputs(self) -> np.ndarray:
        """(SAMPLES, inputs)."""
        inputs = self.terminals[0]
        low, high = self.part.trial.span or ((-0.05, 0.05) if self.moves else (0.0, 1.0))
        drawn = self.rng.uniform(low, high, (SAMPLES, len(inputs)))
        if self.moves and inputs.kind == "pair":
            return inputs.read(self.system, self.system.rest_state()[None]) * (1 + drawn)
        return drawn

    @cached_property
    def targets(self) -> np.ndarray:
        """(SAMPLES, outputs), a little off what the outputs read by themselves."""
        free = self.apparatus(self.inputs).read()
        size = np.ptp(self.inputs) or float(np.abs(self.inputs).max()) or 1.0
        return free + 0.1 * size * self.rng.choice([-1.0, 1.0], free.shape)

    def apparatus(self, inputs: np.ndarray, compliance: float = 1.0) -> Apparatus:
        """A bench with inputs (inputs,) or (B, inputs) imposed."""
        apparatus = Apparatus(self.system, *self.terminals, compliance=compliance, tolerance=TOLERANCE)
        apparatus.clamp(inputs)
        return apparatus

    def boundary(self, inputs: np.ndarray) -> Boundary:
        """What a bench imposes with these inputs."""
        return self.apparatus(inputs).boundary

    def energy(self, stiffness: np.ndarray) -> float:
        """Of the first sample at rest."""
        return float(self.system.relax(self.boundary(self.inputs[:1]), stiffness, tolerance=TOLERANCE).energy[0])

    @cached_property
    def directions(self) -> np.ndarray:
        """(3, P) directions in which stiffnesses are moved, of length 1, that no bound forbids."""
        theta, (low, high) = self.system.stiffness, self.system.bounds
        some = self.rng.standard_normal((3, len(theta)))
        some[:, (theta <= low) | (theta >= high)] = 0.0
        return some / np.maximum(np.linalg.norm(some, axis=1, keepdims=True), 1e-300)


def _places(network: Network, given: Any) -> Terminals:
    if isinstance(given, str):
        return Terminals.at(network.nodes(given))
    array = np.asarray(given, dtype=int)
    return Terminals.across(array) if array.ndim == 2 else Terminals.at(array)
