"""The dataset of a run: the network that it starts from, and the units of what it records."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sandbox.build import Setup
from sandbox.units import ENERGY, LENGTH, NUMBER, STIFFNESS, TIME, VELOCITY, Powers, force_on, squared, state_of


def network_dataset(setup: Setup) -> xr.Dataset:
    """Reference positions and edges, with the coordinates ``node`` and ``edge``.

    Edges are listed as the system lists them: it may turn some of the scene's round, and what is signed goes by it.
    """
    network = setup.system.network
    return xr.Dataset(
        {
            "reference": (("node", "axis"), network.positions, {"long_name": "reference position"}),
            "ends": (("edge", "end"), network.edges, {"long_name": "nodes of each edge"}),
        },
        coords={"node": np.arange(network.n_nodes), "edge": np.arange(network.n_edges)},
    )


def annotate(data: xr.Dataset, setup: Setup) -> None:
    """Give every variable and coordinate its ``long_name`` and ``units``, and dimensions without coordinates theirs."""
    system = setup.scene.system
    state = state_of(system.looks.moves)
    force = force_on(state)
    known: dict[str, tuple[Powers, str]] = {
        **{name: (NUMBER, name) for name in ("node", "edge", "epoch", "sample", "knob", "relaxations")},
        "axis": (NUMBER, "axis of positions"),
        "component": (NUMBER, "component of the state"),
        "input_terminal": (NUMBER, "input terminal"),
        "output_terminal": (NUMBER, "output terminal"),
        "time": (TIME, "time"),
        "reference": (LENGTH, "reference position"),
        "ends": (NUMBER, "nodes of each edge"),
        "position": (LENGTH, "position"),
        "velocity": (VELOCITY, "velocity"),
        "potential_energy": (ENERGY, "potential energy"),
        "kinetic_energy": (ENERGY, "kinetic energy"),
        "strain": (NUMBER, "bond strain"),
        "tension": (force, "tension"),
        "flow": (force, "flow, from the second node of an edge to the first"),
        "stiffness": (STIFFNESS, system.looks.stiffness),
        **{name: (state, system.looks.state) for name in ("state", "state_before", "state_after")},
        "in_test": (NUMBER, "whether the sample is a test sample"),
    }
    if setup.scene.training is not None:
        inputs, outputs = (terminals.quantity(system.looks.moves) for terminals in setup.terminals)
        known |= {"input": (inputs, "input"), "target": (outputs, "target"), "output": (outputs, "output")}
        for part in ("train", "test"):
            known |= {f"{part}_loss": (squared(outputs), f"{part} loss")}
            known |= {
                f"{part}_{name}": (NUMBER, f"{part} {name}".replace("_", " ")) for name in ("accuracy", "strain_error")
            }
    for name in ("axis", "component", "knob", "input_terminal", "output_terminal"):
        if name in data.dims and name not in data.coords:
            count = data.sizes[name]
            letters = name == "axis" or (name == "component" and system.looks.moves)
            data.coords[name] = list("xyz"[:count]) if letters and count <= 3 else np.arange(count)
    for name, variable in data.variables.items():
        quantity, said = known.get(str(name), ({str(name): 1}, str(name).replace("_", " ")))
        variable.attrs.setdefault("long_name", said)
        variable.attrs["units"] = setup.unit(quantity)
