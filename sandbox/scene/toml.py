"""Texts of scenes and of changes to them, as data."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from sandbox.errors import SceneError

MAX_DEPTH = 16
"""Of dotted keys. Python's reader takes memory that grows with the square of it."""
_DEEP_KEY = re.compile(rf"""(?<![\w-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH},}}""")


def parse_toml(text: str) -> dict[str, Any]:
    """The data of a TOML text; :class:`ValueError` if it is none, or too deep."""
    deep = _DEEP_KEY.search(text)
    if deep:
        raise ValueError(f"more than {MAX_DEPTH} names with dots between them: {deep[0][:30]}...")
    return tomllib.loads(text)


def parse_change(change: str) -> tuple[str, Any]:
    """Key and value of a text ``"key=value"``.

    Raises:
        SceneError: if it is not one.
    """
    key, separator, text = change.partition("=")
    if not separator or not key.strip():
        raise SceneError(f"--set takes key=value, for example controller.beta=0.1; got {change!r}")
    if "\n" in change or "\r" in change:
        raise SceneError(f"--set takes one key=value on one line; got {change[:60]!r}")
    return key.strip(), parse_value(key, text)


def parse_value(key: str, text: str) -> Any:
    """A TOML value; a text that is none stands for itself.

    Args:
        key: for errors.
    """
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text.strip()
    except RecursionError:
        raise SceneError(f"--set {key}: the value is nested too deeply") from None


def put(data: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key.

    Raises:
        SceneError: if there can be no such key.
    """
    keys = [k.strip() for k in key.split(".")]
    if not all(keys):
        raise SceneError(f"--set takes key=value, for example controller.beta=0.1; got the key {key!r}")
    if len(keys) > MAX_DEPTH:
        raise SceneError(f"--set {key[:60]}...: more than {MAX_DEPTH} names with dots between them")
    table: Any = data
    for step in keys[:-1]:
        table = table.setdefault(step, {})
        if not isinstance(table, dict):
            raise SceneError(f"--set {key}={value}: {step!r} is not a table")
    if keys[-1] == "type" and len(keys) == 2 and table.get("type") != value:
        table.clear()  # another type has other keys
    table[keys[-1]] = value
