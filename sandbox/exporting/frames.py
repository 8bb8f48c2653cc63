"""What is written of a run: the network, and what was recorded of its nodes and edges, one moment at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sandbox.errors import RunError
from sandbox.physics.network import Network

if TYPE_CHECKING:
    import xarray as xr

    from sandbox.build import Setup

ENDS = {"state_before": 0, "state_after": -1}
"""Variables of a learning run that belong to its first and last evaluation."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A network at one moment.

    Attributes:
        network: its reference positions (N, D), edges (E, 2) and groups.
        positions: where the nodes are, (N, D): the reference positions, unless the state is positions.
        nodes: values by name, (N,) or (N, components).
        edges: values by name, (E,).
        roles: nodes by role: input, output, clamped.
        label: what moment it is, in a word.
        time: of a run in time, in its units.
    """

    network: Network
    positions: np.ndarray
    nodes: Mapping[str, np.ndarray] = field(default_factory=dict)
    edges: Mapping[str, np.ndarray] = field(default_factory=dict)
    roles: Mapping[str, np.ndarray] = field(default_factory=dict)
    label: str = ""
    time: float | None = None

    def __post_init__(self) -> None:
        for kind, values, count in (
            ("node", self.nodes, self.network.n_nodes),
            ("edge", self.edges, self.network.n_edges),
        ):
            for name, array in values.items():
                if not name.strip() or not name.isprintable() or set(name) & set(':"<>&'):
                    raise RunError(f'{name!r} cannot be a name of values in a file: rename it, without : " < > &')
                if array.ndim not in (1, 2) or len(array) != count:
                    raise RunError(f"{name} has shape {array.shape}; a value for each of {count} {kind}s is needed")
                if array.dtype.kind not in "biuf":
                    raise RunError(f"{name} is of type {array.dtype}; real numbers are needed")
        if self.positions.shape != self.network.positions.shape:
            raise RunError(f"positions have shape {self.positions.shape}; expected {self.network.positions.shape}")

    def role_of_nodes(self) -> list[str]:
        """The role of every node; empty for those without, roles joined by commas for those with several."""
        names: list[list[str]] = [[] for _ in range(self.network.n_nodes)]
        for role, nodes in self.roles.items():
            for node in nodes:
                names[node].append(role)
        return [",".join(of_node) for of_node in names]


class Recording:
    """The frames of a run: two, untrained and trained, of one that learned; one that relaxed; every time of a motion.

    Raises:
        RunError: if the folder is not a complete run, or its scene no longer makes the network that was recorded.
        SceneError: if the scene cannot be read, for example for want of a plugin.
    """

    def __init__(self, folder: Path) -> None:
        from sandbox import scene
        from sandbox.build import Setup
        from sandbox.results import SCENE, open_run

        self.data = open_run(folder)
        setup = Setup(scene.read(folder / SCENE))
        self.network = _network(setup, self.data, folder)
        self.roles = _roles(setup)
        self.moves = setup.scene.system.looks.moves
        if "time" in self.data.dims:
            self.labels = [f"time {t:g}" for t in self.data["time"].to_numpy()]
        else:
            self.labels = ["relaxed"] if "state" in self.data else ["untrained", "trained"]

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Frame]:
        return (self.frame(number) for number in range(len(self)))

    def frame(self, number: int) -> Frame:
        """One frame; negative numbers count from the end.

        Raises:
            RunError: if there is no such frame.
        """
        count = len(self)
        if not -count <= number < count:
            raise RunError(f"there is no frame {number}; this run has {count}: 0 to {count - 1}, or -1 for the last")
        number %= count
        nodes: dict[str, np.ndarray] = {}
        edges: dict[str, np.ndarray] = {}
        for name, array in self._at(number):
            if array.dims[:1] == ("node",):
                nodes[name] = array.to_numpy()
            elif array.dims == ("edge",):
                edges[name] = array.to_numpy()
        positions = self.network.positions
        if self.moves:
            positions = nodes.pop("position" if "position" in nodes else "state", positions)
        nodes = {name: v[:, 0] if v.ndim == 2 and v.shape[1] == 1 else v for name, v in nodes.items()}
        time = float(self.data["time"][number]) if "time" in self.data.dims else None
        return Frame(self.network, positions, nodes, edges, self.roles, self.labels[number], time)

    def _at(self, number: int) -> Iterator[tuple[str, xr.DataArray]]:
        """Variables of one frame, without the dimension over which frames differ."""
        last = number == len(self) - 1
        for key, variable in self.data.data_vars.items():
            name = str(key)
            if name in ("reference", "ends"):
                continue
            if name in ENDS:
                if (ENDS[name] == -1) == last:
                    yield "state", variable
            elif "time" in variable.dims:
                yield name, variable.isel(time=number)
            elif variable.dims[:1] in (("epoch",), ("end",)):
                yield name, variable[-1 if last else 0]
            else:
                yield name, variable


def _network(setup: Setup, data: xr.Dataset, folder: Path) -> Network:
    """The network as recorded, with the groups and the periodic box that the scene gives it."""
    # The system's network, not the scene's: a system may list edges the other way round, and flows are signed by it.
    network, positions, ends = setup.system.network, data["reference"].to_numpy(), data["ends"].to_numpy()
    same = positions.shape == network.positions.shape and ends.shape == network.edges.shape
    # Another machine's arithmetic may move the nodes of a packing by some roundings.
    if not same or not np.allclose(positions, network.positions, rtol=1e-6, atol=1e-9):
        raise RunError(
            f"{folder}: its scene makes another network than was recorded; a file that it reads has changed, or "
            "another version of the sandbox or of a plugin made the run (see provenance.json)"
        )
    if not np.array_equal(np.sort(ends, axis=1), np.sort(network.edges, axis=1)):
        raise RunError(f"{folder}: its scene makes other edges than were recorded; see provenance.json for versions")
    # Values of a file that the network came from are not what the run recorded.
    return replace(network, positions=positions, groups=setup.network.groups, edge_values={}, node_values={})


def _roles(setup: Setup) -> dict[str, np.ndarray]:
    """Nodes by role, from the scene alone: no task is fetched and nothing is relaxed for it."""
    if setup.scene.training is not None:
        inputs, outputs = setup.terminals
        return {"input": np.unique(inputs.all_nodes), "output": np.unique(outputs.all_nodes)}
    return {"clamped": np.flatnonzero(setup.boundary.clamped.any(axis=1))}


def refuse_taken(values: Iterable[str], own: Iterable[str], form: str) -> None:
    """See that no values go by a name that a format has for something of its own, and none twice.

    Raises:
        RunError: naming them.
    """
    taken = set(own)
    for name in values:
        if name in taken:
            raise RunError(f"values cannot be called {name!r} in {form}, where the name is taken; rename them")
        taken.add(name)


def columns(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """One column of numbers for each value and component: a vector ``v`` becomes ``v_x``, ``v_y`` and so on."""
    found: dict[str, np.ndarray] = {}
    for name, given in values.items():
        array = np.asarray(given)
        if array.ndim == 1:
            found[name] = array
        else:
            axes = "xyz" if array.shape[1] <= 3 else [str(i) for i in range(array.shape[1])]
            found |= {f"{name}_{axis}": column for axis, column in zip(axes, array.T, strict=False)}
    return found


def in_space(vectors: np.ndarray) -> np.ndarray:
    """(N, 3) of (N, D) vectors, D = 1, 2 or 3, with zeros for the directions that are not there."""
    return np.pad(np.asarray(vectors, dtype=float), ((0, 0), (0, 3 - vectors.shape[1])))
