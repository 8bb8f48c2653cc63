"""Files that scenes name: where they are looked for, and the copies that a run keeps."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

import sandbox
from sandbox import input_files, results
from sandbox.errors import RunError, SceneError
from sandbox.physics.equilibrium import NotConverged

NET = "node a 0 0\nnode b 1 0\nnode c 2 0\nedge a b\nedge b c\n"
OTHER = NET + "node d 1 1\nedge b d\nedge d c\n"
SCENE = """[network]
type = "file"
path = "nets/net.txt"
[system]
type = "flow_network"
conductance = 1.0
[[clamp]]
nodes = [0]
value = 1.0
[[clamp]]
nodes = [2]
value = 0.0
[relax]
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scene and its network, beside the working directory."""
    folder = tmp_path / "lab"
    (folder / "nets").mkdir(parents=True)
    (folder / "nets" / "net.txt").write_text(NET)
    (folder / "scene.toml").write_text(SCENE)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return folder


def put(folder: Path, text: str) -> None:
    (folder / "nets").mkdir(parents=True, exist_ok=True)
    (folder / "nets" / "net.txt").write_text(text)


def test_files_are_found_beside_the_scene_and_in_the_working_directory(lab: Path):
    assert sandbox.load(lab / "scene.toml").setup.network.n_nodes == 3
    assert sandbox.load(os.path.relpath(lab / "scene.toml")).setup.network.n_nodes == 3
    (lab / "nets" / "net.txt").unlink()
    put(Path.cwd(), OTHER)
    assert sandbox.load(lab / "scene.toml").setup.network.n_nodes == 4


def test_a_file_that_is_nowhere_is_said_where_it_was_looked_for(lab: Path):
    (lab / "nets" / "net.txt").unlink()
    with pytest.raises(SceneError) as caught:
        _ = sandbox.load(lab / "scene.toml").setup.network
    assert f"nets/net.txt is not a file; it was looked for in {lab} and in {Path.cwd()}" in str(caught.value)


def test_one_of_two_different_files_is_not_chosen_in_silence(lab: Path):
    put(Path.cwd(), NET)
    assert sandbox.load(lab / "scene.toml").setup.network.n_nodes == 3  # the same, twice
    put(Path.cwd(), OTHER)
    with pytest.raises(SceneError, match=r"two different files nets/net.txt: .*lab.* beside the scene, and .*home"):
        _ = sandbox.load(lab / "scene.toml").setup.network


def test_a_run_keeps_its_files_and_works_where_others_have_the_same_name(lab: Path, tmp_path: Path):
    run = sandbox.load(lab / "scene.toml").run(tmp_path / "run", pictures=False)
    copy = run.folder / "inputs" / "nets" / "net.txt"
    assert copy.read_text() == NET
    record = json.loads((run.folder / "provenance.json").read_text())["inputs"]
    wanted = hashlib.sha256(NET.encode()).hexdigest()
    assert record == {"nets/net.txt": {"file": str(lab / "nets" / "net.txt"), "sha256": wanted}}
    put(Path.cwd(), OTHER)
    put(lab, OTHER)
    put(run.folder, OTHER)
    assert sandbox.export(run.folder, "net.graphml").read_text().count("<node ") == 3
    again = sandbox.load(run.folder / "scene.toml").run("again", pictures=False)
    assert again.data["state"].equals(run.data["state"])
    assert (again.folder / "inputs" / "nets" / "net.txt").read_text() == NET


def test_a_resumed_run_has_the_files_that_it_began_with(lab: Path, tmp_path: Path):
    experiment = sandbox.load(lab / "scene.toml")
    experiment.setup.check()
    for stage in ("killed before the manifest", "begun"):
        folder = tmp_path / stage
        folder.mkdir()
        results.begin(folder, experiment.scene, inputs=experiment.setup.inputs.found)
        if "manifest" in stage:
            (folder / "manifest.json").unlink()
            (folder / "provenance.json").unlink()
        put(Path.cwd(), OTHER)
        run = sandbox.resume(folder, pictures=False)
        assert run.data.sizes["node"] == 3
        assert len(json.loads((folder / "provenance.json").read_text())["inputs"]) == 1


@pytest.mark.parametrize("mend", ["changed", "missing", "link"])
def test_a_copy_that_is_not_as_the_run_made_it_stops_a_resumption(lab: Path, tmp_path: Path, mend: str):
    experiment = sandbox.load(lab / "scene.toml")
    experiment.setup.check()
    folder = tmp_path / "run"
    folder.mkdir()
    results.begin(folder, experiment.scene, inputs=experiment.setup.inputs.found)
    copy = folder / "inputs" / "nets" / "net.txt"
    copy.unlink()
    if mend == "changed":
        copy.write_text(OTHER)
    elif mend == "link":
        (tmp_path / "outside.txt").write_text(NET)
        copy.symlink_to(tmp_path / "outside.txt")
    with pytest.raises(RunError, match=rf"inputs/nets/net.txt .*{'leads out' if mend == 'link' else mend}"):
        sandbox.resume(folder)


def test_copies_behind_a_link_are_not_read(lab: Path, tmp_path: Path):
    put(tmp_path / "outside", OTHER)
    (lab / "inputs").symlink_to(tmp_path / "outside")
    assert sandbox.load(lab / "scene.toml").setup.network.n_nodes == 3


def test_a_file_that_changes_while_a_run_begins(lab: Path, tmp_path: Path):
    experiment = sandbox.load(lab / "scene.toml")
    experiment.setup.check()
    put(lab, OTHER)
    with pytest.raises(RunError, match="was changed while the run began"):
        input_files.keep(tmp_path, experiment.setup.inputs.found)
    assert not (tmp_path / "inputs").exists()


def test_what_a_process_leaves_that_was_killed_before_it_began_is_nothing(lab: Path, tmp_path: Path):
    folder = tmp_path / "run"
    put(folder / "inputs", OTHER)
    put(folder / ".inputs.partial", OTHER)
    with pytest.raises(RunError, match="not an empty folder"):  # somebody's own folder of this name
        sandbox.load(lab / "scene.toml").run(folder, pictures=False)
    (folder / results.LOCK).write_text("{}")
    run = sandbox.load(lab / "scene.toml").run(folder, pictures=False)
    assert run.data.sizes["node"] == 3
    assert (folder / "inputs" / "nets" / "net.txt").read_text() == NET
    assert not (folder / ".inputs.partial").exists()


def test_a_run_that_fails_takes_its_copies_back(lab: Path, tmp_path: Path):
    scene = lab / "scene.toml"
    scene.write_text(SCENE.replace("conductance = 1.0", "conductance = 1e308").replace("value = 1.0", "value = 1e9"))
    with pytest.raises(NotConverged, match="not finite"):
        sandbox.load(scene).run(tmp_path / "run", pictures=False)
    assert not (tmp_path / "run").exists()
