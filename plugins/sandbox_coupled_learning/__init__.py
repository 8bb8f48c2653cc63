"""Coupled learning and contrastive learning: rules that clamp the outputs.

Stern, Hexner, Rocks, Liu, "Supervised Learning in Physical Networks: From Machine Learning to Learning Machines",
Physical Review X 11, 021045 (2021), arXiv:2011.03861; Movellan, "Contrastive Hebbian Learning in the Continuous
Hopfield Model", Connectionist Models: Proceedings of the 1990 Summer School (1991).

What the step follows. Let G(theta, y) be the lowest energy with the outputs clamped at y, and K = d^2 G/dy^2 at the
free outputs y0 the stiffness that the network opposes there. As dG/dy = 0 at y0, d^2 G/dtheta dy = -(dy0/dtheta)^T K.
So for eta -> 0 the contrast of forces over eta tends to

    (dy0/dtheta)^T K (y0 - target),

the gradient of the loss with the error weighted by K. With one output the step is that of gradient descent, times K;
with several it is another direction, along which the loss falls if K is near enough to a multiple of the identity.
At eta = 1 the contrast is the exact gradient of G(theta, target) - G(theta, y0), which for a linear network is
1/2 (y0 - target)^T K (y0 - target), the dependence of K on theta included.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from sandbox_eqprop.stiffness_force import AssumedLaw, stiffness_force

import sandbox
from sandbox.bench import Bench, WhiteBox
from sandbox.parts import Controller


class CoupledLearning(Controller):
    """Step by the contrast of a free and a clamped state: ``theta -= rate*mobility/eta*(f_clamped - f_free)``.

    The outputs are clamped at ``free + eta*(target - free)``; f = dE/dtheta. For small eta the
    step is the loss gradient with the error weighted by K, the stiffness of the network at its outputs (see this
    module): with one output, AEqprop's step where ``rate = beta/K``. It is not the gradient of the squared error.

    The distance of a pair is clamped by a spring that gives way a little (:data:`sandbox.apparatus.GRIP`).
    """

    port: ClassVar[Literal["bench", "white box"]] = "white box"

    eta: float = Field(0.1, gt=0, le=1, description="how far toward the targets the outputs are clamped")
    rate: float = Field(1.0, gt=0, description="learning rate, on top of the mobility of each stiffness")
    assumed_law: AssumedLaw = Field("own", description="the energy's own law, or every edge taken for a linear one")

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        assert isinstance(bench, WhiteBox)
        contrast = clamped_contrast(bench, inputs, targets, self.eta, self.assumed_law)
        bench.stiffness = bench.stiffness - self.rate / self.eta * bench.mobility * contrast


class Contrastive(Controller):
    """Contrastive Hebbian learning: ``theta -= rate*mobility*(f_clamped - f_free)``, outputs clamped at the targets.

    Coupled learning with eta = 1: the exact gradient of the energy that it takes to hold the outputs at their targets.
    """

    port: ClassVar[Literal["bench", "white box"]] = "white box"

    rate: float = Field(1.0, gt=0, description="learning rate, on top of the mobility of each stiffness")
    assumed_law: AssumedLaw = Field("own", description="the energy's own law, or every edge taken for a linear one")

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        assert isinstance(bench, WhiteBox)
        contrast = clamped_contrast(bench, inputs, targets, 1.0, self.assumed_law)
        bench.stiffness = bench.stiffness - self.rate * bench.mobility * contrast


def clamped_contrast(box: WhiteBox, inputs: np.ndarray, targets: np.ndarray, eta: float, law: AssumedLaw) -> np.ndarray:
    """(P,) force on the stiffnesses with the outputs clamped at ``free + eta*(target - free)``, less that when free."""
    box.clamp(inputs)
    box.nudge(None, 0.0)
    free = box.read()
    force = stiffness_force(box, law)
    box.clamp_outputs(free + eta * (targets - free))
    contrast = stiffness_force(box, law) - force
    box.clamp_outputs(None)
    return contrast


@sandbox.hookimpl
def register_controllers(register: sandbox.Register) -> None:
    register("coupled_learning", CoupledLearning)
    register("contrastive", Contrastive)
