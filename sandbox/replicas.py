"""Replicas: learners of one network that differ in settings or seeds, taught side by side on all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sandbox.apparatus import Apparatus, replay_together
from sandbox.build import Setup
from sandbox.errors import SceneError
from sandbox.learning import SLAB, Learner, epoch_order
from sandbox.parts import Controller
from sandbox.physics.material import Material
from sandbox.physics.relaxation.replay import Tape
from sandbox.replay import record


class Replicas:
    """Learners of one network, a step of each at the same time.

    What a small network costs is hidden latency and one core's arithmetic; replicas fill the others. They may differ in
    stiffnesses, compliance, nudging strength, seed of the shuffling, data: in all that leaves the network, its
    terminals and the order of a step's phases alone. What cannot be replayed side by side is not a replica; for that,
    and for runs with folders of their own, there is :func:`sandbox.sweep`.

    >>> betas = (0.1, 0.3, 1.0)
    >>> setups = [sandbox.load("iris_flow", [f"controller.beta={b}"]).setup for b in betas]  # doctest: +SKIP
    >>> replicas = sandbox.Replicas(setups)                                                  # doctest: +SKIP
    >>> replicas.train(20)                                                                   # doctest: +SKIP
    >>> [figures["test accuracy"] for figures in replicas.evaluate()]                        # doctest: +SKIP

    Attributes:
        learners: one for each setup; each ends an epoch where it would have ended it alone.

    Raises:
        SceneError: naming the first setup that is not a replica of the first one, and what sets it apart.
    """

    def __init__(self, setups: Sequence[Setup]) -> None:
        if not setups:
            raise SceneError("there are no replicas: give one setup at least, sandbox.load(scene).setup")
        self.learners = [Learner(setup) for setup in setups]
        self._tapes = [_tape(number, setup) for number, setup in enumerate(setups)]
        for number, setup in enumerate(setups):
            apart = _apart(setups[0], setup) or (
                "the order of a step's phases" if self._tapes[number].phases != self._tapes[0].phases else None
            )
            if apart is not None:
                raise SceneError(
                    f"setup {number} is no replica of setup 0: they differ in {apart}; sandbox.sweep runs scenes that "
                    "differ in anything"
                )

    def __repr__(self) -> str:
        first = self.learners[0]
        return f"<{len(self.learners)} replicas of {first.setup.scene.title!r}, {first.epoch} epochs>"

    def train(self, epochs: int, report: Callable[[int], None] = lambda epoch: None) -> None:
        """So many epochs for each.

        Args:
            report: called with the number of epochs done after each.

        Raises:
            SandboxError: what a learner raises, see :meth:`sandbox.learning.Learner.train_epoch`.
        """
        for _ in range(epochs):
            self.train_epoch()
            report(self.learners[0].epoch)

    def train_epoch(self) -> None:
        """Every training sample once, for each replica in the order of its own seed."""
        orders = [epoch_order(learner.setup, learner.epoch) for learner in self.learners]
        behind: set[int] = set()  # those that met a step they cannot replay, and go on alone
        for first in range(0, len(orders[0]), SLAB):
            together = [r for r in range(len(self.learners)) if r not in behind]
            ahead = {r: orders[r][first : first + SLAB] for r in together}
            if together:
                setups = [self.learners[r].setup for r in together]
                for r in together:
                    self.learners[r].begin(first)
                done = replay_together(
                    [setup.apparatus for setup in setups],
                    [self._tapes[r] for r in together],
                    [setup.task.inputs[ahead[r]] for r, setup in zip(together, setups, strict=True)],
                    [setup.task.targets[ahead[r]] for r, setup in zip(together, setups, strict=True)],
                )
                for r, steps in zip(together, done, strict=True):
                    self.learners[r].begin(first + steps)
                    if steps < len(ahead[r]):
                        behind.add(r)
        for learner in self.learners:
            learner.train_epoch()  # what is left of it, and its end

    def evaluate(self) -> list[dict[str, float]]:
        """Figures of each on its training and test samples."""
        return [learner.evaluate() for learner in self.learners]


def _tape(number: int, setup: Setup) -> Tape:
    training, controller = setup.scene.training, setup.scene.controller
    if training is None or controller is None:
        raise SceneError(f"setup {number} does not learn: its scene has no [training] or no [controller]")
    tape = record(controller) if training.batch == 1 and setup.apparatus.can_replay() else None
    if tape is None:
        raise SceneError(
            f"setup {number} cannot be a replica: {_obstacle(setup.apparatus, controller, training.batch)}"
        )
    return tape


def _obstacle(apparatus: Apparatus, controller: Controller, batch: int) -> str:
    if batch != 1:
        return f"it takes {batch} samples to a step; set training.batch=1"
    if not apparatus.can_replay():
        return "only perfect benches with ideal homeostats on edges, of networks that are not large, are replayed"
    return f"a step of {type(controller).__name__} is no fixed sequence of clamping, nudging, holding and letting go"


def _apart(first: Setup, other: Setup) -> str | None:
    """What sets a setup apart from the first one, in words; ``None`` if it is a replica."""
    a, b = first.apparatus, other.apparatus
    system, twin = a.system, b.system
    assert isinstance(system, Material)
    assert isinstance(twin, Material)
    boundary, imposed = a.boundary, b.boundary
    same: dict[str, Any] = {
        "the network": np.array_equal(first.network.edges, other.network.edges)
        and np.array_equal(first.network.positions, other.network.positions),
        "the law": (system.law, system.node_law, system.geometry) == (twin.law, twin.node_law, twin.geometry),
        "a parameter of the law that is not learned": np.array_equal(system.fixed_parameters, twin.fixed_parameters)
        and np.array_equal(system.node_parameter_rows, twin.node_parameter_rows),
        "the terminals": np.array_equal(a.inputs.nodes, b.inputs.nodes)
        and np.array_equal(a.outputs.nodes, b.outputs.nodes),
        "what is clamped or nudged": boundary.pattern == imposed.pattern
        and np.array_equal(boundary.spring_stiffness, imposed.spring_stiffness)
        and np.array_equal(boundary.pair_stiffness, imposed.pair_stiffness),
        "the bench (tolerance, coupling or fresh)": (a.tolerance, a.coupling, a.fresh)
        == (b.tolerance, b.coupling, b.fresh),
        "the number of training samples": len(first.task.train) == len(other.task.train),
    }
    return next((what for what, holds in same.items() if not holds), None)
