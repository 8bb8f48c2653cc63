"""Terminals: what may not overlap, and a pair that is pulled in space."""

import numpy as np
import pytest
from sandbox_aeqprop import AEqprop

import sandbox
from sandbox.errors import BoundaryError
from sandbox.physics import graphs
from sandbox.physics.laws import CONDUCTANCE, SPRING


def flow() -> sandbox.Material:
    return sandbox.Material(graphs.random_graph(8, 16, seed=1), CONDUCTANCE, {"k": 1.0}, bounds=(1e-3, 10.0))


@pytest.mark.parametrize(
    ("inputs", "outputs", "ground", "words"),
    [
        (sandbox.Terminals.across([[0, 1], [1, 2]]), sandbox.Terminals.at([3]), None, "share a node"),
        (sandbox.Terminals.across([[0, 1], [2, 3]]), sandbox.Terminals.at([4]), None, "one only"),
        (sandbox.Terminals.at([0]), sandbox.Terminals.across([[2, 3], [3, 2]]), None, "same place"),
        (sandbox.Terminals.at([0, 1]), sandbox.Terminals.at([2]), 1, "node 1"),
        (sandbox.Terminals.at([0]), sandbox.Terminals.at([2]), 2, "clamped"),
        (sandbox.Terminals.at([0, 1]), sandbox.Terminals.across([[0, 1]]), None, "clamped"),
    ],
)
def test_overlaps_are_refused(inputs, outputs, ground, words):
    around = None if ground is None else sandbox.Boundary.free(8, 1).clamp([ground], 0.0)
    with pytest.raises(BoundaryError, match=words):
        sandbox.Apparatus(flow(), inputs, outputs, surroundings=around)


def test_a_nudge_stays_on_when_more_samples_are_clamped():
    apparatus = sandbox.Apparatus(flow(), sandbox.Terminals.at([0, 1]), sandbox.Terminals.at([2]))
    apparatus.clamp([0.0, 1.0])
    apparatus.nudge([0.9], 1.0)
    one = apparatus.read()
    apparatus.clamp([[0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(apparatus.read(), np.repeat(one, 2, axis=0), rtol=1e-9)


def test_log_knobs_at_the_floor_are_counted():
    apparatus = sandbox.Apparatus(
        flow(), sandbox.Terminals.at([0, 1]), sandbox.Terminals.at([2]), coupling="log", compliance=1.0
    )
    apparatus.clamp([0.0, 1.0])
    apparatus.knobs = np.full(16, 1e-9)
    apparatus.release()
    assert apparatus.meter.at_bounds == 16


def test_a_body_in_space_does_not_turn_about_its_pulled_pair():
    network = graphs.fcc((2, 2, 2))
    springs = sandbox.Material(network, SPRING, {"k": 1.0, "l": network.lengths()}, bounds=(1e-3, 10.0))
    pair, far = [0, network.n_nodes - 1], [3, network.n_nodes - 5]
    apparatus = sandbox.Apparatus(
        springs, sandbox.Terminals.across([pair]), sandbox.Terminals.across([far]), compliance=0.1
    )
    rest_in, rest_out = apparatus.rest_readings()
    apparatus.clamp(rest_in)
    np.testing.assert_allclose(apparatus.read()[0], rest_out, rtol=1e-12)  # nothing is imposed but a gauge
    assert springs.energy(apparatus.settle().state)[0] < 1e-20
    apparatus.clamp(1.05 * rest_in)
    held = apparatus.settle()
    np.testing.assert_allclose(apparatus.inputs.read(springs, held.state)[0], 1.05 * rest_in, rtol=1e-12)
    # The gauge costs nothing: no force on the component that stops the turning.
    node, component = np.argwhere(apparatus.boundary.clamped & ~np.isin(np.arange(network.n_nodes), pair)[:, None])[0]
    moved = held.state.copy()
    step = 1e-6
    moved[0, node, component] += step
    slope = (springs.energy(moved)[0] - springs.energy(held.state)[0]) / step
    assert abs(slope) < 1e-5
    AEqprop(beta=0.1).step(sandbox.Bench(apparatus), 1.05 * rest_in, rest_out)


def test_another_type_brings_its_own_keys():
    assert sandbox.load("iris_flow", controller={"type": "adjoint"}).scene.controller.rate == 1.0
    assert sandbox.load("iris_flow", ["controller.type=adjoint"]).scene.controller.rate == 1.0
