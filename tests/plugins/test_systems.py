"""The built-in systems against references that share no code with them."""

import math

import mpmath
import numpy as np
import pytest
from sandbox_elastic_network import ElasticNetwork
from sandbox_flow_network import FlowNetwork
from sandbox_spring_lattice import SpringLattice
from scipy.optimize import minimize, root
from scipy.sparse import coo_array

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.physics.boundary import Boundary
from sandbox.physics.forces import Forces
from sandbox.physics.graphs import fcc, jittered_grid, random_graph, square, triangular
from sandbox.physics.landscape import Landscape
from sandbox.physics.laws import CONDUCTANCE, DIODE, LOAD, ONSITE, POWER_LAW, SPRING, EdgeLaw, NodeLaw
from sandbox.physics.material import Material
from sandbox.physics.modes import hessian
from sandbox.physics.network import Network
from sandbox.physics.relaxation.problem import pose
from sandbox.terminals import Terminals

SAME = 1e-8
"""Of states and energies of order 1 found by two solvers: each is converged to 1e-10 of the forces or better, and the
networks' conditioning takes two digits."""

ROUNDING = 1e-12
"""Of sums of some hundred terms of order 1."""


# Flow networks.


def flow(law: str, **settings) -> tuple[Material, Boundary]:
    net = jittered_grid(5, seed=7)
    system = FlowNetwork(law=law, **settings).build(net, np.random.default_rng(3))
    left, right = net.nodes("left"), net.nodes("right")
    values = np.linspace(1.0, 1.6, len(left))[None, :, None]
    return system, Boundary.free(net.n_nodes, 1).clamp(left, values).clamp(right, 0.0)


def balanced(system: Material, boundary: Boundary, flow_of, start: np.ndarray) -> np.ndarray:
    """State (N,) at which what flows into every free node flows out, by SciPy."""
    i, j = system.network.edges.T
    free = ~boundary.clamped[:, 0]

    def spread(x: np.ndarray) -> np.ndarray:
        s = boundary.values[0, :, 0].copy()
        s[free] = x
        return s

    def surplus(x: np.ndarray) -> np.ndarray:
        s = spread(x)
        q, total = flow_of(s[j] - s[i], system.stiffness), np.zeros(len(s))
        np.add.at(total, j, q)
        np.subtract.at(total, i, q)
        return total[free]

    found = root(surplus, start[free], tol=1e-14)
    assert np.abs(found.fun).max() < 1e-12
    return spread(found.x)


def linear_start(system: Material, boundary: Boundary) -> np.ndarray:
    plain = Material(system.network, CONDUCTANCE, {"k": system.stiffness})
    return plain.relax(boundary).state[0, :, 0]


@pytest.mark.parametrize("n", [1 / 1.852, 0.8, 2.0])
def test_power_law(n):
    """The rounding of the law, over drops of 1e-8, is below the (delta/d)^2 of the smallest drop."""
    system, boundary = flow("power", exponent=n)
    state = system.relax(boundary).state[0, :, 0]
    i, j = system.network.edges.T
    reference = balanced(system, boundary, lambda d, k: k * np.sign(d) * np.abs(d) ** n, linear_start(system, boundary))
    assert np.abs(reference[j] - reference[i])[~boundary.clamped[i, 0] | ~boundary.clamped[j, 0]].min() > 1e-4
    np.testing.assert_allclose(state, reference, rtol=0, atol=SAME)


def test_diode():
    system, boundary = flow("diode", thermal_voltage=0.3, leak=0.02)
    state = system.relax(boundary).state[0, :, 0]
    reference = balanced(
        system, boundary, lambda d, k: 0.02 * d - k * 0.3 * np.expm1(-d / 0.3), linear_start(system, boundary)
    )
    np.testing.assert_allclose(state, reference, rtol=0, atol=SAME)
    # A diode is no resistor: reversing the drive changes more than the sign.
    back = system.relax(
        Boundary.free(25, 1).clamp(np.flatnonzero(boundary.clamped), -boundary.values[:, boundary.clamped[:, 0]])
    )
    assert np.abs(back.state[0, :, 0] + state).max() > 1e-2


