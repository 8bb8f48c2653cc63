"""Allostery: straining one pair of nodes strains another, far away."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from sandbox.errors import SandboxError
from sandbox.parts import Site, TaskPart, Trial
from sandbox.task import Task


class Allostery(TaskPart):
    """One sample: with the source pair's distance at (1 + e_s) of its rest, the target pair's should be at (1 + e_t).

    Input and output are pairs of nodes of an elastic network; distances in its unit of length.
    """

    trial: ClassVar[Trial] = Trial(rest=1.0)

    source_strain: FiniteFloat = Field(0.2, gt=-1, description="e_s, relative change of the source pair's distance")
    target_strain: FiniteFloat = Field(0.2, gt=-1, description="e_t, wanted of the target pair's; either sign")

    @field_validator("target_strain")
    @classmethod
    def _not_zero(cls, value: float) -> float:
        if value == 0:
            raise ValueError("a target strain of zero asks for nothing, and errors are measured against it")
        return value

    def shape(self) -> tuple[int, int]:
        return 1, 1

    def build(self, site: Site) -> Task:
        for rest, name in ((site.rest_inputs, "source"), (site.rest_outputs, "target")):
            if rest.shape != (1,) or not rest[0] > 0:
                raise SandboxError(
                    f"allostery needs one {name} pair of nodes, apart at rest; its reading at rest is {rest.tolist()}. "
                    "Give it pairs as terminals, in an elastic network; for flow networks there is tuned_flow"
                )
        return Task(
            inputs=site.rest_inputs[None] * (1 + self.source_strain),
            targets=site.rest_outputs[None] * (1 + self.target_strain),
            train=np.array([0]),
            input_names=("source distance",),
            rest_outputs=site.rest_outputs,
        )
