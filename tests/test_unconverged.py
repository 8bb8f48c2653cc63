"""Runs at rest that end at no minimum: what is kept, what is said, and which nodes are floppy."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tomli_w

import sandbox
from sandbox.errors import NetworkError, Unconverged
from sandbox.physics import graphs
from sandbox.physics.equilibrium import NotConverged, Status
from sandbox.physics.modes import hessian
from sandbox.sweeping.worker import Job, outcome
from sandbox.viewing.page import page

# An fcc lattice diluted to z = 6.4, pulled: tension is at play, so that floppy nodes are found by the relaxation alone.
DILUTED = """\
[network]
type = "fcc"
shape = [4, 4, 4]
dilution = 0.35
[system]
type = "elastic_network"
[[clamp]]
nodes = "left"
[[clamp]]
nodes = "right"
displacement = [0.1, 0.0, 0.0]
[relax]
"""
FEW = DILUTED.replace("0.35", "0.0") + "max_iterations = 1\n"


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    from sandbox.cli import main

    monkeypatch.setattr(sys, "argv", ["sandbox", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.mark.parametrize(
    ("scene", "status"), [(DILUTED, "singular"), (FEW, "out of iterations")], ids=["floppy", "too few"]
)
def test_the_folder_is_kept_with_its_verdict(
    scene: str,
    status: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    Path("scene.toml").write_text(scene)
    assert command(monkeypatch, "run", "scene.toml", "--out", "out") == 2
    said = capsys.readouterr().err
    assert "not converged" in said
    assert "kept" in said
    assert "Traceback" not in said
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["status"] == status
    data = sandbox.open("out")
    assert data.attrs["status"] == status
    assert data.attrs["unconverged"].startswith("not converged")
    assert np.isfinite(data["state"].values).all()
    assert command(monkeypatch, "resume", "out") == 2
    assert "not converged" in capsys.readouterr().err
    assert status in page(sandbox.results.read_run(Path("out")))


def test_in_python_it_is_an_error_that_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("scene.toml").write_text(FEW)
    with pytest.raises(Unconverged, match=r"not converged.*\n.*out"):
        sandbox.load("scene.toml").run("out", pictures=False)


def test_in_a_sweep_it_has_failed_however_often_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("scene.toml").write_text(FEW)
    text = tomli_w.dumps(sandbox.load("scene.toml").scene.resolved())
    job = Job("scene", text, str(tmp_path / "out"), 30.0, pictures=False, strict=False)
    for _ in range(2):
        end = outcome(job)
        assert end.state == "failed"
        assert not end.passing
        assert "not converged" in end.error


def test_a_state_that_is_not_finite_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    stiff = DILUTED.replace("0.35", "0.0").replace('"elastic_network"', '"elastic_network"\nstiffness = 1e308')
    Path("scene.toml").write_text(stiff)
    with pytest.raises(NotConverged, match="not finite"):
        sandbox.load("scene.toml").run("out", pictures=False)
    assert not Path("out").exists()


@pytest.mark.parametrize("method", ["fused", "newton"])
def test_floppy_nodes_are_those_of_the_null_space(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By LAPACK, from a Hessian that NumPy assembles."""
    monkeypatch.chdir(tmp_path)
    Path("scene.toml").write_text(DILUTED)
    setup = sandbox.load("scene.toml").setup
    rest = setup.system.relax(setup.boundary, method=method, throw=False)
    assert rest.status[0] == Status.SINGULAR
    assert isinstance(setup.system, sandbox.Material)
    free = np.flatnonzero(~setup.boundary.clamped.ravel())
    values, vectors = np.linalg.eigh(hessian(setup.system, rest.state[0])[free][:, free].toarray())
    null = vectors[:, np.abs(values) < 1e-12]
    moves = np.zeros(setup.boundary.clamped.size)
    moves[free] = np.sum(null**2, axis=1)
    floppy = np.flatnonzero(moves.reshape(-1, 3).sum(axis=1) > 1e-8)
    named = rest.flat_nodes(0)
    assert sorted(named) == floppy.tolist()
    assert 0 < len(floppy) < 20
    assert f"node{'s' * (len(floppy) > 1)} {named[0]}" in str(NotConverged(rest))
    assert "prune" in str(NotConverged(rest))


def test_a_pruned_network_converges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("scene.toml").write_text(DILUTED)
    done = sandbox.load("scene.toml", ["network.prune=['left','right']"]).run("out", pictures=False)
    assert done.figures["status"] == "converged"
    assert done.figures["lowest curvature"] > 1e-6


def test_pruning_takes_what_can_move_and_nothing_else():
    """A braced square with a dangling node, a chain of two, and a triangle hinged at a corner; by hand."""
    positions = [[0, 0], [1, 0], [1, 1], [0, 1], [2, 0.3], [1.5, 2], [1.8, 2.5], [-1, 1.2], [-0.8, 2]]
    edges = [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [1, 4], [2, 5], [5, 6], [3, 7], [7, 8], [8, 3]]
    network = sandbox.Network(np.array(positions, dtype=float), np.array(edges), groups={"top": np.array([2, 3, 7, 8])})
    pruned = graphs.prune(network, [0, 1])
    np.testing.assert_array_equal(pruned.positions, network.positions[:4])
    assert pruned.n_edges == 5
    assert pruned.groups["top"].tolist() == [2, 3]
    assert graphs.prune(pruned, [0, 1]) is pruned


def test_pruning_a_diluted_lattice_leaves_full_rank():
    network = graphs.dilute(graphs.fcc((5, 5, 5)), fraction=0.4, seed=1)
    sides = np.concatenate([network.nodes("left"), network.nodes("right")])
    pruned = graphs.prune(network, sides)
    held = np.concatenate([pruned.nodes("left"), pruned.nodes("right")])
    assert len(held) == len(sides)
    free = np.setdiff1d(np.arange(pruned.n_nodes), held)
    matrix = graphs.rigidity_matrix(pruned).toarray()[:, (free[:, None] * 3 + np.arange(3)).ravel()]
    assert len(free) > 200
    assert np.linalg.svd(matrix, compute_uv=False).min() > 1e-6


def test_pruning_what_is_all_floppy_is_refused():
    with pytest.raises(NetworkError, match="floppy"):
        graphs.prune(graphs.square((4, 4)), [0])
