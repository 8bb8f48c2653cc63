"""Malformed scenes, in short; and that the watch over them sees what it is for. In full: `tests.faults.malformed`."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import malformed
from tests.faults.malformed import Report, attempt, prepare
from tests.faults.scene_generator import scene

SHORT = 100

GOOD = (
    'title = "[/red] $\\\\frac{"\n[network]\ntype = "triangular"\nshape = [4, 4]\n[system]\ntype = "spring_lattice"\n'
    '[[clamp]]\nnodes = "left"\n[[clamp]]\nnodes = "right"\ndisplacement = [0.1, 0.0]\n[relax]\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore")  # what a warning says is no traceback, and absurd scenes may warn
def test_every_one_is_a_clean_error_or_a_valid_run():
    report = malformed.main(SHORT, seed=7)
    assert report.failures == []
    assert sum(report.outcomes.values()) == SHORT
    assert report.outcomes["ran"] >= SHORT // 20
    assert report.outcomes["refused"] >= SHORT // 4
    assert len(report.causes) >= SHORT // 5


def test_the_same_seed_gives_the_same_scenes():
    assert [scene(random.Random(f"1 {n}")) for n in range(20)] == [scene(random.Random(f"1 {n}")) for n in range(20)]


def test_a_good_scene_with_a_strange_title_runs(folder: Path):
    report = Report()
    attempt(GOOD, folder, report)
    assert report.failures == []
    assert report.outcomes == {"ran": 1}


def write_elsewhere(folder: Path):
    def relax(*_):
        (folder / "canary").write_text("sung")

    return relax


def call_a_program(_: Path):
    return lambda *_: subprocess.run([sys.executable, "-c", ""], check=True)


def make_a_folder(folder: Path):
    return lambda *_: (folder / "canary").mkdir()


def hang(_: Path):
    def relax(*_):
        while True:
            pass

    return relax


def fail_without_a_word(_: Path):
    return lambda *_: 1 / 0


def numbers_that_are_none(_: Path):
    from sandbox.doing import relax

    def spoilt(*arguments):
        data, figures = relax(*arguments)
        data["state"][0, 0] = float("nan")
        return data, figures

    return spoilt


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("what", "said"),
    [
        (write_elsewhere, "canary"),
        (make_a_folder, "os.mkdir"),
        (call_a_program, "subprocess.Popen"),
        (hang, "not done within"),
        (fail_without_a_word, "ZeroDivisionError"),
        (numbers_that_are_none, "state is not finite"),
    ],
)
def test_the_watch_sees(what, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(malformed, "SECONDS", 1 if what is hang else 60)
    monkeypatch.setattr("sandbox.doing.relax", what(folder))
    report = Report()
    attempt(GOOD, folder, report)
    assert report.outcomes == {"failed": 1}
    assert said in report.failures[0][0]
