"""A sweep whose workers are killed and whose scheduler is restarted: ``python -m tests.faults.sweeps``.

Scheduler and workers are processes of their own, reached by address. A worker is killed with SIGKILL once a run has a
checkpoint, some runs later another, and then the scheduler with everything that hangs on it, which ends the sweep. A
new scheduler starts, and the same sweep is called again. In the end every run has ended once, and is that of a serial
sweep to the last bit.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sandbox
from sandbox.errors import SweepError
from sandbox.report import Silent

from .killing import PATIENCE, differences

BETAS = (0.5, 1.0)

DIARY = """
import os
from pathlib import Path

import sandbox


@sandbox.hookimpl
def run_ended(folder, figures):
    with open({path!r}, "a") as diary:  # one short line is written at once
        diary.write(f"{{os.getpid()}} {{folder.name}}\\n")
"""
"""A plugin that notes what ended where."""


class Machines:
    """A scheduler and its workers, each in processes of their own."""

    def __init__(self, workers: int, logs: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address, self.workers, self.logs = f"tcp://127.0.0.1:{self.port}", workers, logs
        self.processes: list[subprocess.Popen[bytes]] = []
        self.start()

    def start(self) -> None:
        scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        self.processes = [self._spawn(scheduler)] + [self._worker() for _ in range(self.workers)]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise AssertionError((self.logs / "log.txt").read_text())

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._spawn(["worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"])

    def _spawn(self, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.logs / "log.txt").open("ab") as log:
            command = [sys.executable, "-m", "dask", *words]
            here = os.environ | {"SANDBOX_THREADS": "1", "OMP_NUM_THREADS": "1"}
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.logs, env=here)

    def kill_worker(self, pid: int) -> None:
        """Kill the worker of this process, and start another."""
        child = next(p for p in self.processes if p.pid == pid)
        child.kill()
        child.wait()
        self.processes.remove(child)
        self.processes.append(self._worker())

    def restart(self) -> None:
        """Start everything again at the same address."""
        self.stop()
        self.start()

    def stop(self) -> None:
        for child in self.processes:
            child.send_signal(signal.SIGKILL)
        for child in self.processes:
            child.wait()


class Trouble(threading.Thread):
    """Kills workers, and then the scheduler, as a sweep goes on."""

    def __init__(self, machines: Machines, out: Path, diary: Path, kills: int, every: int) -> None:
        super().__init__(daemon=True)
        self.machines, self.out, self.diary, self.kills, self.every = machines, out, diary, kills, every
        self.killed: list[str] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for n in range(self.kills):
                self._until(lambda n=n: len(ended(self.diary)) >= n * self.every and bool(self._at_work()))
                pid, name = self._at_work()[0]
                self.machines.kill_worker(pid)
                self.killed.append(f"the worker at {name}")
            self._until(lambda: len(ended(self.diary)) >= self.kills * self.every and bool(self._at_work()))
            self.machines.stop()
            self.killed.append("scheduler and workers")
        except BaseException as error:
            self.error = error

    def _at_work(self) -> list[tuple[int, str]]:
        """Processes with runs that have a checkpoint and are not done."""
        import json

        found = []
        for folder in self.out.glob("runs/*"):
            try:
                if not (folder / "data.nc").exists() and list(folder.glob("checkpoints/*.json")):
                    found.append((json.loads((folder / ".lock").read_text())["pid"], folder.name))
            except (OSError, ValueError):
                continue
        return [(pid, name) for pid, name in found if pid in {p.pid for p in self.machines.processes}]

    def _until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 2 * PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                raise AssertionError("nothing went on")
            time.sleep(0.005)


def ended(diary: Path) -> list[str]:
    """Names of the runs that ended, in their order."""
    return [line.split(maxsplit=1)[1] for line in diary.read_text().splitlines()] if diary.exists() else []


class Heard(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def troubled_sweep(work: Path, seeds: int, epochs: int, kills: int, every: int) -> tuple[Trouble, str, Any]:
    """Make a sweep in trouble.

    Returns:
        The trouble that was made; what the sweep said when the scheduler was lost; the dataset of the second call.
    """
    out, diary = work / "sweep", work / "diary.txt"
    plugin = work / "diary.py"
    plugin.write_text(DIARY.format(path=str(diary)))
    machines = Machines(2, work)
    trouble = Trouble(machines, out, diary, kills, every)

    def call() -> Any:
        return sandbox.sweep(
            "iris_flow",
            {"controller.beta": BETAS},
            seeds=range(seeds),
            changes=[f"training.epochs={epochs}"],
            out=out,
            scheduler=machines.address,
            checkpoint_every=0,
            plugins=[plugin],
        )

    lost = ""
    try:
        trouble.start()
        try:
            call()
        except SweepError as error:
            lost = str(error)
        trouble.join(timeout=5)
        if trouble.error is not None:
            raise trouble.error
        machines.restart()
        data = call()
    finally:
        machines.stop()
    return trouble, lost, data


def serial(work: Path, seeds: int, epochs: int) -> None:
    """The same runs, one after the other in this process."""
    for beta in BETAS:
        for seed in range(seeds):
            scene = sandbox.load("iris_flow", [f"training.epochs={epochs}", ("controller.beta", beta)], seed=seed)
            scene.run(work / "serial" / f"controller.beta={beta},seed={seed}", pictures=False)


def check(work: Path, seeds: int) -> tuple[int, list[str], int]:
    """Compare a troubled sweep with a serial one.

    Returns:
        How many runs there are; what is wrong with them; how many were gone on with from a checkpoint.
    """
    names = sorted(path.name for path in (work / "serial").iterdir())
    wrong = [f"{name} ended {n} times" for name, n in Counter(ended(work / "diary.txt")).items() if n != 1]
    wrong += [f"{name} did not end" for name in names if name not in ended(work / "diary.txt")]
    resumed = 0
    for name in names:
        run = work / "sweep" / "runs" / name
        wrong += [f"{name}: {what} differs" for what in differences(run, work / "serial" / name)]
        resumed += bool(sandbox.results.manifest.read(run).resumed)  # pyright: ignore
    if len(names) != len(BETAS) * seeds:
        wrong.append(f"{len(names)} runs")
    return len(names), wrong, resumed


def main() -> None:
    """The full form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        every = len(BETAS) * asked.seeds // (asked.kills + 2)
        trouble, _, _ = troubled_sweep(work, asked.seeds, asked.epochs, asked.kills, every)
        serial(work, asked.seeds, asked.epochs)
        runs, wrong, resumed = check(work, asked.seeds)
    print(f"{runs} runs; killed: {len(trouble.killed) - 1} worker(s), then {trouble.killed[-1]}")
    print(f"{resumed} runs were gone on with; wrong: {wrong or 'nothing'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
