"""What pydantic says of data that do not fit, in words for whoever wrote the scene."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from sandbox.suggestions import did_you_mean, listed

MAX_MISTAKES = 20
"""Mistakes that are shown; the others are counted."""


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """A line for each mistake: key path, what was wrong, the nearest valid name."""
    lines: dict[str, None] = {}
    found = error.errors(include_url=False)
    for item in found[:MAX_MISTAKES]:
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in _keys(item["loc"])).lstrip(".")
        message = item["msg"].removeprefix("Value error, ")
        given = item.get("input")
        if item["type"] == "extra_forbidden":
            valid = _fields_at(model, item["loc"][:-1])
            message = f"there is no such key; {did_you_mean(str(item['loc'][-1]), valid)}valid keys: {listed(valid)}"
        elif item["type"] == "missing":
            message = "is missing"
        elif isinstance(given, (str, int, float, bool, list)):
            message += f"; got {str(given)[:60]!r}"
        lines[f"{path}: {message}" if path else message] = None
    return [*lines, *(f"mistake {n + 1}" for n in range(MAX_MISTAKES, len(found)))]


def _keys(location: tuple[int | str, ...]) -> list[int | str]:
    """A place without the steps by which pydantic tells which kind of several was tried: they are no keys."""

    def is_key(step: int | str, before: int | str) -> bool:
        if isinstance(step, int) or before == "groups":
            return True
        return not ("[" in step or step in ("str", "int", "float") or step[:1].isupper() or "constrained" in step)

    return [s for s, before in zip(location, ("", *location), strict=False) if is_key(s, before)]


def _fields_at(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys valid at a place in a model; of the model itself where the place cannot be followed."""
    for step in location:
        if isinstance(step, int) or not hasattr(model, "model_fields") or step not in model.model_fields:
            continue
        annotation = model.model_fields[step].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        for candidate in list(candidates):
            candidates += getattr(candidate, "__args__", ())
        model = next((c for c in candidates if hasattr(c, "model_fields")), model)
    return sorted(getattr(model, "model_fields", {}))
