"""Networks in motion, as a GIF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sandbox.physics.network import Network
from sandbox.plot import panel
from sandbox.plot.artists import NetworkArtists
from sandbox.plot.checks import array_of, role_nodes
from sandbox.plot.geometry import Sizes, bond_lines, embed, extent, spacing
from sandbox.plot.scales import ColourScale
from sandbox.plot.style import new_figure, role_styles, settle, style


def animate(
    network: Network,
    times: npt.ArrayLike,
    trajectory: npt.ArrayLike,
    path: str | Path,
    *,
    colour: npt.ArrayLike | None = None,
    label: str = "",
    signed: bool = False,
    fps: float = 20,
    roles: Mapping[str, npt.ArrayLike] | None = None,
    time_label: str = "t",
    title: str | None = None,
    width: float = 3.6,
    dpi: int = 130,
) -> None:
    """Write a GIF of a network in motion, one frame per time, that repeats for ever.

    Args:
        network: the network.
        times: (T,), written on the frames.
        trajectory: positions of the nodes, (T, N, D).
        path: file to write, whatever its suffix; overwritten if it exists.
        colour: value of each node at each time, (T, N), say its speed; one colour scale for all frames.
        label: label of the colour bar, with the unit.
        signed: colour about zero with a diverging map.
        fps: frames per second, rounded to what GIF can say (hundredths of a second a frame, at least two).
        roles: node indices or mask by role.
        time_label: name of the time on the frames.
        title: above the drawing.
        width: of the picture, in inches.
        dpi: pixels per inch.

    Raises:
        ValueError: if an array does not fit the network or the times, or if there are no frames.
    """
    clock = array_of("times", times, ("T",))
    shape = (len(clock), network.n_nodes, network.dimension)
    motion = array_of("trajectory", trajectory, shape, "a position per time and node")
    values = None
    if colour is not None:
        values = array_of("colour", colour, shape[:2], "a value per time and node")
    if len(clock) == 0:
        raise ValueError("times has shape (0,); expected at least one frame")
    if not fps > 0:
        raise ValueError(f"fps is {fps}; expected a positive number of frames per second")
    nodes = role_nodes(roles, network)
    styles = role_styles(nodes)
    marks = {name: (nodes[name], styles[name]) for name in nodes}
    scale = None if values is None else ColourScale(values, label=label, signed=signed)
    film = _Film(network, motion, scale, marks, title, width, dpi)
    decimals = _decimals(clock)
    frames = film.frames(motion, values, [f"{time_label} = {t:.{decimals}f}" for t in clock])
    first = next(frames)
    hundredths = max(2, round(100 / fps))
    first.save(path, format="GIF", save_all=True, append_images=frames, duration=10 * hundredths, loop=0)


class _Film:
    """The drawing, and its pictures at each time. What stands still is drawn once."""

    def __init__(
        self,
        network: Network,
        motion: np.ndarray,
        scale: ColourScale | None,
        marks: dict[str, Any],
        title: str | None,
        width: float,
        dpi: int,
    ) -> None:
        low, high = _bounds(network, motion)
        shape = panel.shape_of(low, high)
        beside = scale is not None and shape >= panel.FLAT
        groups = [panel.role_handles(marks, filled=scale is None)]
        if scale is not None and scale.missing:
            groups.append([panel.missing_handle()])
        with style():
            height = (width - 0.15 - 0.6 * beside) * shape + panel.ROW * panel.rows(groups, width) + 0.4
            height += 0.25 * (title is not None) + 0.4 * (scale is not None and not beside)
            self.figure = new_figure(width, height)
            self.figure.set_dpi(dpi)
            self.ax = panel.bare_axes(self.figure, 111, network.dimension)
            unit = panel.frame(self.ax, low, high, margin=6.0)
            sizes = Sizes.of(unit * spacing(network), network.dimension == 3)
            self.artists = NetworkArtists(
                self.ax, network, _filled(motion[0], network), sizes, scale=scale, roles=marks
            )
            if scale is not None:
                panel.colour_bar(self.ax, scale, on_top=not beside)
            panel.key_below(self.ax, groups, width)
            self.figure.suptitle(title or " ", fontsize=9)
            self.clock = self.figure.text(0.02, 0.99, "", va="top", fontsize=8)
        self.network = network
        self.moving = [*self.artists.artists, self.clock]
        self.still = network.dimension < 3  # in space the projection is made by a full drawing
        for artist in self.moving:
            artist.set_animated(self.still)
        settle(self.figure)
        self.figure.canvas.draw()
        self.figure.set_layout_engine("none")
        self.palette: Image.Image | None = None

    def frames(self, motion: np.ndarray, values: np.ndarray | None, clocks: list[str]) -> Iterator[Image.Image]:
        """The pictures, in colours of one palette."""
        canvas: Any = self.figure.canvas
        self.figure.canvas.draw()
        background = canvas.copy_from_bbox(self.figure.bbox)
        for index, clock in enumerate(clocks):
            self.artists.move(_filled(motion[index], self.network))
            if values is not None:
                self.artists.paint(values[index])
            self.clock.set_text(clock)
            if self.still:
                canvas.restore_region(background)
                for artist in sorted(self.moving, key=lambda a: a.get_zorder()):
                    self.figure.draw_artist(artist)
            else:
                canvas.draw()
            picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
            if self.palette is None:  # the first frame holds the colour bar, hence all colours
                self.palette = picture.quantize(256, method=Image.Quantize.MEDIANCUT)
            yield picture.quantize(palette=self.palette, dither=Image.Dither.NONE)


def _filled(positions: np.ndarray, network: Network) -> np.ndarray:
    """Positions with those at rest where they are missing in space, where matplotlib cannot leave them out."""
    return np.where(np.isfinite(positions), positions, network.positions) if network.dimension == 3 else positions


def _bounds(network: Network, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Extent of all frames; stubs and arcs are looked up in a few of them."""
    some = motion[np.unique(np.linspace(0, len(motion) - 1, 12).round().astype(int))]
    places = np.concatenate([embed(p) for p in (motion.min(axis=0), motion.max(axis=0))])
    return extent(places, *(bond_lines(network, p)[0] for p in some))


def _decimals(clock: np.ndarray) -> int:
    """Decimals that tell all times apart: viewers and writers of GIF merge equal frames."""
    steps = np.diff(np.unique(clock[np.isfinite(clock)]))
    return int(np.clip(np.ceil(-np.log10(steps.min())), 0, 12)) if len(steps) else 2
