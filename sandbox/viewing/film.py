"""The network of a run over epochs or time, for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.exporting.shots import shots
from sandbox.plot.sketch import describe, frames
from sandbox.results import Run

MOST_FRAMES = 80


@dataclass(frozen=True)
class Film:
    """What the page shows of the network.

    Attributes:
        net: the network, see :func:`sandbox.plot.sketch.describe`.
        frames: label, state, positions and stiffness of each, packed; absent ones are as in the frame before.
        note: what a reader should know of it.
    """

    net: dict[str, Any]
    frames: list[dict[str, Any]]
    note: str = ""


def film(run: Run) -> Film | None:
    """The film of a run, see :func:`sandbox.exporting.shots.shots`; ``None`` if there is nothing to draw."""
    found = shots(run, MOST_FRAMES)
    if found is None:
        return None
    net = describe(
        found.network,
        roles=found.roles,
        moves=found.moves,
        shadow=found.moves and found.state is None,
        state_label=found.state_label,
        stiffness_label=found.stiffness_label,
        states=[] if found.state is None else [found.state],
        stiffnesses=[] if found.stiffness is None else [found.stiffness],
        positions=[] if found.positions is None else found.positions,
    )
    return Film(net, frames(found.labels, found.state, found.positions, found.stiffness), found.note)
