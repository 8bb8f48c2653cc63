"""Pictures of deformed networks over their rest shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sandbox.physics.network import Network
from sandbox.plot import keys, layout
from sandbox.plot.artists import NetworkArtists
from sandbox.plot.checks import per_edge, places, role_nodes
from sandbox.plot.geometry import Sizes, bond_lines, embed, extent, spacing
from sandbox.plot.scales import ColourScale, WidthScale
from sandbox.plot.style import COLUMN, EDGE, PALE, plain, role_marks, style

SHADOW = 0.6
"""Width of the rest shape where widths are stiffnesses, in points: never wider than what lies over it."""


def draw_deformation(
    network: Network,
    positions: npt.ArrayLike,
    *,
    reference: npt.ArrayLike | None = None,
    strain: npt.ArrayLike | None = None,
    strain_label: str = "bond strain",
    stiffness: npt.ArrayLike | None = None,
    stiffness_label: str = "stiffness",
    scale: float = 1.0,
    roles: Mapping[str, npt.ArrayLike] | None = None,
    ax: Any = None,
    title: str | None = None,
    width: float = COLUMN,
) -> Figure:
    """Draw a deformed network over the faint rest shape; a chain lies above its rest shape.

    Args:
        network: the network.
        positions: deformed positions, (N, D).
        reference: rest positions, (N, D); those of the network if ``None``.
        strain: of each edge, (E,), as colour: blue for shortened, orange for stretched bonds; NaN is grey.
        strain_label: label of the colour bar, with the unit.
        stiffness: of each edge, (E,), as line width; lines are alike where all are equal.
        stiffness_label: label of the width legend, with the unit.
        scale: factor on the displacements, named in the legend where it is not one.
        roles: node indices or mask by role.
        ax: axes to draw on; a new figure if ``None``.
        title: above the drawing.
        width: of a new figure, in inches.

    Raises:
        ValueError: if an array does not fit the network; names it, its shape and the shape expected.
    """
    rest = places("reference", reference, network)
    moved = rest + scale * (places("positions", positions, network) - rest)
    strains = None if strain is None else per_edge("strain", strain, network)
    stiff = None if stiffness is None else per_edge("stiffness", stiffness, network)
    if stiff is not None and (len(stiff) == 0 or np.ptp(stiff) <= 1e-6 * np.abs(stiff).max()):
        stiff = None
    colours = None if strains is None else ColourScale(strains, label=strain_label, signed=True)
    marks = role_marks(role_nodes(roles, network))
    gap = spacing(network)
    lift = -0.8 * gap if network.dimension == 1 else 0.0
    times = "" if scale == 1 else f" (×{scale:g})"
    groups = [
        keys.role_handles(marks, filled=True),
        [
            Line2D([], [], color=PALE, linewidth=1.0, label="at rest"),
            Line2D([], [], color=EDGE, linewidth=1.6, label=f"deformed{times}"),
        ],
    ]
    with style():
        bounds = extent(
            embed(moved), embed(rest, lift), bond_lines(network, moved)[0], bond_lines(network, rest, lift)[0]
        )
        own = ax is None
        figure, axes = layout.new_axes(width, network.dimension) if own else (ax.figure, [ax])
        ax = axes[0]
        sizes = Sizes.suited(network, layout.frame(ax, *bounds))
        widths = np.full(network.n_edges, np.clip(1.6 * sizes.line, 0.6, 2.0))
        if stiff is not None:
            scaled = WidthScale.over([stiff], sizes.widest)
            widths = scaled.widths(stiff)
            groups.append(keys.width_handles(scaled, stiffness_label))
        pale = np.tile(to_rgba(PALE), (network.n_edges, 1))
        dots = 0.6 * sizes.node if network.dimension == 1 or network.n_edges == 0 else 0.0
        thin = Sizes(dots, sizes.role, sizes.widest, sizes.line)
        fine = None if stiff is None else np.full(network.n_edges, SHADOW)
        shadow = NetworkArtists(ax, network, rest, thin, widths=fine, colours=pale, lift=lift)
        for artist in shadow.artists:
            artist.set(zorder=0.5, color=PALE) if artist not in shadow.lines else artist.set(zorder=0.4)
        NetworkArtists(
            ax,
            network,
            moved,
            Sizes(0.8 * sizes.node, sizes.role, sizes.widest, sizes.line),
            widths=widths,
            colours=None if colours is None or strains is None else colours(strains),
            faded=0.75 if colours is None else 0.45,
            roles=marks,
        )
        if colours is not None:
            keys.colour_bar(ax, colours, on_top=layout.is_flat(*bounds))
        keys.key_below(ax, groups, width if own else layout.inches(ax), centred=own)
        if title is not None:
            ax.set_title(plain(title))
        if own:
            layout.arrange(figure, axes)
    return figure
