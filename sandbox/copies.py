"""Copies and pickles of objects that keep what they have computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np


class Copied:
    """An object whose copies and pickles hold what it was made of, and compute the rest anew.

    Values of cached properties and the attributes in :attr:`kept` stay behind: compiled functions and factorizations
    cannot be sent to another process. Arrays that could not be written to cannot be written to in the copy, although
    NumPy's own copies and pickles forget that.

    Attributes:
        kept: names of attributes that keep what was computed, and how to make an empty one.
    """

    __slots__ = ()
    kept: ClassVar[Mapping[str, type]] = {}

    def __getstate__(self) -> Any:
        derived = {n for c in type(self).__mro__ for n, v in vars(c).items() if isinstance(v, cached_property)}
        state = {name: value for name, value in vars(self).items() if name not in derived | self.kept.keys()}
        fixed = [n for n, value in state.items() if any(not array.flags.writeable for array in _arrays(value))]
        return state, fixed

    def __setstate__(self, state: Any) -> None:
        values, fixed = state
        vars(self).update(values)
        vars(self).update({name: kind() for name, kind in self.kept.items()})
        for name in fixed:
            for array in _arrays(values[name]):
                array.flags.writeable = False


def _arrays(value: object) -> Iterator[np.ndarray]:
    """The arrays that an attribute is, or holds."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Mapping):
        yield from (item for item in value.values() if isinstance(item, np.ndarray))
