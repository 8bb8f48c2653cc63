"""Multigrid against sparse factorizations and against the other methods of relaxation."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import spsolve

from sandbox.physics import relaxation
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.graphs.delaunay import delaunay, jittered_grid
from sandbox.physics.graphs.lattices import square, triangular
from sandbox.physics.graphs.random_graphs import random_graph
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws import CONDUCTANCE, DIODE, ONSITE, POWER_LAW, SPRING, EdgeLaw, NodeLaw
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.relaxation import multigrid, newton
from sandbox.physics.relaxation.cycle_solver import Solver
from sandbox.physics.relaxation.hierarchy import Hierarchy
from sandbox.physics.relaxation.problem import Problem, pose
from sandbox.physics.relaxation.rows_landscape import RowLandscape

pytestmark = [
    pytest.mark.filterwarnings("ignore:'locale.getdefaultlocale':DeprecationWarning"),  # Taichi, as it is imported
    pytest.mark.filterwarnings("ignore:.*[Cc]alling non-taichi function"),  # laws are plain functions on purpose
]

REST_LENGTH = EdgeLaw("k/2*(r - l)**2", ("k", "l"), stiffness="l")
DOUBLE_WELL = NodeLaw("h*(s**2 - 1)**2", ("h",))
LINEAR = ("flow 2D", "flow 3D", "elastic 2D", "elastic 3D")


def posed(material: Material, boundary: Boundary, **options) -> Problem:
    given = {"stiffness": None, "knobs": None, "start": None, "tolerance": 1e-10, "max_iterations": 500}
    return pose(material, boundary, **(given | options))


def cube(count: int) -> Network:
    return delaunay(np.random.default_rng(count).uniform(size=(count, 3)))


def linear(kind: str, count: int, decades: float) -> tuple[Material, Boundary]:
    """Clamped at the left, pushed at the right; stiffnesses over some decades, drawn edge by edge."""
    net = jittered_grid(round(count**0.5)) if kind.endswith("2D") else cube(count)
    k = 10 ** np.random.default_rng(1).uniform(-decades / 2, decades / 2, net.n_edges)
    left, right = (np.flatnonzero(f(net.positions[:, 0])) for f in (lambda x: x < 0.1, lambda x: x > 0.9))
    if kind.startswith("flow"):
        material = Material(net, CONDUCTANCE, {"k": k})
        return material, Boundary.free(net.n_nodes, 1).clamp(left, 1.0).push(right, 0.01)
    material = Material(net, SPRING, {"k": k, "l": net.lengths()}, linearized=True)
    push = np.array([0.01, 0.003, -0.002])[: net.dimension]
    return material, Boundary.free(net.n_nodes, net.dimension).clamp(left, net.positions[left]).push(right, push)


def solved(material: Material, boundary: Boundary) -> np.ndarray:
    """The equilibrium of a linear material, by the compatibility matrix and a solver that are not ours."""
    net, dim = material.network, material.components
    vectors = net.bond_vectors()
    normal = np.ones((net.n_edges, 1)) if dim == 1 else vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    columns = net.edges[:, :, None] * dim + np.arange(dim)
    entries = np.stack([-normal, normal], axis=1).ravel()
    rows = np.repeat(np.arange(net.n_edges), 2 * dim)
    compatibility = csc_array(coo_array((entries, (rows, columns.ravel())), shape=(net.n_edges, net.n_nodes * dim)))
    hessian = csc_array(compatibility.T @ (compatibility * material.stiffness[:, None]))
    held, rest = boundary.clamped.ravel(), material.rest_state().ravel()
    moved = np.where(held, boundary.values.ravel() - rest, 0.0)
    right = boundary.forces.ravel() - hessian @ moved
    moved[~held] = spsolve(hessian[~held][:, ~held], right[~held])
    return (rest + moved).reshape(boundary.values.shape)


def products(material: Material, boundary: Boundary, accuracy: float = 1e-8) -> int:
    """Products with the Hessian that a solve takes with a hierarchy of its own."""
    landscape = RowLandscape(posed(material, boundary))
    point = landscape.at(landscape.state[None], np.zeros(1, dtype=int))
    rows = landscape.assembly
    hierarchy = Hierarchy(landscape.matrix, rows.frame)
    solver = Solver(landscape.matrix, hierarchy, len(rows.node) - rows.n)
    right = np.random.default_rng(0).standard_normal(rows.n_free) * (rows.clamped[: rows.n_free] == 0)
    solver.begin(right)
    solver.go(accuracy * np.abs(right).max(), 0.0, 1000)
    assert solver.solved
    assert point.finite.all()
    return solver.products


class TestLinear:
    @pytest.mark.parametrize("decades", [0.5, 6])
    @pytest.mark.parametrize("kind", LINEAR)
    def test_against_a_sparse_solve(self, kind, decades):
        material, boundary = linear(kind, 1500, decades)
        result = multigrid.relax(posed(material, boundary, tolerance=1e-12))
        reference = solved(material, boundary)
        assert result.converged.all()
        moved = np.abs(reference - material.rest_state()).max()
        assert np.abs(result.state - reference).max() <= 1e-8 * moved
        if decades < 1:
            assert result.method == "multigrid"

    @pytest.mark.parametrize("kind", LINEAR)
    def test_products_hardly_grow_with_the_network(self, kind):
        counts = 1000, 30_000 if kind == "flow 2D" else 10_000
        small, large = (products(*linear(kind, count, 1.0)) for count in counts)
        assert large <= 1.3 * small + 1
        assert large <= 40

    def test_a_stiff_and_a_soft_half(self):
        net = jittered_grid(40)
        k = np.where(net.positions[net.edges].mean(axis=1)[:, 0] < 0.5, 1e3, 1e-3)
        material = Material(net, SPRING, {"k": k, "l": net.lengths()}, linearized=True)
        boundary = Boundary.free(net.n_nodes, 2).clamp(net.nodes("left"), net.positions[net.nodes("left")])
        boundary = boundary.push(net.nodes("right"), [1e-5, 2e-5])
        result = multigrid.relax(posed(material, boundary, tolerance=1e-12))
        reference = solved(material, boundary)
        moved = np.abs(reference - material.rest_state()).max()
        assert result.method == "multigrid"
        assert np.abs(result.state - reference).max() <= 1e-8 * moved

    def test_a_soft_mode(self):
        """A cantilever ten times as long as it is high bends far more easily than it stretches."""
        net = triangular((100, 12))
        material = Material(net, SPRING, {"k": 1.0, "l": net.lengths()}, linearized=True)
        left = np.flatnonzero(net.positions[:, 0] < 0.9)
        right = np.flatnonzero(net.positions[:, 0] > net.positions[:, 0].max() - 0.9)
        boundary = Boundary.free(net.n_nodes, 2).clamp(left, net.positions[left]).push(right, [0.0, 1e-4])
        result = multigrid.relax(posed(material, boundary, tolerance=1e-13))
        reference = solved(material, boundary)
        assert result.method == "multigrid"
        moved = np.abs(reference - material.rest_state()).max()
        assert np.abs(result.state - reference).max() <= 1e-7 * moved

    def test_renumbering_does_not_matter(self):
        material, boundary = linear("flow 2D", 30_000, 1.0)
        net = material.network
        order = np.random.default_rng(3).permutation(net.n_nodes)
        place = np.argsort(order)
        mixed = Material(Network(net.positions[order], place[net.edges]), CONDUCTANCE, {"k": material.stiffness})
        left = place[np.flatnonzero(boundary.clamped[:, 0])]
        right = place[np.flatnonzero(boundary.forces[0, :, 0])]
        others = Boundary.free(net.n_nodes, 1).clamp(left, 1.0).push(right, 0.01)
        a = multigrid.relax(posed(material, boundary))
        b = multigrid.relax(posed(mixed, others))
        assert b.method == "multigrid"
        np.testing.assert_allclose(b.state[0, place], a.state[0], rtol=1e-7)


def nonlinear(kind: str) -> tuple[Material, Boundary]:
    rng = np.random.default_rng(4)
    if kind in ("springs 2D", "springs 3D", "squeezed", "rollers", "periodic"):
        net = {"springs 3D": cube(400), "periodic": triangular((12, 12), periodic=True)}.get(kind, jittered_grid(16))
        rest = net.lengths() * rng.uniform(0.97, 1.03, net.n_edges)
        material = Material(net, SPRING, {"k": rng.uniform(0.5, 2, net.n_edges), "l": rest}, bounds=(0.0, 5.0))
        boundary = Boundary.free(net.n_nodes, net.dimension)
        if kind == "periodic":
            return material, boundary.clamp([0], net.positions[:1]).push([40], [0.05, 0.02])
        left, right = (np.flatnonzero(f(net.positions[:, 0])) for f in (lambda x: x < 0.1, lambda x: x > 0.9))
        stretch = np.zeros(net.dimension)
        stretch[0] = -0.03 if kind == "squeezed" else 0.05
        boundary = boundary.clamp(left, net.positions[left]).clamp(right, net.positions[right] + stretch)
        if kind == "rollers":
            boundary = boundary.clamp([100, 101], 0.4, [1]).push([120], [0.01, 0.02])
        return material, boundary
    net = jittered_grid(16)
    law, others = {"power 2": (POWER_LAW, {"n": 2.0, "delta": 1e-3}), "diode": (DIODE, {"vt": 0.1, "leak": 1e-3})}.get(
        kind, (CONDUCTANCE, {})
    )
    node_law = ONSITE if kind == "onsite" else None
    node_parameters = {"k": 0.3, "b": 0.1} if node_law else None
    k = rng.uniform(0.5, 2, net.n_edges)
    material = Material(
        net, law, {"k": k, **others}, bounds=(0.1, 5.0), node_law=node_law, node_parameters=node_parameters
    )
    return material, Boundary.free(net.n_nodes, 1).clamp(net.nodes("left"), 1.0).clamp(net.nodes("right"), 0.0)


def agree(a: Equilibrium, b: Equilibrium, tolerance: float) -> None:
    assert a.converged.all(), a
    assert b.converged.all(), b
    np.testing.assert_allclose(a.state, b.state, atol=tolerance)
    np.testing.assert_allclose(a.stiffness, b.stiffness, atol=tolerance)
    np.testing.assert_allclose(a.energy, b.energy, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a.stiffness_force, b.stiffness_force, atol=tolerance)


class TestAgainstFactorization:
    @pytest.mark.parametrize("nudged", [False, True])
    @pytest.mark.parametrize("kind", ["springs 2D", "springs 3D", "squeezed", "rollers", "periodic", "diode", "onsite"])
    def test_same_minimum(self, kind, nudged):
        material, boundary = nonlinear(kind)
        if nudged:
            free = np.flatnonzero(~boundary.clamped.any(axis=1))[[20, 30]]
            boundary = boundary.spring(free, material.rest_state()[free] + 0.02, 0.3)
            boundary = boundary.pair_spring([[61, 90], [70, 95]], 0.3, 0.2)
        problem = posed(material, boundary)
        result = multigrid.relax(problem)
        agree(result, newton.relax(problem), 1e-8)
        assert result.method == "multigrid"
        assert result.curvature_bound[0] > 0

    @pytest.mark.parametrize("coupling", ["quadratic", "log"])
    @pytest.mark.parametrize("kind", ["linear", "power 2", "springs 2D"])
    def test_free_stiffnesses(self, kind, coupling):
        material, boundary = nonlinear(kind)
        free = np.flatnonzero(~boundary.clamped.any(axis=1))[[20, 30]]
        boundary = boundary.spring(free, material.rest_state()[free] + 0.05, 0.5)
        problem = posed(
            material, boundary, knobs=Knobs(material.stiffness, np.full(material.network.n_edges, 0.1), coupling)
        )
        result = multigrid.relax(problem)
        agree(result, newton.relax(problem), 1e-8)
        assert result.method == "multigrid"
        assert np.abs(result.stiffness - material.stiffness).max() > 1e-6

    def test_a_clamped_phase_takes_few_steps(self):
        """Flow nudged by springs, conductances free: not quadratic, but so nearly that two steps do."""
        material, boundary = linear("flow 2D", 4000, 0.5)
        free = material.relax(boundary, tolerance=1e-12)
        nudged = boundary.spring([900, 1500, 2300], free.state[0, [900, 1500, 2300]] + 0.1, 1.0)
        drop = material.measure_edges(free.state)[0]
        knobs = Knobs(material.stiffness + 0.05 * drop**2, np.full(material.network.n_edges, 0.1))
        problem = posed(material, nudged, knobs=knobs, start=free.state, tolerance=1e-9)
        result = multigrid.relax(problem)
        agree(result, newton.relax(posed(material, nudged, knobs=knobs, start=free.state, tolerance=1e-13)), 1e-8)
        assert result.residual[0] <= 1e-9
        assert result.iterations[0] <= 3
        assert np.abs(result.stiffness - material.stiffness).max() > 1e-6

    def test_a_random_graph(self):
        net = random_graph(600, 1500, seed=2)
        material = Material(net, POWER_LAW, {"k": 1.0, "n": 1.5, "delta": 1e-2})
        problem = posed(material, Boundary.free(600, 1).clamp([0, 1], [[1.0], [0.0]]))
        agree(multigrid.relax(problem), newton.relax(problem), 1e-7)


class TestMinima:
    def test_a_straight_column_buckles(self):
        net = triangular((60, 2))
        x = net.positions
        ends = [np.flatnonzero(x[:, 0] < 0.9), np.flatnonzero(x[:, 0] > x[:, 0].max() - 0.9)]
        material = Material(net, SPRING, {"k": 1.0, "l": net.lengths()})
        shorter = x[ends[1]] - [0.8, 0.0]
        boundary = Boundary.free(net.n_nodes, 2).clamp(ends[0], x[ends[0]]).clamp(ends[1], shorter)
        result = multigrid.relax(posed(material, boundary))
        assert result.converged.all()
        assert (result.curvature_bound > 0).all()
        assert result.indefinite[0] > 0
        assert np.ptp(result.state[0, :, 1]) > np.ptp(x[:, 1]) + 0.5
        np.testing.assert_allclose(result.energy, newton.relax(posed(material, boundary)).energy, rtol=1e-8)

    def test_a_saddle_at_rest_is_left(self):
        net = jittered_grid(16)
        material = Material(net, CONDUCTANCE, {"k": 0.01}, node_law=DOUBLE_WELL, node_parameters={"h": 0.4})
        boundary = Boundary.free(net.n_nodes, 1).clamp([0], 0.0)
        result = multigrid.relax(posed(material, boundary, start=np.zeros((1, net.n_nodes, 1))))
        assert result.converged.all()
        assert result.indefinite[0] > 0
        assert np.abs(result.state[0, 1:]).max() > 0.9

    def test_a_lone_node_is_singular(self):
        net = jittered_grid(16)
        wider = Network(np.concatenate([net.positions, [[2.0, 2.0]]]), net.edges)
        boundary = Boundary.free(wider.n_nodes, 1).clamp(net.nodes("left"), 1.0).clamp(net.nodes("right"), 0.0)
        result = multigrid.relax(posed(Material(wider, CONDUCTANCE, {"k": 1.0}), boundary))
        assert (result.status == Status.SINGULAR).all()
        assert (result.curvature_bound <= 1e-12).all()

    def test_floppy_squares_do_not_pass_as_a_minimum(self):
        net = square((20, 20))
        material = Material(net, SPRING, {"k": 1.0, "l": 1.0})
        left = np.flatnonzero(net.positions[:, 0] == 0)
        boundary = Boundary.free(net.n_nodes, 2).clamp(left[:2], net.positions[left[:2]])
        result = multigrid.relax(posed(material, boundary))
        assert (result.status == Status.SINGULAR).all()
        assert result.curvature_bound[0] < 1e-12

    def test_no_lower_bound_is_not_a_minimum(self):
        material, boundary = nonlinear("linear")
        result = multigrid.relax(posed(material, boundary.spring([60], 0.9, -30.0), max_iterations=50))
        assert not result.converged.any()
        assert (result.indefinite > 0).all()

    def test_out_of_iterations(self):
        result = multigrid.relax(posed(*nonlinear("springs 2D"), max_iterations=2))
        assert (result.status == Status.OUT_OF_ITERATIONS).all()
        assert (result.residual > 1e-10).all()

    def test_nothing_free_and_no_edges(self):
        material, _ = nonlinear("linear")
        n = material.network.n_nodes
        held = multigrid.relax(posed(material, Boundary.free(n, 1).clamp(np.arange(n), 0.1)))
        assert held.converged.all()
        net = Network(np.arange(3.0)[:, None], np.zeros((0, 2), dtype=int))
        alone = Material(net, CONDUCTANCE, {"k": 1.0}, node_law=ONSITE, node_parameters={"k": 2.0, "b": 1.0})
        np.testing.assert_allclose(multigrid.relax(posed(alone, Boundary.free(3, 1))).state, 0.5)


class TestChoice:
    def test_large_networks_come_here(self):
        material, boundary = linear("flow 2D", 4000, 0.5)
        assert material.relax(boundary).method == "multigrid"
        assert material.relax(boundary.sample(0)).method == "multigrid"

    def test_small_ones_and_batches_do_not(self):
        material, boundary = linear("flow 2D", 100, 0.5)
        assert material.relax(boundary).method == "fused"
        large, _ = linear("flow 2D", 4000, 0.5)
        net = large.network
        two = Boundary.free(net.n_nodes, 1, 2).clamp(net.nodes("left"), [[[1.0]], [[2.0]]])
        assert large.relax(two).method == "newton"
        assert not multigrid.can_relax(posed(large, two))
        boxed = Material(net, CONDUCTANCE, {"k": 1.0}, box=(0.0, 1.0))
        assert not multigrid.can_relax(posed(boxed, two.sample(0)))

    def test_what_is_too_hard_is_factored(self, monkeypatch):
        material, boundary = linear("elastic 2D", 400, 0.5)
        problem = posed(material, boundary)
        easy = multigrid.relax(problem)
        monkeypatch.setattr(multigrid, "SLOW", 2)
        monkeypatch.setattr(multigrid, "MAX_PRODUCTS", 3)
        hard = multigrid.relax(problem)
        assert (easy.method, hard.method) == ("multigrid", "newton")
        np.testing.assert_allclose(hard.state, easy.state, atol=1e-9)

    def test_the_past_does_not_matter(self):
        """Stiffnesses of any contrast in between leave no trace, although the hierarchy is kept."""
        material, boundary = linear("flow 2D", 2000, 0.5)
        other = 10 ** np.random.default_rng(5).uniform(-3, 3, material.network.n_edges)
        before = multigrid.relax(posed(material, boundary))
        multigrid.relax(posed(material, boundary, stiffness=other))
        after = multigrid.relax(posed(material, boundary))
        np.testing.assert_array_equal(after.state, before.state)

    def test_a_kept_hierarchy_that_is_slow_is_replaced(self):
        material, boundary = linear("flow 2D", 4000, 0.5)
        soft = np.where(material.network.positions[material.network.edges].mean(axis=1)[:, 1] % 0.2 < 0.1, 1e-4, 1e2)
        result = multigrid.relax(posed(material, boundary, stiffness=soft, tolerance=1e-12))
        changed = Material(material.network, CONDUCTANCE, {"k": soft})
        assert result.converged.all()
        reference = solved(changed, boundary)
        assert np.abs(result.state - reference).max() <= 1e-8 * np.abs(reference).max()

    def test_methods_are_interchangeable(self):
        material, boundary = linear("elastic 2D", 700, 0.5)
        states = [material.relax(boundary, method=name).state for name in ("multigrid", "fused", "newton")]
        np.testing.assert_allclose(states[1], states[0], atol=1e-9)
        np.testing.assert_allclose(states[2], states[0], atol=1e-9)
        assert set(relaxation.METHODS) >= {"multigrid", "fused"}
