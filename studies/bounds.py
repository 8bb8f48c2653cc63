"""Bounds: the optimistic and the pessimistic Lyapunov functions enclose the loss, all along training.

Scellier et al. 2022, arXiv:2205.15021: ``L_{0,beta} <= L <= L_{-beta,0}`` for beta > 0, where ``L_{1,2}`` is
``(F_2 - F_1)/(beta_2 - beta_1)``. F is concave in beta, and the loss is its slope at 0.

    python -m studies.bounds
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sandbox_aeqprop import AEqprop

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.build import Setup
from sandbox.learning import epoch_order
from sandbox.plot.style import CATEGORICAL, DASHES, PAGE, Picture, new_figure, style
from sandbox.scene import read
from studies.cases import CASES
from studies.common import Bar, Finding, conduct
from studies.descent import ROUND_OFF, probe_of

NARROW = 1e-3
"""Width of the band, relative to the loss, that it must exceed somewhere, or all three were the same number."""


LEARNED = 1e-4
"""Part of the first loss at which training ends: soon after, all three are round-off."""


@dataclass(frozen=True)
class Course:
    """The bounds along training of T looks at S samples.

    Attributes:
        beta: of the bounds, and of the training, which is centered.
        steps: (T,) steps done at each look.
        below, loss, above: (T, S).
        slack: (T, S) round-off of the bounds.
    """

    beta: float
    steps: np.ndarray
    below: np.ndarray
    loss: np.ndarray
    above: np.ndarray
    slack: np.ndarray

    @property
    def violations(self) -> int:
        """Values of the loss outside the bounds by more than round-off."""
        return int((self.below > self.loss + self.slack).sum() + (self.loss > self.above + self.slack).sum())

    @property
    def width(self) -> np.ndarray:
        """(T,) mean over the samples of the width of the band, over the mean loss."""
        return (self.above - self.below).mean(axis=1) / self.loss.mean(axis=1)


def look(
    probe: Apparatus, stiffness: np.ndarray, inputs: np.ndarray, targets: np.ndarray, beta: float
) -> tuple[np.ndarray, ...]:
    """Lower bound, loss, upper bound and their round-off, (S,) each, with the stiffnesses held."""
    probe.write_stiffness(stiffness)
    probe.clamp(inputs)
    energies = []
    for nudging in (-beta, 0.0, beta):
        probe.nudge(targets, nudging)
        energies.append(probe.settle().energy)
    probe.nudge(None, 0.0)
    loss = 0.5 * ((probe.read() - targets) ** 2).sum(axis=1)
    slack = ROUND_OFF * np.abs(energies).max(axis=0) / beta
    return (energies[2] - energies[1]) / beta, loss, (energies[1] - energies[0]) / beta, slack


def follow(
    apparatus: Apparatus, inputs: np.ndarray, targets: np.ndarray, order: Iterator[int], beta: float, every: int
) -> Course:
    """Train on samples (S, ...) in an order, a look at all of them at the start and after so many steps."""
    probe, bench, controller = probe_of(apparatus), Bench(apparatus), AEqprop.model_validate({"beta": beta})
    steps, looks = [0], [look(probe, apparatus.stiffness, inputs, targets, beta)]
    for number, sample in enumerate(order, 1):
        controller.step(bench, inputs[sample], targets[sample])
        if number % every == 0:
            steps.append(number)
            looks.append(look(probe, apparatus.stiffness, inputs, targets, beta))
            if looks[-1][1].mean() < LEARNED * looks[0][1].mean():
                break
    return Course(beta, np.array(steps), *np.array(looks).transpose(1, 0, 2))


def iris(seed: int, quick: bool) -> Course:
    """The training flowers of the scene iris_flow."""
    setup = Setup(read("iris_flow", seed=seed))
    task, epochs = setup.task, 1 if quick else 4
    place = {int(sample): row for row, sample in enumerate(task.train)}
    order = [place[int(s)] for epoch in range(epochs) for s in epoch_order(setup, epoch)]
    return follow(
        setup.apparatus, task.inputs[task.train], task.targets[task.train], iter(order), 1.0, 21 if quick else 7
    )


def single(name: str, seed: int, quick: bool) -> Course:
    """One sample, learned from a random start."""
    case = CASES[name](seed)
    apparatus = case.apparatus(compliance=case.compliance)
    order = iter([0] * (20 if quick else 300))
    return follow(apparatus, case.inputs[None], case.targets[None], order, case.beta, 1 if quick else 5)


def measure(options: argparse.Namespace) -> Finding:
    courses = {"iris_flow": iris(options.seed, options.quick)}
    courses |= {name: single(name, options.seed, options.quick) for name in CASES}
    rows = [
        [name, f"{c.beta:g}", int(c.steps[-1]), c.loss.size, c.violations, float(c.loss[0].mean())]
        + [float(c.loss[-1].mean()), float(c.width[0]), float(c.width[-1])]
        for name, c in courses.items()
    ]
    bars = [
        Bar("losses outside their bounds, all systems", sum(c.violations for c in courses.values()), 0, 0),
        Bar("largest relative width of a band, the least of all systems", _least(courses), NARROW),
        Bar("loss at the end over loss at the start, the largest", _most(courses), 0, 0.999),
    ]
    return Finding("Bounds of the loss", TEXT, HEADER, rows, draw(courses), CAPTION, bars)


def _least(courses: dict[str, Course]) -> float:
    return min(float(c.width.max()) for c in courses.values())


def _most(courses: dict[str, Course]) -> float:
    return max(float(c.loss[-1].mean() / c.loss[0].mean()) for c in courses.values())


HEADER = ("system", "beta", "steps", "losses checked", "outside", "mean loss, first", "last", "relative width, first")
HEADER += ("last",)

TEXT = f"""
For beta > 0 the loss lies between the Lyapunov functions of the optimistic and of the pessimistic nudgings:
`L_(0,beta) <= L <= L_(-beta,0)`. The three are measured along training with the centered variant, each by relaxations
of its own with the stiffnesses held: the bounds as differences of energies, the loss from the outputs at rest.
*iris_flow* is the scene, on its training flowers; the others learn one sample from a random start.

