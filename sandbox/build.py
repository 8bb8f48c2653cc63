"""From a scene to the things it names: network, system, boundary, apparatus, task."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench, WhiteBox
from sandbox.blame import fault_of_plugin
from sandbox.errors import PluginError, PluginFault, SandboxError, SceneError
from sandbox.events import Events
from sandbox.input_files import Search
from sandbox.parts import Part, Site, SystemPart, TaskPart
from sandbox.physics import groups
from sandbox.physics.boundary import Boundary
from sandbox.physics.network import Network
from sandbox.physics.system import System, stiffness_groups
from sandbox.scene import Group, Nodes, Scene
from sandbox.seeds import stream
from sandbox.spread import draw
from sandbox.suggestions import listed
from sandbox.task import Task
from sandbox.terminals import Terminals
from sandbox.units import Powers, unit


@dataclass(frozen=True, eq=False)
class Setup:
    """Everything a scene builds, made on first use; each draws from its own random stream of the scene's seed.

    Attributes:
        strict: whether an event (see :mod:`sandbox.events`) is an error.
    """

    scene: Scene
    strict: bool = False

    @cached_property
    def inputs(self) -> Search:
        """The files that parts of the scene asked for."""
        return Search(self.scene.places)

    @cached_property
    def network(self) -> Network:
        with _at("network"), self.inputs.serving():
            network = self.scene.network.build(stream(self.scene.seed, "network"))
            _expect(network, Network, self.scene.network)
        with _at("groups"):
            return network.with_groups(**{name: select(network, name, g) for name, g in self.scene.groups.items()})

    @cached_property
    def system(self) -> System:
        network, seed = self.network, self.scene.seed
        _tell_unused(network, self.scene.system)
        with _at("system"), self.inputs.serving():
            system = self.scene.system.build(network, stream(seed, "system"))
            _expect(system, System, self.scene.system)
        with _at("bench.imperfections"):
            return self.scene.bench.imperfections.disguise(system, stream(seed, "disguise"))

    @cached_property
    def boundary(self) -> Boundary:
        """The scene's clamps and pushes, a batch of one."""
        return self.loaded(np.ones(len(self.scene.clamp) + len(self.scene.push)))

    def loaded(self, shares: np.ndarray) -> Boundary:
        """The boundary with every clamp's displacement or value, and then every push's force, times a number each."""
        system = self.system
        boundary = Boundary.free(system.network.n_nodes, system.components)
        rest = system.rest_state()
        for number, clamp in enumerate(self.scene.clamp):
            with _at(f"clamp[{number}]"):
                nodes = self.nodes(clamp.nodes)
                which = list(range(system.components)) if clamp.components is None else clamp.components
                if any(not 0 <= c < system.components for c in which):
                    raise SandboxError(f"components {which}: the state has components 0 to {system.components - 1}")
                values = rest[nodes][:, which]
                if clamp.displacement is not None:
                    values = values + shares[number] * _components(clamp.displacement, len(which), "displacement")
                elif clamp.value is not None:
                    given = shares[number] * _components(clamp.value, len(which), "value")
                    values = np.broadcast_to(given, values.shape)
                if (shares == 1).all():  # loads that are turned by hand may cross
                    _agree(boundary, nodes, which, values)
                boundary = boundary.clamp(nodes, values, which)
        for number, push in enumerate(self.scene.push):
            with _at(f"push[{number}]"):
                nodes = self.nodes(push.nodes)
                share = shares[len(self.scene.clamp) + number]
                force = share * _components(push.force, system.components, "force")
                boundary = boundary.push(nodes, np.broadcast_to(force, (len(nodes), system.components)))
                boundary.check_held()
        return boundary

    @cached_property
    def terminals(self) -> tuple[Terminals, Terminals]:
        """Inputs and outputs of a learning scene."""
        places, part = self.scene.terminals, self.scene.task
        assert places is not None
        assert part is not None
        n_inputs, n_outputs = part.shape()
        if places.pick == "boundary pairs":
            with _at("terminals"):
                source, target = groups.boundary_pairs(self.network, seed=_seed(self.scene.seed))
            inputs, outputs = Terminals.across([source]), Terminals.across([target])
        elif places.pick == "random":
            n_nodes = self.network.n_nodes
            if n_inputs + n_outputs > n_nodes:
                raise SceneError(
                    f"terminals: the task needs {n_inputs} inputs and {n_outputs} outputs, and the network has "
                    f"{n_nodes} nodes; give it more nodes"
                )
            chosen = stream(self.scene.seed, "terminals").permutation(n_nodes)[: n_inputs + n_outputs]
            inputs, outputs = Terminals.at(chosen[:n_inputs]), Terminals.at(chosen[n_inputs:])
        else:
            inputs, outputs = self._places(places.inputs, "inputs"), self._places(places.outputs, "outputs")
        if places.input_kind == "force" and inputs.kind == "value":
            inputs = Terminals.pushing(inputs.nodes, places.component)
        for terminals, wanted, name in ((inputs, n_inputs, "inputs"), (outputs, n_outputs, "outputs")):
            if len(terminals) != wanted:
                raise SceneError(f"terminals.{name}: the task needs {wanted}, there are {len(terminals)}")
        if inputs.kind == outputs.kind == "value":
            both = np.intersect1d(inputs.nodes, outputs.nodes)
            if len(both):
                raise SceneError(
                    f"terminals.outputs: node {int(both[0])} is an input too, held at what is imposed there"
                )
        return inputs, outputs

    def _places(self, given: object, name: str) -> Terminals:
        assert self.scene.terminals is not None
        with _at(f"terminals.{name}"):
            if isinstance(given, list) and given and isinstance(given[0], tuple):
                return Terminals.across(given)
            return Terminals.at(self.nodes(given), self.scene.terminals.component)  # type: ignore[arg-type]

    @cached_property
    def apparatus(self) -> Apparatus:
        settings = self.scene.bench
        inputs, outputs = self.terminals
        with _at("bench.compliance"):
            compliance = self._compliance()
        with _at("terminals"):
            return Apparatus(
                self.system,
                inputs,
                outputs,
                surroundings=self.boundary,
                compliance=compliance,
                coupling=settings.coupling,
                homeostat=settings.homeostat,
                tolerance=settings.tolerance,
                fresh=settings.fresh,
                imperfections=settings.imperfections,
                rng=stream(self.scene.seed, "imperfections"),
                events=Events(self.strict),
            )

    def _compliance(self) -> np.ndarray:
        """(P,) of every stiffness."""
        given, count = self.scene.bench.compliance, len(self.system.stiffness)
        if not isinstance(given, dict):
            return draw(given, count, stream(self.scene.seed, "compliance"))
        known = stiffness_groups(self.system)
        if set(given) != set(known):
            names = ", ".join(repr(name) for name in known) or "none; give a number"
            raise SandboxError(
                f"names the groups {sorted(given)}; the stiffnesses of this system have the groups: {names}"
            )
        compliance = np.empty(count)
        for name, value in given.items():
            compliance[known[name]] = value
        return compliance

    @cached_property
    def bench(self) -> Bench:
        """The port that the scene's controller asks for."""
        assert self.scene.controller is not None
        port = WhiteBox if self.scene.controller.port == "white box" else Bench
        return port(self.apparatus, stream(self.scene.seed, "controller"))

    @cached_property
    def task(self) -> Task:
        part: TaskPart | None = self.scene.task
        assert part is not None
        rest_inputs, rest_outputs = self.apparatus.rest_readings()
        with _at("task"), self.inputs.serving():
            task = part.build(Site(rest_inputs, rest_outputs, stream(self.scene.seed, "task")))
            _expect(task, Task, part)
            task.check(len(rest_inputs), len(rest_outputs))
            return task

    @cached_property
    def roles(self) -> dict[str, np.ndarray]:
        """Nodes by role, for pictures."""
        if self.scene.training is None:
            clamped, values = self.boundary.clamped, self.boundary.values[0]
            away = (clamped & (values != self.system.rest_state())).any(axis=1)
            pushed = np.flatnonzero(self.boundary.forces[0].any(axis=1))
            names = ("held", "moved") if self.scene.system.looks.moves else ("ground", "imposed")
            still = np.flatnonzero(clamped.any(axis=1) & ~away)
            return {names[0]: still, names[1]: np.flatnonzero(away), "pushed": pushed}
        inputs, outputs = self.terminals
        constant = self.task.constant if inputs.kind != "pair" else np.zeros(len(inputs), dtype=bool)
        roles = {"input": np.unique(inputs.nodes[~constant]), "output": outputs.all_nodes}
        if constant.any():
            roles["constant"] = inputs.nodes[constant]
        return roles

    def nodes(self, given: Nodes) -> np.ndarray:
        """Node indices of a group's name or a list."""
        if isinstance(given, str):
            nodes = self.network.nodes(given)
            if len(nodes) == 0:
                raise SandboxError(f"the group {given!r} has no nodes in this network")
            return nodes
        nodes = np.asarray(given, dtype=int)
        if nodes.size and (nodes.min() < 0 or nodes.max() >= self.network.n_nodes):
            raise SandboxError(
                f"there is no node {_first_outside(nodes, self.network.n_nodes)}; nodes run from 0 to "
                f"{self.network.n_nodes - 1}"
            )
        return nodes

    def unit(self, quantity: Powers) -> str:
        """The unit of a quantity, as the scene and its system name it."""
        system = self.scene.system
        return unit(quantity, self.scene.units, system.looks.state, system.stiffness_unit())

    def check(self) -> None:
        """Build everything, so that a mistake shows before anything is written."""
        _ = self.system, self.boundary
        if self.scene.training is not None:
            _ = self.bench, self.task
        if self.scene.dynamics is not None:
            for number, strike in enumerate(self.scene.dynamics.strike):
                with _at(f"dynamics.strike[{number}]"):
                    nodes = self.nodes(strike.nodes)
                    velocity = _components(strike.velocity, self.system.components, "velocity")
                    held = np.argwhere(self.boundary.clamped[nodes] & (velocity != 0))
                    if len(held):
                        raise SandboxError(
                            f"component {held[0, 1]} of node {nodes[held[0, 0]]} is held, so it can have no initial "
                            "velocity; strike nodes that are free, or clamp other components"
                        )
            for number, shake in enumerate(self.scene.dynamics.shake):
                with _at(f"dynamics.shake[{number}]"):
                    self.nodes(shake.nodes)
                    if shake.direction is not None:
                        _components(shake.direction, self.system.components, "direction")


