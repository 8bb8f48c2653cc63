"""What is known of the library's laws beforehand; :mod:`sandbox.physics.laws.tabulate` writes the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.physics.laws.table import TABLE


@dataclass(frozen=True)
class Known:
    """What SymPy makes of a law.

    Args:
        degrees: by variable and parameters, upper bounds of the degree of the energy as a polynomial in each.
        source: a Python function ``terms`` of the law's arguments, which returns the list of its terms.
    """

    degrees: Mapping[str, float]
    source: str

    def function(self, names: Mapping[str, Any]) -> Callable[..., Any]:
        """``f(*law.arguments)``, the list of ``law.terms``, with the functions of energies by these names."""
        namespace = dict(names)
        exec(self.source, namespace)
        return namespace["terms"]


def known(expression: str, *parameters: str, stiffness: str = "") -> Known | None:
    """The entry of a law, if it has one."""
    entry = TABLE.get((expression, parameters, stiffness))
    return None if entry is None else Known(*entry)
