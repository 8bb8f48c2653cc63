import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import spsolve

from sandbox.physics import assembly
from sandbox.physics.assembly import widest_front
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.graphs.delaunay import delaunay, jittered_grid
from sandbox.physics.graphs.random_graphs import random_graph
from sandbox.physics.knobs import Coupling, Knobs
from sandbox.physics.landscape import Landscape
from sandbox.physics.laws import CONDUCTANCE, DIODE, ONSITE, POWER_LAW, SPRING, EdgeLaw, NodeLaw
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.relaxation import fused, newton
from sandbox.physics.relaxation.krylov import conjugate_gradients
from sandbox.physics.relaxation.problem import Problem, pose

pytestmark = [
    pytest.mark.filterwarnings("ignore:'locale.getdefaultlocale':DeprecationWarning"),  # Taichi, as it is imported
    pytest.mark.filterwarnings("ignore:.*[Cc]alling non-taichi function"),  # laws are plain functions on purpose
]

REST_LENGTH = EdgeLaw("k/2*(r - l)**2", ("k", "l"), stiffness="l")
DOUBLE_WELL = NodeLaw("h*(s**2 - 1)**2", ("h",))
FLOW_KINDS = ("linear", "power 0.54", "power 2", "diode", "onsite", "double well")
ELASTIC_KINDS = ("springs 2D", "springs 3D", "linearized")


def posed(material: Material, boundary: Boundary, **options) -> Problem:
    given = {"stiffness": None, "knobs": None, "start": None, "tolerance": 1e-10, "max_iterations": 500}
    return pose(material, boundary, **(given | options))


def both(material: Material, boundary: Boundary, **options) -> tuple[Equilibrium, Equilibrium]:
    problem = posed(material, boundary, **options)
    return newton.relax(problem), fused.relax(problem)


def flow(kind: str, batch: int = 3, side: int = 6) -> tuple[Material, Boundary]:
    rng = np.random.default_rng(3)
    net = jittered_grid(side)
    k = rng.uniform(0.5, 2, net.n_edges)
    law, others = {
        "power 0.54": (POWER_LAW, {"n": 0.54, "delta": 1e-3}),
        "power 2": (POWER_LAW, {"n": 2.0, "delta": 1e-3}),
        "diode": (DIODE, {"vt": 0.1, "leak": 1e-3}),
    }.get(kind, (CONDUCTANCE, {}))
    node_law, node_parameters = {
        "onsite": (ONSITE, {"k": 0.3, "b": 0.1}),
        "double well": (DOUBLE_WELL, {"h": 0.4}),
    }.get(kind, (None, None))
    material = Material(
        net, law, {"k": k, **others}, bounds=(0.4, 3.0), node_law=node_law, node_parameters=node_parameters
    )
    left, right = net.nodes("left"), net.nodes("right")
    boundary = Boundary.free(net.n_nodes, 1, batch).clamp(left, rng.uniform(0.3, 1, (batch, 1, 1))).clamp(right, 0.0)
    return material, boundary


def elastic(kind: str, stretch: float = 0.1, batch: int = 3, law: EdgeLaw = SPRING) -> tuple[Material, Boundary]:
    rng = np.random.default_rng(4)
    net = delaunay(rng.uniform(size=(40, 3))) if kind == "springs 3D" else jittered_grid(6)
    k = rng.uniform(0.5, 2, net.n_edges)
    bounds = (0.4, 3.0) if law is SPRING else (0.01, 3.0)
    material = Material(net, law, {"k": k, "l": net.lengths()}, bounds=bounds, linearized=kind == "linearized")
    left, right = net.nodes("left"), net.nodes("right")
    pulls = stretch * np.linspace(1, 0.5, batch)[:, None, None] * np.eye(net.dimension)[0]
    boundary = Boundary.free(net.n_nodes, net.dimension, batch)
    return material, boundary.clamp(left, net.positions[left]).clamp(right, net.positions[right] + pulls)


