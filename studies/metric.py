"""Metric: log knobs, compliances of each stiffness and knobs of unknown gain give the predicted preconditioned step.

Scellier et al. 2022, arXiv:2205.15021: the Hessian of the coupling energy U is the metric of the step. So
``theta' - theta = -eps_e*(beta_2 - beta_1)*dL/dtheta_e`` for quadratic knobs of compliance eps_e, and
``-eps*(beta_2 - beta_1)*theta_e^2*dL/dtheta_e`` for knobs that act on log theta, to first order.

    python -m studies.metric
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.imperfections import Imperfections
from sandbox.plot.style import CATEGORICAL, DASHES, FAINT, PAGE, Picture, new_figure, style
from sandbox.seeds import stream
from studies.cases import CASES, Case
from studies.common import Bar, Finding, conduct
from studies.ladders import Ladder, clean_part

SYSTEMS = ("linear flow", "diode flow", "elastic")

SMALL = 1 / 64
"""Nudging, in units of the case's: the centered direction is then off by 1e-6 or so, which the floors account for."""

GAIN = 0.5
"""Standard deviation of the log of the knobs' gains."""

CLOSE = 1e-3
"""What may be missing of the predicted step, relative, at the smallest compliance."""

APART = 0.1
"""By how much the plain gradient, times the factor that suits it best, must miss the step, relative; else the metric
could not be told."""


@dataclass(frozen=True, eq=False)
class Metric:
    """A kind of knobs.

    Attributes:
        settings: of the bench, for a case, a mean compliance and a seed.
        inverse: (P,) of a case and a seed: the step per mean compliance and gradient.
    """

    settings: Callable[[Case, float, int], dict[str, Any]]
    inverse: Callable[[Case, int], np.ndarray]


def _each(case: Case, seed: int) -> np.ndarray:
    """Compliances (P,) of mean one that differ by a factor of ten."""
    drawn = 10 ** stream(seed, "compliances").uniform(-1, 0, len(case.apparatus().stiffness))
    return drawn / drawn.mean()


def _unknown(case: Case, compliance: float, seed: int) -> dict[str, Any]:
    return {
        "compliance": compliance,
        "imperfections": Imperfections(knob_gain=GAIN),
        "rng": stream(seed, "gains"),
    }


METRICS = {
    "log knobs": Metric(
        lambda case, eps, seed: {"compliance": eps, "coupling": "log"},
        lambda case, seed: case.apparatus().stiffness ** 2,
    ),
    "compliance of each": Metric(lambda case, eps, seed: {"compliance": eps * _each(case, seed)}, _each),
    "unknown gains": Metric(
        _unknown, lambda case, seed: np.asarray(case.apparatus(**_unknown(case, 1.0, seed)).true_compliance)
    ),
}
"""The controller is the same in all three, and told of nothing. Knobs of unknown gain: the bench multiplies every
compliance by a factor it has drawn and keeps to itself; the study looks it up for the prediction."""


@dataclass(frozen=True)
class Outcome:
    """A metric on a system.

    Attributes:
        steps, predicted: (P,) at the largest compliance, per compliance and nudging.
        ladder: relative error of the step against its prediction, over compliances in units of the case's.
        plain: (P,) the multiple of the gradient that is nearest to the prediction.
    """

    steps: np.ndarray
    predicted: np.ndarray
    ladder: Ladder
    plain: np.ndarray

    @property
    def plain_error(self) -> float:
        """Relative error of the plain gradient."""
        return float(np.linalg.norm(self.plain - self.predicted) / np.linalg.norm(self.predicted))


def compare(case: Case, metric: Metric, seed: int, rungs: np.ndarray) -> Outcome:
    """Single steps from the case's initial stiffnesses against the prediction from the adjoint gradient.

    Args:
        case, metric, seed: what to compare.
        rungs: compliances in units of the case's, falling.
    """
    gradient, beta = case.loss_gradient(), SMALL * case.beta
    inverse = metric.inverse(case, seed)
    predicted = inverse * gradient
    size = float(np.linalg.norm(predicted))
    nudging = np.linalg.norm(inverse * (case.finite_gradient("centered", beta) - gradient)) / size
    ladder = case.compliance * rungs
    steps = [case.step("centered", beta, **metric.settings(case, eps, seed)) for eps in ladder]
    errors = np.array([np.linalg.norm(step - predicted) for step in steps]) / size
    floors = np.array([nudging + case.rounding(eps * beta * size) for eps in ladder])
    best = gradient * (gradient @ predicted) / (gradient @ gradient)
    return Outcome(steps[0], predicted, clean_part(rungs, errors, floors), best)


