"""The least eigenvalue of the Hessian: closed forms, LAPACK, and the name under which it is reported."""

from pathlib import Path

import numpy as np
import pytest

import sandbox
from sandbox.physics import graphs
from sandbox.physics import softest as module
from sandbox.physics.laws import CONDUCTANCE, ONSITE, SPRING
from sandbox.physics.modes import hessian, normal_modes

SHARP = 1e-9  # relative, of eigenvalues above rounding
METHODS = ["fused", "multigrid", "newton", "fire"]


def chain(n: int) -> tuple[sandbox.Material, sandbox.Boundary]:
    """A chain of n free nodes between two that are held: eigenvalues 2k - 2k cos(q pi/(n + 1))."""
    positions = np.arange(n + 2.0)[:, None]
    edges = np.stack([np.arange(n + 1), np.arange(1, n + 2)], axis=1)
    material = sandbox.Material(sandbox.Network(positions, edges), SPRING, {"k": 3.0, "l": 1.0})
    return material, sandbox.Boundary.free(n + 2, 1).clamp([0, n + 1], positions[[0, -1]] * 1.01)


@pytest.mark.parametrize("n", [5, 700])
@pytest.mark.parametrize("method", METHODS)
def test_a_chain(n: int, method: str):
    material, held = chain(n)
    exact = 6.0 - 6.0 * np.cos(np.pi / (n + 1))
    rest = material.relax(held, method=method, max_iterations=2000)
    assert rest.lowest_curvature == pytest.approx([exact], rel=1e-8)  # of a matrix of condition 2e5
    assert np.isnan(rest.curvature_bound).all() or (rest.curvature_bound >= exact * (1 - 1e-8)).all()


def test_a_conducting_sheet():
    """The product of two chains."""
    n = 20
    network = graphs.square((n + 2, n + 2))
    rim = np.flatnonzero((network.positions % (n + 1) == 0).any(axis=1))
    assert len(rim) == 4 * (n + 1)
    material = sandbox.Material(network, CONDUCTANCE, {"k": 2.0})
    rest = material.relax(sandbox.Boundary.free(network.n_nodes, 1).clamp(rim, np.zeros((len(rim), 1))))
    assert rest.lowest_curvature == pytest.approx([8.0 - 8.0 * np.cos(np.pi / (n + 1))], rel=SHARP)


def stretched(count: int, seed: int = 0) -> tuple[sandbox.Material, sandbox.Boundary]:
    network = graphs.triangular((count, count))
    rng = np.random.default_rng(seed)
    material = sandbox.Material(network, SPRING, {"k": rng.uniform(0.5, 2, network.n_edges), "l": 1.0})
    left, right = network.nodes("left"), network.nodes("right")
    held = sandbox.Boundary.free(network.n_nodes, 2, 2).clamp(left, network.positions[left])
    values = np.stack([network.positions[right] * [s, 1.0] for s in (0.97, 1.05)])
    return material, held.clamp(right, values)


@pytest.mark.parametrize("count", [4, 14])
def test_a_batch_in_true_geometry_as_lapack_has_it(count: int):
    material, held = stretched(count)
    found = {}
    for method in ("fused", "newton"):
        rest = material.relax(held, method=method, throw=False)
        free = np.flatnonzero(~held.clamped.ravel())
        exact = [np.linalg.eigvalsh(hessian(material, s)[free][:, free].toarray())[0] for s in rest.state]
        np.testing.assert_allclose(rest.lowest_curvature, exact, rtol=SHARP, atol=1e-13)
        found[method] = rest.lowest_curvature
    np.testing.assert_allclose(found["fused"], found["newton"], rtol=1e-6)


@pytest.mark.parametrize("n", [20, 300])
def test_a_state_that_is_no_minimum_has_a_negative_one(n: int):
    """A straight chain under pressure: across it, every spring pushes. One evaluation, so that it stays straight."""
    positions = np.stack([np.arange(n + 2.0), np.zeros(n + 2)], axis=1)
    edges = np.stack([np.arange(n + 1), np.arange(1, n + 2)], axis=1)
    material = sandbox.Material(sandbox.Network(positions, edges), SPRING, {"k": 1.0, "l": 1.25})
    held = sandbox.Boundary.free(n + 2, 2).clamp([0, n + 1], positions[[0, -1]])
    rest = material.relax(held, max_iterations=1, throw=False)
    # Across: V'/r = -0.25 on every bond.
    exact = -0.25 * (2.0 + 2.0 * np.cos(np.pi / (n + 1)))
    assert rest.lowest_curvature == pytest.approx([exact], rel=SHARP)


@pytest.mark.parametrize("n", [20, 300])
def test_a_flat_direction_has_none(n: int):
    """A straight chain at rest resists along, and not across."""
    positions = np.stack([np.arange(n + 2.0), np.zeros(n + 2)], axis=1)
    edges = np.stack([np.arange(n + 1), np.arange(1, n + 2)], axis=1)
    material = sandbox.Material(sandbox.Network(positions, edges), SPRING, {"k": 1.0, "l": 1.0})
    held = sandbox.Boundary.free(n + 2, 2).clamp([0, n + 1], positions[[0, -1]])
    assert abs(module.lowest_curvature(material, held, positions[None], material.stiffness)[0]) < 1e-12


def test_components_at_a_face_of_the_box_are_not_free():
    network = sandbox.Network(np.arange(3.0)[:, None], np.array([[0, 1], [1, 2]]))
    parameters = {"k": np.array([[1.0], [0.2], [1.0]]), "b": np.array([[0.0], [5.0], [0.0]])}
    material = sandbox.Material(
        network, CONDUCTANCE, {"k": 1.0}, node_law=ONSITE, node_parameters=parameters, box=(-0.5, 1.0)
    )
    rest = material.relax(sandbox.Boundary.free(3, 1))
    assert rest.state[0, 1, 0] == 1.0
    # Without the middle node: k of the node and k of its edge.
    assert rest.lowest_curvature == pytest.approx([2.0], rel=SHARP)


def test_nothing_free_has_none():
    material, held = chain(1)
    rest = material.relax(held.clamp([1], [[1.0]]))
    assert np.isnan(rest.lowest_curvature).all()


def test_what_a_run_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    experiment = sandbox.load("lattice_stretch")
    done = experiment.run(tmp_path / "run", pictures=False)
    setup, state = experiment.setup, done.data["state"].values
    assert isinstance(setup.system, sandbox.Material)
    least = normal_modes(setup.system, setup.boundary, state=state, count=1).frequencies[0] ** 2
    assert done.figures["lowest curvature"] == pytest.approx(least, rel=1e-8)
    assert done.data.attrs["lowest curvature"] == done.figures["lowest curvature"]
    monkeypatch.setattr(module, "MAX_COMPONENTS", 10)
    done = sandbox.load("lattice_stretch").run(tmp_path / "bound", pictures=False)
    assert "lowest curvature" not in done.figures
    assert done.figures["upper bound of lowest curvature"] >= least


def test_what_a_notebook_shows(monkeypatch: pytest.MonkeyPatch):
    material, held = chain(3)
    rest = material.relax(held)
    assert f"{6.0 - 6.0 * np.cos(np.pi / 4):.4g}" in str(rest._repr_html_())
    assert "upper bound" not in str(rest._repr_html_())
    monkeypatch.setattr(module, "MAX_COMPONENTS", 1)
    assert "upper bound of lowest curvature" in str(material.relax(held)._repr_html_())
