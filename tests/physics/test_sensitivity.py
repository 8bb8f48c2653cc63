from dataclasses import replace

import numpy as np
import pytest

from sandbox.errors import BoundaryError, NetworkError
from sandbox.physics import assembly
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import NotConverged
from sandbox.physics.graphs.delaunay import jittered_grid
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws import CONDUCTANCE, DIODE, ONSITE, SPRING, EdgeLaw
from sandbox.physics.material import Material
from sandbox.physics.relaxation import newton
from sandbox.physics.relaxation.problem import pose
from sandbox.physics.sensitivity import adjoint_gradient

pytestmark = [
    pytest.mark.filterwarnings("ignore:'locale.getdefaultlocale':DeprecationWarning"),  # Taichi, as it is imported
    pytest.mark.filterwarnings("ignore:.*[Cc]alling non-taichi function"),  # laws are plain functions on purpose
]

OUTPUTS = [5, 6, 9]
REST_LENGTH = EdgeLaw("k/2*(r - l)**2", ("k", "l"), stiffness="l")


def relax(material, boundary, stiffness=None, knobs=None, iterations=200):
    return newton.relax(pose(material, boundary, stiffness, knobs, None, 1e-13, iterations))


def case(kind: str, batch: int = 3) -> tuple[Material, Boundary]:
    rng = np.random.default_rng(5)
    net = jittered_grid(4)
    k = rng.uniform(0.5, 2, net.n_edges)
    left, right = net.nodes("left"), net.nodes("right")
    if kind in ("elastic", "linearized", "rest length"):
        law = REST_LENGTH if kind == "rest length" else SPRING
        material = Material(net, law, {"k": k, "l": net.lengths()}, linearized=kind == "linearized")
        boundary = Boundary.free(16, 2, batch).clamp(left, net.positions[left])
        pulls = rng.uniform(0.05, 0.2, (batch, 1, 2))
        return material, boundary.clamp(right, net.positions[right] + pulls)
    law, others = (DIODE, {"vt": 0.1, "leak": 0.01}) if kind == "diode" else (CONDUCTANCE, {})
    node = {"node_law": ONSITE, "node_parameters": {"k": 0.3, "b": 0.1}} if kind == "node law" else {}
    material = Material(net, law, {"k": k, **others}, **node)
    return material, Boundary.free(16, 1, batch).clamp(left, rng.uniform(0.3, 1, (batch, 4, 1))).clamp(right, 0.0)


def cost(state: np.ndarray, wanted: np.ndarray) -> tuple[float, np.ndarray]:
    """Half the squared distance of the outputs from what is wanted, batch mean, and dC/ds of each sample."""
    off = np.zeros_like(state)
    off[:, OUTPUTS] = state[:, OUTPUTS] - wanted
    return float((off**2).sum() / 2 / len(state)), off


def against_differences(material: Material, boundary: Boundary) -> None:
    result = relax(material, boundary)
    wanted = result.state[:, OUTPUTS] + np.random.default_rng(1).uniform(0.05, 0.2, result.state[:, OUTPUTS].shape)
    gradient = adjoint_gradient(material, result, boundary, cost(result.state, wanted)[1])
    theta = material.stiffness
    differences = np.empty_like(theta)
    for e in range(len(theta)):
        h = 1e-4 * theta[e] * np.eye(len(theta))[e]
        values = [cost(relax(material, boundary, theta + m * h).state, wanted)[0] for m in (-2, -1, 1, 2)]
        differences[e] = np.dot([1, -8, 8, -1], values) / (12 * h[e])
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6 * np.abs(differences).max())


@pytest.mark.parametrize("kind", ["linear", "diode", "node law", "elastic", "linearized", "rest length"])
@pytest.mark.parametrize("nudged", [False, True])
def test_finite_differences(kind, nudged):
    material, boundary = case(kind)
    if nudged:
        target = material.rest_state()[[5, 10]]
        boundary = boundary.spring([5, 10], target, 0.2).pair_spring([[5, 10]], 0.4, -0.1)
    against_differences(material, boundary)


@pytest.mark.parametrize("kind", ["linear", "diode", "elastic"])
def test_by_conjugate_gradients(kind, monkeypatch):
    material, boundary = case(kind)
    result = relax(material, boundary)
    pull = np.random.default_rng(0).standard_normal(result.state.shape)
    direct = adjoint_gradient(material, result, boundary, pull)
    monkeypatch.setattr(assembly, "MAX_FACTORED", -1)
    material.caches.clear()
    iterative = adjoint_gradient(material, result, boundary, pull)
    np.testing.assert_allclose(iterative, direct, atol=1e-9 * np.abs(direct).max())


@pytest.mark.parametrize("kind", ["linear", "elastic"])
def test_batch_is_the_mean_of_its_samples(kind):
    material, boundary = case(kind, 4)
    result = relax(material, boundary)
    pull = np.random.default_rng(0).standard_normal(result.state.shape)
    each = [
        adjoint_gradient(material, relax(material, boundary.sample(b)), boundary.sample(b), pull[b : b + 1])
        for b in range(4)
    ]
    together = adjoint_gradient(material, result, boundary, pull)
    np.testing.assert_allclose(together, np.mean(each, axis=0), atol=1e-12 * np.abs(together).max())


def test_relaxed_stiffnesses_are_held():
    material, boundary = case("linear")
    result = relax(material, boundary, knobs=Knobs(material.stiffness, 0.5))
    pull = np.ones_like(result.state)
    held = relax(material, boundary, result.stiffness)
    expected = adjoint_gradient(material, held, boundary, pull)
    np.testing.assert_allclose(adjoint_gradient(material, result, boundary, pull), expected, atol=1e-10)


def test_small_nudges_give_the_same_gradient():
    """Equilibrium propagation: (dE/dtheta at +beta/2 minus that at -beta/2)/beta tends to the gradient as beta**2."""
    material, boundary = case("elastic")
    result = relax(material, boundary)
    wanted = result.state[:, OUTPUTS] + 0.1
    gradient = adjoint_gradient(material, result, boundary, cost(result.state, wanted)[1])
    errors = []
    for beta in (0.1, 0.05):
        up, down = (relax(material, boundary.spring(OUTPUTS, wanted, b)).stiffness_force for b in (beta / 2, -beta / 2))
        errors.append(np.abs((up - down) / beta - gradient).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)


def test_errors():
    material, boundary = case("linear")
    result = relax(material, boundary)
    with pytest.raises(BoundaryError, match="cost gradient has shape"):
        adjoint_gradient(material, result, boundary, np.zeros((3, 16)))
    elastic, stretched = case("elastic")
    with pytest.raises(NotConverged):
        adjoint_gradient(elastic, relax(elastic, stretched, iterations=1), stretched, np.zeros((3, 16, 2)))
    dead = replace(result, stiffness=np.zeros_like(material.stiffness))
    with pytest.raises(NetworkError, match="singular"):
        adjoint_gradient(material, dead, boundary, np.ones((3, 16, 1)))
