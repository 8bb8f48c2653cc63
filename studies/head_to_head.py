"""Head to head: agnostic equilibrium propagation, contrastive rules and the exact gradient on the same tasks.

    python -m studies.head_to_head            # three data sets on four kinds of networks, 5 seeds each
    python -m studies.head_to_head --quick    # two small rows, two seeds, no tuning

All rules train the same networks from the same stiffnesses on the same samples in the same order, each at the rate that
suits it best.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import ttest_1samp

import sandbox
from sandbox.build import Setup
from sandbox.errors import SandboxError
from sandbox.learning import Learner
from sandbox.plot.style import CATEGORICAL, PAGE, Picture, new_figure, style
from studies.common import Bar, Finding, conduct, spread_over, table

REFERENCE, CONTRAST, EXACT = "AEqprop C", "eqprop", "adjoint"
RULES = {
    "AEqprop O": '{{type="aeqprop",variant="optimistic",beta={beta}}}',
    "AEqprop P": '{{type="aeqprop",variant="pessimistic",beta={beta}}}',
    REFERENCE: '{{type="aeqprop",variant="centered",beta={beta}}}',
    CONTRAST: '{{type="eqprop",variant="centered",beta={beta}}}',
    "coupled": '{{type="coupled_learning",rate={clamped}}}',
    "contrastive": '{{type="contrastive",rate={clamped}}}',
    EXACT: '{{type="adjoint",rate={beta}}}',
}
"""``clamped`` is beta over the stiffness that the untrained network opposes at its outputs."""
MARKERS = ("^", "v", "o", "s", "D", "P", "X")
FACTORS = (1 / 3, 1.0, 3.0)
"""On the compliance of a case: the rates among which every rule has its own."""
TUNING_SEEDS = (100, 101)
"""Added to the study's seed; the seeds of the results are others."""
SEEDS = 5
SMALL_NUDGE = 1e-3
LEVEL = 0.05
"""Of significance, in a row."""

Compliance = float | Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Case:
    """A task on a kind of network, as changes to a scene; ``beta`` and ``compliance`` are those of the factor 1."""

    task: str
    system: str
    scene: str
    changes: tuple[str, ...]
    compliance: Compliance
    beta: float
    epochs: int

    @property
    def name(self) -> str:
        return f"{self.task}, {self.system}"

    def changed(self, factor: float) -> tuple[str, ...]:
        """Changes to the scene but for the controller."""
        return (
            *self.changes,
            f"bench.compliance={_literal(self.compliance, factor)}",
            f"training.epochs={self.epochs}",
        )


def _literal(compliance: Compliance, factor: float) -> str:
    if isinstance(compliance, Mapping):
        return "{" + ",".join(f'"{group}"={factor * value}' for group, value in compliance.items()) + "}"
    return str(factor * compliance)


def _hopfield(task: str, layers: str, pairs: str) -> tuple[str, ...]:
    """A small data set on a layered network, one-hot, whose stiffnesses relax jointly with the states."""
    return (
        f"network.layers={layers}",
        f'task={{type="{task}",code="one-hot",code_range=[0.0,1.0],differential={pairs},constants=[]}}',
        'system.stiffness_relaxations="joint"',
        "training.batch=8",
    )


ONE_HOT = 'code="one-hot",code_range=[0.4,0.6]'
PUBLISHED = {"weights 1": 0.3, "weights 2": 0.05, "biases 1": 0.02, "biases 2": 0.01}
"""Compliances of the scene digits_hopfield."""
SOFT = {group: value / 3 for group, value in PUBLISHED.items()}
"""For stiffnesses that relax jointly with the states: some run off to a far minimum at the published compliance."""
WINE_DIODES = ("network.nodes=40", "network.edges=500", f'task={{type="wine",{ONE_HOT}}}')
DIGITS_FLOW = (
    "network.nodes=64",
    "network.edges=1000",
    f'task={{type="digits",components=16,train_samples=700,{ONE_HOT}}}',
)
ELASTIC = (
    'network={type="random_geometric",nodes=24,coordination=11}',
    'system={type="elastic_network",stiffness={low=0.5,high=1.5},minimum=1e-3}',
    'clamp=[{nodes="left",components=[1]}]',
    'task={type="iris",amplitude=0.1}',
)
"""Inputs and output are x components of nodes of a disordered network in the unit square; what is clamped, the y
components at the left end, takes away the motions that cost no energy."""

