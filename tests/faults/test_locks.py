"""One process on a run folder, one run in a process."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import sandbox
from sandbox.errors import RunError
from sandbox.lock import LOCK, locked
from sandbox.report import Silent

from .damage import interrupted
from .killing import PATIENCE

HOLD = """
import sys, time
from pathlib import Path
from sandbox.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    (tmp_path / "run").mkdir()
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_folder_in_use_is_refused_by_name(holder: subprocess.Popen[bytes], tmp_path: Path) -> None:
    said = f"run is in use by process {holder.pid} on {platform.node()} since"
    with pytest.raises(RunError, match=said):
        sandbox.load("pipe_network").run(tmp_path / "run")
    (tmp_path / "run" / "scene.toml").write_text("")
    with pytest.raises(RunError, match=said):
        sandbox.resume(tmp_path / "run")
    assert (tmp_path / "run" / LOCK).exists()  # the refused did not take the holder's lock away


def test_a_lock_of_a_dead_process_is_no_lock(holder: subprocess.Popen[bytes], tmp_path: Path) -> None:
    holder.kill()
    holder.wait()
    assert json.loads((tmp_path / "run" / LOCK).read_text())["pid"] == holder.pid
    run = sandbox.load("pipe_network").run(tmp_path / "run", pictures=False)
    assert not (run.folder / LOCK).exists()


def test_a_damaged_lock_file_locks_all_the_same(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
        (tmp_path / LOCK).write_bytes(b"\xff{")
        with pytest.raises(RunError, match="in use by another process"), locked(tmp_path):
            pass
    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


class Waits(Silent):
    """Holds a run until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def start(self, what: str, total: int) -> None:
        self.begun.set()
        assert self.go.wait(PATIENCE)


def test_two_runs_in_two_threads_are_refused_by_name(tmp_path: Path) -> None:
    waits, done = Waits(), []
    experiment = sandbox.load("pipe_network")

    def run() -> None:
        done.append(experiment.run(tmp_path / "first", waits, pictures=False))

    thread = threading.Thread(target=run, name="the first")
    thread.start()
    assert waits.begun.wait(PATIENCE)
    try:
        with pytest.raises(RunError, match=r"running 'pipe_network' \(thread the first\)"):
            sandbox.load("lattice_stretch").run(tmp_path / "second")
        assert not (tmp_path / "second").exists()
    finally:
        waits.go.set()
        thread.join()
    alone = sandbox.load("pipe_network").run(tmp_path / "third", pictures=False)
    assert {**alone.figures, "seconds": 0} == {**done[0].figures, "seconds": 0}


def test_leftovers_of_a_process_killed_before_it_began_are_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / LOCK).write_text("{}")
    (folder / ".scene.toml.partial").write_text("name")
    run = sandbox.load("pipe_network").run(folder, pictures=False)
    assert sandbox.open(run.folder).attrs["scene"] == "pipe_network"


def test_a_folder_with_a_run_is_not_run_in_again(tmp_path: Path) -> None:
    folder = interrupted(tmp_path / "run", training={"epochs": 5})
    with pytest.raises(RunError, match="go on with the run in it: sandbox resume"):
        sandbox.load("iris_flow").run(folder)
    assert any(folder.glob("checkpoints/*.npz"))
    kept: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    assert kept["stage"] == "begun"
