"""A search finds what is better, goes on as if it had not been interrupted, and says what is wrong."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import sandbox
from sandbox.cli import app
from sandbox.errors import RunError, SandboxError, SweepError
from sandbox.report import Silent
from sandbox.sweeping import worker
from sandbox.sweeping.axes import Axis, Between, space
from sandbox.sweeping.worker import Job, Outcome

pytest.importorskip("optuna")

OVER = {"system.stiffness": (0.5, 5.0, "log"), "network.hole": "0.0,2.0,4.0"}


class Alone:
    """Makes the runs in this process; fails those that it is told to."""

    size, dashboard = 1, ""

    def __init__(self, failing: tuple[str, ...] = ()) -> None:
        self.jobs: list[Job] = []
        self.made: list[str] = []
        self.failing = failing

    def put(self, job: Job) -> None:
        self.jobs.append(job)

    def __iter__(self) -> Iterator[tuple[Job, Outcome]]:
        while self.jobs:
            job = self.jobs.pop(0)
            self.made.append(job.name)
            yield job, Outcome("no such network") if job.name in self.failing else worker.outcome(job)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Alone:
    """Of all searches of a test."""
    alone = Alone()
    monkeypatch.setattr(sys.modules["sandbox.sweeping.search"], "crew", lambda *_: nullcontext(alone))
    return alone


def find(out: Path, trials: int, **more: Any) -> Any:
    """The least energy of a stretched lattice: the softest, with the largest hole."""
    small = ["network.shape=[12, 12]"]
    return sandbox.search(
        "lattice_stretch", OVER, **{"changes": small, "minimize": "energy", "trials": trials, "out": out, **more}
    )


TRIALS = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A search that was not interrupted, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["sandbox.sweeping.search"], "crew", lambda *_: nullcontext(Alone()))
        yield find(folder, TRIALS), folder


def test_it_finds_what_is_least(whole: Any) -> None:
    found, folder = whole
    energy = found["energy"].to_numpy()
    best = found.isel(trial=found.attrs["best"])
    assert float(best["energy"]) == energy.min()
    assert energy[8:].min() < energy[:8].min()
    assert 0.5 <= found["system.stiffness"].min() <= float(best["system.stiffness"]) < 1.0
    run = sandbox.open(folder / "runs" / f"{found.attrs['best']:04d}")
    assert run.attrs["energy"] == energy.min()
    assert sandbox.open(folder).identical(found)
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert [float(row["energy"]) for row in rows] == energy.tolist()
    assert {p.name for p in folder.iterdir()} == {
        "search.json", "runs", "table.csv", "data.nc", "search.png", "manifest.json",
    }  # fmt: skip
    with pytest.raises(RunError, match="sandbox search"):
        sandbox.resume(folder)


class Impatient(Silent):
    """Is interrupted after so many trials."""

    def __init__(self, after: int) -> None:
        self.after = after

    def advance(self, done: int, figures: Mapping[str, float]) -> None:
        if done == self.after:
            raise KeyboardInterrupt


def test_an_interrupted_search_ends_as_another(tmp_path: Path, hands: Alone, whole: Any) -> None:
    for n in (3, 5):
        with pytest.raises(KeyboardInterrupt):
            find(tmp_path / "stopped", TRIALS, reporter=Impatient(n))
    found = find(tmp_path / "stopped", TRIALS)
    for name in ("system.stiffness", "network.hole", "energy"):
        assert np.array_equal(found[name], whole[0][name])
    assert find(tmp_path / "stopped", TRIALS).identical(found)
    assert hands.made == [f"{n:04d}" for n in range(TRIALS)]  # none was made twice


def test_failed_trials_are_told_and_tried_again(tmp_path: Path, hands: Alone) -> None:
    hands.failing = ("0001",)
    found = find(tmp_path / "search", 4)
    assert found["outcome"].to_numpy().tolist() == ["complete", "no such network", "complete", "complete"]
    assert np.isnan(found["energy"]).to_numpy().tolist() == [False, True, False, False]
    hands.failing = ()
    assert (find(tmp_path / "search", 4)["outcome"] == "complete").all()
    assert hands.made[4:] == ["0001"]
    hands.failing = ("0000",)
    with pytest.raises(SweepError, match="all 1 runs failed; 0000: no such network"):
        find(tmp_path / "other", 1)


def test_what_is_wrong_is_said(tmp_path: Path, hands: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    for more, said in (
        ({"maximize": "energy"}, "either minimize or maximize"),
        ({"minimize": None}, "either minimize or maximize"),
        ({"minimize": "test_loss"}, "no figure of merit 'test loss'; they have: energy, residual"),
        ({"changes": ["network.hole=1.0"]}, "given twice"),
    ):
        with pytest.raises(SweepError, match=said):
            find(tmp_path / "search", 1, **more)
    with pytest.raises(SweepError, match="nothing is to be searched"):
        sandbox.search("iris_flow", {}, minimize="test loss")
    with pytest.raises(SandboxError, match="did you mean 'beta'"):
        sandbox.search("iris_flow", {"controller.betta": "log:1:2"}, minimize="test loss")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SweepError, match=r"pip install 'matter-sandbox\[search\]'"):
        find(tmp_path / "search", 1)


def test_other_folders_are_refused(tmp_path: Path, hands: Alone) -> None:
    find(tmp_path / "search", 1)
    with pytest.raises(SweepError, match="holds another search, for the least energy of lattice_stretch"):
        find(tmp_path / "search", 1, maximize="energy", minimize=None)
    plan = tmp_path / "search" / "search.json"
    good = json.loads(plan.read_text())
    for wrong in ("", "[]", {"tried": [{}]}, {"tried": [{"system.stiffness": 9.0, "network.hole": 0}]}, {"tried": 3}):
        plan.write_text(wrong if isinstance(wrong, str) else json.dumps(good | wrong))
        with pytest.raises(SweepError, match=r"search\.json cannot be read"):
            find(tmp_path / "search", 1)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").touch()
    with pytest.raises(SweepError, match="is not empty and holds no search"):
        find(tmp_path / "letters", 1)


def test_spaces() -> None:
    assert space("x", (0.01, 1, "log")) == space("x", "log:0.01:1") == Between("x", 0.01, 1.0, "log")
    assert space("x", "lin:0:1") == Between("x", 0.0, 1.0, "lin")
    assert space("x", "1,2") == space("x", (1, 2)) == Axis("x", (1, 2))
    with pytest.raises(SweepError, match="second bound must be above"):
        space("x", (1, 0.01, "log"))


def test_the_command(tmp_path: Path, hands: Alone) -> None:
    words = ["--set", "system.stiffness=log:0.5:5", "--set", "network.shape=[9, 9]", "--trials", "2"]
    done = CliRunner().invoke(
        app, ["search", "lattice_stretch", *words, "--minimize", "energy", "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    found = sandbox.open(tmp_path)
    best = found.isel(trial=found.attrs["best"])
    assert f"system.stiffness = {best['system.stiffness'].item()}\nenergy = {best['energy'].item()}\n" in done.output
    assert f"best run: {tmp_path}/runs/{found.attrs['best']:04d}" in done.output