IRIS_FLOW = Case("iris", "linear flow", "iris_flow", (), 0.2, 1.0, 20)
DIGITS_HOPFIELD = Case("digits", "Hopfield", "digits_hopfield", ("network.layers=[64,128,10]",), PUBLISHED, 0.5, 10)
CASES = (
    IRIS_FLOW,
    Case("iris", "diode flow", "iris_diode", (), 3.0, 1.0, 30),
    Case("iris", "diode flow, soft knobs", "iris_diode", (), 9.0, 1.0, 20),
    Case("iris", "elastic", "iris_flow", ELASTIC, 60.0, 0.3, 25),
    Case("iris", "Hopfield", "digits_hopfield", _hopfield("iris", "[8,32,3]", "true"), SOFT, 0.5, 25),
    Case("wine", "linear flow", "wine_flow", (), 1.5, 1.0, 10),
    Case("wine", "diode flow", "iris_diode", WINE_DIODES, 1.5, 1.0, 20),
    Case("wine", "Hopfield", "digits_hopfield", _hopfield("wine", "[13,32,3]", "false"), SOFT, 0.5, 25),
    Case("digits", "linear flow", "wine_flow", DIGITS_FLOW, 3.0, 1.0, 4),
    DIGITS_HOPFIELD,
)
ONCE = DIGITS_HOPFIELD.name
"""The row in which stiffnesses relax once, as in the published simulation."""
QUICK = (
    replace(IRIS_FLOW, epochs=2),
    replace(DIGITS_HOPFIELD, changes=("network.layers=[64,16,10]", "task.train_samples=160"), epochs=2),
)


