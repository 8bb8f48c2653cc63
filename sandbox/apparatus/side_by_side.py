"""Replicas of one apparatus, worked side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sandbox.apparatus.apparatus import Apparatus
from sandbox.apparatus.replaying import replay_streams
from sandbox.physics.relaxation.replay import Tape


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
    rows = [
        (a.inputs.rows(x, "inputs"), a.outputs.rows(y, "targets"))
        for a, x, y in zip(replicas, inputs, targets, strict=True)
    ]
    streams = [a._stream(tape, *row) for a, tape, row in zip(replicas, tapes, rows, strict=True)]
    done, seconds = replay_streams(first.system, streams, fresh=first.fresh, tolerance=first.tolerance)
    for a, one, tape, row in zip(replicas, done, tapes, rows, strict=True):
        a._take(one, tape, *row, seconds)
    return [one.steps for one in done]
