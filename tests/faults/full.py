"""All faults in their full form: ``python -m tests.faults.full``, from the root of the repository.

Kills, damage, disks, memory, threads, sweeps, the malformed scenes of ``malformed.py`` and the run folders of
``fuzz.py``. Writes ``docs/results/faults.md``, row by row; ``python -m tests.faults.full kills memory`` does these
alone and keeps the other rows.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import sandbox
from sandbox.interrupts import ASKING

from . import damage, fuzz, killing, malformed, memory, sweeps
from .malformed import Report

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "faults.md"
HERE = Path(__file__).parent

KILLS_IN_A_ROW = 5
SHORT: dict[str, Any] = {"training": {"epochs": 5}}


def kills(count: int, work: Path, seed: int, at_once: int) -> tuple[str, bool]:
    """Kill runs of both scenes at random moments, some in a row, and compare their ends with references."""
    references = {scene: work / scene for scene in killing.SCENES}
    spans = {scene: killing.span(scene, folder) for scene, folder in references.items()}
    chains: list[killing.Chain] = []
    done = 0

    def one(number: int, wanted: int) -> killing.Chain:
        scene = list(references)[number % len(references)]
        rng = random.Random(f"{seed} {number}")
        found = killing.chain(scene, work / f"chain {number}", references[scene], wanted, rng, spans[scene])
        if len(found.stages) < wanted:  # the machine has less to do than it had
            spans[scene].after *= 0.7
        print(f"  {found}", flush=True)
        return found

    with ThreadPoolExecutor(at_once) as pool:
        while done < count:
            numbers = range(len(chains), len(chains) + min(at_once, -(-(count - done) // KILLS_IN_A_ROW)))
            left = [min(KILLS_IN_A_ROW, count - done - n * KILLS_IN_A_ROW) for n in range(len(numbers))]
            chains += pool.map(one, numbers, left)
            done = sum(len(c.stages) for c in chains)
    stages = Counter(stage for c in chains for stage in c.stages)
    good = sum(len(c.stages) for c in chains if not c.different)
    hit = ", ".join(f"{stage}: {number}" for stage, number in sorted(stages.items()))
    text = f"{good} of {done} came to the same bits, in {len(chains)} runs ({hit})"
    return text, good == done


def damages(count: int, work: Path, rng: random.Random) -> tuple[str, bool]:
    """Damage files of a complete run and of an interrupted one, all files in turn."""
    complete = sandbox.load("iris_flow", **SHORT).run(work / "complete").folder
    half = damage.interrupted(work / "half", **SHORT)
    judges: list[tuple[str, Path, Callable[[Path, Path], str]]] = [
        ("complete", complete, damage.after_complete),
        ("interrupted", half, damage.after_interrupted),
    ]
    lines, good = [], True
    for name, source, judge in judges:
        trials = [damage.trial(source, complete, work / "copy", n, rng, judge) for n in range(count // 2)]
        outcomes = Counter(outcome for *_, outcome in trials)
        wrong = [t for t in trials if t[2] == "wrong"]
        good = good and not wrong
        said = ", ".join(f"{outcome}: {number}" for outcome, number in sorted(outcomes.items()))
        lines.append(f"{name} run, {len(trials)} cases in {len({t[0] for t in trials})} files: {said}")
        if wrong:
            lines.append(f"WRONG: {wrong}")
    return "; ".join(lines), good


def flat(steps: int, networks: int) -> tuple[str, bool]:
    """Memory over many learning steps and over many networks, in processes of their own."""
    lines, good = [], True
    slow = steps // 10
    cases = {
        f"{steps:,} steps": (f"learning({steps})", steps),
        f"{slow:,} steps phase by phase": (f"learning({slow}, 'training.batch=4')", slow),
        f"{networks:,} networks": (f"networks({networks})", networks),
    }
    for name, case in cases.items():
        rise, size = memory.alone(*case)
        lines.append(f"{name}: {100 * rise:+.1f} % of {size:.0f} MB")
        good = good and rise < 0.05
    return "; ".join(lines), good


def tests(*names: str) -> tuple[str, bool]:
    """Test files of the short form."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *(str(HERE / name) for name in names)], capture_output=True, text=True
    )
    return done.stdout.splitlines()[-1] if done.stdout else done.stderr, done.returncode == 0


def generated(kind: Callable[..., Report], count: int, seed: int, at_once: int) -> tuple[str, bool]:
    """Cases of ``malformed.py`` or ``fuzz.py``, in several processes: they change folder, and hear signals."""
    size, total = 100, Report()
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(kind, min(size, count - n), seed, False, n) for n in range(0, count, size)]
        for part in as_completed(parts):
            total.add(part.result())
            print(f"  {sum(total.outcomes.values())}: {total}", flush=True)
            for what, case in part.result().failures:
                print(f"{what}\n{case[:1500]}\n{'-' * 40}", flush=True)
    return str(total), not total.failures


