"""The checks in order, each group by itself: one that raises is a failed check, and the rest go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sandbox.validation import closed_forms, conservation, minimization, modes, theory
from sandbox.validation.check import Check

Group = Callable[[], Iterator[Check]]

SUITE: dict[str, Group] = {
    "closed forms": closed_forms.checks,
    "normal modes": modes.checks,
    "SciPy": minimization.checks,
    "conservation": conservation.checks,
    "theory": theory.checks,
}


def validate() -> Iterator[Check]:
    """Measure everything."""
    for group, checks in SUITE.items():
        try:
            yield from checks()
        except Exception as error:  # whatever is broken on this machine, say it and go on
            yield Check(group, "the rest of the group", float("nan"), 0.0, note=f"{type(error).__name__}: {error}")
