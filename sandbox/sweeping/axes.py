"""Axes of a sweep: which values a key of the scene takes, given as a list, a range or a spaced range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

import numpy as np

from sandbox.errors import SweepError
from sandbox.scene import parse_change, parse_value

SEED = "seed"
MOST_VALUES = 100_000
DIGITS = 10
"""Significant digits of the values of a spaced range, so that 0.01 is 0.01."""

HELP = "a list 0.1,1,10; a range 0:32 or 0:1:0.1, without its end; log:1e-3:1:7 or lin:0:1:11, with both ends"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?")
_SPACED = re.compile(rf"(log|lin):({_NUMBER}):({_NUMBER}):(\d+)")
_BETWEEN = re.compile(rf"(log|lin):({_NUMBER}):({_NUMBER})")


@dataclass(frozen=True)
class Axis:
    """A key of the scene and the values that it takes, as plain TOML values."""

    key: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SweepError(f"{self.key}: there are no values; give {HELP}")
        seen = [repr(v) for v in self.values]
        twice = next((v for v in seen if seen.count(v) > 1), None) if len(seen) < 1000 else None
        if twice is not None:
            raise SweepError(f"{self.key}: the value {twice} is there twice")


@dataclass(frozen=True)
class Between:
    """A key of the scene and the interval in which its value is searched for."""

    key: str
    low: float
    high: float
    spacing: Literal["log", "lin"]


def axis(key: str, given: Any) -> Axis:
    """The axis of a key from a text in the form of the command line, a sequence, or one value.

    Raises:
        SweepError: for an empty or malformed range.
    """
    if isinstance(given, str):
        values: list[Any] = list(chain.from_iterable(_item(key, part) for part in split(given)))
    elif isinstance(given, (np.ndarray, range)) or (isinstance(given, Iterable) and not isinstance(given, dict)):
        values = [v.tolist() if isinstance(v, (np.generic, np.ndarray)) else v for v in _at_most(key, given)]
    else:
        values = [given]
    if any(type(v) is float for v in values) and all(type(v) in (int, float) for v in values):
        values = [float(v) for v in values]
    return Axis(key, tuple(values))


def space(key: str, given: Any) -> Axis | Between:
    """What is searched: an interval, a text ``"log:0.01:1"`` or a tuple ``(0.01, 1, "log")``, or an axis of values.

    Raises:
        SweepError: for an empty or malformed range.
    """
    if isinstance(given, tuple) and len(given) == 3 and given[2] in ("log", "lin"):
        given = f"{given[2]}:{float(given[0])}:{float(given[1])}"
    found = _BETWEEN.fullmatch(given.strip()) if isinstance(given, str) else None
    return _between(key, *found.groups()) if found else axis(key, given)


def seeds(given: Any) -> Axis:
    """The axis of seeds.

    Raises:
        SweepError: if they are not whole numbers from 0.
    """
    found = axis(SEED, given)
    wrong = [v for v in found.values if type(v) is not int or v < 0]
    if wrong:
        raise SweepError(f"seeds are whole numbers from 0, for example 0:32 or 1,2,5; got {wrong[0]!r}")
    return found


def parse(change: str) -> Axis | Between | tuple[str, Any]:
    """What ``KEY=VALUES`` says: an axis, an interval to search, or, if it is one value, a change of the scene.

    Raises:
        SweepError: for a malformed range.
        SceneError: if it is not ``KEY=VALUE`` at all.
    """
    key, value = parse_change(change)
    text = change.partition("=")[2].strip()
    between = _BETWEEN.fullmatch(text)
    if between:
        return _between(key, *between.groups())
    if isinstance(value, str) and value == text and (len(split(text)) > 1 or ":" in text):
        return axis(key, text)
    return key, value


def split(text: str) -> list[str]:
    """The parts between commas that are in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "[{":
            depth += 1
        elif c in "]}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += c
    return [part.strip() for part in parts]


def _item(key: str, text: str) -> Iterator[Any] | Sequence[Any]:
    """The values of one part of a list."""
    if not text:
        raise SweepError(f"{key}: a value is missing between two commas or at an end; give {HELP}")
    if found := _RANGE.fullmatch(text):
        return _range(key, text, *found.groups())
    if found := _SPACED.fullmatch(text):
        return _spaced(key, text, *found.groups())
    value = parse_value(key, text)
    if value == text and ":" in text:
        raise SweepError(f"{key}: {text!r} is not a range; give {HELP}; a text with a colon goes in quotes")
    return [value]


def _range(key: str, text: str, low: str, high: str, step: str | None) -> list[int | float]:
    """In decimal arithmetic: 0:1:0.1 has 0.3, not 0.30000000000000004."""
    start, stop, by = Decimal(low), Decimal(high), Decimal(step or "1")
    if by == 0 or (stop - start) / by <= 0:
        raise SweepError(f"{key}: the range {text!r} is empty; its end is not in it, so 0:3 is 0, 1, 2")
    count = int(((stop - start) / by).to_integral_value(rounding="ROUND_CEILING"))
    _check_count(key, count)
    whole = all(re.fullmatch(r"[-+]?\d+", part) for part in (low, high, step or "1"))
    return [int(v) if whole else float(v) for v in (start + n * by for n in range(count))]


def _spaced(key: str, text: str, spacing: str, low: str, high: str, count: str) -> list[float]:
    bounds = _between(key, spacing, low, high)
    if int(count) < 2:
        raise SweepError(f"{key}: {text!r} has both ends, so at least 2 values")
    _check_count(key, int(count))
    space = np.geomspace if spacing == "log" else np.linspace
    return [float(f"{v:.{DIGITS}g}") for v in space(bounds.low, bounds.high, int(count))]


def _between(key: str, spacing: str, low: str, high: str) -> Between:
    bounds = float(low), float(high)
    if not bounds[0] < bounds[1]:
        raise SweepError(f"{key}: {spacing}:{low}:{high}: the second bound must be above the first")
    if spacing == "log" and bounds[0] <= 0:
        raise SweepError(f"{key}: log:{low}:{high}: the bounds of a logarithmic range are positive")
    return Between(key, *bounds, "log" if spacing == "log" else "lin")


def _at_most(key: str, values: Iterable[Any]) -> Iterator[Any]:
    for count, value in enumerate(values, 1):
        _check_count(key, count)
        yield value


def _check_count(key: str, count: int) -> None:
    if count > MOST_VALUES:
        raise SweepError(f"{key}: more than {MOST_VALUES} values")
