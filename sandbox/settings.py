"""What all tables of settings have in common: those of scenes, and those of the parts that plugins bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator


class Settings(BaseModel):
    """A table of settings.

    Unknown keys are refused, and so are numbers that are not finite. ``true`` and ``false`` are no numbers: a list of
    them is a mask to whoever writes it, and would be read as the nodes 1 and 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _numbers_are_numbers(cls, given: Any, read: Callable[[Any], Self]) -> Self:
        made = read(given)
        for key, value in given.items() if isinstance(given, Mapping) else ():
            if _has_become_a_number(value, getattr(made, key, None)):
                raise ValueError(f"{key}: true and false are no numbers; write the number, or the indices of the nodes")
        return made


def _has_become_a_number(given: Any, value: Any) -> bool:
    """Whether a truth value, or one inside lists and tables, was read as something else."""
    if isinstance(given, bool):
        return not isinstance(value, bool)
    if isinstance(given, (list, tuple)) and isinstance(value, (list, tuple)):
        return any(_has_become_a_number(g, v) for g, v in zip(given, value, strict=False))
    if isinstance(given, Mapping) and isinstance(value, Mapping):
        return any(_has_become_a_number(g, value.get(key)) for key, g in given.items() if key in value)
    return False
