"""Training one scene and keeping what came of it: the unit of work of the studies over many seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import sandbox
from sandbox.learning import Learner
from sandbox.physics.equilibrium import NotConverged


@dataclass(frozen=True)
class Job:
    """A scene with changes, ``"key=value"`` each, and its seed."""

    scene: str
    changes: tuple[str, ...]
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What a training ended with. A training in which a relaxation found no equilibrium has an infinite loss.

    Attributes:
        loss: on the training samples, mean of 1/2 |output - target|^2.
        accuracy: part of the test samples told right; not a number where there are no classes.
        unstable: phases in which the joint energy of state and stiffness was seen not to be convex.
    """

    loss: float
    accuracy: float
    unstable: int


def train(job: Job) -> Outcome:
    """Train, without files."""
    setup = sandbox.load(job.scene, job.changes, seed=job.seed).setup
    training = setup.scene.training
    assert training is not None
    learner = Learner(setup)
    try:
        for _ in range(training.epochs):
            learner.train_epoch()
        figures = learner.evaluate()
    except NotConverged:
        return Outcome(np.inf, np.nan, setup.apparatus.meter.unstable)
    return Outcome(figures["train loss"], figures.get("test accuracy", np.nan), setup.apparatus.meter.unstable)
