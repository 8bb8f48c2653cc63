"""What a run records says what it is: every variable and coordinate has a name and a unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sandbox
from sandbox import scene
from sandbox.errors import SceneError
from sandbox.units import ENERGY, LENGTH, STIFFNESS, Units, label, unit

SCENES: dict[str, dict[str, Any]] = {
    "iris_flow": {"training": {"epochs": 1}},
    "lattice_stretch": {"network": {"shape": [4, 3], "hole": 0.0}},
    "lattice_vibration": {
        "network": {"shape": [5, 5]},
        "groups": {"hammer": {"nodes": [12]}},
        "dynamics": {"steps": 20, "every": 10},
    },
    "pipe_network": {},
    "allostery_elastic": {"training": {"epochs": 1}},
}


def run(name: str, folder: Path, **more: Any) -> sandbox.results.Run:  # type: ignore[name-defined]
    return sandbox.load(name, **SCENES[name], **more).run(folder, pictures=False)


@pytest.mark.parametrize("name", list(SCENES))
def test_every_variable_has_a_name_and_a_unit(name: str, tmp_path: Path) -> None:
    run(name, tmp_path / "run")
    data = sandbox.open(tmp_path / "run")
    for key, variable in data.variables.items():
        assert variable.attrs["long_name"], key
        assert variable.attrs["units"], key
    own_coordinate = {"end"}  # of an edge: first and second
    assert set(data.dims) - own_coordinate <= set(data.coords)


def test_units_of_a_scene_are_put_together(tmp_path: Path) -> None:
    mechanical = {"length": "mm", "energy": "µJ", "time": "ms"}
    run("lattice_stretch", tmp_path / "still", units=mechanical)
    still = sandbox.open(tmp_path / "still")
    found = {name: still[name].attrs["units"] for name in ("state", "strain", "tension", "stiffness")}
    assert found == {"state": "mm", "strain": "1", "tension": "µJ/mm", "stiffness": "µJ/mm**2"}
    assert label(still["stiffness"]) == "stiffness (µJ/mm²)"
    assert label(still["strain"]) == "bond strain"
    assert still["axis"].to_numpy().tolist() == ["x", "y"]

    run("lattice_vibration", tmp_path / "moving", units=mechanical)
    moving = sandbox.open(tmp_path / "moving")
    found = {name: moving[name].attrs["units"] for name in ("time", "velocity", "kinetic_energy")}
    assert found == {"time": "ms", "velocity": "mm/ms", "kinetic_energy": "µJ"}

    run("iris_flow", tmp_path / "learned", units={"state": "kPa", "stiffness": "l/(s kPa)"})
    learned = sandbox.open(tmp_path / "learned")
    found = {name: learned[name].attrs["units"] for name in ("state_after", "stiffness", "output", "train_loss")}
    assert found == {"state_after": "kPa", "stiffness": "l/(s kPa)", "output": "kPa", "train_loss": "kPa**2"}
    assert learned["train_accuracy"].attrs["units"] == "1"
    assert label(learned["state_after"], short=True) == "pressure (kPa)"


def test_what_a_scene_does_not_name_stands_in_brackets(tmp_path: Path) -> None:
    run("lattice_stretch", tmp_path / "run", units={"length": "mm", "energy": None})
    data = sandbox.open(tmp_path / "run")
    assert data["stiffness"].attrs["units"] == "[energy]/mm**2"
    assert label(data["stiffness"]) == "stiffness"  # a figure says whole units or none
    assert label(data["state"]) == "displacement (mm)"


@pytest.mark.parametrize("name", [name for name in scene.names() if "hopfield" not in name])
def test_scenes_name_their_units(name: str) -> None:
    """But for layered networks, which compute with numbers."""
    found = sandbox.load(name).setup.scene
    moves, power = found.system.looks.moves, found.system.stiffness_unit()
    for quantity in (STIFFNESS, ENERGY, LENGTH if moves else {"state": 1}):
        assert "[" not in unit(quantity, found.units, "state", power)


def test_powers_that_are_no_whole_numbers() -> None:
    power = {"energy": 1, "state": -1.54}
    assert unit({"stiffness": 1}, Units(energy="W", state="m"), "head", power) == "W/m**1.54"
    assert unit({"stiffness": 1}, Units(energy="W", state="l/s"), "head", power) == "W/(l/s)**1.54"
    assert unit({"energy": 1, "state": -1}, Units(energy="W", state="1"), "head", power) == "W"
    assert unit({**LENGTH, "time": -1}, None, "head", None) == "[length]/[time]"


def test_units_that_are_no_units() -> None:
    with pytest.raises(SceneError, match=r"units\.lenght: there is no such key; did you mean 'length'"):
        sandbox.load("iris_flow", units={"lenght": "mm"})
    for bad in ("", "[length]", "m" * 41, "m\n"):
        with pytest.raises(SceneError, match=r"units\.length"):
            sandbox.load("iris_flow", units={"length": bad})
