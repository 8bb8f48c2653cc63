"""Many recorded steps at once, on an apparatus or on several of one system in parallel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sandbox.apparatus.homeostat import INWARD, LOOK_TOLERANCE
from sandbox.physics.material import Material
from sandbox.physics.relaxation.replay import Tape, replay
from sandbox.physics.system import MAX_ITERATIONS

if TYPE_CHECKING:
    from sandbox.apparatus.apparatus import Apparatus


def replay_together(
    replicas: Sequence[Apparatus], tapes: Sequence[Tape], inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]
) -> list[int]:
    """:meth:`Apparatus.replay` for replicas of one system, each with its own tape and samples, in parallel.

    They are of one system and one wiring, can replay, and have the same tolerance, coupling and way to start; their
    tapes differ in nothing but nudging strengths, and there are as many samples for each.

    Returns:
        How many steps each has done.
    """
    first = replicas[0]
    assert isinstance(first.system, Material)
    rows = [
        (a.inputs.rows(x, "inputs"), a.outputs.rows(y, "targets"))
        for a, x, y in zip(replicas, inputs, targets, strict=True)
    ]
    streams = [a._stream(tape, *row) for a, tape, row in zip(replicas, tapes, rows, strict=True)]
    began = time.perf_counter()
    done = replay(
        first.system,
        streams,
        fresh=first.fresh,
        tolerance=first.tolerance,
        look_tolerance=max(LOOK_TOLERANCE, first.tolerance),
        look_inward=INWARD,
        max_iterations=MAX_ITERATIONS,
    )
    seconds = (time.perf_counter() - began) / len(replicas)
    for a, one, tape, row in zip(replicas, done, tapes, rows, strict=True):
        a._take(one, tape, *row, seconds)
    return [one.steps for one in done]
