"""Derivatives of energies, taken symbolically."""

from __future__ import annotations

import sympy

from sandbox.physics.laws.expression import check_derivative


def _without_deltas(expression: sympy.Expr) -> sympy.Expr:
    """Derivatives almost everywhere: the point masses that |x|, min and max leave behind are dropped."""
    return expression.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))  # pyright: ignore[reportReturnType]


def derivatives(energy: sympy.Expr, text: str, *orders: tuple[sympy.Symbol, ...]) -> tuple[sympy.Expr, ...]:
    """The energy and its derivatives, each looked at before it is differentiated again."""
    known: dict[tuple[sympy.Symbol, ...], sympy.Expr] = {(): energy}
    for order in orders:
        for depth in range(1, len(order) + 1):
            if order[:depth] not in known:
                known[order[:depth]] = check_derivative(known[order[: depth - 1]].diff(order[depth - 1]), text)
    return tuple(_without_deltas(known[order]) for order in ((), *orders))
