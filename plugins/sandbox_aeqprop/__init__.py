"""Agnostic equilibrium propagation: the controller of the paper.

Scellier, Mishra, Bengio, Ollivier, "Agnostic Physics-Driven Deep Learning", arXiv:2205.15021.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

import sandbox
from sandbox.bench import Bench
from sandbox.parts import Controller


class AEqprop(Controller):
    """Hold the stiffnesses under one nudging, let them go under another.

    The step is a step down the loss, ``theta += -compliance*beta*grad L + ...`` (Theorem 1), with an error of order
    beta for the one-sided variants and beta^2 for the centered one; and at any beta it never increases the Lyapunov
    function ``(F(beta_2) - F(beta_1))/(beta_2 - beta_1)`` of the sample (Theorem 2).
    """

    variant: Literal["optimistic", "pessimistic", "centered"] = Field(
        "centered", description="nudgings (0, beta), (-beta, 0) or (-beta/2, beta/2)"
    )
    beta: float = Field(1.0, gt=0, description="nudging strength: stiffness of the springs on the outputs")

    @property
    def nudgings(self) -> tuple[float, float]:
        """beta_1 of the homeostatic phase and beta_2 of the clamped phase."""
        beta = self.beta
        return {"optimistic": (0.0, beta), "pessimistic": (-beta, 0.0), "centered": (-beta / 2, beta / 2)}[self.variant]

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        beta_1, beta_2 = self.nudgings
        bench.clamp(inputs)
        bench.nudge(targets, beta_1)
        bench.hold()
        bench.nudge(targets, beta_2)
        bench.release()


@sandbox.hookimpl
def register_controllers(register: sandbox.Register) -> None:
    register("aeqprop", AEqprop)
