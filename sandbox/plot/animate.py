"""Networks over time, as a GIF, an MP4 or a page of HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb, to_rgba_array
from PIL import Image

from sandbox.physics.network import Network
from sandbox.plot import keys, layout, sketch
from sandbox.plot.artists import NetworkArtists
from sandbox.plot.checks import array_of, role_nodes
from sandbox.plot.films import Kind, kind_of, write_gif, write_mp4
from sandbox.plot.geometry import Sizes, bond_lines, embed, extent
from sandbox.plot.scales import ColourScale, WidthScale
from sandbox.plot.style import EDGE, INK, MISSING, plain, role_marks, style


def animate(
    network: Network,
    times: npt.ArrayLike,
    trajectory: npt.ArrayLike | None,
    path: str | Path,
    *,
    kind: Kind | None = None,
    colour: npt.ArrayLike | None = None,
    label: str = "",
    signed: bool = False,
    stiffness: npt.ArrayLike | None = None,
    stiffness_label: str = "stiffness",
    fps: float = 20,
    roles: Mapping[str, npt.ArrayLike] | None = None,
    time_label: str = "t",
    title: str | None = None,
    width: float = 3.6,
    dpi: int = 130,
) -> None:
    """Write a network over time, one frame per time.

    Args:
        network: the network.
        times: (T,), written on the frames.
        trajectory: positions of the nodes, (T, N, D); ``None`` if they stay where they are.
        path: file to write; overwritten if it exists.
        kind: ``"gif"``, which repeats for ever; ``"mp4"``, with the extra ``film``; ``"html"``, one page that plays by
            itself and tells values under the pointer. By default what the name of the file ends in, else GIF.
        colour: value of each node at each time, (T, N), say its speed; one colour scale for all frames.
        label: label of the colour bar, with the unit.
        signed: colour about zero with a diverging map.
        stiffness: of each edge at each time, (T, E), as line width; one scale for all frames.
        stiffness_label: label of the width legend, with the unit.
        fps: frames per second, rounded to what GIF can say (hundredths of a second a frame, at least two).
        roles: node indices or mask by role.
        time_label: name of the time on the frames.
        title: above the drawing.
        width: of the picture, in inches.
        dpi: pixels per inch.

    Raises:
        ValueError: if an array does not fit the network or the times, if there are no frames, or for an unknown kind.
        SandboxError: for an MP4 if imageio-ffmpeg is not installed.
    """
    clock = array_of("times", times, ("T",))
    shape = (len(clock), network.n_nodes, network.dimension)
    if len(clock) == 0:
        raise ValueError("times has shape (0,); expected at least one frame")
    if not fps > 0:
        raise ValueError(f"fps is {fps}; expected a positive number of frames per second")
    kind = kind_of(path, kind)
    if trajectory is None:
        motion = np.broadcast_to(network.positions, shape)
    else:
        motion = array_of("trajectory", trajectory, shape, "a position per time and node")
    values = None
    if colour is not None:
        values = array_of("colour", colour, shape[:2], "a value per time and node")
    widths = None
    if stiffness is not None:
        widths = array_of("stiffness", stiffness, (len(clock), network.n_edges), "a value per time and edge")
    nodes = role_nodes(roles, network)
    decimals = _decimals(clock)
    clocks = [f"{time_label} = {t:.{decimals}f}" for t in clock]
    if kind == "html":
        labels = {"state_label": label, "stiffness_label": stiffness_label, "signed": signed}
        moves = motion if trajectory is not None else None
        net = sketch.describe(
            network,
            roles=nodes,
            moves=moves is not None,
            shadow=moves is not None and values is None,
            states=() if values is None else (values,),
            stiffnesses=() if widths is None else (widths,),
            positions=() if moves is None else moves,
            **labels,
        )
        film = {"net": net, "frames": sketch.frames(clocks, values, moves, widths)}
        Path(path).write_text(_page(title or "", film), encoding="utf-8")
        return
    scale = None if values is None else ColourScale(values, label=label, signed=signed)
    heading = "" if title is None else f"{title}\n"
    look = _Look(scale, role_marks(nodes), widths, stiffness_label, width, dpi)
    film = _Film(network, motion, look, f"{heading}{clocks[0]}")
    frames = film.frames(motion, values, [heading + text for text in clocks])
    if kind == "mp4":
        write_mp4(frames, path, fps)
    else:
        write_gif(frames, path, fps, film.palette)


def _page(title: str, film: dict[str, Any]) -> str:
    """A page of HTML that plays a film and loads nothing."""
    return Template(sketch.web("film.html")).substitute(
        title=escape(title),
        style=sketch.web("sketch.css"),
        data=sketch.in_script(film),
        script=sketch.web("sketch.js", "film.js"),
    )


@dataclass(frozen=True)
class _Look:
    """What all frames share."""

    scale: ColourScale | None
    marks: dict[str, Any]
    stiffness: np.ndarray | None
    stiffness_label: str
    width: float
    dpi: int


class _Film:
    """The drawing, and its pictures at each time. What stands still is drawn once."""

    def __init__(self, network: Network, motion: np.ndarray, look: _Look, clock: str) -> None:
        bounds = _bounds(network, motion)
        scale, marks = look.scale, look.marks
        groups = [keys.role_handles(marks, filled=scale is None)]
        if scale is not None and scale.missing:
            groups[0].append(keys.missing_handle())
        with style():
            self.figure, axes = layout.new_axes(look.width, network.dimension)
            self.figure.set_dpi(look.dpi)
            unit = layout.frame(axes[0], *bounds)
            sizes = Sizes.suited(network, unit)
            first = _filled(motion[0], network)
            self.stiffness, self.widths = look.stiffness, None
            if look.stiffness is not None and network.n_edges:
                self.widths = WidthScale.over([look.stiffness], sizes.widest)
                groups.append(keys.width_handles(self.widths, look.stiffness_label))
            self.artists = NetworkArtists(axes[0], network, first, sizes, scale=scale, roles=marks)
            if scale is not None:
                keys.colour_bar(axes[0], scale, on_top=layout.is_flat(*bounds))
            keys.key_below(axes[0], groups, look.width, centred=True)
            self.clock = axes[0].set_title(plain(clock), loc="left")
            layout.arrange(self.figure, axes)
        self.network = network
        self.moving = [*self.artists.artists, self.clock]
        self.still = network.dimension < 3  # in space the projection is made by a full drawing
        for artist in self.moving:
            artist.set_animated(self.still)
        self.palette = _palette(scale, marks)

    def frames(self, motion: np.ndarray, values: np.ndarray | None, clocks: list[str]) -> Iterator[np.ndarray]:
        """The pictures, (height, width, 3) bytes each."""
        canvas: Any = self.figure.canvas
        canvas.draw()
        background = canvas.copy_from_bbox(self.figure.bbox)
        for index, clock in enumerate(clocks):
            if self.widths is not None and self.stiffness is not None:
                self.artists.widths = self.widths.widths(self.stiffness[index])
                self.artists.colours = self.widths.colours(self.stiffness[index])
            self.artists.move(_filled(motion[index], self.network))
            if values is not None:
                self.artists.paint(values[index])
            self.clock.set_text(plain(clock))
            if self.still:
                canvas.restore_region(background)
                for artist in sorted(self.moving, key=lambda a: a.get_zorder()):
                    self.figure.draw_artist(artist)
            else:
                canvas.draw()
            yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


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
