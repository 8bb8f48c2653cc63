"""Coordinate descent against bounded least squares, Newton's method, and by the conditions of a minimum in a box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.sparse import csr_array, random_array

from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Status
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws import CONDUCTANCE, ONSITE, POWER_LAW, SPRING
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.relaxation import fused, newton, sweeps
from sandbox.physics.relaxation.colouring import colour
from sandbox.physics.relaxation.problem import Problem, pose

pytestmark = [
    pytest.mark.filterwarnings("ignore:'locale.getdefaultlocale':DeprecationWarning"),  # Taichi, as it is imported
    pytest.mark.filterwarnings("ignore:.*[Cc]alling non-taichi function"),  # laws are plain functions on purpose
]

TOLERANCE = 1e-10
Box = tuple[float, float] | None


def random_network(n_nodes: int, n_edges: int, seed: int = 0) -> Network:
    """A ring with random chords."""
    rng = np.random.default_rng(seed)
    ring = np.stack([np.arange(n_nodes), (np.arange(n_nodes) + 1) % n_nodes], axis=1)
    i = rng.integers(0, n_nodes, n_edges)
    chords = np.stack([i, (i + rng.integers(2, n_nodes - 1, n_edges)) % n_nodes], axis=1)
    return Network(rng.uniform(size=(n_nodes, 2)), np.concatenate([ring, chords]))


def flow(box: Box, batch: int = 4, n_nodes: int = 40, contrast: float = 1.0) -> Problem:
    """A flow network between two terminals, with injected currents, a spring, a pair spring and a node law."""
    rng = np.random.default_rng(3)
    network = random_network(n_nodes, n_nodes)
    material = Material(
        network,
        CONDUCTANCE,
        {"k": 10 ** (contrast * rng.uniform(-1, 1, network.n_edges))},
        node_law=ONSITE,
        node_parameters={"k": 0.02 * rng.uniform(size=(n_nodes, 1)), "b": 0.1 * rng.normal(size=(n_nodes, 1))},
        box=box,
    )
    boundary = (
        Boundary.free(n_nodes, 1, batch)
        .clamp([0, n_nodes // 2], rng.uniform(size=(batch, 2)))
        .push([3, 9], 0.5 * rng.normal(size=(batch, 2)))
        .spring([5], rng.uniform(size=(batch, 1)), 0.3)
        .pair_spring([[7, 12]], rng.uniform(size=(batch, 1)), 0.4)
    )
    return pose(material, boundary, None, None, None, TOLERANCE, 500)


def quadratic(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hessian (F, F) and gradient (B, F) where the free components are 0, by hand, for one component per node."""
    material, boundary = problem.material, problem.boundary
    n_nodes = boundary.n_nodes
    k = np.concatenate([problem.stiffness, boundary.pair_stiffness])
    incidence = np.zeros((len(k), n_nodes))
    incidence[np.arange(len(k)), problem.ends[:, 0]] = -1.0
    incidence[np.arange(len(k)), problem.ends[:, 1]] = 1.0
    own, bias = (material.node_parameters[name].ravel() for name in ("k", "b"))
    spring = boundary.spring_stiffness.ravel()
    hessian = incidence.T @ (k[:, None] * incidence) + np.diag(own + spring)
    free = ~boundary.clamped.ravel()
    at_zero = np.where(free, 0.0, boundary.values[:, :, 0])
    pull = np.zeros((problem.batch, len(k)))
    pull[:, len(problem.stiffness) :] = boundary.pair_stiffness * boundary.pair_targets
    linear = -boundary.forces[:, :, 0] - bias - spring * boundary.spring_targets[:, :, 0] - pull @ incidence
    return hessian[np.ix_(free, free)], (linear + at_zero @ hessian)[:, free], free


def sample(problem: Problem, b: int) -> Problem:
    return replace(problem, boundary=problem.boundary.sample(b), start=problem.start[b : b + 1])


@pytest.mark.parametrize("contrast", [0.5, 1.5])
def test_box_against_bounded_least_squares(contrast: float) -> None:
    problem = flow((0.2, 0.7), contrast=contrast)
    result = sweeps.relax(problem)
    assert result.converged.all()
    assert result.method == "sweeps"
    hessian, linear, free = quadratic(problem)
    root = np.linalg.cholesky(hessian).T
    held = 0
    for b in range(problem.batch):
        right = -np.linalg.solve(root.T, linear[b])
        expected = lsq_linear(root, right, (0.2, 0.7), method="bvls", tol=1e-14).x
        np.testing.assert_allclose(result.state[b, free, 0], expected, atol=1e-8)
        held += int(np.isin(result.state[b, free, 0], (0.2, 0.7)).sum())
    assert held > 10


