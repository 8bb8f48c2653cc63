"""Learning cases of tens of nodes, one sample at a time, and this project's way through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sandbox_aeqprop import AEqprop

import sandbox
from benchmarks.timing import Case, Phase
from sandbox.physics.graphs import jittered_grid
from sandbox.physics.laws import CONDUCTANCE, SPRING
from sandbox.physics.network import Network
from sandbox.replay import record

SIDE = 8
TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Learning:
    """A material, its terminals and a stream of samples.

    Attributes:
        material: built anew at every call, so that no contestant finds another's work done.
        inputs, outputs: terminals, component by component of the state.
        x, y: (S, inputs), (S, outputs).
        beta: nudgings of the two phases are -beta/2 and beta/2.
        held: (N, D) mask of what the surroundings hold at the rest state.
    """

    network: Network
    material: Callable[[], sandbox.Material]
    inputs: sandbox.Terminals
    outputs: sandbox.Terminals
    x: np.ndarray
    y: np.ndarray
    compliance: float
    beta: float
    held: np.ndarray

    @property
    def dim(self) -> int:
        return self.held.shape[1]

    @property
    def free(self) -> np.ndarray:
        """(F,) free components of the flat state."""
        driven = self.held.copy()
        driven[self.inputs.nodes, self.inputs.component] = True
        return np.flatnonzero(~driven.ravel())

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Components of the flat state of the inputs and of the outputs."""
        ends = (self.inputs, self.outputs)
        first, second = (terminals.nodes * self.dim + terminals.component for terminals in ends)
        return first, second

    def apparatus(self) -> sandbox.Apparatus:
        rest = self.material().rest_state()
        surroundings = sandbox.Boundary.free(*self.held.shape)
        for c in range(self.dim):
            nodes = np.flatnonzero(self.held[:, c])
            surroundings = surroundings.clamp(nodes, rest[nodes, c], [c]) if len(nodes) else surroundings
        return sandbox.Apparatus(
            self.material(), self.inputs, self.outputs, surroundings, compliance=self.compliance, tolerance=TOLERANCE
        )


def flow_learning(steps: int, seed: int = 0) -> Learning:
    """A flow network of 64 nodes and 161 edges: four inputs and two constants, three outputs, targets of a teacher."""
    network = jittered_grid(SIDE, seed=seed)
    rng = np.random.default_rng(seed)
    k, teacher = rng.lognormal(0.0, 0.5, (2, network.n_edges))
    nodes = rng.permutation(network.n_nodes)
    inputs, outputs = sandbox.Terminals.at(nodes[:6]), sandbox.Terminals.at(nodes[6:9])
    x = np.concatenate([rng.random((steps, 4)), np.zeros((steps, 1)), np.ones((steps, 1))], axis=1)

    def material() -> sandbox.Material:
        return sandbox.Material(network, CONDUCTANCE, {"k": k}, bounds=(1e-3, np.inf))

    held = np.zeros((network.n_nodes, 1), dtype=bool)
    y = _answers(material(), inputs, outputs, x, held, teacher)
    return Learning(network, material, inputs, outputs, x, y, compliance=0.2, beta=1.0, held=held)


def elastic_learning(steps: int, seed: int = 0) -> Learning:
    """An elastic network of 64 nodes, 161 springs, nodes a distance of about one apart.

    The left column is held. Inputs: how far two nodes of the right column are along x. Outputs: how high three nodes
    inside are; the targets are those of a teacher.
    """
    grid = jittered_grid(SIDE, seed=seed)
    network = Network(grid.positions * (SIDE - 1), grid.edges, groups=grid.groups)
    rng = np.random.default_rng(seed)
    k, teacher = rng.lognormal(0.0, 0.5, (2, network.n_edges))
    right, inner = network.nodes("right")[[1, -2]], rng.permutation(np.arange(3 * SIDE, 7 * SIDE))[:3]
    inputs, outputs = sandbox.Terminals.at(right), sandbox.Terminals.at(inner, component=1)
    x = network.positions[right, 0] + rng.uniform(-0.5, 0.5, (steps, 2))

    def material() -> sandbox.Material:
        return sandbox.Material(network, SPRING, {"k": k, "l": network.lengths()}, bounds=(1e-3, np.inf))

    held = np.zeros((network.n_nodes, 2), dtype=bool)
    held[network.nodes("left")] = True
    y = _answers(material(), inputs, outputs, x, held, teacher)
    return Learning(network, material, inputs, outputs, x, y, compliance=2.0, beta=0.1, held=held)


def _answers(
    material: sandbox.Material,
    inputs: sandbox.Terminals,
    outputs: sandbox.Terminals,
    x: np.ndarray,
    held: np.ndarray,
    stiffness: np.ndarray,
) -> np.ndarray:
    """(S, outputs) of a network of other stiffnesses."""
    base = sandbox.Boundary.free(*held.shape, batch=len(x))
    nodes = np.flatnonzero(held.any(axis=1))
    base = base.clamp(nodes, material.rest_state()[nodes]) if len(nodes) else base
    rest = material.relax(inputs.drive(material, base, x), stiffness)
    return outputs.read(material, rest.state)


def replayed(case: Case) -> Mapping[str, Phase]:
    """The recorded step, the whole stream in one launch; what is before and in the first step alone is taken off."""
    data: Learning = case.data
    tape = record(AEqprop(beta=data.beta))
    assert tape is not None

    def run() -> np.ndarray:
        apparatus = data.apparatus()
        done = apparatus.replay(tape, data.x, data.y)
        if done < len(data.x) or apparatus.meter.unstable:
            raise RuntimeError(f"{done} of {len(data.x)} steps done, {apparatus.meter.unstable} phases not convex")
        return apparatus.stiffness

    def first() -> None:
        data.apparatus().replay(tape, data.x[:1], data.y[:1])

    return {"step": Phase(run, first)}


def by_phases(case: Case) -> Mapping[str, Phase]:
    """The controller's step on the bench, phase by phase."""
    data: Learning = case.data
    controller = AEqprop(beta=data.beta)

    def run() -> np.ndarray:
        apparatus = data.apparatus()
        bench = sandbox.Bench(apparatus)
        for inputs, targets in zip(data.x, data.y, strict=True):
            controller.step(bench, inputs, targets)
        return apparatus.stiffness

    return {"step": Phase(run, data.apparatus)}
