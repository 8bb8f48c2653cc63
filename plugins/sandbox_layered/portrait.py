"""A picture of the weights of a layered system: what its first units look for, and how all weights are spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from sandbox.plot.scales import ColourScale
from sandbox.plot.style import CATEGORICAL, DASHES, PAGE, new_figure, plain, style
from sandbox_layered.connections import Conv, Wiring

if TYPE_CHECKING:
    from sandbox_layered.system import LayeredSystem

ROWS, COLUMNS = 4, 6
BINS = 60
TITLES = ("untrained", "trained")


def draw_weights(system: LayeredSystem, before: np.ndarray, after: np.ndarray, label: str) -> Figure:
    """Weights before and after learning, (P,) each.

    Above, if the inputs are square images or seen through kernels: what reaches the units of the second layer that
    learnt most, as images on one scale. Below: how the weights of every connection are spread.

    Args:
        label: of a weight, with its unit.
    """
    layout, count = system.layout, len(system.wirings)
    first = [fields(system.wirings[0], layout.weights(theta, 0)) for theta in (before, after)]
    with style():
        tiles = first[0] is not None
        figure: Any = new_figure(PAGE, 4.6 if tiles else 2.2)
        parts = figure.subfigures(2, 1, height_ratios=(3, 2)) if tiles else (None, figure)
        if tiles:
            _draw_fields(parts[0], first, label)
        axes = np.atleast_1d(parts[1].subplots(1, count))
        for c, ax in enumerate(axes):
            pair = layout.weights(before, c), layout.weights(after, c)
            edges = np.histogram_bin_edges(np.concatenate(pair), BINS)
            for values, name, colour, dash in zip(pair, TITLES, CATEGORICAL[1::-1], DASHES[1::-1], strict=True):
                ax.stairs(np.histogram(values, edges)[0], edges, label=name, color=colour, linestyle=dash)
            ax.set_yscale("log")
            ax.set_title(f"connection {c + 1}")
            ax.set_xlabel(plain(label))
            ax.locator_params(axis="x", nbins=5)
        axes[0].set_ylabel("number")
        axes[0].legend(loc="best")
    return figure


def fields(wiring: Wiring, w: np.ndarray) -> np.ndarray | None:
    """(units, side, side) weights that meet in each unit (channel), as images; ``None`` if they make none."""
    if isinstance(wiring, Conv):
        # The first of the channels before: of grey images, the only one.
        return w.reshape(wiring.post_shape[0], wiring.pre_shape[0], wiring.kernel, wiring.kernel)[:, 0]
    side = math.isqrt(wiring.fans[0])
    if side < 3 or side**2 != wiring.fans[0]:
        return None
    return w.reshape(side, side, -1).transpose(2, 0, 1)


def _draw_fields(part: Any, pair: list[Any], label: str) -> None:
    changed = np.argsort(-((pair[1] - pair[0]) ** 2).sum(axis=(1, 2)), kind="stable")[: ROWS * COLUMNS]
    boards = [_board(images[np.sort(changed)]) for images in pair]
    scale = ColourScale(*boards, label=label, signed=True)
    axes = part.subplots(1, 2)
    for ax, board, title in zip(axes, boards, TITLES, strict=True):
        ax.imshow(scale(board), interpolation="nearest")
        ax.set_title(f"weights to units of layer 2, {title}")
        ax.set_axis_off()
    part.colorbar(scale.mappable, ax=axes, label=plain(label), shrink=0.8)


def _board(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w) side by side in rows, with NaN between them."""
    n, height, width = images.shape
    rows = -(-n // COLUMNS)
    board = np.full((rows * (height + 1) + 1, COLUMNS * (width + 1) + 1), np.nan)
    for number, image in enumerate(images):
        top, left = (number // COLUMNS) * (height + 1) + 1, (number % COLUMNS) * (width + 1) + 1
        board[top : top + height, left : left + width] = image
    return board
