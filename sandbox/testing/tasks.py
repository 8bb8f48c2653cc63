"""What is asked of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from sandbox.parts import Site, TaskPart
from sandbox.task import Task
from sandbox.validation.check import Check


def samples(part: TaskPart) -> Iterator[Check]:
    """Samples that suit the terminals, the same for the same draw, and no sample both learned and tested."""
    inputs, outputs = part.shape()
    rest = part.trial.rest

    def build() -> Task:
        return part.build(Site(np.full(inputs, rest), np.full(outputs, rest), np.random.default_rng(1)))

    task, again = build(), build()
    task.check(inputs, outputs)
    same = all(
        np.array_equal(getattr(task, name), getattr(again, name)) for name in ("inputs", "targets", "train", "test")
    )
    yield Check("samples", "samples that differ for the same draw", float(not same), 0.0)
    yield Check("samples", "samples both learned and tested", float(len(np.intersect1d(task.train, task.test))), 0.0)
    everyone = np.arange(len(task.inputs))
    loss = float(task.figures(task.targets, everyone)["loss"])
    yield Check("samples", "loss of the targets themselves", loss, 0.0)


ASPECTS: Mapping[str, Callable[[TaskPart], Iterator[Check]]] = {"samples": samples}
