"""Makes the pictures of scenes in docs/pictures: runs every scene, keeps what pages show, and writes docs/gallery.md.

    python docs/_tools/gallery.py                # all scenes
    python docs/_tools/gallery.py iris_flow      # some; the others keep their pictures and figures

Pictures and figures of the gallery are recorded in docs/pictures/gallery; the page is written from that record. The
one other picture in docs/pictures is the diagram of diagram.py.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent
FOLDER = DOCS / "pictures" / "gallery"
RECORD = FOLDER / "record.json"
PAGE = DOCS / "gallery.md"
WIDTH = 1000
"""Of a picture, in pixels."""
FILM = 380
"""Of a film: every second frame, smaller, so that the page stays light."""

FETCHED = ("mnist_hopfield", "mnist_hopfield_conv", "fashion_mnist_hopfield", "fashion_mnist_hopfield_conv")
"""Scenes whose task fetches its images from OpenML: their layers are drawn, and they are not run."""
ELSEWHERE = {
    "iris_network": ("iris_flow", "network.png"),
    "lattice_stretch": ("lattice_stretch", "deformation.png"),
    "allostery_deformation": ("allostery_elastic", "deformation.png"),
}
"""Pictures of the other pages: the scene, and which picture of its run."""
BEST = ("motion.gif", "deformation.png", "network.png", "stiffness.png")
"""The picture of a run that stands for its scene: the first of these that it left."""
NOT_RUN = " fetches its images first; it was not run for this page, and the picture shows its layers."
HEAD = """\
# Gallery of scenes

One picture of every scene that comes with the sandbox. Each was made by the command beside it, with the seed of the
scene; the figures are those of that run. `sandbox show NAME` prints the scene itself, and every key is in the
[scene reference](scene_reference.md).
"""


def picture_of(name: str) -> dict[str, Any]:
    """Runs a scene and keeps its picture; what the page says of it."""
    import sandbox

    experiment = sandbox.load(name)
    entry: dict[str, Any] = {
        "title": experiment.scene.title,
        "description": " ".join(experiment.scene.description.split()),
    }
    with tempfile.TemporaryDirectory() as scratch:
        if name in FETCHED:
            source = Path(scratch) / "layers.png"
            draw_layers(experiment.setup).savefig(source, dpi=200, format="png")
            return entry | {"command": f"sandbox run {name}", "figures": {}, "picture": keep(source, FOLDER / name)}
        run = experiment.run(Path(scratch) / "run")
        made = {path.name: path for path in run.pictures}
        source = next(made[best] for best in BEST if best in made)
        for other, (scene, picture) in ELSEWHERE.items():
            if scene == name:
                keep(made[picture], FOLDER.parent / other)
        figures = {key: value for key, value in run.figures.items() if key != "seconds"}
        return entry | {"command": f"sandbox run {name}", "figures": figures, "picture": keep(source, FOLDER / name)}


def keep(source: Path, target: Path) -> str:
    """A copy that is small enough for a page; the name of the file."""
    from PIL import Image, ImageSequence

    from sandbox.forms import png

    target = target.with_suffix(source.suffix)
    with Image.open(source) as image:
        if source.suffix == ".gif":
            palette = image.copy()  # its first frame
            frames = [_film_frame(frame, palette) for frame in list(ImageSequence.all_frames(image))[::2]]
            frames[0].save(target, save_all=True, append_images=frames[1:], duration=100, loop=0, optimize=True)
            return target.name
        small = image.convert("RGB")
        small.thumbnail((WIDTH, 2 * WIDTH), Image.Resampling.LANCZOS)
        target.write_bytes(png(small))
    return target.name


def _film_frame(frame: Any, palette: Any) -> Any:
    small = frame.convert("RGB")
    small.thumbnail((FILM, FILM))
    return small.quantize(palette=palette, dither=0)


def draw_layers(setup: Any) -> Any:
    """The layers of a layered network as boxes, with their sizes and what joins them."""
    import math

    from matplotlib.patches import Rectangle

    from sandbox.plot.style import CATEGORICAL, INK, PALE, new_figure, style

    layers = setup.scene.network.layers
    joins = setup.scene.system.connections or [None] * (len(layers) - 1)
    with style():
        figure = new_figure(5.0, 1.9)
        axes = figure.subplots()
        for place, layer in enumerate(layers):
            shape = [layer] if isinstance(layer, int) else list(layer)
            units = math.prod(shape)
            height = math.log10(units) / 4
            colour = CATEGORICAL[0] if place == 0 else CATEGORICAL[1] if place == len(layers) - 1 else PALE
            axes.add_patch(
                Rectangle((place - 0.12, -height / 2), 0.24, height, facecolor=colour, edgecolor=INK, lw=0.8)
            )
            role = "input" if place == 0 else "output" if place == len(layers) - 1 else f"layer {place + 1}"
            size = f"{units:,} units" if len(shape) == 1 else f"{' × '.join(map(str, shape))}\n= {units:,} units"
            axes.text(place, -0.58, f"{role}\n{size}", ha="center", va="top")
        for place, join in enumerate(joins):
            text = "dense"
            if join is not None and join.type == "conv":
                text = f"{join.kernel} × {join.kernel} kernels,\n{join.pooling} × {join.pooling} means"
            axes.annotate(
                "", (place + 0.84, 0), (place + 0.16, 0), arrowprops={"arrowstyle": "<->", "color": INK, "lw": 0.9}
            )
            axes.text(place + 0.5, 0.08, text, ha="center", va="bottom")
        axes.set(xlim=(-0.4, len(layers) - 0.6), ylim=(-0.95, 0.6))
        axes.set_axis_off()
    return figure


def page(record: dict[str, dict[str, Any]]) -> str:
    """The text of docs/gallery.md."""
    parts = [HEAD]
    for name, entry in sorted(record.items()):
        figures = ", ".join(f"{key} {_number(value)}" for key, value in entry["figures"].items())
        ran = f": {figures}." if figures else NOT_RUN
        parts.append(f"## {name}\n")
        parts.append(f"**{entry['title']}.** {entry['description']}".rstrip() + "\n")
        parts.append(f"![{entry['title']}](pictures/gallery/{entry['picture']})\n")
        parts.append(f"`{entry['command']}`{ran}\n")
    return "\n".join(parts)


def _number(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)


def main(names: list[str]) -> None:
    """Makes the pictures of these scenes, or of all, and the page."""
    from sandbox import scene

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or scene.names():
        entry = picture_of(name)
        print(name, entry["figures"], flush=True)
        record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
        record = {known: seen for known, seen in sorted((record | {name: entry}).items()) if known in scene.names()}
        RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        PAGE.write_text(page(record), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
