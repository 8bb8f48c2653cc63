"""One check: a measured number and what is allowed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


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
        return bool(self.low <= self.measured <= self.high)  # a NaN is not

    @property
    def allowed(self) -> str:
        """In words."""
        return f"at most {self.high:.3g}" if self.low == -math.inf else f"{self.low:.3g} to {self.high:.3g}"

    def row(self) -> dict[str, Any]:
        """As plain data that JSON can say."""
        numbers = {k: v if not isinstance(v, float) or math.isfinite(v) else None for k, v in asdict(self).items()}
        return {**numbers, "allowed": self.allowed, "ok": self.ok}
