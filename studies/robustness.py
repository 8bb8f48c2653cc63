"""Robustness: accuracy on iris against the strength of each imperfection of the apparatus, one at a time.

python -m studies.robustness
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sandbox.plot.style import CATEGORICAL, DASHES, INK, PAGE, Picture, new_figure, style
from studies.common import Bar, Finding, conduct, spread_over
from studies.training import Job, Outcome, train

RULES = {
    "AEqprop": '{type="aeqprop",beta=4}',
    "adjoint": '{type="adjoint",rate=4}',
    "coupled learning": '{type="coupled_learning",rate=2}',
    "SPSA": '{type="spsa",rate=0.1}',
    "eqprop, linear assumed": '{type="eqprop",assumed_law="linear",beta=4}',
}
AGNOSTIC, EXACT, COUPLED, TRIAL, ASSUMING = RULES
MARKERS = dict(zip(RULES, "os^Dv", strict=True))
COMPLIANCE = 0.1
LAW_FACTOR = 0.5
CHANCE = 1 / 3


@dataclass(frozen=True)
class Panel:
    """An imperfection, the strengths tried beside none, and the rules that meet it."""

    key: str
    label: str
    strengths: tuple[float, ...]
    rules: tuple[str, ...]
    beside: tuple[str, ...] = ()
    """Further changes of the scene wherever the strength is not zero."""


PANELS = (
    Panel("reading_noise", "noise of readings\n(pressure)", (0.01, 0.1, 0.3), (AGNOSTIC, COUPLED, TRIAL)),
    Panel("homeostat_noise", "noise of the homeostat\n(mean stiffness)", (0.003, 0.01, 0.03), (AGNOSTIC,)),
    Panel("knob_gain", "gain of knobs\n(s.d. of its log)", (0.5, 1.0, 2.0), (AGNOSTIC, EXACT)),
    Panel("quantum", "step of the knobs\n(stiffness)", (0.003, 0.01, 0.03), (AGNOSTIC, EXACT)),
    Panel("drift", "drift\n(relative, in a step)", (0.003, 0.01, 0.03), (AGNOSTIC, EXACT)),
    Panel("dead", "dead knobs\n(part of all)", (0.25, 0.5, 0.75), (AGNOSTIC, EXACT)),
    Panel(
        "hardening",
        "hidden laws\n(largest a, pressure$^{-2}$)",
        (3.0, 10.0, 30.0),
        (AGNOSTIC, EXACT, ASSUMING),
        (f"bench.imperfections.law_factor={LAW_FACTOR}",),
    ),
)

QUICK = (
    replace(PANELS[0], strengths=PANELS[0].strengths[-1:], rules=(AGNOSTIC, COUPLED)),
    replace(PANELS[5], strengths=(0.5,)),
)

Results = dict[tuple[str, str, float], list[Outcome]]
"""By rule, imperfection ("" for none) and strength: one outcome a seed."""


def measure(options: argparse.Namespace) -> Finding:
    """The study; its quick form has two seeds, fewer epochs, and only what the bars look at."""
    seeds, epochs, panels = (2, 4, QUICK) if options.quick else (5, 10, PANELS)
    kinds = [(rule, "", 0.0, ()) for rule in RULES if any(rule in p.rules for p in panels)]
    kinds += [(rule, p.key, s, p.beside) for p in panels for rule in p.rules for s in p.strengths]
    jobs = [job(*kind, epochs, options.seed + n) for kind in kinds for n in range(seeds)]
    outcomes = spread_over(options.workers, train, jobs)
    results = {kind[:3]: outcomes[i * seeds : (i + 1) * seeds] for i, kind in enumerate(kinds)}
    return report(panels, results, seeds, epochs)


def job(rule: str, key: str, strength: float, beside: tuple[str, ...], epochs: int, seed: int) -> Job:
    """The scene iris_flow under a rule, with an imperfection of this strength."""
    flaw = (f"bench.imperfections.{key}={strength}", *beside) if key else ()
    changes = (f"bench.compliance={COMPLIANCE}", f"training.epochs={epochs}", f"controller={RULES[rule]}", *flaw)
    return Job("iris_flow", changes, seed)


def report(panels: tuple[Panel, ...], results: Results, seeds: int, epochs: int) -> Finding:
    """Table, bars and figure."""
    rules = [rule for rule in RULES if (rule, "", 0.0) in results]
    rows = [["none", "", *(_spread(results.get((rule, "", 0.0))) for rule in rules)]]
    rows += [
        [f"`{p.key}`", f"{s:g}", *(_spread(results.get((rule, p.key, s))) for rule in rules)]
        for p in panels
        for s in p.strengths
    ]
    perfect = accuracies(results[AGNOSTIC, "", 0.0])
    noisy = next(p for p in panels if p.key == "reading_noise")
    worst = noisy.strengths[-1]
    moved = [accuracies(results[AGNOSTIC, noisy.key, s]) - perfect for s in noisy.strengths]
    hurt = mean_loss(results[COUPLED, noisy.key, worst]) / mean_loss(results[COUPLED, "", 0.0])
    dead = mean_loss(results[AGNOSTIC, "dead", 0.5]) / mean_loss(results[EXACT, "dead", 0.5])
    return Finding(
        title="Robustness",
        text=(
            f"The scene `iris_flow`, {seeds} seeds, {epochs} epochs, compliance {COMPLIANCE:g}: accuracy on the test "
            "samples (mean ± s.d. over the seeds), with one imperfection of the apparatus at a time, at a few "
            "strengths. Rules and their settings: "
            + "; ".join(f"{rule} `{RULES[rule]}`" for rule in rules)
            + ". The readings that accuracy is taken from are free of noise. An empty cell: the rule was not tried "
            "there. A training in which a relaxation found no equilibrium counts as accuracy 0."
        ),
        header=("imperfection", "strength", *rules),
        rows=rows,
        figure=draw(panels, results),
        caption=(
            "Test accuracy against the strength of each imperfection, mean and standard deviation over the seeds; "
            "leftmost: none. Dotted: chance."
        ),
        bars=[
            Bar(
                "largest change of AEqprop's accuracy, in any seed, by reading noise", float(np.abs(moved).max()), 0, 0
            ),
            Bar(f"mean training loss of coupled learning at reading noise {worst:g} over that without", hurt, low=2),
            Bar("mean training loss of AEqprop over that of adjoint, half of the knobs dead", dead, high=1.1),
        ],
        notes=NOTES,
    )


NOTES = (
    "AEqprop reads no output, so that noise of readings does not touch it. Its homeostat is what has to be good, and "
    "only AEqprop has one. Gains of the knobs scale the compliances, each its own: the metric changes, no "
    "component of the step turns around, and the same happens to what `adjoint` writes. A dead knob is a stiffness "
    "that is not learned. With coarse knobs, steps of less than half a knob step are lost; fewer of AEqprop's are, "
    "whose stiffnesses lie off the grid of its knobs, by the force on them, which is another for every sample. "
    f"`hardening` comes with `law_factor = {LAW_FACTOR:g}`. There the nudging of 4 is too strong for AEqprop to keep "
    "up with exact gradient descent; in [agnosticism](agnosticism.md) rates are tuned, and it does."
)


def accuracies(outcomes: list[Outcome]) -> np.ndarray:
    """(seeds,) on the test samples; 0 for a training that broke off."""
    return np.array([0.0 if np.isinf(o.loss) else o.accuracy for o in outcomes])


def mean_loss(outcomes: list[Outcome]) -> float:
    """Of the training samples, mean over the seeds."""
    return float(np.mean([o.loss for o in outcomes]))


def _spread(outcomes: list[Outcome] | None) -> str:
    if outcomes is None:
        return ""
    values = accuracies(outcomes)
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def draw(panels: tuple[Panel, ...], results: Results) -> Picture:
    """One panel for each imperfection."""
    with style():
        columns = min(len(panels), 4)
        lines = -(-len(panels) // columns)
        figure = new_figure(PAGE, 0.5 + 2.0 * lines)
        axes: Any = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        for number, (axis, panel) in enumerate(zip(axes, panels, strict=False)):
            _draw_panel(axis, panel, results)
            if number % columns == 0:
                axis.set_ylabel("test accuracy")
        shown = [rule for rule in RULES if any(rule in p.rules for p in panels)]
        handles = [axes[0].plot([], [], markersize=4, label=rule, **_look(rule))[0] for rule in shown]
        if len(panels) < len(axes):
            axes[-1].legend(handles=handles, loc="center", ncols=1).set_in_layout(False)
        else:
            figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _draw_panel(axis: Any, panel: Panel, results: Results) -> None:
    places = np.arange(len(panel.strengths) + 1)
    for i, rule in enumerate(panel.rules):
        found = [results[rule, "", 0.0], *(results[rule, panel.key, s] for s in panel.strengths)]
        values = np.array([accuracies(outcomes) for outcomes in found])
        axis.errorbar(
            places + 0.08 * (i - (len(panel.rules) - 1) / 2),
            values.mean(axis=1),
            values.std(axis=1, ddof=1),
            markersize=4,
            capsize=2,
            elinewidth=0.8,
            **_look(rule),
        )
    axis.axhline(CHANCE, color=INK, linewidth=0.8, linestyle=":")
    axis.set_xticks(places, ["0", *(f"{s:g}" for s in panel.strengths)])
    axis.set_ylim(0, 1.05)
    axis.set_xlabel(panel.label)


def _look(rule: str) -> dict[str, Any]:
    place = list(RULES).index(rule)
    return {"color": CATEGORICAL[place], "linestyle": DASHES[place], "marker": MARKERS[rule], "linewidth": 1.0}


def main(argv: list[str] | None = None) -> None:
    """Run the study from its command line."""
    conduct("robustness", measure, argv)


if __name__ == "__main__":
    main()
