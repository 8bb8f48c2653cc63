"""How the objects of the sandbox look in a notebook: a small picture and the figures that matter, no array."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from functools import singledispatch
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sandbox.apparatus import Apparatus
from sandbox.errors import RunError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.trajectory import Trajectory
from sandbox.png import opened
from sandbox.results import Run

WIDTH, DPI = 2.6, 110
"""Of the pictures: inches, and pixels per inch."""

ROUNDED = 4
"""Channels of a stored picture are multiples of this: none is off by more than 2 in 255, and it is a third smaller."""

MOST_EDGES = 5_000
"""Edges beyond which a picture shows a part of them, so that a form is there at once."""

GROUPS = 6
"""Names of groups that are written out."""


@singledispatch
def form(thing: object) -> str | None:
    """The HTML form of an object; ``None`` where its ``repr`` is to do."""
    return None


@form.register
def _network(network: Network) -> str:
    return _card("Network", _network_rows(network), _picture(network))


@form.register
def _material(material: Material) -> str:
    law = material.law
    rows = {
        "energy of an edge": law.expression,
        "state": "positions" if law.variable == "r" else "one value per node",
        law.stiffness: f"{_range(material.stiffness)}, allowed {_range(np.concatenate(material.bounds))}",
    }
    if material.linearized:
        rows["geometry"] = "linearized"
    if material.node_law is not None:
        rows["energy of a node"] = material.node_law.expression
    if material.box is not None:
        rows["state held within"] = f"{_number(material.box[0])} to {_number(material.box[1])}"
    picture = _picture(material.network, stiffness=material.stiffness, stiffness_label=law.stiffness)
    return _card("Material", rows | _network_rows(material.network), picture)


@form.register
def _equilibrium(rest: Equilibrium) -> str:
    ends = {s: int((rest.status == s).sum()) for s in Status}
    said = ", ".join(f"{count} {s.name.lower().replace('_', ' ')}" for s, count in ends.items() if count)
    rows = {
        "samples": said,
        "energy": _range(rest.energy),
        "worst residual": _number(_largest(rest.residual)),
        "iterations": f"{int(rest.iterations.max())} at most",
        "method": rest.method,
    }
    softest = rest.softest()
    if softest is not None:
        rows[softest[0]] = _number(softest[1])
    if not rest.converged.all():
        rows["advice"] = rest.advice(int(np.argmin(rest.converged)) if rest.fault is None else rest.fault.sample)
    if rest.origin is None:
        return _card("Equilibrium", rows, "")
    material, boundary = rest.origin
    return _card("Equilibrium", rows, _state_picture(material, rest, boundary))


@form.register
def _trajectory(path: Trajectory) -> str:
    batch, nodes, dimension = path.final.positions.shape
    rows = {
        "recorded times": f"{len(path.steps)}, to t = {_number(path.times[-1])}" if len(path.steps) else "0",
        "samples": str(batch),
        "nodes": f"{nodes} in {dimension}D",
        "recorded": ", ".join(path.recorded) or "nothing",
    }
    picture = ""
    if "energy" in path.recorded and len(path.steps) > 1:
        from sandbox.plot import draw_curves

        total = path.energy[:, 0]
        rows["energy at the end"] = _number(total[-1])
        curves = {"kinetic": path.kinetic[:, 0], "potential": path.potential[:, 0], "total": total}
        figure = draw_curves(path.times, curves, xlabel="time", ylabel="energy", width=WIDTH)
        picture = _image(figure, "energies over time", "sample 0" if batch > 1 else "")
    return _card("Trajectory", rows, picture)


@form.register
def _apparatus(apparatus: Apparatus) -> str:
    system, meter = apparatus.system, apparatus.meter
    compliance = np.asarray(apparatus.compliance)
    rows = {
        "inputs": _terminals(apparatus.inputs.kind, len(apparatus.inputs)),
        "outputs": _terminals(apparatus.outputs.kind, len(apparatus.outputs)),
        "stiffnesses": f"{len(apparatus.stiffness)}, {_range(apparatus.stiffness)}",
        "compliance": f"{_range(compliance)}, {apparatus.coupling} coupling",
        "homeostat": apparatus.homeostat,
        "relaxations so far": f"{meter.relaxations}, {_number(meter.seconds)} s",
    }
    if meter.unstable:
        rows["unstable phases"] = str(meter.unstable)
    if meter.at_bounds:
        rows["stiffnesses at bounds"] = str(meter.at_bounds)
    stiff = apparatus.stiffness if len(apparatus.stiffness) == system.network.n_edges else None
    roles = {"input": apparatus.inputs.all_nodes, "output": apparatus.outputs.all_nodes}
    return _card("Bench", rows, _picture(system.network, stiffness=stiff, roles=roles))


@form.register
def _run(run: Run) -> str:
    rows = {name: _number(value) if isinstance(value, float) else str(value) for name, value in run.figures.items()}
    if run.events:
        rows["events"] = f"{len(run.events)}; see .events"
    rows["folder"] = str(run.folder)
    return _card(f"Run of {run.data.attrs.get('scene', run.folder.name)}", rows, _thumbnail(run))


def _network_rows(network: Network) -> dict[str, str]:
    rows = {
        "nodes": f"{network.n_nodes} in {network.dimension}D",
        "edges": f"{network.n_edges}, {_number(network.coordination)} per node (z = 2E/N)",
        "boundary": "free" if network.cell is None else "periodic",
    }
    pieces = int(network.components().max()) + 1
    if pieces > 1:
        rows["pieces"] = f"{pieces}, not connected"
    if network.groups:
        named = [f"{name} ({len(nodes)})" for name, nodes in list(network.groups.items())[:GROUPS]]
        rows["groups"] = ", ".join(named) + (", ..." if len(network.groups) > GROUPS else "")
    return rows


def _terminals(kind: str, count: int) -> str:
    what = {"value": "node value", "force": "force on a node", "pair": "pair of nodes"}[kind]
    return f"{count} ({what})"


def _largest(values: np.ndarray) -> float:
    return float(np.nanmax(values)) if not np.isnan(values).all() else math.nan


def _range(values: np.ndarray) -> str:
    """A value, or the least and the greatest."""
    values = np.ravel(values)
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return "none"
    low, high = float(values.min()), float(values.max())
    return _number(low) if low == high else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    return f"{value:.4g}"


# Pictures.


class _Part:
    """What a picture shows of a network: all of it, or its middle where it is large, with node arrays cut to that."""

    def __init__(self, network: Network) -> None:
        self.whole = network.n_edges <= MOST_EDGES
        share = min(1.0, MOST_EDGES / max(network.n_edges, 1))
        middle = (network.positions.min(axis=0) + network.positions.max(axis=0)) / 2
        far = np.abs(network.positions - middle).max(axis=1)
        self.nodes = np.sort(np.argsort(far, kind="stable")[: math.ceil(share * network.n_nodes)])
        inside = np.zeros(network.n_nodes, dtype=bool)
        inside[self.nodes] = True
        self.edges = inside[network.edges].all(axis=1)
        self.network = network if self.whole else network.keep_nodes(inside)
        self.number = np.cumsum(inside) - 1
        self.inside = inside

    def roles(self, roles: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: self.number[nodes[self.inside[nodes]]] for name, nodes in roles.items()}

    def caption(self, more: str = "") -> str:
        return ", ".join(filter(None, (more, "" if self.whole else "the middle of it")))


def _picture(
    network: Network,
    *,
    state: np.ndarray | None = None,
    stiffness: np.ndarray | None = None,
    roles: Mapping[str, np.ndarray] | None = None,
    caption: str = "",
    **looks: Any,
) -> str:
    from sandbox.plot import draw_network

    part = _Part(network)
    figure = draw_network(
        part.network,
        state=None if state is None else state[part.nodes],
        stiffness=None if stiffness is None else stiffness[part.edges],
        roles=part.roles(roles or {}),
        width=WIDTH,
        **looks,
    )
    return _image(figure, f"network of {network.n_nodes} nodes and {network.n_edges} edges", part.caption(caption))


def _state_picture(material: Material, rest: Equilibrium, boundary: Boundary) -> str:
    """Sample 0: a deformation if the state is positions, values of nodes as colour if not."""
    from sandbox.plot import draw_deformation

    network, state, roles = material.network, rest.state[0], _roles(boundary)
    caption = f"sample 0 of {len(rest.status)}" if len(rest.status) > 1 else ""
    if material.law.variable == "d":
        looks: dict[str, Any] = {"state_label": "value", "stiffness_label": material.law.stiffness}
        value = state[:, 0]
        return _picture(network, state=value, stiffness=rest.stiffness, roles=roles, caption=caption, **looks)
    part = _Part(network)
    moved = state[part.nodes]
    strain = part.network.strains(moved)
    figure = draw_deformation(part.network, moved, strain=strain, roles=part.roles(roles), width=WIDTH)
    return _image(figure, f"deformation of {network.n_nodes} nodes", part.caption(caption))


def _roles(boundary: Boundary) -> dict[str, np.ndarray]:
    """Nodes by what is done to them."""
    sprung = np.flatnonzero(boundary.spring_stiffness.any(axis=1))
    return {
        "clamped": np.flatnonzero(boundary.clamped.any(axis=1)),
        "pushed": np.flatnonzero(boundary.forces[0].any(axis=1)),
        "nudged": np.union1d(sprung, boundary.pairs[boundary.pair_stiffness != 0].ravel()).astype(int),
    }


def _thumbnail(run: Run) -> str:
    """The most telling picture of a run, made small."""
    order = ("network", "deformation", "stiffness", "learning", "energy")
    found = {path.stem: path for path in run.pictures if path.suffix == ".png" and path.is_file()}
    chosen = next((found[name] for name in order if name in found), None)
    try:
        return "" if chosen is None else thumbnail(chosen)
    except RunError:  # the figures are worth showing without it
        return ""


def thumbnail(path: Path, width: int = 420) -> str:
    """A figure element with a PNG file made small."""
    with opened(path) as image:
        small = image.convert("RGB")
    small.thumbnail((width, width))
    return _figure(small, path.stem, small.width)


def _image(figure: Any, said: str, caption: str = "") -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * DPI)  # twice the pixels, for screens that have them
    with Image.open(buffer) as image:
        return _figure(image.convert("RGB"), said, round(float(figure.get_figwidth()) * DPI), caption)


def _figure(image: Image.Image, said: str, width: int, caption: str = "") -> str:
    data = base64.b64encode(png(image)).decode()
    below = f'<figcaption style="opacity:.7;text-align:center">{escape(caption)}</figcaption>' if caption else ""
    return (
        f'<figure style="margin:0"><img alt="{escape(said)}" src="data:image/png;base64,{data}" '
        f'style="width:{width}px;max-width:100%;background:white;border-radius:3px">{below}</figure>'
    )


def png(image: Image.Image) -> bytes:
    """A picture as a PNG file of fewer bytes. A palette would do with fewer still, and put colour bars in steps."""
    nearest = [min(255, (value + ROUNDED // 2) // ROUNDED * ROUNDED) for value in range(256)]
    buffer = io.BytesIO()
    image.convert("RGB").point(3 * nearest).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _card(title: str, rows: Mapping[str, str], picture: str) -> str:
    cell = "padding:1px 12px 1px 0;text-align:left;vertical-align:top"
    body = "".join(
        f'<tr style="background:none"><th style="{cell};font-weight:normal;opacity:.7;white-space:nowrap">'
        f'{escape(name)}</th><td style="{cell};overflow-wrap:anywhere">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return (
        '<div class="sandbox-form" style="display:flex;gap:18px;align-items:flex-start;flex-wrap:wrap">'
        f'{picture}<div style="max-width:36em"><strong>{escape(title)}</strong>'
        f'<table style="border:none;margin:4px 0 0">{body}</table></div></div>'
    )