@dataclass(frozen=True)
class Job:
    case: Case
    rule: str
    factor: float
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What a training ended with.

    Attributes:
        loss: mean of 1/2 |output - target|^2 over the training samples; infinite for a training that failed.
        error: part of the test samples told wrong; not a number for a training that failed.
        relaxations, solves: of a state, and linear with the Hessian, for each sample seen.
        unstable: whether the joint energy of state and stiffness was ever seen not to be convex.
    """

    loss: float
    error: float
    relaxations: float = np.nan
    solves: float = np.nan
    unstable: bool = False

    @property
    def failed(self) -> bool:
        return not np.isfinite(self.loss)


def train(job: Job) -> Outcome:
    """Train, without files. It fails if a relaxation or a gradient is not found, or if a step leads to infinity."""
    case = job.case
    changes = case.changed(job.factor)
    opposed = output_stiffness(sandbox.load(case.scene, changes, seed=job.seed).setup)
    controller = RULES[job.rule].format(beta=case.beta, clamped=case.beta / opposed)
    setup = sandbox.load(case.scene, (*changes, f"controller={controller}"), seed=job.seed).setup
    learner = Learner(setup)
    try:
        for _ in range(case.epochs):
            learner.train_epoch()
        figures = learner.evaluate()
    except SandboxError:
        return Outcome(np.inf, np.nan)
    meter, samples = setup.apparatus.meter, case.epochs * len(setup.task.train)
    return Outcome(
        figures["train loss"],
        1 - figures["test accuracy"],
        meter.relaxations / samples,
        meter.linear_solves / samples,
        meter.unstable > 0,
    )


def output_stiffness(setup: Setup) -> float:
    """What the network opposes at its outputs before it is trained, along the errors of the training samples.

    By two readings: springs of a small beta pull outputs off by ``-beta K^-1 error``, K being the stiffness matrix.
    """
    task, apparatus = setup.task, setup.apparatus
    with apparatus.unmetered():
        apparatus.nudge(None, 0.0)
        apparatus.clamp(task.inputs[task.train])
        free = apparatus.read()
        apparatus.nudge(task.targets[task.train], SMALL_NUDGE)
        pulled = apparatus.read()
    error = task.targets[task.train] - pulled
    return float(SMALL_NUDGE * (error**2).sum() / (error * (pulled - free)).sum())


@dataclass(frozen=True)
class Fared:
    """How a rule fared in a case."""

    rule: str
    factor: float
    outcomes: Sequence[Outcome]

    @property
    def losses(self) -> np.ndarray:
        return np.array([o.loss for o in self.outcomes])

    @property
    def errors(self) -> np.ndarray:
        """In per cent."""
        return np.array([100 * o.error for o in self.outcomes])

    @property
    def failed(self) -> int:
        return sum(o.failed for o in self.outcomes)


Row = dict[str, Fared]


def tuned(case: Case, first: int, workers: int) -> dict[str, float]:
    """The factor of each rule that leaves the least mean loss on the tuning seeds."""
    trials = [(rule, factor) for rule in RULES for factor in FACTORS]
    jobs = [Job(case, rule, factor, first + seed) for rule, factor in trials for seed in TUNING_SEEDS]
    losses = np.array([o.loss for o in spread_over(workers, train, jobs)])
    best = np.argmin(losses.reshape(len(RULES), len(FACTORS), len(TUNING_SEEDS)).mean(axis=2), axis=1)
    return {rule: FACTORS[b] for rule, b in zip(RULES, best, strict=True)}


def fare(case: Case, factors: Mapping[str, float], seeds: int, first: int, workers: int) -> Row:
    """The case under the rules that have a factor, on as many seeds from the first."""
    jobs = [Job(case, rule, factor, first + seed) for rule, factor in factors.items() for seed in range(seeds)]
    outcomes = spread_over(workers, train, jobs)
    return {
        rule: Fared(rule, factor, outcomes[i * seeds : (i + 1) * seeds])
        for i, (rule, factor) in enumerate(factors.items())
    }


def slowed(case: Case, row: Row, first: int, workers: int) -> Fared | None:
    """The rule eqprop at the factor of AEqprop C, if its own is another: tells rate and rule apart."""
    factor = row[REFERENCE].factor
    if row[CONTRAST].factor == factor:
        return None
    return fare(case, {CONTRAST: factor}, len(row[CONTRAST].outcomes), first, workers)[CONTRAST]


def measure(options: argparse.Namespace) -> Finding:
    """The study; its quick form has two short rows at the factor 1 and two seeds."""
    first, workers = options.seed, options.workers
    if options.quick:
        flat = dict.fromkeys(RULES, 1.0)
        return report({case: fare(case, flat, 2, first, workers) for case in QUICK}, {}, quick=True)
    results: dict[Case, Row] = {}
    same: dict[Case, Fared] = {}
    for case in CASES:
        results[case] = row = fare(case, tuned(case, first, workers), SEEDS, first, workers)
        control = slowed(case, row, first, workers)
        if control is not None:
            same[case] = control
        print(case.name, *(f"{f.rule} {_spread(f.errors, f, 1)}" for f in row.values()), sep="; ", flush=True)
    return report(results, same)


def report(results: dict[Case, Row], same: dict[Case, Fared], quick: bool = False) -> Finding:
    """Tables, bars and figure; ``same`` are the trainings of :func:`slowed`."""
    header = ("task, system", *RULES)
    once = next(row for case, row in results.items() if case.name == ONCE)
    apart = np.abs(once[REFERENCE].losses / once[CONTRAST].losses - 1).max()
    failed = sum(row[REFERENCE].failed for row in results.values())
    return Finding(
        title="Head to head",
        text=_TEXT + _QUICK_TEXT if quick else _TEXT,
        header=header,
        rows=[[case.name, *_marked(row, "errors")] for case, row in results.items()],
        figure=draw(results),
        caption="Test error of every seed (ticks), their mean (mark) and s.d. (bar).",
        bars=[
            Bar(f"{ONCE}: training loss of AEqprop C over that of eqprop, largest distance from 1", apart, high=1e-3),
            Bar("trainings with AEqprop C that failed", failed, high=0),
        ],
        notes=_notes(results, same) + ("" if quick else _INTERPRETATION),
    )


def _marked(row: Row, what: str) -> list[str]:
    """Cells of a row: mean ± s.d. over the seeds, a star where it differs from AEqprop C."""
    apart = differing(row, what)
    digits = 1 if what == "errors" else 0
    return [_spread(getattr(f, what), f, digits) + (" *" if f.rule in apart else "") for f in row.values()]


def differing(row: Row, what: str) -> set[str]:
    """The rules of a row whose errors or losses differ from those of AEqprop C: paired t test, Holm over the row.

    Losses are compared by their logarithms, and failed trainings not at all.
    """
    reference = getattr(row[REFERENCE], what)
    chances: dict[str, float] = {}
    for rule in RULES:
        values = getattr(row[rule], what)
        both = np.isfinite(values) & np.isfinite(reference)
        a, b = values[both], reference[both]
        apart = a - b if what == "errors" else np.log(a / b)
        if rule != REFERENCE and len(apart) > 2 and np.ptp(apart) > 0:
            result: Any = ttest_1samp(apart, 0.0)
            chances[rule] = float(result.pvalue)
    found: set[str] = set()
    for rank, (rule, chance) in enumerate(sorted(chances.items(), key=lambda item: item[1])):
        if chance > LEVEL / (len(RULES) - 1 - rank):
            break
        found.add(rule)
    return found


def _spread(values: np.ndarray, fared: Fared, digits: int) -> str:
    """Mean ± s.d.; of what did not fail, with the number of trainings that did."""
    fine = values[np.isfinite(values)]
    mean, sd = (fine.mean(), fine.std(ddof=1)) if len(fine) > 1 else (np.nan, np.nan)
    text = f"{mean:.{digits}f} ± {sd:.{digits}f}" if digits else f"{mean:.2e} ± {sd:.0e}"
    return f"{text} ({fared.failed} failed)" if fared.failed else text


def _range(values: Sequence[float]) -> str:
    if not values:
        return ""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _unstable(fared: Fared) -> str:
    return f"{sum(o.unstable for o in fared.outcomes)} of {len(fared.outcomes)}"


def _same_rate(results: dict[Case, Row], same: dict[Case, Fared]) -> list[str]:
    """Lines of the section on rows in which eqprop has another factor than AEqprop C."""
    if not same:
        return []
    rows = [
        [
            case.name,
            f"{slow.factor:.2g}",
            *(_spread(f.losses, f, 0) for f in (results[case][REFERENCE], slow)),
            *(_spread(f.errors, f, 1) for f in (results[case][REFERENCE], slow)),
        ]
        for case, slow in same.items()
    ]
    header = ("task, system", "factor", "loss, AEqprop C", "loss, eqprop", "error, AEqprop C", "error, eqprop")
    return [
        "## At the same rate",
        "",
        "Rows in which AEqprop C and eqprop were given different factors, with eqprop at the factor of AEqprop C.",
        "",
        *table(header, rows),
        "",
    ]


def _notes(results: dict[Case, Row], same: dict[Case, Fared]) -> str:
    losses = [[case.name, *_marked(row, "losses")] for case, row in results.items()]
    factors = [
        [
            case.name,
            f"{case.epochs}",
            f"{case.beta:g}",
            *(f"{f.factor:.2g}" for f in row.values()),
            _unstable(row[REFERENCE]),
        ]
        for case, row in results.items()
    ]
    costs = []
    for rule in RULES:
        runs = [o for row in results.values() for o in row[rule].outcomes]
        fine = [o for o in runs if not o.failed]
        costs.append(
            [
                rule,
                _range([o.relaxations for o in fine]),
                _range([o.solves for o in fine]),
                f"{sum(o.failed for o in runs)} of {len(runs)}",
                f"{sum(o.unstable for o in fine)} of {len(runs)}",
            ]
        )
    header = ("task, system", *RULES)
    return "\n".join(
        [
            "## Training loss",
            "",
            *table(header, losses),
            "",
            "## Rates",
            "",
            "The factor on the compliance that each rule was given.",
            "",
            *table(("task, system", "epochs", "beta", *RULES, "AEqprop C not convex"), factors),
            "",
            *_same_rate(results, same),
            "## Costs",
            "",
            "Relaxations of a state, and linear solves with the Hessian, for each sample and step; trainings that "
            "failed, a relaxation having found no equilibrium; and others in which the joint energy of state and "
            "stiffness was seen not to be convex at least once, which is looked at only where stiffnesses are let go.",
            "",
            *table(("rule", "relaxations", "linear solves", "failed", "not convex"), costs),
            "",
        ]
    )


_TEXT = f"""
Test error in per cent, mean ± s.d. over seeds; a star: differs from AEqprop C (paired t test over the seeds, level
{LEVEL:g} for a row, after Holm). A seed draws network, terminals, initial stiffnesses, split and order of samples, the
same for all rules; so the s.d. is mostly that of networks and splits.

