"""Runs that are killed or interrupted end, once resumed, as if nothing had been."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sandbox
from sandbox import moving
from sandbox.apparatus import state as apparatus_state
from sandbox.bench import Bench
from sandbox.errors import RunError
from sandbox.interrupts import Interrupted
from sandbox.parts import Controller
from sandbox.report import Silent

from .damage import Stop, interrupted
from .killing import PATIENCE, SCENES, Span, chain, command, same_results

NOISY = {"reading_noise": 1e-4, "homeostat_noise": 1e-3, "drift": 1e-4, "knob_gain": 0.1}

FEW = {"type": "iris", "test_fraction": 0.9}

LEARNING: dict[str, dict[str, Any]] = {
    "replayed": {},
    "by phase": {"bench": {"imperfections": NOISY, "compliance": 0.02}, "task": FEW},
    "batches": {"training": {"epochs": 5, "batch": 4, "compliance_decay": 0.9}, "task": FEW},
    "integral": {"bench": {"homeostat": "integral"}, "task": FEW},
    "settled": {"training": {"epochs": 5, "shuffle": False, "keep": "ends"}, "bench": {"coupling": "log"}},
    "white box": {"controller": {"type": "adjoint"}, "task": FEW},
    "clamped": {"controller": {"type": "coupled_learning"}, "task": FEW},
    "drawing": {"controller": {"type": "spsa"}, "task": FEW},
    "search": {"controller": {"type": "cma_es"}, "training": {"epochs": 5, "batch": 105}},
}


BUILT = {
    "system", "inputs", "outputs", "surroundings", "coupling", "homeostat", "tolerance", "drift_tolerance", "fresh",
    "imperfections", "_watch", "_flaws", "_checked_knobs", "_boundary",
}  # fmt: skip
"""What an apparatus has that is a function of the scene, or of what is saved."""


def test_nothing_of_the_apparatus_is_forgotten() -> None:
    apparatus = sandbox.load("iris_flow").setup.apparatus
    assert set(vars(apparatus)) - BUILT == {*apparatus_state.SAVED, "meter", "events", "rng", "_settled"}


@pytest.mark.parametrize("name", SCENES)
def test_killed_twice(name: str, tmp_path: Path) -> None:
    scene, changes = name, SCENES[name][1::2]
    sandbox.load(scene, changes).run(tmp_path / "reference", pictures=False)
    result = chain(name, tmp_path / "run", tmp_path / "reference", 2, random.Random(0), Span(1.0, 0.2))
    assert not result.different, result
    assert result.stages


@pytest.mark.parametrize("case", LEARNING)
def test_learning_goes_on(case: str, tmp_path: Path) -> None:
    sections: dict[str, Any] = {"training": {"epochs": 5}} | LEARNING[case]
    sandbox.load("iris_flow", **sections).run(tmp_path / "whole", pictures=False)
    folder = interrupted(tmp_path / "parts", advances=2, **sections)
    with pytest.raises(KeyboardInterrupt):
        sandbox.resume(folder, Stop(1), checkpoint_every=0)
    run = sandbox.resume(folder, pictures=False)
    assert same_results(folder, tmp_path / "whole")
    assert run.figures["relaxations"] == sandbox.open(tmp_path / "whole").attrs["relaxations"]


def test_layered_learning_goes_on(tmp_path: Path) -> None:
    sections = {"training": {"epochs": 2}, "task": {"type": "digits", "test_fraction": 0.9}}
    sandbox.load("digits_hopfield", **sections).run(tmp_path / "whole", pictures=False)
    folder = interrupted(tmp_path / "parts", "digits_hopfield", 1, **sections)
    sandbox.resume(folder, pictures=False)
    assert same_results(folder, tmp_path / "whole")


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["dynamics.temperature=0.01", "system.damping=0.3"],
        ["dynamics.every=70", "dynamics.shake=[{nodes='left', amplitude=0.1, frequency=0.2}]"],
        ["network.shape=[40, 40]", "dynamics.steps=200"],
    ],
)
def test_motion_goes_on_wherever_its_pieces_end(
    changes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = sandbox.load("lattice_vibration", changes)
    experiment.run(tmp_path / "whole", pictures=False)
    monkeypatch.setattr(moving, "PIECE_SECONDS", 1e-3)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(tmp_path / "parts", Stop(7), checkpoint_every=0)
    assert 0 < _last_step(tmp_path / "parts") < experiment.setup.scene.dynamics.steps  # pyright: ignore
    sandbox.resume(tmp_path / "parts", pictures=False)
    assert same_results(tmp_path / "parts", tmp_path / "whole")


def _last_step(folder: Path) -> int:
    from sandbox.checkpoints import Checkpoints

    state, problems = Checkpoints(folder).load()
    assert state is not None
    assert not problems
    return state["run"]["step"]


def test_drawing_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox import pictures

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "draw", stop)
        with pytest.raises(KeyboardInterrupt):
            sandbox.load("pipe_network").run(tmp_path / "run")
    before = sandbox.open(tmp_path / "run")
    run = sandbox.resume(tmp_path / "run")
    assert [p.name for p in run.pictures] == ["network.png"]
    assert run.pictures[0].is_file()
    assert before.identical(run.data)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal with Python's own handler; a shell that starts the tests in the background ignores SIGINT for them."""
    before = signal.getsignal(request.param)
    signal.signal(request.param, signal.default_int_handler if request.param == signal.SIGINT else signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_saves_and_says_how_to_go_on(number: signal.Signals, tmp_path: Path) -> None:
    sections: dict[str, Any] = {"training": {"epochs": 200, "every": 10}}
    sandbox.load("iris_flow", **sections).run(tmp_path / "whole", pictures=False)
    reporter = Signal(number)
    with pytest.raises(Interrupted, match=f"{number.name}; go on from the last checkpoint with: sandbox resume"):
        sandbox.load("iris_flow", **sections).run(tmp_path / "parts", reporter)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    sandbox.resume(tmp_path / "parts", pictures=False)
    assert same_results(tmp_path / "parts", tmp_path / "whole")


class Signal(Silent):
    """Sends this process a signal when a run advances."""

    def __init__(self, number: signal.Signals) -> None:
        self.number: signal.Signals | None = number

    def advance(self, done: int, figures: Any) -> None:
        if self.number is not None:
            os.kill(os.getpid(), self.number)
            self.number = None


def test_the_command_ends_with_the_status_of_its_signal(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    long = command("run", "iris_flow", "--set", "training.epochs=1000000", "--set", "training.every=1000000")
    more = ["--out", str(folder), "--checkpoint-every", "0.1"]
    child = subprocess.Popen([*long, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob("checkpoints/*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    _, error = child.communicate(timeout=PATIENCE)
    assert child.returncode == 128 + signal.SIGTERM, error
    assert b"stopped by SIGTERM; go on from the last checkpoint with: sandbox resume" in error.replace(b"\n", b" ")
    assert b"Traceback" not in error
    assert list(folder.glob("checkpoints/*.npz"))


class Hoards(Controller):
    """Keeps in its notes what cannot be saved."""

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.notes["mine"] = threading.Lock()
        bench.clamp(inputs)
        bench.read()


def test_notes_that_cannot_be_saved_are_named_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = sandbox.load("iris_flow", training={"epochs": 2})
    monkeypatch.setattr(type(experiment.scene.controller), "step", Hoards.step)
    reporter = Stop(0)
    experiment.run(tmp_path / "run", reporter, checkpoint_every=0, pictures=False)
    said = [w for w in reporter.warnings if "no checkpoints" in w]
    assert len(said) == 1
    assert "['mine'] is a _thread.lock" in said[0]


def test_a_run_that_cannot_be_resumed_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run was begun in it"):
        sandbox.resume(tmp_path / "nothing")
    folder = interrupted(tmp_path / "run", training={"epochs": 5})
    (folder / "scene.toml").unlink()
    with pytest.raises(RunError, match=r"scene\.toml \(missing\)|scene\.toml is missing"):
        sandbox.resume(folder)


def test_a_checkpoint_of_another_scene_is_refused(tmp_path: Path) -> None:
    one = interrupted(tmp_path / "one", training={"epochs": 5})
    other = interrupted(tmp_path / "other", training={"epochs": 5}, network={"nodes": 30})
    for path in other.glob("checkpoints/*"):
        path.unlink()
    for path in one.glob("checkpoints/*"):
        path.rename(other / "checkpoints" / path.name)
    with pytest.raises(RunError, match="another network"):
        sandbox.resume(other)
