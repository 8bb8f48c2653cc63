"""Damped dynamics against Newton's method, and the gathered forces against finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import Delaunay

from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws import CONDUCTANCE, DIODE, ONSITE, POWER_LAW, SPRING, EdgeLaw, NodeLaw
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.relaxation import fire, fused
from sandbox.physics.relaxation.problem import Problem, pose

pytestmark = [
    pytest.mark.filterwarnings("ignore:'locale.getdefaultlocale':DeprecationWarning"),  # Taichi, as it is imported
    pytest.mark.filterwarnings("ignore:.*[Cc]alling non-taichi function"),  # laws are plain functions on purpose
]

TOLERANCE = 1e-10


def mesh(side: int, dim: int, seed: int = 0) -> Network:
    """A Delaunay network over a shaken lattice."""
    rng = np.random.default_rng(seed)
    cells = np.indices((side,) * dim).reshape(dim, -1).T
    positions = cells + 0.25 * rng.uniform(-1, 1, cells.shape)
    corners = Delaunay(positions).simplices
    i, j = np.triu_indices(dim + 1, 1)
    edges = np.stack([corners[:, i].ravel(), corners[:, j].ravel()], axis=1)
    return Network(positions, np.unique(np.sort(edges, axis=1), axis=0))


def elastic(dim: int, batch: int, linearized: bool = False) -> Problem:
    """A prestressed block pulled and sheared between two faces, with every kind of load from outside."""
    rng, network = np.random.default_rng(1), mesh(7 if dim == 2 else 4, dim)
    lengths = network.lengths() * rng.uniform(0.95, 1.05, network.n_edges)
    stiffness = rng.uniform(0.5, 2.0, network.n_edges)
    material = Material(network, SPRING, {"k": stiffness, "l": lengths}, linearized=linearized)
    x = network.positions[:, 0]
    low, high = np.flatnonzero(x < 0.5), np.flatnonzero(x > x.max() - 0.5)
    amount = np.linspace(0.1, 0.5, batch)[:, None, None]
    inside = np.flatnonzero((x > 1) & (x < 2))[:4]
    boundary = (
        Boundary.free(network.n_nodes, dim, batch)
        .clamp(low, network.positions[low])
        .clamp(high, network.positions[high] + amount)
        .push(inside[:2], 0.05 * amount * np.ones(dim))
        .spring(inside[2:3], network.positions[inside[2]], -1e-2)
        .pair_spring([[inside[0], inside[3]]], np.linspace(1.0, 2.0, batch)[:, None], 0.3)
    )
    return pose(material, boundary, None, None, None, TOLERANCE, 500)


def flow(law: EdgeLaw, parameters: dict[str, float], batch: int, node_law: NodeLaw | None = None) -> Problem:
    network = mesh(7, 2)
    own = {"k": 0.05, "b": 0.02} if node_law else None
    material = Material(network, law, parameters, node_law=node_law, node_parameters=own)
    values = np.array([[0.0, 1.0]]) * np.linspace(1.0, 2.0, batch)[:, None]
    boundary = Boundary.free(network.n_nodes, 1, batch).clamp([0, 30], values).spring([40], 0.3, 0.1)
    return pose(material, boundary, None, None, None, TOLERANCE, 500)


CASES = {
    "plane": lambda batch: elastic(2, batch),
    "space": lambda batch: elastic(3, batch),
    "linearized": lambda batch: elastic(2, batch, linearized=True),
    "conductors": lambda batch: flow(CONDUCTANCE, {"k": 1.0}, batch),
    "pipes": lambda batch: flow(POWER_LAW, {"k": 1.0, "n": 0.54, "delta": 1e-2}, batch),
    "stiffening pipes": lambda batch: flow(POWER_LAW, {"k": 1.0, "n": 2.0, "delta": 1e-2}, batch),
    "diodes": lambda batch: flow(DIODE, {"k": 1.0, "vt": 0.2, "leak": 1e-2}, batch),
    "node law": lambda batch: flow(CONDUCTANCE, {"k": 1.0}, batch, ONSITE),
}


def sample(problem: Problem, b: int) -> Problem:
    return replace(problem, boundary=problem.boundary.sample(b), start=problem.start[b : b + 1])


@pytest.mark.parametrize("name", CASES)
def test_same_minimum_as_newton(name: str) -> None:
    problem = CASES[name](3)
    assert fire.can_relax(problem)
    ours, theirs = fire.relax(problem), fused.relax(problem)
    assert ours.converged.all()
    assert (ours.curvature_bound > 0).all()
    assert (ours.residual <= 1.01 * TOLERANCE).all()
    np.testing.assert_allclose(ours.energy, theirs.energy, rtol=1e-11)
    np.testing.assert_allclose(ours.state, theirs.state, atol=1e-7)
    np.testing.assert_allclose(ours.stiffness_force, theirs.stiffness_force, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.curvature_bound, theirs.curvature_bound, rtol=0.5)


@pytest.mark.parametrize("name", ["plane", "pipes"])
def test_batch_is_one_by_one(name: str) -> None:
    problem = CASES[name](4)
    together = fire.relax(problem)
    alone = [fire.relax(sample(problem, b)) for b in range(4)]
    np.testing.assert_allclose(together.state, np.concatenate([a.state for a in alone]), atol=TOLERANCE)
    assert together.iterations.tolist() == [int(a.iterations[0]) for a in alone]


@pytest.mark.parametrize("coupling", ["quadratic", "log"])
def test_free_stiffness_of_one_sample(coupling: str) -> None:
    base = flow(CONDUCTANCE, {"k": 1.0}, 1)
    knobs = Knobs(np.ones(len(base.stiffness)), np.array(1.5), coupling)  # type: ignore[arg-type]
    problem = replace(base, knobs=knobs)
    ours, theirs = fire.relax(problem), fused.relax(problem)
    assert ours.converged.all()
    np.testing.assert_allclose(ours.state, theirs.state, atol=1e-8)
    np.testing.assert_allclose(ours.stiffness, theirs.stiffness, atol=1e-8)
    assert np.abs(ours.stiffness - 1.0).max() > 0.05
    assert not fire.can_relax(replace(flow(CONDUCTANCE, {"k": 1.0}, 2), knobs=knobs))


def buckling(sideways: float = 0.0) -> Problem:
    """Two springs in line, clamped at a distance less than their length: straight is a saddle."""
    network = Network(np.array([[0.0, 0], [0.4, 0], [1.0, 0]]), np.array([[0, 1], [1, 2]]))
    material = Material(network, SPRING, {"k": 1.0, "l": 0.7})
    boundary = Boundary.free(3, 2).clamp([0, 2], network.positions[[0, 2]])
    return pose(material, boundary.push([1], [[0.0, sideways]]), None, None, None, TOLERANCE, 500)


def test_a_saddle_is_left() -> None:
    result = fire.relax(buckling())
    assert result.converged.all()
    assert result.indefinite[0] >= 1
    np.testing.assert_allclose(result.energy, 0.0, atol=1e-15)
    np.testing.assert_allclose(np.abs(result.state[0, 1]), [0.5, np.sqrt(0.7**2 - 0.25)], atol=1e-9)


def test_a_flat_direction_is_no_minimum() -> None:
    network = Network(np.array([[0.0, 0], [0.5, 0], [1.0, 0]]), np.array([[0, 1], [1, 2]]))
    material = Material(network, SPRING, {"k": 1.0, "l": 0.5})
    problem = pose(material, Boundary.free(3, 2).clamp([0, 2], [[0.0, 0], [1, 0]]), None, None, None, TOLERANCE, 500)
    assert fire.relax(problem).status[0] == Status.SINGULAR


def test_statuses() -> None:
    short = fire.relax(replace(elastic(2, 2), max_iterations=0))
    assert (short.status == Status.OUT_OF_ITERATIONS).all()
    problem = flow(EdgeLaw("k*exp(d**2)", ("k",)), {"k": 1.0}, 2)
    start = problem.start.copy()
    start[1, 5] = 100.0
    result = fire.relax(replace(problem, start=start))
    assert result.status.tolist() == [Status.CONVERGED, Status.NOT_FINITE]


def test_the_hessian_of_a_large_network_is_not_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fire, "MAX_CHECKED", 10)
    result = fire.relax(elastic(2, 1))
    assert result.converged.all()
    assert np.isnan(result.curvature_bound).all()


def test_everything_clamped() -> None:
    problem = elastic(2, 2)
    network = problem.material.network
    boundary = Boundary.free(network.n_nodes, 2, 2).clamp(np.arange(network.n_nodes), network.positions)
    result = fire.relax(pose(problem.material, boundary, None, None, None, TOLERANCE, 500))
    assert isinstance(result, Equilibrium)
    assert result.converged.all()


@pytest.mark.parametrize("name", ["plane", "space", "linearized", "diodes", "node law"])
def test_gathered_forces_are_the_gradient(name: str) -> None:
    from sandbox.physics import forces as fo  # not above: it imports Taichi

    problem = CASES[name](2)
    rng = np.random.default_rng(2)
    shape = (2, problem.start[0].size)
    state = problem.start.reshape(shape) + 0.05 * rng.normal(size=shape)
    free = ~problem.boundary.clamped.ravel()
    forces = fo.Forces(problem)

    def energy(x: np.ndarray) -> np.ndarray:
        forces.evaluate(np.ascontiguousarray(x))
        return forces.report[:, fo.ENERGY].copy()

    forces.evaluate(state)
    gradient, mass = forces.gradient.copy(), forces.mass.copy()
    boundary, material, s = problem.boundary, problem.material, state.reshape(problem.start.shape)
    off = s - boundary.spring_targets
    outside = 0.5 * boundary.spring_stiffness * off**2 - boundary.forces * s
    pairs = material.measure_pairs(s, boundary.pairs) - boundary.pair_targets
    expected = material.energy(s) + outside.sum(axis=(1, 2)) + 0.5 * (boundary.pair_stiffness * pairs**2).sum(axis=1)
    np.testing.assert_allclose(forces.report[:, fo.ENERGY], expected, rtol=1e-12)
    assert not gradient[:, ~free].any()
    h = 1e-5
    for direction in rng.normal(size=(3, *shape)) * free:
        slope = (energy(state + h * direction) - energy(state - h * direction)) / (2 * h)
        np.testing.assert_allclose(slope, np.sum(gradient * direction, axis=1), rtol=1e-6)
        curvature = (energy(state + h * direction) + energy(state - h * direction) - 2 * energy(state)) / h**2
        assert (np.abs(curvature) <= 1.01 * np.sum(mass * direction**2, axis=1)).all()


def test_forces_are_reproducible_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.physics import forces as fo

    problem = elastic(2, 3)
    state = np.ascontiguousarray(problem.start.reshape(3, -1))
    serial = fo.Forces(problem)
    serial.evaluate(state)
    monkeypatch.setattr(fo, "PARALLEL_COMPONENTS", 0)
    parallel = fo.Forces(problem)
    for _ in range(20):
        parallel.evaluate(state)
        assert (parallel.gradient == serial.gradient).all()
        assert (parallel.report == serial.report).all()
