"""The knobs: what holds the stiffnesses of a material, and how firmly.

A knob u pulls on its stiffness theta with the energy ``U(u, theta)/eps``. The compliance eps is how far the stiffness
gives way under a unit force; a stiffness of zero compliance is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sandbox.copies import Copied
from sandbox.errors import BoundaryError

Coupling = Literal["quadratic", "log"]

BLOCK = 32_768
"""Numbers handled at a time."""


@dataclass(frozen=True, eq=False)
class Knobs(Copied):
    """Knobs of P stiffnesses.

    Args:
        values: u, (P,), in the units of the stiffness.
        compliance: eps, (P,) or a scalar, >= 0.
        coupling: ``"quadratic"``, U = (u - theta)^2/2; or ``"log"``, U = (log u - log theta)^2/2, whose step is
            multiplicative.

    Source: Scellier et al. 2022, arXiv:2205.15021, eq. for the coupling energy U; any U convex in theta will do, and
    its Hessian is the metric of the step.
    """

    values: np.ndarray
    compliance: np.ndarray
    coupling: Coupling = "quadratic"

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, dtype=float)
        compliance = np.asarray(self.compliance, dtype=float)
        if compliance.shape != values.shape:
            compliance = np.broadcast_to(compliance, values.shape)
        if compliance.flags.writeable or compliance.base is not None:
            compliance = compliance.copy()
            compliance.flags.writeable = False
        if compliance.size and not (compliance.min() >= 0 and compliance.max() < np.inf):
            raise BoundaryError("compliances must be finite and not negative")
        if self.coupling not in ("quadratic", "log"):
            raise BoundaryError(f"unknown coupling {self.coupling!r}; choose 'quadratic' or 'log'")
        object.__setattr__(self, "compliance", compliance)
        self._turn(values)

    def turned(self, values: np.ndarray) -> Knobs:
        """The same knobs at other values (P,), which the caller must not change afterwards."""
        if values.shape != self.values.shape:
            raise BoundaryError(f"{len(self.values)} knobs were given values of shape {values.shape}")
        knobs = object.__new__(type(self))  # what copy() does, without what it costs
        vars(knobs).update(vars(self))
        knobs._turn(values)
        return knobs

    def _turn(self, values: np.ndarray) -> None:
        # One pass over millions of numbers, and the search for the culprit only where there is one.
        if not np.isfinite(values.sum()) and not np.isfinite(values).all():
            raise BoundaryError(f"knob {int(np.argmin(np.isfinite(values)))} is not finite; lower the compliance")
        if self.coupling == "log" and not (values > 0).all():
            raise BoundaryError("knobs that act on log(theta) must be positive")
        object.__setattr__(self, "values", values)

    def energy(self, theta: np.ndarray) -> float:
        """Sum of U(u, theta)/eps over the stiffnesses that can move."""
        free = self.compliance > 0
        u, t = coordinate(self.values, self.coupling), coordinate(theta, self.coupling)
        return float(np.sum((u - t)[free] ** 2 / (2 * self.compliance[free])))


def coordinate(theta: np.ndarray, coupling: Coupling) -> np.ndarray:
    """The coordinate in which the coupling is a Hookean spring: theta itself, or its logarithm."""
    return np.log(theta) if coupling == "log" else np.asarray(theta, dtype=float)


def balance(theta: np.ndarray, force: np.ndarray, compliance: np.ndarray, coupling: Coupling) -> np.ndarray:
    """The knobs at which stiffnesses theta, pulled by ``force = dE/dtheta``, stay: -dU/dtheta/eps = force.

    ``u = theta + eps*force`` for quadratic knobs, ``log u = log theta + eps*theta*force`` for log knobs.
    """
    if coupling == "log":
        return theta * np.exp(compliance * theta * force)
    knobs = np.empty(len(theta))
    # Block by block, so that millions of numbers pass through the cache once.
    for first in range(0, len(theta), BLOCK):
        part = slice(first, first + BLOCK)
        np.multiply(compliance[part], force[part], out=knobs[part])
        knobs[part] += theta[part]
    return knobs
