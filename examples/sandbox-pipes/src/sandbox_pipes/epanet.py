"""Networks of pipes from EPANET's ``.inp`` files, read by ``wntr``, as they are at the start of a simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

import sandbox
from sandbox.errors import NetworkError
from sandbox.parts import Graph, Trial
from sandbox.physics.graphs.files import MAX_BYTES
from sandbox.suggestions import listed
from sandbox_pipes.pipe_network import PipeNetwork
from sandbox_pipes.tank_limits import shut_at_limits

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel


LEVEL_TOLERANCE = 0.0005 * 0.3048
"""Distance, in m, from its highest or lowest level within which a tank is full or empty: EPANET's, 0.0005 ft."""

SECTIONS = {"node": ("[JUNCTIONS]", "[TANKS]", "[RESERVOIRS]"), "link": ("[PIPES]", "[PUMPS]", "[VALVES]")}


class Epanet(Graph):
    """The pipes of an EPANET file, at the start of its simulation.

    Groups: ``junctions``, ``tanks``, ``reservoirs``; ``fixed``, the last two together; and each node's own name.
    """

    trial: ClassVar[Trial] = Trial(skip="reads a file")
    path: str = Field(description="the .inp file, beside the scene, in the working directory, or below one of them")

    def build(self, rng: np.random.Generator) -> PipeNetwork:
        return read_epanet(sandbox.input_file(self.path))


def read_epanet(path: Path) -> PipeNetwork:
    """The pipes of an EPANET file.

    Raises:
        NetworkError: if the file cannot be read, or has in it what is no pipe of Hazen and Williams: pumps, valves,
            check valves, minor losses, emitters, controls, other formulas; each by its name. Also for a name that is
            given twice, of which wntr takes the last.

    Warns:
        UserWarning: naming pipes that are shut because a tank is full or empty.
    """
    from wntr.network import WaterNetworkModel  # takes seconds

    if not path.is_file():
        raise NetworkError(f"{path} is not a file; check the path")
    if path.stat().st_size > MAX_BYTES:
        raise NetworkError(f"{path} is larger than {MAX_BYTES // 2**20} MiB; leave out what is not [PIPES] and nodes")
    try:
        model = WaterNetworkModel(str(path))
    except Exception as error:  # of many kinds, also KeyError and AttributeError for sections that do not fit
        raise NetworkError(f"{path} is not an EPANET file that wntr can read: {error}") from error
    try:
        _refuse_twice(path.read_text(encoding="utf-8", errors="replace"))
        _refuse(model)
        return _network(model)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error


def _refuse_twice(text: str) -> None:
    """Refuse nodes, or links, of one name, as EPANET does."""
    section, seen = "", set()
    for line in text.splitlines():
        fields = line.split(";", 1)[0].split()
        if fields and fields[0].startswith("["):
            section = next((kind for kind, names in SECTIONS.items() if fields[0].upper() in names), "")
        elif fields and section:
            if (section, fields[0]) in seen:
                raise NetworkError(f"the {section} {fields[0]} is there twice; rename or remove one")
            seen.add((section, fields[0]))


def _refuse(model: WaterNetworkModel) -> None:
    """What has another law than a pipe's, or acts in time."""
    formula = model.options.hydraulic.headloss
    if formula != "H-W":
        raise NetworkError(f"the head losses are {formula}; only H-W is treated (Hazen-Williams, in [OPTIONS])")
    if str(model.options.hydraulic.hydraulics).upper() == "USE":
        raise NetworkError("heads and flows are to come from a file (HYDRAULICS USE in [OPTIONS]); remove the line")
    if model.options.hydraulic.demand_model not in ("DDA", "DD"):
        raise NetworkError("demands depend on pressure; only demands that are given are treated (DEMAND MODEL DDA)")
    pipes = [pipe for _, pipe in model.pipes()]
    for what, names in (
        ("pumps", model.pump_name_list),
        ("valves", model.valve_name_list),
        ("controls or rules", model.control_name_list),
        ("pipes with check valves", [p.name for p in pipes if p.check_valve]),
        ("pipes with minor losses", [p.name for p in pipes if p.minor_loss]),
        ("junctions with emitters", [j.name for _, j in model.junctions() if j.emitter_coefficient]),
    ):
        if names:
            raise NetworkError(f"there are {what}: {listed(names)}; only open and closed pipes are treated")


def _network(model: WaterNetworkModel) -> PipeNetwork:
    start = model.options.time.pattern_start
    names = [*model.junction_name_list, *model.tank_name_list, *model.reservoir_name_list]
    number = {name: i for i, name in enumerate(names)}
    # EPANET leaves a pipe closed at the start out of the flow.
    pipes = [pipe for _, pipe in model.pipes() if pipe.initial_status.name.lower() != "closed"]
    if not names or not pipes:
        raise NetworkError("there are no open pipes in it")
    demand, head, limit = np.zeros(len(names)), np.full(len(names), np.nan), np.zeros(len(names))
    factor = model.options.hydraulic.demand_multiplier
    for name, junction in model.junctions():
        demand[number[name]] = junction.demand_timeseries_list.at(start, multiplier=factor)
    for name, tank in model.tanks():
        head[number[name]] = tank.elevation + tank.init_level
        if tank.init_level >= tank.max_level - LEVEL_TOLERANCE and not tank.overflow:
            limit[number[name]] = 1
        elif tank.init_level <= tank.min_level + LEVEL_TOLERANCE:
            limit[number[name]] = -1
    for name, reservoir in model.reservoirs():
        head[number[name]] = reservoir.head_timeseries.at(start)
    kinds = {
        "junctions": model.junction_name_list,
        "tanks": model.tank_name_list,
        "reservoirs": model.reservoir_name_list,
        "fixed": [*model.tank_name_list, *model.reservoir_name_list],
    }
    taken = [name for name in names if name in kinds]
    if taken:
        raise NetworkError(f"nodes have the names of groups: {listed(taken)}; rename them")
    groups = {name: [i] for name, i in number.items()}
    groups |= {kind: [number[name] for name in members] for kind, members in kinds.items() if members}
    network = PipeNetwork(
        np.array([model.get_node(name).coordinates for name in names], dtype=float),
        np.array([(number[p.start_node_name], number[p.end_node_name]) for p in pipes]),
        groups={name: np.array(nodes) for name, nodes in groups.items()},
        node_names=tuple(names),
        pipe_names=tuple(pipe.name for pipe in pipes),
        length=np.array([pipe.length for pipe in pipes]),
        diameter=np.array([pipe.diameter for pipe in pipes]),
        roughness=np.array([pipe.roughness for pipe in pipes]),
        demand=demand,
        head=head,
        limit=limit,
    )
    for what in ("length", "diameter", "roughness"):
        wrong = [p.name for p, value in zip(pipes, getattr(network, what), strict=True) if not 0 < value < np.inf]
        if wrong:
            raise NetworkError(f"the {what} is not above zero in pipes: {listed(wrong)}")
    dry = network.dry()
    if dry:
        raise NetworkError(f"no open pipe leads from a tank or a reservoir to the nodes: {listed(dry)}")
    return shut_at_limits(network)
