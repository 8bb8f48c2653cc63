"""The keys beside a drawing: colour bar, roles, widths. They never lie on the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox, ScaledTranslation, blended_transform_factory

from sandbox.plot.scales import ColourScale, WidthScale
from sandbox.plot.style import EDGE, INK, MISSING, NEGATIVE, RoleStyle, plain

ROW = 0.18
"""Height of a row of a legend, in inches."""
HANDLE = 0.37
"""Width of the mark of a legend entry and the gaps around it, in inches."""
LETTER = 0.07
"""Width of a letter, in inches, rather too much than too little."""


class _Beside:
    """Place of a colour bar: a thin strip along its axes, whatever their size."""

    def __init__(self, ax: Any, on_top: bool) -> None:
        self.ax, self.on_top = ax, on_top

    def __call__(self, bar: Any, renderer: Any) -> Bbox:
        box, inch = self.ax.get_window_extent(), self.ax.figure.dpi
        if self.on_top:
            place = Bbox.from_bounds(box.x0 + 0.1 * box.width, box.y1 + 0.06 * inch, 0.8 * box.width, 0.08 * inch)
        else:
            place = Bbox.from_bounds(box.x1 + 0.06 * inch, box.y0 + 0.1 * box.height, 0.08 * inch, 0.8 * box.height)
        return place.transformed(self.ax.figure.transSubfigure.inverted())


def colour_bar(ax: Any, scale: ColourScale, *, on_top: bool = False) -> None:
    """A colour bar along the axes; none if no value is finite."""
    if scale.empty:
        return
    bar_ax = ax.inset_axes((1.02, 0.1, 0.03, 0.8))
    bar_ax.set_axes_locator(_Beside(ax, on_top))
    bar = ax.figure.colorbar(scale.mappable, cax=bar_ax, orientation="horizontal" if on_top else "vertical")
    bar.set_label(plain(scale.label), color=INK)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10])
    bar.update_ticks()
    bar_ax.tick_params(length=2, width=0.6, pad=1.5, colors=INK)
    if on_top:
        bar_ax.xaxis.set_ticks_position("top")
        bar_ax.xaxis.set_label_position("top")
    else:  # a power of ten stands over the bar, not over the drawing
        bar_ax.yaxis.set_offset_position("left")
        bar_ax.yaxis.get_offset_text().set_horizontalalignment("left")


def role_handles(roles: dict[str, tuple[np.ndarray, RoleStyle]], filled: bool) -> list[Line2D]:
    """Legend entries of the roles: filled with their colour, or hollow where the fill shows the state."""
    return [
        _mark(mark.marker, 5.5, 1.1, mark.colour, mark.colour if filled else "white", name)
        for name, (_, mark) in roles.items()
    ]


def missing_handle() -> Line2D:
    """Legend entry of nodes without a value."""
    return _mark("o", 4.5, 0.4, INK, MISSING, "no value")


def width_handles(scale: WidthScale, label: str) -> list[Line2D]:
    """Legend entries of the widths: the label, then up to three lines with their values."""
    examples = scale.examples()[-2 if scale.negative else -3 :]
    if scale.beyond and examples[-1] != scale.most:
        examples = [*examples[-2:], scale.most]
    lines = [
        Line2D(
            *([], []),
            color=EDGE,
            linewidth=float(scale.widths(np.array([value]))[0]),
            label=f"{'≥ ' if scale.beyond and value == scale.most else ''}{value:.3g}",
        )
        for value in examples
    ]
    if scale.negative:
        lines.append(Line2D([], [], color=NEGATIVE, linewidth=2, label="negative"))
    return [Line2D([], [], linestyle="none", label=plain(label)), *lines]


def columns(group: list[Any], width: float, handle: float = HANDLE) -> int:
    """Into how many columns the entries of a legend go, within a width in inches; rows are filled evenly."""
    sizes = [handle + LETTER * len(str(entry.get_label())) for entry in group]
    for count in range(len(group), 1, -1):
        if sum(max(sizes[column::count]) for column in range(count)) <= width - 0.1:
            return -(-len(group) // -(-len(group) // count))
    return 1


def read_across(group: list[Any], width: float, handle: float = HANDLE) -> dict[str, Any]:
    """Handles and columns of a legend that is read row by row (matplotlib fills columns)."""
    count = columns(group, width, handle)
    return {"handles": [entry for column in range(count) for entry in group[column::count]], "ncols": count}


def key_below(ax: Any, groups: list[list[Line2D]], width: float, *, centred: bool = False) -> None:
    """Legends under the axes, one group under the other, or all in one row where they fit.

    Args:
        ax: the axes.
        groups: the entries.
        width: room for them, in inches.
        centred: in the figure; else under the axes.
    """
    groups = [group for group in groups if group]
    together = [entry for group in groups for entry in group]
    if together and columns(together, width) == len(together):
        groups = [together]
    down = 2.0
    for group in groups:
        across = ax.figure.transFigure if centred else ax.transAxes
        place = blended_transform_factory(across, ax.transAxes)
        layout = read_across(group, width)
        legend = Legend(
            ax,
            layout["handles"],
            [str(entry.get_label()) for entry in layout["handles"]],
            ncols=layout["ncols"],
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            bbox_transform=place + ScaledTranslation(0, -down / 72, ax.figure.dpi_scale_trans),
            borderaxespad=0.2,
            handlelength=1.5,
        )
        legend.set_clip_on(False)  # else it is not measured when the figure is laid out
        ax.add_artist(legend)
        down += 72 * ROW * -(-len(group) // layout["ncols"])


def _mark(marker: str, size: float, line: float, edge: str, face: str, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=marker,
        markersize=size,
        markeredgewidth=line,
        markeredgecolor=edge,
        markerfacecolor=face,
        label=plain(label),
    )
