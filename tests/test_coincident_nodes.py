"""A scene with two nodes at one place, joined by an edge: run, drawn, shown, exported; warnings are errors here."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import sandbox
from sandbox.errors import SandboxError
from sandbox.exporting import export
from sandbox.results import Run
from sandbox.viewing.page import page

WELD = """\
node a 0 0
node b 1 0
node c 1 0
node d 2 0
node e 1 1
edge a b
edge b c
edge c d
edge a e
edge e d
edge b e
edge c e
"""
SCENE = """\
[network]
type = "file"
path = "weld.txt"
[system]
type = "elastic_network"
[[clamp]]
nodes = [0]
"""
PULLED = SCENE + "[[clamp]]\nnodes = [3]\ndisplacement = [0.4, 0.0]\n[relax]\n"
STRUCK = SCENE + (
    "[[clamp]]\nnodes = [3]\n[dynamics]\ntime_step = 0.05\nsteps = 40\n"
    "[[dynamics.strike]]\nnodes = [4]\nvelocity = [0.0, 0.1]\n"
)


@pytest.fixture
def weld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "weld.txt").write_text(WELD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(text: str, *changes: str) -> Run:
    Path("weld.toml").write_text(text)
    return sandbox.load("weld.toml", changes).run("run")


def test_statics(weld: Path):
    done = ran(PULLED)
    state = done.data["state"].values
    # Three springs of one stiffness in line; those to node e pull in the middle of the symmetric figure.
    assert state[1, 0] + state[2, 0] == pytest.approx(2.4, rel=1e-9)
    assert state[2, 0] - state[1, 0] > 0.1
    strain = done.data["strain"].values
    assert np.isnan(strain).tolist() == [False, True] + 5 * [False]
    figures = json.loads((done.folder / "summary.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert all(math.isfinite(v) for v in figures.values() if isinstance(v, float))
    assert figures["largest strain"] == pytest.approx(np.nanmax(np.abs(strain)))
    assert "<html" in page(done)


@pytest.mark.parametrize("form", ["graphml", "xyz", "vtu", "vtk", "gif"])
def test_exports(weld: Path, form: str):
    ran(STRUCK if form == "gif" else PULLED)
    assert export("run", f"weld.{form}").stat().st_size > 0


def test_dynamics(weld: Path):
    done = ran(STRUCK)
    assert np.isfinite(done.data["position"].values).all()
    assert done.figures["energy drift"] < 1e-2


def test_linearized_geometry_refuses_by_edge(weld: Path):
    with pytest.raises(SandboxError, match=r"edge 1 \(nodes 1 and 2\) has no length"):
        ran(PULLED, "system.geometry=linearized")


def test_in_a_notebook(weld: Path):
    Path("weld.toml").write_text(PULLED)
    setup = sandbox.load("weld.toml").setup
    rest = setup.system.relax(setup.boundary)
    assert "deformation" in str(rest._repr_html_())