def column(batch: int = 3) -> tuple[Material, Boundary, np.ndarray]:
    """A slender straight column, compressed by its ends, and its straight states, from which it buckles."""
    x = np.stack([np.arange(6.0), np.zeros(6)], axis=1)
    net = Network(x, np.array([[i, i + 1] for i in range(5)] + [[i, i + 2] for i in range(4)]))
    lengths = np.linspace(4.8, 4.0, batch)
    ends = np.stack([lengths, np.zeros(batch)], axis=1)[:, None]
    material = Material(net, SPRING, {"k": 1.0, "l": net.lengths()}, bounds=(0.1, 10.0))
    straight = x * np.stack([lengths / 5, np.ones(batch)], axis=1)[:, None]
    return material, Boundary.free(6, 2, batch).clamp([0], x[0]).clamp([5], ends), straight


@pytest.fixture
def iterative(monkeypatch):
    """Conjugate gradients at any size; materials made before must not be used, as they keep their assembly."""
    monkeypatch.setattr(assembly, "MAX_FACTORED", -1)


def agree(a: Equilibrium, b: Equilibrium, tolerance: float = 1e-10) -> None:
    assert a.converged.all(), a
    assert b.converged.all(), b
    np.testing.assert_allclose(a.state, b.state, atol=tolerance)
    np.testing.assert_allclose(a.stiffness, b.stiffness, atol=tolerance)
    np.testing.assert_allclose(a.energy, b.energy, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a.stiffness_force, b.stiffness_force, atol=tolerance)


class TestAgainstFused:
    @pytest.mark.parametrize("kind", FLOW_KINDS + ELASTIC_KINDS)
    @pytest.mark.parametrize("outside", ["clamps", "nudges", "negative nudges"])
    def test_same_minimum(self, kind, outside):
        material, boundary = flow(kind) if kind in FLOW_KINDS else elastic(kind)
        if outside != "clamps":
            strength = 0.3 if outside == "nudges" else -0.05
            target = material.rest_state()[[20, 21]] + 0.1  # free in every kind
            boundary = boundary.spring([20, 21], target, strength)
            boundary = boundary.pair_spring([[8, 20], [13, 27]], 0.3, strength)
        a, b = both(material, boundary)
        agree(a, b)
        assert (a.curvature_bound > 0).all()
        np.testing.assert_allclose(a.curvature_bound, b.curvature_bound, rtol=1e-6)
        np.testing.assert_allclose(a.residual, b.residual, atol=1e-10)

    @pytest.mark.parametrize("stretch", [-0.2, 1.0])
    def test_far_from_the_start(self, stretch):
        a, b = both(*elastic("springs 2D", stretch))
        agree(a, b)
        assert (a.indefinite > 0).all() == (stretch < 0)

    def test_random_graph(self):
        net = random_graph(40, 90, seed=2)
        material = Material(net, POWER_LAW, {"k": 1.0, "n": 1.5, "delta": 1e-4})
        agree(*both(material, Boundary.free(40, 1, 2).clamp([0, 1], [[1.0, 0.0], [0.3, -1.0]]).push([5], 0.1)))

    def test_rollers_and_forces(self):
        material, boundary = elastic("springs 2D")
        agree(*both(material, boundary.clamp([12, 13], 0.4, [1]).push([20], [0.01, 0.02])))


class TestFlow:
    @pytest.mark.parametrize("side", [3, 10, 32, 100])
    def test_against_a_sparse_solve(self, side):
        material, boundary = flow("linear", batch=3, side=side)
        result = newton.relax(posed(material, boundary))
        reference = solved(material, boundary)
        assert result.converged.all()
        assert np.abs(result.state - reference).max() <= 1e-10 * np.abs(reference).max()

    @pytest.mark.parametrize("side", [3, 32, 100])
    @pytest.mark.usefixtures("iterative")
    def test_conjugate_gradients(self, side):
        material, boundary = flow("linear", batch=2, side=side)
        result = newton.relax(posed(material, boundary))
        reference = solved(material, boundary)
        assert result.converged.all()
        assert np.abs(result.state - reference).max() <= 1e-9 * np.abs(reference).max()


