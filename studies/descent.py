"""Steps of AEqprop with the Lyapunov function on both sides of each, measured apart from the step.

``L(theta) = (F_2(theta) - F_1(theta))/(beta_2 - beta_1)``, where ``F(theta)`` is the minimum over the state of the
energy with nudging springs, must not increase in a step on the sample of that step (Scellier et al. 2022,
arXiv:2205.15021, Theorem 2). L is measured by relaxations of its own, with the stiffnesses held, on a second apparatus;
nothing is taken from the step itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.build import Setup
from sandbox.learning import epoch_order
from sandbox.parts import Controller
from sandbox.physics.equilibrium import NotConverged
from sandbox.physics.knobs import Knobs

ROUND_OFF = 1e-12
"""What may pass for no increase, relative to max|F|/(beta_2 - beta_1). An energy is a sum of some hundred terms, each
good to a few 1e-16, of magnitudes that may exceed their sum where nudges of negative stiffness pull; the relaxation
takes 1e-14 of the magnitudes for round-off; and its tolerance on the force, 1e-10, enters squared."""

STAYS = 1e-7
"""Of the largest stiffness: what a stiffness at a minimum may move by when let go, the tolerance of a relaxation,
1e-10, over the contrast of soft and stiff directions."""


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        level: L after the step.
        rise: increase of L, relative to max|F|/(beta_2 - beta_1).
        warned: the meter counted an unstable phase in the step.
        at_minimum: the held stiffnesses were at a minimum of the joint energy of state, stiffnesses and knobs.
        lower: the release ended no higher in the joint energy than the held stiffnesses are under its nudging.
        refused: there was no minimum under a nudging, and the relaxation raised an error; nothing else is known.
    """

    level: float = float("nan")
    rise: float = float("nan")
    warned: bool = False
    at_minimum: bool = False
    lower: bool = False
    refused: bool = False

    @property
    def violates(self) -> bool:
        """Whether L rose by more than round-off."""
        return self.rise > ROUND_OFF

    @property
    def elsewhere(self) -> bool:
        """A violation although held at a minimum and let go downhill: by the algebra of the proof it then ended in a
        second valley of the joint energy, which was the lower one under the first nudging already.
        """
        return self.violates and self.at_minimum and self.lower


def probe_of(apparatus: Apparatus) -> Apparatus:
    """A second apparatus on the same system and terminals, to measure with."""
    return Apparatus(
        apparatus.system,
        apparatus.inputs,
        apparatus.outputs,
        surroundings=apparatus.surroundings,
        tolerance=apparatus.tolerance,
    )


def free_energy(probe: Apparatus, stiffness: np.ndarray, targets: np.ndarray, beta: float) -> float:
    """F(theta) of the clamped samples under a nudging, batch mean: the stiffnesses are held, the state relaxes."""
    probe.write_stiffness(stiffness)
    probe.nudge(targets, beta)
    return float(probe.settle().energy.mean())


def both(
    probe: Apparatus, stiffness: np.ndarray, inputs: np.ndarray, targets: np.ndarray, betas: tuple[float, float]
) -> tuple[float, float]:
    """The Lyapunov function and the size of its round-off: L, max|F|/(beta_2 - beta_1)."""
    probe.clamp(inputs)
    low, high = (free_energy(probe, stiffness, targets, beta) for beta in betas)
    width = betas[1] - betas[0]
    return (high - low) / width, max(abs(low), abs(high)) / width


def premises(
    probe: Apparatus, apparatus: Apparatus, before: np.ndarray, targets: np.ndarray, betas: tuple[float, float]
) -> tuple[bool, bool]:
    """Whether a step met the theorem's premises, from the stiffnesses before it and the knobs it left.

    Returns:
        Whether the held stiffnesses were a minimum of the joint energy; and whether the release ended no higher in the
        joint energy than the held stiffnesses are under its nudging.
    """
    knobs = Knobs(apparatus.knobs, np.asarray(apparatus.compliance), apparatus.coupling)
    high = free_energy(probe, before, targets, betas[1]) + knobs.energy(before)
    after = free_energy(probe, apparatus.stiffness, targets, betas[1]) + knobs.energy(apparatus.stiffness)
    probe.write_stiffness(before)
    probe.nudge(targets, betas[0])
    held = probe.settle()
    rest = probe.system.relax(probe.boundary, before, knobs=knobs, start=held.state, throw=False)
    stays = np.abs(rest.stiffness - before).max() < STAYS * np.abs(before).max()
    at_minimum = bool(rest.converged.all() and stays and not rest.indefinite.any())
    return at_minimum, after <= high + ROUND_OFF * (abs(high) + abs(after))


def take_steps(setup: Setup, controller: Controller, steps: int) -> Iterator[Step]:
    """Train for a number of steps, one sample a step, measuring L on both sides of each."""
    apparatus, task = setup.apparatus, setup.task
    bench, probe, betas = Bench(apparatus), probe_of(apparatus), nudgings_of(controller)
    done, epoch = 0, 0
    while done < steps:
        for sample in epoch_order(setup, epoch)[: steps - done]:
            inputs, targets = task.inputs[sample], task.targets[sample]
            theta, unstable = apparatus.stiffness.copy(), apparatus.meter.unstable
            try:
                before, scale = both(probe, theta, inputs, targets, betas)
                controller.step(bench, inputs, targets)
                after, scale_after = both(probe, apparatus.stiffness, inputs, targets, betas)
                rise = (after - before) / max(scale, scale_after, 1e-300)
                at_minimum, lower = premises(probe, apparatus, theta, targets, betas)
                yield Step(after, rise, apparatus.meter.unstable > unstable, at_minimum, lower)
            except NotConverged:
                yield Step(refused=True)
            done += 1
        epoch += 1


def mean_level(setup: Setup, betas: tuple[float, float]) -> float:
    """Mean of L over the training samples."""
    task, theta, probe = setup.task, setup.apparatus.stiffness, probe_of(setup.apparatus)
    return float(np.mean([both(probe, theta, task.inputs[i], task.targets[i], betas)[0] for i in task.train]))


def nudgings_of(controller: Controller | None) -> tuple[float, float]:
    """beta_1 and beta_2 of AEqprop."""
    return controller.nudgings  # type: ignore[union-attr]
