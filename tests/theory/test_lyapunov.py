"""Lyapunov descent and bounds at finite beta and compliance; 10^4 steps are recorded by studies/lyapunov.py."""

import numpy as np
import pytest
from sandbox_aeqprop import AEqprop

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from studies.descent import ROUND_OFF, both, probe_of
from studies.descent_record import SYSTEMS, Record, follow, measure
from studies.descent_systems import iris

STEPS = 300

SOME_DESCENT = 0.99
"""Training must have lowered the loss at least to this part, or no violation would mean no movement."""


@pytest.mark.parametrize("name", [name for name in SYSTEMS if "contrast" not in name])
def test_never_increases(name):
    """A step never raises L beyond the round-off of the two energies, ROUND_OFF*max|F|/(beta_2 - beta_1)."""
    record = measure(name, STEPS)
    print(record)
    assert record.steps == STEPS
    assert record.violations == 0
    assert record.largest <= ROUND_OFF
    assert record.descent < SOME_DESCENT


def test_a_violation_is_held_at_a_saddle():
    """Beyond the limit of convexity the servo holds saddles, from which L may rise; the measure tells them."""
    record = Record("stiff")
    setup = iris(4, compliance=1.0)
    assert setup.scene.controller is not None
    follow(record, setup, setup.scene.controller, 1000)
    assert record.violations > 0
    assert record.saddles >= record.violations
    assert record.elsewhere == 0


class Backwards(AEqprop):
    """Holds under the second nudging and releases under the first: it climbs."""

    def step(self, bench, inputs, targets):
        first, second = self.nudgings
        bench.clamp(inputs)
        bench.nudge(targets, second)
        bench.hold()
        bench.nudge(targets, first)
        bench.release()


class Careless(AEqprop):
    """Does not hold: the knobs stay where they were, so that the stiffnesses are not at equilibrium to begin with."""

    def step(self, bench, inputs, targets):
        bench.clamp(inputs)
        bench.nudge(targets, self.nudgings[1])
        bench.release()


@pytest.mark.parametrize("wrong", [Backwards, Careless])
def test_the_measure_sees_violations(wrong):
    record = Record("wrong")
    follow(record, iris(0), wrong(), 50)
    assert record.violations > 10


@pytest.mark.parametrize("coupling", ["quadratic", "log"])
@pytest.mark.parametrize("variant", ["optimistic", "pessimistic", "centered"])
def test_every_variant_and_coupling(case, variant, coupling):
    controller = AEqprop(variant=variant, beta=case.beta)
    apparatus = case.apparatus(compliance=case.scale, coupling=coupling, tolerance=1e-10)
    probe, bench = probe_of(apparatus), Bench(apparatus)
    values = []
    for _ in range(20):
        controller.step(bench, case.inputs, case.targets)
        values.append(both(probe, apparatus.stiffness, case.inputs, case.targets, controller.nudgings))
    levels, scales = np.array(values).T
    assert (np.diff(levels) <= ROUND_OFF * scales.max()).all()
    assert levels[-1] < levels[0]


def loss(probe: Apparatus, stiffness: np.ndarray, case) -> float:
    probe.write_stiffness(stiffness)
    probe.nudge(None, 0.0)
    return float(0.5 * ((probe.read() - case.targets) ** 2).sum(axis=1).mean())


def test_bounds_of_the_loss(case):
    """L_{0,beta} <= L <= L_{-beta,0}: F is concave in beta, and the loss is its slope at 0."""
    apparatus = case.apparatus(compliance=case.scale)
    probe, bench, beta = probe_of(apparatus), Bench(apparatus), case.beta
    controller, gaps = AEqprop(beta=beta), []
    for _ in range(30):
        theta = apparatus.stiffness
        below, scale = both(probe, theta, case.inputs, case.targets, (0.0, beta))
        above, scale_above = both(probe, theta, case.inputs, case.targets, (-beta, 0.0))
        slack = ROUND_OFF * max(scale, scale_above)
        between = loss(probe, theta, case)
        assert below <= between + slack
        assert between <= above + slack
        gaps.append((above - below) / between)
        controller.step(bench, case.inputs, case.targets)
    assert max(gaps) > 1e-3  # not all the same number
