"""Attributes of graphs, as networkx has them or a GraphML file, as positions, vectors, names and columns."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Hashable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from sandbox.errors import NetworkError


def finite_numbers(what: str, values: Any, given: str = "it is") -> tuple[float, ...]:
    """Make finite numbers of a sequence.

    Args:
        what: it is, for errors.
        given: says what was given, for errors.

    Raises:
        NetworkError: for a text, which would be read character by character, a set or a mapping, which have no order,
            or entries that are no finite numbers.
    """
    if isinstance(values, (str, bytes, Mapping, Set)):
        kind = "a text" if isinstance(values, (str, bytes)) else f"a {type(values).__name__}"
        raise NetworkError(
            f"{what} cannot be read: {given} {kind}, {_short(values)}; expected a sequence of numbers, or attributes "
            "x, y and z, a number each (GraphML holds no sequences)"
        )
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise NetworkError(f"{what} is {_short(values)}; expected numbers") from error
    if not np.isfinite(found).all():
        raise NetworkError(f"{what} is {_short(values)}; expected finite numbers")
    return found


def vector(what: str, attributes: Mapping[str, Any], name: str, size: int) -> tuple[float, ...]:
    """Read a vector: a sequence under its name, or numbers under the name with _x, _y and _z; zero where it is not.

    Raises:
        NetworkError: if it is of another size.
    """
    parts = [f"{name}_{axis}" for axis in "xyz"]
    given = [part for part in parts if part in attributes]
    value = attributes.get(name)
    if value is None and not given:
        return (0.0,) * size
    if value is not None and given:
        raise NetworkError(f"{what} is given twice, as {name} and as {', '.join(given)}; remove one")
    if value is None and given != parts[: len(given)]:
        raise NetworkError(f"{what} has {', '.join(given)} alone; expected {', '.join(parts[:size])}")
    found = finite_numbers(what, [attributes[part] for part in given] if value is None else value, f"{name} is")
    if len(found) != size:
        raise NetworkError(f"{what} is a shift that is not of {size} numbers, as the positions are")
    return found


def cell_vectors(value: Any) -> Any:
    """Read the vectors of a periodic box: as they are, or from a text with semicolons between vectors.

    Raises:
        NetworkError: if a text holds something else.
    """
    if not isinstance(value, str):
        return value
    try:
        return [[float(number) for number in row.split()] for row in value.split(";")]
    except ValueError:
        raise NetworkError(
            f"the cell is {_short(value)}; expected vectors with semicolons between them, such as '4.0 0.0; 0.0 3.0'"
        ) from None


def names_of_groups(node: Hashable, value: Any) -> list[str]:
    """Read the names of the groups of a node, from a string with commas, a sequence or one number; each once.

    Raises:
        NetworkError: if it is none of them.
    """
    if isinstance(value, (numbers.Number, np.generic)):
        value = str(value)
    try:
        parts = value.split(",") if isinstance(value, str) else [str(part) for part in value]
    except TypeError:
        raise NetworkError(f"the group of node {node!r} is {_short(value)}; expected names, as a text") from None
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def columns(rows: Sequence[Mapping[str, Any]], known: Collection[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Make columns of the attributes that are not known: numbers, NaN where one is missing; or texts, empty there.

    Args:
        rows: attributes of each node, or each edge.
        known: names that are read as something else.

    Returns:
        The columns, and the names of attributes that can be none: their values are neither numbers alone nor texts.
    """
    names = dict.fromkeys(name for row in rows for name in row if name not in known)
    found, unread = {}, []
    for name in names:
        values = [row.get(name) for row in rows]
        there = [value for value in values if value is not None]
        if all(isinstance(value, str) for value in there):
            found[str(name)] = np.array([value or "" for value in values], dtype=str)
        elif all(isinstance(value, (numbers.Real, np.bool_)) for value in there):
            found[str(name)] = np.array([np.nan if value is None else float(value) for value in values])
        else:
            unread.append(str(name))
    return found, unread


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
