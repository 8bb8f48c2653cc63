"""``sandbox new-plugin``: a package to begin a plugin with, whole, installable, and tested."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import Literal

from sandbox.errors import PluginError

Kind = Literal["system", "controller", "task"]

TEMPLATES = Path(__file__).parent / "templates"


def new_plugin(name: str, kind: Kind, folder: Path | None = None) -> Path:
    """Write the package of a new plugin and return its folder.

    Args:
        name: of the project, letters, digits, ``-`` and ``_``: ``my-phases`` makes the module ``my_phases``.
        kind: of part that it registers.
        folder: where to write; ``./NAME`` by default.

    Raises:
        PluginError: for a name that cannot be one of a package, or a folder that is not empty.
    """
    module = re.sub(r"[-_]+", "_", name).lower()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*[A-Za-z0-9]|[A-Za-z]", name) or keyword.iskeyword(module):
        raise PluginError(f"{name!r} cannot be the name of a package: letters, digits, - and _, a letter first")
    if module == "sandbox":
        raise PluginError("a plugin cannot be called sandbox; choose another name")
    folder = Path(name) if folder is None else folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PluginError(f"{folder} exists and is not an empty folder; choose another with --folder")
    words = {
        "project": module.replace("_", "-"),
        "module": module,
        "part": module.removeprefix("sandbox_"),
        "Part": "".join(word.capitalize() for word in module.removeprefix("sandbox_").split("_")),
        "kind": kind,
    }
    for template in sorted(TEMPLATES.rglob("*.txt")):
        path = template.relative_to(TEMPLATES)
        if path.parts[0] not in ("common", kind):
            continue
        target = folder / Template(str(Path(*path.parts[1:]).with_suffix(""))).substitute(words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(template.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    return folder