def swept(killed: int, lost: int, work: Path, rng: random.Random) -> tuple[str, bool]:
    """Sweeps whose workers are killed, and whose scheduler is lost, compared with a serial one."""
    seeds = 8
    one_by_one = sweeps.serial(work / "serial", seeds)
    names = sweeps.names(seeds)
    first, _ = sweeps.workers_killed(work / "killed", seeds, rng.sample(names, killed))
    second, said, _ = sweeps.scheduler_lost(work / "lost", seeds, rng.sample(names, lost))
    wrong = first.wrong(one_by_one) + second.wrong(one_by_one)
    if len(said) != lost:
        wrong.append(f"the scheduler was lost {lost} times, and that was said {len(said)} times")
    text = f"2 sweeps of {len(names)} runs, {killed} workers killed, {lost} schedulers lost and restarted: "
    return text + ("; ".join(wrong) or "every run ended once, with the bits of a serial sweep"), not wrong


def faults(wanted: argparse.Namespace, work: Path) -> dict[str, tuple[str, Callable[[], tuple[str, bool]]]]:
    """Each kind of fault: what was done, for the table, and how to do it."""
    signals = " and ".join(s.name for s in ASKING)
    seed = wanted.seed
    return {
        "kills": (
            f"SIGKILL at {wanted.kills} random moments of `iris_flow` and `lattice_vibration`",
            lambda: kills(wanted.kills, work, seed, wanted.at_once),
        ),
        "damage": (
            f"a bit flipped or a file cut in each file of a run folder, {wanted.flips} cases",
            lambda: damages(wanted.flips, work, random.Random(seed)),
        ),
        "fuzz": (
            f"run folders and checkpoints changed in ways that know their form, {wanted.folders:,}",
            lambda: generated(fuzz.main, wanted.folders, seed, wanted.at_once),
        ),
        "malformed": (
            f"malformed scenes, {wanted.scenes:,}",
            lambda: generated(malformed.main, wanted.scenes, seed, wanted.at_once),
        ),
        "hostile": ("hostile expressions, paths, sizes and texts, written by hand", lambda: tests("test_hostile.py")),
        "disks": (
            "disk full (small tmpfs, file size limit), read-only, no permission",
            lambda: tests("test_disks.py"),
        ),
        "locks": (f"{signals}, locks, two runs in two threads", lambda: tests("test_kills.py", "test_locks.py")),
        "bits": ("one thread and two: the same bits", lambda: tests("test_bits.py")),
        "sweeps": (
            "workers killed in mid-sweep, the scheduler restarted",
            lambda: swept(wanted.workers, wanted.schedulers, work, random.Random(seed)),
        ),
        "memory": (
            f"memory over {wanted.steps:,} steps and {wanted.networks:,} networks",
            lambda: flat(wanted.steps, wanted.networks),
        ),
    }


def main() -> int:
    """Do all, or some, and write the page; returns how many kinds of fault did harm."""
    parser = argparse.ArgumentParser(description="All faults in their full form.")
    parser.add_argument("only", nargs="*", metavar="KIND", help="do these alone, and leave the other rows of the page")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--networks", type=int, default=1_000)
    parser.add_argument("--scenes", type=int, default=2_000)
    parser.add_argument("--folders", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--schedulers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=os.cpu_count(), help="processes that are killed or fuzzed")
    parser.add_argument("--out", type=Path, default=PAGE)
    wanted = parser.parse_args()
    failed, names = 0, list(faults(wanted, Path()))
    if unknown := set(wanted.only) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; kinds: {', '.join(names)}")
    for name in wanted.only or names:
        with tempfile.TemporaryDirectory() as folder:
            title, inflict = faults(wanted, Path(folder))[name]
            began = time.monotonic()
            try:
                text, good = inflict()
            except Exception as error:  # a fault here is no reason to do without the others
                traceback.print_exc()
                text, good = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", False
        failed += not good
        row = f"| {title} | {text} | {'yes' if good else '**no**'} | {time.monotonic() - began:.0f} s |"
        print(row, flush=True)
        _record(wanted.out, name, row, names, wanted.seed)
    return failed


def _record(page: Path, name: str, row: str, names: list[str], seed: int) -> None:
    """Write the page, with the rows of other kinds as they are in it."""
    rows: dict[str, str] = {}
    if page.is_file():
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("| `"):
                rows[line.split("`")[1]] = line
    rows[name] = f"| `{name}` {row}"
    missing = [f"`{n}`" for n in names if n not in rows]
    page.write_text(_page([rows[n] for n in names if n in rows], missing, seed), encoding="utf-8")


def _page(rows: list[str], missing: list[str], seed: int) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory"
    return "\n".join(
        [
            "# Faults",
            "",
            "What was done to runs on purpose, and what came of it. Written by `python -m tests.faults.full "
            f"--seed {seed}` from the root of the repository; a kind named after it, say "
            "`python -m tests.faults.full kills`, is done alone. The tests in `tests/faults/` do the same in short.",
            "",
            "| kind | fault | what came of it | as it should | took |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            *([f"Not recorded yet: {', '.join(missing)}.", ""] if missing else []),
            f"Version {sandbox.__version__}; {machine}, Python {platform.python_version()}; other work beside it.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
