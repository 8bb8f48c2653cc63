"""Sweeps that lose workers or scheduler are those of the runs one by one, are gone on with, and retry what failed."""

from __future__ import annotations

import csv
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import sandbox
from sandbox.cli import app
from sandbox.errors import SandboxError, SweepError
from sandbox.lock import locked
from sandbox.physics import processors
from sandbox.plugins import plugins
from sandbox.report import Silent
from sandbox.sweeping import crew, plan, worker
from sandbox.sweeping.axes import Axis
from sandbox.sweeping.sweep import Settings, Sweep, ends
from sandbox.sweeping.worker import Job, Outcome

from .killing import differences
from .sweeps import names, scheduler_lost, serial, workers_killed

pytest.importorskip("distributed")


FLAKY = """
from pathlib import Path

import sandbox
from sandbox.parts import Controller


class Flaky(Controller):
    plug: str

    def step(self, bench, inputs, targets):
        if not Path(self.plug).exists():
            raise RuntimeError("the amplifier was unplugged")


@sandbox.hookimpl
def register_controllers(register):
    register("flaky", Flaky)
"""


class Heard(Silent):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def own_plugins() -> Iterator[None]:
    """Plugins that are forgotten afterwards."""
    plugins.cache_clear()
    yield
    plugins.cache_clear()


