"""The long record of Lyapunov descent: thousands of steps on each system, at the settings of its scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sandbox.build import Setup
from sandbox.parts import Controller
from studies.common import table
from studies.descent import ROUND_OFF, mean_level, nudgings_of, take_steps
from studies.descent_systems import allostery, iris, lattice


@dataclass
class Record:
    """What a number of steps on one system came to.

    Attributes:
        violations: steps that raised L by more than round-off.
        unwarned: violations in steps in which the meter counted no unstable phase.
        elsewhere: unwarned violations that ended in a second valley, see :class:`studies.descent.Step`.
        saddles: steps whose held stiffnesses were no minimum of the joint energy, but a saddle that the servo holds.
        largest: largest increase of L in any step, relative to max|F|/(beta_2 - beta_1); negative if L always fell.
        warned: steps in which the meter counted an unstable phase.
        refused: steps that ended in an error, as there was no minimum under a nudging.
        descent: geometric mean over the restarts of L at the end over L at the start; descending at all is no merit of
            steps that do nothing.
    """

    system: str
    steps: int = 0
    violations: int = 0
    unwarned: int = 0
    elsewhere: int = 0
    saddles: int = 0
    largest: float = -np.inf
    warned: int = 0
    refused: int = 0
    restarts: int = 0
    descent: float = 1.0
    seconds: float = 0.0


def follow(record: Record, setup: Setup, controller: Controller, steps: int) -> None:
    """Train for a number of steps and count."""
    began, betas = time.perf_counter(), nudgings_of(controller)
    first = mean_level(setup, betas)
    for step in take_steps(setup, controller, steps):
        record.steps += 1
        record.refused += step.refused
        if step.refused:
            continue
        record.largest = max(record.largest, step.rise)
        record.saddles += not step.at_minimum
        record.warned += step.warned
        record.violations += step.violates
        record.unwarned += step.violates and not step.warned
        record.elsewhere += step.elsewhere and not step.warned
    last = mean_level(setup, betas)
    kept = record.restarts / (record.restarts + 1)
    record.descent = float(record.descent**kept * (max(last, 1e-16 * first) / first) ** (1 - kept))
    record.restarts += 1
    record.seconds += time.perf_counter() - began


SYSTEMS: dict[str, tuple[Callable[[int], Setup], int]] = {
    "flow network: scene iris_flow": (iris, 2000),
    "elastic network: scene allostery_elastic": (allostery, 5000),
    "spring lattice: pair strain, compliance 100": (lattice, 250),
    "for contrast: iris_flow at compliance 1": (partial(iris, compliance=1.0), 2000),
}
"""How to make each system for a seed, and after how many steps to start anew: a single sample is soon learned."""


def measure(name: str, steps: int, first_seed: int = 0) -> Record:
    """Steps in total on one kind of system, starting anew with the next seed every so often."""
    make, each = SYSTEMS[name]
    record, seed = Record(name), first_seed
    while record.steps < steps:
        setup = make(seed)
        assert setup.scene.controller is not None
        follow(record, setup, setup.scene.controller, min(each, steps - record.steps))
        seed += 1
    return record


def page(records: Sequence[Record]) -> str:
    """The record as a section of a page."""
    header = (
        "system",
        "steps",
        "restarts",
        "violations",
        "not warned of",
        "of these second valleys",
        "largest increase",
    )
    header += ("held at saddles", "warned", "loss ratio", "seconds")
    rows = [
        (r.system, r.steps, r.restarts, r.violations, r.unwarned, r.elsewhere, f"{r.largest:.1e}")
        + (r.saddles, r.warned, f"{r.descent:.1e}", round(r.seconds))
        for r in records
    ]
    return "\n".join([TEXT, "", *table(header, rows)])


TEXT = f"""## The long record

The same count over many steps at the settings of the scenes, centered; beta is 0.02 for allostery and 1 elsewhere.
Networks, terminals and initial stiffnesses are drawn anew at each restart.

- largest increase: of L in a step, in units of `max|F|/(beta_2 - beta_1)` (negative: L fell in every step); more than
  {ROUND_OFF:g} is a violation;
- held at saddles: steps whose held stiffnesses were at a saddle of the joint energy, so that the theorem does not
  apply;
- loss ratio: L, mean over the training samples, after the last step over that before the first; geometric mean over
  the restarts."""
