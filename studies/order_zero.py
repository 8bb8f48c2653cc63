"""Order one against order zero: relaxations to a fixed loss, against the number of stiffnesses.

    python -m studies.order_zero

One task in ever finer networks. A conducting sheet, a source along its left side and a drain along its right, is to
bring one of four round electrodes to another potential than untrained, and to leave the others where they were. The
sheet is a random network, and P the number of its conductances. Electrodes are single nodes that stand for all grid
points in their place, so that they keep their size, and the task its difficulty, as the network gets finer.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sandbox_aeqprop import AEqprop
from sandbox_flow_network import FlowNetwork
from sandbox_order_zero import CMAES, SPSA, FiniteDifferences

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench, WhiteBox
from sandbox.errors import SandboxError
from sandbox.parts import Controller
from sandbox.physics.graphs import jittered_grid
from sandbox.physics.network import Network
from sandbox.physics.system import System
from sandbox.plot.style import CATEGORICAL, DASHES, PAGE, Picture, new_figure, style
from sandbox.seeds import stream
from sandbox.terminals import Terminals
from studies.common import Bar, Finding, conduct, spread_over

CENTRES = np.array([(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)])
RADIUS = 0.125
"""Of the electrodes, in units of the sheet's side. Both are multiples of the grid's spacing, or nearly so, where the
number of grid points along a side is 1 more than a multiple of 4."""
SHIFTS = np.array([-0.2, 0.0, 0.0, 0.0])
"""Of the wanted potentials from the untrained ones, about 3/4 and 1/4; source minus drain is 1. In an even sheet that
is an equal part of each of the four modes in which the electrodes' potentials can change together."""
REACHED = 0.01
"""The loss to reach, over that of the untrained network, which is always the same."""

SIDES = (5, 9, 13, 21, 29, 45, 65)
COARSE = 2
"""Networks in which electrodes are so few grid points that the task is worse conditioned than in the others."""
TUNING_SEEDS, SEEDS = 3, 5
SETTINGS = 5
"""Rates tried around the one that was best in the next coarser network, each twice the one before."""
EXTENSIONS = 4
"""Further rates, tried one after the other while the best is the last on its side."""
PATIENCE = 5
"""A run is given up after this many times the median of the tuning runs."""
EXPONENT = 0.2
"""Bar on the exponent of AEqprop."""
FOLLOWS_P = 0.6
"""Bar from below on the exponent of finite differences, which read P + 1 losses a step."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A network with electrodes and a task."""

    system: System
    inputs: Terminals
    outputs: Terminals
    targets: np.ndarray

    SOURCE = np.array([[1.0, 0.0]])

    @property
    def size(self) -> int:
        """P."""
        return len(self.system.stiffness)

    def apparatus(self, compliance: float = 1.0) -> Apparatus:
        return Apparatus(self.system, self.inputs, self.outputs, compliance=compliance, coupling="log")

    def loss(self, apparatus: Apparatus) -> float:
        """The loss, looked at without the meter's running."""
        with apparatus.unmetered():
            apparatus.nudge(None, 0.0)
            apparatus.clamp(self.SOURCE)
            return 0.5 * float(((apparatus.read() - self.targets) ** 2).sum())

    @property
    def untrained(self) -> float:
        """The loss to begin with."""
        return 0.5 * float((SHIFTS**2).sum())


