"""The grammar of energy expressions: what it reads, what it refuses, and that it never evaluates anything."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import sympy

from sandbox.errors import LawError
from sandbox.physics.laws import library
from sandbox.physics.laws.expression import parse, symbol
from sandbox.physics.laws.known import Known
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.laws.tabulate import entry

NAMES = ("r", "k", "l")

HOSTILE = {  # text: what the message must show
    "().__class__": "__class__",
    "r.__class__.__mro__": "__mro__",
    "__import__('os').system('true')": "system",
    "__builtins__": "__builtins__",
    "r.real": "r.real",
    "eval('1')": "eval",
    "exec('import os')": "exec",
    "open('/etc/passwd')": "open",
    "getattr(r, 'x')": "getattr",
    "print(r)": "print",
    "(lambda: r)()": "lambda",
    "lambda: 0": "lambda",
    "[x for x in (1, 2)]": "for x in",
    "{x: 1 for x in (1,)}": "for x in",
    "(x for x in (1,))": "for x in",
    "(r := 3)": ":=",
    "f'{r}'": "f'",
    "'text'": "'text'",
    "b'bytes'": "b'bytes'",
    "r if k else l": "if",
    "r < k": "<",
    "r and k": "and",
    "not r": "not r",
    "~r": "~r",
    "r // k": "//",
    "r % k": "%",
    "r @ k": "@",
    "r << 1000000": "<<",
    "r ^ 2": "^",
    "r[0]": "r[0]",
    "[r, k]": "[r, k]",
    "(r, k)": "(r, k)",
    "{r}": "{r}",
    "*r": "*r",
    "sqrt(*r)": "*r",
    "sqrt(x=r)": "sqrt(x=r)",
    "sqrt()": "sqrt()",
    "sqrt(r, k)": "sqrt(r, k)",
    "max(r)": "max(r)",
    "sqrt": "sqrt",
    "sqr(r)": "sqrt",
    "q*r": "q",
    "True": "True",
    "None": "None",
    "...": "...",
    "1j*r": "1j",
    "r**1000": "1000",
    "9**9**9": "9**9",
    "1000**1000": "1000",
    "10**400*r": "10**400",
    "9999999999999999999": "9999999999999999999",
    "r/0": "r/0",
    "log(0)*r": "log(0)",
    "sqrt(-1)*r": "sqrt(-1)",
    "r +": "r +",
    "r; k": "r; k",
    "import os": "import os",
    "r = 3": "r = 3",
    "await r": "await",
    "yield r": "yield",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_refused_by_name(text: str) -> None:
    with pytest.raises(LawError) as caught:
        parse(text, NAMES)
    message = str(caught.value)
    assert HOSTILE[text] in message
    assert text in message, "the whole expression is shown"


@pytest.mark.parametrize(
    "text",
    ["(" * 300 + "r" + ")" * 300, "-" * 900 + "r", "r+" * 1500 + "r", "r" * 2001],
)
def test_too_deep_or_too_long(text: str) -> None:
    with pytest.raises(LawError, match="energy expression"):
        parse(text, NAMES)


@pytest.mark.parametrize("text", ["", "   ", None, 3, "r\0k"])
def test_not_text(text: object) -> None:
    with pytest.raises(LawError):
        parse(text, NAMES)  # type: ignore[arg-type]


def test_nothing_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was evaluated")

    touched: list[str] = []
    parse("k/2*(r - l)**2", NAMES)  # SymPy imports modules of its own at the first difference and power
    monkeypatch.setattr(builtins, "eval", never)
    monkeypatch.setattr(builtins, "exec", never)
    monkeypatch.setattr(sympy, "sympify", never)
    monkeypatch.setattr(builtins, "canary", touched.append, raising=False)
    with pytest.raises(LawError, match="canary"):
        parse("canary('sung')", NAMES)
    assert parse("k/2*(r - l)**2", NAMES) == symbol("k") / 2 * (symbol("r") - symbol("l")) ** 2
    assert touched == []


def test_reads_what_it_should() -> None:
    r, k = symbol("r"), symbol("k")
    assert parse("+r - -k", NAMES) == r + k
    assert parse("max(r, k, 1)", NAMES) == sympy.Max(r, k, 1)
    assert parse("2**3*r", NAMES) == 8 * r
    assert parse("pi*r", NAMES) == sympy.pi * r
    assert float(parse("1.5e-3", NAMES)) == 1.5e-3


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [
        (("k*x", ("k",)), "'x'"),
        (("k*r*d", ("k",)), "both r"),
        (("k", ("k",)), "neither r"),
        (("r**2", ()), "no parameters"),
        (("k*r", ("k", "k")), "used twice"),
        (("k*r", ("k", "r")), "used twice"),
        (("k*r", ("k", "a b")), "not a plain word"),
        (("k*r", ("k",), "q"), "'q'"),
    ],
)
def test_laws_that_do_not_hold_together(arguments: tuple, piece: str) -> None:
    with pytest.raises(LawError, match=piece):
        EdgeLaw(*arguments)


def test_node_law_needs_its_variable() -> None:
    with pytest.raises(LawError, match="does not depend on s"):
        NodeLaw("b", ("b",))


def test_derivatives_against_differences() -> None:
    law = EdgeLaw("k/2*(r - l)**2 + 0.1*k**2*tanh(r)", ("k", "l"))
    r, k, l0, h = 1.3, 0.7, 1.1, 1e-5

    def energy(r: float, k: float) -> float:
        return float(law.on_numpy(r, k, l0)[0])

    _, slope, curvature, pull, _, mixed = (float(t) for t in law.on_numpy(r, k, l0))
    assert slope == pytest.approx((energy(r + h, k) - energy(r - h, k)) / (2 * h), rel=1e-8)
    assert curvature == pytest.approx((energy(r + h, k) - 2 * energy(r, k) + energy(r - h, k)) / h**2, rel=1e-4)
    assert pull == pytest.approx((energy(r, k + h) - energy(r, k - h)) / (2 * h), rel=1e-8)
    corners = energy(r + h, k + h) - energy(r + h, k - h) - energy(r - h, k + h) + energy(r - h, k - h)
    assert mixed == pytest.approx(corners / (4 * h**2), rel=1e-4)
    assert np.shape(law.on_numpy(np.ones((2, 3)), 1.0, 1.0)[4]) == (2, 3)


def test_what_has_no_counterpart_in_a_kernel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.physics.laws import expression, generate

    monkeypatch.setitem(expression.FUNCTIONS, "gamma", sympy.gamma)
    law = EdgeLaw("k*gamma(r)", ("k",))
    with pytest.raises(LawError, match=r"k\*gamma\(r\).*no counterpart in a kernel"):
        generate.in_kernel(law)


LIBRARY = {name: law for name, law in vars(library).items() if isinstance(law, EdgeLaw | NodeLaw)}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_table_is_what_sympy_makes_of_the_library(name: str) -> None:
    law = LIBRARY[name]
    assert law.known is not None, "run python -m sandbox.physics.laws.tabulate"
    degrees, source = entry(law)
    anew = Known(degrees, source)
    assert law.known.degrees == degrees
    points = np.random.default_rng(0).uniform(0.2, 2.0, (len(law.arguments), 50))
    mine, other = (known.function(vars(np))(*points) for known in (law.known, anew))
    assert len(mine) == len(law.terms)
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_law_of_other_parameters_is_not_in_the_table() -> None:
    assert EdgeLaw("k/2 * d**2", ("k",)).known is not None
    with pytest.raises(LawError, match="'k' is an unknown symbol"):
        EdgeLaw("k/2 * d**2", ("kappa",))
