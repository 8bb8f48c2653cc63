"""Writes the pages that are generated from the code: the scene reference and the hooks.

    python docs/_tools/generate.py

They are kept in the repository, so that they can be read there too. The tests and the site fail if they are out of
date.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import hooks_reference
import scene_reference

DOCS = Path(__file__).resolve().parent.parent
PAGES: dict[str, Callable[[], str]] = {
    "scene_reference.md": scene_reference.page,
    "hooks.md": hooks_reference.page,
}
COMMAND = "python docs/_tools/generate.py"


def stale() -> list[str]:
    """Names of the pages that differ from what the code says."""
    return [
        name
        for name, page in PAGES.items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text(encoding="utf-8") != page()
    ]


def main() -> None:
    """Writes all pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(DOCS / name)


if __name__ == "__main__":
    sys.exit(main())
