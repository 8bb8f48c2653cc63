"""A stiffness whose own energy is not convex: log knobs on rest lengths."""

import numpy as np
import pytest

import sandbox
from sandbox.physics.equilibrium import Status
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws import SPRING

REST_LENGTH = sandbox.EdgeLaw(SPRING.expression, SPRING.parameters, stiffness="l")
STRETCHED, HELD, COMPLIANCE = 6.0, 2.0, 2.0
KNOB = HELD * np.exp(-COMPLIANCE * HELD * (STRETCHED - HELD))
"""Balances the pull at HELD, where the energy in log l has the curvature 1/2 + 4 - 8 = -3.5: a maximum."""


def relaxed(start: float, method: str):
    network = sandbox.Network(np.array([[0.0], [1.0]]), np.array([[0, 1]]))
    spring = sandbox.Material(network, REST_LENGTH, {"k": 1.0, "l": 1.0}, bounds=(1e-3, np.inf))
    boundary = sandbox.Boundary.free(2, 1).clamp([0, 1], np.array([[0.0], [STRETCHED]]))
    knobs = Knobs(np.array([KNOB]), np.array([COMPLIANCE]), "log")
    return spring.relax(boundary, np.array([start]), knobs=knobs, method=method, throw=False)


def energy(rest_length: np.ndarray) -> np.ndarray:
    return 0.5 * (STRETCHED - rest_length) ** 2 + np.log(KNOB / rest_length) ** 2 / (2 * COMPLIANCE)


def test_a_maximum_is_not_called_a_minimum():
    assert relaxed(HELD, "fused").status[0] == Status.SINGULAR


@pytest.mark.parametrize("method", ["fused", "newton"])
@pytest.mark.parametrize("start", [1.9, 2.0001, 2.5])
def test_ends_in_a_minimum_downhill(method, start):
    result = relaxed(start, method)
    assert result.converged.all()
    found = result.stiffness
    assert energy(found) <= energy(np.array([start]))
    near = found * (1 + 1e-3 * np.array([-1, 1]))
    assert (energy(np.maximum(near, 1e-3)) >= energy(found) - 1e-12).all()
