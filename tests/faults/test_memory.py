"""Memory stays flat; the full form has 10^5 steps and 1,000 networks."""

from __future__ import annotations

import pytest

from .memory import growth, learning, networks

ALLOWED = 0.05
"""Part by which memory may grow, of what it is at 10 % of the way."""


@pytest.mark.parametrize("changes", [(), ("training.batch=4",)])
def test_learning(changes: tuple[str, ...]) -> None:
    steps = 2_000 if changes else 20_000
    assert growth(learning(steps, *changes), steps)[0] < ALLOWED


def test_networks() -> None:
    assert growth(networks(60), 60)[0] < ALLOWED
