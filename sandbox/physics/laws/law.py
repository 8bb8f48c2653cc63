"""Edge laws and node laws: the energy of one edge or one node component, and nothing else.

An edge law is the energy of an edge as a function of one variable: ``r``, the distance between its two nodes, or
``d``, the difference ``s_j - s_i`` of their values. A node law is the energy of one component ``s`` of one node. All
derivatives are taken symbolically, once per law; those of the library's laws were taken beforehand, for importing
SymPy takes as long as everything else that a start imports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sandbox.copies import Copied
from sandbox.errors import LawError
from sandbox.physics.laws.known import Known, known

if TYPE_CHECKING:
    import sympy

NumpyFunction = Callable[..., Any]


def _check_names(kind: str, variable: str, parameters: Sequence[str]) -> None:
    seen: set[str] = {variable}
    for name in parameters:
        if not name.isidentifier():
            raise LawError(f"{kind}: the parameter name {name!r} is not a plain word")
        if name in seen:
            raise LawError(f"{kind}: the name {name!r} is used twice")
        seen.add(name)


@dataclass(frozen=True)
class EdgeLaw(Copied):
    """The energy of an edge.

    Args:
        expression: the energy, for example ``"k/2 * (r - l)**2"``.
        parameters: names of the parameters in it, each an array with one value per edge.
        stiffness: which parameter is adjustable (the learned one); the first by default.

    The variable is ``r`` (distance of the two nodes) or ``d`` (difference of their values), whichever appears.

    Raises:
        LawError: for text outside the grammar, unknown symbols, or both variables at once.
    """

    expression: str
    parameters: tuple[str, ...]
    stiffness: str = ""

    def __post_init__(self) -> None:
        self._check_parameters()
        if self.known is not None:
            return
        used = {s.name for s in self.energy.free_symbols}  # type: ignore[attr-defined]
        if {"r", "d"} <= used:
            raise LawError(f"the edge law {self.expression!r} uses both r (distance) and d (difference); choose one")
        if not {"r", "d"} & used:
            raise LawError(f"the edge law {self.expression!r} depends on neither r (distance) nor d (difference)")

    def _check_parameters(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        _check_names("edge law", "r", self.parameters)
        _check_names("edge law", "d", self.parameters)
        if not self.parameters:
            raise LawError(f"the edge law {self.expression!r} has no parameters, so it has no stiffness to adjust")
        if not self.stiffness:
            object.__setattr__(self, "stiffness", self.parameters[0])
        if self.stiffness not in self.parameters:
            raise LawError(
                f"the edge law {self.expression!r} has no parameter {self.stiffness!r} to adjust; "
                f"it has {', '.join(self.parameters)}"
            )

    @cached_property
    def known(self) -> Known | None:
        """What was made of the law beforehand, if it is one of the library's."""
        return known(self.expression, *self.parameters, stiffness=self.stiffness)

    @cached_property
    def energy(self) -> sympy.Expr:
        from sandbox.physics.laws.expression import parse

        return parse(self.expression, ("r", "d", *self.parameters))

    @cached_property
    def variable(self) -> Literal["r", "d"]:
        if self.known is not None:
            return "r" if "r" in self.known.degrees else "d"
        return "r" if any(s.name == "r" for s in self.energy.free_symbols) else "d"  # type: ignore[attr-defined]

    @property
    def fixed(self) -> tuple[str, ...]:
        """The parameters other than the stiffness, in order."""
        return tuple(p for p in self.parameters if p != self.stiffness)

    @property
    def arguments(self) -> list[sympy.Symbol]:
        """The variable, the stiffness, then the fixed parameters: the arguments of every generated function."""
        from sandbox.physics.laws.expression import symbol

        return [symbol(name) for name in (self.variable, self.stiffness, *self.fixed)]

    @cached_property
    def terms(self) -> tuple[sympy.Expr, ...]:
        """Energy, slope, curvature, and with the stiffness theta: e_theta, e_theta_theta, e_v_theta.

        Slope and curvature are the first and second derivative in the variable v.
        """
        from sandbox.physics.laws.derivatives import derivatives

        v, theta = self.arguments[:2]
        return derivatives(self.energy, self.expression, (v,), (v, v), (theta,), (theta, theta), (v, theta))

    @cached_property
    def is_quadratic(self) -> bool:
        """Whether the curvature does not depend on the variable (the law is Hookean in v)."""
        return _degree(self, self.variable) <= 2

    @cached_property
    def is_quadratic_in_stiffness(self) -> bool:
        """Whether the energy is at most quadratic in the stiffness, so that a free one has a closed form."""
        return _degree(self, self.stiffness) <= 2

    @cached_property
    def is_affine_in_stiffness(self) -> bool:
        """Whether the force on the stiffness does not depend on it."""
        return _degree(self, self.stiffness) <= 1

    @cached_property
    def on_numpy(self) -> NumpyFunction:
        """``f(v, stiffness, *fixed)`` returning :attr:`terms` as NumPy arrays; the twin of the generated kernels."""
        return _on_numpy(self)

    def _repr_latex_(self) -> str:
        return _latex(self)