def select(network: Network, name: str, group: Group) -> np.ndarray:
    """Nodes of a group described in a scene."""
    with _at(f"groups.{name}"):
        if group.nodes is not None:
            return np.asarray(group.nodes, dtype=int)
        if group.side is not None:
            return groups.side(network, group.side)
        if group.center is not None:
            assert group.radius is not None
            return groups.inside_ball(network, group.center, group.radius)
        assert group.lower is not None
        assert group.upper is not None
        return groups.inside_box(network, group.lower, group.upper)


def _expect(made: object, kind: type, part: Part) -> None:
    """See that a part, which a plugin may have brought, made what it is for."""
    if not isinstance(made, kind):
        raise PluginError(
            f"{type(part).__name__}.build gave a {type(made).__name__}; it must give a sandbox {kind.__name__}, which "
            "is for the plugin's author to mend"
        )


def _tell_unused(network: Network, part: SystemPart) -> None:
    """Warn of values that came with a network, say from a file, and that its system makes nothing of."""
    unused = {
        "edges": [name for name in network.edge_values if name not in part.edge_columns],
        "nodes": list(network.node_values),
    }
    said = " and ".join(f"its {kind}: {listed(names)}" for kind, names in unused.items() if names)
    if said:
        warnings.warn(
            f"the network has values that {type(part).__name__} does not use, of {said}; it takes, of edges: "
            f"{listed(part.edge_columns)}",
            UserWarning,
            stacklevel=3,
        )


