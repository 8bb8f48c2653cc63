"""Files of run folders, damaged at random: a bit flipped, or the end cut off."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sandbox
from sandbox.errors import SandboxError
from sandbox.report import Silent

from .killing import same_results, unlike_data


class Stop(Silent):
    """Stops a run as somebody impatient does, when it has advanced so often."""

    def __init__(self, advances: int) -> None:
        self.left = advances
        self.warnings: list[str] = []

    def advance(self, done: int, figures: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def interrupted(folder: Path, scene: str = "iris_flow", advances: int = 3, **sections: Any) -> Path:
    """A run that was stopped, with two checkpoints."""
    try:
        sandbox.load(scene, **sections).run(folder, Stop(advances), checkpoint_every=0)
    except KeyboardInterrupt:
        return folder
    raise AssertionError("it was not stopped")


def damage(path: Path, rng: random.Random) -> str:
    """Flip a bit of a file, or cut it; returns what was done."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content))
    if rng.random() < 0.5:
        content[place] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        return f"a bit of byte {place} flipped"
    path.write_bytes(content[:place])
    return f"cut to {place} bytes"


def files(folder: Path) -> list[Path]:
    """All files of a run folder."""
    return sorted(p for p in folder.rglob("*") if p.is_file())


def after_complete(folder: Path, reference: Path) -> str:
    """What becomes of a complete run whose file was damaged: opened, and resumed."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            data = sandbox.open(folder)
            run = sandbox.resume(folder)
        except SandboxError:
            return "detected"
        if unlike_data(data, sandbox.open(reference)) or not same_results(run.folder, reference):
            return "wrong"
    return "detected" if any("not as the run drew it" in str(w.message) for w in said) else "harmless"


def after_interrupted(folder: Path, reference: Path) -> str:
    """What becomes of an interrupted run whose file was damaged: resumed."""
    reporter = Stop(0)
    try:
        sandbox.resume(folder, reporter, pictures=False)
    except SandboxError:
        return "detected"
    if not same_results(folder, reference):
        return "wrong"
    return "detected, the checkpoint before used" if any("damaged" in w for w in reporter.warnings) else "harmless"


def trial(
    source: Path, reference: Path, work: Path, number: int, rng: random.Random, judge: Callable[[Path, Path], str]
) -> tuple[str, str, str]:
    """Damage one file of a copy of a run, files in turn: its name, what was done, and what came of it."""
    shutil.copytree(source, work)
    try:
        victims = files(work)
        victim = victims[number % len(victims)]
        done = damage(victim, rng)
        return str(victim.relative_to(work)), done, judge(work, reference)
    finally:
        shutil.rmtree(work)
