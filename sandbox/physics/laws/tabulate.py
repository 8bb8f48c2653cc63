"""Write what SymPy makes of the library's laws: ``python -m sandbox.physics.laws.tabulate``, after they are changed."""

from __future__ import annotations

import inspect
from pathlib import Path

import sympy

from sandbox.physics.laws import library
from sandbox.physics.laws.expression import degree, symbol
from sandbox.physics.laws.law import EdgeLaw, NodeLaw

HEADER = '''"""Energies and derivatives of the library's laws, as SymPy gives them.

Written by ``python -m sandbox.physics.laws.tabulate``.
"""

from __future__ import annotations

from math import inf

TABLE: dict[tuple[str, tuple[str, ...], str], tuple[dict[str, float], str]] = {
'''


def entry(law: EdgeLaw | NodeLaw) -> tuple[dict[str, float], str]:
    """The degrees and the source of a law, from its expression."""
    degrees = {a.name: degree(law.energy, a) for a in map(symbol, sorted(s.name for s in law.energy.free_symbols))}  # type: ignore[attr-defined]
    source = inspect.getsource(sympy.lambdify(law.arguments, list(law.terms), modules="numpy", cse=True))
    return degrees, source.replace("_lambdifygenerated", "terms")


def table() -> str:
    """The text of the module."""
    rows = []
    for law in vars(library).values():
        if not isinstance(law, EdgeLaw | NodeLaw):
            continue
        degrees, source = entry(law)
        key = (law.expression, law.parameters, law.stiffness if isinstance(law, EdgeLaw) else "")
        lines = "".join(f"            {line + chr(10)!r}\n" for line in source.splitlines())
        rows.append(f"    {key}: (\n        {degrees},\n        (\n{lines}        ),\n    ),\n".replace("'", '"'))
    return HEADER + "".join(rows) + "}\n"


if __name__ == "__main__":
    Path(__file__).with_name("table.py").write_text(table())