def test_without_a_box_as_newton() -> None:
    problem = flow(None)
    ours, theirs = sweeps.relax(problem), fused.relax(problem)
    assert ours.converged.all()
    np.testing.assert_allclose(ours.state, theirs.state, atol=1e-8)
    np.testing.assert_allclose(ours.energy, theirs.energy, rtol=1e-11)
    np.testing.assert_allclose(ours.stiffness_force, theirs.stiffness_force, atol=1e-8)
    assert (ours.curvature_bound > 0).all()


def test_linearized_springs_in_the_plane() -> None:
    cells = np.indices((6, 6)).reshape(2, -1).T
    i, j = np.triu_indices(36, 1)
    near = np.abs(cells[i] - cells[j]).max(axis=1) == 1
    network = Network(cells.astype(float), np.stack([i[near], j[near]], 1))
    material = Material(network, SPRING, {"k": 1.0, "l": 0.97 * network.lengths()}, linearized=True)
    boundary = Boundary.free(36, 2, 2).clamp(np.arange(6), network.positions[:6])
    boundary = boundary.push([35], np.array([[[0.1, 0.2]], [[-0.1, 0.0]]]))
    problem = pose(material, boundary, None, None, None, TOLERANCE, 500)
    ours, theirs = sweeps.relax(problem), fused.relax(problem)
    assert ours.converged.all()
    np.testing.assert_allclose(ours.state, theirs.state, atol=1e-7)


@pytest.mark.parametrize("box", [None, (0.2, 0.7)])
def test_batch_is_one_by_one(box: Box) -> None:
    problem = flow(box)
    together = sweeps.relax(problem)
    alone = [sweeps.relax(sample(problem, b)) for b in range(problem.batch)]
    np.testing.assert_allclose(together.state, np.concatenate([a.state for a in alone]), atol=TOLERANCE)
    assert together.iterations.tolist() == [int(a.iterations[0]) for a in alone]


def test_over_relaxation_pays() -> None:
    """A chain of N: plain sweeps need some (N/pi)^2 ln(1/tolerance) = 5e4, over-relaxed ones N/6 ln(1/tolerance)."""
    n = 150
    network = Network(np.arange(float(n))[:, None], np.stack([np.arange(n - 1), np.arange(1, n)], 1))
    material = Material(network, CONDUCTANCE, {"k": 1.0})
    boundary = Boundary.free(n, 1).clamp([0, n - 1], [0.0, 1.0])
    result = sweeps.relax(pose(material, boundary, None, None, None, 1e-9, 500))
    assert result.converged.all()
    assert result.iterations[0] < 4000
    np.testing.assert_allclose(result.state[0, :, 0], np.linspace(0, 1, n), atol=1e-6)


@pytest.mark.parametrize(("coupling", "batch"), [("quadratic", 1), ("log", 1), ("quadratic", 4)])
def test_free_stiffness_as_newton(coupling: str, batch: int) -> None:
    base = flow(None, batch, contrast=0.3)
    knobs = Knobs(base.stiffness.copy(), np.array(0.3), coupling)  # type: ignore[arg-type]
    problem = replace(base, knobs=knobs)
    assert sweeps.can_relax(problem)
    ours, theirs = sweeps.relax(problem), newton.relax(problem)
    assert ours.converged.all()
    assert np.abs(ours.stiffness - base.stiffness).max() > 1e-3
    np.testing.assert_allclose(ours.stiffness, theirs.stiffness, atol=1e-8)
    np.testing.assert_allclose(ours.state, theirs.state, atol=1e-7)


def test_free_stiffness_in_a_box_is_a_joint_minimum() -> None:
    """Stationary in the stiffnesses, and in the state at those; no lower energy anywhere around."""
    problem = flow((0.2, 0.7), contrast=0.3)
    u = problem.stiffness
    problem = replace(problem, knobs=Knobs(u, np.array(0.2)))
    result = sweeps.relax(problem)
    assert result.converged.all()
    drop = problem.material.measure_edges(result.state)
    np.testing.assert_allclose(result.stiffness, np.maximum(u - 0.2 * 0.5 * (drop**2).mean(axis=0), 0.0), atol=1e-12)
    np.testing.assert_allclose(result.stiffness_force, 0.5 * (drop**2).mean(axis=0), atol=1e-14)
    held = sweeps.relax(replace(problem, knobs=None, stiffness=result.stiffness))
    np.testing.assert_allclose(held.state, result.state, atol=1e-7)


def hopfield(box: Box, seed: int = 0, batch: int = 6) -> Problem:
    """Two layers, joined by edges of either sign, ``s^2/2 - w s s``; not convex for these weights."""
    rng = np.random.default_rng(seed)
    i, j = np.divmod(np.arange(300), 15)
    network = Network(rng.uniform(size=(35, 2)), np.stack([i, j + 20], axis=1))
    w = 0.6 * rng.normal(size=300)
    own = 1.0 - np.bincount(network.edges.ravel(), np.repeat(w, 2), 35)
    parameters = {"k": own[:, None], "b": rng.normal(size=(35, 1))}
    material = Material(
        network, CONDUCTANCE, {"k": w}, bounds=(-np.inf, np.inf), node_law=ONSITE, node_parameters=parameters, box=box
    )
    boundary = Boundary.free(35, 1, batch).clamp(range(5), rng.uniform(size=(batch, 5)))
    return pose(material, boundary, None, None, None, TOLERANCE, 500)


