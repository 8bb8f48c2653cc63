"""Learning on the bench: the tables bench and training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sandbox.imperfections import Imperfections
from sandbox.scene.section import Section
from sandbox.spread import Spread

Positive = Annotated[float, Field(gt=0)]


class BenchSettings(Section):
    """Knobs and homeostat of the apparatus."""

    compliance: Positive | Spread | dict[str, Positive] = Field(
        default=1.0,
        description="of every stiffness: a number, a random draw, or a number for each group of stiffnesses; "
        "the learning rate is compliance*beta",
    )
    coupling: Literal["quadratic", "log"] = "quadratic"
    homeostat: Literal["ideal", "integral"] = "ideal"
    tolerance: float = Field(
        default=1e-10,
        gt=0,
        lt=1e-2,
        description="of every relaxation, on each force, relative to those that meet at its node",
    )
    fresh: bool = Field(
        default=False, description="relax new inputs from the rest state, not from where the last left off"
    )
    imperfections: Imperfections = Imperfections()


class Training(Section):
    """How long to learn."""

    epochs: int = Field(gt=0, le=10_000_000)
    batch: int = Field(1, gt=0, description="samples per step, sharing the stiffnesses")
    shuffle: bool = True
    every: int = Field(1, gt=0, description="epochs between evaluations")
    stop_loss: float | None = Field(
        None, gt=0, description="stop once the training loss is below; an event if it never is"
    )
    compliance_decay: float = Field(1.0, gt=0, le=1, description="factor on the compliance after each epoch")
    keep: Literal["every", "ends"] = Field(
        "every", description="evaluations whose stiffnesses are recorded: all, or the first and the last"
    )
