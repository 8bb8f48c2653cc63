"""Random streams: every draw of a run comes from a named generator that is a function of the scene's seed."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """The generator of a named purpose, say ``stream(seed, "shuffle", epoch)``; streams do not overlap."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *numbers])
