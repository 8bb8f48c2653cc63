"""Parts: what plugins add. Each is a pydantic model whose fields are its settings in a scene.

The fields' names, types and descriptions are the scene's keys, their validation and their documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sandbox.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sandbox.bench import Bench
    from sandbox.physics.network import Network
    from sandbox.physics.system import System
    from sandbox.task import Task


@dataclass(frozen=True)
class Trial:
    """What the conformance kit (:mod:`sandbox.testing`) tries a part with.

    Attributes:
        settings: the part's keys, as in a scene; those with defaults may be left out.
        network: for a system: the table ``[network]`` of a scene.
        inputs, outputs: for a system: node indices, pairs of them, or a group's name; by default a few nodes, or pairs
            of nodes for a system that moves.
        span: for a system: lowest and highest input; of pairs in a system that moves, the strain.
        rest: for a task: what the terminals read when nothing is imposed.
        steps: for a controller: how many steps it takes to lower a loss.
        skip: why the part cannot be tried, if so.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=lambda: {"type": "jittered_grid", "side": 5})
    inputs: str | Sequence[Any] | None = None
    outputs: str | Sequence[Any] | None = None
    span: tuple[float, float] | None = None
    rest: float = 0.0
    steps: int = 40
    skip: str = ""


class Part(Settings):
    """Base of everything a scene can name by ``type``. Unknown keys are refused; so are numbers that are not
    finite, but for fields with ``Field(allow_inf_nan=True)``.
    """

    trial: ClassVar[Trial] = Trial()


class Graph(Part):
    """A way to make a network."""

    def build(self, rng: np.random.Generator) -> Network:
        """Make the network; every random draw comes from ``rng``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Looks:
    """How a system wants to be shown: names and units of what is drawn."""

    state: str = "state"
    stiffness: str = "stiffness"
    moves: bool = False  # whether the state is positions, so that it is drawn as a deformation


class SystemPart(Part):
    """A kind of physical system, put on a network.

    Attributes:
        looks: how it wants to be shown.
        edge_columns: columns of a network's edges (:attr:`~sandbox.physics.network.Network.edge_values`) that the part
            takes, and the part's key that each stands for; :func:`sandbox.spread.column` reads them. Of others, and
            of columns of the nodes, a scene's reader is told that they are not used.
    """

    looks: ClassVar[Looks] = Looks()
    edge_columns: ClassVar[Mapping[str, str]] = {}

    def build(self, network: Network, rng: np.random.Generator) -> System:
        """Make the system; every random draw comes from ``rng``."""
        raise NotImplementedError

    def portrait(self, system: System, before: np.ndarray, after: np.ndarray) -> Figure | None:
        """A figure of stiffnesses before and after learning, (P,) each, for systems that a drawing of nodes and edges
        does not suit; ``None`` for the others.
        """
        return None

    def stiffness_unit(self) -> Mapping[str, float] | None:
        """What a stiffness is, as powers of "length", "energy", "time" and "state", for the units of what is recorded;
        ``None``: a quantity of its own.
        """
        return None

    def inertia(self) -> tuple[float, float] | None:
        """Mass of every node and friction rate, for dynamics; ``None`` for a system without."""
        return None


class Controller(Part):
    """What adjusts the stiffnesses, through a port of the bench.

    Attributes:
        port: ``"bench"``, or ``"white box"`` for controllers that are not agnostic and say so here.
    """

    port: ClassVar[Literal["bench", "white box"]] = "bench"

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        """One learning step on one sample, (inputs,) and (outputs,), or on a batch of them, (B, ...)."""
        raise NotImplementedError

    def saved(self, bench: Bench) -> dict[str, Any]:
        """What a checkpoint keeps of the notes, as plain data: numbers, texts, lists, dicts, arrays.

        All of the notes by default. A controller that keeps something else there, an object of a library say, returns
        here what :meth:`restore` can make it from. The state of ``bench.rng`` is saved besides.
        """
        return dict(bench.notes)

    def restore(self, bench: Bench, saved: dict[str, Any]) -> None:
        """Put what :meth:`saved` returned back on the bench, whose ``rng`` is where it was already."""
        bench.notes.update(saved)


@dataclass(frozen=True)
class Site:
    """What a task may know of the place where it is set.

    Attributes:
        rest_inputs: (inputs,) readings of the input terminals when nothing is imposed; empty if the task chooses them.
        rest_outputs: (outputs,) likewise.
        rng: for splits and shuffles.
    """

    rest_inputs: np.ndarray
    rest_outputs: np.ndarray
    rng: np.random.Generator = field(repr=False)


class TaskPart(Part):
    """What is asked of the terminals."""

    def shape(self) -> tuple[int, int]:
        """How many inputs and outputs the task needs."""
        raise NotImplementedError

    def build(self, site: Site) -> Task:
        """Encode the task on the terminals."""
        raise NotImplementedError
