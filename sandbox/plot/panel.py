"""Axes for networks, and the keys beside them: colour bar, widths, roles. Keys never lie on the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation
from mpl_toolkits.mplot3d import proj3d

from sandbox.plot.artists import AZIMUTH, ELEVATION
from sandbox.plot.scales import ColourScale, WidthScale
from sandbox.plot.style import EDGE, INK, MISSING, NEGATIVE, RoleStyle

FLAT = 0.35
"""Height over width below which a colour bar lies on top of the drawing and not beside it."""
ROW = 0.18
"""Height of a row of a legend, in inches."""


def shape_of(low: np.ndarray, high: np.ndarray) -> float:
    """Height over width of a drawing of this extent, within what fits on a page."""
    if len(low) == 3:
        return 0.95
    width, height = high - low
    if width <= 0:
        return 1.5 if height > 0 else 0.5
    return float(np.clip(height / width, 0.12, 1.5))


def bare_axes(figure: Any, spec: Any, dimension: int) -> Any:
    """Axes for a network of this dimension at a place of a grid."""
    return figure.add_subplot(spec, **({"projection": "3d"} if dimension == 3 else {}))


def frame(ax: Any, low: np.ndarray, high: np.ndarray, margin: float) -> float:
    """Set limits and equal aspect, hide ticks; gives points per unit of length.

    Args:
        ax: the axes.
        low, high: extent of the data.
        margin: room to leave around it, in points.
    """
    box = ax.get_window_extent()
    room = 72 / ax.figure.dpi * np.array([box.width, box.height])
    ax.set_axis_off()
    if len(low) == 3:
        if getattr(ax, "name", "") != "3d":
            raise ValueError("ax is flat; expected axes with projection='3d' for a network in three dimensions")
        middle, half = (low + high) / 2, max(float((high - low).max()) / 2, 1e-9)
        span = np.maximum((high - low) / 2, 0.05 * half) * 1.02
        for set_limits, m, h in zip((ax.set_xlim, ax.set_ylim, ax.set_zlim), middle, span, strict=True):
            set_limits(m - h, m + h)
        ax.set_proj_type("persp", focal_length=2.0)
        ax.view_init(ELEVATION, AZIMUTH)
        ax.computed_zorder = False
        ax.set_box_aspect(span)
        zoom = _zoom(ax, middle, span, margin)
        ax.set_box_aspect(span, zoom=zoom)
        return float(room.min()) / (2.6 * half)
    size = np.maximum(high - low, 1e-9 * max(1.0, float(np.abs(high).max())))
    if size.max() == size.min() < 1e-6:
        size = np.ones(2)
    inner = np.maximum(room - 2 * margin, 10)
    unit = float((inner / size).min())
    pad = margin / unit
    middle = (low + high) / 2
    half = np.maximum(size / 2, 0.02 * size.max()) + pad
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
    ax.set_aspect("equal", adjustable="box")
    return unit


def _zoom(ax: Any, middle: np.ndarray, span: np.ndarray, margin: float) -> float:
    """The zoom at which the corners of a box just fit into axes in space."""
    ax.apply_aspect()
    corners = middle + span * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    x, y, _ = proj3d.proj_transform(*corners.T, ax.get_proj())
    seen = ax.transData.transform(np.column_stack([x, y]))
    box = ax.bbox
    middle_seen = np.array([box.x0 + box.width / 2, box.y0 + box.height / 2])
    reach = np.abs(seen - middle_seen).max(axis=0)
    inner = np.array([box.width, box.height]) / 2 - margin * ax.figure.dpi / 72
    return float((inner / reach).min())


def colour_bar(ax: Any, scale: ColourScale, *, on_top: bool = False) -> None:
    """A colour bar along the axes; none if no value is finite."""
    if scale.empty:
        return
    box = ax.get_window_extent()
    inch = ax.figure.dpi
    if on_top:
        thick = 0.08 * inch / box.height
        place, orientation = (0.1, 1 + 1.2 * thick, 0.8, thick), "horizontal"
    else:
        thick = 0.08 * inch / box.width
        gap = 0.0 if getattr(ax, "name", "") == "3d" else thick
        place, orientation = (1 + gap, 0.1, thick, 0.8), "vertical"
    bar_ax = ax.inset_axes(place)
    bar = ax.figure.colorbar(scale.mappable, cax=bar_ax, orientation=orientation)
    bar.set_label(scale.label, color=INK)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10])
    bar.update_ticks()
    bar_ax.tick_params(length=2, width=0.6, pad=1.5, colors=INK)
    if on_top:
        bar_ax.xaxis.set_ticks_position("top")
        bar_ax.xaxis.set_label_position("top")


def role_handles(roles: dict[str, tuple[np.ndarray, RoleStyle]], filled: bool) -> list[Line2D]:
    """Legend entries of the roles: filled with their colour, or hollow where the fill shows the state."""
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=mark.marker,
            markersize=5.5,
            markeredgewidth=1.1,
            markeredgecolor=mark.colour,
            markerfacecolor=mark.colour if filled else "white",
            label=name,
        )
        for name, (_, mark) in roles.items()
    ]


def width_handles(scale: WidthScale, label: str) -> list[Line2D]:
    """Legend entries of the widths: the label, then two or three lines with their values."""
    lines = [
        Line2D([], [], color=EDGE, linewidth=float(scale.widths(np.array([value]))[0]), label=f"{value:.3g}")
        for value in scale.examples()
    ]
    if scale.negative:
        lines.append(Line2D([], [], color=NEGATIVE, linewidth=2, label="negative"))
    return [Line2D([], [], linestyle="none", label=label), *lines]


def missing_handle() -> Line2D:
    """Legend entry of nodes without a value."""
    return Line2D(
        [], [], linestyle="none", marker="o", markersize=4.5, markeredgewidth=0.4, markeredgecolor=INK,
        markerfacecolor=MISSING, label="no value",
    )  # fmt: skip


def columns(group: list[Any], width: float, handle: float = 0.32) -> int:
    """Into how many columns the entries of a legend go, within a width in inches; rows are filled evenly."""
    sizes = [handle + 0.062 * len(str(entry.get_label())) for entry in group]
    for count in range(len(group), 1, -1):
        if sum(max(sizes[column::count]) for column in range(count)) <= width:
            return -(-len(group) // -(-len(group) // count))
    return 1


def rows(groups: list[list[Line2D]], width: float) -> int:
    """How many rows the groups of a legend take, each on rows of its own."""
    return sum(-(-len(group) // columns(group, width)) for group in groups if group)


def read_across(group: list[Any], width: float, handle: float = 0.32) -> dict[str, Any]:
    """Handles and columns of a legend that is read row by row (matplotlib fills columns)."""
    count = columns(group, width, handle)
    return {"handles": [entry for column in range(count) for entry in group[column::count]], "ncols": count}


def key_below(ax: Any, groups: list[list[Line2D]], width: float) -> None:
    """Legends under the axes, one group under the other."""
    down = 2.0
    for group in groups:
        if not group:
            continue
        place = ax.transAxes + ScaledTranslation(0, -down / 72, ax.figure.dpi_scale_trans)
        layout = read_across(group, width)
        handles = layout["handles"]
        legend = Legend(
            ax,
            handles,
            [entry.get_label() for entry in handles],
            ncols=layout["ncols"],
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            bbox_transform=place,
            borderaxespad=0.2,
            handlelength=1.5,
        )
        ax.add_artist(legend)
        down += 72 * ROW * rows([group], width)


def key_of_figure(figure: Any, groups: list[list[Line2D]], width: float) -> None:
    """One legend under all panels of a figure."""
    group = [entry for group in groups for entry in group]
    if group:
        figure.legend(**read_across(group, width), loc="outside lower center", handlelength=1.5)
