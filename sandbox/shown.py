"""How objects show themselves in a notebook, while they know nothing of pictures.

A class that derives from :class:`Shown` has a rich form as soon as something has set :data:`form`; the package does, in
its ``__init__``, to a function that imports the pictures when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable


def _none(thing: object) -> str | None:
    return None


form: Callable[[object], str | None] = _none
"""Gives the HTML form of a thing, or ``None`` where its ``repr`` is to do."""


class Shown:
    """Something with a rich form in notebooks."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        return form(self)
