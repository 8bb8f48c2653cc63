"""From the file of a scene, and changes to it, to the scene."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.errors import SceneError
from sandbox.input_files import places_of
from sandbox.scene.scene import Scene
from sandbox.scene.shipped import find
from sandbox.scene.shipped import folder as shipped_folder
from sandbox.scene.toml import parse_change, parse_toml, put
from sandbox.scene.validating import validate

MAX_BYTES = 1_000_000


def read(
    name: str | Path,
    changes: Iterable[str | tuple[str, Any]] = (),
    seed: int | None = None,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
) -> Scene:
    """Read and validate a scene.

    Args:
        name: a path, or the name of a scene that comes with the sandbox.
        changes: ``"key=value"`` with a dotted key and a TOML value, for example ``"controller.beta=0.1"``; or a pair
            of a key and a value.
        seed: in place of the scene's.
        sections: replacements for keys of whole sections.

    Raises:
        SceneError: every mistake, with its key and the nearest valid name.
    """
    path = find(name)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SceneError(f"{path.name}: a scene is a text of at most {MAX_BYTES} bytes")
        data = parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SceneError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a whole number of thousands of digits
        raise SceneError(f"{path.name} is not valid TOML: {error}") from None
    data.setdefault("name", re.sub(r"[^\w.-]+", "_", path.stem)[:80].lstrip(".-") or "scene")
    for change in changes:
        put(data, *(parse_change(change) if isinstance(change, str) else change))
    for section, values in (sections or {}).items():
        table = data.get(section, {})
        if not isinstance(values, Mapping) or not isinstance(table, dict):
            raise SceneError(f"{section}={values!r}: a dict of keys of that section is needed")
        # Another type has other keys: those of the old one do not carry over.
        other = "type" in values and values["type"] != table.get("type")
        data[section] = dict(values) if other else table | dict(values)
    if seed is not None:
        data["seed"] = seed
    shipped = path.parent == shipped_folder()
    return validate(data, path.name).placed(places_of(None if shipped else path))
