"""The three kinds of systems on which the theory's promises are tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sandbox_elastic_network import ElasticNetwork
from sandbox_flow_network import FlowNetwork
from sandbox_spring_lattice import SpringLattice

from sandbox.apparatus import Apparatus
from sandbox.physics.boundary import Boundary
from sandbox.physics.graphs import jittered_grid, triangular
from sandbox.physics.system import System
from sandbox.terminals import Terminals

TIGHT = 1e-13
"""Tolerance of relaxations, so that what is measured is the theory's error and not the solver's."""


@dataclass(frozen=True, eq=False)
class Case:
    """A system with terminals and one sample.

    Attributes:
        scale: a compliance at which knobs and stiffnesses differ by some per cent.
        beta: a nudging strength well below the stiffness of the outputs.
    """

    name: str
    system: System
    terminals: tuple[Terminals, Terminals]
    inputs: np.ndarray
    targets: np.ndarray
    scale: float
    beta: float
    surroundings: Boundary | None = None
    wrap: Callable[[System], Any] = field(default=lambda system: system)

    def apparatus(self, **settings: Any) -> Apparatus:
        settings = {"tolerance": TIGHT, "surroundings": self.surroundings, **settings}
        return Apparatus(self.wrap(self.system), *self.terminals, **settings)


def flow() -> Case:
    """64 nodes, four random inputs, three random outputs."""
    rng = np.random.default_rng(11)
    system = FlowNetwork().build(jittered_grid(8, seed=3), rng)
    nodes = rng.permutation(64)[:7]
    inputs = np.array([0.0, 1.0, *rng.uniform(0, 1, 2)])
    targets = rng.uniform(0.2, 0.8, 3)
    return Case("flow", system, (Terminals.at(nodes[:4]), Terminals.at(nodes[4:])), inputs, targets, 0.5, 0.3)


def elastic() -> Case:
    """A jittered grid of true geometry, its left side held, a node of its right side pulled, a pair read."""
    rng = np.random.default_rng(12)
    net = jittered_grid(6, seed=4)
    system = ElasticNetwork(stiffness={"low": 0.5, "high": 1.5}).build(net, rng)
    left, right = net.nodes("left"), net.nodes("right")
    held = Boundary.free(net.n_nodes, 2).clamp(left, net.positions[left])
    inputs = Terminals.at(right[[2]], component=0)
    outputs = Terminals.across([[14, 28]])
    rest = np.linalg.norm(net.positions[28] - net.positions[14])
    pulled = net.positions[right[[2]], 0] + 0.15
    return Case("elastic", system, (inputs, outputs), pulled, np.array([1.1 * rest]), 40.0, 0.08, held)


def lattice() -> Case:
    """A triangular lattice, a pair strained, one component of two nodes read."""
    rng = np.random.default_rng(13)
    net = triangular((6, 6))
    system = SpringLattice(stiffness={"low": 0.5, "high": 1.5}).build(net, rng)
    outputs = Terminals.at([22, 27], component=1)
    targets = net.positions[[22, 27], 1] + [0.1, -0.1]
    distance = float(np.linalg.norm(net.positions[14] - net.positions[2]))
    pair = Terminals.across([[2, 14]])
    return Case("lattice", system, (pair, outputs), np.array([1.15 * distance]), targets, 10.0, 0.05)


@pytest.fixture(scope="session", params=[flow, elastic, lattice], ids=["flow", "elastic", "lattice"])
def case(request: pytest.FixtureRequest) -> Case:
    return request.param()
