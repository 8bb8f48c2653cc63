"""Equilibrium propagation: the contrastive rule that knows how the energy depends on the stiffnesses.

Scellier, Bengio, "Equilibrium Propagation: Bridging the Gap between Energy-Based Models and Backpropagation",
Frontiers in Computational Neuroscience 11:24 (2017), arXiv:1602.05179; nudgings of both signs: Laborieux, Ernoult,
Scellier, Bengio, Grollier, Querlioz, "Scaling Equilibrium Propagation to Deep ConvNets by Drastically Reducing its
Gradient Estimator Bias", Frontiers in Neuroscience 15:633674 (2021), arXiv:2006.03824.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

import sandbox
from sandbox.bench import Bench, WhiteBox
from sandbox.parts import Controller
from sandbox_eqprop.stiffness_force import AssumedLaw, stiffness_force


class EquilibriumPropagation(Controller):
    """Step by the contrast of the forces on the stiffnesses at two equilibria: ``theta -= mobility*(f_2 - f_1)``.

    f = dE/dtheta at rest under nudging beta_1, then beta_2, the stiffnesses held in both. The step is
    ``-mobility*(beta_2 - beta_1)*grad L`` with an error of order beta for the one-sided variants and beta^2 for the
    centered one. AEqprop with the same knobs and beta takes the same step up to second order in the
    compliance.

    Not agnostic: the contrast is computed from the state and the energy law. With ``assumed_law = "linear"`` it is
    computed as if every edge were linear, which on other edges is the gradient of nothing.
    """

    port: ClassVar[Literal["bench", "white box"]] = "white box"

    variant: Literal["optimistic", "pessimistic", "centered"] = Field(
        "centered", description="nudgings (0, beta), (-beta, 0) or (-beta/2, beta/2)"
    )
    beta: float = Field(1.0, gt=0, description="nudging strength: stiffness of the springs on the outputs")
    assumed_law: AssumedLaw = Field("own", description="the energy's own law, or every edge taken for a linear one")

    @property
    def nudgings(self) -> tuple[float, float]:
        """beta_1 and beta_2."""
        beta = self.beta
        return {"optimistic": (0.0, beta), "pessimistic": (-beta, 0.0), "centered": (-beta / 2, beta / 2)}[self.variant]

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        assert isinstance(bench, WhiteBox)
        bench.clamp(inputs)
        forces = []
        for beta in self.nudgings:
            bench.nudge(targets, beta)
            forces.append(stiffness_force(bench, self.assumed_law))
        bench.stiffness = bench.stiffness - bench.mobility * (forces[1] - forces[0])


@sandbox.hookimpl
def register_controllers(register: sandbox.Register) -> None:
    register("eqprop", EquilibriumPropagation)
