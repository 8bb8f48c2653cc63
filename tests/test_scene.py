"""Scenes: reading, validation, changes, and that what is written down can be loaded again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import tomli_w

import sandbox
from sandbox import scene
from sandbox.errors import SandboxError, SceneError

STATICS = """
[network]
type = "triangular"
shape = [4, 3]
[system]
type = "spring_lattice"
stiffness = { low = 0.5, high = 2.0 }
[groups.spot]
center = [1.0, 1.0]
radius = 0.8
[[clamp]]
nodes = "left"
[[clamp]]
nodes = [3, 7]
displacement = [0.1, 0.0]
components = [0, 1]
[[push]]
nodes = "spot"
force = 0.01
[relax]
"""


@pytest.fixture
def statics(tmp_path: Path) -> Path:
    path = tmp_path / "statics.toml"
    path.write_text(STATICS)
    return path


@pytest.mark.parametrize("name", scene.names())
def test_shipped_scenes_validate_and_round_trip(name: str, tmp_path: Path) -> None:
    first = scene.read(name)
    copy = tmp_path / "copy.toml"
    copy.write_text(tomli_w.dumps(first.resolved()))
    assert scene.read(copy) == first
    assert first.title
    assert first.description.strip()


def test_there_are_shipped_scenes() -> None:
    assert {"iris_flow", "lattice_stretch", "lattice_vibration", "pipe_network"} <= set(scene.names())


def test_round_trip_keeps_every_kind_of_value(statics: Path, tmp_path: Path) -> None:
    changes = ["system.stiffness=2.5", "system.maximum=7.0", "seed=12", "relax.method=newton", "name=Other one"]
    for chosen in ([], changes):
        first = scene.read(statics, chosen)
        data = first.resolved()
        copy = tmp_path / "copy.toml"
        copy.write_text(tomli_w.dumps(data))
        again = scene.read(copy)
        assert again == first
        assert again.resolved() == data
    assert data["system"] == {**data["system"], "type": "spring_lattice", "stiffness": 2.5, "maximum": 7.0}
    assert math.isinf(scene.read(statics).resolved()["system"]["maximum"])


def test_defaults_are_written_down(statics: Path) -> None:
    data = scene.read(statics).resolved()
    assert data["relax"]["tolerance"] == 1e-10
    assert data["name"] == "statics"
    assert data["system"]["mass"] == 1.0
    assert "task" not in data


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("seed=7", lambda s: s.seed == 7),
        ("seed = 7", lambda s: s.seed == 7),
        ("relax.tolerance=1e-6", lambda s: s.relax.tolerance == 1e-6),
        ("relax.method=newton", lambda s: s.relax.method == "newton"),
        ('relax.method="newton"', lambda s: s.relax.method == "newton"),
        ("title=a = b", lambda s: s.title == "a = b"),
        ("title=", lambda s: s.title == ""),
        ("network.shape=[5, 6]", lambda s: s.network.shape == (5, 6)),
        ("network.periodic=true", lambda s: s.network.periodic is True),
        ('groups.new={side = "left"}', lambda s: "new" in s.groups and s.groups["new"].side == "left"),
        ("system.stiffness.high=3.0", lambda s: s.system.stiffness.high == 3.0),
        ("bench.compliance=2", lambda s: s.bench.compliance == 2.0),
    ],
)
def test_changes(statics: Path, change: str, found) -> None:
    assert not found(scene.read(statics)) or change in ("title=",)
    assert found(scene.read(statics, [change]))


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        ("seed", "key=value"),
        ("=3", "key=value"),
        ("a..b=1", "key=value"),
        ("seed=1\nname='x'", "one line"),
        ("seed=" + "[" * 3000, "nested too deeply"),
        ("clamp.nodes=1", "'clamp' is not a table"),
        ("relax.method.x.y=1", "method"),
        ("seed=one", "seed: "),
        ("sytem.mass=1", "did you mean 'system'"),
        ("system.mas=1", "system.mas: there is no such key; did you mean 'mass'"),
        ("relax.tolerence=1", "relax.tolerence: there is no such key; did you mean 'tolerance'"),
        ("groups.spot.centre=[0.0, 0.0]", "groups.spot.centre: there is no such key; did you mean 'center'"),
        ("system.stiffness.hi=1", "system.stiffness"),
        ("network.type=triangualr", "network.type: there is no graph 'triangualr'; did you mean 'triangular'"),
    ],
)
def test_bad_changes_name_the_key(statics: Path, change: str, piece: str) -> None:
    with pytest.raises(SceneError) as caught:
        scene.read(statics, [change])
    assert piece in str(caught.value)


def test_all_mistakes_at_once(statics: Path) -> None:
    with pytest.raises(SceneError) as caught:
        scene.read(statics, ["seed=-1", "system.mass=0", "network.spacing=-1", "relax.tolerance=5"])
    message = str(caught.value)
    assert "4 mistake(s)" in message
    for key in ("seed: ", "system.mass: ", "network.spacing: ", "relax.tolerance: "):
        assert key in message


def test_paths_have_no_steps_that_are_not_keys(statics: Path) -> None:
    with pytest.raises(SceneError) as caught:
        scene.read(statics, ['push=[{nodes = "left", force = "hard"}]', "groups.Upper={}"])
    message = str(caught.value)
    assert "push[0].force: " in message
    assert "groups.Upper: " in message
    assert "list[" not in message


def test_missing_and_near_names(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="did you mean 'iris_flow'"):
        scene.read("iris_flwo")
    with pytest.raises(SceneError, match="no scene file"):
        scene.read(tmp_path / "none.toml")
    with pytest.raises(SceneError, match="no scene file"):
        scene.read(str(tmp_path / ("x" * 200)) + ".toml")


def test_seeds(statics: Path) -> None:
    assert scene.read(statics).seed == 0
    assert scene.read(statics, ["seed=3"]).seed == 3
    assert scene.read(statics, ["seed=3"], seed=5).seed == 5
    assert scene.read(statics, seed=2**63 - 1).seed == 2**63 - 1
    for seed in (-1, 2**63):
        with pytest.raises(SceneError, match="seed: "):
            scene.read(statics, seed=seed)


def test_random_parts_follow_the_seed(statics: Path) -> None:
    def stiffness(seed: int) -> list[float]:
        return sandbox.load(statics, seed=seed).setup.system.stiffness.tolist()

    assert stiffness(1) == stiffness(1)
    assert stiffness(1) != stiffness(2)


def test_load_takes_sections(statics: Path) -> None:
    made = sandbox.load(statics, ["seed=1"], seed=4, relax={"tolerance": 1e-7, "method": "newton"}, system={"mass": 2})
    assert (made.scene.relax.tolerance, made.scene.relax.method) == (1e-7, "newton")
    assert made.scene.system.mass == 2
    assert made.scene.system.stiffness.low == 0.5, "other keys of the section stay"
    assert made.scene.seed == 4
    nested = sandbox.load(statics, system={"stiffness": {"low": 1.0, "high": 1.5}}, network={"shape": [3, 3]})
    assert nested.scene.system.stiffness.high == 1.5
    with pytest.raises(SandboxError, match="relax"):
        sandbox.load(statics, relax=3)
    with pytest.raises(SandboxError, match="did you mean 'method'"):
        sandbox.load(statics, relax={"methods": "newton"})


def test_a_name_cannot_lead_out_of_the_runs_folder(statics: Path) -> None:
    for name in ("../x", "a/b", "", ".hidden", "x" * 81):
        with pytest.raises(SceneError, match="name: "):
            scene.read(statics, [f"name={json.dumps(name)}"])


def test_a_strange_file_name_is_still_a_scene(tmp_path: Path) -> None:
    path = tmp_path / "-my scene; (1).toml"
    path.write_text(STATICS)
    assert scene.read(path).name
