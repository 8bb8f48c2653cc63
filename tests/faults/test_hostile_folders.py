"""Run folders that others made: their files lead nowhere else, and what is wrong is told by name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import sandbox
from sandbox import forms
from sandbox.checkpoints import Checkpoints
from sandbox.errors import NetworkError, PluginError, RunError, SandboxError, SceneError, SweepError
from sandbox.manifest import MANIFEST
from sandbox.physics.graphs.files import read_network
from sandbox.plugins import Plugins
from sandbox.results import read_run
from sandbox.sweeping import plan

from .damage import interrupted
from .fuzz import sign
from .hostile_data import archive
from .hostile_folders import FOLDERS, PICTURES, linked, rewrite
from .tripwire import tripwire

SECRET = '{"password": "of somebody else"}'


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sandbox.load("pipe_network").run(tmp_path_factory.mktemp("run") / "x", pictures=False).folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return interrupted(tmp_path_factory.mktemp("begun") / "x", training={"epochs": 4})


@pytest.fixture
def folder(complete: Path, tmp_path: Path) -> Path:
    return shutil.copytree(complete, tmp_path / "run")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.write_text(SECRET)
    return path


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(name: str, folder: Path, outside: Path) -> None:
    change, said = FOLDERS[name]
    change(folder, outside)
    with tripwire(outside, folder=folder), pytest.raises(RunError, match=said) as caught:
        sandbox.view(folder, show=False)
    assert "password" not in str(caught.value)
    assert len(str(caught.value)) < 10_000
    assert not (folder / "page.html").exists()


@pytest.mark.filterwarnings("ignore:Image size:PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str, folder: Path, outside: Path) -> None:
    picture = folder / "network.png"
    picture.write_bytes(PICTURES[name])
    rewrite(folder, files={**_named(folder), picture.name: "0" * 64})
    sign(folder)
    with tripwire(outside, folder=folder):
        shown = str(read_run(folder)._repr_html_())
        with pytest.raises(RunError, match=r"network\.png is no picture that can be shown"):
            forms.thumbnail(picture)
    assert "pipe_network" in shown
    assert "<img" not in shown


def _named(folder: Path) -> dict[str, str]:
    return json.loads((folder / MANIFEST).read_text())["files"]


BEGUN = {
    "scene outside": ("scene.toml", r"scene\.toml"),
    "provenance outside": ("provenance.json", r"provenance\.json"),
    "manifest outside": ("manifest.json", r"manifest\.json"),
}


@pytest.mark.parametrize("name", BEGUN)
def test_beginnings(name: str, begun: Path, tmp_path: Path, outside: Path) -> None:
    folder = shutil.copytree(begun, tmp_path / "run")
    file, said = BEGUN[name]
    linked(file)(folder, outside)
    with tripwire(outside, folder=folder), pytest.raises(RunError, match=rf"{said}.*a link that leads out"):
        sandbox.resume(folder, pictures=False)


def test_a_scene_outside_that_no_manifest_names(begun: Path, tmp_path: Path, outside: Path) -> None:
    folder = shutil.copytree(begun, tmp_path / "run")
    linked("scene.toml")(folder, outside)
    (folder / MANIFEST).unlink()
    with tripwire(outside, folder=folder), pytest.raises(RunError, match=r"its scene\.toml is a link that leads out"):
        sandbox.resume(folder, pictures=False)


@pytest.mark.parametrize("end", ["npz", "json"])
def test_checkpoints_outside(end: str, begun: Path, tmp_path: Path, outside: Path) -> None:
    folder = shutil.copytree(begun, tmp_path / "run")
    for path in folder.glob(f"checkpoints/*.{end}"):
        path.unlink()
        path.symlink_to(outside)
    with tripwire(outside, folder=folder):
        state, problems = Checkpoints(folder).load()
    assert state is None
    assert problems
    assert all("a link that leads out of its folder" in problem for problem in problems)


@pytest.mark.parametrize("name", ["sweep.json", "search.json"])
@pytest.mark.parametrize("goal", ["outside", "/dev/zero"])
def test_plans_outside(name: str, goal: str, tmp_path: Path, outside: Path) -> None:
    from sandbox.sweeping.search import _tried

    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / name).symlink_to(outside if goal == "outside" else goal)
    with tripwire(outside, folder=folder), pytest.raises(SweepError, match=r"a link that leads out|holds no search"):
        plan.read(folder) if name == "sweep.json" else _tried(folder, "what", [])


def test_a_link_within_the_folder_is_no_harm(folder: Path) -> None:
    (folder / "data.nc").rename(folder / "data-1.nc")
    (folder / "data.nc").symlink_to("data-1.nc")
    assert sandbox.open(folder).attrs["scene"] == "pipe_network"
    other = folder.parent / "linked"
    other.symlink_to(folder)
    assert sandbox.open(other).attrs["scene"] == "pipe_network"


# Names of parts and of plugins, and files of networks.

NAMES = (
    "os.system", "__import__('os').system('touch executed')", "../evil", "/tmp/evil.py", "evil", "sandbox.cli",
    "file_evil", "sandbox_file_evil", "evil:main", "", "\x1b[2J", "a" * 100_000, "\u202ejitter", "..", "{}", "%s%n",
)  # fmt: skip


@pytest.mark.parametrize("table", ["network", "system", "task", "controller"])
def test_names_of_parts(table: str, tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("evil.py", "file_evil.py", "sandbox_file_evil.py"):
        (folder / name).write_text("import os\nos.mkdir('executed')\n")
    for name in NAMES:
        with tripwire(outside, folder=folder), pytest.raises(SandboxError, match=f"{table}|no text"):
            sandbox.load("iris_flow", **{table: {"type": name}})


@pytest.mark.parametrize("name", ["../evil", "a/b", "a\0b", "import os", "x;touch executed", "-x", "", "a" * 5000, "é"])
def test_names_of_new_plugins(name: str, tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.scaffold import new_plugin

    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with tripwire(outside, folder=folder), pytest.raises((PluginError, OSError), match=r"cannot be|too long"):
        new_plugin(name, {"system"})
    assert not list(folder.iterdir())


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "null", "text", "package", "link to nothing"])
def test_files_of_plugins(kind: str, tmp_path: Path, outside: Path) -> None:
    path = tmp_path / "plugin.py"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind in ("device", "link to nothing"):
        path.symlink_to("/dev/zero" if kind == "device" else "nothing")
    elif kind == "folder":
        path.mkdir()
    elif kind == "null":
        path = tmp_path / "a\0b.py"
    elif kind == "text":
        path.write_text("\0")
    elif kind == "package":
        path = tmp_path / "plugin.zip"
        path.write_bytes(archive({"__main__.py": b"import os; os.mkdir('executed')"}))
    with tripwire(outside, folder=tmp_path / "here"), pytest.raises(PluginError, match="plugin"):
        Plugins().use(path)


def test_a_plugin_of_the_working_folder_is_not_found(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    (folder / "evil-1.dist-info").mkdir(parents=True)
    (folder / "evil-1.dist-info" / "METADATA").write_text("Name: evil\nVersion: 1\n")
    (folder / "evil-1.dist-info" / "entry_points.txt").write_text("[sandbox]\nevil = evil\n")
    (folder / "evil.py").write_text("import os\nos.mkdir('executed')\n")
    monkeypatch.chdir(folder)
    with tripwire(outside, folder=folder):
        assert "evil" not in {plugin.name for plugin in Plugins().found}


def _graphml(body: str, keys: str = "") -> str:
    return f'<?xml version="1.0"?><graphml>{keys}<graph edgedefault="undirected">{body}</graph></graphml>'


NETWORKS = {
    "entity in an attribute.graphml": '<!DOCTYPE x [<!ENTITY e SYSTEM "OUTSIDE">]>' + _graphml('<node id="&e;"/>')[21:],
    "parameter entity.graphml": '<!DOCTYPE x [<!ENTITY % e SYSTEM "OUTSIDE"> %e;]>' + _graphml("")[21:],
    "outside types.graphml": '<!DOCTYPE graphml SYSTEM "OUTSIDE">' + _graphml('<node id="a"/>')[21:],
    "public types.graphml": '<!DOCTYPE graphml PUBLIC "x" "http://localhost/x.dtd">' + _graphml("")[21:],
    "quadratic.graphml": f'<!DOCTYPE x [<!ENTITY e "{"x" * 50_000}">]>'
    + _graphml(f'<node id="{"&e;" * 50_000}"/>')[21:],
    "inclusion.graphml": _graphml('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="OUTSIDE"/>'),
    "style.graphml": '<?xml-stylesheet href="OUTSIDE"?>' + _graphml("")[21:],
    "undeclared entity.graphml": _graphml('<node id="&e;"/>'),
    "nested graphs.graphml": _graphml('<node id="a"><graph>' * 2000 + "</graph></node>" * 2000),
    "port of nothing.graphml": _graphml('<edge source="a" target="b" sourceport="p"/>' * 3),
    "type that is a class.graphml": _graphml(
        '<node id="a"><data key="k">1</data></node>', '<key id="k" for="node" attr.name="x" attr.type="os.system"/>'
    ),
    "gzip.graphml": b"\x1f\x8b\x08" + bytes(100),
    "gzip.txt": b"\x1f\x8b\x08" + bytes(100),
    "zip.txt": archive({"net.txt": b"node a 0 0\n"}),
    "nothing but zeros.txt": bytes(2**20),
    "one long line.txt": "node " + "a" * 2**20,
    "a million groups.txt": "node a 0 0\n" + "group g b\n" * 100_000,
    "digits.txt": "node a " + "9" * 400_000 + " 0\n",
    "hexadecimal.txt": "node a 0x10 0\nnode b 1 1\nedge a b\n",
    "underscores.txt": "node a nan 0\n",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, tmp_path: Path, outside: Path) -> None:
    content = NETWORKS[name]
    path = tmp_path / "here" / name
    path.parent.mkdir()
    text = content.replace("OUTSIDE", str(outside)) if isinstance(content, str) else content
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with tripwire(outside, folder=path.parent), pytest.raises((NetworkError, SceneError)) as caught:
        read_network(path)
    assert name in str(caught.value)
    assert "password" not in str(caught.value)