A loss is outside if it passes a bound by more than {ROUND_OFF:g} of `max|F|/beta`, the round-off of a difference of
energies. It is counted for each sample by itself. The relative width is that of the band, over the loss, both means
over the samples; a small beta makes a narrow band. Training
ends when the loss has fallen to {LEARNED:g} of the first. Compliances are within the limit of convexity; beyond it the
state can jump to another valley, and the inequality, which is about the lowest, need not hold for what is found.
"""

CAPTION = (
    "The loss along training (line) and the band between its bounds; for iris_flow, means over the training flowers."
)


def draw(courses: dict[str, Course]) -> Picture:
    """A panel for each system."""
    with style():
        figure = new_figure(PAGE, 4.4)
        axes = figure.subplots(2, 3).ravel()
        for ax, (name, course) in zip(axes, courses.items(), strict=True):
            _panel(ax, course)
            ax.set_title(rf"{name}, $\beta$ = {course.beta:g}", fontsize=8)
        for ax in axes[3:]:
            ax.set_xlabel("step")
        for ax in axes[::3]:
            ax.set_ylabel("loss")
        handles = {h.get_label(): h for h in (*axes[0].get_lines(), *axes[0].collections)}
        figure.legend(handles=list(handles.values()), loc="outside upper center", ncols=4)
    return figure


def _panel(ax: Any, course: Course) -> None:
    below, loss, above = (v.mean(axis=1) for v in (course.below, course.loss, course.above))
    ax.fill_between(
        course.steps, below, above, color=CATEGORICAL[5], alpha=0.35, linewidth=0, label="between the bounds"
    )
    for place, (label, values) in enumerate(
        (("loss", loss), (r"$L_{0,\beta}$", below), (r"$L_{-\beta,0}$", above)),
    ):
        ax.plot(course.steps, values, color=CATEGORICAL[place], linestyle=DASHES[place], linewidth=1.0, label=label)
    ax.set_ylim(bottom=0)
    ax.grid(True, linewidth=0.4, color="#e3e3e3")


def main(argv: list[str] | None = None) -> None:
    conduct("bounds", measure, argv)


if __name__ == "__main__":
    main()
