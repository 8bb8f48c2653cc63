"""State as plain data: nested numbers, texts, lists, dicts and arrays, written as JSON beside arrays and read back.

Nothing here makes objects of classes that a file names, so that reading a file cannot run code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sandbox.errors import SandboxError

_KIND = "__kind__"


class NotPlain(SandboxError):  # noqa: N818 (it names what was found)
    """Something that is not plain data, with its place."""


def pack(value: Any, name: str = "state") -> tuple[str, dict[str, np.ndarray]]:
    """A JSON text, and the arrays that it refers to by name; arrays that are one object stay one.

    Takes None, booleans, numbers (NumPy's too), texts, lists, tuples, dicts, and arrays of numbers,
    booleans or texts.

    Args:
        name: of the whole, for errors.

    Raises:
        NotPlain: naming where something else was found.
    """
    arrays: dict[str, np.ndarray] = {}
    names: dict[int, str] = {}
    held: list[np.ndarray] = []  # an id is an object's own only as long as it lives

    def keep(array: np.ndarray) -> str:
        if id(array) not in names:
            held.append(array)
            names[id(array)] = f"a{len(arrays)}"
            arrays[names[id(array)]] = array
        return names[id(array)]

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, (np.ndarray, np.generic)):
            if value.dtype.kind not in "biufcSU":
                raise NotPlain(f"{path} is an array of {value.dtype}, which cannot be saved; use numbers or texts")
            scalar = isinstance(value, np.generic)
            return {_KIND: "scalar" if scalar else "array", "name": keep(np.asarray(value))}
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, Mapping):
            items = [(key, plain(item, f"{path}[{key!r}]")) for key, item in value.items()]
            if all(type(key) is str for key in value) and _KIND not in value:
                return dict(items)
            return {_KIND: "dict", "items": [[plain(key, f"a key of {path}"), item] for key, item in items]}
        if type(value) in (list, tuple):
            items = [plain(item, f"{path}[{n}]") for n, item in enumerate(value)]
            return items if isinstance(value, list) else {_KIND: "tuple", "items": items}
        raise NotPlain(
            f"{path} is a {type(value).__module__}.{type(value).__qualname__}, which cannot be saved; "
            "keep numbers, texts, lists, dicts and arrays"
        )

    return json.dumps(plain(value, name)), arrays


def unpack(text: str, array: Callable[[str], np.ndarray]) -> Any:
    """What :func:`pack` was given.

    Args:
        array: gives an array by its name.

    Raises:
        ValueError, KeyError: for what :func:`pack` did not write.
    """
    seen: dict[str, np.ndarray] = {}

    def get(name: str) -> np.ndarray:
        if name not in seen:
            seen[name] = array(name)
        return seen[name]

    def rich(value: Any) -> Any:
        if isinstance(value, list):
            return [rich(item) for item in value]
        if not isinstance(value, dict):
            return value
        kind = value.get(_KIND)
        if kind is None:
            return {key: rich(item) for key, item in value.items()}
        if kind == "dict":
            return {rich(key): rich(item) for key, item in value["items"]}
        if kind == "tuple":
            return tuple(rich(item) for item in value["items"])
        if kind == "array":
            return get(value["name"])
        if kind == "scalar":
            return get(value["name"])[()]
        raise ValueError(f"there is no kind of value {kind!r}")

    return rich(json.loads(text))


def misfit(value: Any, model: Any, name: str = "state") -> str | None:
    """Where a value that was read is not of the form of another, and why; None if it is.

    Types, the keys that the model has, kinds and dimensions of arrays are compared, and the entries of a list with the
    model's first. Where one of the two is None, nothing is.
    """
    if value is None or model is None:
        return None
    if isinstance(model, (np.ndarray, np.generic)):
        if not isinstance(value, (np.ndarray, np.generic)):
            return f"{name} is {_short(value)} in place of an array"
        if (value.dtype.kind, value.dtype.itemsize, value.ndim) != (model.dtype.kind, model.dtype.itemsize, model.ndim):
            return f"{name} is an array of {value.dtype} with shape {value.shape}"
        if value.dtype.kind == "f" and np.isfinite(model).all() and not np.isfinite(value).all():
            return f"{name} has a number that is not finite"
        return None
    if isinstance(model, float) and type(value) in (int, float):
        return None if abs(value) <= _LARGEST or not abs(model) <= _LARGEST else f"{name} is not finite"
    if type(value) is not type(model):
        return f"{name} is {_short(value)}, of another type"
    if isinstance(model, int) and not abs(value) < 2**128:  # states of generators have as many bits
        return f"{name} is out of range"
    if isinstance(model, dict):
        if missing := [key for key in model if key not in value]:
            return f"{name} lacks {missing[0]!r}"
        problems = (misfit(value[key], model[key], f"{name}[{key!r}]") for key in model)
        return next((p for p in problems if p is not None), None)
    if isinstance(model, list) and model:
        problems = (misfit(item, model[0], f"{name}[{n}]") for n, item in enumerate(value))
        return next((p for p in problems if p is not None), None)
    return None


def _short(value: Any) -> str:
    return repr(value)[:40]


_LARGEST = 1.7976931348623157e308
