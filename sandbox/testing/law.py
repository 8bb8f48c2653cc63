"""Derivatives of an energy law against finite differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from sandbox.physics.laws.law import EdgeLaw
from sandbox.validation.check import Check

DERIVATIVE_ERROR = 1e-5
"""Of a central difference of step 1e-5, relative to the largest value of the derivative."""

STEP = 1e-5


def check_law(
    law: EdgeLaw, variable: npt.ArrayLike, stiffness: npt.ArrayLike, parameters: Mapping[str, npt.ArrayLike]
) -> Iterator[Check]:
    """Slope, curvature, and the derivatives in the stiffness, at values of the variable where the law is smooth.

    Args:
        law: an edge law.
        variable, stiffness: (n,) each.
        parameters: a value or (n,) for each other parameter of the law.
    """
    v, theta = np.broadcast_arrays(np.asarray(variable, dtype=float), np.asarray(stiffness, dtype=float))
    others = [np.broadcast_to(np.asarray(parameters[name], dtype=float), v.shape) for name in law.fixed]
    terms = law.on_numpy(v, theta, *others)
    h, g = (STEP * (float(np.abs(x).max(initial=0.0)) or 1.0) for x in (v, theta))
    in_v = [law.on_numpy(v + s, theta, *others) for s in (h, -h)]
    in_theta = [law.on_numpy(v, theta + s, *others) for s in (g, -g)]

    def error(derivative: np.ndarray, ends: Sequence[tuple[np.ndarray, ...]], term: int, step: float) -> float:
        difference = (ends[0][term] - ends[1][term]) / (2 * step)
        rounding = 1e-15 * float(np.abs(terms[term]).max(initial=0.0)) / step
        size = float(np.abs(derivative).max(initial=0.0)) + rounding / DERIVATIVE_ERROR
        return float(np.abs(derivative - difference).max(initial=0.0)) / size if size else 0.0

    allowed = DERIVATIVE_ERROR
    yield Check("law", "slope of the law against finite differences", error(terms[1], in_v, 0, h), allowed)
    yield Check("law", "curvature of the law", error(terms[2], in_v, 1, h), allowed)
    yield Check("law", "force of the law on the stiffness", error(terms[3], in_theta, 0, g), allowed)
    yield Check("law", "its derivative in the stiffness", error(terms[4], in_theta, 3, g), allowed)
    yield Check("law", "its derivative in the variable", error(terms[5], in_v, 3, h), allowed)
