"""Two of the things a scene can do, learn and relax, each returning a dataset and its figures of merit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from sandbox.build import Setup
from sandbox.checkpoints import Keeper
from sandbox.dataset import network_dataset
from sandbox.events import Kind
from sandbox.learning import Learner
from sandbox.physics.equilibrium import NotConverged, Status
from sandbox.physics.material import Material
from sandbox.plugins import plugins
from sandbox.report import Reporter
from sandbox.results import UNCONVERGED

Figures = dict[str, Any]


def learn(setup: Setup, reporter: Reporter, keeper: Keeper) -> tuple[xr.Dataset, Figures]:
    """Let the controller work the bench, sample by sample, epoch by epoch."""
    training = setup.scene.training
    assert training is not None
    learner = Learner(setup)
    reporter.start("learning", training.epochs)

    def pause() -> None:
        keeper.pause(learner.state)

    def enough() -> bool:
        """Of the losses evaluated since the start, the last."""
        return (
            training.stop_loss is not None
            and len(learner.history) > 1
            and learner.history[-1]["train loss"] < training.stop_loss
        )

    with keeper.waiting():
        if keeper.found is not None:
            learner.restore(keeper.found)
        else:
            learner.evaluate()
        while learner.epoch < training.epochs and not enough():
            learner.train_epoch(pause)
            if learner.epoch % training.every == 0 or learner.epoch == training.epochs:
                _tell(learner.epoch, learner.evaluate(), reporter)
            pause()
    meter, events = setup.apparatus.meter, setup.apparatus.events
    if training.stop_loss is not None and not enough():
        loss = learner.history[-1]["train loss"]
        events.add(Kind.MISSED, detail=f"{loss:.4g}; asked for {training.stop_loss:.4g}", size=loss)
    for line in events.lines():
        reporter.warn(line)
    data = learner.dataset()
    data.attrs["events"] = json.dumps(events.record())
    figures = dict(learner.history[-1])
    figures.pop("epoch")
    return data, {"epochs": learner.epoch, **figures, "unstable phases": meter.unstable, **events.counts}


def _tell(epoch: int, figures: dict[str, float], reporter: Reporter) -> None:
    live = {name: figures[name] for name in ("train loss", "train accuracy", "test accuracy") if name in figures}
    reporter.advance(epoch, {**live, "relaxations": figures["relaxations"]})
    for problem in plugins().notify("step_done", step=epoch, figures=figures):
        reporter.warn(problem)


def relax(setup: Setup, reporter: Reporter) -> tuple[xr.Dataset, Figures]:
    """Relax once. A state that is no minimum is kept, with its status and, as the attribute ``unconverged``, why.

    Raises:
        NotConverged: where a number is not finite.
    """
    settings, system = setup.scene.relax, setup.system
    assert settings is not None
    reporter.start("relaxing", 1)
    rest = system.relax(
        setup.boundary,
        tolerance=settings.tolerance,
        max_iterations=settings.max_iterations,
        method=settings.method,
        throw=False,
    )
    data = network_dataset(setup)
    status = Status(int(rest.status[0]))
    if status != Status.CONVERGED:
        failure = NotConverged(rest)
        if status == Status.NOT_FINITE:
            raise failure
        data.attrs[UNCONVERGED] = str(failure)
    state = rest.state[0]
    data["state"] = (("node", "component"), state, {"long_name": setup.scene.system.looks.state})
    data["stiffness"] = (("edge",), rest.stiffness, {"long_name": setup.scene.system.looks.stiffness})
    figures: Figures = {
        "energy": float(rest.energy[0]),
        "residual": float(rest.residual[0]),
        "iterations": int(rest.iterations[0]),
        "status": status.name.lower().replace("_", " "),
    }
    softest = rest.softest()
    if softest is not None:
        figures[softest[0]] = softest[1]
    if isinstance(system, Material):
        tension = system.tension(rest.state)[0]
        name = "tension" if setup.scene.system.looks.moves else "flow"
        data[name] = (("edge",), tension)
        figures[f"largest {name}"] = float(np.abs(tension).max(initial=0.0))
        held = np.flatnonzero(setup.boundary.clamped.any(axis=1))
        if name == "flow":
            # Flow from i to j is minus the slope in d = s_j - s_i.
            out = np.zeros(system.network.n_nodes)
            np.add.at(out, system.network.edges[:, 0], -tension)
            np.add.at(out, system.network.edges[:, 1], tension)
            figures["flow through"] = float(np.maximum(out[held], 0).sum())
    if setup.scene.system.looks.moves:
        strain = system.network.strains(state)
        data["strain"] = (("edge",), strain)
        figures["largest strain"] = float(np.nanmax(np.abs(strain), initial=0.0))
    return data, {**figures, "method": rest.method}
