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
LAYERS = 16
"""Of a drawing in space, from far to near: what is nearer hides what is farther, nodes and bonds alike."""


class NetworkArtists:
    """Draws a network on axes; `move` and `paint` change the drawing without making it again.

    Where the nodes are too close for marks, the bonds carry the colour of the state instead (the mean of their ends).
    In space nodes and bonds are drawn in layers, the far ones first; roles lie over all of them.

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
        weight: of each edge, (E,): heavier ones are drawn over lighter ones. In space the nearer are over the farther.
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
        weight: np.ndarray | None = None,
    ) -> None:
        self.weight = weight
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
        self.faces = np.tile(to_rgba(INK), (network.n_nodes, 1))
        for nodes, mark in self.roles.values():
            self.faces[nodes] = to_rgba(mark.colour)
        self.lines: list[Any] = []  # collections, one for each layer
        self.dots: list[Any] = []  # likewise, of the nodes without a role
        self.marks: list[tuple[Any, np.ndarray]] = []  # of each role: collection, its nodes
        self._make(embed(positions, lift))
        self.move(positions)

    @property
    def artists(self) -> list[Any]:
        """All that moves."""
        return [*self.lines, *self.dots, *(mark for mark, _ in self.marks)]

    def move(self, positions: np.ndarray) -> None:
        """Put the nodes at these positions, (N, D)."""
        self.points = embed(positions, self.lift)
        self.segments, self.owner = bond_lines(self.network, positions, self.lift)
        if self.weight is not None:
            order = np.argsort(self.weight[self.owner], kind="stable")
            self.segments, self.owner = self.segments[order], self.owner[order]
        if self.space:
            depth = self.points @ _sight()
            self.far = _far(depth, depth)
            # A bond is as far as its farther end, so that it never hides a node that it is tied to.
            self.far_line = _far((self.segments @ _sight()).min(axis=1), depth)
            order = np.argsort(-self.far_line, kind="stable")
            self.segments, self.owner, self.far_line = self.segments[order], self.owner[order], self.far_line[order]
        self._show()

    def paint(self, values: np.ndarray) -> None:
        """Colour the nodes by values, (N,); NaN is grey."""
        if self.scale is None:
            return
        if self.on_edges:
            self.faded = 0.45
            self.colours = self.scale(values[self.network.edges].mean(axis=1))
        self.faces = self.scale(values)
        self._show()

    def _show(self) -> None:
        """Hand places, sizes and colours to the collections."""
        for layer, lines in enumerate(self.lines):
            here = _layer(self.far_line) == layer if self.space else slice(None)
            owner, colours = self.owner[here], self.colours[self.owner[here]]
            if self.space:
                colours = mix(colours, self.faded * self.far_line[here])
                lines.set_visible(len(owner) > 0)
            if len(owner):
                lines.set(segments=self.segments[here], linewidth=self.widths[owner], color=colours)
        for layer, dots in enumerate(self.dots):
            self._place(dots, self.plain[_layer(self.far[self.plain]) == layer] if self.space else self.plain)
        for mark, nodes in self.marks:
            self._place(mark, nodes)

    def _place(self, mark: Any, nodes: np.ndarray) -> None:
        if self.space:
            mark.set_visible(len(nodes) > 0)
            mark._offsets3d = tuple(self.points[nodes].T)
            near = 1 - self.far[nodes]
            mark.set_sizes((mark.diameter * (0.6 + 0.5 * near)) ** 2)
        else:
            mark.set_offsets(self.points[nodes])
        mark.set_facecolor(self.faces[nodes])

    def _make(self, points: np.ndarray) -> None:
        layers = LAYERS if self.space else 1
        bare = self.network.n_edges == 0  # a cloud of points is nothing without its nodes
        for layer in range(0 if bare else layers):
            if self.space:
                lines = Line3DCollection(np.zeros((1, 2, 3)), capstyle="round", clip_on=False)
                self.ax.add_collection3d(lines)
            else:
                lines = LineCollection([], capstyle="round")
                self.ax.add_collection(lines, autolim=False)
            lines.set(in_layout=False, zorder=1 + layer / layers)
            self.lines.append(lines)
        diameter = max(self.sizes.node, 1.3) if bare else self.sizes.node
        if self.scale is None and not bare:
            diameter *= 0.6
        if diameter and len(self.plain):
            for layer in range(layers):
                dots = self._mark(points[self.plain], "o", diameter, INK, min(0.5, 0.12 * diameter))
                dots.set_zorder(1 + (layer + 0.5) / layers if self.space else 2)
                self.dots.append(dots)
        for nodes, mark in self.roles.values():
            edge = float(np.clip(0.16 * self.sizes.role, 0.6, 1.4))
            self.marks.append((self._mark(points[nodes], mark.marker, self.sizes.role, mark.colour, edge), nodes))

    def _mark(self, points: np.ndarray, marker: str, diameter: float, edge: str, line: float) -> Any:
        mark = self.ax.scatter(
            *points.T,
            s=np.full(len(points), diameter**2),
            marker=marker,
            edgecolors=edge,
            linewidths=line,
            zorder=3,
            clip_on=False,
            **({"depthshade": False} if self.space else {}),
        )
        mark.diameter = diameter
        mark.set_in_layout(False)  # within the axes: laying out need not measure them
        return mark


def _layer(far: np.ndarray) -> np.ndarray:
    """Which layer is drawn when: 0 for the farthest."""
    return np.minimum(((1 - far) * LAYERS).astype(int), LAYERS - 1)


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
