"""Laws as functions that can be called inside Taichi kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import taichi as ti

from sandbox.errors import LawError
from sandbox.physics.laws.capped import CappedLaw, expanded
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.laws.taichi_law import TaichiLaw

if TYPE_CHECKING:
    import sympy


def _fold(operation: Callable[..., Any]) -> Callable[..., Any]:
    def folded(*arguments: Any) -> Any:
        result = arguments[0]
        for argument in arguments[1:]:
            result = operation(result, argument)
        return result

    return folded


_IN_TAICHI: dict[str, Callable[..., Any]] = {
    "sqrt": ti.sqrt,
    "exp": ti.exp,
    "log": ti.log,
    "sin": ti.sin,
    "cos": ti.cos,
    "tanh": ti.tanh,
    "sinh": lambda x: (ti.exp(x) - ti.exp(-x)) * 0.5,
    "cosh": lambda x: (ti.exp(x) + ti.exp(-x)) * 0.5,
    "Abs": ti.abs,
    "abs": ti.abs,
    "Min": _fold(ti.min),
    "Max": _fold(ti.max),
    "signum": lambda x: ti.select(x > 0.0, 1.0, 0.0) - ti.select(x < 0.0, 1.0, 0.0),
    "Heaviside": lambda x, *_: ti.select(x > 0.0, 1.0, ti.select(x < 0.0, 0.0, 0.5)),
}
_IN_SYMPY = {"exp", "log", "sin", "cos", "tanh", "sinh", "cosh", "Abs", "Min", "Max", "sign", "Heaviside"}


def _within_32_bits(term: sympy.Expr) -> sympy.Expr:
    """Kernels know whole numbers of 32 bits only; larger ones become floats."""
    import sympy

    large = {n: sympy.Float(n, 17) for n in term.atoms(sympy.Rational) if max(abs(int(n.p)), int(n.q)) >= 2**31}
    return term.xreplace(large)  # pyright: ignore[reportReturnType]


@lru_cache(maxsize=256)
def in_kernel(law: EdgeLaw | NodeLaw) -> Callable[..., Any]:
    """``f(*law.arguments)`` giving ``law.terms`` inside a Taichi kernel.

    Raises:
        LawError: naming the expression and the function that has no counterpart in a kernel.
    """
    if isinstance(law, TaichiLaw):
        assert law.function is not None
        return law.function
    if isinstance(law, CappedLaw):
        return partial(expanded, in_kernel(law.inner), ti.min, ti.max)
    if law.known is not None:
        return law.known.function(_IN_TAICHI)
    import sympy

    for term in law.terms:
        for call in term.atoms(sympy.Function):
            if type(call).__name__ not in _IN_SYMPY:
                raise LawError(
                    f"the energy expression {law.expression!r} cannot be compiled: its derivative contains "
                    f"{str(call)!r}, and {type(call).__name__!r} has no counterpart in a kernel"
                )
    # Sympy would print its own sign as a Python conditional, which a kernel evaluates once, as it is compiled.
    signum = sympy.Function("signum")
    terms = [t.evalf(17) if t.is_number else _within_32_bits(t).replace(sympy.sign, signum) for t in law.terms]
    return sympy.lambdify(law.arguments, terms, modules=[_IN_TAICHI], cse=True)