def measure(options: argparse.Namespace) -> Finding:
    ladder = 0.25 ** np.arange(5) if options.quick else 0.5 ** np.arange(10)
    found = {
        (word, name): compare(CASES[name](options.seed), metric, options.seed, ladder)
        for word, metric in METRICS.items()
        for name in SYSTEMS
    }
    rows = [
        [
            word,
            name,
            len(o.steps),
            o.ladder.slope,
            int(o.ladder.clean.sum()),
            *(float(e) for e in o.ladder.errors[[0, -1]]),
        ]
        + [o.plain_error]
        for (word, name), o in found.items()
    ]
    slopes = [o.ladder.slope for o in found.values()]
    worst = max(slopes, key=lambda slope: abs(slope - 1) if np.isfinite(slope) else np.inf)
    bars = [
        Bar(f"order of the error in the compliance, the farthest from 1 of {len(slopes)}", worst, 0.9, 1.1),
        Bar(
            "error at the smallest compliance, the largest",
            max(float(o.ladder.errors[-1]) for o in found.values()),
            0,
            CLOSE,
        ),
        Bar("error of the plain gradient, the smallest", min(o.plain_error for o in found.values()), APART),
    ]
    return Finding("The metric of the step", TEXT, HEADER, rows, draw(found), CAPTION, bars)


HEADER = ("knobs", "system", "P", "order in compliance", "rungs used", "error, largest compliance", "smallest")
HEADER += ("plain gradient",)

TEXT = f"""
The coupling of knobs and stiffnesses decides on the metric of the step. To first order in the compliance and in the
nudging, from the exact (adjoint) gradient g of the loss,

- knobs of compliance `eps_e`: `dtheta_e = -eps_e*dbeta*g_e`. Here the compliances differ by up to a factor of ten;
- knobs that act on the logarithm: `dtheta_e = -eps*dbeta*theta_e^2*g_e`;
- knobs of unknown gain: the bench has multiplied every compliance by a log-normal factor (s.d. {GAIN:g} of the log) and
  tells nobody: `dtheta_e = -eps*gain_e*dbeta*g_e`.

The controller is the same in all three and knows of none. A single centered step, beta = beta_0/{1 / SMALL:g}, is
compared with its prediction, stiffness by stiffness. The largest compliance is one at which knobs and stiffnesses
differ by some per cent under the forces of the case; it falls from rung to rung. The relative error
`|step - predicted|/|predicted|` must fall with order 1. The order is fitted as in [order one](order_one.md); its floor
is the error of the nudging, measured with the stiffnesses held, and the rounding of the stiffnesses. *Plain gradient*:
the relative error of the best multiple of g; an order 1 would mean little if any other direction came as close.
"""

CAPTION = (
    "First three panels: size of the step of every stiffness at the largest compliance, against its prediction, in "
    "units of the largest; grey: against the best multiple of the plain gradient. The last: relative error of the step "
    "against the compliance, in units of the system's own, coloured as the systems are; the order is fitted to "
    "filled marks."
)


def draw(found: dict[tuple[str, str], Outcome]) -> Picture:
    """A scatter for each metric, and the convergence of all."""
    with style():
        figure = new_figure(PAGE, 5.4)
        axes = figure.subplots(2, 2).ravel()
        for ax, word in zip(axes, METRICS, strict=False):
            for place, name in enumerate(SYSTEMS):
                _scatter(ax, found[word, name], place, name)
            ends = np.array(ax.get_xlim())
            ax.plot(ends, ends, color="black", linewidth=0.6, zorder=3)
            ax.set(title=word, xlabel="predicted size of step", ylabel="measured size of step")
        for place, outcome in enumerate(found.values()):
            x, errors, clean = outcome.ladder.rungs, outcome.ladder.errors, outcome.ladder.clean
            colour, marker = CATEGORICAL[place % 3], "os^"[place % 3]
            axes[3].loglog(x, errors, color=colour, linestyle=DASHES[place // 3], linewidth=0.8)
            axes[3].loglog(x[~clean], errors[~clean], marker, color=colour, markersize=3, fillstyle="none")
            axes[3].loglog(x[clean], errors[clean], marker, color=colour, markersize=3)
        for place, word in enumerate(METRICS):
            axes[3].plot([], [], color="black", linestyle=DASHES[place], linewidth=0.8, label=word)
        axes[3].set(title="order", xlabel=r"compliance $\varepsilon/\varepsilon_0$", ylabel="relative error of step")
        axes[3].grid(True, linewidth=0.4, color="#e3e3e3")
        for ax in (axes[0], axes[3]):
            ax.legend(fontsize=6.5, loc="upper left", borderaxespad=0.1)
    return figure


def _scatter(ax: Any, outcome: Outcome, place: int, name: str) -> None:
    """Sizes in units of the largest prediction of the system."""
    unit = np.abs(outcome.predicted).max()
    measured, predicted, plain = (np.abs(v) / unit for v in (outcome.steps, outcome.predicted, outcome.plain))
    ax.loglog(plain, measured, "os^"[place], color=FAINT, markersize=2, zorder=1)
    ax.loglog(predicted, measured, "os^"[place], color=CATEGORICAL[place], markersize=2.5, label=name, zorder=2)
    ax.set(xlim=(1e-5, 3), ylim=(1e-5, 3))


def main(argv: list[str] | None = None) -> None:
    conduct("metric", measure, argv)


if __name__ == "__main__":
    main()
