"""Controls with numbers, and the network at rest under them; knows nothing of widgets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sandbox.apparatus import Apparatus
from sandbox.errors import SandboxError
from sandbox.parts import Looks
from sandbox.physics.material import Material
from sandbox.physics.system import System
from sandbox.plot.sketch import describe
from sandbox.task import Task
from sandbox.units import STIFFNESS, Powers, force_on, labelled, measured, squared, state_of

MOST_INPUTS = 12
"""Sliders of inputs; the others stay as the sample has them."""

MOST_EDGES = 5_000
"""That a browser draws at once while a slider moves; of larger networks the nodes are drawn."""

AROUND = 0.25
"""Of an input or output that is a position: half the range of its slider, in mean lengths of an edge."""


@dataclass
class Control:
    """A number that can be turned.

    Attributes:
        group: what it belongs to: ``"input"``, ``"target"``, ``"nudging"``, ``"sample"`` or ``"load"``.
        whole: whether it takes whole numbers only.
    """

    name: str
    group: str
    low: float
    high: float
    value: float
    whole: bool = False


@dataclass(frozen=True)
class Frame:
    """What is drawn of a moment: state (N,), positions (N, D), stiffness (E,); ``None`` for what is not."""

    state: np.ndarray | None
    positions: np.ndarray | None
    stiffness: np.ndarray | None


class Play(Protocol):
    """Something to work by hand.

    Attributes:
        controls: numbers to turn; turning one may change others.
        actions: what can be done besides, by name.
        net: the network, for the sketch.
    """

    controls: list[Control]
    actions: Mapping[str, Callable[[], object]]
    net: dict[str, Any]

    def turn(self, number: int, value: float) -> None:
        """Turn a control."""

    def look(self) -> tuple[Frame, dict[str, str]]:
        """Relax; returns what is seen and the figures to tell.

        Raises:
            SandboxError: if there is no rest under these controls.
        """
        ...


class BenchPlay:
    """A bench: inputs, targets, nudging; the phases of a step.

    Args:
        apparatus: what is worked, as it stands: its meter counts.
        task: gives samples to begin with.
        looks: names of what is drawn.
        roles: nodes by role.
        unit: names the unit of a quantity; none by default.
        inputs, targets: ranges of the sliders.
        beta: the strongest nudging.
    """

    def __init__(
        self,
        apparatus: Apparatus,
        task: Task | None = None,
        looks: Looks | None = None,
        roles: Mapping[str, np.ndarray] | None = None,
        unit: Callable[[Powers], str] = lambda _: "",
        *,
        inputs: tuple[float, float] | None = None,
        targets: tuple[float, float] | None = None,
        beta: float = 1.0,
    ) -> None:
        self.apparatus, self._task = apparatus, task
        self._began = apparatus.stiffness.copy(), apparatus.knobs.copy()
        system = apparatus.system
        looks = looks or looks_of(system)
        self._moves, self._unit = looks.moves, unit
        self._read = apparatus.outputs.quantity(self._moves)
        self._inputs, self._targets = self._beginning()
        self._beta = 0.0
        self.controls = self._make_controls(inputs, targets, abs(beta))
        self.actions: Mapping[str, Callable[[], object]] = {
            "hold": apparatus.hold,
            "release": apparatus.release,
            "start again": self._start_again,
        }
        first = self._frame_of(self._rest())
        self.net = net_of(
            system,
            roles or {"input": apparatus.inputs.all_nodes, "output": apparatus.outputs.all_nodes},
            looks,
            unit,
            first,
        )

    def turn(self, number: int, value: float) -> None:
        control = self.controls[number]
        control.value = value
        if control.group == "nudging":
            self._beta = value
        elif control.group == "sample":
            assert self._task is not None
            self._inputs = self._task.inputs[int(value)].astype(float)
            self._targets = self._task.targets[int(value)].astype(float)
            for other, place in self._places.items():
                given = self._inputs if self.controls[other].group == "input" else self._targets
                self.controls[other].value = float(given[place])
        else:
            given = self._inputs if control.group == "input" else self._targets
            given[self._places[number]] = value
        self._impose()

    def look(self) -> tuple[Frame, dict[str, str]]:
        began = time.perf_counter()
        rest = self._rest()
        took = time.perf_counter() - began
        read = self.apparatus.read()[0]
        figures = {
            "output": measured(_numbers(read), self._unit(self._read)),
            "loss": measured(
                f"{0.5 * float(((read - self._targets) ** 2).sum()):.4g}", self._unit(squared(self._read))
            ),
            "relaxed in": f"{1e3 * took:.1f} ms",
            "relaxations": str(self.apparatus.meter.relaxations),
        }
        return self._frame_of(rest), figures

    def _rest(self) -> np.ndarray:
        return self.apparatus.settle().state[0]

    def _frame_of(self, state: np.ndarray) -> Frame:
        return frame_of(self.apparatus.system, state, self.apparatus.stiffness, self._moves)

    def _impose(self) -> None:
        self.apparatus.clamp(self._inputs)
        self.apparatus.nudge(self._targets, self._beta)

    def _beginning(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets: of the first training sample; or what is imposed now, and what is read under it."""
        apparatus, task = self.apparatus, self._task
        if task is not None:
            first = int(task.train[0]) if len(task.train) else 0
            inputs, targets = task.inputs[first].astype(float), task.targets[first].astype(float)
            apparatus.clamp(inputs)
            return inputs, targets
        inputs, targets, beta = apparatus.imposed
        at_rest = apparatus.rest_readings()[0]
        inputs = inputs if inputs.any() or apparatus.inputs.kind == "force" else at_rest.copy()
        apparatus.clamp(inputs)
        apparatus.nudge(None, 0.0)
        return inputs, targets if beta else apparatus.read()[0].copy()

    def _make_controls(
        self, inputs: tuple[float, float] | None, targets: tuple[float, float] | None, beta: float
    ) -> list[Control]:
        task, controls = self._task, []
        self._places: dict[int, int] = {}
        """Which terminal a control is of, by its number."""
        if task is not None and len(task.inputs) > 1:
            first = int(task.train[0]) if len(task.train) else 0
            controls.append(Control("sample", "sample", 0, len(task.inputs) - 1, first, whole=True))
        fixed = np.zeros(len(self._inputs), dtype=bool) if task is None else task.constant
        names: tuple[str, ...] = task.input_names if task is not None else ()
        imposed, read = self._unit(self.apparatus.inputs.quantity(self._moves)), self._unit(self._read)
        for place in map(int, np.flatnonzero(~fixed)[:MOST_INPUTS]):
            span = inputs or self._span(float(self._inputs[place]), task and task.inputs[:, place])
            self._places[len(controls)] = place
            name = names[place] if place < len(names) else f"input {place}"
            controls.append(Control(labelled(name, imposed), "input", *span, value=float(self._inputs[place])))
        for place in range(len(self._targets)):
            span = targets or self._span(float(self._targets[place]), task and task.targets[:, place])
            self._places[len(controls)] = place
            name = labelled(f"target {place}", read)
            controls.append(Control(name, "target", *span, value=float(self._targets[place])))
        spring = force_on(squared(self._read))
        controls.append(Control(labelled("nudging", self._unit(spring)), "nudging", -beta, beta, 0.0))
        for control in controls:  # what is there can be shown, whatever range was asked for
            control.low, control.high = min(control.low, control.value), max(control.high, control.value)
        return controls

    def _span(self, now: float, seen: np.ndarray | None) -> tuple[float, float]:
        """Least and greatest value of a slider: of the samples seen, or around what is there."""
        if seen is not None and np.ptp(seen) > 0:
            return float(seen.min()), float(seen.max())
        network = self.apparatus.system.network
        half = AROUND * float(network.lengths().mean()) if self._moves and network.n_edges else max(1.0, abs(now))
        return now - half, now + half

    def _start_again(self) -> None:
        """Stiffnesses and knobs as they were at the beginning."""
        stiffness, knobs = self._began
        self.apparatus.write_stiffness(stiffness)
        self.apparatus.knobs = knobs.copy()
        self._impose()


