"""What the generators ask of their arguments."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np

from sandbox.errors import NetworkError

MAX_NODES = 10_000_000
"""More nodes than this is taken for a slip of the keyboard."""


def whole(name: str, value: object, minimum: int, maximum: int = MAX_NODES) -> int:
    """``value`` as an integer between the limits, or a NetworkError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not minimum <= int(value) <= maximum:
        raise NetworkError(f"{name} is {value!r}; expected a whole number from {minimum} to {maximum}")
    return int(value)


def positive(name: str, value: object) -> float:
    """``value`` as a finite positive number, or a NetworkError."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < float("inf"):
        raise NetworkError(f"{name} is {value!r}; expected a positive number")
    return float(value)


def generator(seed: object, *stream: int) -> np.random.Generator:
    """The random generator of a seed, and of a numbered stream within it."""
    return np.random.default_rng([whole("seed", seed, 0, 2**63 - 1), *stream])
