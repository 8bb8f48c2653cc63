"""Pictures of networks: values of nodes as colour, stiffnesses as line width, roles as marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from sandbox.physics.network import Network
from sandbox.plot import keys, layout
from sandbox.plot.artists import NetworkArtists
from sandbox.plot.checks import per_edge, per_node, places, role_nodes
from sandbox.plot.geometry import Sizes, bond_lines, embed, extent
from sandbox.plot.scales import ColourScale, WidthScale
from sandbox.plot.style import COLUMN, PAGE, plain, role_marks, style


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network at one moment.

    Args:
        state: value of each node, (N,), or ``None``.
        stiffness: of each edge, (E,), or ``None``.
        positions: of the nodes, (N, D); the reference ones if ``None``.
    """

    state: npt.ArrayLike | None = None
    stiffness: npt.ArrayLike | None = None
    positions: npt.ArrayLike | None = None


def draw_network(
    network: Network,
    *,
    state: npt.ArrayLike | None = None,
    state_label: str = "pressure",
    signed: bool = False,
    stiffness: npt.ArrayLike | None = None,
    stiffness_label: str = "stiffness",
    roles: Mapping[str, npt.ArrayLike] | None = None,
    positions: npt.ArrayLike | None = None,
    ax: Any = None,
    title: str | None = None,
    width: float = COLUMN,
) -> Figure:
    """Draw a network in one, two or three dimensions.

    Bonds across a periodic boundary are drawn as two half stubs. Nodes closer than the eye can part get no marks;
    bonds then carry the colour of the state.

    Args:
        network: what to draw.
        state: value of each node, (N,), shown as colour; NaN is grey.
        state_label: label of the colour bar, with the unit.
        signed: colour the state about zero with a diverging map.
        stiffness: of each edge, (E,), shown as line width, proportional to its size; zero is a pale hairline,
            negative ones are pink, and a few far above the others are all as wide as the legend's "≥".
        stiffness_label: label of the width legend, with the unit.
        roles: node indices or mask by role ("input", "output", "ground", "clamped" have marks of their own).
        positions: (N, D) if not the reference positions.
        ax: axes to draw on (3D ones for a network in space); a new figure if ``None``.
        title: above the drawing.
        width: of a new figure, in inches.

    Returns:
        The figure, new or that of ``ax``.

    Raises:
        ValueError: if an array does not fit the network; names it, its shape and the shape expected.
    """
    shot = _Checked(network, Snapshot(state, stiffness, positions), "")
    marks = role_marks(role_nodes(roles, network))
    scale = None if shot.state is None else ColourScale(shot.state, label=state_label, signed=signed)
    with style():
        bounds = extent(*shot.points(network))
        own = ax is None
        figure, axes = layout.new_axes(width, network.dimension) if own else (ax.figure, [ax])
        room = width if own else layout.inches(ax)
        sizes = _draw(axes[0], network, shot, scale, marks, bounds, [shot])
        if scale is not None:
            keys.colour_bar(axes[0], scale, on_top=layout.is_flat(*bounds))
        keys.key_below(axes[0], _key_groups(marks, scale, sizes, [shot], stiffness_label), room, centred=own)
        if title is not None:
            axes[0].set_title(plain(title))
        if own:
            layout.arrange(figure, axes)
    return figure


def before_after(
    network: Network,
    before: Snapshot | Mapping[str, Any],
    after: Snapshot | Mapping[str, Any],
    *,
    state_label: str = "pressure",
    signed: bool = False,
    stiffness_label: str = "stiffness",
    roles: Mapping[str, npt.ArrayLike] | None = None,
    titles: tuple[str, str] = ("before", "after"),
    width: float = PAGE,
) -> Figure:
    """Draw a network twice, side by side, with one scale of colour and one of width.

    Args:
        network: what to draw.
        before, after: a `Snapshot`, or a mapping with any of its names: state, stiffness, positions.
        state_label, signed, stiffness_label, roles, width: as in `draw_network`.
        titles: above the two drawings.

    Raises:
        ValueError: if an array does not fit the network.
    """
    shots = [_Checked(network, _snapshot(n, s), f"{n}.") for n, s in (("before", before), ("after", after))]
    marks = role_marks(role_nodes(roles, network))
    states = [s.state for s in shots if s.state is not None]
    scale = ColourScale(*states, label=state_label, signed=signed) if states else None
    with style():
        bounds = extent(*(p for s in shots for p in s.points(network)))
        flat = layout.is_flat(*bounds)
        figure, axes = layout.new_axes(width, network.dimension, 2, stacked=flat)
        sizes = [_draw(ax, network, s, scale, marks, bounds, shots) for ax, s in zip(axes, shots, strict=True)]
        for ax, title in zip(axes, titles, strict=True):
            ax.set_title(plain(title))
        if scale is not None:
            keys.colour_bar(axes[0] if flat else axes[1], scale, on_top=flat)
        keys.key_below(axes[1], _key_groups(marks, scale, sizes[0], shots, stiffness_label), width, centred=True)
        layout.arrange(figure, axes, stacked=flat)
    return figure


def _snapshot(name: str, given: Snapshot | Mapping[str, Any]) -> Snapshot:
    if isinstance(given, Snapshot):
        return given
    unknown = set(given) - {"state", "stiffness", "positions"}
    if unknown:
        raise ValueError(f"{name} has {', '.join(sorted(unknown))}; expected state, stiffness, positions")
    return Snapshot(**given)


class _Checked:
    """The arrays of a snapshot, checked against the network."""

    def __init__(self, network: Network, shot: Snapshot, prefix: str) -> None:
        self.state = None if shot.state is None else per_node(f"{prefix}state", shot.state, network)
        self.stiffness = None if shot.stiffness is None else per_edge(f"{prefix}stiffness", shot.stiffness, network)
        self.positions = places(f"{prefix}positions", shot.positions, network)

    def points(self, network: Network) -> tuple[np.ndarray, np.ndarray]:
        """All points that must be within the frame."""
        return embed(self.positions), bond_lines(network, self.positions)[0]


def _widths(shots: list[_Checked], sizes: Sizes) -> WidthScale | None:
    """The width scale that all snapshots share."""
    samples = [s.stiffness for s in shots if s.stiffness is not None and len(s.stiffness)]
    return WidthScale.over(samples, sizes.widest) if samples else None


def _draw(
    ax: Any,
    network: Network,
    shot: _Checked,
    scale: ColourScale | None,
    marks: dict[str, Any],
    bounds: tuple[np.ndarray, np.ndarray],
    shots: list[_Checked],
) -> Sizes:
    """One drawing within bounds; gives the sizes it took."""
    unit = layout.frame(ax, *bounds)
    sizes = Sizes.suited(network, unit)
    widths = _widths(shots, sizes)
    artists = NetworkArtists(
        ax,
        network,
        shot.positions,
        sizes,
        scale=scale,
        widths=None if widths is None or shot.stiffness is None else widths.widths(shot.stiffness),
        colours=None if widths is None or shot.stiffness is None else widths.colours(shot.stiffness),
        roles=marks,
    )
    if shot.state is not None:
        artists.paint(shot.state)
    return sizes


def _key_groups(
    marks: dict[str, Any], scale: ColourScale | None, sizes: Sizes, shots: list[_Checked], stiffness_label: str
) -> list[list[Any]]:
    """The rows of the legend."""
    first = keys.role_handles(marks, filled=scale is None)
    if scale is not None and scale.missing:
        first.append(keys.missing_handle())
    widths = _widths(shots, sizes)
    return [g for g in (first, [] if widths is None else keys.width_handles(widths, stiffness_label)) if g]
