"""Which nodes, and what is done to them: the tables groups, clamp, push and terminals."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sandbox.scene.section import Node, Nodes, Section


class Group(Section):
    """A named set of nodes: given, on a side, inside a ball (disk) or inside a box."""

    nodes: list[Node] | None = None
    side: Literal["left", "right", "bottom", "top", "back", "front"] | None = None
    center: list[float] | None = None
    radius: float | None = Field(None, gt=0)
    lower: list[float] | None = None
    upper: list[float] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Group:
        ways = (self.nodes is not None, self.side is not None, self.center is not None, self.lower is not None)
        if sum(ways) != 1:
            raise ValueError("give one of: nodes; side; center and radius; lower and upper")
        if (self.center is None) != (self.radius is None) or (self.lower is None) != (self.upper is None):
            raise ValueError("center goes with radius, and lower with upper")
        return self


class Clamp(Section):
    """Hold nodes: at ``value``, or (for positions) at rest plus ``displacement``."""

    nodes: Nodes
    value: float | list[float] | None = None
    displacement: list[float] | None = None
    components: list[int] | None = Field(None, min_length=1, description="which components are held; all by default")

    @model_validator(mode="after")
    def _one_way(self) -> Clamp:
        if self.value is not None and self.displacement is not None:
            raise ValueError("give value or displacement, not both (neither: held at rest)")
        if self.components is not None and len(set(self.components)) < len(self.components):
            raise ValueError(f"components {self.components} name one twice")
        return self


class Push(Section):
    """Push nodes by an external force, or inject a current; not in components that a clamp holds."""

    nodes: Nodes
    force: float | list[float]


class TerminalPlaces(Section):
    """Where inputs and outputs are.

    ``pick = "random"`` draws as many different nodes as the task needs; ``"boundary pairs"`` a source pair and the far
    target pair of a packing. Otherwise give the nodes, or pairs of nodes.
    """

    pick: Literal["random", "boundary pairs"] | None = None
    inputs: str | list[Node] | list[tuple[Node, Node]] | None = None
    outputs: str | list[Node] | list[tuple[Node, Node]] | None = None
    input_kind: Literal["value", "force"] = "value"
    component: int = Field(0, ge=0, description="state component of node terminals")

    @model_validator(mode="after")
    def _one_way(self) -> TerminalPlaces:
        given = self.inputs is not None, self.outputs is not None
        if self.pick is not None and any(given):
            raise ValueError("give pick, or inputs and outputs, not both")
        if self.pick is None and not all(given):
            raise ValueError('give inputs and outputs, or pick = "random" or "boundary pairs"')
        return self
