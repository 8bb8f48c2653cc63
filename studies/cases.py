"""Small systems with terminals and one sample, on which a single step can be looked at closely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sandbox_aeqprop import AEqprop
from sandbox_elastic_network import ElasticNetwork
from sandbox_flow_network import FlowNetwork
from sandbox_layered.graph import Layered
from sandbox_layered.parts import Hopfield
from sandbox_spring_lattice import SpringLattice

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench, WhiteBox
from sandbox.physics.boundary import Boundary
from sandbox.physics.graphs import jittered_grid, triangular
from sandbox.physics.system import System
from sandbox.seeds import stream
from sandbox.terminals import Terminals

TIGHT = 1e-13
"""Tolerance of relaxations, so that what is measured is the theory's error and not the solver's."""

DRAWN = {"stiffness": {"low": 0.5, "high": 1.5}}
"""Settings of the springs."""


@dataclass(frozen=True, eq=False)
class Case:
    """A system with terminals and one sample.

    Attributes:
        inputs, targets: of the sample, (inputs,) and (outputs,).
        compliance: at which knobs and stiffnesses differ by some per cent under the largest forces.
        beta: a nudging strength well below the stiffness that the system opposes at its outputs.
        stiffness: (P,) to begin with; the system's own by default.
    """

    name: str
    system: System
    terminals: tuple[Terminals, Terminals]
    inputs: np.ndarray
    targets: np.ndarray
    compliance: float
    beta: float
    surroundings: Boundary | None = None
    stiffness: np.ndarray | None = None

    def apparatus(self, **settings: Any) -> Apparatus:
        """The system on the bench, in tight relaxations unless told otherwise."""
        ours = {"tolerance": TIGHT, "surroundings": self.surroundings, "stiffness": self.stiffness}
        return Apparatus(self.system, *self.terminals, **ours | settings)

    def loss_gradient(self) -> np.ndarray:
        """(P,) exact gradient of the loss of the sample, by the adjoint method."""
        box = WhiteBox(self.apparatus())
        box.clamp(self.inputs)
        box.nudge(None, 0.0)
        return box.loss_gradient(self.targets)

    def step(self, variant: str, beta: float, **settings: Any) -> np.ndarray:
        """One step of AEqprop from the initial stiffnesses, over what serves as its length.

        Returns:
            (P,) change of the stiffnesses, downhill positive, per difference of the nudgings and mean compliance.
        """
        apparatus = self.apparatus(**settings)
        before = apparatus.stiffness.copy()
        _aeqprop(variant, beta).step(Bench(apparatus), self.inputs, self.targets)
        return (before - apparatus.stiffness) / (beta * float(np.mean(settings["compliance"])))

    def finite_gradient(self, variant: str, beta: float) -> np.ndarray:
        """The gradient (P,) of L_{1,2} at a finite beta: dE/dtheta at one equilibrium less that at the other."""
        apparatus = self.apparatus()
        apparatus.clamp(self.inputs)
        low, high = _aeqprop(variant, beta).nudgings
        forces = []
        for nudging in (low, high):
            apparatus.nudge(self.targets, nudging)
            forces.append(apparatus.settle().stiffness_force)
        return (forces[1] - forces[0]) / (high - low)

    def rounding(self, change: float) -> float:
        """The rounding of the stiffnesses relative to a change of them, both as lengths in the space of stiffnesses."""
        return float(np.finfo(float).eps * np.linalg.norm(self.apparatus().stiffness) / change)


def flow(seed: int) -> Case:
    """64 nodes, four inputs, three outputs, linear conductors."""
    rng = stream(seed, "flow")
    system = FlowNetwork.model_validate({}).build(jittered_grid(8, seed=seed), rng)
    return _pressures("linear flow", system, rng, 0.5, 0.3)


def diode_flow(seed: int) -> Case:
    """The same with diodes, whose drops are of the order of their thermal voltage."""
    rng = stream(seed, "diode flow")
    diodes = {"law": "diode", "turn": "reversed", "thermal_voltage": 0.2, "leak": 0.05}
    system = FlowNetwork.model_validate(diodes).build(jittered_grid(8, seed=seed), rng)
    return _pressures("diode flow", system, rng, 0.5, 0.3)


def elastic(seed: int) -> Case:
    """A jittered grid of true geometry, its left side held, a node of its right side pulled, a pair read."""
    rng = stream(seed, "elastic")
    net = jittered_grid(6, seed=seed)
    system = ElasticNetwork.model_validate(DRAWN).build(net, rng)
    left, pulled = net.nodes("left"), net.nodes("right")[[2]]
    held = Boundary.free(net.n_nodes, 2).clamp(left, net.positions[left])
    pair = [14, 28]
    rest = float(np.linalg.norm(net.positions[pair[1]] - net.positions[pair[0]]))
    terminals = Terminals.at(pulled, component=0), Terminals.across([pair])
    inputs = net.positions[pulled, 0] + 0.15
    return Case("elastic", system, terminals, inputs, np.array([1.1 * rest]), 40.0, 0.08, held)


def lattice(seed: int) -> Case:
    """A triangular lattice of springs, a pair strained, one component of two nodes read."""
    rng = stream(seed, "lattice")
    net = triangular((6, 6))
    system = SpringLattice.model_validate(DRAWN).build(net, rng)
    terminals = Terminals.across([[2, 14]]), Terminals.at([22, 27], component=1)
    inputs = np.array([1.15 * float(np.linalg.norm(net.positions[14] - net.positions[2]))])
    targets = net.positions[[22, 27], 1] + [0.1, -0.1]
    return Case("spring lattice", system, terminals, inputs, targets, 10.0, 0.05)


def hopfield(seed: int) -> Case:
    """A Hopfield network of 8, 12 and 4 units, dense; biases keep its states away from the ends of their boxes.

    A unit at an end of its box does not answer, and the loss has a kink where it gets there.
    """
    rng = stream(seed, "hopfield")
    system = Hopfield.model_validate({"gains": [0.4, 0.6]}).build(Layered(layers=(8, 12, 4)).build(rng), rng)
    stiffness = system.stiffness.copy()
    stiffness[system.stiffness_groups["biases 1"]] = 0.5
    stiffness[system.stiffness_groups["biases 2"]] = 0.3
    nodes = system.network.nodes
    terminals = Terminals.at(nodes("input")), Terminals.at(nodes("output"))
    inputs, targets = rng.uniform(0, 1, 8), rng.uniform(0, 1, 4)
    return Case("Hopfield", system, terminals, inputs, targets, 0.02, 0.3, stiffness=stiffness)


def _aeqprop(variant: str, beta: float) -> AEqprop:
    return AEqprop.model_validate({"variant": variant, "beta": beta})


def _pressures(name: str, system: System, rng: np.random.Generator, compliance: float, beta: float) -> Case:
    nodes = rng.permutation(system.network.n_nodes)[:7]
    inputs = np.array([0.0, 1.0, *rng.uniform(0, 1, 2)])
    terminals = Terminals.at(nodes[:4]), Terminals.at(nodes[4:])
    return Case(name, system, terminals, inputs, rng.uniform(0.2, 0.8, 3), compliance, beta)


CASES: dict[str, Callable[[int], Case]] = {
    "linear flow": flow,
    "diode flow": diode_flow,
    "elastic": elastic,
    "spring lattice": lattice,
    "Hopfield": hopfield,
}
"""How to make each case for a seed."""
