"""The prism against its closed form and SciPy's minimum; slack cables carry nothing."""

import numpy as np
import pytest
from sandbox_tensegrity import Prism, Tensegrity
from scipy.optimize import minimize

from sandbox.errors import NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.material import Material
from sandbox.physics.network import Network

RNG = np.random.default_rng(1)
BOTTOM, TOP, SIDES, STRUTS = (np.arange(k, k + 3) for k in (0, 3, 6, 9))


def put_down(system: Material) -> Boundary:
    """Six components held: the prism cannot move as a whole, and nothing acts on it."""
    held = Boundary.free(6, 3).clamp([0, 1, 2], 0.0, [2])
    x = system.network.positions
    return held.clamp([0], x[:1, :2], [0, 1]).clamp([1], x[1:2, 1:2], [1])


def lengths(system: Material, x: np.ndarray) -> np.ndarray:
    i, j = system.network.edges.T
    return np.linalg.norm(x[j] - x[i], axis=1)


def energy(system: Material, x: np.ndarray) -> float:
    """Written down again: k/2 (r - l)^2 for struts, and for cables that are longer than at rest."""
    stretch = lengths(system, x) - system.parameters["l"]
    cables = np.delete(np.arange(12), STRUTS)
    stretch[cables] = np.maximum(stretch[cables], 0)
    return float((system.stiffness * stretch**2).sum() / 2)


@pytest.mark.parametrize("height", [0.8, 2.5])
@pytest.mark.parametrize("twist", [135.0, 150.0, 165.0])
@pytest.mark.parametrize("strut", [0.5, 20.0])
def test_a_prism_twists_to_150_degrees_and_is_stressed_in_its_one_way(height, twist, strut):
    """A node is in balance where sin(twist - 120) = sin(twist), under tensions per length of 1 in side cables, -1 in
    struts and 1/sqrt(3) in the triangles: Connelly and Terrell 1995.
    """
    system = Tensegrity(strut=strut).build(Prism(height=height, twist=twist).build(RNG), RNG)
    rest = system.relax(put_down(system))
    x = rest.state[0]
    around = x - x[:3].mean(0)
    angle = np.arctan2(around[:, 1], around[:, 0])
    for bottom in range(3):
        turned = np.degrees(angle[3 + (bottom + 1) % 3] - angle[bottom]) % 360
        assert turned == pytest.approx(150, abs=1e-6)
    density = system.tension(rest.state)[0] / lengths(system, x)
    assert density[SIDES].min() > 0
    np.testing.assert_allclose(density / density[SIDES[0]], np.repeat([3**-0.5, 3**-0.5, 1, -1], 3), atol=1e-7)


def test_scipy_finds_the_same_minimum_under_loads_that_leave_cables_slack():
    system = Tensegrity(strain=0.02).build(Prism(twist=140).build(RNG), RNG)
    start = system.network.positions
    feet = Boundary.free(6, 3).clamp([0, 1, 2], start[:3])
    loads = np.zeros((4, 6, 3))
    loads[:, 3:] = np.random.default_rng(2).uniform(-0.2, 0.2, (4, 3, 3))
    slack = 0
    for load in loads:
        rest = system.relax(feet.push([3, 4, 5], load[3:]))

        def total(top: np.ndarray, load: np.ndarray = load) -> float:
            return energy(system, np.concatenate([start[:3], top.reshape(3, 3)])) - load[3:].ravel() @ top

        lowest = minimize(total, start[3:].ravel(), method="BFGS", options={"gtol": 1e-9, "maxiter": 1000})
        assert rest.energy[0] == pytest.approx(lowest.fun, abs=1e-9)
        np.testing.assert_allclose(rest.state[0, 3:].ravel(), lowest.x, atol=1e-5)  # BFGS has differences for slopes
        tension = system.tension(rest.state)[0]
        loose = lengths(system, rest.state[0]) < system.parameters["l"]
        loose[STRUTS] = False
        slack += loose.sum()
        assert (tension[loose] == 0).all()
        assert tension[np.delete(np.arange(12), STRUTS)].min() >= 0
    assert slack >= 4  # it is slack that is tried here


def test_a_cable_pulls_and_does_not_push_and_a_strut_does_both():
    pair = Network(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0, 1]]))
    for struts, pushed in (((), 0.0), ((0,), -0.1)):
        system = Tensegrity(struts=struts, cable=1.0, strut=1.0, strain=0.0).build(pair, RNG)
        for length, tension in ((1.1, 0.1), (1.0, 0.0), (0.9, pushed)):
            state = np.array([[[0.0, 0.0], [length, 0.0]]])
            assert system.tension(state)[0, 0] == pytest.approx(tension, abs=1e-15)


def test_a_strut_that_does_not_exist_is_refused():
    with pytest.raises(NetworkError, match="strut 12 does not exist; edges run from 0 to 11"):
        Tensegrity(struts=(9, 12)).build(Prism().build(RNG), RNG)