def test_a_sweep_of_its_own_is_a_serial_one_and_is_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    command = ["sweep", "lattice_stretch", "--set", "system.stiffness=1,2", "--set", "network.hole=0.0,4.0"]
    more = ["--workers", "2", "--out", str(out), "--seeds"]
    done = CliRunner().invoke(app, [*command, *more, "0:1"])
    assert done.exit_code == 0, done.output
    assert "4 of 4 runs are complete" in done.output
    assert "dashboard: http://127.0.0.1" in done.output
    threads = {json.loads(p.read_text())["threads"] for p in out.glob("runs/*/provenance.json")}
    assert threads == {processors.asked() or max(1, processors.available() // 2)}  # of two workers
    for stiffness in (1, 2):
        for hole in (0.0, 4.0):
            name = f"system.stiffness={stiffness},network.hole={hole},seed=0"
            changes = [f"system.stiffness={stiffness}", f"network.hole={hole}"]
            sandbox.load("lattice_stretch", changes, seed=0).run(tmp_path / name, pictures=False)
            assert not differences(out / "runs" / name, tmp_path / name)
    data = sandbox.open(out)
    assert list(data["energy"].dims) == ["system.stiffness", "network.hole", "seed"]
    one = sandbox.open(tmp_path / "system.stiffness=2,network.hole=0.0,seed=0")
    here = data.sel({"system.stiffness": 2, "network.hole": 0.0, "seed": 0})
    assert float(here["energy"]) == one.attrs["energy"]
    assert np.array_equal(here["state"].dropna("node").to_numpy(), one["state"].to_numpy())
    assert here["state"].attrs == one["state"].attrs != {}
    # Another network has other nodes: what it does not have is missing.
    assert int(data["state"].isel({"network.hole": 1}).isnull().sum()) > 0
    rows = list(csv.DictReader((out / "table.csv").read_text().splitlines()))
    assert [r["state"] for r in rows] == ["complete"] * 4
    assert float(rows[2]["energy"]) == one.attrs["energy"]
    assert {p.name for p in out.iterdir()} == {
        "sweep.json",
        "runs",
        "table.csv",
        "data.nc",
        "sweep.png",
        "manifest.json",
    }
    # Again: nothing is made anew, and no worker is needed for that.
    before = {p: p.stat().st_mtime_ns for p in out.glob("runs/*/data.nc")}
    again = CliRunner().invoke(app, [*command, "--scheduler", "tcp://127.0.0.1:1", "--out", str(out), "--seeds", "0:1"])
    assert again.exit_code == 0, again.output
    assert {p: p.stat().st_mtime_ns for p in out.glob("runs/*/data.nc")} == before
    assert sandbox.open(out).identical(data)


# Sweeps that are killed.


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of a serial sweep."""
    return serial(tmp_path_factory.mktemp("serial"), seeds=2)


def test_a_killed_worker_is_survived(tmp_path: Path, one_by_one: Path, own_plugins: None) -> None:
    trial, data = workers_killed(tmp_path / "killed", 2, names(2)[1:2])
    assert trial.wrong(one_by_one) == []
    assert (data["outcome"] == "complete").all()


def test_a_worker_that_the_cluster_forgets_is_replaced(
    tmp_path: Path, one_by_one: Path, own_plugins: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dask import config

    monkeypatch.setattr(crew, "LONELY", 0.5)
    with config.set({"distributed.deploy.lost-worker-timeout": "1ms"}):
        trial, data = workers_killed(tmp_path / "killed", 2, names(2)[1:2], workers=1)
    assert trial.wrong(one_by_one) == []
    assert (data["outcome"] == "complete").all()


def test_a_lost_scheduler_ends_a_sweep_that_goes_on_with_the_next(
    tmp_path: Path, one_by_one: Path, own_plugins: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "CONNECT", 120.0)
    trial, said, data = scheduler_lost(tmp_path / "lost", 2, names(2)[1:2])
    assert ["went away; what is done is kept" in line for line in said] == [True]
    assert trial.wrong(one_by_one) == []
    assert (data["outcome"] == "complete").all()


# One run.


def job(folder: Path, changes: list[Any], **more: Any) -> Job:
    case = plan.cases("iris_flow", [("training.epochs", 2), *changes])[0]
    sweep = Sweep(folder, [], [case], Settings(**more))
    (folder / "runs").mkdir(exist_ok=True)
    return sweep.job(case)


def test_failures_are_told_apart(tmp_path: Path) -> None:
    hopeless = worker.outcome(job(tmp_path, [("network.edges", 200), ("network.nodes", 11)]))
    assert hopeless.error
    assert not hopeless.passing
    assert not hopeless.trace
    assert not list((tmp_path / "runs").iterdir())
    elsewhere = worker.outcome(replace(job(tmp_path, []), version="0.0"))
    assert "version" in elsewhere.error
    (tmp_path / "runs" / "run").write_text("")
    assert worker.outcome(job(tmp_path, [])).passing  # somebody may take the file away


def test_a_fault_of_a_plugin_passes_and_is_kept(tmp_path: Path, own_plugins: None) -> None:
    (tmp_path / "flaky.py").write_text(FLAKY)
    sandbox.use(tmp_path / "flaky.py")
    asked = job(tmp_path, [("controller", {"type": "flaky", "plug": str(tmp_path / "plug")})])
    first = worker.outcome(asked)
    (tmp_path / "plug").touch()
    second = worker.outcome(asked)
    assert first.passing
    assert "RuntimeError: the amplifier was unplugged" in first.error
    assert "Traceback" in first.trace
    assert second.state == "complete"


def test_a_run_of_another_scene_is_not_gone_on_with(tmp_path: Path) -> None:
    assert worker.outcome(job(tmp_path, [])).state == "complete"
    assert worker.outcome(job(tmp_path, [])).state == "complete"
    assert "of another scene" in worker.outcome(job(tmp_path, [("bench.compliance", 0.1)])).error


def test_a_folder_in_use_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 0.3)
    asked = job(tmp_path, [])
    Path(asked.folder).mkdir()
    with locked(Path(asked.folder)):
        held = worker.outcome(asked)
    assert "is in use" in held.error
    assert held.passing


# Retries.


class FakeCrew:
    """Gives outcomes from a list."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes, self.jobs = outcomes, []

    def put(self, asked: Job) -> None:
        self.jobs.append(asked)

    def __iter__(self) -> Iterator[tuple[Job, Outcome]]:
        while self.jobs:
            yield self.jobs.pop(0), self.outcomes.pop(0)


PASSING, LASTING = Outcome("disk full", passing=True), Outcome("no such network")


@pytest.mark.parametrize(
    ("outcomes", "state", "warnings"),
    [
        ([PASSING, PASSING, Outcome()], "complete", 2),
        ([PASSING, PASSING, PASSING], "failed", 3),
        ([LASTING], "failed", 1),
    ],
)
def test_what_may_pass_is_tried_again(outcomes: list[Outcome], state: str, warnings: int, tmp_path: Path) -> None:
    hands, heard = FakeCrew(list(outcomes)), Heard()
    hands.put(job(tmp_path, []))
    found = list(ends(hands, 2, heard))  # pyright: ignore
    assert [ended.state for _, ended in found] == [state]
    assert len(heard.warnings) == warnings
    assert not hands.outcomes


def test_the_command_makes_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, hands = sys.modules["sandbox.sweeping.sweep"], FakeCrew([LASTING] * 96)
    monkeypatch.setattr(module, "crew", lambda *_: nullcontext(hands))
    hands.dashboard = ""  # pyright: ignore
    asked: list[str] = []
    monkeypatch.setattr(FakeCrew, "put", lambda crew, job: (asked.append(job.name), crew.jobs.append(job)))
    words = ["iris_flow", "--set", "controller.beta=0.01,0.1,1", "--seeds", "0:32"]
    error = CliRunner().invoke(app, ["sweep", *words, "--out", str(tmp_path)]).exception
    assert "all 96 runs failed" in str(error)
    assert asked == [f"controller.beta={beta},seed={seed}" for beta in (0.01, 0.1, 1.0) for seed in range(32)]


# What cannot be begun.


def test_a_scheduler_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "CONNECT", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(SweepError, match=f"no scheduler answers at {address}.*dask scheduler"):
            sandbox.sweep("iris_flow", seeds=2, out=tmp_path / "sweep", scheduler=address)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SweepError, match=r"pip install 'matter-sandbox\[sweep\]'"):
        sandbox.sweep("iris_flow", seeds=2, out=tmp_path / "sweep")


def test_the_command_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, said in {
        ("--set", "controller.beta=log:0:1:3"): "are positive",
        ("--set", "controller.beta=log:0.1:1"): "how many values",
        ("--set", "controller.betta=1,2"): "did you mean 'beta'",
        ("--seeds", "x"): "seeds are whole numbers",
        ("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"): "workers are started on this machine only",
    }.items():
        error = CliRunner().invoke(app, ["sweep", "iris_flow", *words]).exception
        assert isinstance(error, SandboxError)
        assert said in str(error)


def test_a_sweep_in_use_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(SandboxError, match="is in use"):
        sandbox.sweep("iris_flow", seeds=2, out=tmp_path)


def test_runs_that_failed_are_missing_in_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are tried again when the sweep is made again."""
    module = sys.modules["sandbox.sweeping.sweep"]  # the package has a function of this name

    class Alone(FakeCrew):
        dashboard = ""

        def __iter__(self) -> Iterator[tuple[Job, Outcome]]:
            while self.jobs:
                asked = self.jobs.pop(0)
                yield asked, LASTING if asked.name in self.outcomes else worker.outcome(asked)

    def make(failing: list[Any]) -> Any:
        monkeypatch.setattr(module, "crew", lambda *_: nullcontext(Alone(failing)))
        return sandbox.sweep("iris_flow", seeds="0:2", changes=["training.epochs=2"], out=tmp_path / "sweep")

    with pytest.warns(UserWarning, match="1 of 2 runs failed, see `outcome`; seed=1: no such network"):
        data = make(["seed=1"])
    assert data["outcome"].to_numpy().tolist() == ["complete", "no such network"]
    assert np.isnan(data["test accuracy"].sel(seed=1))
    assert not np.isnan(data["test_accuracy"].sel(seed=0)).any()
    assert (tmp_path / "sweep" / "errors" / "seed=1.txt").read_text() == "no such network"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = make([])
    assert (data["outcome"] == "complete").all()
    assert not list((tmp_path / "sweep" / "errors").iterdir())
    monkeypatch.setattr(module, "crew", lambda *_: nullcontext(Alone(["seed=7"])))
    with pytest.raises(SweepError, match="all 1 runs failed; seed=7: no such network"):
        sandbox.sweep("iris_flow", seeds="7", changes=["training.epochs=2"], out=tmp_path / "other")


def test_a_sweep_is_no_run(tmp_path: Path) -> None:
    plan.begin(tmp_path, [Axis("seed", (0,))], plan.cases("iris_flow", []))
    with pytest.raises(SandboxError, match="sandbox sweep"):
        sandbox.resume(tmp_path)
