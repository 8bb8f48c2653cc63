"""Force chains: the tensions of bonds as width and colour, so that the paths along which a network carries show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from sandbox.physics.network import Network
from sandbox.plot import keys, layout
from sandbox.plot.artists import NetworkArtists
from sandbox.plot.checks import per_edge, places, role_nodes
from sandbox.plot.geometry import Sizes, bond_lines, embed, extent
from sandbox.plot.scales import ColourScale, WidthScale
from sandbox.plot.style import COLUMN, plain, role_marks, style


def draw_chains(
    network: Network,
    tension: npt.ArrayLike,
    *,
    positions: npt.ArrayLike | None = None,
    tension_label: str = "tension",
    roles: Mapping[str, npt.ArrayLike] | None = None,
    ax: Any = None,
    title: str | None = None,
    width: float = COLUMN,
) -> Figure:
    """Draw force chains: bonds as wide as the force they carry, orange where they pull and blue where they push.

    The strongest lie on top. Nodes are drawn only where they have a role.

    Args:
        network: the network.
        tension: of each edge, (E,), positive where the edge pulls its ends together; NaN is a grey hairline.
        positions: of the nodes, (N, D); the reference ones if ``None``.
        tension_label: label of the colour bar, with the unit.
        roles: node indices or mask by role.
        ax: axes to draw on; a new figure if ``None``.
        title: above the drawing.
        width: of a new figure, in inches.

    Raises:
        ValueError: if an array does not fit the network; names it, its shape and the shape expected.
    """
    where = places("positions", positions, network)
    forces = per_edge("tension", tension, network)
    colours = ColourScale(forces, label=tension_label, signed=True)
    marks = role_marks(role_nodes(roles, network))
    with style():
        bounds = extent(embed(where), bond_lines(network, where)[0])
        own = ax is None
        figure, axes = layout.new_axes(width, network.dimension) if own else (ax.figure, [ax])
        ax = axes[0]
        sizes = Sizes.suited(network, layout.frame(ax, *bounds))
        size = np.abs(np.nan_to_num(forces))
        scale = WidthScale.over([forces], max(1.3 * sizes.widest, 1.6))
        NetworkArtists(
            ax,
            network,
            where,
            Sizes(0.0, sizes.role, sizes.widest, sizes.line),
            widths=scale.widths(forces),
            colours=colours(forces),
            faded=0.45,
            roles=marks,
            weight=size,
        )
        keys.colour_bar(ax, colours, on_top=layout.is_flat(*bounds))
        room = width if own else layout.inches(ax)
        keys.key_below(ax, [keys.role_handles(marks, filled=True)], room, centred=own)
        if title is not None:
            ax.set_title(plain(title))
        if own:
            layout.arrange(figure, axes)
    return figure
