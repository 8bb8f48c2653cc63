"""The plan of the fused factorization, followed by hand in NumPy, against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.physics.graphs import jittered_grid
from sandbox.physics.relaxation.plan import GROUP, Plan, analyze


def hessian(plan: Plan, bonds: np.ndarray, dim: int) -> np.ndarray:
    """Blocks of random bonds in the order of elimination, and one for each diagonal entry."""
    rng = np.random.default_rng(3)
    free = plan.n_free
    matrix = np.eye(free + 1)
    for ends in bonds:
        n = rng.normal(size=dim)
        signed = np.concatenate([-n, n])
        place = np.concatenate([plan.place[i * dim : (i + 1) * dim] for i in ends])
        place[place < 0] = free
        matrix[np.ix_(place, place)] += np.outer(signed, signed)
    return matrix[:free, :free]


def slots(plan: Plan, matrix: np.ndarray) -> np.ndarray:
    """The matrix in the plan's slots, and one for what is clamped."""
    below = matrix[plan.entries[:, 0], plan.entries[:, 1]]
    return np.concatenate([np.diag(matrix), below, [0.0]])


@pytest.fixture(params=[(1, False), (1, True), (2, False), (2, True)], ids=str)
def case(request) -> tuple[Plan, np.ndarray]:
    dim, late = request.param
    network = jittered_grid(6, seed=2)
    rng = np.random.default_rng(4)
    clamped = rng.random((network.n_nodes, dim)) < 0.15
    last = np.zeros(network.n_nodes * dim, dtype=bool)
    if late:
        last[np.flatnonzero(~clamped.ravel())[[3, 8]]] = True
    plan = analyze(network.edges, clamped, last)
    assert plan.n_top == plan.n_free - 2 * late
    if late:
        assert (plan.place[last] >= plan.n_top).all()
    return plan, hessian(plan, network.edges, dim)


def test_the_updates_factor_the_matrix_and_the_groups_solve_with_it(case):
    plan, matrix = case
    free = plan.n_free
    values = slots(plan, matrix)
    outside = np.ones_like(matrix, dtype=bool)
    outside[plan.entries[:, 0], plan.entries[:, 1]] = outside[plan.entries[:, 1], plan.entries[:, 0]] = False
    np.fill_diagonal(outside, False)
    assert (matrix[outside] == 0).all()
    for f in range(free):
        values[f] = 1 / values[f]
        for group in plan.updates[plan.starts[f] : plan.starts[f + 1]]:
            target, left, right = group.T
            values[target] = values[target] - values[left] * values[f] * values[right]
    values[free:-1] *= values[plan.entries[:, 1]]
    lower = np.eye(free)
    lower[plan.entries[:, 0], plan.entries[:, 1]] = values[free:-1]
    np.testing.assert_allclose(lower @ np.diag(1 / values[:free]) @ lower.T, matrix, atol=1e-12)

    right = np.random.default_rng(5).normal(size=free)
    x = np.append(right, 0.0)
    for groups, scale in ((plan.forwards, values[:free]), (plan.backwards, np.ones(free))):
        for slot, target, source in groups.transpose(0, 2, 1):
            x[target] = x[target] - values[slot] * x[source]
        x[:free] *= scale
    np.testing.assert_allclose(x[:free], np.linalg.solve(matrix, right), rtol=1e-9, atol=1e-12)


def test_a_group_writes_every_place_once(case):
    plan, _ = case
    for groups, target, nowhere in (
        (plan.updates, 0, plan.n_slots),
        (plan.forwards, 1, plan.n_free),
        (plan.backwards, 1, plan.n_free),
    ):
        assert groups.shape[1:] == (GROUP, 3)
        for written in groups[:, :, target]:
            real = written[written != nowhere]
            assert len(np.unique(real)) == len(real) > 0
