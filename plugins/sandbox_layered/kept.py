"""What is costly to compute of millions of numbers, and the same from one phase to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


class Kept(Generic[T]):
    """The last thing computed of an array, kept for as long as it is asked for with the same one.

    An array is known to be the same where it is the same object, and a read-only owner of its numbers.
    """

    def __init__(self) -> None:
        self._last: tuple[np.ndarray, np.ndarray | None, T] | None = None

    def get(self, array: np.ndarray, make: Callable[[], T], small: np.ndarray | None = None) -> T:
        """What ``make`` makes of the array, and of a small one, which is compared number by number."""
        if array.flags.writeable or array.base is not None:
            return make()
        last = self._last
        if last is None or last[0] is not array or not _same(last[1], small):
            last = self._last = array, small, make()
        return last[2]


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b or (a is not None and b is not None and a.dtype == b.dtype and np.array_equal(a, b))
