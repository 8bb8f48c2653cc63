"""A full disk, a read-only one, no permission: an error that says so, and the last good state stays readable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sandbox
from sandbox import results
from sandbox.checkpoints import Checkpoints
from sandbox.errors import RunError
from sandbox.files import write_text

from .damage import Stop, interrupted
from .disks import little_room, open_to_all, remount, small_disk, unprivileged
from .killing import same_results

SHORT: dict[str, Any] = {"training": {"epochs": 5}}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sandbox.load("iris_flow", **SHORT).run(tmp_path_factory.mktemp("disks") / "run", pictures=False).folder


@pytest.mark.parametrize("room", [2_000, 20_000])
def test_no_room_for_a_checkpoint(room: int, reference: Path, tmp_path: Path) -> None:
    folder = interrupted(tmp_path / "run", **SHORT)
    before = Checkpoints(folder).load()[0]
    assert before is not None
    with little_room(room), pytest.raises(RunError, match=r"(?s)cannot be written: File too large"):
        sandbox.resume(folder, checkpoint_every=0)
    after, problems = Checkpoints(folder).load()
    assert after is not None
    assert after["run"]["epoch"] >= before["run"]["epoch"]
    assert not problems
    sandbox.resume(folder, pictures=False)
    assert same_results(folder, reference)


def test_no_room_for_the_results(tmp_path: Path) -> None:
    changes = {"dynamics": {"steps": 4000}}
    folder = interrupted(tmp_path / "run", "lattice_vibration", 2, **changes)
    saved = max(p.stat().st_size for p in folder.glob("checkpoints/*.npz"))
    with little_room(4 * saved), pytest.raises(RunError, match=r"data\.nc cannot be written"):
        sandbox.resume(folder, checkpoint_every=1e9)
    assert not list(folder.rglob("*.partial"))
    with pytest.raises(RunError, match="did not finish; go on with: sandbox resume"):
        sandbox.open(folder)
    assert Checkpoints(folder).load()[0] is not None


@pytest.mark.parametrize("size", ["80k", "200k", "300k"])
def test_a_full_disk(size: str, reference: Path) -> None:
    with small_disk(size) as disk:
        if disk is None:
            pytest.skip("this user may not mount a disk; the tests above do without")
        with pytest.raises(RunError, match=r"No space left on device|no space left"):
            sandbox.load("iris_flow", **SHORT).run(disk / "run", checkpoint_every=0)
        if (disk / "run").exists():
            Checkpoints(disk / "run").load()
            remount(disk, "size=10m")
            assert same_results(sandbox.resume(disk / "run").folder, reference)


def test_a_disk_that_became_read_only(reference: Path) -> None:
    with small_disk("10m") as disk:
        if disk is None:
            pytest.skip("this user may not mount a disk; permissions are tested below")
        half = interrupted(disk / "half", **SHORT)
        done = sandbox.load("iris_flow", **SHORT).run(disk / "done", pictures=False).folder
        remount(disk, "ro")
        with pytest.raises(RunError, match="Read-only file system"):
            sandbox.resume(half)
        with pytest.raises(RunError, match="Read-only file system"):
            sandbox.load("iris_flow", **SHORT).run(disk / "new")
        assert same_results(done, reference)
        assert sandbox.resume(done).figures["epochs"] == 5
        assert Checkpoints(half).load()[0] is not None


def test_no_permission(reference: Path) -> None:
    with open_to_all(0o755) as place:
        half, done = interrupted(place / "half", **SHORT), place / "done"
        sandbox.load("iris_flow", **SHORT).run(done, pictures=False)
        experiment = sandbox.load("iris_flow", **SHORT)
        for path in (place, half, done):
            path.chmod(0o555)
        with unprivileged():
            with pytest.raises(RunError, match="Permission denied"):
                sandbox.resume(half)
            with pytest.raises(RunError, match="Permission denied"):
                experiment.run(place / "new")
            assert sandbox.open(done).attrs["epochs"] == 5
        assert same_results(done, reference)
        for path in (place, half, done):
            path.chmod(0o755)


def test_nothing_may_be_read() -> None:
    with open_to_all(0o755) as place:
        half = interrupted(place / "half", **SHORT)
        half.chmod(0)
        with unprivileged():
            for look in (sandbox.open, sandbox.resume):
                with pytest.raises(RunError, match="Permission denied"):
                    look(half)
        half.chmod(0o755)


def test_what_was_there_stays_if_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "good")
    with little_room(100), pytest.raises(RunError, match="file cannot be written: File too large"):
        write_text(path, "x" * 1000)
    assert path.read_text() == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_failed_checkpoint_says_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RunError("no space left")

    monkeypatch.setattr(Checkpoints, "save", full)
    with pytest.raises(RunError, match="no space left\nnothing was kept"):
        sandbox.load("iris_flow", **SHORT).run(tmp_path / "run", Stop(0), checkpoint_every=0)
    assert not (tmp_path / "run").exists()
    assert results.SCENE not in [p.name for p in tmp_path.iterdir()]
