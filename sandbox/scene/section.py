"""What the tables of a scene have in common."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sandbox.settings import Settings

Node = Annotated[int, Field(ge=0, lt=2**31)]


def _no_mask(nodes: Any) -> Any:
    """Refuse a mask before it is read as numbers, of which it would name the nodes 0 and 1 many times."""
    if isinstance(nodes, list) and any(isinstance(node, bool) for node in nodes):
        raise ValueError("true and false are no numbers; write the indices of the nodes")
    return nodes


def _each_once(nodes: list[int]) -> list[int]:
    """Refuse a node that is named twice: it would be pushed twice, or held twice."""
    if len(set(nodes)) < len(nodes):
        node, times = Counter(nodes).most_common(1)[0]
        raise ValueError(f"names node {node} {times} times; name it once")
    return nodes


Nodes = Annotated[
    str | Annotated[list[Node], Field(min_length=1), AfterValidator(_each_once)],
    BeforeValidator(_no_mask),
    Field(description="name of a group, or node indices"),
]


def _without_control_characters(text: str) -> str:
    if any((ord(c) < 32 and c not in "\n\r\t") or 127 <= ord(c) < 160 for c in text):
        raise ValueError("there are control characters in it")
    return text


Text = Annotated[str, AfterValidator(_without_control_characters)]


class Section(Settings):
    """A table of a scene."""
