"""Lists, ranges and spaced ranges of values, and what is said of those that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sandbox.errors import SweepError
from sandbox.sweeping.axes import Axis, Between, axis, parse, seeds, split

GOOD: dict[str, list[Any]] = {
    "0.01,0.1,1": [0.01, 0.1, 1.0],
    "1,2,5": [1, 2, 5],
    "0:4": [0, 1, 2, 3],
    "0:10:4": [0, 4, 8],
    "3:0:-1": [3, 2, 1],
    "0:1:0.25": [0.0, 0.25, 0.5, 0.75],
    "0:3,10": [0, 1, 2, 10],
    "log:1e-3:1:4": [0.001, 0.01, 0.1, 1.0],
    "lin:-1:1:5": [-1.0, -0.5, 0.0, 0.5, 1.0],
    "centered, one_sided": ["centered", "one_sided"],
    "true,false": [True, False],
    "[10, 10],[20, 20]": [[10, 10], [20, 20]],
    "{ low = 0.1, high = 1 },2": [{"low": 0.1, "high": 1}, 2],
    "'a,b','c:d'": ["a,b", "c:d"],
}


@pytest.mark.parametrize("text", GOOD)
def test_values(text: str) -> None:
    found = parse(f"controller.beta={text}")
    assert found == Axis("controller.beta", tuple(GOOD[text]))
    assert isinstance(found, Axis)
    assert [type(v) for v in found.values] == [type(v) for v in GOOD[text]]


def test_a_range_is_exact_in_decimals() -> None:
    assert axis("x", "0:1:0.1").values == tuple(float(f"0.{n}") for n in range(10))
    assert axis("x", "1e-3:4e-3:1e-3").values == (0.001, 0.002, 0.003)


@pytest.mark.parametrize("text", ["0.5", "'0.1,1'", "[1, 2]", "centered", "{ low = 0.1, high = 1 }"])
def test_one_value_is_no_axis(text: str) -> None:
    assert isinstance(parse(f"key={text}"), tuple)


def test_an_interval_is_for_a_search() -> None:
    assert parse("a.b=log:1e-3:1") == Between("a.b", 1e-3, 1.0, "log")
    assert parse("a.b=lin:-2:2") == Between("a.b", -2.0, 2.0, "lin")


BAD = {
    "0:0": "is empty",
    "5:1": "is empty",
    "0:1:0": "is empty",
    "0:1:-0.1": "is empty",
    "0:x": "is not a range",
    "log:1:10:x": "is not a range",
    "log:0:1:5": "are positive",
    "log:1:0.1:5": "must be above",
    "lin:1:1:5": "must be above",
    "lin:0:1:1": "at least 2",
    "0:1e9": "more than",
    "lin:0:1:1000000": "more than",
    "0.1,,1": "a value is missing",
    "0.1,1,": "a value is missing",
    "1,1.0": "is there twice",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_range_is_named(text: str) -> None:
    with pytest.raises(SweepError, match=BAD[text]) as caught:
        parse(f"controller.beta={text}")
    assert str(caught.value).startswith("controller.beta")


def test_values_from_python() -> None:
    assert axis("x", np.array([1.5, 2.0])).values == (1.5, 2.0)
    assert axis("x", range(3)).values == (0, 1, 2)
    assert axis("x", [[4, 4], [8, 8]]).values == ([4, 4], [8, 8])
    assert axis("x", "0.1,1").values == (0.1, 1.0)
    assert axis("x", 3).values == (3,)
    assert all(type(v) is int for v in axis("x", np.arange(3)).values)
    with pytest.raises(SweepError, match="no values"):
        axis("x", [])


def test_seeds_are_whole_numbers() -> None:
    assert seeds("0:3").values == (0, 1, 2)
    assert seeds("7").values == (7,)
    assert seeds(range(2)).values == (0, 1)
    for wrong in ("0.5,1", "-2:3", "a,b", [True, False]):
        with pytest.raises(SweepError, match="seeds are whole numbers"):
            seeds(wrong)


def test_commas_in_brackets_and_quotes_divide_nothing() -> None:
    assert split("1, [2, 3], {a = 4, b = 5}, 'x,y', \"]\"") == ["1", "[2, 3]", "{a = 4, b = 5}", "'x,y'", '"]"']