def test_a_network_that_is_not_convex_ends_in_minima() -> None:
    problem = hopfield((0.0, 1.0))
    hessian, linear, free = quadratic(problem)
    assert np.linalg.eigvalsh(hessian)[0] < 0
    result = sweeps.relax(problem)
    assert result.converged.all()
    state = result.state[:, free, 0]
    gradient = state @ hessian + linear
    inside = (state > 0) & (state < 1)
    assert np.abs(gradient[inside]).max() < 1e-8
    assert (gradient[state == 0] >= 0).all()
    assert (gradient[state == 1] <= 0).all()
    for b in range(problem.batch):
        assert np.linalg.eigvalsh(hessian[np.ix_(inside[b], inside[b])])[0] > 0


def test_without_a_box_such_a_network_has_no_minimum() -> None:
    result = sweeps.relax(hopfield(None))
    assert (result.status == Status.SINGULAR).all()
    assert (result.curvature_bound < 0).all()


def two_units(own: float, weight: float, bias: float, box: Box) -> Problem:
    """``own/2 (s_1^2 + s_2^2) - weight s_1 s_2 - bias (s_1 + s_2)``; a third node is clamped and apart."""
    network = Network(np.zeros((3, 2)) + np.arange(3.0)[:, None], np.array([[0, 1]]))
    law_parameters = {"k": own - weight, "b": bias}
    material = Material(
        network,
        CONDUCTANCE,
        {"k": weight},
        bounds=(-9.0, 9.0),
        node_law=ONSITE,
        node_parameters=law_parameters,
        box=box,
    )
    return pose(material, Boundary.free(3, 1).clamp([2], 0.0), None, None, None, TOLERANCE, 500)


def test_a_saddle_is_left_for_a_face() -> None:
    result = sweeps.relax(two_units(0.5, 1.0, 0.0, (-1.0, 1.0)))
    assert result.converged.all()
    assert result.indefinite[0] >= 1
    np.testing.assert_allclose(np.abs(result.state[0, :2, 0]), 1.0)
    np.testing.assert_allclose(result.energy, -0.5)


def test_a_concave_component_goes_to_the_better_end() -> None:
    result = sweeps.relax(two_units(-1.0, 0.1, 0.3, (-1.0, 2.0)))
    assert result.converged.all()
    np.testing.assert_allclose(result.state[0, :2, 0], 2.0)
    result = sweeps.relax(two_units(-1.0, 0.1, 0.3, (-3.0, 2.0)))
    np.testing.assert_allclose(result.state[0, :2, 0], -3.0)
    result = sweeps.relax(two_units(-1.0, 0.1, 0.3, None))
    assert result.status[0] == Status.SINGULAR


def test_by_colour_is_by_sample_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = sample(flow((0.2, 0.7)), 0)
    plain = sweeps.relax(problem)
    monkeypatch.setattr(sweeps, "PARALLEL_ROWS", 0)
    monkeypatch.setattr(sweeps, "threads", lambda: 2)
    assert (sweeps.relax(problem).state == plain.state).all()


def test_colours() -> None:
    pattern = csr_array(random_array((300, 300), density=0.02, rng=np.random.default_rng(0)))
    pattern = csr_array(pattern + pattern.T)
    colours = colour(pattern)
    coo = pattern.tocoo()
    other = coo.row != coo.col
    assert (colours[coo.row[other]] != colours[coo.col[other]]).all()
    assert set(colours) == set(range(colours.max() + 1))
    assert colours.max() < np.diff(pattern.indptr).max()
    assert (colour(pattern) == colours).all()


def test_statuses_and_limits() -> None:
    problem = flow((0.2, 0.7))
    few = sweeps.relax(replace(problem, max_iterations=0))
    assert (few.status == Status.OUT_OF_ITERATIONS).all()
    assert few.iterations.tolist() == [1] * problem.batch
    inside = few.state[:, ~problem.boundary.clamped.ravel()]
    assert ((inside >= 0.2) & (inside <= 0.7)).all()
    pipes = Material(problem.material.network, POWER_LAW, {"k": 1.0, "n": 0.54, "delta": 0.01})
    assert not sweeps.can_relax(replace(problem, material=pipes))


def test_everything_clamped() -> None:
    problem = flow((0.2, 0.7), 2)
    boundary = Boundary.free(40, 1, 2).clamp(np.arange(40), np.linspace(0, 1, 40))
    result = sweeps.relax(pose(problem.material, boundary, None, None, None, TOLERANCE, 500))
    assert result.converged.all()
