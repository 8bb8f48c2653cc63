"""Parameter values for many edges: one for all, or drawn at random."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class Spread(BaseModel):
    """Independent random values, one per edge.

    ``uniform`` between low and high; ``lognormal`` with this median and standard deviation of the logarithm.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    distribution: Literal["uniform", "lognormal"] = "uniform"
    low: float = 0.5
    high: float = 1.5
    median: float = 1.0
    sigma: float = Field(default=0.5, ge=0)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        if self.distribution == "uniform":
            return rng.uniform(self.low, self.high, count)
        return self.median * np.exp(self.sigma * rng.standard_normal(count))


Values = Annotated[float | Spread, Field(description="a value for every edge, or a table that describes a random draw")]


def draw(values: float | Spread, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) values."""
    return values.draw(count, rng) if isinstance(values, Spread) else np.full(count, float(values))
