"""Networks in motion, as a GIF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb, to_rgba_array
from PIL import Image

from sandbox.physics.network import Network
from sandbox.plot import keys, layout
from sandbox.plot.artists import NetworkArtists
from sandbox.plot.checks import array_of, role_nodes
from sandbox.plot.geometry import Sizes, bond_lines, embed, extent, spacing
from sandbox.plot.scales import ColourScale
from sandbox.plot.style import EDGE, INK, MISSING, role_styles, style


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
    decimals = _decimals(clock)
    heading = "" if title is None else f"{title}\n"
    clocks = [f"{heading}{time_label} = {t:.{decimals}f}" for t in clock]
    film = _Film(network, motion, scale, marks, clocks[0], width, dpi)
    frames = film.frames(motion, values, clocks)
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
        clock: str,
        width: float,
        dpi: int,
    ) -> None:
        bounds = _bounds(network, motion)
        groups = [keys.role_handles(marks, filled=scale is None)]
        if scale is not None and scale.missing:
            groups[0].append(keys.missing_handle())
        with style():
            self.figure, axes = layout.new_axes(width, network.dimension)
            self.figure.set_dpi(dpi)
            unit = layout.frame(axes[0], *bounds)
            sizes = Sizes.of(unit * spacing(network), network.dimension == 3)
            first = _filled(motion[0], network)
            self.artists = NetworkArtists(axes[0], network, first, sizes, scale=scale, roles=marks)
            if scale is not None:
                keys.colour_bar(axes[0], scale, on_top=layout.is_flat(*bounds))
            keys.key_below(axes[0], groups, width, centred=True)
            self.clock = axes[0].set_title(clock, loc="left")
            layout.arrange(self.figure, axes)
        self.network = network
        self.moving = [*self.artists.artists, self.clock]
        self.still = network.dimension < 3  # in space the projection is made by a full drawing
        for artist in self.moving:
            artist.set_animated(self.still)
        self.palette = _palette(scale, marks)

    def frames(self, motion: np.ndarray, values: np.ndarray | None, clocks: list[str]) -> Iterator[Image.Image]:
        """The pictures, in colours of one palette."""
        canvas: Any = self.figure.canvas
        canvas.draw()
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
            yield picture.quantize(palette=self.palette, dither=Image.Dither.NONE)


def _palette(scale: ColourScale | None, marks: dict[str, Any]) -> Image.Image:
    """The colours of all frames, as an image: white, greys, those of the scale and the roles, and their mixtures.

    One palette for the whole film keeps white white and what stands still still.
    """
    greys = np.repeat(np.linspace(1, to_rgb(INK)[0], 24)[:, None], 3, axis=1)
    roles = to_rgba_array([mark.colour for _, mark in marks.values()] or [EDGE])[:, :3]
    parts = [greys, roles, (1 + roles) / 2, to_rgba_array([MISSING, EDGE])[:, :3]]
    if scale is not None:
        colours = scale.mappable.get_cmap()(np.linspace(0, 1, 80))[:, :3]
        some = colours[::2]
        parts += [colours, (1 + some) / 2, (some + np.array(to_rgb(INK))) / 2]
    table = np.round(255 * np.concatenate(parts)).astype(np.uint8)[:256]
    image = Image.new("P", (1, 1))
    image.putpalette(table.tobytes())
    return image


def _filled(positions: np.ndarray, network: Network) -> np.ndarray:
    """Positions with those at rest where they are missing in space, where matplotlib cannot leave them out."""
    return np.where(np.isfinite(positions), positions, network.positions) if network.dimension == 3 else positions


def _bounds(network: Network, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Extent of all frames; stubs and arcs are looked up in a few of them."""
    some = motion[np.unique(np.linspace(0, len(motion) - 1, 12).round().astype(int))]
    corners = [np.fmin.reduce(motion, axis=0), np.fmax.reduce(motion, axis=0)]
    return extent(*(embed(p) for p in corners), *(bond_lines(network, p)[0] for p in some))


def _decimals(clock: np.ndarray) -> int:
    """Decimals that tell all times apart: viewers and writers of GIF merge equal frames."""
    steps = np.diff(np.unique(clock[np.isfinite(clock)]))
    return int(np.clip(np.ceil(-np.log10(steps.min())), 0, 12)) if len(steps) else 2
