"""The lines and marks of one network on one axes, moved and recoloured in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from sandbox.physics.network import Network
from sandbox.plot.geometry import Sizes, bond_lines, embed
from sandbox.plot.scales import ColourScale, mix
from sandbox.plot.style import EDGE, INK, RoleStyle

ELEVATION, AZIMUTH = 18.0, -62.0
"""View of networks in space, in degrees."""


class NetworkArtists:
    """Draws a network on axes; `move` and `paint` change the drawing without making it again.

    Where the nodes are too close for marks, the bonds carry the colour of the state instead (the mean of their ends).

    Args:
        ax: axes of matplotlib, with a 3D projection for a network in space.
        network: the network.
        positions: where its nodes are, (N, D).
        sizes: sizes of the marks.
        scale: colours of the values given to `paint`.
        widths, colours: of each edge, (E,) in points and (E, 4); plain lines where ``None``.
        faded: how much the farthest bonds in space fade; less where their colour carries a value.
        roles: node indices and mark of each role.
        lift: height at which a chain (one dimension) is laid.
    """

    def __init__(
        self,
        ax: Any,
        network: Network,
        positions: np.ndarray,
        sizes: Sizes,
        *,
        scale: ColourScale | None = None,
        widths: np.ndarray | None = None,
        colours: np.ndarray | None = None,
        faded: float = 0.75,
        roles: dict[str, tuple[np.ndarray, RoleStyle]] | None = None,
        lift: float = 0.0,
    ) -> None:
        self.ax, self.network, self.sizes, self.scale, self.lift = ax, network, sizes, scale, lift
        self.space = network.dimension == 3
        self.faded = faded
        self.widths = np.full(network.n_edges, sizes.line) if widths is None else widths
        self.colours = np.tile(to_rgba(EDGE), (network.n_edges, 1)) if colours is None else colours
        self.on_edges = scale is not None and sizes.node == 0 and network.n_edges > 0
        if self.on_edges and widths is None:
            self.widths = 2.0 * self.widths  # colour needs some area
        self.roles = roles or {}
        plain = np.ones(network.n_nodes, dtype=bool)
        for nodes, _ in self.roles.values():
            plain[nodes] = False
        self.plain = np.flatnonzero(plain)
        self.marks: list[tuple[Any, np.ndarray, float]] = []  # collection, its nodes, diameter
        self._make(embed(positions, lift))
        self.move(positions)

    @property
    def artists(self) -> list[Any]:
        """All that moves."""
        return [*([self.lines] if self.lines is not None else []), *(mark for mark, _, _ in self.marks)]

    def move(self, positions: np.ndarray) -> None:
        """Put the nodes at these positions, (N, D)."""
        points = embed(positions, self.lift)
        lines, owner = bond_lines(self.network, positions, self.lift)
        self.order = np.arange(len(lines))
        if self.space:  # far bonds first and paler
            depth = lines.mean(axis=1) @ _sight()
            self.order = np.argsort(depth, kind="stable")
            self.far = _far(depth, points @ _sight())[self.order]
        self.owner = owner[self.order]
        if self.lines is not None:
            self.lines.set_segments(lines[self.order])
            self.lines.set_linewidth(self.widths[self.owner])
            self._colour_lines(self.colours)
        for mark, nodes, diameter in self.marks:
            here = points[nodes]
            if self.space:
                mark._offsets3d = tuple(here.T)
                near = 1 - _far(here @ _sight(), points @ _sight())
                mark.set_sizes((diameter * (0.6 + 0.5 * near)) ** 2)
            else:
                mark.set_offsets(here)

    def paint(self, values: np.ndarray) -> None:
        """Colour the nodes by values, (N,); NaN is grey."""
        if self.scale is None:
            return
        if self.on_edges:
            self.faded = 0.45
            self.colours = self.scale(values[self.network.edges].mean(axis=1))
            self._colour_lines(self.colours)
        colours = self.scale(values)
        for mark, nodes, _ in self.marks:
            mark.set_facecolor(colours[nodes])

    def _colour_lines(self, colours: np.ndarray) -> None:
        if self.lines is not None:
            chosen = colours[self.owner]
            self.lines.set_color(mix(chosen, self.faded * self.far) if self.space else chosen)

    def _make(self, points: np.ndarray) -> None:
        self.lines: Any = None
        if self.network.n_edges:
            if self.space:
                self.lines = Line3DCollection(np.zeros((1, 2, 3)), capstyle="round", zorder=1, clip_on=False)
                self.ax.add_collection3d(self.lines)
            else:
                self.lines = LineCollection([], capstyle="round", zorder=1)
                self.ax.add_collection(self.lines, autolim=False)
            self.lines.set_in_layout(False)
        bare = self.network.n_edges == 0  # a cloud of points is nothing without its nodes
        diameter = max(self.sizes.node, 1.3) if bare else self.sizes.node
        if self.scale is None and not bare:
            diameter *= 0.6
        if diameter and len(self.plain):
            self._mark(points, self.plain, "o", diameter, INK, INK, min(0.5, 0.12 * diameter))
        for nodes, mark in self.roles.values():
            edge = float(np.clip(0.16 * self.sizes.role, 0.6, 1.4))
            self._mark(points, nodes, mark.marker, self.sizes.role, mark.colour, mark.colour, edge)

    def _mark(
        self, points: np.ndarray, nodes: np.ndarray, marker: str, diameter: float, face: str, edge: str, line: float
    ) -> None:
        here = points[nodes]
        more = {"depthshade": False} if self.space else {}
        mark = self.ax.scatter(
            *here.T,
            s=np.full(len(nodes), diameter**2),
            marker=marker,
            facecolors=np.tile(to_rgba(face), (len(nodes), 1)),
            edgecolors=edge,
            linewidths=line,
            zorder=2 if marker == "o" else 3,
            clip_on=False,
            **more,
        )
        mark.set_in_layout(False)  # within the axes: laying out need not measure them
        self.marks.append((mark, nodes, diameter))


def _sight() -> np.ndarray:
    """Unit vector towards the viewer."""
    up, round_ = np.radians(ELEVATION), np.radians(AZIMUTH)
    return np.array([np.cos(up) * np.cos(round_), np.cos(up) * np.sin(round_), np.sin(up)])


def _far(depth: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """0 for the nearest to 1 for the farthest, on the range of the whole drawing."""
    whole = whole[np.isfinite(whole)]
    if len(whole) == 0 or np.ptp(whole) == 0:
        return np.zeros(len(depth))
    return np.clip((whole.max() - np.nan_to_num(depth)) / np.ptp(whole), 0, 1)
