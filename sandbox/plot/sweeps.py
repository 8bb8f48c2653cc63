"""A figure of merit over the axes of a sweep, with its spread over repetitions, and over the trials of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from sandbox.plot.checks import array_of
from sandbox.plot.curves import HANDLE
from sandbox.plot.keys import read_across
from sandbox.plot.style import CATEGORICAL, COLUMN, DASHES, INK, MISSING, SEQUENTIAL, new_figure, plain, style

WIDE = 30.0
"""Ratio of the largest to the least value from which on an axis is logarithmic, if all are positive."""
MOST_LINES = 6


def draw_spread(
    x: Sequence[Any],
    series: Mapping[str, npt.ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    repeated: str = "seeds",
    title: str | None = None,
    width: float = COLUMN,
) -> Figure:
    """Draw medians over repetitions as lines, quartiles as bands and every single value as a dot.

    Args:
        x: (X,) values of the axis; texts are drawn side by side.
        series: (X, R), a row of repetitions for each x, by the name of a line; NaN where there is none.
        xlabel, ylabel: labels of the axes.
        repeated: what the repetitions are.
        title: above the axes.
        width: of the figure, in inches.

    Raises:
        ValueError: if a series has not one row per x, or there are more than six.
    """
    if len(series) > MOST_LINES:
        raise ValueError(f"there are {len(series)} series; {MOST_LINES} can be told apart, use draw_grid for more")
    values = {n: array_of(f"series[{n!r}]", v, (len(x), "R"), "a row per x") for n, v in series.items()}
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in x)
    across = np.array(x, dtype=float) if numbers else np.arange(len(x), dtype=float)
    spread = any(v.shape[1] > 1 for v in values.values())
    with style():
        figure = new_figure(width, 0.78 * width)
        ax = figure.add_subplot()
        for place, (name, rows) in enumerate(values.items()):
            _line(ax, across, rows, CATEGORICAL[place], DASHES[place], name, spread)
        _scales(ax, across, np.concatenate([v.ravel() for v in values.values()]), numbers)
        if not numbers:
            ax.set_xticks(across, [plain(v) for v in x])
            ax.margins(x=0.12)
        ax.set_xlabel(plain(xlabel))
        ax.set_ylabel(plain(ylabel))
        ax.grid(True, which="major", linewidth=0.4, color="#e3e3e3")
        ax.set_axisbelow(True)
        ax.tick_params(length=3, width=0.6, colors=INK)
        if len(values) > 1:
            lines = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
            figure.legend(**read_across(lines, width - 0.5, HANDLE), loc="outside upper center", handlelength=2.2)
        note = f"line: median, band: quartiles, dots: single {repeated}" if spread else ""
        heading = "\n".join(filter(None, (title, note)))
        ax.set_title(plain(heading), fontsize=8)  # of the axes: the legend is above it
    return figure


def draw_trials(
    values: npt.ArrayLike, *, least: bool, ylabel: str, title: str | None = None, width: float = COLUMN
) -> Figure:
    """Draw the figures of merit of a search as dots, in their order, and the best so far as a line.

    Args:
        values: (T,) of the trials; NaN for those that failed.
        least: whether the least is the best.
        ylabel: label of the values.
        title: above the axes.
        width: of the figure, in inches.
    """
    found = array_of("values", values, ("T",), "one value for each trial")
    best = (np.fmin if least else np.fmax).accumulate(found)
    with style():
        figure = new_figure(width, 0.78 * width)
        ax = figure.add_subplot()
        trials = np.arange(len(found))
        (dots,) = ax.plot(trials, found, "o", color=CATEGORICAL[0], markersize=3, label="a trial")
        (line,) = ax.step(trials, best, where="post", color=CATEGORICAL[1], linestyle=DASHES[1], label="best so far")
        _scales(ax, np.zeros(0), found, numbers=False)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("trial")
        ax.set_ylabel(plain(ylabel))
        ax.grid(True, which="major", linewidth=0.4, color="#e3e3e3")
        ax.set_axisbelow(True)
        ax.tick_params(length=3, width=0.6, colors=INK)
        figure.legend(**read_across([dots, line], width - 0.5, HANDLE), loc="outside upper center", handlelength=2.2)
        ax.set_title(plain(title or ""), fontsize=8)
    return figure


def draw_grid(
    x: Sequence[Any],
    y: Sequence[Any],
    values: npt.ArrayLike,
    *,
    xlabel: str,
    ylabel: str,
    label: str,
    title: str | None = None,
    width: float = COLUMN,
) -> Figure:
    """Draw a value for each pair as the colour of a cell; missing ones are grey.

    Args:
        x, y: (X,) and (Y,) values of the axes.
        values: (X, Y).
        xlabel, ylabel, label: of the axes and of the colours.
        title: above the axes.
        width: of the figure, in inches.

    Raises:
        ValueError: if there is not one value for each pair.
    """
    cells = array_of("values", values, (len(x), len(y)), "one value for each pair")
    with style():
        figure = new_figure(width, 0.85 * width)
        ax = figure.add_subplot()
        ax.set_facecolor(MISSING)
        image = ax.pcolormesh(np.arange(len(x) + 1), np.arange(len(y) + 1), cells.T, cmap=SEQUENTIAL)
        for axis, names in ((ax.xaxis, x), (ax.yaxis, y)):
            every = -(-len(names) // 8)
            axis.set_ticks(np.arange(len(names))[::every] + 0.5, [_short(v) for v in names][::every])
        ax.set_xlabel(plain(xlabel))
        ax.set_ylabel(plain(ylabel))
        figure.colorbar(image, ax=ax, label=plain(label))
        if title:
            figure.suptitle(plain(title), fontsize=8)
    return figure


def _line(ax: Any, x: np.ndarray, rows: np.ndarray, colour: str, dashes: Any, name: str, spread: bool) -> None:
    there = np.any(np.isfinite(rows), axis=1)
    low, middle, high = np.full((3, len(x)), np.nan)
    if there.any():
        low[there], middle[there], high[there] = np.nanpercentile(rows[there], [25, 50, 75], axis=1)
    order = np.argsort(x, kind="stable")
    order = order[there[order]]
    ax.plot(x[order], middle[order], color=colour, linestyle=dashes, marker="o", markersize=3, label=plain(name))
    if spread:
        ax.fill_between(x[order], low[order], high[order], color=colour, alpha=0.18, linewidth=0)
        ax.plot(np.repeat(x, rows.shape[1]), rows.ravel(), ".", color=colour, alpha=0.4, markersize=2.5, label="_dots")


def _scales(ax: Any, x: np.ndarray, y: np.ndarray, numbers: bool) -> None:
    y = y[np.isfinite(y)]
    if numbers and _is_wide(x):
        ax.set_xscale("log")
    if _is_wide(y):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator())
        ax.yaxis.set_minor_formatter(NullFormatter())


def _is_wide(values: np.ndarray) -> bool:
    return len(values) > 1 and float(values.min()) > 0 and float(values.max() / values.min()) >= WIDE


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else plain(value)