@lru_cache(maxsize=16)
def sheet(side: int, seed: int) -> Sheet:
    """The sheet of side*side grid points and conductances from 0.5 to 1.5, drawn from a seed."""
    rng = stream(seed, "sheet", side)
    grid = jittered_grid(side, seed=int(rng.integers(2**31)))
    x, y = np.stack(np.divmod(np.arange(side * side), side)) / (side - 1)
    place = np.full(side * side, -1)
    for number, (cx, cy) in enumerate(CENTRES):
        place[np.hypot(x - cx, y - cy) <= RADIUS * (1 + 1e-9)] = number
    source, drain = len(CENTRES), len(CENTRES) + 1
    place[x == 0], place[x == 1] = source, drain
    bulk = place < 0
    place[bulk] = drain + 1 + np.arange(bulk.sum())
    edges = np.sort(place[grid.edges], axis=1)
    edges = np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0)
    count = np.bincount(place)
    positions = np.stack([np.bincount(place, along) / count for along in grid.positions.T], axis=1)
    system = FlowNetwork.model_validate({}).build(Network(positions, edges), rng)
    inputs, outputs = Terminals.at([source, drain]), Terminals.at(np.arange(len(CENTRES)))
    apparatus = Apparatus(system, inputs, outputs)
    apparatus.clamp(Sheet.SOURCE)
    return Sheet(system, inputs, outputs, apparatus.read() + SHIFTS)


@dataclass(frozen=True)
class Method:
    """A controller with one setting to tune, the rate.

    Attributes:
        make: the controller of a rate.
        tuned: the name of the rate.
        known: base-2 logarithms of rates that do in the three coarsest networks. Tuning starts from the first, and the
            quick form takes them as they are.
        finest: grid points along a side of the finest network that it is tried in.
        by_knobs: whether the rate is the compliance of the knobs, and not a key of the controller's.
    """

    make: Callable[[float], Controller]
    tuned: str
    known: tuple[int, int, int]
    finest: int
    by_knobs: bool = False


def _aeqprop(rate: float) -> Controller:
    del rate
    return AEqprop.model_validate({})


AEQPROP, DIFFERENCES = "AEqprop", "finite differences"
METHODS = {
    AEQPROP: Method(_aeqprop, "compliance", (4, 5, 6), 65, by_knobs=True),
    "SPSA": Method(lambda rate: SPSA.model_validate({"log": True, "rate": rate}), "rate", (3, 4, 5), 65),
    DIFFERENCES: Method(
        lambda rate: FiniteDifferences.model_validate({"log": True, "rate": rate}), "rate", (5, 6, 7), 29
    ),
    "CMA-ES": Method(lambda rate: CMAES.model_validate({"log": True, "sigma": rate}), "sigma", (-1, -1, -1), 65),
}
MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class Run:
    """A run from the untrained network to the loss.

    Attributes:
        count: relaxations; infinite if the loss was not reached, or a relaxation failed.
        moved: root mean square of the change of the conductances' logarithms.
    """

    count: float
    moved: float = np.nan


def run(method: Method, rate: float, side: int, seed: int, most: float) -> Run:
    """Step until the loss is reached, or ``most`` relaxations are done."""
    task = sheet(side, seed)
    apparatus = task.apparatus(rate if method.by_knobs else 1.0)
    controller, bench = method.make(rate), Bench(apparatus, stream(seed, "controller", side))
    try:
        with np.errstate(over="ignore"):
            while apparatus.meter.relaxations < most:
                controller.step(bench, Sheet.SOURCE, task.targets)
                if task.loss(apparatus) <= REACHED * task.untrained:
                    moved = np.log(apparatus.stiffness / task.system.stiffness)
                    return Run(apparatus.meter.relaxations, float(np.sqrt(np.mean(moved**2))))
    except SandboxError:  # no equilibrium, or conductances beyond all numbers
        pass
    return Run(np.inf)


@dataclass(frozen=True)
class Point:
    """A method in networks of one fineness.

    Attributes:
        size: P, the median of the networks.
        rate: the tuned one.
        tried: how many rates.
        inside: whether it was between others that were tried.
        runs: in networks that the rate was not tuned in.
    """

    size: float
    rate: float
    tried: int
    inside: bool
    runs: list[Run]

    @property
    def counts(self) -> np.ndarray:
        """Relaxations of each run."""
        return np.array([run.count for run in self.runs])

    @property
    def moved(self) -> float:
        """The median change of those that reached the loss."""
        moved = [run.moved for run in self.runs if np.isfinite(run.count)]
        return float(np.median(moved)) if moved else np.nan

    @property
    def median(self) -> float:
        return float(np.median(self.counts))


