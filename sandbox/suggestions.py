"""Hints at the name that was meant, and short lists of the names that there are, for errors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MOST_COMPARED = 1000
"""Names that are compared one by one, which takes some 0.1 ms each; see :func:`nearest` for more names."""

LONGEST_NAME = 100
"""Characters of a name that is compared: the comparison takes a time that grows with the square of them."""

MOST_LISTED = 20
"""Names in a list; the others are counted."""

LONGEST_LIST = 600
"""Characters of a list."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that is nearest to a name; None where none is near, or the name is too long to be one.

    The same name in other letter case is the nearest. The work is bounded: of more than :data:`MOST_COMPARED` names,
    those are compared whose first or last half is that of the name, and no more than so many of them.
    """
    if len(name) > LONGEST_NAME:
        return None
    names = [str(other) for other in known]
    folded = name.casefold()
    same = next((other for other in names if other.casefold() == folded), None)
    if same is not None:
        return same
    if len(names) > MOST_COMPARED:
        names = _likely(name, names)
    near = get_close_matches(name, [other for other in names if len(other) <= LONGEST_NAME], n=1)
    return near[0] if near else None


def did_you_mean(name: str, known: Iterable[str], form: str = "did you mean {!r}? ") -> str:
    """Write the nearest known name as a hint; empty where none is near.

    Args:
        form: of the hint; ``{!r}`` stands for the name.
    """
    near = nearest(name, known)
    return form.format(near) if near is not None else ""


def listed(names: Iterable[str], none: str = "none") -> str:
    """Write names with commas between them: the first :data:`MOST_LISTED`, and how many more there are.

    Args:
        none: stands for an empty list.
    """
    names = [str(name) for name in names]
    shown: list[str] = []
    for name in names[:MOST_LISTED]:
        shown.append(name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "...")
        if sum(map(len, shown)) > LONGEST_LIST:
            break
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") if names else none


def _likely(name: str, names: list[str]) -> list[str]:
    """Of many names, at most :data:`MOST_COMPARED` that may be near, found in one pass of cheap tests."""
    folded, half = name.casefold(), max(len(name) // 2, 1)
    start, end = folded[:half], folded[-half:]

    def may_be_near(other: str) -> bool:
        if abs(len(other) - len(name)) > half:
            return False
        other = other.casefold()
        return other.startswith(start) or other.endswith(end)

    return list(islice(filter(may_be_near, names), MOST_COMPARED))