def test_injected_currents_obey_kirchhoff():
    net = jittered_grid(5, seed=2)
    system = FlowNetwork().build(net, np.random.default_rng(1))
    ground = Boundary.free(25, 1).clamp([24], 0.0)
    apparatus = Apparatus(system, Terminals.pushing([0, 4, 12]), Terminals.at([7]), surroundings=ground)
    bench = Bench(apparatus)
    currents = np.array([0.7, -0.2, 0.4])
    bench.clamp(currents)
    bench.read()
    s = apparatus.settle().state[0, :, 0]
    i, j = net.edges.T
    out = np.zeros(25)
    np.add.at(out, i, system.stiffness * (s[i] - s[j]))
    np.add.at(out, j, system.stiffness * (s[j] - s[i]))
    expected = np.zeros(25)
    expected[[0, 4, 12]] = currents
    expected[24] = -currents.sum()
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-10)  # the relaxation's tolerance on currents of order 1


def test_reciprocity():
    """Linear conductors: the pressure at b of a current at a is that at a of the same current at b."""
    system = FlowNetwork().build(jittered_grid(5, seed=2), np.random.default_rng(1))
    ground = Boundary.free(25, 1).clamp([24], 0.0)
    readings = []
    for a, b in ((3, 16), (16, 3)):
        bench = Bench(Apparatus(system, Terminals.pushing([a]), Terminals.at([b]), surroundings=ground))
        bench.clamp([0.9])
        readings.append(bench.read().item())
    assert readings[0] == pytest.approx(readings[1], rel=1e-10)
    assert abs(readings[0]) > 0.05


# Springs.


def statics(net, system: Material, boundary: Boundary, start: np.ndarray) -> tuple[float, np.ndarray]:
    """Energy and positions at rest, by SciPy: a quasi-Newton descent, polished by a root of the forces."""
    (i, j), dim = net.edges.T, net.dimension
    free = ~boundary.clamped.ravel()
    k, rest = system.parameters["k"], system.parameters["l"]

    def spread(x):
        s = boundary.values[0].ravel().copy()
        s[free] = x
        return s.reshape(-1, dim)

    def energy(x):
        s = spread(x)
        v = s[j] - s[i]
        r = np.sqrt((v**2).sum(axis=1))
        pull = (k * (r - rest) / r)[:, None] * v
        gradient = np.zeros_like(s)
        np.add.at(gradient, j, pull)
        np.subtract.at(gradient, i, pull)
        return 0.5 * (k * (r - rest) ** 2).sum(), gradient.ravel()[free]

    rough = minimize(energy, start.ravel()[free], jac=True, method="L-BFGS-B", options={"maxiter": 20000})
    polished = root(lambda x: energy(x)[1], rough.x, tol=1e-14)
    assert np.abs(energy(polished.x)[1]).max() < 1e-12
    return energy(polished.x)[0], spread(polished.x)


@pytest.mark.parametrize("dim", [2, 3])
def test_elastic_statics(dim):
    """Rest lengths that do not fit, and a pull of 8 per cent: true geometry."""
    net = jittered_grid(5, seed=5) if dim == 2 else fcc((2, 2, 2))
    part = ElasticNetwork(stiffness={"low": 0.5, "high": 2.0}, prestrain=0.03)
    system = part.build(net, np.random.default_rng(2))
    left, right = net.nodes("left"), net.nodes("right")
    pull = 0.08 * np.ptp(net.positions[:, 0]) * np.eye(dim)[0]
    boundary = (
        Boundary.free(net.n_nodes, dim).clamp(left, net.positions[left]).clamp(right, net.positions[right] + pull)
    )
    result = system.relax(boundary, tolerance=1e-12)
    energy, state = statics(net, system, boundary, net.positions)
    assert result.energy[0] == pytest.approx(energy, rel=SAME)
    np.testing.assert_allclose(result.state[0], state, rtol=0, atol=SAME)
    assert np.abs(state - net.positions)[~boundary.clamped].max() > 0.01


