"""Lyapunov descent at finite beta and finite compliance: the record.

``L(theta) = (F_2(theta) - F_1(theta))/(beta_2 - beta_1)``, where ``F(theta)`` is the minimum over the state of the
energy with nudging springs, must not increase in a step of AEqprop on the sample of that step (Scellier et al. 2022,
arXiv:2205.15021, Theorem 2). L is measured before and after each step by relaxations of its own, with the stiffnesses
held, on a second apparatus; nothing is taken from the step itself.

    python benchmarks/lyapunov.py --steps 10000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.build import Setup
from sandbox.learning import epoch_order
from sandbox.parts import Controller
from sandbox.physics.knobs import Knobs
from sandbox.scene import read, validate
from sandbox.seeds import stream

ROUND_OFF = 1e-12
"""What may pass for no increase, relative to max|F|/(beta_2 - beta_1). An energy is a sum of some hundred terms, each
good to a few 1e-16, of magnitudes that may exceed their sum where nudges of negative stiffness pull; the relaxation
takes 1e-14 of the magnitudes for round-off; and its tolerance on the force, 1e-10, enters squared."""


STAYS = 1e-7
"""Of the largest stiffness: what a stiffness at a minimum may move by when let go, the tolerance of a relaxation,
1e-10, over the contrast of soft and stiff directions."""


@dataclass
class Record:
    """What a number of steps on one system came to.

    Attributes:
        violations: steps that raised L by more than round-off.
        elsewhere: violations although the held stiffnesses were at a minimum of the joint energy of state, stiffnesses
            and knobs, and the release ended no higher in it than where it set out; by the algebra of the proof it then
            ended in a second valley, lower than the one that was held.
        saddles: steps whose held stiffnesses were no minimum of the joint energy, but a saddle that the servo holds.
        largest: largest increase of L in any step, relative to max|F|/(beta_2 - beta_1); negative if L always fell.
        unstable: clamped phases that met negative curvature.
        descent: geometric mean over the restarts of L at the end over L at the start; descending at all is no merit of
            steps that do nothing.
    """

    system: str
    steps: int = 0
    violations: int = 0
    largest: float = -np.inf
    elsewhere: int = 0
    saddles: int = 0
    unstable: int = 0
    restarts: int = 0
    descent: float = 1.0
    seconds: float = 0.0


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
        joint energy than the held stiffnesses are under its nudging (in the same valley, that is).
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


def follow(record: Record, setup: Setup, controller: Controller, steps: int) -> None:
    """Train for a number of steps, measuring L on both sides of each."""
    apparatus, task = setup.apparatus, setup.task
    bench, probe, betas = Bench(apparatus), probe_of(apparatus), controller.nudgings  # type: ignore[attr-defined]
    began, done, epoch = time.perf_counter(), 0, 0
    first = mean_loss(setup, probe, betas)
    while done < steps:
        for sample in epoch_order(setup, epoch)[: steps - done]:
            inputs, targets = task.inputs[sample], task.targets[sample]
            theta = apparatus.stiffness.copy()
            before, scale = both(probe, theta, inputs, targets, betas)
            controller.step(bench, inputs, targets)
            after, scale_after = both(probe, apparatus.stiffness, inputs, targets, betas)
            rise = (after - before) / max(scale, scale_after, 1e-300)
            record.largest = max(record.largest, rise)
            at_minimum, lower = premises(probe, apparatus, theta, targets, betas)
            record.saddles += not at_minimum
            record.violations += rise > ROUND_OFF
            record.elsewhere += rise > ROUND_OFF and at_minimum and lower
            done += 1
        epoch += 1
    last = mean_loss(setup, probe, betas)
    kept = record.restarts / (record.restarts + 1)
    record.descent = float(record.descent**kept * (max(last, 1e-16 * first) / first) ** (1 - kept))
    record.restarts += 1
    record.steps += done
    record.unstable += apparatus.meter.unstable
    record.seconds += time.perf_counter() - began


def mean_loss(setup: Setup, probe: Apparatus, betas: tuple[float, float]) -> float:
    """Mean of L over the training samples."""
    task, theta = setup.task, setup.apparatus.stiffness
    return float(np.mean([both(probe, theta, task.inputs[i], task.targets[i], betas)[0] for i in task.train]))


def iris(seed: int, compliance: float | None = None) -> Setup:
    """The scene iris_flow, at its own compliance or another."""
    return Setup(read("iris_flow", [] if compliance is None else [f"bench.compliance={compliance}"], seed=seed))


def allostery(seed: int) -> Setup:
    """The scene allostery_elastic: another packing and other pairs for each seed."""
    return Setup(read("allostery_elastic", seed=seed))


def lattice(seed: int) -> Setup:
    """A triangular lattice, springs of different stiffness, where straining one pair is to strain another.

    A pair is the two ends of the long diagonal of a rhombus of four nodes, drawn from the bottom rows and the middle.
    """
    columns, rows = 8, 8
    rng = stream(seed, "pairs")

    def pair(row: int) -> list[int]:
        column = int(rng.integers(1, columns - 1))
        return [row * columns + column, (row + 2) * columns + column]

    data = {
        "seed": seed,
        "network": {"type": "triangular", "shape": [columns, rows]},
        "system": {"type": "spring_lattice", "stiffness": {"low": 0.5, "high": 1.5}},
        "terminals": {"inputs": [pair(0)], "outputs": [pair(rows - 3)]},
        "bench": {"compliance": 100.0},
        "task": {"type": "allostery", "source_strain": 0.1, "target_strain": 0.05},
        "controller": {"type": "aeqprop"},
        "training": {"epochs": 1},
    }
    return Setup(validate(data))


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


def table(records: list[Record], steps: int) -> str:
    """The record as a page."""
    lines = [
        "# Lyapunov descent",
        "",
        "In every step of agnostic equilibrium propagation, at finite nudging and finite compliance, the function",
        "`L = (F_2 - F_1)/(beta_2 - beta_1)` of the step's sample must not increase, if the held stiffnesses are at a",
        "minimum of the joint energy of state, stiffnesses and knobs. L is measured before and after each step by",
        "separate relaxations with the stiffnesses held. Centered variant; beta is 0.02 for allostery and 1 elsewhere.",
        "",
        f"- violations: increases above {ROUND_OFF:g} of `max|F|/(beta_2 - beta_1)`, the round-off of a difference of",
        "  energies; the largest increase is in the same units (negative: L fell in every step);",
        "- at a minimum: violations although the held stiffnesses were at a minimum and the release did not climb;",
        "  then, by the algebra of the proof, it found a second valley, lower than the one held;",
        "- held at saddles: steps whose held stiffnesses were at a saddle, so that the theorem does not apply to them:",
        "  the compliance is beyond the limit of convexity there;",
        "- unstable: phases the meter counts: negative curvature met in a release, or stiffnesses held at no minimum;",
        "- loss ratio: L, mean over the training samples, after the last step over that before the first; geometric",
        "  mean over the restarts (networks, terminals and initial stiffnesses are drawn anew).",
        "",
        f"    python benchmarks/lyapunov.py --steps {steps}",
        "",
        "| system | steps | restarts | violations | at a minimum | largest increase | held at saddles | unstable "
        "| loss ratio | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {r.system} | {r.steps} | {r.restarts} | {r.violations} | {r.elsewhere} | {r.largest:.1e} "
        f"| {r.saddles} | {r.unstable} | {r.descent:.1e} | {r.seconds:.0f} |"
        for r in records
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the steps that raise the Lyapunov function.")
    parser.add_argument("--steps", type=int, default=10000, help="steps on each system")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    default = Path(__file__).resolve().parent.parent / "docs" / "results" / "lyapunov.md"
    parser.add_argument("--out", type=Path, default=default, help="the page to write")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        page = table(list(pool.map(measure, SYSTEMS, [given.steps] * len(SYSTEMS))), given.steps)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
