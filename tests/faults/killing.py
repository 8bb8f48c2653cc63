"""Runs that are killed at random moments and resumed, and whether anything came of it."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import sandbox
from sandbox.lock import LOCK
from sandbox.results import SCENE, SUMMARY

SCENES = {"iris_flow": ("--set", "training.epochs=40"), "lattice_vibration": ()}
"""Short forms of the scenes that are killed."""

PATIENCE = 900.0
"""Seconds that a child may take, beside other work."""


def command(*arguments: str | Path) -> list[str]:
    """The command ``sandbox`` in a process of its own."""
    code = "import sys; from sandbox.cli import main; sys.argv[0] = 'sandbox'; main()"
    return [sys.executable, "-c", code, *map(str, arguments)]


def start(scene: str, folder: Path) -> subprocess.Popen[bytes]:
    """A process that runs the scene in the folder, or goes on with what is there, saving all the time."""
    begun = (folder / SCENE).is_file()
    what = ("resume", folder) if begun else ("run", scene, *SCENES[scene], "--out", folder)
    return subprocess.Popen(
        command(*what, "--checkpoint-every", "0"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def until_at_work(child: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a child has locked the folder, or has ended."""
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        try:
            if json.loads((folder / LOCK).read_text())["pid"] == child.pid:
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.002)


def stage(folder: Path) -> str:
    """How far what was left got."""
    try:
        found = json.loads((folder / "manifest.json").read_text())["stage"]
    except (OSError, ValueError):
        return "before the manifest"
    if found != "begun":
        return found
    return "at work, with a checkpoint" if list(folder.glob("checkpoints/*.json")) else "at work, before a checkpoint"


@dataclass
class Chain:
    """One run, killed again and again, and resumed each time.

    Attributes:
        stages: at which each kill hit.
        different: what was not that of the reference, to the last bit, in the end.
    """

    scene: str
    stages: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


@dataclass
class Span:
    """Seconds from when a process goes to work on a scene to its first checkpoint, and from there to its end."""

    before: float
    after: float


def chain(scene: str, folder: Path, reference: Path, kills: int, rng: random.Random, span: Span) -> Chain:
    """Kill a run ``kills`` times, each at a random moment, and let it end then.

    Three in four are killed after the process has saved its first checkpoint. Fewer times if the run comes to its end
    before: the dead are not killed.
    """
    result = Chain(scene)
    for number in range(kills):
        child = start(scene, folder)
        until_at_work(child, folder)
        if rng.random() < 0.75:
            until_saved(child, folder)
            time.sleep(rng.uniform(0.0, span.after / (1 + number)))
        else:
            time.sleep(rng.uniform(0.0, span.before))
        child.kill()
        stop = child.wait(), child.communicate()[1]
        if stop[0] not in (-signal.SIGKILL, 0):
            raise AssertionError(f"the child failed by itself: {stop}")
        if stop[0] == 0:
            break
        result.stages.append(stage(folder))
    end = start(scene, folder)
    _, error = end.communicate(timeout=PATIENCE)
    if end.returncode:
        raise AssertionError(error.decode())
    result.different = differences(folder, reference)
    return result


def span(scene: str, folder: Path) -> Span:
    """How long a scene takes now, uninterrupted."""
    child = start(scene, folder)
    until_at_work(child, folder)
    began = time.monotonic()
    until_saved(child, folder)
    saved = time.monotonic()
    _, error = child.communicate(timeout=PATIENCE)
    if child.returncode:
        raise AssertionError(error.decode())
    return Span(saved - began, time.monotonic() - saved)


def until_saved(child: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait until a child has saved a checkpoint, or has ended."""
    before = set(folder.glob("checkpoints/*.json"))
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        if set(folder.glob("checkpoints/*.json")) - before:
            return
        time.sleep(0.002)


def same_results(one: Path, other: Path) -> bool:
    """Whether two runs have the same data and figures, to the last bit; how long they took is nothing."""
    return not differences(one, other)


def differences(one: Path, other: Path) -> list[str]:
    """Names of figures, variables and attributes that two runs do not have alike, to the last bit."""
    figures = [json.loads((folder / SUMMARY).read_text()) | {"seconds": 0} for folder in (one, other)]
    return _unlike(*figures) + unlike_data(sandbox.open(one), sandbox.open(other))


def unlike_data(one: xr.Dataset, other: xr.Dataset) -> list[str]:
    """Names of variables and attributes that two datasets do not have alike, to the last bit."""

    def bits(data: xr.Dataset) -> dict[str, object]:
        return {
            str(name): (v.dims, v.dtype.str, v.attrs, np.ascontiguousarray(v.to_numpy()).tobytes())
            for name, v in data.variables.items()
        }

    return _unlike(bits(one), bits(other)) + _unlike(one.attrs, other.attrs)


def _unlike(one: dict[Any, Any], other: dict[Any, Any]) -> list[str]:
    missing = object()
    return [str(k) for k in {**one, **other} if one.get(k, missing) != other.get(k, missing)]
