"""Networks for the browser: what the scripts under ``web`` draw, as data, and the scripts themselves."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_hex

from sandbox.physics.network import Network
from sandbox.plot.checks import role_nodes
from sandbox.plot.geometry import embed, extent, fineness, spacing
from sandbox.plot.scales import WidthScale
from sandbox.plot.style import (
    CATEGORICAL,
    DIVERGING,
    EDGE,
    FAINT,
    INK,
    MISSING,
    NEGATIVE,
    PALE,
    SEQUENTIAL,
    role_styles,
)

DASHES = ("none", "7 3", "2 2", "8 2 2 2", "12 4", "5 2 2 2 2 2")
"""Dashes of curves, as SVG has them."""


def web(*names: str) -> str:
    """The text of scripts or sheets under ``sandbox/plot/web``, one after another."""
    folder = files("sandbox.plot") / "web"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def packed(values: npt.ArrayLike, kind: type[np.number] = np.float32) -> str:
    """Numbers as base64 of little-endian float32 (or of another type): what the scripts read."""
    array = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(array.tobytes()).decode()


def describe(
    network: Network,
    *,
    roles: Mapping[str, npt.ArrayLike] | None = None,
    moves: bool = False,
    shadow: bool = True,
    state_label: str = "state",
    signed: bool = False,
    stiffness_label: str = "stiffness",
    states: Iterable[np.ndarray] = (),
    stiffnesses: Iterable[np.ndarray] = (),
    positions: Iterable[np.ndarray] = (),
) -> dict[str, Any]:
    """A network for ``Sketch`` of ``web/sketch.js``, as data that JSON can say.

    Args:
        network: what to draw; a chain is laid along a horizontal line.
        roles: node indices or mask by role.
        moves: whether the state is positions.
        shadow: whether the rest shape is drawn under one that moved.
        state_label, stiffness_label: names of the colour bar and of the widths, with units.
        signed: colour the state about zero with a diverging map.
        states: arrays of node values that the colours must cover.
        stiffnesses: arrays of (E,) that the widths must cover.
        positions: arrays of (N, D) that the frame must hold.

    Raises:
        ValueError: if the roles do not fit the network.
    """
    nodes = role_nodes(roles, network)
    styles = role_styles(nodes)
    rest = embed(network.positions)
    shown = [rest, *(embed(np.asarray(p)) for p in positions)]
    low, high = extent(*shown)
    flat = high - low <= 1e-9 * max(float((high - low).max()), 1e-300)
    room = 0.05 * max(float((high - low).max()), 1e-9)
    low, high = np.where(flat, low - room, low), np.where(flat, high + room, high)
    shifts = embed(network.shifts) if network.shifts.any() else None
    rank = np.argsort(np.argsort(network.positions[:, 0], kind="stable"))
    over = network.dimension == 1 and network.n_edges > 0 and int(np.abs(np.diff(rank[network.edges])).max()) > 1
    strains = [s for p in shown[1:] if moves and (s := _largest_strain(network, p)) > 0]
    return {
        "dim": rest.shape[1],
        "rest": packed(rest),
        "ends": packed(network.edges, np.int32),
        "shifts": None if shifts is None else packed(shifts),
        "arcs": over,
        "box": [low.tolist(), high.tolist()],
        "spacing": spacing(network),
        "fine": fineness(network),
        "roles": [
            {"name": name, "colour": styles[name].colour, "marker": styles[name].marker, "nodes": nodes[name].tolist()}
            for name in nodes
        ],
        "moves": moves,
        "shadow": shadow,
        "label": f"network of {network.n_nodes} nodes and {network.n_edges} edges",
        "stateLabel": state_label,
        "stiffnessLabel": stiffness_label,
        "signed": signed,
        "state": _range(states, signed),
        "stiffness": sizes(stiffnesses),
        "strain": max(strains, default=0.0),
        "sequential": [to_hex(c) for c in SEQUENTIAL(np.linspace(0, 1, 256))],
        "diverging": [to_hex(c) for c in DIVERGING(np.linspace(0, 1, 256))],
        "palette": {
            "edge": EDGE,
            "faint": FAINT,
            "negative": NEGATIVE,
            "pale": PALE,
            "missing": MISSING,
            "ink": INK,
        },
    }


def sizes(stiffnesses: Iterable[np.ndarray]) -> list[float] | None:
    """Least size of the stiffnesses, the one from which lines are as wide as can be, and the largest; as on paper."""
    values = np.concatenate([np.zeros(0), *(np.ravel(s) for s in stiffnesses)])
    values = np.abs(values[np.isfinite(values)])
    if len(values) == 0:
        return None
    scale = WidthScale.over([values], 1.0)
    return [scale.least, scale.most, float(values.max())]


def frames(
    labels: Sequence[str],
    states: np.ndarray | None = None,
    positions: np.ndarray | None = None,
    stiffnesses: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Frames for ``playFilm`` of ``web/film.js``: states (T, N), positions (T, N, D), stiffnesses (T or 1, E)."""
    told: list[dict[str, Any]] = []
    for number, label in enumerate(labels):
        frame: dict[str, Any] = {"label": label}
        if states is not None:
            frame["state"] = packed(states[number])
        if positions is not None:
            frame["positions"] = packed(embed(positions[number]))
        if stiffnesses is not None and number < len(stiffnesses):
            frame["stiffness"] = packed(stiffnesses[number])
        told.append(frame)
    return told


def in_script(data: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def curves(
    x: npt.ArrayLike, series: Mapping[str, npt.ArrayLike], *, xlabel: str, ylabel: str, log: bool = False
) -> dict[str, Any]:
    """Curves for ``drawCurves`` of ``web/curves.js``, as data that JSON can say; colours and dashes as on paper."""
    return {
        "x": packed(x),
        "xlabel": xlabel,
        "ylabel": ylabel,
        "log": log,
        "series": [
            {
                "name": name,
                "values": packed(values),
                "colour": CATEGORICAL[place % len(CATEGORICAL)],
                "dash": DASHES[place % len(DASHES)],
            }
            for place, (name, values) in enumerate(series.items())
        ],
    }


def _largest_strain(network: Network, embedded: np.ndarray) -> float:
    lengths = network.lengths()
    now = network.lengths(embedded[:, : network.dimension])
    strain = np.abs(now[lengths > 0] / lengths[lengths > 0] - 1)
    return float(strain[np.isfinite(strain)].max(initial=0.0))


def _range(samples: Iterable[np.ndarray], signed: bool) -> list[float] | None:
    """Least and greatest finite value, symmetric about zero if signed; a band around one that is constant."""
    finite = [np.ravel(s)[np.isfinite(np.ravel(s))] for s in samples]
    values = np.concatenate(finite) if finite else np.zeros(0)
    if len(values) == 0:
        return None
    low, high = float(values.min()), float(values.max())
    if signed:
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        half = 0.1 * abs(high) or 1.0
        low, high = low - half, high + half
    return [low, high]
