"""Datasets and checkpoints that others made: refused by name, before anything is loaded, unfolded or read elsewhere."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import sandbox
from sandbox import netcdf
from sandbox.checkpoints import FORMAT, Checkpoints
from sandbox.errors import RunError
from sandbox.files import digest

from .fuzz import sign
from .hostile_data import ARCHIVES, DATA, SECRET
from .tripwire import tripwire

ROOM = 2**28
"""Bytes by which the largest memory of this process may grow over a refusal."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return (
        sandbox.load("iris_flow", training={"epochs": 1})
        .run(tmp_path_factory.mktemp("run") / "x", pictures=False)
        .folder
    )


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "run")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "out0"
    path.write_bytes(SECRET)
    return path


def largest() -> int:
    """The most memory that this process ever had, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("name", DATA)
def test_data(name: str, folder: Path, outside: Path) -> None:
    change, said = DATA[name]
    with h5py.File(folder / "data.nc", "r+") as file:
        change(file, outside)
    sign(folder)
    before = largest()
    with tripwire(outside, folder=folder), pytest.raises(RunError, match=rf"data\.nc.*: .*({said})"):
        sandbox.open(folder)
    assert largest() - before < ROOM


def test_others_read_what_is_outside(folder: Path, outside: Path) -> None:
    """The traps are not blunt: one that is opened without a look gives the secret away."""
    with h5py.File(folder / "data.nc", "r+") as file:
        DATA["data outside"][0](file, outside)
        file["output"].dims[0].attach_scale(file.create_dataset("sixteen", data=np.arange(16)))
    opened = xr.load_dataset(folder / "data.nc", engine="h5netcdf")
    assert opened["output"].to_numpy().tobytes() == SECRET[:16]
    with pytest.raises(AssertionError, match="were opened"), tripwire(outside, folder=folder):
        outside.read_bytes()


def test_what_a_run_leaves_is_read_as_it_is(run: Path) -> None:
    expected = xr.load_dataset(run / "data.nc", engine="h5netcdf")
    assert netcdf.read_dataset(run / "data.nc").identical(expected)


def test_plugins_of_filters_are_where_they_were(run: Path) -> None:
    places = [h5py.h5pl.get(n) for n in range(h5py.h5pl.size())]
    assert places
    sandbox.open(run)
    assert [h5py.h5pl.get(n) for n in range(h5py.h5pl.size())] == places


def test_memory_is_asked_for(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.physics import memory

    monkeypatch.setattr(memory, "available", lambda: 1000)
    with pytest.raises(RunError, match=r"data\.nc is not read: its data would take about"):
        sandbox.open(run)


@pytest.mark.parametrize("name", ARCHIVES)
def test_checkpoints(name: str, tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    monkeypatch.chdir(folder)
    data = folder / "checkpoints" / "000001.npz"
    data.write_bytes(ARCHIVES[name]())
    data.with_suffix(".json").write_text(json.dumps({"format": FORMAT, "sha256": digest(data)}))
    before = largest()
    with tripwire(outside, folder=folder):
        state, problems = Checkpoints(folder).load()
    assert state is None
    assert len(problems) == 1
    assert problems[0].startswith("the checkpoint 000001.npz is damaged and is not used (")
    assert largest() - before < ROOM


def test_the_state_of_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    numbers = np.arange(6.0).reshape(2, 3)
    state = {"a": numbers, "b": np.array(["x", "yz"]), "c": np.float32(3), "d": [np.zeros((0, 4)), 1]}
    Checkpoints(tmp_path).save(state)
    found, problems = Checkpoints(tmp_path).load()
    assert not problems
    assert found is not None
    assert found["a"].tolist() == numbers.tolist()
    assert found["d"][0].shape == (0, 4)
