"""Timing side by side: contestants take turns, round by round, so that a slow minute of the machine hits them all."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEAST_SECONDS = 0.02
"""Runs shorter than this are repeated within a round until they take as long."""


@dataclass(frozen=True, eq=False)
class Case:
    """One size of a workload.

    Attributes:
        size: nodes.
        work: what the time of a run is divided by: steps, bonds times steps, or 1.
        data: whatever the contestants of the workload need.
        floors: seconds per unit of work that no program can beat on this machine, by phase.
        error: how wrong the answer of a phase is; by default its difference from the reference.
        references: answers to compare with, by phase; that of the first contestant where there is none.
        notes: sentences for the page.
    """

    size: int
    work: float
    data: Any
    floors: Mapping[str, float] = field(default_factory=dict)
    error: Callable[[str, np.ndarray], float] | None = None
    references: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Phase:
    """Something that is timed.

    Attributes:
        run: does it and returns the answer.
        baseline: timed just before each run and taken off: what a run costs that is not meant.
        single: whether a round is one run, however short: for runs that change what they start from.
        units: what a run does, in units of the case's work.
    """

    run: Callable[[], np.ndarray]
    baseline: Callable[[], object] | None = None
    single: bool = False
    units: float = 1.0


@dataclass(frozen=True)
class Contestant:
    """A program that does the workload.

    Attributes:
        prepare: from a case to the phases by name; ImportError says that it is not installed.
        packages: distributions whose versions are recorded.
        ours: whether it is this project.
        largest: size beyond which it is not tried.
    """

    name: str
    prepare: Callable[[Case], Mapping[str, Phase]]
    packages: tuple[str, ...] = ()
    ours: bool = False
    largest: float = np.inf


@dataclass(eq=False)
class Cell:
    """The times of a contestant in a phase at a size, per unit of work.

    Attributes:
        seconds, cpu: wall time and process time of every round.
        error: of its answer; see :class:`Case`.
    """

    size: int
    phase: str
    name: str
    ours: bool
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    error: float = np.nan

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """Half the range between the quartiles, relative to the median."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float((high - low) / 2 / self.median)


@dataclass(frozen=True)
class Outcome:
    """Cells of one size, and why some contestants have none (name, reason)."""

    case: Case
    cells: list[Cell]
    skipped: list[tuple[str, str]]


def module(name: str) -> Any:
    """A peer's module; importing it here keeps its absence from being anything but a skipped row."""
    return importlib.import_module(name)


def measure(contestants: Sequence[Contestant], case: Case, repeats: int, max_seconds: float) -> Outcome:
    """Time every contestant that is installed on a case.

    A first run of each phase warms up and gives the answer; the first contestant's is the reference where the case
    has none. A contestant
    whose warm-up takes longer than ``max_seconds`` is left out.
    """
    skipped: list[tuple[str, str]] = []
    running: list[tuple[Cell, Phase, int]] = []
    answers = dict(case.references)
    for contestant in contestants:
        if case.size > contestant.largest:
            skipped.append((contestant.name, f"not tried beyond {contestant.largest:,.0f} nodes"))
            continue
        began = time.perf_counter()
        try:
            phases = contestant.prepare(case)
            warm = [(name, phase, *_warm_up(phase)) for name, phase in phases.items()]
        except ImportError as error:
            skipped.append((contestant.name, f"not installed ({error.name or error})"))
            continue
        took = time.perf_counter() - began
        if took > max_seconds:
            skipped.append((contestant.name, f"took {took:.0f} s to warm up, more than {max_seconds:.0f} s"))
            continue
        for name, phase, answer, number in warm:
            cell = Cell(case.size, name, contestant.name, contestant.ours)
            if case.error is None:
                cell.error = difference(answer, answers.setdefault(name, answer))
            else:
                cell.error = case.error(name, answer)
            running.append((cell, phase, number))
    gc.collect()
    for _ in range(repeats):
        for cell, phase, number in running:
            _time(cell, phase, number, case.work * phase.units)
    return Outcome(case, [cell for cell, _, _ in running], skipped)


def difference(answer: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference of two answers, relative to the largest number in the reference."""
    return float(np.abs(answer - reference).max() / np.abs(reference).max())


def _warm_up(phase: Phase) -> tuple[np.ndarray, int]:
    """The answer, and how many runs make a round."""
    answer = np.array(phase.run(), dtype=float)
    if phase.single:
        return answer, 1
    began = time.perf_counter()
    phase.run()
    took = time.perf_counter() - began
    return answer, max(1, round(LEAST_SECONDS / max(took, 1e-7)))


def _time(cell: Cell, phase: Phase, number: int, work: float) -> None:
    wall = cpu = 0.0
    if phase.baseline is not None:
        w, c = _stopwatch(phase.baseline, number)
        wall, cpu = -w, -c
    w, c = _stopwatch(phase.run, number)
    cell.seconds.append((wall + w) / number / work)
    cell.cpu.append((cpu + c) / number / work)


def _stopwatch(action: Callable[[], object], number: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(number):
        action()
    return time.perf_counter() - wall, time.process_time() - cpu