def solved(material: Material, boundary: Boundary) -> np.ndarray:
    """Kirchhoff's laws by an assembly and a solver of their own."""
    k, n = material.stiffness, material.network.n_nodes
    i, j = material.network.edges.T
    entries = np.concatenate([k, k, -k, -k]), (np.concatenate([i, j, i, j]), np.concatenate([i, j, j, i]))
    laplacian = csc_array(coo_array(entries, shape=(n, n)))
    held = boundary.clamped[:, 0]
    values = np.where(held, boundary.values[..., 0], 0.0)
    values[:, ~held] = spsolve(laplacian[~held][:, ~held], -(laplacian[~held][:, held] @ values[:, held].T)).T
    return values[..., None]


class TestBatch:
    @pytest.mark.parametrize("kind", ["linear", "diode", "springs 2D"])
    def test_one_by_one(self, kind):
        material, boundary = flow(kind, 5) if kind in FLOW_KINDS else elastic(kind, -0.1, 5)
        together = newton.relax(posed(material, boundary))
        for b in range(5):
            alone = newton.relax(posed(material, boundary.sample(b)))
            np.testing.assert_allclose(together.state[b], alone.state[0], atol=1e-10)
            np.testing.assert_allclose(together.energy[b], alone.energy[0], atol=1e-10)
            assert together.iterations[b] == alone.iterations[0]

    def test_in_parts(self, monkeypatch):
        material, boundary = flow("diode", 7)
        whole = newton.relax(posed(material, boundary))
        monkeypatch.setattr(assembly, "MAX_FACTORED", 3 * int((~boundary.clamped).sum()))
        agree(newton.relax(posed(*flow("diode", 7))), whole, 1e-12)

    def test_repeats_bit_for_bit(self):
        first, second = (newton.relax(posed(*elastic("springs 2D", -0.2))) for _ in range(2))
        assert first.state.tobytes() == second.state.tobytes()

    def test_a_failing_sample_leaves_the_others_alone(self):
        material, boundary = flow("diode", 3)
        left = material.network.nodes("left")
        result = newton.relax(posed(material, boundary.clamp(left, np.array([0.5, -1e9, 0.7])[:, None, None])))
        assert result.status.tolist() == [Status.CONVERGED, Status.NOT_FINITE, Status.CONVERGED]


FREE = [
    ("linear", "quadratic", 0.3),
    ("linear", "log", 0.3),
    ("linear", "quadratic", 5.0),
    ("linear", "log", 5.0),
    ("power 2", "quadratic", 5.0),
    ("springs 2D", "quadratic", 100.0),
    ("rest length", "quadratic", 0.1),
    ("rest length", "log", 0.3),
]


def free(kind: str, coupling: Coupling, compliance: float, batch: int) -> tuple[Material, Boundary, Knobs]:
    if kind == "rest length":
        material, boundary = elastic("springs 2D", 0.2, batch, REST_LENGTH)
    elif kind == "springs 2D":
        material, boundary = elastic("springs 2D", 0.2, batch)
    else:
        material, boundary = flow(kind, batch)
        boundary = boundary.spring([15], np.random.default_rng(0).uniform(size=(batch, 1)), 0.5)
    return material, boundary, Knobs(material.stiffness, compliance, coupling)