def moves(system: System) -> bool:
    """Whether the state of a system is positions."""
    return isinstance(system, Material) and system.law.variable == "r"


def looks_of(system: System) -> Looks:
    """Names of what is drawn, where no scene gives them."""
    return Looks("state", system.law.stiffness if isinstance(system, Material) else "stiffness", moves(system))


def net_of(
    system: System, roles: Mapping[str, np.ndarray], looks: Looks, unit: Callable[[Powers], str], first: Frame
) -> dict[str, Any]:
    """The network for the sketch; without its edges where there are too many."""
    network = system.network
    if network.n_edges > MOST_EDGES:
        network = network.keep_edges(np.zeros(0, dtype=int))
    return describe(
        network,
        roles=roles,
        moves=looks.moves,
        state_label=labelled(looks.state, unit(state_of(looks.moves))),
        stiffness_label=labelled(looks.stiffness, unit(STIFFNESS)),
        states=[] if first.state is None else [first.state],
        stiffnesses=[] if first.stiffness is None else [first.stiffness],
        positions=[] if first.positions is None else [first.positions],
    )


def frame_of(system: System, state: np.ndarray, stiffness: np.ndarray, moving: bool) -> Frame:
    """What is drawn of a state (N, D)."""
    edges = system.network.n_edges
    widths = stiffness if len(stiffness) == edges and edges <= MOST_EDGES else None
    if moving:
        return Frame(None, state, widths)
    return Frame(state[:, 0] if state.shape[1] == 1 else np.linalg.norm(state, axis=1), None, widths)


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{v:.4g}" for v in values[:MOST_INPUTS]) + (", ..." if len(values) > MOST_INPUTS else "")


def advice(error: SandboxError) -> str:
    """What to tell of an error while a slider moves: its first sentence or two."""
    text = str(error)
    return text if len(text) <= 300 else text[:297] + "..."
