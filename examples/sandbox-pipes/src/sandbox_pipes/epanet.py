"""Networks of pipes from EPANET's ``.inp`` files, read by ``wntr``, as they are at the start of a simulation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

import sandbox
from sandbox.errors import NetworkError
from sandbox.parts import Graph, Trial
from sandbox.physics.graphs.files import MAX_BYTES
from sandbox.physics.network import Network

if TYPE_CHECKING:
    from wntr.network import WaterNetworkModel


@dataclass(frozen=True, eq=False, repr=False)
class PipeNetwork(Network):
    """A network that knows its pipes and what is drawn from it.

    Args:
        node_names: (N,) as in the file: junctions, then tanks, then reservoirs.
        pipe_names: (E,) as in the file; closed pipes are left out.
        length: (E,) in m.
        diameter: (E,) in m.
        roughness: (E,) coefficients C of Hazen and Williams.
        demand: (N,) drawn at each node, m^3/s.
        head: (N,) at which tanks and reservoirs hold the water, m; NaN at junctions.

    Raises:
        NetworkError: for arrays that do not have a number for each pipe, or each node.
    """

    node_names: tuple[str, ...] = ()
    pipe_names: tuple[str, ...] = ()
    length: np.ndarray = None  # type: ignore[assignment]
    diameter: np.ndarray = None  # type: ignore[assignment]
    roughness: np.ndarray = None  # type: ignore[assignment]
    demand: np.ndarray = None  # type: ignore[assignment]
    head: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        for names, count in ((("length", "diameter", "roughness"), self.n_edges), (("demand", "head"), self.n_nodes)):
            for name in names:
                array = np.array(getattr(self, name), dtype=float)
                if array.shape != (count,):
                    raise NetworkError(f"{name} of a network of pipes has shape {array.shape}; expected ({count},)")
                array.flags.writeable = False
                object.__setattr__(self, name, array)


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
            check valves, minor losses, emitters, controls, other formulas; each by its name.
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
        _refuse(model)
        return _network(model)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error


def _refuse(model: WaterNetworkModel) -> None:
    """What has another law than a pipe's, or acts in time."""
    formula = model.options.hydraulic.headloss
    if formula != "H-W":
        raise NetworkError(f"the head losses are {formula}; only H-W is treated (Hazen-Williams, in [OPTIONS])")
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
            raise NetworkError(f"there are {what}: {_listed(names)}; only open and closed pipes are treated")


def _network(model: WaterNetworkModel) -> PipeNetwork:
    start = model.options.time.pattern_start
    names = [*model.junction_name_list, *model.tank_name_list, *model.reservoir_name_list]
    number = {name: i for i, name in enumerate(names)}
    # EPANET leaves a pipe closed at the start out of the flow.
    pipes = [pipe for _, pipe in model.pipes() if pipe.initial_status.name.lower() != "closed"]
    if not names or not pipes:
        raise NetworkError("there are no open pipes in it")
    demand, head = np.zeros(len(names)), np.full(len(names), np.nan)
    factor = model.options.hydraulic.demand_multiplier
    for name, junction in model.junctions():
        demand[number[name]] = junction.demand_timeseries_list.at(start, multiplier=factor)
    for name, tank in model.tanks():
        head[number[name]] = tank.elevation + tank.init_level
    for name, reservoir in model.reservoirs():
        head[number[name]] = reservoir.head_timeseries.at(start)
    kinds = {
        "junctions": model.junction_name_list,
        "tanks": model.tank_name_list,
        "reservoirs": model.reservoir_name_list,
        "fixed": [*model.tank_name_list, *model.reservoir_name_list],
    }
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
    )
    for what in ("length", "diameter", "roughness"):
        wrong = [p.name for p, value in zip(pipes, getattr(network, what), strict=True) if not 0 < value < np.inf]
        if wrong:
            raise NetworkError(f"the {what} is not above zero in pipes: {_listed(wrong)}")
    label = network.components()
    dry = [name for name, part in zip(names, label, strict=True) if part not in label[~np.isnan(head)]]
    if dry:
        raise NetworkError(f"no open pipe leads from a tank or a reservoir to the nodes: {_listed(dry)}")
    return network


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
