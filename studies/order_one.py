"""Order one: the step of AEqprop is a step down the loss gradient, with errors of measured order.

Scellier et al. 2022, arXiv:2205.15021, Theorem 1: ``theta' = theta - eps*(beta_2 - beta_1)*grad L_{1,2} + O(eps^2)``,
where ``L_{1,2} = (F_2 - F_1)/(beta_2 - beta_1)`` differs from the loss by O(beta) for the optimistic and pessimistic
nudgings and by O(beta^2) for the centered one.

    python -m studies.order_one
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from sandbox.plot.style import CATEGORICAL, DASHES, PAGE, Picture, new_figure, style
from studies.cases import CASES, Case
from studies.common import Bar, Finding, conduct
from studies.ladders import CLEAN, PLATEAU, Ladder, clean_part

VARIANTS = {"O": "optimistic", "P": "pessimistic", "C": "centered"}
ORDERS = {"O": 1.0, "P": 1.0, "C": 2.0}
SLACK = {"O": 0.1, "P": 0.1, "C": 0.15}

RUNGS = 1e-2 * 0.5 ** np.arange(3)
"""Compliances, in units of the case's, from which the direction at zero compliance is extrapolated. At 1e-2 what the
extrapolation leaves is of the order of 1e-8 of the step, and so is the rounding of theta."""

WEIGHTS = np.array([1 / 3, -2.0, 8 / 3])
"""Of the polynomial of degree two through the rungs, at zero compliance (Richardson)."""


def direction(case: Case, variant: str, beta: float) -> tuple[np.ndarray, float]:
    """The step at zero compliance, (P,), and how well it is known: what the last order of the extrapolation changed."""
    steps = np.array([case.step(variant, beta, compliance=rung * case.compliance) for rung in RUNGS])
    third = WEIGHTS @ steps
    return third, float(np.linalg.norm(third - (2 * steps[2] - steps[1])))


def in_beta(case: Case, variant: str, rungs: int) -> Ladder:
    """Error of the direction at zero compliance against the adjoint gradient, from the case's beta downwards."""
    exact = case.loss_gradient()
    size = np.linalg.norm(exact)
    betas = case.beta * 0.5 ** np.arange(rungs)
    found = [direction(case, variant, beta) for beta in betas]
    errors = np.array([np.linalg.norm(d - exact) for d, _ in found]) / size
    return clean_part(betas, errors, np.array([floor for _, floor in found]) / size)


def in_compliance(case: Case, variant: str, rungs: int) -> Ladder:
    """Error of the step, per compliance, against grad L_{1,2}; that is one order below the error of the step."""
    exact = case.finite_gradient(variant, case.beta)
    size = np.linalg.norm(exact)
    ladder = 0.1 * case.compliance * 0.5 ** np.arange(rungs)
    errors = np.array([np.linalg.norm(case.step(variant, case.beta, compliance=eps) - exact) for eps in ladder]) / size
    floors = np.array([case.rounding(eps * case.beta * size) for eps in ladder])
    return clean_part(ladder, errors, floors)


def measure(options: argparse.Namespace) -> Finding:
    rungs = 6 if options.quick else 14
    header = ["system", "P", *(f"{v}: beta" for v in VARIANTS), "rungs used", *(f"{v}: eps" for v in VARIANTS), "used"]
    rows, bars, ladders = [], [], {}
    for name, make in CASES.items():
        case = make(options.seed)
        beta = {v: in_beta(case, word, rungs) for v, word in VARIANTS.items()}
        eps = {v: in_compliance(case, word, rungs) for v, word in VARIANTS.items()}
        ladders[name] = case, beta, eps
        used = [", ".join(str(int(x.clean.sum())) for x in which.values()) for which in (beta, eps)]
        slopes = [[x.slope for x in which.values()] for which in (beta, eps)]
        rows.append([name, len(case.apparatus().stiffness), *slopes[0], used[0], *slopes[1], used[1]])
    for v in VARIANTS:
        bars.append(_farthest(f"{v}: order in beta", [b[v].slope for _, b, _ in ladders.values()], ORDERS[v], SLACK[v]))
    for v in VARIANTS:
        bars.append(_farthest(f"{v}: order in compliance", [e[v].slope for _, _, e in ladders.values()], 1.0, 0.1))
    return Finding(
        "Order one", TEXT.format(rungs=rungs, clean=CLEAN, plateau=PLATEAU), header, rows, draw(ladders), CAPTION, bars
    )


