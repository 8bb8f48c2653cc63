"""What this machine can do at best, for floors: bytes copied in a second, and products summed."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

ROUNDS = 5


def _shortest(run: Callable[[], object]) -> float:
    took = np.inf
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        took = min(took, time.perf_counter() - began)
    return took


@cache
def copy_bandwidth(numbers: int = 20_000_000) -> float:
    """Bytes per second, read and written, of copying an array much larger than the cache, on one thread."""
    source, target = np.ones(numbers), np.zeros(numbers)
    return 16 * numbers / _shortest(lambda: np.copyto(target, source))


@cache
def product_rate(dtype: Any = np.float64, size: int = 1024) -> float:
    """Multiplications, each with its addition, per second of NumPy's product of matrices, on its threads."""
    a, b, out = (np.ones((size, size), dtype=dtype) for _ in range(3))
    np.matmul(a, b, out=out)
    return size**3 / _shortest(lambda: np.matmul(a, b, out=out))
