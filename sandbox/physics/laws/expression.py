"""Energy expressions: text to sympy through a closed grammar.

Scenes carry energy laws as text. Sympy's own parsers evaluate Python, so text goes through a whitelist over Python's
syntax tree instead: numbers, declared names, ``+ - * / **``, and the functions below. Nothing is ever evaluated.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from difflib import get_close_matches

import sympy

from sandbox.errors import LawError

MAX_CHARACTERS = 2000
MAX_NODES = 400
MAX_POWER = 64

FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    "sqrt": sympy.sqrt,
    "exp": sympy.exp,
    "log": sympy.log,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tanh": sympy.tanh,
    "cosh": sympy.cosh,
    "sinh": sympy.sinh,
    "abs": sympy.Abs,
    "min": sympy.Min,
    "max": sympy.Max,
}
_ARITY = {"min": (2, 8), "max": (2, 8)}
_CONSTANTS = {"pi": sympy.pi}


def symbol(name: str) -> sympy.Symbol:
    """The real symbol that stands for a variable or parameter."""
    return sympy.Symbol(name, real=True)


def parse(text: str, names: Iterable[str]) -> sympy.Expr:
    """Read an energy expression in the given names.

    Args:
        text: for example ``"k/2 * (r - l)**2"``.
        names: the variable and the parameters that may appear.

    Raises:
        LawError: showing the expression and what in it is not understood.
    """
    allowed = set(names)
    if not isinstance(text, str) or not text.strip():
        raise LawError(f"an energy expression must be text such as 'k/2*(r - l)**2'; got {text!r}")
    if len(text) > MAX_CHARACTERS:
        raise LawError(f"the energy expression has {len(text)} characters; the limit is {MAX_CHARACTERS}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = getattr(error, "offset", None)
        pointer = f"\n  {text.strip()}\n  {' ' * (where - 1)}^" if where else f": {text!r}"
        raise LawError(f"the energy expression cannot be read{pointer}") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES * 3:
        raise LawError(f"the energy expression has more than {MAX_NODES} terms: {text[:60]!r}...")
    try:
        result = _Reader(text, allowed).read(tree.body)
    except RecursionError:
        raise LawError(f"the energy expression is nested too deeply: {text[:60]!r}...") from None
    if result.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
        raise LawError(f"the energy expression {text!r} is not a finite real number everywhere it should be")
    return result


class _Reader:
    def __init__(self, text: str, names: set[str]) -> None:
        self.text, self.names = text, names

    def refuse(self, node: ast.AST, why: str) -> LawError:
        piece = ast.get_source_segment(self.text.strip(), node) or type(node).__name__  # type: ignore[arg-type]
        return LawError(f"in the energy expression {self.text!r}: {piece!r} {why}")

    def read(self, node: ast.expr) -> sympy.Expr:
        match node:
            case ast.Constant(value=bool()):
                raise self.refuse(node, "is not a number")
            case ast.Constant(value=int() | float() as value):
                if isinstance(value, int) and abs(value) > 10**15:
                    raise self.refuse(node, "is too large a whole number; write it as 1e15")
                return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value, 17)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.BinOp(op=op, left=left, right=right):
                return self.combine(node, op, self.read(left), self.read(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.call(node, name, args)
        raise self.refuse(node, "is not part of the grammar: numbers, names, + - * / **, and " + ", ".join(FUNCTIONS))

    def name(self, node: ast.Name, name: str) -> sympy.Expr:
        if name in self.names:
            return symbol(name)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        near = get_close_matches(name, [*self.names, *FUNCTIONS], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise self.refuse(node, f"is an unknown symbol; {hint}known here: {', '.join(sorted(self.names))}")

    def combine(self, node: ast.BinOp, op: ast.operator, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        match op:
            case ast.Add():
                return a + b
            case ast.Sub():
                return a - b
            case ast.Mult():
                return a * b
            case ast.Div():
                if b == 0:
                    raise self.refuse(node, "divides by zero")
                return a / b
            case ast.Pow():
                if b.is_number and abs(float(b)) > MAX_POWER:
                    raise self.refuse(node, f"has an exponent beyond {MAX_POWER}")
                return self.number_power(node, a, b) if a.is_number and b.is_number else a**b
        raise self.refuse(node, "uses an operator that is not one of + - * / **")

    def number_power(self, node: ast.BinOp, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        # Small whole powers stay exact; all else is a float, so that towers of powers cannot eat memory.
        if a.is_Integer and b.is_Integer and abs(int(a)) <= 1000 and 0 <= int(b) <= 8:
            return a**b
        try:
            value = float(a) ** float(b)
        except (OverflowError, ZeroDivisionError, TypeError):
            raise self.refuse(node, "is not a finite number") from None
        if isinstance(value, complex):
            raise self.refuse(node, "is not a real number")
        return sympy.Float(value, 17)

    def call(self, node: ast.Call, name: str, args: list[ast.expr]) -> sympy.Expr:
        if name not in FUNCTIONS:
            near = get_close_matches(name, FUNCTIONS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise self.refuse(node, f"calls an unknown function; {hint}known: {', '.join(FUNCTIONS)}")
        low, high = _ARITY.get(name, (1, 1))
        if not low <= len(args) <= high:
            raise self.refuse(node, f"takes {low if low == high else f'{low} to {high}'} arguments, got {len(args)}")
        return FUNCTIONS[name](*(self.read(a) for a in args))
