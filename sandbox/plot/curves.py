"""Curves: anything against anything, and the course of learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from sandbox.plot.checks import array_of
from sandbox.plot.keys import read_across
from sandbox.plot.style import CATEGORICAL, COLUMN, DASHES, INK, PAGE, new_figure, plain, style

HANDLE = 0.42
"""Room for the line of a legend entry and the gap after it, in inches."""


def draw_curves(
    x: npt.ArrayLike,
    series: Mapping[str, npt.ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    title: str | None = None,
    ax: Any = None,
    width: float = COLUMN,
) -> Figure:
    """Draw curves over a common x, apart in colour and in dashes.

    Args:
        x: (T,).
        series: values of each curve, (T,), by its name in the legend.
        xlabel, ylabel: labels of the axes, with units.
        log: logarithmic y axis; values that are not positive are left out.
        title: above the axes.
        ax: axes to draw on; a new figure if ``None``.
        width: of a new figure, in inches.

    Raises:
        ValueError: if a curve has not one value per x.
    """
    across = array_of("x", x, ("T",))
    curves = _curves("series", series, len(across))
    with style():
        if ax is None:
            ax = new_figure(width, 0.68 * width).add_subplot()
        _plot(ax, across, curves, list(curves), log)
        ax.set_xlabel(plain(xlabel), fontsize=8)
        ax.set_ylabel(plain(ylabel), fontsize=8)
        if np.array_equal(across, np.round(across)):  # there are no halves of steps
            ax.xaxis.set_major_locator(whole_numbers())
        _heading(ax, width, title)
    return ax.figure


def learning_curves(
    epoch: npt.ArrayLike,
    loss: Mapping[str, npt.ArrayLike],
    accuracy: Mapping[str, npt.ArrayLike] | None = None,
    *,
    xlabel: str = "epoch",
    loss_label: str = "loss",
    accuracy_label: str = "accuracy",
    title: str | None = None,
    width: float | None = None,
) -> Figure:
    """Draw the loss on a logarithmic scale and, if given, the accuracy beside it on a linear one.

    Args:
        epoch: (T,).
        loss: values by name ("train", "test"), each (T,).
        accuracy: likewise; a curve of the same name looks the same in both panels.
        xlabel, loss_label, accuracy_label: labels of the axes.
        title: above the panels.
        width: of the figure, in inches; by default a column for one panel and a page for two.

    Raises:
        ValueError: if a curve has not one value per epoch.
    """
    across = array_of("epoch", epoch, ("T",))
    losses = _curves("loss", loss, len(across))
    shares = _curves("accuracy", accuracy or {}, len(across))
    names = list(dict.fromkeys([*losses, *shares]))
    count = 2 if shares else 1
    width = width or (PAGE if shares else COLUMN)
    with style():
        figure = new_figure(width, 0.66 * width / count + 0.1)
        axes = figure.subplots(1, count, squeeze=False)[0]
        _plot(axes[0], across, losses, names, log=True)
        axes[0].set(xlabel=plain(xlabel), ylabel=plain(loss_label))
        if shares:
            _plot(axes[1], across, shares, names, log=False)
            axes[1].set(xlabel=plain(xlabel), ylabel=plain(accuracy_label))
            finite = np.concatenate([v[np.isfinite(v)] for v in shares.values()])
            if len(finite) and finite.min() >= 0 and finite.max() <= 1:  # a share: never show room above one
                axes[1].set_ylim(top=min(1.0 + 0.02 * (1 - finite.min()) + 1e-3, axes[1].get_ylim()[1]))
        for axis in axes:  # there are no halves of epochs
            axis.xaxis.set_major_locator(whole_numbers())
        if len(names) > 1:
            handles = {line.get_label(): line for axis in axes for line in axis.get_lines()}
            layout = read_across([handles[plain(name)] for name in names], width - 0.5, HANDLE)
            figure.legend(**layout, loc="outside upper center", handlelength=2.2)
        if title is not None:
            figure.suptitle(plain(title), fontsize=9)
    return figure


def whole_numbers() -> MaxNLocator:
    """Ticks of an axis of steps or epochs: whole, and round."""
    return MaxNLocator(integer=True, steps=[1, 2, 5, 10])


def _curves(name: str, series: Mapping[str, npt.ArrayLike], length: int) -> dict[str, np.ndarray]:
    return {
        str(key): array_of(f"{name}[{key!r}]", values, (length,), "one value per x") for key, values in series.items()
    }


def _plot(ax: Any, x: np.ndarray, curves: dict[str, np.ndarray], names: list[str], log: bool) -> None:
    """Lines of the curves, styled by the place of their name among all names."""
    log = log and any((values > 0).any() for values in curves.values())
    for name, values in curves.items():
        place = names.index(name)
        shown = np.where(values > 0, values, np.nan) if log else values
        marker = "o" if np.isfinite(shown).sum() < 12 else ""
        ax.plot(
            x,
            shown,
            color=CATEGORICAL[place % len(CATEGORICAL)],
            linestyle=DASHES[(place + place // len(CATEGORICAL)) % len(DASHES)],
            marker=marker,
            markersize=3,
            label=plain(name),
        )
    if log:
        ax.set_yscale("log")
    ax.margins(x=0.02)
    ax.grid(True, which="major", linewidth=0.4, color="#e3e3e3")
    ax.set_axisbelow(True)
    ax.tick_params(length=3, width=0.6, colors=INK, labelsize=8)


def _heading(ax: Any, width: float, title: str | None) -> None:
    """Legend and title above the axes, never on the curves nor on the power of ten of the axis."""
    lines = ax.get_lines()
    formatter = ax.yaxis.get_major_formatter()
    formatter.set_locs(ax.get_yticks())
    up = 10.0 if formatter.get_offset() else 2.0
    if len(lines) > 1:
        layout = read_across(list(lines), width - 0.5, HANDLE)
        place = ax.transAxes + ScaledTranslation(0, up / 72, ax.figure.dpi_scale_trans)
        ax.legend(
            **layout,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            bbox_transform=place,
            borderaxespad=0.0,
            handlelength=2.2,
        )
        up += 13.0 * -(-len(lines) // layout["ncols"]) + 2
    if title is not None:
        ax.set_title(plain(title), pad=up + 2)