def _farthest(what: str, slopes: list[float], order: float, slack: float) -> Bar:
    """The bar on the slope that is farthest from its order; one that could not be fitted is the farthest."""
    worst = max(slopes, key=lambda slope: abs(slope - order) if np.isfinite(slope) else np.inf)
    return Bar(f"{what}, the farthest from {order:g} of {len(slopes)} systems", worst, order - slack, order + slack)


TEXT = """
One step of AEqprop changes the stiffnesses by `-eps*(beta_2 - beta_1)*grad L`, up to errors of higher order in the
compliance `eps` and in the nudging `beta`. Both errors are measured here, on single steps from random stiffnesses.

- **In beta**: the relative error `|d - grad L|/|grad L|` of the direction `d`, the step over `-eps*(beta_2 - beta_1)`
  at `eps -> 0`, against the adjoint gradient; for the optimistic (O), pessimistic (P) and centered (C) nudgings. The
  limit is extrapolated from three compliances, each half of the one before. The theory says order 1, 1 and 2.
- **In eps**: the relative error of the step over `-eps*(beta_2 - beta_1)` at finite eps, against the gradient of
  `L_{{1,2}} = (F_2 - F_1)/(beta_2 - beta_1)`, which is the contrast of dE/dtheta at the two equilibria with the
  stiffnesses held. Order 1 here means that the step itself is good to order 2.

Each ladder has {rungs} rungs, each half of the one before; relaxations are to 1e-13 of the forces. A slope is fitted by
least squares over the longest run of rungs on which the error is {clean:g} times its floor or more, and successive
local slopes differ by {plateau:g} at most. The floor is, in beta, what the last order of the extrapolation changed; in
eps, the rounding of the stiffnesses over the size of the step. The choice assumes nothing of the order.
"""

CAPTION = (
    "Error of the direction against beta, one panel a system, and of the step against the compliance (centered). "
    "beta_0 and eps_0 are scales of the system; filled: rungs that the slopes (in the keys) are fitted to."
)


def draw(ladders: dict[str, tuple[Case, dict[str, Ladder], dict[str, Ladder]]]) -> Picture:
    """A panel for each system, and one for the compliance."""
    with style():
        figure = new_figure(PAGE, 4.6)
        axes = figure.subplots(2, 3).ravel()
        for ax, (name, (case, beta, _)) in zip(axes, ladders.items(), strict=False):
            for place, (variant, ladder) in enumerate(beta.items()):
                _points(ax, ladder, case.beta, place, f"{variant}: {ladder.slope:.2f}")
            ax.set(title=name, xlabel=r"nudging $\beta/\beta_0$", ylabel="relative error of direction")
        for place, (name, (case, _, eps)) in enumerate(ladders.items()):
            _points(axes[5], eps["C"], case.compliance, place, f"{name}: {eps['C'].slope:.2f}")
        axes[5].set(title="step, C", xlabel=r"compliance $\varepsilon/\varepsilon_0$", ylabel="relative error of step")
        for ax in axes:
            ax.legend(loc="upper left", fontsize=6.5, handlelength=1.0, labelspacing=0.25, borderaxespad=0.1)
            ax.grid(True, linewidth=0.4, color="#e3e3e3")
            ax.set_ylim(top=ax.get_ylim()[1] * 10)
    return figure


def _points(ax: Any, ladder: Ladder, unit: float, place: int, label: str) -> None:
    colour, marker = CATEGORICAL[place], "os^Dv"[place]
    x, clean = ladder.rungs / unit, ladder.clean
    ax.loglog(x, ladder.errors, color=colour, linestyle=DASHES[place], linewidth=0.8)
    ax.loglog(x[~clean], ladder.errors[~clean], marker, color=colour, markersize=3, fillstyle="none")
    ax.loglog(x[clean], ladder.errors[clean], marker, color=colour, markersize=3, label=label)


def main(argv: list[str] | None = None) -> None:
    conduct("order_one", measure, argv)


if __name__ == "__main__":
    main()