@dataclass(frozen=True)
class NodeLaw(Copied):
    """The energy of one component ``s`` of one node, for example ``"-g*s"`` or ``"k/2*s**2 - b*s"``.

    Args:
        expression: the energy in ``s`` and the parameters.
        parameters: names of the parameters, each an array with one value per node and component, (N, D).
    """

    expression: str
    parameters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        _check_names("node law", "s", self.parameters)
        if self.known is None and "s" not in {s.name for s in self.energy.free_symbols}:  # type: ignore[attr-defined]
            raise LawError(f"the node law {self.expression!r} does not depend on s, the value of the node")

    @cached_property
    def known(self) -> Known | None:
        """What was made of the law beforehand, if it is one of the library's."""
        return known(self.expression, *self.parameters)

    @cached_property
    def energy(self) -> sympy.Expr:
        from sandbox.physics.laws.expression import parse

        return parse(self.expression, ("s", *self.parameters))

    @property
    def arguments(self) -> list[sympy.Symbol]:
        from sandbox.physics.laws.expression import symbol

        return [symbol(name) for name in ("s", *self.parameters)]

    @cached_property
    def terms(self) -> tuple[sympy.Expr, ...]:
        """Energy, slope and curvature in s."""
        from sandbox.physics.laws.derivatives import derivatives

        s = self.arguments[0]
        return derivatives(self.energy, self.expression, (s,), (s, s))

    @cached_property
    def is_quadratic(self) -> bool:
        return _degree(self, "s") <= 2

    @cached_property
    def on_numpy(self) -> NumpyFunction:
        return _on_numpy(self)

    def _repr_latex_(self) -> str:
        return _latex(self)


def _degree(law: EdgeLaw | NodeLaw, name: str) -> float:
    """An upper bound of the degree of the energy as a polynomial in a variable or parameter."""
    if law.known is not None:
        return law.known.degrees[name]
    from sandbox.physics.laws.expression import degree, symbol

    return degree(law.energy, symbol(name))


def _on_numpy(law: EdgeLaw | NodeLaw) -> NumpyFunction:
    if law.known is not None:
        return _broadcasting(law.known.function(vars(np)))
    import sympy

    return _broadcasting(sympy.lambdify(law.arguments, law.terms, modules="numpy", cse=True))


def _latex(law: EdgeLaw | NodeLaw) -> str:
    import sympy

    return f"$E = {sympy.latex(law.energy)}$"


def _broadcasting(function: NumpyFunction) -> NumpyFunction:
    """Constants come back from sympy as scalars; give every term the shape of the arguments."""

    def evaluate(*arguments: Any) -> tuple[np.ndarray, ...]:
        shape = np.broadcast_shapes(*(np.shape(a) for a in arguments))
        # Arrays even of one number: Python's own floats raise where arrays overflow, and np.select takes arrays only.
        terms = function(*(np.atleast_1d(np.asarray(a, dtype=float)) for a in arguments))
        return tuple(np.broadcast_to(np.asarray(t, dtype=float), shape or (1,)).reshape(shape) for t in terms)

    return evaluate
