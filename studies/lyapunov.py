"""Lyapunov: descent at finite beta and compliance, up to where convexity is lost, and whether the solver warns there.

Scellier et al. 2022, arXiv:2205.15021, Theorem 2: ``L = (F_2 - F_1)/(beta_2 - beta_1)`` of a step's sample does not
increase in the step, if both phases end at minima of the joint energy of state, stiffnesses and knobs.

    python -m studies.lyapunov --steps 10000
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.build import Setup
from sandbox.plot.style import CATEGORICAL, DASHES, PAGE, Picture, new_figure, style
from studies import descent_record
from studies.common import Bar, Finding, conduct, spread_over, table
from studies.descent import ROUND_OFF, Step, take_steps
from studies.descent_systems import allostery, iris, lattice

BETAS = (1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Kind:
    """A system on the ladder of compliances.

    Attributes:
        compliances: rising; the first is the one of its scene.
        steps: to take from each of the seeds.
    """

    make: Callable[..., Setup]
    variant: str
    compliances: tuple[float, ...]
    steps: int


KINDS = {
    "flow": Kind(iris, "centered", (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0), 150),
    "elastic": Kind(allostery, "optimistic", (130.0, 400.0, 1200.0, 4000.0, 12000.0), 40),
    "lattice": Kind(lattice, "optimistic", (100.0, 300.0, 1000.0, 3000.0, 10000.0), 40),
}
"""A centered nudging of beta = 2 is a spring of stiffness -1 in its first phase, more than the elastic networks oppose
at their outputs; they are nudged optimistically. Log knobs for the elastic network, quadratic ones for the others."""

QUICK = {"lattice": Kind(lattice, "optimistic", (100.0, 10000.0), 20)}


@dataclass(frozen=True)
class Cell:
    """One setting of the ladder: a kind of system, a nudging, a compliance; and the seed of one run."""

    kind: str
    beta: float
    compliance: float
    seed: int
    quick: bool


@dataclass(frozen=True)
class Tally:
    """Counts over steps."""

    steps: int
    violations: int
    with_warning: int
    second_valley: int
    unexplained: int
    in_vain: int
    saddles: int
    refused: int

    @classmethod
    def of(cls, steps: Sequence[Step]) -> Tally:
        unwarned = [s for s in steps if s.violates and not s.warned]
        return cls(
            len(steps),
            sum(s.violates for s in steps),
            sum(s.violates and s.warned for s in steps),
            sum(s.elsewhere for s in unwarned),
            sum(not s.elsewhere for s in unwarned),
            sum(s.warned and not s.violates for s in steps),
            sum(not (s.at_minimum or s.refused) for s in steps),
            sum(s.refused for s in steps),
        )

    def cells(self) -> list[int]:
        """In the order of :data:`COUNTS`."""
        return list(vars(self).values())


COUNTS = ("steps", "violations", "of these warned", "unwarned: second valley", "unwarned: other", "warned, L fell")
COUNTS += ("held at saddles", "error")


def run(cell: Cell) -> list[Step]:
    """The steps of one run."""
    kind = (QUICK if cell.quick else KINDS)[cell.kind]
    setup = kind.make(cell.seed, compliance=cell.compliance, beta=cell.beta, variant=kind.variant)
    assert setup.scene.controller is not None
    return list(take_steps(setup, setup.scene.controller, kind.steps))


def measure(options: argparse.Namespace) -> Finding:
    quick = options.quick
    kinds, betas, seeds = (QUICK, (1e-3, 2.0), 1) if quick else (KINDS, BETAS, 3)
    seeds = range(options.seed, options.seed + seeds)
    cells = [
        Cell(k, b, c, s, quick) for k, kind in kinds.items() for c in kind.compliances for b in betas for s in seeds
    ]
    runs = dict(zip(cells, spread_over(options.workers, run, cells), strict=True))
    if options.steps is None:
        options.steps = 10 if quick else 10000
    jobs = [(name, options.steps, options.seed) for name in descent_record.SYSTEMS]
    records = spread_over(options.workers, _record, jobs)

    def tally(**wanted: Any) -> Tally:
        return Tally.of([s for c, r in runs.items() if wanted.items() <= vars(c).items() for s in r])

    rows = [[k, f"{c:g}", *tally(kind=k, compliance=c).cells()] for k, kind in kinds.items() for c in kind.compliances]
    by_beta = [[f"{b:g}", *tally(beta=b).cells()] for b in betas]
    everything = tally()
    lowest = sum(tally(kind=k, compliance=kind.compliances[0]).violations for k, kind in kinds.items())
    bars = [
        Bar("violations at the lowest compliance of each system", lowest, 0, 0),
        Bar("violations beyond, so that there is something to warn of", everything.violations, 1),
        Bar("violations not warned of, but for second valleys", everything.unexplained, 0, 0),
        *(
            Bar(f"violations in {r.steps} steps, {r.system}", r.violations, 0, 0)
            for r in records
            if "contrast" not in r.system
        ),
        Bar(
            "long record: violations not warned of, but for second valleys",
            sum(r.unwarned - r.elsewhere for r in records),
            0,
            0,
        ),
    ]
    notes = "\n".join(
        [f"By nudging, over all systems and compliances:\n\n{chr(10).join(table(('beta', *COUNTS), by_beta))}", ""]
        + [descent_record.page(records)]
    )
    text = TEXT.format(share=_share(everything), round_off=ROUND_OFF)
    return Finding(
        "Lyapunov descent", text, ("system", "compliance", *COUNTS), rows, draw(runs, kinds), CAPTION, bars, notes
    )


def _record(job: tuple[str, int, int]) -> descent_record.Record:
    return descent_record.measure(*job)


def _share(all_steps: Tally) -> str:
    """What the warnings were worth, in a sentence."""
    t, warnings = all_steps, all_steps.in_vain + all_steps.with_warning
    return textwrap.fill(
        f"Of {t.violations} violations on this ladder, {t.with_warning} were warned of; {t.second_valley} were not, "
        f"and ended in a second valley; {t.unexplained} were not, for other reasons. Of {warnings} steps with a "
        f"warning, {t.with_warning} raised L. So a warning is necessary for a violation, second valleys apart, "
        "and far from sufficient.",
        119,
    )


TEXT = """
In every step of agnostic equilibrium propagation, at finite nudging and finite compliance, the function
`L = (F_2 - F_1)/(beta_2 - beta_1)` of the step's sample must not increase, if the held stiffnesses are at a minimum of
the joint energy of state, stiffnesses and knobs. L is measured before and after each step by separate relaxations with
the stiffnesses held. Here the nudging goes from 1e-3 to 2, and the compliance from that of the scene (the first of each
system) to far beyond the limit of convexity. *flow*: scene iris_flow, centered; *elastic*: scene allostery_elastic, log
knobs, optimistic; *lattice*: a pair strain in a triangular lattice, optimistic (a negative nudging as large as these
would pull the elastic networks apart).

