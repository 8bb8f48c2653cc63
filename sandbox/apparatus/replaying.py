"""Many recorded steps at once, of a system with an ideal homeostat."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sandbox.apparatus.homeostat import INWARD, LOOK_TOLERANCE
from sandbox.physics.material import Material
from sandbox.physics.relaxation.replay import Replayed, Stream, replay
from sandbox.physics.system import MAX_ITERATIONS, System


def replay_streams(
    system: System, streams: Sequence[Stream], *, fresh: bool, tolerance: float
) -> tuple[list[Replayed], float]:
    """Do the recorded steps of streams, in parallel, for as many replicas of a system.

    Returns:
        What each has done, and the seconds that one of them has taken.
    """
    assert isinstance(system, Material)
    began = time.perf_counter()
    done = replay(
        system,
        streams,
        fresh=fresh,
        tolerance=tolerance,
        look_tolerance=max(LOOK_TOLERANCE, tolerance),
        look_inward=INWARD,
        max_iterations=MAX_ITERATIONS,
    )
    return done, (time.perf_counter() - began) / len(streams)