@pytest.mark.parametrize("geometry", ["true", "linearized"])
def test_uniform_stretch(geometry):
    """A lattice whose rim is stretched uniformly is stretched uniformly: every node is a centre of inversion."""
    net = triangular((7, 7))
    system = SpringLattice(stiffness=1.7, geometry=geometry).build(net, np.random.default_rng(0))
    stretch = np.array([[1.06, 0.02], [0.0, 0.97]])
    affine = net.positions @ stretch.T
    rim = np.flatnonzero(net.degrees < 6)
    assert 0 < len(rim) < net.n_nodes - 20
    boundary = Boundary.free(net.n_nodes, 2).clamp(rim, affine[rim])
    result = system.relax(boundary, tolerance=1e-12)
    np.testing.assert_allclose(result.state[0], affine, rtol=0, atol=1e-11)  # tolerance over the contrast of curvatures
    angles = [0.0, math.pi / 3, 2 * math.pi / 3]
    vectors = net.bond_vectors()
    total = 0.0
    for angle in angles:
        e = np.array([math.cos(angle), math.sin(angle)])
        count = int((np.abs(np.abs(vectors @ e) - 1) < 1e-9).sum())
        assert count > 0
        strain = np.linalg.norm(stretch @ e) - 1 if geometry == "true" else e @ stretch @ e - 1
        total += count * 0.5 * 1.7 * strain**2
    assert result.energy[0] == pytest.approx(total, rel=1e-11)


def batches():
    net = jittered_grid(5, seed=5)
    rng = np.random.default_rng(6)
    left, right = net.nodes("left"), net.nodes("right")
    for law in ("linear", "power", "diode"):
        values = rng.uniform(0.2, 1.0, (4, len(left), 1))
        boundary = (
            Boundary.free(25, 1, 4).clamp(left, values).clamp(right, 0.0).spring([12], rng.uniform(0, 1, (4, 1)), 0.3)
        )
        yield pytest.param(FlowNetwork(law=law).build(net, rng), boundary, id=law)
    pulls = net.positions[right] + rng.uniform(0, 0.1, (4, 1, 2))
    boundary = Boundary.free(25, 2, 4).clamp(left, net.positions[left]).clamp(right, pulls)
    boundary = boundary.pair_spring([[7, 17]], rng.uniform(0.3, 0.6, (4, 1)), 0.2)
    yield pytest.param(ElasticNetwork(prestrain=0.02).build(net, rng), boundary, id="elastic")
    grid = triangular((5, 5))
    left, right = grid.nodes("left"), grid.nodes("right")
    pulls = grid.positions[right] + rng.uniform(0, 0.3, (4, 1, 2))
    boundary = Boundary.free(grid.n_nodes, 2, 4).clamp(left, grid.positions[left]).clamp(right, pulls)
    yield pytest.param(SpringLattice(stiffness={"low": 0.5, "high": 1.5}).build(grid, rng), boundary, id="lattice")


@pytest.mark.parametrize(("system", "boundary"), list(batches()))
def test_a_batch_is_its_samples(system, boundary):
    together = system.relax(boundary, method="fused", tolerance=1e-12)
    force = np.zeros_like(together.stiffness_force)
    for b in range(4):
        single = system.relax(boundary.sample(b), method="fused", tolerance=1e-12)
        np.testing.assert_allclose(together.state[b], single.state[0], rtol=0, atol=1e-10)
        assert together.energy[b] == pytest.approx(single.energy[0], rel=1e-10)
        force += single.stiffness_force / 4
    np.testing.assert_allclose(together.stiffness_force, force, rtol=0, atol=1e-10)


# Laws and their derivatives.

ODD = EdgeLaw("k*(cosh((r - l)/w) - 1) + k*sin(r)/20", ("k", "l", "w"))
QUARTIC = EdgeLaw("k/4*(r**2/l - l)**2 + abs(r - l)**3", ("k", "l"))
SOFT = EdgeLaw("sqrt(1 + (k*d)**2) + a*log(1 + exp(d))*k**2 + tanh(d*k)", ("k", "a"))
EDGE_LAWS = {
    "spring": SPRING,
    "rest length": EdgeLaw(SPRING.expression, SPRING.parameters, stiffness="l"),
    "conductance": CONDUCTANCE,
    "power law": POWER_LAW,
    "diode": DIODE,
    "odd": ODD,
    "quartic": QUARTIC,
    "soft": SOFT,
}
VALUES = {"l": 1.1, "n": 0.54, "delta": 1e-3, "vt": 0.3, "leak": 0.05, "w": 0.4, "a": 0.7}
NODE_LAWS = {"load": LOAD, "onsite": ONSITE, "well": NodeLaw("h*(s**2 - 1)**2 + exp(-s)", ("h",))}
DERIVATIVE = 1e-7
"""Relative; 40-digit differences are good to 1e-15, so this leaves room for the rounding of the laws, which
lose digits in differences of nearly equal powers."""

