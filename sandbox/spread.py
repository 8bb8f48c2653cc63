"""Parameter values for many edges: one for all, or drawn at random."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sandbox.settings import Settings

_OTHERS = {"uniform": ("median", "sigma"), "lognormal": ("low", "high")}
"""Keys that a distribution has no use for."""


class Spread(Settings):
    """Independent random values, one per edge.

    ``uniform`` between low and high; ``lognormal`` with this median and standard deviation of the logarithm.
    A key of the other distribution is refused.
    """

    distribution: Literal["uniform", "lognormal"] = "uniform"
    low: float = Field(default=0.5, ge=0)
    high: float = Field(default=1.5, ge=0)
    median: float = Field(default=1.0, gt=0)
    sigma: float = Field(default=0.5, ge=0, le=10)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low, {self.low}, is above high, {self.high}")
        fields = type(self).model_fields
        for key in _OTHERS[self.distribution]:
            if getattr(self, key) != fields[key].default:  # run folders hold all keys, with the defaults of these
                said = " and ".join(_OTHERS["lognormal" if self.distribution == "uniform" else "uniform"])
                raise ValueError(f"a {self.distribution} distribution has no {key}; it takes {said}")
        return self

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        if self.distribution == "uniform":
            return rng.uniform(self.low, self.high, count)
        return self.median * np.exp(self.sigma * rng.standard_normal(count))


Values = Annotated[
    Annotated[float, Field(ge=0)] | Spread,
    Field(description="a value for every edge, or a table that describes a random draw"),
]


def draw(values: float | Spread, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) values."""
    return values.draw(count, rng) if isinstance(values, Spread) else np.full(count, float(values))