def _first_outside(nodes: np.ndarray, count: int) -> int:
    return int(nodes[(nodes < 0) | (nodes >= count)][0])


def _components(given: float | list[float], count: int, what: str) -> np.ndarray:
    array = np.asarray(given, dtype=float)
    if array.ndim and array.shape != (count,):
        raise SandboxError(f"{what} has {array.size} numbers; {count} components take {count}")
    return np.broadcast_to(array, (count,))


def _agree(boundary: Boundary, nodes: np.ndarray, components: list[int], values: np.ndarray) -> None:
    """See that no component is held elsewhere by an earlier clamp."""
    where = np.ix_(nodes, np.asarray(components))
    off = np.argwhere(boundary.clamped[where] & ~np.isclose(boundary.values[0][where], values, rtol=1e-12, atol=0.0))
    if len(off):
        node, component = int(nodes[off[0, 0]]), components[off[0, 1]]
        raise SandboxError(
            f"component {component} of node {node} is held at {boundary.values[0, node, component]:.6g} by an earlier "
            f"clamp, and at {values[tuple(off[0])]:.6g} by this one; leave the node out of one of them"
        )


def _seed(seed: int) -> int:
    return int(stream(seed, "terminals").integers(2**31))


class _at:  # noqa: N801 (reads as a word where it is used)
    """Put the scene key in front of an error that comes from building what it describes."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SandboxError) and not isinstance(error, (SceneError, PluginFault)):
            raise SceneError(f"{self.key}: {error}") from error
        fault = fault_of_plugin(error) if error is not None else None
        if fault is not None:
            raise PluginFault(f"{self.key}: {fault}") from error
