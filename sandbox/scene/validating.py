"""From data to a scene, or to every mistake in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sandbox.errors import PluginError, SceneError
from sandbox.parts import Part
from sandbox.plugins import plugins
from sandbox.scene.mistakes import MAX_MISTAKES, explain
from sandbox.scene.scene import PARTS, Scene


def validate(data: Mapping[str, Any], source: str = "scene") -> Scene:
    """Make a scene from data.

    Raises:
        SceneError: every mistake, with its key and the nearest valid name.
    """
    data = dict(data)
    problems: list[str] = []
    for key, kind in PARTS.items():
        if key in data:
            data[key] = _part(key, kind, data[key], problems)
    broken = {key for key in PARTS if key in data and data[key] is None}
    try:
        scene = Scene.model_validate({k: v for k, v in data.items() if k not in broken})
    except ValidationError as error:
        # A part that is there but broken is not missing.
        missing = {key: f"a scene with training needs the table {key} too" for key in broken}
        said = explain(error, Scene)
        problems += [line for line in said if line.partition(":")[0] not in broken and line not in missing.values()]
        scene = None
    if problems or scene is None:
        shown = [f"  {p if len(p) <= 1000 else p[:1000] + '...'}" for p in problems[:MAX_MISTAKES]]
        more = [f"  and {len(problems) - MAX_MISTAKES} more"] if len(problems) > MAX_MISTAKES else []
        raise SceneError("\n".join([f"{source}: {len(problems)} mistake(s)", *shown, *more]))
    return scene


def _part(key: str, kind: str, value: Any, problems: list[str]) -> Part | None:
    known = plugins().parts[kind]
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        problems.append(f'{key}: a table with type = "..." is needed; known types: {", ".join(known)}')
        return None
    try:
        cls = known[value["type"]]
    except PluginError as error:
        problems.append(f"{key}.type: {error}")
        return None
    try:
        return cls.model_validate({k: v for k, v in value.items() if k != "type"})
    except ValidationError as error:
        problems += [f"{key}.{line}" for line in explain(error, cls)]
    return None
