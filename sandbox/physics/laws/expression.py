"""Energy expressions: text to sympy through a closed grammar.

Scenes carry energy laws as text. Sympy's own parsers evaluate Python, so text goes through two fences instead: only
letters, digits and ``_ . , + - * / ( )`` may be in it, and of Python's syntax tree only numbers, declared names,
``+ - * / **`` and the functions below are read. Nothing is ever evaluated as Python, and everything is bounded: length,
terms, nesting, exponents, the size of numbers, and of the derivatives.
"""

from __future__ import annotations

import ast
import math
import unicodedata
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import sympy

from sandbox.errors import LawError
from sandbox.suggestions import did_you_mean, listed

MAX_CHARACTERS = 2000
MAX_NODES = 400
MAX_POWER = 64
MAX_NESTING = 12
"""Functions, powers and quotients inside one another; derivatives grow with the square of it."""
MAX_CORNERS = 12
"""Uses of abs, min and max: sympy compares their arguments, which takes long for many."""
MAX_NUMBER, MIN_NUMBER = 1e100, 1e-100
MAX_OPERATIONS = 4000
"""In one derivative of an expression: beyond, a kernel would take minutes to compile."""

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
_CORNERED = ("abs", "min", "max")
_PLAIN = " _.,+-*/()"
_CONSTANTS = {"pi": sympy.pi}
_ON_NUMBERS: dict[str, Callable[..., float]] = {
    name: {"abs": abs, "min": min, "max": max}.get(name) or getattr(math, name) for name in FUNCTIONS
}


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
    line = " ".join(text.split())
    strange = next((c for c in line if not (c in _PLAIN or c.isalnum()) or unicodedata.normalize("NFKC", c) != c), None)
    if strange is not None:
        raise LawError(
            f"in the energy expression {text!r}: the character {strange!r} is not part of the grammar: numbers, names, "
            f"+ - * / **, and {', '.join(FUNCTIONS)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of some text that is refused below
            tree = ast.parse(line, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = getattr(error, "offset", None)
        pointer = f"\n  {line}\n  {' ' * (where - 1)}^" if where else f": {text!r}"
        raise LawError(f"the energy expression cannot be read{pointer}") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES * 3:
        raise LawError(f"the energy expression has more than {MAX_NODES} terms: {text[:60]!r}...")
    try:
        result = _Reader(line, allowed).read(tree.body)
    except RecursionError:
        raise LawError(f"the energy expression is nested too deeply: {text[:60]!r}...") from None
    if result.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
        raise LawError(f"the energy expression {text!r} is not a finite real number everywhere it should be")
    _check_size(result, text)
    return result


def _check_size(expression: sympy.Expr, text: str) -> None:
    """Exponents and numbers as they are once sympy has multiplied them out, (r**64)**64 for one."""
    for power in expression.atoms(sympy.Pow):
        if power.exp.is_number and abs(float(power.exp)) > MAX_POWER:  # type: ignore[arg-type]
            raise LawError(f"in the energy expression {text!r}: {str(power)[:80]!r} has an exponent beyond {MAX_POWER}")
    for number in expression.atoms(sympy.Number):
        if not number.is_zero and not MIN_NUMBER <= abs(number) <= MAX_NUMBER:  # a float zero is not equal to 0
            raise LawError(
                f"in the energy expression {text!r}: numbers are to be from {MIN_NUMBER:g} to {MAX_NUMBER:g}, and one "
                f"comes to about 1e{round(float(sympy.log(abs(number), 10)))}"
            )


def check_derivative(expression: sympy.Expr, text: str) -> sympy.Expr:
    """The expression, unless it is too long to be compiled.

    Raises:
        LawError: naming the energy expression that it is a derivative of.
    """
    if sum(1 for _ in sympy.preorder_traversal(expression)) > MAX_OPERATIONS:
        raise LawError(
            f"a derivative of the energy expression {text[:80]!r} has more than {MAX_OPERATIONS} operations; write it "
            "with fewer nested functions and products"
        )
    return expression


def degree(expression: sympy.Expr, variable: sympy.Symbol) -> float:
    """An upper bound of the degree as a polynomial in the variable; infinite for what may be none.

    Read from the structure, so it is quick whatever the expression, and never too low.
    """
    if variable not in expression.free_symbols:
        return 0
    if expression == variable:
        return 1
    if isinstance(expression, sympy.Add):
        return max(degree(a, variable) for a in expression.args)  # type: ignore[arg-type]
    if isinstance(expression, sympy.Mul):
        return sum(degree(a, variable) for a in expression.args)  # type: ignore[arg-type]
    if isinstance(expression, sympy.Pow) and expression.exp.is_Integer and int(expression.exp) > 0:
        return int(expression.exp) * degree(expression.base, variable)
    return math.inf


class _Reader:
    def __init__(self, text: str, names: set[str]) -> None:
        self.text, self.names = text, names
        self.nesting = self.corners = 0

    def refuse(self, node: ast.AST, why: str) -> LawError:
        piece = ast.get_source_segment(self.text, node) or type(node).__name__
        return LawError(f"in the energy expression {self.text!r}: {piece!r} {why}")

    def read(self, node: ast.expr) -> sympy.Expr:
        match node:
            case ast.Constant(value=bool()):
                raise self.refuse(node, "is not a number")
            case ast.Constant(value=int() | float() as value):
                return self.number(node, value)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.BinOp(op=ast.Pow() as op, left=left, right=right):
                return self.combine(node, op, *self.inside(node, (left, right)))
            case ast.BinOp(op=ast.Div() as op, left=left, right=right):
                return self.combine(node, op, self.read(left), *self.inside(node, (right,)))
            case ast.BinOp(op=op, left=left, right=right):
                return self.combine(node, op, self.read(left), self.read(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.call(node, name, args)
        raise self.refuse(node, "is not part of the grammar: numbers, names, + - * / **, and " + ", ".join(FUNCTIONS))

    def inside(self, node: ast.expr, parts: Iterable[ast.expr]) -> list[sympy.Expr]:
        """Parts of a function, a power or a quotient."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.refuse(node, f"is nested more than {MAX_NESTING} functions, powers and quotients deep")
        read = [self.read(part) for part in parts]
        self.nesting -= 1
        return read

    def number(self, node: ast.expr, value: int | float) -> sympy.Expr:
        if isinstance(value, int):
            if abs(value) > 10**15:
                raise self.refuse(node, "is too large a whole number; write it as 1e15")
            return sympy.Integer(value)
        if not math.isfinite(value):
            raise self.refuse(node, "is not a finite number")
        return sympy.Float(value, 17)

    def name(self, node: ast.Name, name: str) -> sympy.Expr:
        if name in self.names:
            return symbol(name)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        hint = did_you_mean(name, [*self.names, *FUNCTIONS])
        raise self.refuse(node, f"is an unknown symbol; {hint}known here: {listed(sorted(self.names))}")

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
        return self.computed(node, lambda x, y: x**y, a, b)

    def call(self, node: ast.Call, name: str, args: list[ast.expr]) -> sympy.Expr:
        if name not in FUNCTIONS:
            hint = did_you_mean(name, FUNCTIONS)
            raise self.refuse(node, f"calls an unknown function; {hint}known: {listed(FUNCTIONS)}")
        low, high = _ARITY.get(name, (1, 1))
        if not low <= len(args) <= high:
            raise self.refuse(node, f"takes {low if low == high else f'{low} to {high}'} arguments, got {len(args)}")
        if name in _CORNERED:
            self.corners += 1
            if self.corners > MAX_CORNERS:
                raise self.refuse(node, f"is one abs, min or max too many; the limit is {MAX_CORNERS}")
        read = self.inside(node, args)
        if all(a.is_number for a in read):
            return self.computed(node, _ON_NUMBERS[name], *read)
        return FUNCTIONS[name](*read)

    def computed(self, node: ast.expr, function: Callable[..., Any], *arguments: sympy.Expr) -> sympy.Expr:
        """A function of numbers, at once and in floats: sympy would keep towers such as exp(exp(exp(9))) to the end."""
        try:
            value = function(*(float(a) for a in arguments))
        except (OverflowError, ZeroDivisionError, ValueError, TypeError):
            raise self.refuse(node, "is not a finite number") from None
        if isinstance(value, complex):
            raise self.refuse(node, "is not a real number")
        if not math.isfinite(value):
            raise self.refuse(node, "is not a finite number")
        whole = value.is_integer() and abs(value) <= 10**6
        return sympy.Integer(int(value)) if whole else sympy.Float(value, 17)
