"""Runs: what they leave behind, that they repeat bit for bit, and the numbers of the shipped scenes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import xarray as xr
from PIL import Image

import sandbox
from sandbox import manifest, results, scene
from sandbox.errors import RunError
from sandbox.results import Run

FROZEN_TOLERANCE = 1e-4
"""Relative; the printed digits. Statics are converged far below, a change of this size is a change of physics."""

SHORT = {
    "iris_flow": {"training": {"epochs": 2}},
    "wine_flow": {"training": {"epochs": 1}},
    "lattice_stretch": {},
    "lattice_vibration": {},
    "pipe_network": {},
}
FROZEN = {
    "iris_flow": {"train loss": 0.0044746796, "relaxations": 420},
    "wine_flow": {"train loss": 0.0113095, "relaxations": 250},
    "lattice_stretch": {"energy": 2.73506, "largest strain": 0.209028},
    "lattice_vibration": {"final energy": 0.875312},
    "pipe_network": {"energy": 1.56844, "flow through": 2.41534},
}
PICTURES = {
    "iris_flow": {"learning.png", "network.png"},
    "wine_flow": {"learning.png", "network.png"},
    "lattice_stretch": {"deformation.png", "forces.png"},
    "lattice_vibration": {"energy.png", "motion.gif"},
    "pipe_network": {"network.png"},
}
ELSEWHERE = {
    "allostery_elastic",  # below
    "xor_diode",  # in plugins/test_diode_scenes.py
    "iris_diode",
    "digits_hopfield",  # below
    "mnist_hopfield",  # in plugins/test_openml.py, on pictures that are made up
    "mnist_hopfield_conv",
    "fashion_mnist_hopfield",
    "fashion_mnist_hopfield_conv",
}
ALWAYS = {"scene.toml", "provenance.json", "data.nc", "summary.json", "manifest.json"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: sandbox.load(name, **short).run(folder / name) for name, short in SHORT.items()}


def same(a: xr.Dataset, b: xr.Dataset) -> bool:
    names = set(a.variables)
    return names == set(b.variables) and all(np.array_equal(a[n].to_numpy(), b[n].to_numpy()) for n in names)


@pytest.mark.parametrize("name", SHORT)
def test_folder(name: str, runs: dict[str, Run]) -> None:
    run = runs[name]
    assert {p.name for p in run.folder.iterdir()} == ALWAYS | PICTURES[name]
    assert {p.name for p in run.pictures} == PICTURES[name]
    for path in run.pictures:
        with Image.open(path) as picture:
            assert picture.format == path.suffix[1:].upper()
            assert min(picture.size) > 100
            assert path.suffix != ".gif" or getattr(picture, "n_frames", 1) > 10
    figures = json.loads((run.folder / "summary.json").read_text())
    assert figures == dict(run.figures)
    origin = json.loads((run.folder / "provenance.json").read_text())
    assert {"sandbox", "python", "packages", "plugins", "seed", "machine", "threads", "started"} <= set(origin)
    assert scene.read(run.folder / "scene.toml") == sandbox.load(name, **SHORT[name]).scene


@pytest.mark.parametrize("name", SHORT)
def test_dataset(name: str, runs: dict[str, Run]) -> None:
    run = runs[name]
    data = sandbox.open(run.folder)
    assert same(data, run.data)
    assert (data.attrs["scene"], data.attrs["seed"]) == (name, 0)
    assert data.attrs["title"]
    nodes, edges = data.sizes["node"], data.sizes["edge"]
    assert data["reference"].dims == ("node", "axis")
    assert data["ends"].shape == (edges, 2)
    assert int(data["ends"].max()) == nodes - 1
    kind = {
        "iris_flow": ("train_loss", "test_accuracy", "stiffness", "output", "in_test"),
        "wine_flow": ("train_loss", "test_accuracy", "stiffness", "output", "in_test"),
        "lattice_stretch": ("state", "strain", "tension"),
        "lattice_vibration": ("position", "velocity", "potential_energy", "kinetic_energy"),
        "pipe_network": ("state", "flow", "stiffness"),
    }[name]
    assert set(kind) <= set(data.data_vars)
    assert all(np.isfinite(v).all() for v in data.data_vars.values() if v.dtype.kind == "f")
    if "epoch" in data.dims:
        assert data["epoch"].to_numpy().tolist() == list(range(SHORT[name]["training"]["epochs"] + 1))
        assert data["stiffness"].dims == ("epoch", "edge")
    if "time" in data.dims:
        assert data["time"].to_numpy() == pytest.approx(np.arange(0, 121) * 0.5)


@pytest.mark.parametrize("name", SHORT)
def test_frozen_numbers(name: str, runs: dict[str, Run]) -> None:
    for figure, value in FROZEN[name].items():
        assert runs[name].figures[figure] == pytest.approx(value, rel=FROZEN_TOLERANCE), figure


def test_every_shipped_scene_is_run_here() -> None:
    assert set(scene.names()) == {*SHORT, *ELSEWHERE}


def test_allostery_learns(tmp_path: Path) -> None:
    run = sandbox.load("allostery_elastic", training={"epochs": 40, "every": 10}).run(tmp_path / "out")
    loss = run.data["train_loss"].to_numpy()
    assert (np.diff(loss) < 0).all()


def test_a_hopfield_network_learns_digits(tmp_path: Path) -> None:
    run = sandbox.load("digits_hopfield", training={"epochs": 1}).run(tmp_path / "out")
    assert {p.name for p in run.pictures} == {"learning.png", "stiffness.png"}
    assert run.figures["test accuracy"] > 0.8
    data = sandbox.open(run.folder)
    assert data["stiffness"].dims == ("end", "knob")
    assert data["stiffness"].shape == (2, 64 * 512 + 512 + 512 * 10 + 10)


@pytest.mark.parametrize("name", ["iris_flow", "pipe_network", "lattice_vibration"])
def test_repeats_bit_for_bit_whatever_ran_before(name: str, runs: dict[str, Run], tmp_path: Path) -> None:
    # All other scenes ran in this process since.
    experiment = sandbox.load(name, **SHORT[name])
    assert same(experiment.run(tmp_path / "again").data, runs[name].data)
    assert same(experiment.run(tmp_path / "same object").data, runs[name].data)


@pytest.mark.parametrize("name", ["iris_flow", "pipe_network"])
def test_another_seed_differs(name: str, runs: dict[str, Run], tmp_path: Path) -> None:
    other = sandbox.load(name, seed=1, **SHORT[name]).run(tmp_path / "out")
    assert not same(other.data, runs[name].data)
    assert other.data.attrs["seed"] == 1


def test_the_written_scene_gives_the_same_run(runs: dict[str, Run], tmp_path: Path) -> None:
    first = runs["pipe_network"]
    assert same(sandbox.load(first.folder / "scene.toml").run(tmp_path / "out").data, first.data)


def test_default_folders_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = sandbox.load("lattice_stretch", network={"shape": [4, 4], "hole": 0.0})
    folders = {small.run().folder for _ in range(2)}
    assert len(folders) == 2
    assert all(f.parent == Path("runs") and (f / "data.nc").is_file() for f in folders)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunError, match="file"):
        sandbox.load("pipe_network").run(tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_failed_run_that_left_something_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox import pictures

    def fall(*_: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(pictures, "draw", fall)
    with pytest.raises(RuntimeError, match="no ink"):
        sandbox.load("pipe_network").run(tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == ALWAYS
    assert sandbox.open(tmp_path / "out").attrs["scene"] == "pipe_network"


def test_open_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not the folder of a run"):
        sandbox.open(tmp_path)
    (tmp_path / "scene.toml").write_text(tomli_w.dumps({"seed": 1}))
    with pytest.raises(RunError, match="did not finish"):
        sandbox.open(tmp_path)
    for name in ("provenance.json", "summary.json", "data.nc"):
        (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(RunError, match="did not finish"):
        sandbox.open(tmp_path)
    manifest.write(tmp_path, "complete", results.COMPUTED)
    with pytest.raises(RunError, match=r"data\.nc cannot be read"):
        sandbox.open(tmp_path)
