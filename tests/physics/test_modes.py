import numpy as np
import pytest

from sandbox.errors import NetworkError
from sandbox.physics import modes
from sandbox.physics.boundary import Boundary
from sandbox.physics.graphs.lattices import cubic, square, triangular
from sandbox.physics.laws import ONSITE, SPRING, EdgeLaw
from sandbox.physics.material import Material
from sandbox.physics.modes import hessian, normal_modes, stable_time_step
from sandbox.physics.network import Network

CURVED = EdgeLaw("k/2*d**2 + k/4*d**4", ("k",))


def chain(n: int) -> Network:
    shifts = np.zeros((n, 1))
    shifts[-1] = n
    return Network(np.arange(n)[:, None], np.stack([np.arange(n), np.roll(np.arange(n), -1)], axis=1), shifts)


def test_chain_in_closed_form():
    n, k, m = 10, 1.3, 0.7
    material = Material(chain(n), SPRING, {"k": k, "l": 1.0})
    found = normal_modes(material, Boundary.free(n, 1), masses=m)
    exact = np.sort(2 * np.sqrt(k / m) * np.abs(np.sin(np.pi * np.arange(n) / n)))
    np.testing.assert_allclose(found.frequencies[1:], exact[1:], rtol=1e-12)
    assert abs(found.frequencies[0]) < 1e-7  # square root of the rounding of zero
    overlaps = m * np.einsum("anc,bnc->ab", found.shapes, found.shapes)
    np.testing.assert_allclose(overlaps, np.eye(n), rtol=0, atol=1e-12)
    assert stable_time_step(material, masses=m) == pytest.approx(2 / exact[-1], rel=1e-14)


@pytest.mark.parametrize("kind", ["1D", "2D", "2D linearized", "3D", "differences"])
def test_hessian_against_differences_of_the_energy(kind):
    network = {
        "1D": lambda: chain(5),
        "2D": lambda: triangular((2, 2), periodic=True),
        "2D linearized": lambda: triangular((2, 2), periodic=True),
        "3D": lambda: cubic((2, 2, 1)),
        "differences": lambda: square((3, 2)),
    }[kind]()
    rng = np.random.default_rng(4)
    law = CURVED if kind == "differences" else SPRING
    parameters = {"k": rng.uniform(0.5, 2, network.n_edges), "l": 0.9}
    material = Material(
        network,
        law,
        {name: parameters[name] for name in law.parameters},
        linearized="linearized" in kind,
        node_law=ONSITE,
        node_parameters={"k": 0.3, "b": 0.1},
    )
    dim = material.components
    x = material.rest_state() + 0.1 * rng.normal(size=(network.n_nodes, dim))
    boundary = Boundary.free(network.n_nodes, dim).spring([0, 1], 0.2, 0.4).pair_spring([[0, 3], [2, 1]], 0.7, -0.2)

    def energy(flat: np.ndarray) -> float:
        s = flat.reshape(1, *x.shape)
        stretch = material.measure_pairs(s, boundary.pairs) - boundary.pair_targets
        outside = boundary.spring_stiffness / 2 * (s - boundary.spring_targets) ** 2
        return float((material.energy(s) + (boundary.pair_stiffness / 2 * stretch**2).sum() + outside.sum())[0])

    h, steps = 1e-4, np.eye(x.size) * 1e-4
    numerical = np.array(
        [
            [
                sum(a * b * energy(x.ravel() + a * i + b * j) for a in (1, -1) for b in (1, -1)) / (4 * h * h)
                for j in steps
            ]
            for i in steps
        ]
    )
    # The difference formula errs by h^2/6 times fourth derivatives, up to 30 here, and by rounding, 1e-15/h^2.
    exact = hessian(material, x, boundary=boundary).toarray()
    np.testing.assert_allclose(exact, numerical, rtol=0, atol=2e-6)
    np.testing.assert_allclose(exact, exact.T, rtol=0, atol=1e-14)


def test_clamped_components_do_not_move():
    network = triangular((3, 2))
    material = Material(network, SPRING, {"k": 1.0, "l": 1.0})
    left = network.nodes("left")
    boundary = Boundary.free(network.n_nodes, 2).clamp(left, network.positions[left])
    found = normal_modes(material, boundary, count=3)
    assert found.shapes.shape == (3, network.n_nodes, 2)
    assert (found.shapes[:, left] == 0).all()
    assert (found.frequencies > 0.01).all()
    everything = normal_modes(material, boundary)
    np.testing.assert_allclose(everything.frequencies[:3], found.frequencies, rtol=1e-10)
    bound = stable_time_step(material, boundary=boundary)
    assert 0.6 < bound / (2 / everything.frequencies[-1]) <= 1


def test_unstable_states_have_negative_frequencies():
    network = Network(np.array([[0.0, 0], [1, 0], [2, 0]]), np.array([[0, 1], [1, 2]]))
    compressed = Material(network, SPRING, {"k": 1.0, "l": 1.5})
    boundary = Boundary.free(3, 2).clamp([0, 2], network.positions[[0, 2]])
    found = normal_modes(compressed, boundary)
    # Along: 2k. Across: two bonds of tension -0.5 and length 1 push the node out, -2*0.5.
    np.testing.assert_allclose(found.frequencies, [-1, np.sqrt(2)], rtol=1e-12)


def test_nothing_pulls():
    material = Material(Network(np.zeros((2, 1)), np.zeros((0, 2), dtype=int)), SPRING, {"k": 1.0, "l": 1.0})
    assert stable_time_step(material) == np.inf
    held = Boundary.free(2, 1).clamp([0, 1], 0.0)
    assert normal_modes(material, held).frequencies.shape == (0,)


def test_errors(monkeypatch):
    material = Material(chain(4), SPRING, {"k": 1.0, "l": 1.0})
    free = Boundary.free(4, 1)
    with pytest.raises(NetworkError, match=r"node 2 has the mass -1\.0"):
        normal_modes(material, free, masses=[1, 1, -1, 1])
    with pytest.raises(NetworkError, match="state has shape"):
        normal_modes(material, free, state=np.zeros((3, 1)))
    monkeypatch.setattr(modes, "MAX_DENSE", 3)
    with pytest.raises(NetworkError, match="limit is 3"):
        normal_modes(material, free)
