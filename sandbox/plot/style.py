"""One look for all figures: sizes, colours, markers, and the figure they are drawn in.

Figures are `matplotlib.figure.Figure` objects on an Agg canvas. Nothing is registered with pyplot, so they work
without a display, in threads and in notebooks, and are freed with their last reference.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import allow_rasterization
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from sandbox.forking import ProcessLock

COLUMN = 3.4
"""Width of a figure over one column of a journal, in inches."""
PAGE = 7.0
"""Width of a figure over the whole page, in inches."""

CATEGORICAL = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Categorical colours that stay apart for color-blind readers (Okabe and Ito 2008), in order of use."""
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))
"""Line styles that go with the categorical colours, so that curves differ in grey print too."""

EDGE = "#5f5f5f"
FAINT = "#c4c4c4"
NEGATIVE = "#CC79A7"
PALE = "#d9d9d9"
MISSING = "#e6e6e6"
INK = "#262626"

ZERO_WIDTH = "\u200b"
"""A space of no width, which the font has."""

SEQUENTIAL: Colormap = mpl.colormaps["viridis"]
"""Perceptually uniform map for states: node values, speeds."""
DIVERGING: Colormap = LinearSegmentedColormap.from_list(
    "sandbox_diverging", ["#08306b", "#2171b5", "#78aed3", "#b4b4b4", "#ea9a63", "#c8400f", "#6a1503"]
)
"""Signed values only: blue below zero, orange above; zero is grey, not white, so that a line at zero is still seen."""

RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.2,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
    "lines.linewidth": 1.4,
    "figure.dpi": 200,
    "savefig.dpi": "figure",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}

_LOCK = ProcessLock()  # matplotlib's settings are global: one thread at a time may hold them changed


@contextmanager
def style() -> Iterator[None]:
    """The look, while the block runs. Settings are put back afterwards; other threads that ask for it wait."""
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def plain(text: object) -> str:
    """Write a text so that Matplotlib draws it as it stands.

    A title, a unit or the name of a group is no mathematics, whatever stands between two of its dollar signs; and a
    legend shows it, even if it begins with an underscore (Matplotlib's sign for what is not to be shown).
    """
    drawn = str(text).replace("$", r"\$")
    return f"{ZERO_WIDTH}{drawn}" if drawn.startswith("_") else drawn


class Picture(Figure):
    """A figure that is drawn and saved in the look of the sandbox, and shows itself in a notebook without pyplot.

    Matplotlib reads some settings when it draws, not when an artist is made (tick labels, fonts in PDF); hence the
    look is applied there again.
    """

    @allow_rasterization
    def draw(self, renderer: Any) -> None:
        with style():
            super().draw(renderer)

    def savefig(self, fname: Any, *, transparent: bool | None = None, **kwargs: Any) -> None:
        with style():
            super().savefig(fname, transparent=transparent, **kwargs)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """PNG, and the size to show it at: notebooks call this for the value of a cell."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        width, height = self.get_size_inches()
        return buffer.getvalue(), {"width": round(120 * width), "height": round(120 * height)}


def new_figure(width: float = COLUMN, height: float = 2.4, layout: Any = "constrained") -> Picture:
    """An empty figure of this size in inches on an Agg canvas. Call within ``style()``."""
    figure = Picture(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class RoleStyle:
    """How the nodes of a role are marked; roles differ in shape as well as in colour."""

    colour: str
    marker: str


ROLES = {
    "input": RoleStyle("#0072B2", "s"),
    "output": RoleStyle("#D55E00", "^"),
    "constant": RoleStyle("#000000", "v"),
    "ground": RoleStyle("#000000", "v"),
    "clamped": RoleStyle("#009E73", "D"),
    "held": RoleStyle("#009E73", "D"),
    "moved": RoleStyle("#0072B2", "s"),
    "imposed": RoleStyle("#0072B2", "s"),
    "pushed": RoleStyle("#D55E00", ">"),
}
"""Roles with a mark of their own; a plural or a suffix ("inputs", "output_left") finds it too."""
OTHER_ROLES = (
    RoleStyle("#CC79A7", "p"),
    RoleStyle("#56B4E9", "P"),
    RoleStyle("#E69F00", "*"),
    RoleStyle("#009E73", "X"),
    RoleStyle("#0072B2", "h"),
    RoleStyle("#D55E00", "<"),
    RoleStyle("#000000", ">"),
)


def role_styles(names: Iterable[str]) -> dict[str, RoleStyle]:
    """A mark for every role: its own where it has one that is not taken yet, else the next of the others."""
    styles: dict[str, RoleStyle] = {}
    spare = list(OTHER_ROLES)
    for name in names:
        own = next((mark for key, mark in ROLES.items() if name.lower().startswith(key)), None)
        if own is None or own in styles.values():
            own = spare.pop(0) if spare else OTHER_ROLES[len(styles) % len(OTHER_ROLES)]
        styles[name] = own
    return styles


def role_marks(nodes: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, RoleStyle]]:
    """The nodes of every role, with its mark."""
    styles = role_styles(nodes)
    return {name: (nodes[name], styles[name]) for name in nodes}
