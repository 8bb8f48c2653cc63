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
        epoch: epochs done.

    Raises:
        SceneError: naming the first setup that is not a replica of the first one, and what sets it apart.
    """

    def __init__(self, setups: Sequence[Setup]) -> None:
        if not setups:
            raise SceneError("there are no replicas: give one setup at least, sandbox.load(scene).setup")
        self.learners = [Learner(setup) for setup in setups]
        self.epoch = 0
        self._done = 0  # samples of the epoch begun
        self._behind: set[int] = set()  # those that met a step of it that they cannot replay, and go on alone
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
        title = self.learners[0].setup.scene.title
        return f"<{len(self.learners)} replicas of {title!r}, {self.epoch} epochs>"

    def train(self, epochs: int, report: Callable[[int], None] = lambda epoch: None) -> None:
        """So many epochs for each.

        Args:
            report: called with the number of epochs done after each.

        Raises:
            SandboxError: what a learner raises, see :meth:`sandbox.learning.Learner.train_epoch`.
        """
        for _ in range(epochs):
            self.train_epoch()
            report(self.epoch)

    def train_epoch(self) -> None:
        """Every training sample once, for each replica in the order of its own seed.

        An epoch that was interrupted is gone on with.
        """
        orders = [epoch_order(learner.setup, self.epoch) for learner in self.learners]
        while self._done < len(orders[0]):
            ahead = slice(self._done, self._done + SLAB)
            self._replay([order[ahead] for order in orders])
            self._done = min(ahead.stop, len(orders[0]))
        for learner in self.learners:
            if learner.epoch == self.epoch:
                learner.train_epoch()  # what is left of it, and its end
        self.epoch, self._done, self._behind = self.epoch + 1, 0, set()

    def _replay(self, ahead: list[np.ndarray]) -> None:
        """A step on each of the samples ahead, side by side, for those that are not behind."""
        together = [r for r in range(len(self.learners)) if r not in self._behind]
        if not together:
            return
        for r in together:
            self.learners[r].begin(self._done)
        tasks = [self.learners[r].setup.task for r in together]
        done = replay_together(
            [self.learners[r].setup.apparatus for r in together],
            [self._tapes[r] for r in together],
            [task.inputs[ahead[r]] for r, task in zip(together, tasks, strict=True)],
            [task.targets[ahead[r]] for r, task in zip(together, tasks, strict=True)],
        )
        for r, steps in zip(together, done, strict=True):
            self.learners[r].begin(self._done + steps)
            if steps < len(ahead[r]):
                self._behind.add(r)

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
    system, second = a.system, b.system
    assert isinstance(system, Material)
    assert isinstance(second, Material)
    boundary, imposed = a.boundary, b.boundary
    same: dict[str, Any] = {
        "the network": np.array_equal(first.network.edges, other.network.edges)
        and np.array_equal(first.network.positions, other.network.positions),
        "the law": (system.law, system.node_law, system.geometry) == (second.law, second.node_law, second.geometry),
        "a parameter of the law that is not learned": np.array_equal(system.fixed_parameters, second.fixed_parameters)
        and np.array_equal(system.node_parameter_rows, second.node_parameter_rows),
        "the terminals": all(
            np.array_equal(one.nodes, twin.nodes) and (one.kind, one.component) == (twin.kind, twin.component)
            for one, twin in ((a.inputs, b.inputs), (a.outputs, b.outputs))
        ),
        "what is clamped or nudged": boundary.pattern == imposed.pattern
        and np.array_equal(boundary.spring_stiffness, imposed.spring_stiffness)
        and np.array_equal(boundary.pair_stiffness, imposed.pair_stiffness),
        "the bench (tolerance, coupling or fresh)": (a.tolerance, a.coupling, a.fresh)
        == (b.tolerance, b.coupling, b.fresh),
        "the number of training samples": len(first.task.train) == len(other.task.train),
    }
    return next((what for what, holds in same.items() if not holds), None)
