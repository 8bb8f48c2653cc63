"""One check: a measured number and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sandbox.errors import printable

ROUNDING = 1e-14
"""What numbers that should be the same may differ by, relative to the largest: some tens of roundings."""


@dataclass(frozen=True)
class Check:
    """A measured number.

    Attributes:
        group: what kind of check.
        name: what was measured, and against what.
        measured: an error, an order, a number of violations.
        low, high: allowed from here to there.
        note: why it could not be measured, if so.
    """

    group: str
    name: str
    measured: float
    high: float
    low: float = -math.inf
    note: str = ""

    @property
    def ok(self) -> bool:
        return math.isfinite(self.measured) and bool(self.low <= self.measured <= self.high)

    @property
    def allowed(self) -> str:
        """In words."""
        return f"at most {self.high:.3g}" if self.low == -math.inf else f"{self.low:.3g} to {self.high:.3g}"

    def row(self) -> dict[str, Any]:
        """As plain data that JSON can say."""
        numbers = {k: v if not isinstance(v, float) or math.isfinite(v) else None for k, v in asdict(self).items()}
        return {**numbers, "allowed": self.allowed, "ok": self.ok}


def largest(values: Iterable[float]) -> float:
    """The largest of numbers, 0 if there are none; NaN if one of them is: ``max`` may pass over it."""
    return float(np.max(np.fromiter(values, dtype=float), initial=0.0))


def print_table(title: str, checks: Sequence[Check]) -> None:
    """Print what was measured and what is allowed, group by group, in the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title)
    for heading in ("check", "measured", "allowed", "ok"):
        table.add_column(heading, overflow="fold")
    for last, check in zip([None, *checks], checks, strict=False):
        if last is None or last.group != check.group:
            table.add_section()
            table.add_row(Text(check.group, style="bold"))
        mark = "yes" if check.ok else "NO"
        style = None if check.ok else "bold red"
        table.add_row(Text(check.name), f"{check.measured:.3g}", check.allowed, mark, style=style)
    console = Console()
    console.print(table, highlight=False)
    for check in checks:
        if check.note:
            note = printable(f"{check.group}, {check.name}: {check.note}")
            console.print(note, soft_wrap=True, highlight=False, markup=False)
    console.print(f"{sum(c.ok for c in checks)} of {len(checks)} checks are ok", highlight=False)
