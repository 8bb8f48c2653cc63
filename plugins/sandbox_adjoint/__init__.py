"""Exact gradient descent, through a port that sees everything: the yardstick of every agnostic method."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

import sandbox
from sandbox.bench import Bench, WhiteBox
from sandbox.parts import Controller


class Adjoint(Controller):
    """Step down the exact loss gradient: ``theta -= rate*mobility*grad L``, within bounds.

    The gradient is one linear solve with the Hessian at equilibrium. Not agnostic: it uses the white box. With
    ``rate`` equal to the beta of AEqprop the two take the same steps to first order.
    """

    port: ClassVar[Literal["bench", "white box"]] = "white box"

    rate: float = Field(1.0, gt=0, description="learning rate, on top of the mobility of each stiffness")

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        assert isinstance(bench, WhiteBox)
        bench.clamp(inputs)
        bench.nudge(None, 0.0)
        gradient = bench.loss_gradient(targets)
        bench.stiffness = bench.stiffness - self.rate * bench.mobility * gradient


@sandbox.hookimpl
def register_controllers(register: sandbox.Register) -> None:
    register("adjoint", Adjoint)
