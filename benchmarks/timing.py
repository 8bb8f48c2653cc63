"""Timing side by side: contestants take turns, round by round, so that a slow minute of the machine hits them all."""

from __future__ import annotations

import gc
import importlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEAST_SECONDS = 0.1
"""Runs shorter than this are repeated within a round until they take as long."""

PATIENCE = 5.0
"""Seconds that every peer may take for a run, however fast this project is."""

LONG_SECONDS = 15.0
"""Rounds of a phase end when they have taken this long together."""


@dataclass(eq=False)
class Deadline:
    """When a peer that is far behind this project may give up.

    Attributes:
        seconds: for a run; without end until this project's time is known.
    """

    seconds: float = np.inf

    def clock(self) -> Callable[[], None]:
        """Starts a run; what it returns is to be called now and then, and raises TimeoutError when time is up."""
        end = time.perf_counter() + self.seconds

        def check() -> None:
            if time.perf_counter() > end:
                raise TimeoutError

        return check


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
        deadline: for runs of peers.
    """

    size: int
    work: float
    data: Any
    floors: Mapping[str, float] = field(default_factory=dict)
    error: Callable[[str, np.ndarray], float] | None = None
    references: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: Sequence[str] = ()
    deadline: Deadline = field(default_factory=Deadline)


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
        gave_up: whether ``seconds`` is only how long it tried.
    """

    size: int
    phase: str
    name: str
    ours: bool
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    error: float = np.nan
    gave_up: bool = False

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


def measure(
    contestants: Sequence[Contestant], case: Case, repeats: int, max_seconds: float, behind: float = np.inf
) -> Outcome:
    """Time every contestant that is installed on a case.

    A first run of each phase warms up and gives the answer; the first contestant's is the reference where the case
    has none. A peer whose warm-up takes longer than ``max_seconds`` is left out. One that needs more than ``behind``
    times as long as this project for its first phase may give up. Slow phases have fewer rounds; see ``LONG_SECONDS``.
    """
    skipped: list[tuple[str, str]] = []
    running: list[tuple[Cell, Phase, int, int]] = []
    late: list[Cell] = []
    answers = dict(case.references)
    for contestant in contestants:
        if case.size > contestant.largest:
            skipped.append((contestant.name, f"not tried beyond {contestant.largest:,.0f} nodes"))
            continue
        began = time.perf_counter()
        try:
            phases = contestant.prepare(case)
            warm = [(name, phase, *_warm_up(phase, contestant.ours)) for name, phase in phases.items()]
        except ImportError as error:
            skipped.append((contestant.name, f"not installed ({error.name or error})"))
            continue
        except TimeoutError:
            limit = case.deadline.seconds / case.work
            first = running[0][0].phase  # there is a deadline only after this project's run
            late.append(Cell(case.size, first, contestant.name, False, [limit], [limit], gave_up=True))
            continue
        took = time.perf_counter() - began
        if contestant.ours and not np.isfinite(case.deadline.seconds):
            case.deadline.seconds = max(behind * warm[0][-1], PATIENCE)
        if took > max_seconds and not contestant.ours:
            skipped.append((contestant.name, f"took {took:.0f} s to warm up, more than {max_seconds:.0f} s"))
            continue
        for name, phase, answer, seconds in warm:
            number = 1 if phase.single else max(1, round(LEAST_SECONDS / max(seconds, 1e-7)))
            cell = Cell(case.size, name, contestant.name, contestant.ours)
            if case.error is None:
                cell.error = difference(answer, answers.setdefault(name, answer))
            else:
                cell.error = case.error(name, answer)
            rounds = repeats if contestant.ours else int(np.clip(LONG_SECONDS / seconds, 1, repeats))
            running.append((cell, phase, number, rounds))
    gc.collect()
    case.deadline.seconds = np.inf
    for turn in range(repeats):
        for cell, phase, number, rounds in running:
            if turn < rounds:
                _time(cell, phase, number, case.work * phase.units)
    return Outcome(case, [*(cell for cell, *_ in running), *late], skipped)


def difference(answer: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference of two answers, relative to the largest number in the reference."""
    return float(np.abs(answer - reference).max() / np.abs(reference).max())


def _warm_up(phase: Phase, compiles: bool) -> tuple[np.ndarray, float]:
    """The answer, and about how long a run takes: the first one may compile."""
    began = time.perf_counter()
    answer = np.array(phase.run(), dtype=float)
    took = time.perf_counter() - began
    if phase.single or (took > LONG_SECONDS / 3 and not compiles):
        return answer, took
    began = time.perf_counter()
    phase.run()
    return answer, time.perf_counter() - began


def _time(cell: Cell, phase: Phase, number: int, work: float) -> None:
    wall = cpu = 0.0
    if phase.baseline is not None:
        w, c = _stopwatch(phase.baseline, number)
        wall, cpu = -w, -c
    w, c = _stopwatch(phase.run, number)
    cell.seconds.append((wall + w) / number / work)
    cell.cpu.append((cpu + c) / number / work)


def _stopwatch(action: Callable[[], object], number: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), _process_time()
    for _ in range(number):
        action()
    return time.perf_counter() - wall, _process_time() - cpu


def _process_time() -> float:
    """Of this process and of those that it started and saw end."""
    of_children = os.times()
    return time.process_time() + of_children.children_user + of_children.children_system
