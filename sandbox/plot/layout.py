"""Axes for networks, framed and placed: the drawings take the width of the figure that their keys leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpl_toolkits.mplot3d import proj3d

from sandbox.plot.artists import AZIMUTH, ELEVATION
from sandbox.plot.style import Picture, new_figure

FLAT = 0.35
"""Height over width of the data below which a colour bar lies on top of a drawing, and drawings above each other."""
TALLEST = 1.5
"""Greatest height over width of a drawing in a new figure."""
MARGIN = 6.0
"""Room around the data for the marks at its border, in points."""
PAD, GAP = 0.05, 0.15
"""Room at the border of a figure and between drawings, in inches."""


def inches(ax: Any) -> float:
    """Width of axes, in inches."""
    return float(ax.get_window_extent().width / ax.figure.dpi)


def is_flat(low: np.ndarray, high: np.ndarray) -> bool:
    """Whether data of this extent are drawn in a low and wide frame."""
    return len(low) == 2 and high[1] - low[1] < FLAT * (high[0] - low[0])


def new_axes(width: float, dimension: int, count: int = 1, *, stacked: bool = False) -> tuple[Picture, list[Any]]:
    """A figure and axes for as many networks, about as large as they will be; `arrange` gives them their place."""
    figure = new_figure(width, width, layout=None)
    share = (1 - 0.75 / width) / (1 if stacked else count)
    projection: dict[str, Any] = {"projection": "3d"} if dimension == 3 else {}
    return figure, [figure.add_axes((0.02, 0.1, share, 0.9), label=f"{i}", **projection) for i in range(count)]


def frame(ax: Any, low: np.ndarray, high: np.ndarray) -> float:
    """Set limits around data of this extent with equal aspect, and hide ticks; gives points per unit of length.

    Raises:
        ValueError: if the data are in space and the axes are not.
    """
    box = ax.get_window_extent()
    room = 72 / ax.figure.dpi * np.array([box.width, box.height])
    ax.set_axis_off()
    middle, size = (low + high) / 2, high - low
    size = np.where(size > 1e-9 * np.abs(middle), size, 0.0)  # rounding is no extent
    if not size.any():
        size = np.ones_like(size)
    if len(low) == 3:
        return _frame_space(ax, middle, size, float(room.min()))
    unit = float(((room - 2 * MARGIN) / np.maximum(size, 1e-9 * size.max())).min())
    if unit <= 0:  # axes smaller than the margin
        unit = float(room.min() / size.max())
    half = size / 2 + MARGIN / unit
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
    ax.set_aspect("equal", adjustable="box")
    return unit


def _frame_space(ax: Any, middle: np.ndarray, size: np.ndarray, room: float) -> float:
    """The same in space: a view from above the horizon, as near as the corners of the data allow."""
    if getattr(ax, "name", "") != "3d":
        raise ValueError("ax is flat; expected axes with projection='3d' for a network in three dimensions")
    half = np.maximum(size, 0.05 * size.max()) / 2
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
    ax.set_zlim(middle[2] - half[2], middle[2] + half[2])
    ax.set_proj_type("persp", focal_length=1.5)
    ax.view_init(ELEVATION, AZIMUTH)
    ax.computed_zorder = False
    ax.apply_aspect()
    corners = middle + half * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    centre = (ax.bbox.p0 + ax.bbox.p1) / 2
    inner = ax.bbox.size / 2 - MARGIN * ax.figure.dpi / 72
    zoom = 1.0
    for _ in range(4):  # perspective: the reach is not quite proportional to the zoom
        ax.set_box_aspect(half.copy(), zoom=zoom)
        x, y, _ = proj3d.proj_transform(corners[:, 0], corners[:, 1], corners[:, 2], ax.get_proj())
        reach = np.abs(ax.transData.transform(np.column_stack([x, y])) - centre).max(axis=0)
        zoom *= float((inner / reach).min())
    ax.set_box_aspect(half.copy(), zoom=zoom)
    return room / float(np.linalg.norm(2 * half))


def arrange(figure: Picture, axes: list[Any], *, stacked: bool = False) -> None:
    """Fit the height of a new figure to its drawings and their keys, and place the axes exactly.

    The axes are side by side, or one above the other if ``stacked``. Legends hang from the drawings, centred in the
    figure; titles and colour bars take the room that they measure.
    """
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    dpi = figure.dpi
    top, bottom, right = [], [], []
    for ax in axes:
        tight = ax.get_tightbbox(renderer)
        box = ax.get_window_extent()
        top.append(max(0.0, tight.y1 - box.y1) / dpi)
        bottom.append(max(0.0, box.y0 - tight.y0) / dpi)
        beside = [bar.get_tightbbox(renderer) for bar in ax.child_axes]
        right.append(max([0.0, *((bar.x1 - box.x1) / dpi for bar in beside)]))
    width = float(figure.get_figwidth())
    across = 1 if stacked else len(axes)
    wide = (width - 2 * PAD - max(right) - GAP * (across - 1)) / across
    shape = _shape(axes[0])
    high = min(shape, TALLEST) * wide
    if stacked:
        height = 2 * PAD + sum(top) + sum(bottom) + len(axes) * high + GAP * (len(axes) - 1)
    else:
        height = 2 * PAD + max(top) + max(bottom) + high
    figure.set_size_inches(width, height)
    x, y = PAD, height - PAD
    for i, ax in enumerate(axes):
        y -= top[i] if stacked else 0.0
        base = y - high if stacked else PAD + max(bottom)
        ax.set_position((x / width, base / height, wide / width, high / height))
        y = base - bottom[i] - GAP
        x += 0.0 if stacked else wide + GAP


def _shape(ax: Any) -> float:
    """Height over width of the framed data."""
    if getattr(ax, "name", "") == "3d":
        return 0.98
    return float(np.diff(ax.get_ylim())[0] / np.diff(ax.get_xlim())[0])
