"""Bonds of no length: their Hessian, and what pulls, swings and strains through r = 0."""

import numpy as np
import pytest

import sandbox
from sandbox.errors import BoundaryError, NetworkError
from sandbox.physics.equilibrium import NotConverged, Status
from sandbox.physics.laws import SPRING, EdgeLaw
from sandbox.physics.modes import hessian, normal_modes, stable_time_step
from sandbox.physics.transverse import CONE, SHORTEST, across
from sandbox.terminals import Terminals

METHODS = ["fused", "newton", "multigrid", "fire"]


def tether(law: EdgeLaw = SPRING, dim: int = 2, **parameters: float) -> tuple[sandbox.Material, sandbox.Boundary]:
    """A bond between two nodes at one place, of which the first is held."""
    network = sandbox.Network(np.full((2, dim), 0.3), np.array([[0, 1]]))
    held = sandbox.Boundary.free(2, dim).clamp([0], network.positions[:1])
    return sandbox.Material(network, law, parameters or {"k": 2.0, "l": 0.0}), held


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [2, 3])
def test_a_pull_from_no_length_goes_by_force_over_stiffness(method: str, dim: int):
    material, held = tether(dim=dim)
    force = np.array([0.6, 0.8, -0.4][:dim])
    rest = material.relax(held.push([1], force[None]), method=method)
    np.testing.assert_allclose(rest.state[0, 1], 0.3 + force / 2.0, rtol=1e-9)
    assert rest.energy[0] + force.sum() * 0.3 == pytest.approx(-(force @ force) / 4.0, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_heap_of_springs_unfolds_evenly(method: str):
    positions = np.array([[0.0, 0], [0, 0], [0, 0], [0, 0], [4, 2]])
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    chain = sandbox.Material(sandbox.Network(positions, edges), SPRING, {"k": 1.0, "l": 0.0})
    ends = sandbox.Boundary.free(5, 2).clamp([0, 4], positions[[0, 4]])
    rest = chain.relax(ends, method=method)
    np.testing.assert_allclose(rest.state[0], np.linspace([0, 0], [4, 2], 5), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_rest_length_made_of_rounding_is_none(method: str):
    """0.1 + 0.2 and 0.3 are one place; the link between them resists in all directions."""
    positions = np.array([[0.0, 0.0], [0.1 + 0.2, 0.0], [0.3, 0.0]])
    network = sandbox.Network(positions, np.array([[0, 1], [1, 2]]))
    assert 0 < network.lengths()[1] < 1e-16
    material = sandbox.Material(network, SPRING, {"k": 1.0, "l": network.lengths()})
    held = sandbox.Boundary.free(3, 2).clamp([0, 1], positions[:2]).push([2], [[0.0, 0.1]])
    rest = material.relax(held, method=method)
    np.testing.assert_allclose(rest.state[0, 2], [0.3, 0.1], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("law", "parameters", "stiffness"),
    [
        (SPRING, {"k": 2.0, "l": 0.0}, 2.0),
        (EdgeLaw("k*(cosh(r/a) - 1)", ("k", "a")), {"k": 3.0, "a": 2.0}, 3.0 / 4.0),
        (EdgeLaw("k/2*r**2 + c*r**3", ("k", "c")), {"k": 3.0, "c": 5.0}, 3.0),
        (EdgeLaw("c*r**4", ("c",)), {"c": 5.0}, 0.0),
        (EdgeLaw("k*(sqrt(r**2 + a**2) - a)", ("k", "a")), {"k": 3.0, "a": 2.0}, 3.0 / 2.0),
    ],
    ids=["spring", "cosh", "cubic", "quartic", "rounded"],
)
@pytest.mark.parametrize("apart", [0.0, 1e-17, 1e-160], ids=["0", "rounding", "underflow"])
def test_the_hessian_at_no_length_is_the_second_derivative_in_every_direction(
    law: EdgeLaw, parameters: dict[str, float], stiffness: float, apart: float
):
    """V''(0), by hand; a tether from the origin, so that 1e-160 is not lost in coordinates."""
    at = 0.0 if apart < 1e-100 else 0.3
    positions = np.array([[at, 0.0], [at + apart, apart]])
    material = sandbox.Material(sandbox.Network(positions, np.array([[0, 1]])), law, parameters)
    block = hessian(material).toarray()[2:, 2:]
    np.testing.assert_allclose(block, stiffness * np.eye(2), rtol=1e-9, atol=1e-15)


def test_small_motions_about_no_length():
    material, held = tether()
    np.testing.assert_allclose(normal_modes(material, held).frequencies, np.sqrt(2.0) * np.ones(2), rtol=1e-12)
    assert stable_time_step(material, boundary=held) == pytest.approx(2 / np.sqrt(2.0), rel=1e-12)


@pytest.mark.parametrize("stiffness", [2.0, 1e12])
def test_swinging_through_no_length(stiffness: float):
    material, held = tether(k=stiffness, l=0.0)
    omega = np.sqrt(stiffness)
    velocities = np.zeros((1, 2, 2))
    velocities[0, 1] = [0.1, -0.2]
    motion = sandbox.simulate(material, held, time_step=0.014 / omega, steps=1000, velocities=velocities, every=100)
    exact = velocities[0, 1] / omega * np.sin(omega * motion.times)[:, None]
    np.testing.assert_allclose(motion.positions[:, 0, 1] - 0.3, exact, rtol=0, atol=2e-4 * 0.2 / omega)


def test_a_stiff_compressed_spring_of_no_length_stays_finite_in_motion():
    material, held = tether(k=1e200, l=1.0)
    motion = sandbox.simulate(material, held, time_step=1e-103, steps=3, every=1)
    assert np.isfinite(motion.positions).all()


@pytest.mark.parametrize("method", ["fused", "newton", "fire"])
def test_a_compressed_spring_of_no_length_is_no_minimum(method: str):
    """The tip of a cone pushes in no direction; the only minima are at the rest length."""
    material, held = tether(k=2.0, l=0.5)
    rest = material.relax(held.spring([1], [[0.3]], 0.1, [0]), method=method)
    # E = k/2 (r - l)^2 + s/2 (x - 0.3)^2 is least straight above and below.
    np.testing.assert_allclose(np.abs(rest.state[0, 1] - 0.3), [0.0, 0.5], rtol=0, atol=1e-8)
    assert rest.indefinite[0] >= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", [0.0, 0.4])
def test_pair_springs_of_nodes_at_one_place(method: str, target: float):
    network = sandbox.Network(np.array([[0.0, 0], [1, 0.5], [1, 0.5]]), np.array([[0, 1], [0, 2]]))
    material = sandbox.Material(network, SPRING, {"k": 0.5, "l": 0.0})
    held = sandbox.Boundary.free(3, 2).clamp([0], [[1.0, 0.5]]).pair_spring([[1, 2]], [[target]], 3.0)
    held = held.spring([1, 2], [[1.0], [1.0]], 0.5, [0]).spring([1, 2], [[0.5], [0.5]], 1.0, [1])
    rest = material.relax(held, method=method)
    # They part along x, where springs are softer, to x/2 on either side: E = 2*(x/2)^2/2 + 3/2 (x - t)^2.
    apart = 3.0 * target / 3.5
    assert material.measure_pairs(rest.state, np.array([[1, 2]]))[0, 0] == pytest.approx(apart, abs=1e-8)


@pytest.mark.parametrize(
    ("expression", "named"),
    [("k/r", "energy"), ("k*r**1.5", "curvature"), ("k*log(r)", "energy")],
)
def test_laws_that_are_singular_at_no_length_are_named_with_the_edge(expression: str, named: str):
    material, held = tether(EdgeLaw(expression, ("k",)), k=1.0)
    with pytest.raises(NotConverged, match=rf"the {named} of edge 0 \(nodes 0 and 1\) is") as caught:
        material.relax(held.push([1], [[0.6, 0.8]]))
    assert caught.value.report.status[0] == Status.NOT_FINITE


def test_the_kernels_rule_is_that_of_numpy():
    import taichi as ti

    from sandbox.physics import runtime
    from sandbox.physics.transverse_kernel import across as in_kernel

    runtime.start()
    lengths = [0.0, 1e-200, SHORTEST / 2, 2 * SHORTEST, 1e-17, 1e-16, 1e-8, 1.0]
    cases = np.array(
        [
            (t, c, r, reach)
            for t in (0.0, -1.0, 1.0, 1e-17, -1e-17, 1e-200)
            for c in (0.0, 1.0, -2.0)
            for r in lengths
            for reach in (0.0, 1e-10, 1.0, 1e12)
        ]
    )
    t, c, r, reach = cases.T.copy()
    ratio = t / np.maximum(r, SHORTEST)
    rows = ti.types.ndarray(dtype=ti.f64, ndim=2)

    @ti.kernel
    def evaluate(given: rows, out: rows):  # pyright: ignore
        for q in range(given.shape[1]):
            out[0, q] = in_kernel(given[0, q], given[1, q], given[2, q], given[3, q], given[4, q])

    out = np.zeros((1, len(t)))
    evaluate(np.stack([ratio, t, c, r, reach]), out)
    np.testing.assert_array_equal(out[0], across(t, c, r, reach))
    assert across(np.array(-1.0), np.array(2.0), np.array(0.0), np.array(1.0)) == -2 * CONE


def test_a_bond_without_direction_is_refused_in_linearized_geometry():
    positions = np.array([[0.0], [1.0], [1.0], [2.0]])
    network = sandbox.Network(positions, np.array([[0, 1], [1, 2], [2, 3]]))
    with pytest.raises(NetworkError, match=r"edge 1 \(nodes 1 and 2\) has no length"):
        sandbox.Material(network, SPRING, {"k": 1.0, "l": 0.0}, linearized=True)
    chain = sandbox.Material(network.keep_edges([0, 2]), SPRING, {"k": 1.0, "l": 1.0}, linearized=True)
    with pytest.raises(BoundaryError, match="nodes 1 and 2 are at one place"):
        chain.relax(sandbox.Boundary.free(4, 1).clamp([0, 3], positions[[0, 3]]).pair_spring([[1, 2]], [[0.0]], 1.0))


def test_strain_of_an_edge_of_no_length_is_not_a_number_and_no_figure():
    network = sandbox.Network(np.array([[0.0], [1.0], [1.0], [2.0]]), np.array([[0, 1], [1, 2], [2, 3]]))
    strain = network.strains(np.array([[0.0], [1.3], [1.6], [2.9]]))
    np.testing.assert_allclose(strain, [0.3, np.nan, 0.3], rtol=1e-12)


def test_the_sensitivity_of_a_chain_that_starts_with_no_length():
    """x2 = F/k0 + F/k1: dx2/dk_i = -F/k_i^2. Without a pull the chain stays a heap, and nothing depends on k."""
    network = sandbox.Network(np.full((3, 2), 0.5), np.array([[0, 1], [1, 2]]))
    k, target = np.array([1.0, 4.0]), np.array([0.7, 0.9])
    chain = sandbox.Material(network, SPRING, {"k": k, "l": 0.0})
    held = sandbox.Boundary.free(3, 2).clamp([0], [[0.5, 0.5]])
    for force in (np.array([0.3, -0.1]), np.zeros(2)):
        boundary = held.push([2], force[None])
        rest = chain.relax(boundary)
        cost = np.zeros_like(rest.state)
        cost[0, 2] = rest.state[0, 2] - target
        exact = -(rest.state[0, 2] - target) @ force / k**2
        np.testing.assert_allclose(chain.sensitivity(rest, boundary, cost), exact, rtol=1e-9, atol=1e-15)


def test_pairs_of_terminals_at_one_place():
    material, _ = tether()
    pair = Terminals.across([(0, 1)])
    # The distance is 0 and has no derivative there: the cost's gradient is taken as zero.
    assert (pair.cost_gradient(material, np.full((1, 2, 2), 0.3), np.array([[0.2]])) == 0).all()
    with pytest.raises(BoundaryError, match="input pair of nodes 0 and 1 is at one place"):
        pair.drive(material, sandbox.Boundary.free(2, 2), np.array([[0.2]]))
