"""The network of a run over epochs or time, for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox import scene
from sandbox.build import Setup
from sandbox.errors import SandboxError
from sandbox.exporting.frames import Recording
from sandbox.physics.network import Network
from sandbox.plot.geometry import embed
from sandbox.plot.sketch import describe, packed
from sandbox.results import SCENE, Run

MOST_FRAMES = 80
MOST_NUMBERS = 2_000_000
"""In all frames of a film: some ten megabytes of page."""

AGREEMENT = 1e-6
"""Between the last state that was recorded and the one computed again, relative to the largest: else none is shown."""


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


@dataclass
class _Shots:
    """Arrays of the frames: of states (T, N) or positions (T, N, D), and of stiffnesses (T or 1, E); or none."""

    labels: list[str]
    state: np.ndarray | None = None
    positions: np.ndarray | None = None
    stiffness: np.ndarray | None = None
    note: str = ""


def film(run: Run) -> Film | None:
    """The film of a run; ``None`` if there are no edges to draw, as in layered networks.

    Stiffnesses and motions are as recorded. Of a run that learned, states between the first and the last epoch are
    computed again from the recorded stiffnesses, under the first training sample; if the scene cannot be built here, or
    gives another last state, they are left out.
    """
    data = run.data
    if data.sizes.get("edge", 0) == 0:
        return None
    network = Network(data["reference"].to_numpy(), data["ends"].to_numpy())
    roles, setup, note = {}, None, ""
    try:
        recording = Recording(run.folder)
        network, roles, moves = recording.network, recording.roles, recording.moves
        setup = Setup(scene.read(run.folder / SCENE))
        roles = setup.roles  # tells constant inputs from others, for which the task is needed
    except SandboxError as error:
        moves = "position" in data or "strain" in data
        note = f"Roles of nodes are not shown: the scene cannot be built here ({error})"
    shots = (
        _learned(run, setup, moves)
        if "epoch" in data.dims
        else _moved(run)
        if "time" in data.dims
        else _rest(run, moves)
    )
    if shots is None:
        return None
    if moves and shots.positions is None and shots.state is not None:
        shots.state = None
    return _film(network, roles, moves, run, shots, " ".join(filter(None, (note, shots.note))))


def _film(network: Network, roles: dict[str, np.ndarray], moves: bool, run: Run, shots: _Shots, note: str) -> Film:
    name = "state" if "state" in run.data else "state_after"
    label = str(run.data[name].attrs.get("long_name", "state")).split(",")[0] if name in run.data else "speed"
    net = describe(
        network,
        roles=roles,
        moves=moves,
        shadow=moves and shots.state is None,
        state_label=label if not moves else "speed",
        stiffness_label=str(run.data["stiffness"].attrs.get("long_name", "stiffness"))
        if "stiffness" in run.data
        else "",
        states=[] if shots.state is None else [shots.state],
        stiffnesses=[] if shots.stiffness is None else [shots.stiffness],
        positions=[] if shots.positions is None else shots.positions,
    )
    frames: list[dict[str, Any]] = []
    for number, text in enumerate(shots.labels):
        frame: dict[str, Any] = {"label": text}
        if shots.state is not None:
            frame["state"] = packed(shots.state[number])
        if shots.positions is not None:
            frame["positions"] = packed(embed(shots.positions[number]))
        if shots.stiffness is not None and number < len(shots.stiffness):
            frame["stiffness"] = packed(shots.stiffness[number])
        frames.append(frame)
    return Film(net, frames, note)


def _some(count: int, each: int) -> np.ndarray:
    """Which of so many frames, of so many numbers each, are shown: even steps, the first and the last."""
    most = int(np.clip(MOST_NUMBERS // max(each, 1), 2, MOST_FRAMES))
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _learned(run: Run, setup: Setup | None, moves: bool) -> _Shots | None:
    data = run.data
    if data["stiffness"].dims[-1] != "edge":
        return None
    kept = data["stiffness"].to_numpy()
    epochs = data["epoch"].to_numpy()
    when = epochs if len(kept) == len(epochs) else epochs[[0, -1]][-len(kept) :]
    ends = data["state_before"].to_numpy(), data["state_after"].to_numpy()
    chosen = _some(len(kept), kept.shape[1] + ends[0].size)
    shots = _Shots([f"epoch {when[i]}" for i in chosen], stiffness=kept[chosen])
    states, shots.note = _states(setup, kept[chosen], ends)
    if states is not None and moves:
        shots.positions = states
    elif states is not None and states.shape[2] == 1:
        shots.state = states[:, :, 0]
    return shots


def _states(
    setup: Setup | None, stiffnesses: np.ndarray, ends: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray | None, str]:
    """(T, N, D) under the first training sample, at these stiffnesses; and what to say of them."""
    if setup is None:
        return None, ""
    first, last = ends
    found = [first]
    try:
        apparatus, task = setup.apparatus, setup.task
        apparatus.clamp(task.inputs[task.train[:1]])
        for stiffness in stiffnesses[1:]:
            start = found[-1][None]
            rest = apparatus.system.relax(apparatus.boundary, stiffness, start=start, tolerance=apparatus.tolerance)
            found.append(rest.state[0])
    except SandboxError as error:
        return None, f"States are not shown: they could not be computed again ({error})."
    if not np.abs(found[-1] - last).max() <= AGREEMENT * np.abs(last).max():
        return None, "States are not shown: computed again, they are not those of the run."
    return np.array(found), "The state is the one under the first training sample."


def _moved(run: Run) -> _Shots:
    data = run.data
    motion, velocity = data["position"].to_numpy(), data["velocity"].to_numpy()
    chosen = _some(len(motion), motion[0].size * 2)
    labels = [f"time {t:g}" for t in data["time"].to_numpy()[chosen]]
    return _Shots(labels, state=np.linalg.norm(velocity[chosen], axis=-1), positions=motion[chosen])


def _rest(run: Run, moves: bool) -> _Shots:
    state, stiffness = run.data["state"].to_numpy(), run.data["stiffness"].to_numpy()
    shots = _Shots(["at rest"], stiffness=stiffness[None])
    if moves:
        shots.positions = state[None]
    elif state.shape[1] == 1:
        shots.state = state[None, :, 0]
    return shots
