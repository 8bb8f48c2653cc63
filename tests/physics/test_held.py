"""Demands on what is held: refused by name, wherever they come from, as they would change nothing."""

from __future__ import annotations

import numpy as np
import pytest

import sandbox
from sandbox.apparatus import Apparatus
from sandbox.errors import BoundaryError, SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics import simulate
from sandbox.physics.laws.library import CONDUCTANCE, SPRING
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.trajectory import Drive
from sandbox.terminals import Terminals

TRIANGLE = Network(np.array([[0.0, 0], [1, 0], [0.5, 0.8]]), np.array([[0, 1], [1, 2], [2, 0]]))
SPRINGS = Material(TRIANGLE, SPRING, {"k": 1.0, "l": TRIANGLE.lengths()})
HELD = Boundary.free(3, 2).clamp([0, 1], TRIANGLE.positions[:2])
DEMANDS = {
    "push": (HELD.push([0], [[0.0, 1e4]]), "push of 10000 on component 1 of node 0"),
    "push before the clamp": (
        Boundary.free(3, 2).push([1], [[-2.0, 0.0]]).clamp([0, 1], TRIANGLE.positions[:2]),
        "push of -2 on component 0 of node 1",
    ),
    "spring": (HELD.spring([1], 0.3, 0.5, [1]), "spring of 0.5 on component 1 of node 1"),
    "spring across": (HELD.pair_spring([[0, 2], [0, 1]], 0.3, 0.5), "across the nodes 0 and 1"),
}


@pytest.mark.parametrize("name", DEMANDS)
@pytest.mark.parametrize("do", ["relax", "move"])
def test_refused_by_name(name, do):
    boundary, says = DEMANDS[name]
    with pytest.raises(BoundaryError, match=says):
        SPRINGS.relax(boundary) if do == "relax" else simulate(SPRINGS, boundary, time_step=0.1, steps=2)


def test_what_pulls_at_free_components_is_not():
    roller = Boundary.free(3, 2).clamp([0], TRIANGLE.positions[:1]).clamp([1], 0.0, [1])
    rest = SPRINGS.relax(roller.push([1], [[0.01, 0.0]]).spring([1], 0.0, 0.0))
    # The bar between 0 and 1 alone takes the push along it: node 2 has nothing to hold against.
    np.testing.assert_allclose(rest.state[0, 1], [1.01, 0.0], atol=1e-12)
    SPRINGS.relax(HELD.pair_spring([[0, 1]], 0.3, 0.0).pair_spring([[0, 2]], 1.0, 0.1))


def test_one_demand_on_a_place():
    with pytest.raises(BoundaryError, match="node 1 is named twice, and is to be held at two values"):
        Boundary.free(3, 1).clamp([1, 1], [[0.0, 1.0]])
    with pytest.raises(BoundaryError, match="node 2 has a spring already"):
        Boundary.free(3, 1).spring([2], 0.1, 1.0).spring([1, 2], 0.3, 2.0)
    with pytest.raises(BoundaryError, match="node 2 is named twice, and is to have two springs"):
        Boundary.free(3, 1).spring([2, 2], [[0.1, 0.2]], 1.0)
    Boundary.free(3, 1).clamp([1, 1], [[0.5, 0.5]]).clamp([1], 0.7)


def test_velocities():
    v = np.zeros((1, 3, 2))
    v[0, 1, 1] = 0.3
    with pytest.raises(BoundaryError, match=r"0\.3 in component 1 of node 1, which is held"):
        simulate(SPRINGS, HELD, time_step=0.1, steps=2, velocities=v)
    shaken = Drive([1], 0.1, 0.5, direction=[0.0, 1.0])
    whole = simulate(SPRINGS, HELD, time_step=0.1, steps=6, drive=shaken)
    half = simulate(SPRINGS, HELD, time_step=0.1, steps=3, drive=shaken).final
    assert half.velocities[0, 1, 1] != 0  # of the wall
    on = simulate(
        SPRINGS, HELD, time_step=0.1, steps=3, drive=shaken, start=half.positions, velocities=half.velocities,
        first_step=3,
    )  # fmt: skip
    np.testing.assert_array_equal(on.final.positions, whole.final.positions)


class TestOnTheBench:
    LINE = Network(np.arange(4.0)[:, None], np.array([[0, 1], [1, 2], [2, 3]]))
    PIPES = Material(LINE, CONDUCTANCE, {"k": 1.0})

    def test_input_that_the_surroundings_push(self):
        with pytest.raises(BoundaryError, match="node 3 is an input, held at what is imposed there, and pushed"):
            Apparatus(
                self.PIPES, Terminals.at([0, 3]), Terminals.at([1]), surroundings=Boundary.free(4, 1).push([3], 1.0)
            )

    def test_output_that_is_held_while_it_is_pushed(self):
        bench = Apparatus(self.PIPES, Terminals.pushing([1]), Terminals.at([1]), Boundary.free(4, 1).clamp([0], 0.0))
        bench.clamp([0.5])
        assert bench.read() == pytest.approx(0.5)  # one pipe of conductance 1 carries the current
        bench.clamp_outputs([0.2])
        with pytest.raises(BoundaryError, match=r"push of 0\.5 on component 0 of node 1, which is held"):
            bench.read()

    def test_output_with_a_spring_of_the_surroundings(self):
        bench = Apparatus(
            self.PIPES, Terminals.at([0]), Terminals.at([1]), Boundary.free(4, 1).clamp([3], 0.0).spring([1], 1.0, 2.0)
        )
        bench.clamp([0.5])
        # (x - 0.5) + x/2 + 2 (x - 1) = 0: two pipes in series, one on the other side, and the spring.
        assert bench.read() == pytest.approx(5 / 7)
        bench.nudge([0.2], 0.1)
        with pytest.raises(BoundaryError, match="node 1 has a spring already"):
            bench.read()


SCENE = {
    "network": {"type": "triangular", "shape": [3, 2]},
    "system": {"type": "spring_lattice"},
    "clamp": [{"nodes": "left"}],
}


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"push": [{"nodes": "left", "force": [0.1, 0.0]}]}, r"push\[0\]: .* component 0 of node \d+, which is held"),
        (
            {"clamp": [{"nodes": "left"}, {"nodes": "bottom", "displacement": [0.0, 0.1]}]},
            r"clamp\[1\]: component 1 of node 0 is held at 0 by an earlier clamp, and at 0.1 by this one",
        ),
    ],
)
def test_scenes_name_the_key(extra, says):
    from sandbox.run import Experiment
    from sandbox.scene import validate

    experiment = Experiment(validate({**SCENE, "relax": {}, **extra}))
    with pytest.raises(SandboxError, match=says):
        experiment.setup.check()


def test_strikes_at_what_is_held():
    from sandbox.run import Experiment
    from sandbox.scene import validate

    moving = {"time_step": 0.1, "steps": 3, "strike": [{"nodes": [0, 4], "velocity": [0.0, 1.0]}]}
    with pytest.raises(SandboxError, match=r"dynamics.strike\[0\]: component 1 of node 0 is held"):
        Experiment(validate({**SCENE, "dynamics": moving})).setup.check()


def test_shipped_scenes_hold_and_push_different_places():
    for name in ("lattice_stretch", "lattice_vibration"):
        sandbox.load(name).setup.check()
