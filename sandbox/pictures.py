"""The figures of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sandbox.build import Setup
from sandbox.physics.material import Material
from sandbox.results import write_atomically
from sandbox.units import FORCE, STIFFNESS, label, labelled

DPI = 200
FRAMES = 90


def draw(setup: Setup, data: xr.Dataset, folder: Path) -> list[Path]:
    """Draw what suits the scene into ``folder``; returns the files."""
    if setup.scene.training is not None:
        figures = _learning(setup, data)
    elif setup.scene.relax is not None:
        figures = _statics(setup, data)
    else:
        figures = _motion(setup, data)
    files = []
    for name, figure in figures.items():
        files.append(folder / f"{name}.png")
        write_atomically(files[-1], lambda path, figure=figure: figure.savefig(path, dpi=DPI, format="png"))
    if setup.scene.dynamics is not None:
        files.append(folder / "motion.gif")
        write_atomically(files[-1], lambda path: _film(setup, data, path))
    return files


def preview(setup: Setup) -> Any:
    """The network that a scene would build, before anything is done with it."""
    from sandbox.plot import PAGE, draw_network

    looks, stiffness = setup.scene.system.looks, setup.system.stiffness
    portrait = setup.scene.system.portrait(setup.system, stiffness, stiffness)
    if portrait is not None:
        return portrait
    return draw_network(
        setup.network,
        stiffness=stiffness,
        stiffness_label=labelled(looks.stiffness, setup.unit(STIFFNESS)),
        roles=setup.roles,
        title=setup.scene.title or setup.scene.name,
        width=PAGE * 0.7,
    )


def _learning(setup: Setup, data: xr.Dataset) -> dict[str, Any]:
    from sandbox.plot import Snapshot, before_after, learning_curves

    looks = setup.scene.system.looks
    named: dict[str, Any] = {
        "state_label": label(data["state_after"], short=True),
        "stiffness_label": label(data["stiffness"]),
    }
    loss = {k: data[f"{k}_loss"].to_numpy() for k in ("train", "test") if f"{k}_loss" in data}
    accuracy = {k: data[f"{k}_accuracy"].to_numpy() for k in ("train", "test") if f"{k}_accuracy" in data}
    stiffness = data["stiffness"].to_numpy()
    loss_label = label(data["train_loss"], "loss")
    figures = {"learning": learning_curves(data["epoch"].to_numpy(), loss, accuracy or None, loss_label=loss_label)}
    portrait = setup.scene.system.portrait(setup.system, stiffness[0], stiffness[-1])
    if portrait is not None:
        return figures | {"stiffness": portrait}
    before, after = data["state_before"].to_numpy(), data["state_after"].to_numpy()
    if looks.moves:
        shots = Snapshot(None, stiffness[0], before), Snapshot(None, stiffness[-1], after)
    else:
        shots = Snapshot(before[:, 0], stiffness[0]), Snapshot(after[:, 0], stiffness[-1])
    figures["network"] = before_after(
        setup.network,
        *shots,
        **named,
        roles=setup.roles,
        titles=("untrained", "trained"),
    )
    if looks.moves:
        figures |= _mechanics(setup, after, stiffness[-1], data)
    return figures


def _mechanics(setup: Setup, positions: np.ndarray, stiffness: np.ndarray, data: xr.Dataset) -> dict[str, Any]:
    """The deformation, and what carries it."""
    from sandbox.plot import PAGE, draw_chains, draw_deformation

    network, system = setup.network, setup.system
    strain = network.strains(positions)
    common: dict[str, Any] = {"roles": setup.roles, "width": PAGE * 0.7}
    figures = {
        "deformation": draw_deformation(
            network, positions, strain=strain, stiffness=stiffness, stiffness_label=label(data["stiffness"]), **common
        )
    }
    if isinstance(system, Material):
        tension = system.tension(positions[None], stiffness)[0]
        name = labelled("tension", setup.unit(FORCE))
        figures["forces"] = draw_chains(network, tension, positions=positions, tension_label=name, **common)
    return figures


def _statics(setup: Setup, data: xr.Dataset) -> dict[str, Any]:
    from sandbox.plot import PAGE, draw_network

    looks, state = setup.scene.system.looks, data["state"].to_numpy()
    if looks.moves:
        return _mechanics(setup, state, data["stiffness"].to_numpy(), data)
    picture = draw_network(
        setup.network,
        state=state[:, 0],
        state_label=label(data["state"]),
        stiffness=data["stiffness"].to_numpy(),
        stiffness_label=label(data["stiffness"]),
        roles=setup.roles,
        width=PAGE * 0.7,
    )
    return {"network": picture}


def _motion(setup: Setup, data: xr.Dataset) -> dict[str, Any]:
    from sandbox.plot import draw_curves

    potential, kinetic = data["potential_energy"].to_numpy(), data["kinetic_energy"].to_numpy()
    energies = {"kinetic": kinetic, "potential": potential, "total": kinetic + potential}
    return {
        "energy": draw_curves(
            data["time"].to_numpy(),
            energies,
            xlabel=label(data["time"]),
            ylabel=label(data["kinetic_energy"], "energy"),
        )
    }


def _film(setup: Setup, data: xr.Dataset, path: Path) -> None:
    from sandbox.plot import animate

    every = max(1, -(-data.sizes["time"] // FRAMES))
    part = data.isel(time=slice(None, None, every))
    speed = np.linalg.norm(part["velocity"].to_numpy(), axis=-1)
    animate(
        setup.network,
        part["time"].to_numpy(),
        part["position"].to_numpy(),
        path,
        kind="gif",
        colour=speed,
        label=label(data["velocity"], "speed"),
        time_label="t",
        roles=setup.roles,
    )
