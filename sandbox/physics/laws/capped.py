"""A law whose curvature is capped: beyond two values of the variable it goes on as a parabola."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from sandbox.physics.laws.law import EdgeLaw, NumpyFunction

BELOW, ABOVE = "below", "above"
"""Parameters of a capped law: the values of the variable between which it is the law it was made of."""

UNCAPPED = 1e300
"""A cap that no variable reaches."""


@dataclass(frozen=True)
class CappedLaw(EdgeLaw):
    """Another law between two values of its variable, and its own second-order expansion beyond them.

    A convex law stays convex, with energies that are finite wherever the expansion is: a start for minimizing laws that
    grow out of all bounds. The two values are its last parameters.
    """

    base: EdgeLaw | None = None

    @classmethod
    def of(cls, law: EdgeLaw) -> CappedLaw:
        """The capped form of a law."""
        return cls(law.expression, (*law.parameters, BELOW, ABOVE), stiffness=law.stiffness, base=law)

    def __post_init__(self) -> None:
        self._check_parameters()

    @property
    def inner(self) -> EdgeLaw:
        """The law it was made of."""
        assert self.base is not None
        return self.base

    @cached_property
    def variable(self) -> Literal["r", "d"]:
        return self.inner.variable

    @cached_property
    def is_quadratic(self) -> bool:
        return self.inner.is_quadratic

    @cached_property
    def is_quadratic_in_stiffness(self) -> bool:
        return self.inner.is_quadratic_in_stiffness

    @cached_property
    def is_affine_in_stiffness(self) -> bool:
        return self.inner.is_affine_in_stiffness

    @cached_property
    def on_numpy(self) -> NumpyFunction:
        inner = self.inner.on_numpy
        return lambda v, *others: tuple(expanded(inner, np.minimum, np.maximum, v, *others))


def expanded(
    terms: Callable[..., Any], least: Callable[..., Any], most: Callable[..., Any], v: Any, *others: Any
) -> list[Any]:
    """Return the terms of a capped law.

    Args:
        terms: of the law it was made of.
        least, most: minimum and maximum of two.
        v: the variable; ``others`` are the law's other arguments, then the two caps.
    """
    below, above = others[-2:]
    inside = most(below, least(v, above))
    over = v - inside
    inner = terms(inside, *others[:-2])
    energy, slope, curvature, pull, pull_slope, mixed = (inner[k] for k in range(6))
    return [
        energy + over * (slope + 0.5 * over * curvature),
        slope + over * curvature,
        curvature,
        pull + over * mixed,
        pull_slope,
        mixed,
    ]