- violations: steps that raise L by more than {round_off:g} of `max|F|/(beta_2 - beta_1)`, the round-off of a
  difference of energies;
- of these warned: violations in steps in which the meter counted an unstable phase, that is, the relaxation met
  negative curvature, or the servo was seen to hold the stiffnesses at no minimum;
- unwarned, second valley: violations without a warning, although held at a minimum and let go downhill. By the algebra
  of the proof the release then ended in another valley, which was the lower one before already: the held stiffnesses
  were at a minimum, but not at the lowest. No look at the curvature can tell;
- unwarned, other: violations with neither; there must be none;
- warned, L fell: steps with a warning in which L fell or stayed. A warning says that the premises of the theorem
  are not met, which does not make L rise;
- held at saddles: by a measurement apart from the meter's, letting the held stiffnesses go under the same nudging;
- error: the relaxation found no minimum under a nudging and raised an error; the stiffnesses stayed.

{share}
"""

CAPTION = (
    "Top: L along training of a spring lattice, in units of its value after the first step, within the limit of "
    "convexity and far beyond it; dots are steps with a warning, crosses are violations. Bottom: share of steps with a "
    "warning and share of violations against the compliance, over all nudgings."
)


def draw(runs: dict[Cell, list[Step]], kinds: dict[str, Kind]) -> Picture:
    """L along training on the last kind of system, and what was counted on all."""
    shown = list(kinds)[-1]
    with style():
        figure = new_figure(PAGE, 5.0)
        grid = figure.add_gridspec(2, 6)
        for column, compliance in enumerate((kinds[shown].compliances[0], kinds[shown].compliances[-1])):
            ax = figure.add_subplot(grid[0, 3 * column : 3 * column + 3])
            first = min(cell.seed for cell in runs)
            chosen = [c for c in runs if (c.kind, c.compliance, c.seed) == (shown, compliance, first)]
            _courses(ax, [(f"{c.beta:g}", runs[c]) for c in chosen])
            ax.set(title=f"{shown}, compliance {compliance:g}", xlabel="step", ylabel=r"$L/L_1$")
            if column == 0:
                ax.legend(title=r"nudging $\beta$", fontsize=6.5, title_fontsize=7, loc="lower left")
        width = 6 // len(kinds)
        for column, (name, kind) in enumerate(kinds.items()):
            ax = figure.add_subplot(grid[1, width * column : width * (column + 1)])
            _shares(ax, name, kind, runs)
            ax.set(title=name, xlabel="compliance", ylabel="share of steps" if column == 0 else None)
            if column == 0:
                ax.legend(fontsize=6.5, loc="upper left")
    return figure


def _courses(ax: Any, courses: Iterable[tuple[str, list[Step]]]) -> None:
    for place, (label, steps) in enumerate(courses):
        level = np.array([s.level for s in steps]) / steps[0].level
        number, colour = np.arange(1, len(steps) + 1), CATEGORICAL[place]
        ax.semilogy(number, level, color=colour, linestyle=DASHES[place], linewidth=1, label=label)
        for chosen, marker, size in (([s.warned for s in steps], "o", 2.5), ([s.violates for s in steps], "x", 6)):
            where = np.array(chosen, dtype=bool)
            ax.semilogy(number[where], level[where], marker, color=colour, markersize=size)
    ax.grid(True, linewidth=0.4, color="#e3e3e3")


def _shares(ax: Any, name: str, kind: Kind, runs: dict[Cell, list[Step]]) -> None:
    found = [
        [s for c, r in runs.items() if (c.kind, c.compliance) == (name, compliance) for s in r]
        for compliance in kind.compliances
    ]
    for place, (label, count) in enumerate(
        (("with a warning", lambda s: s.warned), ("violations", lambda s: s.violates))
    ):
        share = [np.mean([count(s) for s in steps]) for steps in found]
        ax.semilogx(
            kind.compliances,
            share,
            "os"[place],
            color=CATEGORICAL[place],
            linestyle=DASHES[place],
            markersize=3.5,
            label=label,
        )
    ax.set_ylim(-0.02, 1.02)
    ax.grid(True, linewidth=0.4, color="#e3e3e3")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, help="of the long record, on each system (default 10000; --quick: 10)")


def main(argv: list[str] | None = None) -> None:
    conduct("lyapunov", measure, argv, add_options)


if __name__ == "__main__":
    main()
