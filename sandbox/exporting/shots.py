"""The network of a run over epochs or time: what films show of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox import scene
from sandbox.build import Setup
from sandbox.errors import SandboxError
from sandbox.exporting.frames import Recording
from sandbox.physics.network import Network
from sandbox.results import SCENE, Run
from sandbox.units import label

MOST_NUMBERS = 2_000_000
"""In all frames of a film: some ten megabytes of page."""

AGREEMENT = 1e-6
"""Between the last state that was recorded and the one computed again, relative to the largest: else none is shown."""


@dataclass
class Shots:
    """Arrays of the frames of a film: of states (T, N) or positions (T, N, D), and of stiffnesses (T or 1, E); or none.

    Attributes:
        labels: of each frame.
        times: epochs, or times, or zero.
        note: what a reader should know of it.
        state_label, stiffness_label: what is shown, with units.
    """

    labels: list[str]
    times: np.ndarray
    state: np.ndarray | None = None
    positions: np.ndarray | None = None
    stiffness: np.ndarray | None = None
    note: str = ""
    network: Network = field(init=False)
    roles: dict[str, np.ndarray] = field(init=False)
    moves: bool = False
    state_label: str = "speed"
    stiffness_label: str = ""


def shots(run: Run, most: int) -> Shots | None:
    """So many frames of a run at most; ``None`` if there are no edges to draw, as in layered networks.

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
    found = (
        _learned(run, setup, moves, most)
        if "epoch" in data.dims
        else _moved(run, most)
        if "time" in data.dims
        else _rest(run, moves)
    )
    if found is None:
        return None
    if moves and found.positions is None and found.state is not None:
        found.state = None
    found.network, found.roles, found.moves = network, roles, moves
    found.note = " ".join(filter(None, (note, found.note)))
    name = next((n for n in ("state", "state_after") if n in data), None)
    if not moves and name is not None:
        found.state_label = label(data[name], short=True)
    elif moves and "velocity" in data:
        found.state_label = label(data["velocity"], "speed")
    if "stiffness" in data:
        found.stiffness_label = label(data["stiffness"])
    return found


def _some(count: int, each: int, most: int) -> np.ndarray:
    """Which of so many frames, of so many numbers each, are shown: even steps, the first and the last."""
    most = int(np.clip(MOST_NUMBERS // max(each, 1), 2, most))
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _learned(run: Run, setup: Setup | None, moves: bool, most: int) -> Shots | None:
    data = run.data
    if data["stiffness"].dims[-1] != "edge":
        return None
    kept = data["stiffness"].to_numpy()
    epochs = data["epoch"].to_numpy()
    when = epochs if len(kept) == len(epochs) else epochs[[0, -1]][-len(kept) :]
    ends = data["state_before"].to_numpy(), data["state_after"].to_numpy()
    chosen = _some(len(kept), kept.shape[1] + ends[0].size, most)
    shots = Shots([f"epoch {when[i]}" for i in chosen], when[chosen], stiffness=kept[chosen])
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


def _moved(run: Run, most: int) -> Shots:
    data = run.data
    motion, velocity = data["position"].to_numpy(), data["velocity"].to_numpy()
    chosen = _some(len(motion), motion[0].size * 2, most)
    times = data["time"].to_numpy()[chosen]
    return Shots(
        [f"time {t:g}" for t in times], times, state=np.linalg.norm(velocity[chosen], axis=-1), positions=motion[chosen]
    )


def _rest(run: Run, moves: bool) -> Shots:
    state, stiffness = run.data["state"].to_numpy(), run.data["stiffness"].to_numpy()
    shots = Shots(["at rest"], np.zeros(1), stiffness=stiffness[None])
    if moves:
        shots.positions = state[None]
    elif state.shape[1] == 1:
        shots.state = state[None, :, 0]
    return shots
