"""What the tables of a scene have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Node = Annotated[int, Field(ge=0, lt=2**31)]
Nodes = Annotated[
    str | Annotated[list[Node], Field(min_length=1)], Field(description="name of a group, or node indices")
]


def _without_control_characters(text: str) -> str:
    if any((ord(c) < 32 and c not in "\n\r\t") or 127 <= ord(c) < 160 for c in text):
        raise ValueError("there are control characters in it")
    return text


Text = Annotated[str, AfterValidator(_without_control_characters)]


class Section(BaseModel):
    """A table of a scene; unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
