"""Draws the diagram of docs/concepts.md.

python docs/_tools/diagram.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from sandbox.physics import graphs
from sandbox.plot.style import CATEGORICAL, INK, ROLES, new_figure, style

TARGET = Path(__file__).resolve().parent.parent / "pictures" / "concepts.png"
BLUE, ORANGE, GREEN = CATEGORICAL[:3]


def draw() -> Any:
    """The figure: scene, apparatus, bench, controller, run, and where plugins come in."""
    with style():
        figure = new_figure(7.0, 3.9, layout=None)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 70), ylim=(0, 39))
        axes.set_axis_off()

        _box(axes, (1.5, 20.5, 11, 12.5), "scene", "a TOML file:\nwhat to build,\nwhat to do,\nwhat to record")
        _box(axes, (17, 11, 26, 22), "apparatus", "")
        _network(axes, (18.5, 16.3, 17.5, 11.5))
        axes.text(36, 12.9, "relaxes to minimum energy", ha="right", va="center", color=INK)
        _box(
            axes,
            (38.2, 12.2, 10.2, 19.6),
            "bench",
            "clamp  inputs\nnudge  targets\nread  outputs\n\nhold\nrelease\n\nknobs\nmeter",
            fill="#e8f1f8",
        )
        _box(
            axes, (55.5, 20.5, 13, 12.5), "controller", "AEqprop: hold,\nnudge, release;\nknows nothing of\nthe energy"
        )
        _box(axes, (55.5, 11, 13, 6.5), "task", "inputs, targets")
        _box(axes, (1.5, 1.5, 67, 5.2), "", "")
        axes.text(3, 4.1, "run", fontweight="bold", va="center", fontsize=9)
        axes.text(
            9, 4.1, "a folder: the resolved scene, provenance, data.nc (xarray), summary.json, figures", va="center"
        )

        _arrow(axes, (12.5, 26.5), (17, 26.5), "builds")
        _arrow(axes, (48.4, 26.5), (55.5, 26.5), "works", both=True)
        _arrow(axes, (62, 17.5), (62, 20.5), "")
        _arrow(axes, (30, 11), (30, 6.7), "")
        _arrow(axes, (62, 11), (62, 6.7), "")

        axes.text(
            35,
            36.6,
            "plugins bring graphs, systems, tasks and controllers; observers watch runs",
            ha="center",
            va="center",
            color=GREEN,
        )
        for x in (30, 62):
            axes.add_patch(FancyArrowPatch((x, 35.6), (x, 33.2), arrowstyle="-|>", mutation_scale=8, color=GREEN, lw=1))
    return figure


def _box(axes: Any, place: tuple[float, float, float, float], title: str, text: str, fill: str = "white") -> None:
    x, y, width, height = place
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.8", facecolor=fill, edgecolor=INK, lw=0.9
        )
    )
    axes.text(x + 1, y + height - 0.9, title, fontweight="bold", va="top", fontsize=9)
    axes.text(x + 1, y + height - 3.5, text, va="top", linespacing=1.35)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], text: str, both: bool = False) -> None:
    kind = "<|-|>" if both else "-|>"
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle=kind, mutation_scale=9, color=INK, lw=1.1, shrinkA=1, shrinkB=1)
    )
    axes.text((start[0] + end[0]) / 2, start[1] + 0.6, text, ha="center", va="bottom")


def _network(axes: Any, place: tuple[float, float, float, float]) -> None:
    """A small network with its terminals, stiffness as width."""
    x, y, width, height = place
    network = graphs.jittered_grid(4, seed=3)
    low, high = network.positions.min(axis=0), network.positions.max(axis=0)
    points = (network.positions - low) / (high - low) * [width, height] + [x, y]
    widths = 0.4 + 2.2 * np.random.default_rng(5).random(network.n_edges) ** 2
    for (i, j), thick in zip(network.edges, widths, strict=True):
        axes.plot(*points[[i, j]].T, color="#8a8a8a", lw=thick, zorder=1)
    axes.plot(*points.T, "o", color=INK, ms=3, zorder=2)
    order = np.argsort(points[:, 0])
    for nodes, role in ((order[:2], "input"), (order[-2:], "output")):
        mark = ROLES[role]
        axes.plot(*points[nodes].T, mark.marker, color=mark.colour, ms=7, ls="none", zorder=3)
    axes.text(x, y - 1.2, "inputs", color=BLUE, ha="left", va="top")
    axes.text(points[order[-2:], 0].mean() + 0.5, y + height + 1.1, "outputs", color=ORANGE, ha="right")


if __name__ == "__main__":
    draw().savefig(TARGET, dpi=200)
    print(TARGET)