FUNCTIONS = {name: getattr(mpmath, name) for name in ("sqrt", "exp", "log", "sin", "tanh", "cosh")} | {"abs": abs}


def numerical(expression: str, values: dict[str, float], *orders: tuple[str, int]) -> float:
    """A derivative of an energy as it is written, to 40 digits."""
    code = compile(expression, "law", "eval")
    with mpmath.workdps(40):
        exact = {name: mpmath.mpf(value) for name, value in values.items()}

        def energy(*at):
            return eval(
                code, {"__builtins__": {}}, FUNCTIONS | exact | dict(zip([n for n, _ in orders], at, strict=True))
            )

        if not orders:
            return float(energy())
        return float(mpmath.diff(energy, tuple(exact[n] for n, _ in orders), tuple(m for _, m in orders)))


@pytest.mark.parametrize("law", EDGE_LAWS.values(), ids=EDGE_LAWS)
def test_derivatives_of_edge_laws(law):
    rng = np.random.default_rng(1)
    for _ in range(5):
        v, theta = law.variable, law.stiffness
        point = {p: VALUES.get(p, 1.0) * rng.uniform(0.8, 1.2) for p in law.parameters}
        point[v] = float(rng.uniform(0.4, 1.7)) if v == "r" else float(rng.uniform(-1, 1))
        asked = ((), ((v, 1),), ((v, 2),), ((theta, 1),), ((theta, 2),), ((v, 1), (theta, 1)))
        expected = [numerical(law.expression, point, *orders) for orders in asked]
        found = law.on_numpy(point[v], point[theta], *(point[p] for p in law.fixed))
        np.testing.assert_allclose(found, expected, rtol=DERIVATIVE, atol=1e-14)


@pytest.mark.parametrize("law", NODE_LAWS.values(), ids=NODE_LAWS)
def test_derivatives_of_node_laws(law):
    rng = np.random.default_rng(2)
    for _ in range(5):
        point = {p: rng.uniform(0.2, 1.2) for p in law.parameters} | {"s": float(rng.uniform(-1, 1))}
        expected = [numerical(law.expression, point, *orders) for orders in ((), (("s", 1),), (("s", 2),))]
        found = law.on_numpy(point["s"], *(point[p] for p in law.parameters))
        np.testing.assert_allclose(found, expected, rtol=DERIVATIVE, atol=1e-14)


# Forces and Hessians of materials.


def materials():
    rng = np.random.default_rng(8)
    ends = np.array([[n, n + 1] for n in range(5)] + [[0, 2]])
    chain = Network(np.cumsum(rng.uniform(0.8, 1.2, 6))[:, None], ends)
    for dim, net in {1: chain, 2: jittered_grid(3, seed=1), 3: fcc((1, 1, 1))}.items():
        scale = float(net.lengths().mean())
        for name, law in EDGE_LAWS.items():
            if law.variable == "d" and dim != 2:
                continue
            values = {p: VALUES.get(p, 1.0) * rng.uniform(0.8, 1.2, net.n_edges) for p in law.parameters}
            if "l" in values:
                values["l"] *= scale
            if "delta" in values:
                values["delta"] = 0.1  # finite differences need a rounding wider than their step
            components = dim if law.variable == "r" else 1
            onsite = {key: rng.uniform(0.2, 0.5, (net.n_nodes, components)) for key in ("k", "b")}
            for linearized in (False, True) if law.variable == "r" else (False,):
                material = Material(net, law, values, node_law=ONSITE, node_parameters=onsite, linearized=linearized)
                yield pytest.param(material, id=f"{name} {dim}D{' linearized' if linearized else ''}")


def five_points(function, x: np.ndarray, step: float) -> np.ndarray:
    """Derivatives of a function of x (n,) along every axis, (n, ...), with an error of step^4."""
    weights = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    return np.array(
        [sum(w * function(x + m * step * axis) for m, w in weights.items()) / step for axis in np.eye(len(x))]
    )


FINITE = 1e-7
"""Of the largest entry: a fourth-order difference with a step of 1e-3 has an error of about 1e-12 of a fifth derivative
and 1e-13 of rounding."""


