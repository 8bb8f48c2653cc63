"""Resident memory while a process learns for long, and while it builds and frees many networks."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import sandbox
from sandbox.learning import Learner


def resident() -> int:
    """Bytes of memory that are this process's and in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def learning(steps: int, *changes: str) -> Iterator[int]:
    """Learn on iris for so many steps; yields the steps done, epoch by epoch."""
    setup = sandbox.load("iris_flow", changes).setup
    learner = Learner(setup)
    done = 0
    while done < steps:
        learner.train_epoch()
        done += len(setup.task.train)
        yield done


def networks(count: int) -> Iterator[int]:
    """Build, relax and free networks of different sizes and clamps; yields how many were."""
    rng = np.random.default_rng(0)
    for side in (6, 29):  # kernels of every method are compiled before anything is counted
        _network(side, 1)
        _network(side, 2)
    for done in range(1, count + 1):
        _network(int(rng.integers(6, 30)), done)
        yield done


def _network(side: int, number: int) -> None:
    """Build and relax a stretched lattice of that side, or, for even numbers, a network of pipes."""
    change = [f"network.shape=[{side}, {side}]", f"network.hole={0.1 if side > 12 else 0.0}"]
    kind = ("lattice_stretch", change) if number % 2 else ("pipe_network", [])
    setup = sandbox.load(*kind, seed=number).setup
    setup.system.relax(setup.boundary)


def growth(progress: Iterator[int], total: int) -> tuple[float, float]:
    """Memory at the end over that at 10 % of the way, less one; and that, in MB."""
    early = None
    for done in progress:
        if early is None and done >= total / 10:
            early = resident()
    assert early is not None
    return resident() / early - 1, early / 1e6


def alone(progress: str, total: int) -> tuple[float, float]:
    """:func:`growth` in a process of its own, which nothing else has filled: ``alone("networks(60)", 60)``."""
    code = f"from tests.faults.memory import *; print(*growth({progress}, {total}))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    rise, size = map(float, done.stdout.split()[-2:])
    return rise, size