AEqprop has variants O (optimistic), P (pessimistic) and C (centered). `eqprop` is the centered contrastive rule with
the true energy law, `coupled` is coupled learning with eta 0.1, `contrastive` clamps the outputs at the targets,
`adjoint` is the exact gradient. Every row has one beta, and the rate of adjoint equals it. The rules that clamp outputs
have the rate beta/K, K being the stiffness that the untrained network opposes at its outputs, measured by a small
nudge. So all rules step alike to first order, but for the weighting of the outputs by K. On top of that each rule has a
factor of its own on the compliance: of 1/3, 1 and 3 the one with the least mean training loss on the seeds
{TUNING_SEEDS[0]} and {TUNING_SEEDS[1]}, which are not among the results. Tuning has as many epochs as the results.
Settings other than those of scenes, the compliance of the factor 1 among them, come from short tries with AEqprop C on
the seeds 100 to 103.

Linear flow, and iris on diodes: the scenes `iris_flow`, `wine_flow`, `iris_diode`, with fewer epochs. Soft knobs:
the factor 1 is three times the compliance of the scene, so the largest rates are nine times the scene's. Wine on
diodes: 40 nodes, 500 edges, log knobs, one-hot. Elastic: springs of true geometry between 24 points in a unit square;
inputs and output are x components of nodes, the inputs moved by up to 0.1. Hopfield: dense, 8-32-3 for iris and 13-32-3
for wine, in batches of 8, states and stiffnesses relaxing jointly; 64-128-10 for digits (the scene has 512 hidden
units), in batches of 32, stiffnesses relaxing once, as published. Digits, linear flow: 64 nodes, 1,000 edges, 16
principal components, one-hot, 700 training samples. Left out for their time: wine and digits on elastic networks,
digits on diodes. Trainings are short, so these are not the least errors that the networks reach.
"""

_QUICK_TEXT = """
This is the quick form: two of the rows with fewer epochs, smaller digits, two seeds, and the factor 1 for every rule.
"""

_INTERPRETATION = """
## What differs beyond noise