@pytest.mark.parametrize("material", list(materials()))
def test_forces_and_hessians(material):
    """Gradient by finite differences of the energy, Hessian by those of the gradient; three implementations of each."""
    rng = np.random.default_rng(3)
    rest = material.rest_state()
    shape, n = rest.shape, rest.size
    span = float(material.network.lengths().mean())
    x = (rest + (0.05 * span if material.law.variable == "r" else 0.5) * rng.standard_normal(shape)).ravel()
    boundary = Boundary.free(*shape)

    def energy(at):
        return material.energy(at.reshape(1, *shape))[0]

    problem = pose(material, boundary, None, None, None, 1e-10, 1)
    landscape, forces = Landscape(problem), Forces(problem)
    order = landscape.assembly.free  # of elimination

    def gradient(at):
        whole = np.empty(n)
        whole[order] = landscape.at(np.ascontiguousarray(at[None]), np.array([0])).gradient[:, 0]
        return whole

    slopes = five_points(energy, x, 1e-3)
    size = np.abs(slopes).max()
    np.testing.assert_allclose(gradient(x), slopes, rtol=0, atol=FINITE * size)
    forces.evaluate(np.ascontiguousarray(x[None]))
    np.testing.assert_allclose(forces.gradient[0], slopes, rtol=0, atol=FINITE * size)
    assert forces.report[0, 0] == pytest.approx(energy(x), rel=ROUNDING, abs=ROUNDING)

    curvatures = five_points(gradient, x, 1e-3)
    size = np.abs(curvatures).max()
    np.testing.assert_allclose(hessian(material, x.reshape(shape)).toarray(), curvatures, rtol=0, atol=FINITE * size)
    point = landscape.at(np.ascontiguousarray(x[None]), np.array([0]))
    values = landscape.hessians(point).values
    assembled = np.empty((n, n))
    assembled[np.ix_(order, order)] = coo_array(landscape.assembly.block_diagonal(values)).toarray()
    np.testing.assert_allclose(assembled, curvatures, rtol=0, atol=FINITE * size)


@pytest.mark.parametrize("turn", ["as listed", "reversed", "at random"])
@pytest.mark.parametrize("drop", [0.5, -0.5])
def test_a_diode_conducts_from_the_first_node_of_its_edge_to_the_second(turn: str, drop: float) -> None:
    """The flow along every edge of two nodes, one at 0 and the other at a pressure, is Shockley's in its drop.

    The flow along an edge, from first to second, is minus its tension.
    """
    pair = Network(np.array([[0.0, 0], [1, 0]]), np.array([[0, 1]] * 8))
    system = FlowNetwork(law="diode", turn=turn, conductance=2.0, thermal_voltage=0.1, leak=0.01).build(
        pair, np.random.default_rng(0)
    )
    first = {"as listed": [0] * 8, "reversed": [1] * 8}.get(turn, system.network.edges[:, 0].tolist())
    assert system.network.edges[:, 0].tolist() == first
    assert (turn == "at random") == (len(set(first)) == 2)
    rest = system.relax(Boundary.free(2, 1).clamp([0, 1], [[drop], [0.0]]))
    along = np.where(np.array(first) == 0, drop, -drop)
    np.testing.assert_allclose(-system.tension(rest.state)[0], 0.2 * np.expm1(along / 0.1) + 0.01 * along, rtol=1e-12)


def test_diodes_turned_at_random_point_both_ways_and_nothing_else_changes() -> None:
    network = random_graph(12, 30, seed=2)
    listed, turned = (
        FlowNetwork(law="diode", turn=turn).build(network, np.random.default_rng(0))
        for turn in ("as listed", "at random")
    )
    flipped = (listed.network.edges != turned.network.edges).any(axis=1)
    assert 8 <= flipped.sum() <= 22
    np.testing.assert_array_equal(listed.network.edges[flipped], turned.network.edges[flipped][:, ::-1])
    np.testing.assert_array_equal(listed.stiffness, turned.stiffness)
    state = np.random.default_rng(1).random((1, 12, 1))
    there, back = listed.measure_edges(state)[0], turned.measure_edges(state)[0]
    np.testing.assert_allclose(there, np.where(flipped, -back, back), rtol=1e-15)


def test_turned_edges_keep_their_periodic_shifts() -> None:
    network = square((4, 4), periodic=True)
    turned = network.turned(np.arange(network.n_edges) % 2 == 0)
    np.testing.assert_allclose(turned.lengths(), network.lengths())
    np.testing.assert_allclose(turned.bond_vectors()[::2], -network.bond_vectors()[::2])
