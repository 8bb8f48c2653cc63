"""Films of runs: a motion in time, or a network that learns, epoch by epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sandbox.errors import RunError
from sandbox.exporting.shots import shots
from sandbox.plot.films import KINDS
from sandbox.results import Run

SUFFIXES = tuple(f".{kind}" for kind in KINDS)
MOST_FRAMES = 240
SECONDS = 10.0
"""That a film takes about, at 4 to 24 frames per second."""


def write_film(run: Run, path: Path, suffix: str) -> None:
    """Write a film; see :func:`sandbox.export`.

    Raises:
        RunError: if the run has one moment only, or no edges to draw.
        SandboxError: for an MP4 if imageio-ffmpeg is not installed.
    """
    from sandbox.plot import animate

    found = shots(run, MOST_FRAMES)
    if found is None:
        raise RunError("the network has no edges, as in a layered system, so there is nothing to film")
    count = len(found.labels)
    if count < 2:
        raise RunError("a film needs more than one moment, and this run has one; export it to .vtu or .xyz")
    stiffness = found.stiffness
    if stiffness is not None and len(stiffness) < count:
        stiffness = np.broadcast_to(stiffness, (count, stiffness.shape[1]))
    animate(
        found.network,
        found.times,
        found.positions,
        path,
        kind=KINDS[SUFFIXES.index(suffix)],
        colour=found.state,
        label=found.state_label,
        stiffness=stiffness,
        stiffness_label=found.stiffness_label,
        fps=float(np.clip(count / SECONDS, 4, 24)),
        roles=found.roles,
        time_label="epoch" if "epoch" in run.data.dims else "time",
        title=str(run.data.attrs.get("title", "")) or None,
        width=4.6,
        dpi=160,
    )