class TestFreeStiffness:
    @pytest.mark.parametrize(("kind", "coupling", "compliance"), FREE)
    def test_one_sample_as_fused(self, kind, coupling, compliance):
        material, boundary, knobs = free(kind, coupling, compliance, 1)
        a, b = both(material, boundary, knobs=knobs)
        agree(a, b, 1e-9)
        if compliance >= 5.0 and kind != "power 2":
            assert np.isin(a.stiffness, np.concatenate(material.bounds)).any() == (coupling == "quadratic")
        assert np.abs(a.stiffness - knobs.values).max() > 1e-3

    @pytest.mark.parametrize(("kind", "coupling", "compliance"), FREE)
    def test_batch_as_alternation(self, kind, coupling, compliance):
        material, boundary, knobs = free(kind, coupling, compliance, 5)
        result = newton.relax(posed(material, boundary, knobs=knobs, tolerance=1e-12))
        state, stiffness = alternation(material, boundary, knobs)
        assert result.converged.all()
        np.testing.assert_allclose(result.state, state, atol=1e-9)
        np.testing.assert_allclose(result.stiffness, stiffness, atol=1e-9)
        held = fused.relax(posed(material, boundary, stiffness=stiffness, tolerance=1e-12))
        np.testing.assert_allclose(result.energy, held.energy, atol=1e-9)
        np.testing.assert_allclose(result.stiffness_force, held.stiffness_force, atol=1e-9)

    def test_batch_as_a_joint_minimization(self):
        material, boundary, knobs = free("linear", "quadratic", 1.0, 5)
        result = newton.relax(posed(material, boundary, knobs=knobs))
        held, shape = boundary.clamped, boundary.values.shape

        def unpack(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            state = boundary.values.copy()
            state[:, ~held] = x[material.network.n_edges :].reshape(shape[0], -1)
            return x[: material.network.n_edges], state

        def joint(x: np.ndarray) -> tuple[float, np.ndarray]:
            theta, state = unpack(x)
            drop = material.measure_edges(state)
            off = state - boundary.spring_targets
            energy = material.energy(state, theta) + (boundary.spring_stiffness / 2 * off**2).sum(axis=(1, 2))
            forces = boundary.spring_stiffness * off
            i, j = material.network.edges.T
            np.add.at(forces, (slice(None), j, 0), theta * drop)
            np.add.at(forces, (slice(None), i, 0), -theta * drop)
            along_theta = (theta - knobs.values) / knobs.compliance + (drop**2 / 2).mean(axis=0)
            gradient = np.concatenate([along_theta, forces[:, ~held].ravel() / shape[0]])
            return energy.mean() + knobs.energy(theta), gradient

        start = np.concatenate([knobs.values, np.zeros(int((~held).sum()) * shape[0])])
        bounds = [(0.4, 3.0)] * material.network.n_edges + [(None, None)] * (len(start) - material.network.n_edges)
        options = {"ftol": 1e-16, "gtol": 1e-11, "maxiter": 5000, "maxfun": 10000, "maxcor": 50}
        found = minimize(joint, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        theta, state = unpack(found.x)
        np.testing.assert_allclose(result.stiffness, theta, atol=1e-6)
        np.testing.assert_allclose(result.state, state, atol=1e-6)
        assert result.energy.mean() + knobs.energy(result.stiffness) <= found.fun + 1e-13

    def test_beyond_convexity_it_is_still_a_minimum(self):
        stiff, boundary, knobs = free("linear", "quadratic", 30.0, 5)
        material = Material(stiff.network, CONDUCTANCE, {"k": stiff.stiffness}, bounds=(0.1, 10.0))
        held = newton.relax(posed(material, boundary))
        result = newton.relax(posed(material, boundary, knobs=knobs, start=held.state))
        assert result.converged.all()
        assert result.indefinite.max() > 0
        assert (result.curvature_bound > 0).all()

        def eliminated(state: np.ndarray) -> float:
            force = (material.measure_edges(state) ** 2 / 2).mean(axis=0)
            theta = np.clip(knobs.values - knobs.compliance * force, 0.1, 10.0)
            spring = boundary.spring_stiffness / 2 * (state - boundary.spring_targets) ** 2
            return (material.energy(state, theta) + spring.sum(axis=(1, 2))).mean() + knobs.energy(theta)

        lowest = eliminated(result.state)
        rng = np.random.default_rng(1)
        for size in (1e-4, 1e-2):
            for _ in range(20):
                moved = result.state + size * rng.standard_normal(result.state.shape) * ~boundary.clamped
                assert eliminated(moved) > lowest

    @pytest.mark.usefixtures("iterative")
    @pytest.mark.parametrize("batch", [1, 4])
    def test_conjugate_gradients(self, batch):
        material, boundary, knobs = free("rest length", "quadratic", 0.1, batch)
        result = newton.relax(posed(material, boundary, knobs=knobs))
        state, stiffness = alternation(material, boundary, knobs)
        assert result.converged.all()
        np.testing.assert_allclose(result.state, state, atol=1e-8)
        np.testing.assert_allclose(result.stiffness, stiffness, atol=1e-8)

    def test_knobs_without_compliance_hold(self):
        material, boundary = flow("diode")
        knobs = Knobs(material.stiffness, 0.0)
        result = newton.relax(posed(material, boundary, knobs=knobs))
        agree(result, newton.relax(posed(material, boundary)), 1e-14)


def alternation(material: Material, boundary: Boundary, knobs: Knobs) -> tuple[np.ndarray, np.ndarray]:
    """States at fixed stiffnesses, stiffnesses at fixed states, in turns until neither moves."""
    theta, state = knobs.values.copy(), None
    fixed = [material.parameters[name] for name in material.law.fixed]
    low, high = material.bounds
    for _ in range(2000):
        state = fused.relax(posed(material, boundary, stiffness=theta, start=state, tolerance=1e-13)).state
        before, v = theta, material.measure_edges(state)
        for _ in range(30):
            terms = material.law.on_numpy(v, theta, *fixed)
            first, second = terms[3].mean(axis=0), terms[4].mean(axis=0)
            if knobs.coupling == "log":
                slope = np.log(theta / knobs.values) / knobs.compliance + first * theta
                bend = 1 / knobs.compliance + second * theta**2 + first * theta
                theta = np.clip(theta * np.exp(-slope / bend), low, high)
            else:
                slope = (theta - knobs.values) / knobs.compliance + first
                theta = np.clip(theta - slope / (1 / knobs.compliance + second), low, high)
        if np.abs(theta - before).max() < 1e-13:
            break
    assert state is not None
    return state, theta


class TestMinima:
    def test_a_straight_column_buckles(self):
        material, boundary, straight = column()
        result = newton.relax(posed(material, boundary, start=straight))
        assert result.converged.all()
        assert (result.indefinite > 0).all()
        assert (np.abs(result.state[..., 1]).max(axis=1) > 0.1).all()
        assert (result.energy < 0.1 * material.energy(straight)).all()

    @pytest.mark.usefixtures("iterative")
    def test_a_straight_column_buckles_by_conjugate_gradients(self):
        material, boundary, straight = column()
        result = newton.relax(posed(material, boundary, start=straight))
        assert result.converged.all()
        np.testing.assert_allclose(result.energy, fused.relax(posed(material, boundary)).energy, atol=1e-10)

    def test_a_column_of_free_stiffness_buckles(self):
        material, boundary, straight = column()
        result = newton.relax(posed(material, boundary, start=straight, knobs=Knobs(material.stiffness, 0.1)))
        assert result.converged.all()
        assert (np.abs(result.state[..., 1]).max(axis=1) > 0.1).all()

    def test_a_saddle_at_rest_is_left(self):
        material, boundary = flow("double well", 1)
        every = np.arange(1, material.network.n_nodes)
        alone = Boundary.free(material.network.n_nodes, 1).clamp([0], 0.0)
        result = newton.relax(posed(material, alone, start=np.zeros(boundary.values.shape)))
        assert result.converged.all()
        assert np.abs(result.state[0, every]).max() > 0.5

    @pytest.mark.parametrize("method", ["direct", "conjugate gradients"])
    def test_a_lone_node_is_singular(self, method, monkeypatch):
        if method != "direct":
            monkeypatch.setattr(assembly, "MAX_FACTORED", -1)
        net = jittered_grid(6)
        wider = Network(np.concatenate([net.positions, [[2.0, 2.0]]]), net.edges)
        lonely = Material(wider, CONDUCTANCE, {"k": 1.0})
        held = Boundary.free(wider.n_nodes, 1, 2).clamp(net.nodes("left"), 1.0).clamp(net.nodes("right"), 0.0)
        result = newton.relax(posed(lonely, held))
        assert (result.status == Status.SINGULAR).all()
        assert (result.curvature_bound <= 1e-12).all()

    def test_no_lower_bound_is_not_a_minimum(self):
        material, boundary = flow("linear")
        result = newton.relax(posed(material, boundary.spring([15], 0.9, -30.0), max_iterations=50))
        assert (result.status == Status.OUT_OF_ITERATIONS).all()
        assert (result.indefinite > 0).all()

    def test_out_of_iterations(self):
        result = newton.relax(posed(*elastic("springs 2D", 0.5), max_iterations=2))
        assert (result.status == Status.OUT_OF_ITERATIONS).all()
        assert (result.residual > 1e-10).all()

    def test_nothing_free(self):
        material, _ = flow("linear")
        n = material.network.n_nodes
        result = newton.relax(posed(material, Boundary.free(n, 1, 2).clamp(np.arange(n), 0.1)))
        assert result.converged.all()
        assert (result.iterations == 1).all()

    def test_no_edges(self):
        net = Network(np.arange(3.0)[:, None], np.zeros((0, 2), dtype=int))
        material = Material(net, CONDUCTANCE, {"k": 1.0}, node_law=ONSITE, node_parameters={"k": 2.0, "b": 1.0})
        result = newton.relax(posed(material, Boundary.free(3, 1, 2)))
        np.testing.assert_allclose(result.state, 0.5)

    def test_a_box_is_not_for_newton(self):
        material, boundary = flow("linear")
        boxed = Material(material.network, CONDUCTANCE, {"k": 1.0}, box=(0.0, 1.0))
        assert newton.can_relax(posed(material, boundary))
        assert not newton.can_relax(posed(boxed, boundary))


class TestConjugateGradients:
    @pytest.mark.usefixtures("iterative")
    @pytest.mark.parametrize("kind", ["power 2", "diode", "springs 2D", "springs 3D", "linearized"])
    def test_same_minimum(self, kind):
        material, boundary = flow(kind) if kind in FLOW_KINDS else elastic(kind)
        agree(*both(material, boundary), 1e-8)

    def test_a_definite_system(self):
        rng = np.random.default_rng(0)
        root = rng.standard_normal((20, 20))
        matrix, right = root @ root.T + np.eye(20), rng.standard_normal((20, 3))
        right[:, 1] = 0.0
        found = conjugate_gradients(matrix.__matmul__, np.copy, right, np.full(3, 1e-10), np.ones((20, 1)), 200)
        assert found.solved.all()
        assert not found.negative.any()
        np.testing.assert_allclose(found.x, np.linalg.solve(matrix, right), atol=1e-9)
        assert found.lowest[0] >= np.linalg.eigvalsh(matrix)[0]

    def test_an_indefinite_system(self):
        matrix = np.diag(np.append(np.arange(1.0, 10.0), -0.01))
        right = np.ones((10, 1))
        found = conjugate_gradients(matrix.__matmul__, np.copy, right, np.full(1, 1e-10), np.ones((10, 1)), 200)
        direction = found.direction[:, 0]
        assert found.negative[0]
        assert direction @ matrix @ direction < 0


class TestLandscape:
    @pytest.mark.parametrize("kind", ["diode", "double well", "springs 2D", "springs 3D", "free", "linearized"])
    def test_derivatives(self, kind):
        knobs = None
        if kind == "free":
            material, boundary, knobs = free("rest length", "log", 0.3, 1)
        else:
            material, boundary = flow(kind, 1) if kind in FLOW_KINDS else elastic(kind, batch=1)
        last = material.components - 1
        boundary = boundary.clamp([14], 0.2, [last]).pair_spring([[8, 20]], 0.3, 0.7).spring([21], 0.1, 0.4)
        problem = posed(material, boundary, knobs=knobs)
        landscape, one = Landscape(problem), np.zeros(1, dtype=int)
        maps = landscape.assembly
        rng = np.random.default_rng(0)
        state = problem.start.reshape(1, -1) + maps.spread(0.02 * rng.standard_normal((maps.n_free, 1)))
        point = landscape.at(state, one)
        move, h = rng.standard_normal((maps.n_free, 1)), 1e-6
        up, down = (landscape.at(state + sign * h * maps.spread(move), one) for sign in (1, -1))
        slope = (up.energy + up.knob_energy - down.energy - down.knob_energy) / (2 * h)
        np.testing.assert_allclose(np.sum(point.gradient * move), slope[0], rtol=1e-6)
        hessian = maps.block_diagonal(landscape.hessians(point).values)
        scale = np.abs(hessian @ move).max()
        np.testing.assert_allclose(hessian @ move, (up.gradient - down.gradient) / (2 * h), atol=1e-6 * scale)
        assert abs(hessian - hessian.T).max() == 0

    def test_wide_fronts_are_told_from_narrow_ones(self):
        path = np.stack([np.arange(99), np.arange(1, 100)], axis=1)
        assert widest_front(path, 100) <= 2
        assert widest_front(jittered_grid(20).edges, 400) < 80
        assert widest_front(random_graph(400, 1200).edges, 400) > 120
