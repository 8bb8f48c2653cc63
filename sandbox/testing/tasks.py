"""What is asked of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from sandbox.parts import Site, TaskPart
from sandbox.task import Task
from sandbox.validation.check import ROUNDING, Check


def samples(part: TaskPart) -> Iterator[Check]:
    """Samples that suit the terminals, the same for the same draw, and no sample both learned and tested."""
    inputs, outputs = part.shape()
    rest = part.trial.rest

    def build() -> Task:
        return part.build(Site(np.full(inputs, rest), np.full(outputs, rest), np.random.default_rng(1)))

    task, again = build(), build()
    task.check(inputs, outputs)
    same = all(np.array_equal(getattr(task, name), getattr(again, name)) for name in ("train", "test")) and all(
        one.shape == other.shape
        and np.allclose(one, other, rtol=ROUNDING, atol=ROUNDING * float(np.abs(one).max(initial=0.0)))
        for one, other in ((task.inputs, again.inputs), (task.targets, again.targets))
    )
    yield Check("samples", "samples that differ for the same draw", float(not same), 0.0)
    yield Check("samples", "samples both learned and tested", float(len(np.intersect1d(task.train, task.test))), 0.0)
    everyone = np.arange(len(task.inputs))
    perfect, off = task.figures(task.targets, everyone), task.figures(0.9 * task.targets + 0.1, everyone)
    wild = [name for name, value in (*perfect.items(), *off.items()) if not np.isfinite(value)]
    yield Check("samples", "figures that are not finite", float(len(wild)), 0.0, note=", ".join(wild))
    allowed = ROUNDING * float((task.targets**2).sum(axis=1).max(initial=0.0))
    yield Check("samples", "loss of the targets themselves", float(perfect["loss"]), allowed)


ASPECTS: Mapping[str, Callable[[TaskPart], Iterator[Check]]] = {"samples": samples}
