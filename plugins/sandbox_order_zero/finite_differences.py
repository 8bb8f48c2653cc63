"""Finite differences: the stiffnesses shifted one by one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from sandbox.bench import Bench
from sandbox_order_zero.trial import Trial


class FiniteDifferences(Trial):
    """Gradient descent, ``x -= rate*gradient``, on a gradient of finite differences: Kiefer and Wolfowitz's method.

    Annals of Mathematical Statistics 23, 462 (1952), in P dimensions. P + 1 losses a step (``"one-sided"``, error of
    order c) or 2P (``"centered"``, order c^2). Differences are over the stiffnesses read back; a one-sided shift that
    a bound is in the way of goes inward.
    """

    variant: Literal["one-sided", "centered"] = Field("one-sided", description="P + 1 or 2P losses in a step")
    rate: float = Field(0.2, gt=0, description="learning rate, on the scale of compliance*beta")
    perturbation: float = Field(0.001, gt=0, description="c; shift of a stiffness, or of its logarithm")

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(inputs)
        bench.nudge(None, 0.0)
        here = self.where(bench)
        loss = self.loss(bench, targets) if self.variant == "one-sided" else np.nan
        gradient = np.zeros_like(here)
        for i in range(len(here)):
            shift = np.zeros_like(here)
            shift[i] = self.perturbation
            up = self.put(bench, here + shift)[i]
            if self.variant == "centered":
                rise = self.loss(bench, targets)
                down = self.put(bench, here - shift)[i]
                rise -= self.loss(bench, targets)
            else:
                down = here[i]
                if up - down < self.perturbation / 2:
                    up = self.put(bench, here - shift)[i]
                rise = self.loss(bench, targets) - loss
            gradient[i] = rise / (up - down) if up != down else 0.0
        self.put(bench, here - self.rate * gradient)
