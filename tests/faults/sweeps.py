"""Sweeps whose workers are killed and whose scheduler is lost, at moments that a plugin chooses.

In every run that is to be hit the plugin stops its process after a few epochs, once there are checkpoints, and says
which process that is; so nothing here depends on how fast the machine is. Every run notes in a diary that it ended.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sandbox
from sandbox import manifest
from sandbox.errors import SweepError

from .killing import differences

PATIENCE = 300.0
"""Seconds for anything to happen on a busy machine."""

KEY, VALUES = "controller.beta", (0.5, 1.0)
EPOCHS = 5

PLUGIN = """
import os
import time
from pathlib import Path

import sandbox

work, victims, now = Path({work!r}), {victims!r}, None


@sandbox.hookimpl
def run_started(folder):
    global now
    now = folder.name


@sandbox.hookimpl
def step_done(step):
    here = work / now
    if now in victims and step == 3 and not here.exists():
        partial = here.with_name(now + ".partial")
        partial.write_text(str(os.getpid()))
        partial.rename(here)
        time.sleep({patience})


@sandbox.hookimpl
def run_ended(folder):
    with (work / "diary.txt").open("a") as diary:  # one short line is written at once
        diary.write(folder.name + chr(10))
"""


def names(seeds: int) -> list[str]:
    """Of the runs of a sweep over so many seeds."""
    return [f"{KEY}={value},seed={seed}" for value in VALUES for seed in range(seeds)]


@dataclass
class Trial:
    """A sweep in a folder of its own, some of whose runs are stopped at work.

    Attributes:
        victims: names of the runs that are.
        hit: those of them that were waited for.
    """

    work: Path
    seeds: int
    victims: Sequence[str]
    plugin: Path = field(init=False)
    hit: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.work.mkdir()
        self.plugin = self.work / f"stops_{self.work.name}.py"
        text = PLUGIN.format(work=str(self.work), victims=list(self.victims), patience=PATIENCE)
        self.plugin.write_text(text, encoding="utf-8")

    def sweep(self, **how: Any) -> Any:
        """Make it, or go on with it."""
        changes = [f"training.epochs={EPOCHS}"]
        more: dict[str, Any] = {"checkpoint_every": 0, "plugins": [self.plugin], **how}
        return sandbox.sweep(
            "iris_flow", {KEY: VALUES}, seeds=range(self.seeds), changes=changes, out=self.work / "sweep", **more
        )

    def stopped(self) -> int:
        """Wait until one more run is stopped, whichever comes first; the number of its process."""

        def waiting() -> list[str]:
            return [name for name in self.victims if name not in self.hit and (self.work / name).is_file()]

        until(lambda: bool(waiting()), f"one of {self.victims} is at work, besides {self.hit}")
        self.hit.append(waiting()[0])
        return int((self.work / self.hit[-1]).read_text())

    def wrong(self, serial: Path) -> list[str]:
        """What is not as in a serial sweep, or did not end once, or was not gone on with after it was hit.

        It may have been gone on with more often: on a busy machine workers are given up that are slow to start.
        """
        ended = Counter((self.work / "diary.txt").read_text().splitlines())
        found = [f"{name} ended {ended[name]} times" for name in names(self.seeds) if ended[name] != 1]
        for name in names(self.seeds):
            run = self.work / "sweep" / "runs" / name
            found += [f"{name}: {what} differs" for what in differences(run, serial / name)]
            story = manifest.read(run)
            if name in self.victims and not (story and story.resumed):
                found.append(f"{name} was hit and not gone on with")
        return found


def until(ready: Callable[[], bool], what: str) -> None:
    """Wait.

    Raises:
        AssertionError: if it takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


def serial(folder: Path, seeds: int) -> Path:
    """The same runs, one after the other in this process."""
    for value in VALUES:
        for seed in range(seeds):
            scene = sandbox.load("iris_flow", [f"training.epochs={EPOCHS}", (KEY, value)], seed=seed)
            scene.run(folder / f"{KEY}={value},seed={seed}", pictures=False)
    return folder


def workers_killed(work: Path, seeds: int, victims: Sequence[str], workers: int = 2) -> tuple[Trial, Any]:
    """A sweep on workers of its own that are killed at each of the victims; and its dataset."""
    trial = Trial(work, seeds, victims)

    def kill() -> None:
        for _ in victims:
            os.kill(trial.stopped(), signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    data = trial.sweep(workers=workers)
    killer.join(timeout=PATIENCE)
    return trial, data


def scheduler_lost(work: Path, seeds: int, victims: Sequence[str]) -> tuple[Trial, list[str], Any]:
    """A sweep whose scheduler and worker are killed at each of the victims, and that is called again each time.

    Returns:
        The sweep; what it said each time; its dataset in the end.
    """
    trial, said, port = Trial(work, seeds, victims), [], _free_port()
    for _ in victims:
        with _machines(port, work / "log.txt") as processes:

            def kill(processes: list[subprocess.Popen[bytes]] = processes) -> None:
                trial.stopped()
                for process in processes:
                    process.kill()

            killer = threading.Thread(target=kill, daemon=True)
            killer.start()
            try:
                trial.sweep(scheduler=f"tcp://127.0.0.1:{port}")
            except SweepError as error:
                said.append(str(error))
            killer.join(timeout=PATIENCE)
    with _machines(port, work / "log.txt"):
        return trial, said, trial.sweep(scheduler=f"tcp://127.0.0.1:{port}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def _machines(port: int, log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A scheduler and one worker, each a process of its own, for as long as a block lasts."""
    address = f"tcp://127.0.0.1:{port}"
    commands = [
        ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"),
        ("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"),
    ]
    here = os.environ | {"SANDBOX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    processes: list[subprocess.Popen[bytes]] = []

    def answers() -> bool:
        assert processes[0].poll() is None, log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except OSError:
            return False
        return True

    try:
        for words in commands:
            with log.open("ab") as said:
                command = [sys.executable, "-m", "dask", *words]
                processes.append(subprocess.Popen(command, stdout=said, stderr=said, cwd=log.parent, env=here))
        until(answers, "the scheduler answers")
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
