"""Contrast: stiff edges beside soft ones decide nothing in silence, for any relaxation method.

Random networks of conductors and of springs whose stiffnesses span up to twelve decades are relaxed by every method,
and each state is compared with one in extended precision.

    python -m studies.contrast              # 100 networks for each contrast and kind
    python -m studies.contrast --quick      # 3 of each
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from sandbox.errors import SandboxError
from sandbox.plot.style import CATEGORICAL, DASHES, FAINT, PAGE, Picture, new_figure, style
from studies.common import Bar, Finding, conduct, spread_over
from studies.contrast_networks import KINDS, case, reference

CONTRASTS = (1.0, 1e3, 1e6, 1e9, 1e12)

METHODS = {"fused": 500, "newton": 500, "multigrid": 500, "sweeps": 500, "fire": 20}
"""Relaxation methods, and the iterations that each may take; the steps of sweeps and FIRE count as hundredths."""

ACCURATE = 1e-6
"""Of the range of the state: an error that counts as right."""

NETWORKS, QUICK_NETWORKS = 100, 3

FACTORED = ("fused", "newton")
"""Methods that factor the Hessian: of these it is asked that they do not give up, either."""

LEAST_RIGHT = 0.99
"""Part of the networks that methods with a factorization must get right at every contrast."""


@dataclass
class Count:
    """Relaxations of one kind at one contrast by one method: how they ended, and the errors of those that converged."""

    right: int = 0
    reported: int = 0
    off: int = 0
    errors: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.right + self.reported + self.off


def relaxations(job: tuple[str, float], networks: int, seed: int) -> dict[str, Count]:
    """Relax all networks of one kind and contrast by all methods."""
    kind, contrast = job
    counts = {method: Count() for method in METHODS if method != "sweeps" or kind != "springs"}
    for n in range(networks):
        drawn = case(kind, contrast, seed + n)
        exact = reference(drawn)
        for method, count in counts.items():
            try:
                found = drawn.material.relax(drawn.boundary, method=method, throw=False, max_iterations=METHODS[method])
            except SandboxError:
                count.reported += 1
                continue
            if not found.converged[0]:
                count.reported += 1
                continue
            error = float(np.abs(found.state[0] - exact).max() / np.ptp(exact))
            count.errors.append(error)
            if error <= ACCURATE:
                count.right += 1
            else:
                count.off += 1
    return counts


def measure(options: argparse.Namespace) -> Finding:
    """Relax, count, and draw."""
    networks = options.networks or (QUICK_NETWORKS if options.quick else NETWORKS)
    jobs = [(kind, contrast) for kind in KINDS for contrast in CONTRASTS]
    work = partial(relaxations, networks=networks, seed=options.seed)
    found = dict(zip(jobs, spread_over(options.workers, work, jobs), strict=True))
    rows = []
    for kind in KINDS:
        for method in METHODS:
            if method not in found[kind, 1.0]:
                continue
            counts = [found[kind, contrast][method] for contrast in CONTRASTS]
            worst = max((e for c in counts for e in c.errors), default=0.0)
            rows.append((kind, method, *(f"{c.right} / {c.reported} / {c.off}" for c in counts), f"{worst:.1e}"))
    everything = [(method, count) for counts in found.values() for method, count in counts.items()]
    bars = [
        Bar("states that are off and called converged", sum(c.off for _, c in everything), 0, 0),
        Bar(
            "part that methods with a factorization get right, the least of all rows and contrasts",
            min(c.right / c.total for method, c in everything if method in FACTORED),
            LEAST_RIGHT,
        ),
    ]
    return Finding("Contrast of stiffnesses", TEXT, HEADER, rows, draw(found), CAPTION, bars)


HEADER = ("network", "method", *(f"{c:g}" for c in CONTRASTS), "largest error")

TEXT = f"""
A relaxation has converged where the force on every free component is small against the forces that meet at its node, or
below their round-off, where the Hessian is positive definite, and where the Newton step that is left moves no node by
more than a small part of the longest bond around. Otherwise it says that it has not. Does that hold where stiff edges
are beside soft ones?

Every network has edges of stiffness 1 to the contrast: three values at random, or anything between. *Flow*: random
graphs of 12 nodes, three of them clamped, with a current injected at another. *Springs*: triangulated grids of 16
nodes, prestressed, stretched by their sides; in true geometry, and linearized. The reference is Newton's method with
50 decimal digits. A cell counts the networks whose state is right (to {ACCURATE:g} of the range of the state) /
reported as not converged / wrong and called converged.
"""

CAPTION = (
    "Error of every converged state against the reference, in the range of the state, over the contrast of "
    "stiffnesses. Grey: the error that counts as right."
)


def draw(found: dict[tuple[str, float], dict[str, Count]]) -> Picture:
    """Errors over contrast, a panel for each kind of network."""
    with style():
        figure = new_figure(PAGE, 2.6)
        axes = figure.subplots(1, len(KINDS), sharey=True)
        for ax, kind in zip(axes, KINDS, strict=True):
            ax.axhline(ACCURATE, color=FAINT, linewidth=1.2)
            for place, method in enumerate(METHODS):
                if method in found[kind, 1.0]:
                    _errors(ax, place, method, [found[kind, c][method].errors for c in CONTRASTS])
            ax.set(title=kind, xlabel="contrast", xscale="log", yscale="log", ylim=(1e-17, 1e-4))
        axes[0].set_ylabel("error of the state")
        axes[0].legend(fontsize=6.5, loc="upper left")
    return figure


def _errors(ax: Axes, place: int, method: str, errors: Sequence[Sequence[float]]) -> None:
    """The errors of one method as dots beside each contrast, and their largest as a line."""
    shift = 10 ** (0.25 * (place - 2))
    for contrast, some in zip(CONTRASTS, errors, strict=True):
        shown = np.maximum(some, 2e-17)
        ax.plot(np.full(len(shown), contrast * shift), shown, ".", color=CATEGORICAL[place], markersize=1.5)
    worst = [max(some, default=np.nan) for some in errors]
    ax.plot(
        np.array(CONTRASTS) * shift,
        np.maximum(worst, 2e-17),
        color=CATEGORICAL[place],
        linestyle=DASHES[place % len(DASHES)],
        linewidth=0.8,
        label=method,
    )


def main(argv: list[str] | None = None) -> None:
    conduct("contrast", measure, argv, add)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the number of networks to the options."""
    parser.add_argument("--networks", type=int, help=f"for each contrast and kind (default {NETWORKS})")


if __name__ == "__main__":
    main()
