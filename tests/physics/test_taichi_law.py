"""Laws written by hand in Taichi."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import taichi as ti

import sandbox
from sandbox.errors import LawError
from sandbox.physics.graphs import triangular
from sandbox.physics.laws.hidden import hidden
from sandbox.testing import check_law

FIXED = {"l": 1.0, "m": 1.05}
EXPRESSION = sandbox.EdgeLaw("k/2*(r - l)**2 + k/2*9*max(r - m, 0)**2", ("k", "l", "m"))


@ti.func
def stop(r, k, l, m):  # type: ignore[no-untyped-def]  # noqa: E741
    """A spring that is ten times as stiff beyond m, with a branch, as expressions have none."""
    x, y = r - l, 0.0
    if r > m:
        y = r - m
    on = ti.select(r > m, 9.0, 0.0)
    shape, slope = x * x / 2 + 9 * y * y / 2, x + 9 * y
    return ti.Vector([k * shape, k * slope, k * (1 + on), shape, 0.0, slope])


LAW = sandbox.TaichiLaw("a spring with a stop", ("k", "l", "m"), function=stop, of="r", quadratic_in_stiffness=True)


def test_terms_are_those_of_the_expression() -> None:
    r, k = np.linspace(0.9, 1.3, 12).reshape(3, 4) + 1e-3, np.linspace(0.5, 2, 4)
    for mine, other in zip(LAW.on_numpy(r, k, 1.0, 1.05), EXPRESSION.on_numpy(r, k, 1.0, 1.05), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-13, atol=1e-15)
        assert mine.shape == (3, 4)
    assert all(check.ok for check in check_law(LAW, r.ravel(), 1.3, FIXED))


@pytest.mark.parametrize("method", ["auto", "newton", "fire"])
def test_relaxes_as_the_expression_does(method: str) -> None:
    network = triangular((4, 3))
    left, right = network.nodes("left"), network.nodes("right")
    boundary = sandbox.Boundary.free(network.n_nodes, 2).clamp(left, network.positions[left])
    boundary = boundary.clamp(right, network.positions[right] + [0.3, 0.0])
    parameters = {"k": 1.0, "l": network.lengths(), "m": 1.05}
    rests = [sandbox.Material(network, law, parameters).relax(boundary, method=method) for law in (LAW, EXPRESSION)]
    assert (network.lengths(rests[0].state[0]) > 1.05).any()
    np.testing.assert_allclose(rests[0].state, rests[1].state, atol=1e-8)
    np.testing.assert_allclose(rests[0].energy, rests[1].energy, rtol=1e-9)


def test_what_cannot_be() -> None:
    with pytest.raises(LawError, match="needs its Taichi function"):
        sandbox.TaichiLaw("nothing", ("k",))
    with pytest.raises(LawError, match="no parameter 'c'"):
        sandbox.TaichiLaw("x", ("k",), "c", function=stop)
    with pytest.raises(LawError, match="is 'r' or 'd'"):
        sandbox.TaichiLaw("x", ("k",), function=stop, of="s")  # type: ignore[arg-type]
    with pytest.raises(LawError, match="no expression to work on"):
        hidden(LAW)
    assert hash(LAW) != hash(EXPRESSION)


def test_a_wrong_sign_is_found() -> None:
    def wrong(d: Any, k: Any) -> list[Any]:
        return [k / 2 * d**2, -k * d, k, d**2 / 2, 0.0, d]

    law = sandbox.TaichiLaw("wrong", ("k",), function=wrong)
    failed = [check.name for check in check_law(law, np.linspace(0.5, 1, 5), 1.0, {}) if not check.ok]
    assert failed[0].startswith("slope of the law")
