"""List the studies: ``python -m studies``."""

from __future__ import annotations

import ast
from pathlib import Path


def studies() -> dict[str, str]:
    """The studies by name, each with the first line of its module's docstring; nothing is imported."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in module.body):
            found[path.stem] = (ast.get_docstring(module) or "").partition("\n")[0]
    return found


if __name__ == "__main__":
    for name, line in studies().items():
        print(f"python -m studies.{name:<14} {line}")
