"""The step of AEqprop is a step down the loss gradient: measured orders in beta and in the compliance."""

import numpy as np
import pytest
from sandbox_aeqprop import AEqprop

from sandbox.bench import Bench, WhiteBox

SMALL = 1e-6
"""Compliance of the ladders in beta, in units of the case's: its own error, of order 1e-6 of the step, and the
rounding of theta, 1e-16/(SMALL*beta) in a direction of size 1e-3, stay below the errors in beta, 1e-5 and more."""

ORDER_SLACK = 0.1
"""Of measured orders: the next power in a ladder of a factor 16 shifts the fitted slope by a few per cent. An order 1
is accepted from 0.9 on, an order 2 from 1.8 (twice the slack)."""

EXACT_ORDER = 0.25
"""How far above its order a slope may come out: a leading coefficient is not zero by accident in random networks."""


def direction(case, controller: AEqprop, compliance, coupling="quadratic") -> np.ndarray:
    """Change of the stiffnesses in one step, per compliance and per difference of nudgings, downhill positive."""
    apparatus = case.apparatus(compliance=compliance, coupling=coupling)
    before = apparatus.stiffness.copy()
    controller.step(Bench(apparatus), case.inputs, case.targets)
    low, high = controller.nudgings
    return (before - apparatus.stiffness) / (high - low)


def loss_gradient(case) -> np.ndarray:
    box = WhiteBox(case.apparatus())
    box.clamp(case.inputs)
    box.nudge(None, 0.0)
    return box.loss_gradient(case.targets)


def finite_gradient(case, controller: AEqprop) -> np.ndarray:
    """Gradient of L_{b1,b2}, from the states under both nudgings and the law alone."""
    apparatus, pulls = case.apparatus(), []
    apparatus.clamp(case.inputs)
    law, system = case.system.law, case.system
    for beta in controller.nudgings:
        apparatus.nudge(case.targets, beta)
        v = system.measure_edges(apparatus.settle().state)[0]
        pulls.append(law.on_numpy(v, system.stiffness, *(system.parameters[n] for n in law.fixed))[3])
    low, high = controller.nudgings
    return (pulls[1] - pulls[0]) / (high - low)


def slope(ladder: np.ndarray, errors: np.ndarray) -> float:
    """Least-squares slope in doubly logarithmic axes."""
    return float(np.polyfit(np.log(ladder), np.log(errors), 1)[0])


@pytest.mark.parametrize(("variant", "order"), [("optimistic", 1), ("pessimistic", 1), ("centered", 2)])
def test_order_in_beta(case, variant, order, record_property):
    exact = loss_gradient(case)
    ladder = case.beta * 0.5 ** np.arange(5)
    eps = SMALL * case.scale
    steps = [direction(case, AEqprop(variant=variant, beta=beta), eps) / eps for beta in ladder]
    errors = np.array([np.linalg.norm(s - exact) for s in steps]) / np.linalg.norm(exact)
    measured = slope(ladder, errors)
    record_property("order", measured)
    print(f"{case.name} {variant}: order {measured:.3f}, errors {errors}")
    assert order * (1 - ORDER_SLACK) <= measured <= order + EXACT_ORDER
    # Richardson: combining two rungs so that the leading error cancels must gain an order.
    better = (2**order * steps[-1] - steps[-2]) / (2**order - 1)
    assert np.linalg.norm(better - exact) < 0.5 * np.linalg.norm(steps[-1] - exact)


@pytest.mark.parametrize("variant", ["optimistic", "pessimistic", "centered"])
def test_order_in_compliance(case, variant, record_property):
    controller = AEqprop(variant=variant, beta=case.beta)
    exact = finite_gradient(case, controller)
    ladder = 0.05 * case.scale * 0.5 ** np.arange(5)
    steps = [direction(case, controller, eps) / eps for eps in ladder]
    errors = np.array([np.linalg.norm(s - exact) for s in steps]) / np.linalg.norm(exact)
    measured = slope(ladder, errors)
    record_property("order", measured)
    print(f"{case.name} {variant}: order in eps {measured:.3f}, errors {errors}")
    assert 1 - ORDER_SLACK <= measured <= 1 + EXACT_ORDER


@pytest.mark.parametrize("metric", ["log", "one for each"])
def test_metric(case, metric, record_property):
    """Log knobs step by theta^2 grad L, knobs of different compliance by eps_i grad L, up to O(eps)."""
    controller = AEqprop(beta=case.beta)
    gradient, theta = finite_gradient(case, controller), case.system.stiffness
    each = np.random.default_rng(0).uniform(0.2, 1.0, len(theta)) if metric == "one for each" else np.ones(len(theta))
    expected = gradient * (theta**2 if metric == "log" else each)
    coupling = "log" if metric == "log" else "quadratic"
    ladder = 0.05 * case.scale * 0.5 ** np.arange(5)
    steps = [direction(case, controller, eps * each, coupling) / eps for eps in ladder]
    errors = np.array([np.linalg.norm(s - expected) for s in steps]) / np.linalg.norm(expected)
    measured = slope(ladder, errors)
    record_property("order", measured)
    print(f"{case.name} {metric}: order in eps {measured:.3f}, errors {errors}")
    assert 1 - ORDER_SLACK <= measured <= 1 + EXACT_ORDER
    # In another metric the step is a different one, so that the order is no accident.
    assert np.linalg.norm(steps[-1] - gradient) > 10 * np.linalg.norm(steps[-1] - expected)


@pytest.mark.parametrize("homeostat", ["ideal", "integral"])
def test_zero_compliance_never_moves(case, homeostat):
    fixed = np.arange(len(case.system.stiffness)) % 3 == 0
    apparatus = case.apparatus(compliance=np.where(fixed, 0.0, 0.2 * case.scale), homeostat=homeostat)
    before = apparatus.stiffness.copy()
    for _ in range(3):
        AEqprop(beta=case.beta).step(Bench(apparatus), case.inputs, case.targets)
    np.testing.assert_array_equal(apparatus.stiffness[fixed], before[fixed])
    assert (apparatus.stiffness[~fixed] != before[~fixed]).any()
