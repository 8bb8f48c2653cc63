"""Tables between lines of equals signs in docstrings become Markdown tables when the site reads them."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

TABLE = re.compile(r"^(={3,} +)={3,}\n(.*?)\n={3,} +={3,}$", re.MULTILINE | re.DOTALL)


class Tables(Extension):
    """Rewrites the tables of two columns in every docstring."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for every object that is read."""
        if obj.docstring is not None:
            obj.docstring.value = TABLE.sub(_markdown, obj.docstring.value)


def _markdown(table: re.Match[str]) -> str:
    column = len(table[1])
    rows = (f"| {row[:column].strip()} | {row[column:].strip()} |" for row in table[2].splitlines())
    return "| | |\n| --- | --- |\n" + "\n".join(rows)
