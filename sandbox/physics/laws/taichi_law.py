"""A law written by hand in Taichi, for energies that no expression says: branches, tables, inner iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sandbox.errors import LawError
from sandbox.physics.laws.law import EdgeLaw, NumpyFunction

if TYPE_CHECKING:
    import sympy

TERMS = 6


@dataclass(frozen=True)
class TaichiLaw(EdgeLaw):
    """The energy of an edge as a Taichi function of the variable v, the stiffness theta, and the fixed parameters.

    The function returns six numbers, ``ti.Vector([E, dE/dv, d2E/dv2, dE/dtheta, d2E/dtheta2, d2E/dv dtheta])``. Nobody
    differentiates them: see that they belong together with :func:`sandbox.testing.check_law`, or the conformance kit.

    Args:
        expression: what the law is called, for people.
        parameters, stiffness: as for :class:`EdgeLaw`. The function takes the variable, the stiffness, and the
            other parameters in this order.
        function: a ``ti.func``, or a plain Python function of Taichi's expressions.
        of: the variable, ``"r"`` (distance of the two nodes) or ``"d"`` (difference of their values).
        quadratic: whether the second derivative in the variable is a constant.
        quadratic_in_stiffness: whether that in the stiffness is.

    Raises:
        LawError: without a function, or with names that will not do.
    """

    function: Callable[..., Any] | None = None
    of: Literal["r", "d"] = "d"
    quadratic: bool = False
    quadratic_in_stiffness: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise LawError(f"the law {self.expression!r} needs its Taichi function")
        if self.of not in ("r", "d"):
            raise LawError(f"the variable of the law {self.expression!r} is 'r' or 'd'; got {self.of!r}")
        self._check_parameters()

    @cached_property
    def known(self) -> None:
        return None

    @cached_property
    def variable(self) -> Literal["r", "d"]:
        return self.of

    @cached_property
    def energy(self) -> sympy.Expr:
        raise LawError(f"the law {self.expression!r} is written in Taichi; it has no expression to work on")

    @cached_property
    def is_quadratic(self) -> bool:
        return self.quadratic

    @cached_property
    def is_quadratic_in_stiffness(self) -> bool:
        return self.quadratic_in_stiffness

    @cached_property
    def is_affine_in_stiffness(self) -> bool:
        return False  # nobody says so; all that is lost is a short cut

    @cached_property
    def on_numpy(self) -> NumpyFunction:
        """``f(v, stiffness, *fixed)`` returning the six terms as NumPy arrays, computed by a kernel."""
        from sandbox.physics.laws.taichi_terms import terms_kernel

        def evaluate(*arguments: Any) -> tuple[np.ndarray, ...]:
            arrays = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in arguments))
            flat = np.ascontiguousarray([a.ravel() for a in arrays])
            out = np.zeros((TERMS, flat.shape[1]))
            if flat.size:
                terms_kernel(self)(flat, out)
            return tuple(row.reshape(arrays[0].shape) for row in out)

        return evaluate

    def _repr_latex_(self) -> str:
        return self.expression
