"""Simultaneous perturbation: all stiffnesses shaken at once, two readings a step."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sandbox import parts
from sandbox.bench import Bench
from sandbox_order_zero.trial import Trial


class SPSA(Trial):
    """Simultaneous perturbation stochastic approximation: two losses a step, however many stiffnesses there are.

    Spall, IEEE Transactions on Automatic Control 37, 332 (1992). With signs d_i = ±1 drawn at random, step k
    (from 0) estimates ``g_i = (L(x + c_k*d) - L(x - c_k*d))/(2*c_k*d_i)`` and sets ``x -= a_k*g``, where

        a_k = rate/(k + 1 + stability)^rate_decay,    c_k = perturbation/(k + 1)^perturbation_decay.

    Averaged over d that is the gradient step, to order c^2; a single one is off by about sqrt(P) times the gradient,
    so that the largest rate that learns is lower than that of gradient descent by about the trace of the loss's
    curvature over its largest eigenvalue, which is P at most. Exponents of 0, the
    default, make the gains constant, as those of the other controllers are: samples come one at a time for as many
    epochs as the scene says. Spall's for a run that is to converge are 0.602 and 0.101, with a stability of a tenth
    of the steps. Where a bound clips the shaking, the difference of the two stiffnesses read back takes the
    place of ``2*c_k*d_i``.
    """

    trial: ClassVar[parts.Trial] = parts.Trial(steps=200)

    rate: float = Field(0.05, gt=0, description="a; learning rate, on the scale of compliance*beta")
    perturbation: float = Field(0.01, gt=0, description="c; shift of every stiffness, or of its logarithm")
    rate_decay: float = Field(0.0, ge=0, le=1, description="alpha; 0: constant rate")
    perturbation_decay: float = Field(0.0, ge=0, le=1, description="gamma; 0: constant perturbation")
    stability: float = Field(0.0, ge=0, description="A; steps by which the decay of the rate is put off")

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        k = bench.notes.get("steps", 0)
        bench.notes["steps"] = k + 1
        rate = self.rate / (k + 1 + self.stability) ** self.rate_decay
        size = self.perturbation / (k + 1) ** self.perturbation_decay
        bench.clamp(inputs)
        bench.nudge(None, 0.0)
        here = self.where(bench)
        signs = bench.rng.choice([-1.0, 1.0], size=len(here))
        up = self.put(bench, here + size * signs)
        rise = self.loss(bench, targets)
        down = self.put(bench, here - size * signs)
        rise -= self.loss(bench, targets)
        moved = up - down
        # A stiffness that did not move, say a dead knob's, says nothing and is left where it is.
        estimate = np.divide(rise, moved, out=np.zeros_like(moved), where=moved != 0)
        self.put(bench, here - rate * estimate)
