"""Parameter values for many edges: one for all, drawn at random, or a column of the network's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sandbox.errors import NetworkError
from sandbox.physics.network import Network
from sandbox.settings import Settings

if TYPE_CHECKING:
    from sandbox.parts import SystemPart

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


def column(part: SystemPart, key: str, network: Network) -> np.ndarray | None:
    """Read the values (E,) of a key from the columns of a network's edges; None where no column stands for it.

    Args:
        part: of the scene; where its key is not at the default, it contradicts a column. (Whether the scene says it at
            all cannot be told: that of a run folder has all defaults filled in.)
        key: of the part; :attr:`sandbox.parts.SystemPart.edge_columns` has the columns that stand for it.

    Raises:
        NetworkError: if two columns, or a column and the scene, contradict each other, or a value is no number above 0.
    """
    names = [name for name, of in part.edge_columns.items() if of == key and name in network.edge_values]
    if not names:
        return None
    name, values = names[0], network.edge_values[names[0]]
    if values.dtype.kind not in "biuf":
        raise NetworkError(f"the column {name!r} of the network's edges holds texts; {key} takes numbers")
    values = values.astype(float)
    for edge in np.flatnonzero(~(np.isfinite(values) & (values >= 0)))[:1]:
        raise NetworkError(
            f"the column {name!r} of the network's edges is {values[edge]:g} at edge {edge}, nodes "
            f"{tuple(network.edges[edge].tolist())}; {key} takes a finite number of at least 0 for every edge"
        )
    for other in names[1:]:
        if not np.array_equal(network.edge_values[other], values):
            raise NetworkError(
                f"the columns {name!r} and {other!r} of the network's edges both stand for {key} and differ; remove one"
            )
    if getattr(part, key) != type(part).model_fields[key].default:
        raise NetworkError(
            f"{key} is given twice: by the scene, and by the column {name!r} of the network's edges; remove one"
        )
    return values


def stiffnesses(part: SystemPart, key: str, network: Network, rng: np.random.Generator) -> np.ndarray:
    """Return (E,) stiffnesses: those of a column of the edges; else as the part's key says, within its bounds.

    A column is taken as it is: values beyond the keys ``minimum`` and ``maximum`` are for the material to refuse.

    Raises:
        NetworkError: as :func:`column`.
    """
    found = column(part, key, network)
    if found is not None:
        return found
    low, high = getattr(part, "minimum", 0.0), getattr(part, "maximum", np.inf)
    return np.clip(draw(getattr(part, key), network.n_edges, rng), low, high)