This is read from the run with seed 0. In test error nothing differs from AEqprop C by the test, except digits on linear
flow: there eqprop, coupled learning and adjoint err less, and contrastive learning errs more. They err less because of
the rate and not the rule: tuning gave AEqprop C a smaller factor there, and eqprop at that factor is no better than
AEqprop C. So it is with most of the lower losses of the white-box rules, in the rows of the section "At the same
rate": at one rate the two losses lie close together, except on diodes with soft knobs, where that of AEqprop C is
higher. AEqprop does not gain from knobs as soft as the white-box rules do; a larger beta at a lower compliance was not
tried.

AEqprop P leaves more loss than C on the Hopfield networks for wine and digits, for digits at a smaller factor. Clamping
the outputs at their targets follows the gradient of another cost (see `plugins/sandbox_coupled_learning`), and leaves
more loss than coupled learning on all diode networks and for digits on linear flow. Where stiffnesses relax once,
AEqprop C and eqprop agree to rounding, since their steps are the same.

What is not shown: on elastic networks the seeds differ by far more than the rules do, so that five of them do not rank
the rules; and no star does not mean no difference. Stars are corrected within a row and not over the rows of both
tables, so a row or so may have one by chance. The largest rate offered was the best for the white-box rules in nearly
every row, so their best may lie higher still.
"""


def draw(results: dict[Case, Row]) -> Picture:
    """A dot with whiskers for every row and rule; a panel for each task."""
    tasks = list(dict.fromkeys(case.task for case in results))
    groups = {task: [case for case in results if case.task == task] for task in tasks}
    with style():
        figure = new_figure(PAGE, 0.9 + 0.85 * len(results))
        axes: Any = figure.subplots(
            len(tasks), 1, squeeze=False, height_ratios=[len(groups[task]) for task in tasks]
        ).ravel()
        for axis, task in zip(axes, tasks, strict=True):
            _draw_task(axis, task, {case.system: results[case] for case in groups[task]})
        axes[-1].set_xlabel("test error (%)")
        handles = [
            axes[0].plot([], [], color=c, marker=m, linestyle="none", label=rule)[0]
            for c, m, rule in zip(CATEGORICAL, MARKERS, RULES, strict=True)
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(RULES))
    return figure


def _draw_task(axis: Any, task: str, rows: dict[str, Row]) -> None:
    for place, row in enumerate(rows.values()):
        for i, (fared, colour, marker) in enumerate(zip(row.values(), CATEGORICAL, MARKERS, strict=True)):
            y = place + 0.12 * (i - (len(RULES) - 1) / 2)
            errors = fared.errors[np.isfinite(fared.errors)]
            axis.plot(errors, np.full(len(errors), y), "|", color=colour, markersize=5, alpha=0.7)
            if len(errors) > 1:
                axis.errorbar(
                    errors.mean(), y, xerr=errors.std(ddof=1), color=colour, marker=marker, markersize=4.5, linewidth=1
                )
        if place:
            axis.axhline(place - 0.5, color="#d9d9d9", linewidth=0.6)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(left=-0.01 * axis.get_xlim()[1])
    axis.tick_params(axis="y", length=0)
    axis.set_title(task, loc="left")


def main(argv: list[str] | None = None) -> None:
    """Run the study from its command line."""
    conduct("head_to_head", measure, argv)


if __name__ == "__main__":
    main()
