"""What a checksum is for, and what is asked of the disk: each would be missed by a test of its own."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sandbox
from sandbox import manifest, results
from sandbox.checkpoints import Checkpoints
from sandbox.errors import RunError
from sandbox.files import write_text


def test_a_checkpoint_of_other_numbers_is_told_by_its_checksum_alone(tmp_path: Path) -> None:
    """The file is a good archive of good arrays: nothing but the checksum can tell that it is not the one written."""
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"x": np.zeros(4)})
    checkpoints.save({"x": np.ones(4)})
    newest = tmp_path / "checkpoints" / "000002.npz"
    with np.load(newest) as kept:
        arrays = {name: kept[name] for name in kept.files}
    arrays["a0"] = np.full(4, 7.0)
    with newest.open("wb") as file:
        np.savez(file, **arrays)
    state, problems = checkpoints.load()
    assert state is not None
    assert state["x"].tolist() == [0.0] * 4
    assert len(problems) == 1
    assert "000002.npz" in problems[0]
    assert "its checksum does not fit" in problems[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sandbox.load("pipe_network").run(tmp_path_factory.mktemp("run") / "x", pictures=False).folder


def test_other_data_of_the_same_form_are_told_by_their_checksum_alone(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    data = sandbox.open(folder)
    data["state"] = data["state"] + 1
    (folder / "data.nc").write_bytes(data.to_netcdf(engine="h5netcdf"))
    with pytest.raises(RunError, match=r"not as the run left it: data\.nc \(changed\)"):
        sandbox.open(folder)
    found = manifest.read(folder)
    assert found is not None
    assert found.wrong(folder) == {"data.nc": "changed"}


@pytest.mark.parametrize(("name", "value"), [("stage", "computed"), ("strict", True), ("files", {}), ("resumed", [{}])])
def test_a_manifest_of_other_values_is_told_by_its_checksum_alone(
    name: str, value: Any, run: Path, tmp_path: Path
) -> None:
    body = json.loads((run / "manifest.json").read_text())
    assert body[name] != value
    (tmp_path / "manifest.json").write_text(json.dumps(body | {name: value}))
    with pytest.raises(RunError, match="was changed or cut") as caught:
        manifest.read(tmp_path)
    assert "its checksum does not fit" in str(caught.value.__cause__)


class Disk:
    """The order of what is asked of the disk: names of files that were synchronized, renamed and removed.

    A file that is synchronized must be whole by then: its size is noted, and compared with what it is in the end.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, str]] = []
        self.sizes: dict[int, int] = {}
        open_, sync, replace, unlink = os.open, os.fsync, os.replace, Path.unlink
        names: dict[int, str] = {}

        def opened(path: Any, flags: int, *more: Any, **how: Any) -> int:
            handle = open_(path, flags, *more, **how)
            names[handle] = Path(os.fsdecode(path)).name
            return handle

        def fsync(handle: int) -> None:
            found = os.fstat(handle)
            if not stat.S_ISDIR(found.st_mode):
                self.sizes[found.st_ino] = found.st_size
            self.asked.append(("sync", names[handle]))
            sync(handle)

        def renamed(source: Path, target: Path) -> None:
            assert self.sizes.get(source.stat().st_ino) == source.stat().st_size, (
                f"{source} was not brought to the disk"
            )
            self.asked.append(("rename", target.name))
            replace(source, target)

        def removed(path: Path, missing_ok: bool = False) -> None:
            if path.exists():
                self.asked.append(("remove", path.name))
            unlink(path, missing_ok=missing_ok)

        patch.setattr(os, "open", opened)
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "replace", renamed)
        patch.setattr(Path, "unlink", removed)


def written(folder: Path, name: str) -> list[tuple[str, str]]:
    """What is asked of the disk for one file: its content is there before its name, and that before what follows."""
    return [("sync", f".{name}.partial"), ("rename", name), ("sync", folder.name)]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    write_text(tmp_path / "file", "x" * 100_000)
    assert disk.asked == written(tmp_path, "file")


def test_a_checkpoint_is_on_the_disk_before_its_checksum_and_before_the_last_but_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"x": np.zeros(4)})
    checkpoints.save({"x": np.zeros(4)})
    disk = Disk(monkeypatch)
    checkpoints.save({"x": np.zeros(4)})
    folder = tmp_path / "checkpoints"
    data, note = written(folder, "000003.npz"), written(folder, "000003.json")
    assert disk.asked == [*data, *note, ("remove", "000001.json"), ("remove", "000001.npz")]


def test_new_folders_are_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    Checkpoints(tmp_path).save({"x": np.zeros(4)})
    assert disk.asked[0] == ("sync", tmp_path.name)
    disk.asked.clear()
    scene = sandbox.load("pipe_network").scene
    with results.new_folder(scene, tmp_path / "a" / "b"):
        assert disk.asked == [("sync", tmp_path.name), ("sync", "a")]


def test_results_are_on_the_disk_before_the_manifest_names_them_and_before_the_checkpoints_go(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sandbox.open(run)
    for name in ("scene.toml", "provenance.json"):
        write_text(tmp_path / name, (run / name).read_text())
    Checkpoints(tmp_path).save({"x": np.zeros(4)})
    disk = Disk(monkeypatch)
    results.finish(tmp_path, data, {"energy": 1.0})
    expected = [entry for name in ("data.nc", "summary.json", "manifest.json") for entry in written(tmp_path, name)]
    assert disk.asked[: len(expected)] == expected
    assert {what for what, _ in disk.asked[len(expected) :]} == {"remove"}


@pytest.mark.parametrize("fails", ["file", "folder"])
def test_a_disk_that_cannot_bring_it_is_heard(fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file does not reach the disk the old one stays; some systems do not synchronize folders at all."""
    write_text(tmp_path / "file", "old")
    sync: Callable[[int], None] = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode) == (fails == "folder"):
            raise OSError(5, "Input/output error")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    if fails == "file":
        with pytest.raises(RunError, match=r"file cannot be written: Input/output error"):
            write_text(tmp_path / "file", "new")
    else:
        write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == ("old" if fails == "file" else "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
