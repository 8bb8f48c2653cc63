"""The text of the page. Whatever comes from a run is escaped: names and titles are other people's."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from sandbox.files import read_text
from sandbox.plot.sketch import curves, in_script, web
from sandbox.png import opened
from sandbox.results import PROVENANCE, SCENE, Run
from sandbox.units import label
from sandbox.viewing.film import Film, film

PIXELS = 1.6
"""Of a picture for each pixel of the page, so that letters are of one size everywhere."""


FEW = 20
"""Events that are seen at once; more are folded."""


def page(run: Run) -> str:
    """The page of a run."""
    moving = film(run)
    drawn = _curves(run)
    written = read_text(run.folder / SCENE)
    sections = [
        _section("Figures of merit", _table(run.figures)),
        _network(moving),
        _section("Curves", "".join(f'<div class="curve" id="curve-{i}"></div>' for i in range(len(drawn))))
        if drawn
        else "",
        _pictures(run.pictures),
        _events(run.events),
        _section("Scene", _fold(SCENE, f"<pre>{escape(written)}</pre>")),
        _section("Where the numbers come from", _provenance(json.loads(read_text(run.folder / PROVENANCE)))),
    ]
    scene = run.data.attrs.get("scene", run.folder.name)
    data = {"film": moving and {"net": moving.net, "frames": moving.frames}, "curves": drawn}
    folder = files("sandbox.viewing")
    return Template((folder / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(str(run.data.attrs.get("title") or scene)),
        scene=escape(str(scene)),
        description=escape(_paragraphs(str(tomllib.loads(written).get("description", "")))),
        seed=escape(str(run.data.attrs.get("seed", ""))),
        style=web("sketch.css") + (folder / "page.css").read_text(encoding="utf-8"),
        body="\n".join(filter(None, sections)),
        data=in_script(data),
        script=web("sketch.js", "film.js", "curves.js") + (folder / "page.js").read_text(encoding="utf-8"),
    )


def _paragraphs(text: str) -> str:
    """A text whose lines are as long as the page has them; empty lines stay."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def _curves(run: Run) -> list[dict[str, Any]]:
    data = run.data
    if "time" in data.dims:
        potential, kinetic = data["potential_energy"].to_numpy(), data["kinetic_energy"].to_numpy()
        energies = {"kinetic": kinetic, "potential": potential, "total": kinetic + potential}
        return [
            curves(
                data["time"].to_numpy(),
                energies,
                xlabel=label(data["time"]),
                ylabel=label(data["kinetic_energy"], "energy"),
            )
        ]
    if "epoch" not in data.dims:
        return []
    drawn = []
    for figure, log in (("loss", True), ("accuracy", False), ("strain_error", True)):
        series = {k: data[f"{k}_{figure}"].to_numpy() for k in ("train", "test") if f"{k}_{figure}" in data}
        if series:
            name = figure.replace("_", " ")
            drawn.append(
                curves(
                    data["epoch"].to_numpy(),
                    series,
                    xlabel="epoch",
                    ylabel=label(data[f"train_{figure}"], name) if f"train_{figure}" in data else name,
                    log=log,
                )
            )
    return drawn


def _network(moving: Film | None) -> str:
    if moving is None:
        return ""
    note = f'<p class="note">{escape(moving.note)}</p>' if moving.note else ""
    return _section("Network", f'<div id="network"></div>{note}')


def _pictures(paths: Iterable[Path]) -> str:
    shown = "".join(
        f"<figure>{_picture(path)}<figcaption>{escape(path.name)}</figcaption></figure>"
        for path in paths
        if path.suffix == ".png" and path.is_file()
    )
    return _section("Pictures", f'<div class="pictures">{shown}</div>') if shown else ""


def _picture(path: Path) -> str:
    with opened(path) as image:
        width = round(image.width / PIXELS)
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(path.stem)}" style="width:{width}px" src="data:image/png;base64,{data}">'


def _events(events: list[dict[str, Any]]) -> str:
    if not events:
        return ""
    names = list(dict.fromkeys(name for event in events for name, value in event.items() if value is not None))
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    cells = [["" if event.get(name) is None else _said(event[name]) for name in names] for event in events]
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return _section("Events", table if len(events) <= FEW else _fold(f"{len(events)} events", table))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _fold(title: Any, body: str) -> str:
    return f"<details><summary>{escape(str(title))}</summary>{body}</details>"


def _table(rows: Mapping[str, Any]) -> str:
    cells = "".join(f"<tr><th>{escape(str(k))}</th><td>{escape(_said(v))}</td></tr>" for k, v in rows.items())
    return f"<table>{cells}</table>"


def _provenance(found: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name} {_said(found[name])}" for name in ("sandbox", "python", "started") if name in found)
    return _fold(said or PROVENANCE, _tree(found))


def _tree(data: Any) -> str:
    """Nested data as nested tables."""
    if isinstance(data, Mapping):
        rows = "".join(f"<tr><th>{escape(str(k))}</th><td>{_tree(v)}</td></tr>" for k, v in data.items())
        return f"<table>{rows}</table>"
    if isinstance(data, list):
        if all(isinstance(v, Mapping) for v in data):
            return "<br>".join(escape(", ".join(f"{k} {_said(x)}" for k, x in v.items())) for v in data)
        return escape(", ".join(map(_said, data)))
    return escape(_said(data))


def _said(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
