"""Tuned flow: a pressure drop imposed at one place makes set drops at others."""

from __future__ import annotations

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from sandbox.errors import SandboxError
from sandbox.parts import Site, TaskPart
from sandbox.task import Task

Drops = FiniteFloat | tuple[FiniteFloat, ...]


class TunedFlow(TaskPart):
    """The drop over each target pair should be a set part of the drop over the source pair.

    Input and outputs are pairs of nodes of a flow network. Each source drop is a sample; in a linear network one says
    all. Of relative drops, passive networks reach -1 to 1; the more targets, the fewer can be met together.
    """

    source_drop: Drops = Field(1.0, description="drop over the source pair, or several, a sample each; not zero")
    target_drop: Drops = Field(0.2, description="wanted over each target pair, relative to the source; one or several")

    @field_validator("source_drop", "target_drop")
    @classmethod
    def _some(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        if value == ():
            raise ValueError("needs at least one drop")
        return value

    @field_validator("source_drop")
    @classmethod
    def _not_zero(cls, value: float | tuple[float, ...]) -> float | tuple[float, ...]:
        if not np.all(value):
            raise ValueError("a source drop of zero drives nothing")
        return value

    def shape(self) -> tuple[int, int]:
        return 1, np.size(self.target_drop)

    def build(self, site: Site) -> Task:
        if np.any(site.rest_inputs) or np.any(site.rest_outputs):
            raise SandboxError(
                "tuned_flow asks for differences, which are zero at rest; these terminals read "
                f"{site.rest_inputs.tolist()} and {site.rest_outputs.tolist()}. For distances there is allostery"
            )
        source = np.atleast_1d(self.source_drop)[:, None]
        return Task(
            inputs=source,
            targets=source * np.atleast_1d(self.target_drop),
            train=np.arange(len(source)),
            input_names=("source drop",),
        )