@dataclass(frozen=True)
class Job:
    """A method in finer and finer networks; without settings to try it takes the known rates."""

    method: str
    sides: tuple[int, ...]
    first: int
    tuning: int
    runs: int
    settings: int


def tune(method: Method, side: int, seeds: Sequence[int], centre: int, settings: int) -> dict[int, float]:
    """Median relaxations by the base-2 logarithm of the rate; infinite where it is not the least.

    A run ends where it is no better than the best median so far, and a rate where half of its runs are not.
    """
    medians: dict[int, float] = {}

    def attempt(rate: int) -> None:
        most = min(medians.values(), default=_generous(side, seeds[0]))
        counts = np.full(len(seeds), np.inf)
        for i, seed in enumerate(seeds):
            counts[i] = run(method, 2.0**rate, side, seed, most).count
            if np.isinf(counts[: i + 1]).sum() > len(seeds) // 2:
                break
        medians[rate] = float(np.median(counts))

    for rate in sorted(range(centre - settings // 2, centre + settings // 2 + 1), key=lambda r: abs(r - centre)):
        attempt(rate)
    for _ in range(EXTENSIONS):
        best = least(medians)
        if best == min(medians):
            attempt(best - 1)
        elif best == max(medians):
            attempt(best + 1)
    return medians


def _generous(side: int, seed: int) -> float:
    """Relaxations enough for a gradient by finite differences twenty times over."""
    return 20.0 * sheet(side, seed).size + 2000


def least(medians: dict[int, float]) -> int:
    """The rate of the least median."""
    return min(medians, key=lambda rate: medians[rate])


def climb(job: Job) -> list[Point]:
    """Tune and run a method in each network of a job."""
    method, points = METHODS[job.method], []
    centre = method.known[0]
    for number, side in enumerate(job.sides):
        if side > method.finest:
            break
        began = time.perf_counter()
        tuning = [1000 + job.first + i for i in range(job.tuning)]
        seeds = [job.first + i for i in range(job.runs)]
        if job.settings:
            medians = tune(method, side, tuning, centre, job.settings)
            centre = least(medians)
            most = PATIENCE * medians[centre]
        else:
            medians, centre, most = {}, method.known[number], _generous(side, seeds[0])
        runs = [run(method, 2.0**centre, side, seed, most) if most < np.inf else Run(np.inf) for seed in seeds]
        size = float(np.median([sheet(side, seed).size for seed in seeds]))
        inside = bool(medians) and min(medians) < centre < max(medians)
        points.append(Point(size, 2.0**centre, len(medians), inside, runs))
        print(
            f"{job.method}, P = {size:.0f}: {points[-1].median:.0f} relaxations at {method.tuned} {2.0**centre:g}, "
            f"{time.perf_counter() - began:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    return points


@dataclass(frozen=True)
class Fit:
    """Relaxations as ``factor * P**exponent``: least squares through the logarithms of the medians."""

    exponent: float
    error: float
    factor: float
    sizes: np.ndarray


def fit(points: Sequence[Point]) -> Fit:
    """The fit through the medians that are finite; its error is the standard one, from the residuals."""
    finite = [p for p in points if np.isfinite(p.median)]
    x, y = (np.log([getattr(p, key) for p in finite]) for key in ("size", "median"))
    if len(x) < 2:
        return Fit(np.nan, np.nan, np.nan, np.exp(x))
    slope, level = np.polyfit(x, y, 1)
    left = y - level - slope * x
    freedom = len(x) - 2
    error = np.sqrt((left @ left) / freedom / ((x - x.mean()) ** 2).sum()) if freedom else np.nan
    return Fit(float(slope), float(error), float(np.exp(level)), np.exp(x))


def difficulty(side: int, seeds: Sequence[int]) -> list[float]:
    """How hard the task is, medians: P, P times the curvature's largest eigenvalue, its condition, rank, change needed.

    All for the logarithms of the conductances, at the untrained ones. With J (4, P) the derivatives of the outputs,
    the curvature is that of Gauss and Newton, ``J J^T``; rank is its trace over its largest eigenvalue; the change is
    the root mean square of the least that meets the targets to first order.
    """
    found = []
    for seed in seeds:
        task = sheet(side, seed)
        apparatus = task.apparatus()
        apparatus.clamp(Sheet.SOURCE)
        outputs, box = apparatus.read(), WhiteBox(apparatus)
        unit = np.eye(len(CENTRES))
        slopes = np.array([box.loss_gradient(outputs - row) for row in unit]) * apparatus.stiffness
        curvature = slopes @ slopes.T
        values = np.linalg.eigvalsh(curvature)
        needed = slopes.T @ np.linalg.solve(curvature, (task.targets - outputs)[0])
        top = values[-1]
        change = np.sqrt(np.mean(needed**2))
        found.append([task.size, task.size * top, top / values[0], values.sum() / top, change])
    return np.median(found, axis=0).tolist()


def measure(options: argparse.Namespace) -> Finding:
    """The study; its quick form has the three coarsest networks, fewer rates and fewer seeds."""
    quick = options.quick
    sides = SIDES[:3] if quick else SIDES
    tuning, runs, settings = (0, 2, 0) if quick else (TUNING_SEEDS, SEEDS, SETTINGS)
    jobs = [Job(name, sides, options.seed, tuning, runs, settings) for name in METHODS]
    points = dict(zip(METHODS, spread_over(options.workers, climb, jobs), strict=True))
    fits = {name: fit(found) for name, found in points.items()}
    hard = [difficulty(side, [options.seed + i for i in range(runs)]) for side in sides]
    finer = fit(points[AEQPROP][COARSE:])
    bars = [Bar("exponent of AEqprop", fits[AEQPROP].exponent, high=EXPONENT)]
    if not quick:
        bars += [
            Bar("exponent of AEqprop plus two standard errors", _upper(fits[AEQPROP]), high=EXPONENT),
            Bar("exponent of AEqprop without the two coarsest", finer.exponent, high=EXPONENT),
            Bar("largest P of AEqprop", max(p.size for p in points[AEQPROP]), low=9000),
        ]
    bars.append(Bar("exponent of finite differences", fits[DIFFERENCES].exponent, low=FOLLOWS_P))
    return Finding(
        title="Order one against order zero",
        text=_text(tuning, runs, settings, hard),
        header=(
            "method",
            "P",
            "relaxations, median",
            "least",
            "most",
            "reached",
            "change of log k, r.m.s.",
            "tuned",
            "rates tried",
            "tuned rate",
            "best is inside",
        ),
        rows=[row for name, found in points.items() for row in _rows(name, found)],
        figure=draw(points, fits),
        caption=_CAPTION,
        bars=bars,
        notes=_exponents(points, fits) + "\n\n" + _NOTES,
    )


def _upper(fitted: Fit) -> float:
    return fitted.exponent + 2 * fitted.error


def _rows(name: str, points: Sequence[Point]) -> list[list[object]]:
    return [
        [
            name,
            round(p.size),
            *(f"{c:.0f}" if np.isfinite(c) else "not reached" for c in (p.median, p.counts.min(), p.counts.max())),
            f"{np.isfinite(p.counts).sum()} of {len(p.counts)}",
            f"{p.moved:.2f}",
            METHODS[name].tuned,
            p.tried,
            f"{p.rate:g}",
            "yes" if p.inside else "**no**" if p.tried else "not tuned",
        ]
        for p in points
    ]


def _exponents(points: dict[str, list[Point]], fits: dict[str, Fit]) -> str:
    lines = [
        "| method | exponent | standard error | P from | P to | points | without the two coarsest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, f in fits.items():
        finer = fit(points[name][COARSE:])
        lines.append(
            f"| {name} | {f.exponent:.3f} | {f.error:.3f} | {f.sizes.min():.0f} | {f.sizes.max():.0f} | {len(f.sizes)} "
            f"| {finer.exponent:.3f} ± {finer.error:.3f} |"
        )
    lines += ["", "Exponents of P, by least squares through the logarithms of the medians, with standard errors."]
    finer = fit(points[AEQPROP][COARSE:])
    if np.isfinite(finer.error):
        lines[-1] += f" Two standard errors above that of AEqprop without the two coarsest is {_upper(finer):.2f}."
    return "\n".join(lines)


def _text(tuning: int, runs: int, settings: int, hard: list[list[float]]) -> str:
    table = "\n".join(
        f"| {size:.0f} | {top:.2f} | {condition:.1f} | {rank:.2f} | {change:.2f} |"
        for size, top, condition, rank, change in hard
    )
    tuned = (
        f"It is tuned at every P: {settings} rates, each twice the one before, around the best of the next smaller P, "
        f"and further ones, {EXTENSIONS} at most, while the best is the last. The best has the least median of "
        f"{tuning} networks. The table is of {runs} other networks; a run is given up after {PATIENCE} times the "
        "median it was tuned to."
        if settings
        else f"In this small form it is not tuned, but set to what is known to do. The table is of {runs} networks."
    )
    return (
        "A sheet of random conductances (uniform, 0.5 to 1.5) between a source and a drain has four electrodes. One is "
        f"to come down by {-SHIFTS.min():g} of the whole drop, the others are to stay. So the loss starts at the same "
        "value in every network. Electrodes keep their places and sizes as the network gets finer. Counted are "
        f"relaxations, by the bench's meter, until the loss is {100 * REACHED:g} % of what it was. It is looked at "
        "after every step of every method, unmetered. There is one sample, and no noise. Whether the task is equally "
        "hard at every P can be seen in the curvature of the loss, in the logarithms of the conductances (medians over "
        "the networks; in the two coarsest the electrodes are of one grid point and of five, and it is harder):\n\n"
        "| P | P × largest eigenvalue | condition number | trace / largest eigenvalue | "
        "change needed, r.m.s. of log k |\n"
        "| ---: | ---: | ---: | ---: | ---: |\n"
        f"{table}\n\n"
        "All methods work on the logarithms of the conductances (log knobs for AEqprop), on the narrow bench. AEqprop "
        "is centered with beta 1, its default; its rate is the compliance. SPSA has constant gains and perturbation "
        "0.01, finite differences are one-sided with a shift of 0.001, CMA-ES has its default population of "
        "4 + 3 log P and only variances above P = 200. Each method has one rate (the initial standard deviation for "
        f"CMA-ES). {tuned}"
    )


_CAPTION = (
    "Relaxations until the loss is reached: medians of all runs, with the least and the most of those that reached it, "
    "and fits through the medians. Where a method ends at a smaller P it was not tried further. A hollow triangle at "
    "the top would be a median that is not finite."
)

_NOTES = (
    "A step of AEqprop is two relaxations at any P. The eigenvalues of the curvature fall with 1/P, its best "
    "compliance grows, and the number of steps stays. The compliance is limited by where the joint energy of state "
    "and stiffness stops being convex, which here comes before the limit of gradient descent: finite differences "
    "take fewer steps, at P + 1 relaxations each. Rates are powers of two, and those tuned for speed lie near the "
    "limit: a run in another network can fail at them, of any method (column reached), and where the conductances "
    "of AEqprop change by more than the task needs, it is beyond the limit and gets there all the same. Runs that "
    "failed count as infinite in the medians.\n\n"
    "Finite differences are gradient descent at P + 1 relaxations a step. Their exponent is below 1 where the "
    "coarsest networks, in which the task is worse conditioned, take more steps.\n\n"
    "SPSA and CMA-ES do not have to follow P. There are four outputs, so the loss curves along four directions "
    "only, and what random steps do along all others is not seen in it. A step of SPSA has to be smaller than one "
    "of gradient descent by the trace of the curvature over its largest eigenvalue (above), not by P. What does "
    "grow with P is how far conductances wander along the other directions: their change is in the table, the least "
    "that meets the targets in the table before. Such wandering costs little here, since there is no noise, the "
    "knobs have no end, and a run ends when the loss is first reached. The exponents say nothing of tasks whose "
    "number of outputs or samples grows with P, or whose readings are noisy. So what is in proportion to P is the "
    "lead of AEqprop over finite differences, not that over random search on a task of few outputs.\n\n"
    "The family was chosen after trials on others, partly by how AEqprop did there. With outputs at single nodes and "
    "quadratic knobs its count grew (from about 58 relaxations at P = 27 to 145 at P = 1323, two networks each), as "
    "the task gets worse conditioned with the fineness of the network; electrodes of fixed size and log knobs took "
    "that growth away. So the exponent is a statement on tasks that stay equally hard, not on flow networks in general."
)


def draw(points: dict[str, list[Point]], fits: dict[str, Fit]) -> Picture:
    """Relaxations against P, logarithmic, a line for each method, and one in proportion to P."""
    with style():
        figure = new_figure(0.8 * PAGE, 3.4)
        axis: Any = figure.subplots()
        for name, colour, marker, dash in zip(points, CATEGORICAL, MARKERS, DASHES, strict=False):
            _draw_method(axis, points[name], fits[name], name, colour, marker, dash)
        low, high = axis.get_xlim()
        ends = np.array([min(p.size for p in points[AEQPROP]), max(p.size for p in points[AEQPROP])])
        bottom, top = axis.get_ylim()
        axis.plot(ends, ends, color="#9a9a9a", linewidth=0.8, zorder=0, label="in proportion to P")
        axis.set(xlim=(low, high), ylim=(bottom, top))
        for name, colour in zip(points, CATEGORICAL, strict=False):
            lost = [p.size for p in points[name] if not np.isfinite(p.median)]
            axis.plot(lost, np.full(len(lost), top), "^", color=colour, fillstyle="none", clip_on=False)
        axis.set(xlabel="adjustable stiffnesses P", ylabel=f"relaxations to {100 * REACHED:g} % of the loss")
        axis.grid(True, linewidth=0.4, color="#e3e3e3")
        figure.legend(loc="outside right upper")
    return figure


def _draw_method(
    axis: Any, points: Sequence[Point], fitted: Fit, name: str, colour: str, marker: str, dash: Any
) -> None:
    reached = [p for p in points if np.isfinite(p.median)]
    size, median = (np.array([getattr(p, key) for p in reached]) for key in ("size", "median"))
    least_, most = (np.array([pick(p.counts[np.isfinite(p.counts)]) for p in reached]) for pick in (np.min, np.max))
    label = f"{name}\n$P^{{\\,{fitted.exponent:.2f} \\pm {fitted.error:.2f}}}$"
    axis.errorbar(
        size,
        median,
        (median - least_, most - median),
        color=colour,
        marker=marker,
        markersize=4.5,
        capsize=2,
        elinewidth=0.8,
        linestyle="none",
    )
    axis.loglog(size, fitted.factor * size**fitted.exponent, color=colour, linestyle=dash, linewidth=1)
    axis.plot([], [], color=colour, marker=marker, markersize=4.5, linestyle=dash, linewidth=1, label=label)


def main(argv: list[str] | None = None) -> None:
    """Run the study from its command line."""
    conduct("order_zero", measure, argv)


if __name__ == "__main__":
    main()
