"""The three things a scene can do: learn, relax, move. Each returns a dataset and its figures of merit."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from sandbox.build import Setup
from sandbox.dataset import network_dataset
from sandbox.errors import SandboxError
from sandbox.learning import Learner
from sandbox.physics.material import Material
from sandbox.plugins import plugins
from sandbox.report import Reporter

Figures = dict[str, Any]


def learn(setup: Setup, reporter: Reporter) -> tuple[xr.Dataset, Figures]:
    """Let the controller work the bench, sample by sample, epoch by epoch."""
    training = setup.scene.training
    assert training is not None
    learner = Learner(setup)
    reporter.start("learning", training.epochs)
    learner.evaluate()
    while learner.epoch < training.epochs:
        learner.train_epoch()
        if learner.epoch % training.every and learner.epoch < training.epochs:
            continue
        figures = learner.evaluate()
        live = {name: figures[name] for name in ("train loss", "train accuracy", "test accuracy") if name in figures}
        reporter.advance(learner.epoch, {**live, "relaxations": figures["relaxations"]})
        for problem in plugins().notify("step_done", step=learner.epoch, figures=figures):
            reporter.warn(problem)
        if training.stop_loss is not None and figures["train loss"] < training.stop_loss:
            break
    meter = setup.apparatus.meter
    if meter.unstable:
        reporter.warn(
            f"in {meter.unstable} phase(s) the joint energy of state and stiffness was not convex: descent is not "
            "promised there; lower the compliance"
        )
    data = learner.dataset()
    figures = dict(learner.history[-1])
    figures.pop("epoch")
    return data, {"epochs": learner.epoch, **figures, "unstable phases": meter.unstable}


def relax(setup: Setup, reporter: Reporter) -> tuple[xr.Dataset, Figures]:
    """Relax once."""
    settings, system = setup.scene.relax, setup.system
    assert settings is not None
    reporter.start("relaxing", 1)
    rest = system.relax(
        setup.boundary, tolerance=settings.tolerance, max_iterations=settings.max_iterations, method=settings.method
    )
    data = network_dataset(setup)
    state = rest.state[0]
    data["state"] = (("node", "component"), state, {"long_name": setup.scene.system.looks.state})
    data["stiffness"] = (("edge",), rest.stiffness, {"long_name": setup.scene.system.looks.stiffness})
    figures: Figures = {
        "energy": float(rest.energy[0]),
        "residual": float(rest.residual[0]),
        "iterations": int(rest.iterations[0]),
        "lowest curvature": float(rest.min_curvature[0]),
    }
    if isinstance(system, Material):
        tension = system.tension(rest.state)[0]
        name = "tension" if setup.scene.system.looks.moves else "flow"
        data[name] = (("edge",), tension)
        figures[f"largest {name}"] = float(np.abs(tension).max())
        held = np.flatnonzero(setup.boundary.clamped.any(axis=1))
        if name == "flow":
            # Flow from i to j is minus the slope in d = s_j - s_i.
            out = np.zeros(system.network.n_nodes)
            np.add.at(out, system.network.edges[:, 0], -tension)
            np.add.at(out, system.network.edges[:, 1], tension)
            figures["flow through"] = float(np.maximum(out[held], 0).sum())
    if setup.scene.system.looks.moves:
        lengths = system.network.lengths()
        strain = system.network.lengths(state) / lengths - 1
        data["strain"] = (("edge",), strain)
        figures["largest strain"] = float(np.abs(strain).max())
    return data, {**figures, "method": rest.method}


CHUNKS = 100


def move(setup: Setup, reporter: Reporter) -> tuple[xr.Dataset, Figures]:
    """Integrate the equations of motion."""
    from sandbox.physics.dynamics import Drive, simulate

    settings, system = setup.scene.dynamics, setup.system
    assert settings is not None
    inertia = setup.scene.system.inertia()
    assert inertia is not None
    if not isinstance(system, Material):
        raise SandboxError("dynamics are integrated for materials made of edges only")
    mass, damping = inertia
    velocities = np.zeros((1, system.network.n_nodes, system.components))
    for strike in settings.strike:
        velocities[:, setup.nodes(strike.nodes)] += strike.velocity
    drives = [Drive(setup.nodes(s.nodes), s.amplitude, s.frequency, s.phase, s.direction) for s in settings.shake]
    interval = settings.every * max(1, settings.steps // settings.every // CHUNKS)
    reporter.start("moving", settings.steps)
    pieces, done, start = [], 0, None
    while done < settings.steps:
        steps = min(interval, settings.steps - done)
        piece = simulate(
            system,
            setup.boundary,
            time_step=settings.time_step,
            steps=steps,
            masses=mass,
            damping=damping,
            temperature=settings.temperature,
            seed=setup.scene.seed,
            start=start,
            velocities=velocities,
            drive=drives,
            first_step=done,
            every=settings.every,
        )
        pieces.append(piece)
        start, velocities, done = piece.final.positions, piece.final.velocities, piece.final.step
        reporter.advance(done, {"energy": float(piece.energy[-1, 0])})
    # Pieces overlap in the time at which they meet.
    keep = [slice(0 if n == 0 else 1, None) for n in range(len(pieces))]

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(p, name)[k] for p, k in zip(pieces, keep, strict=True)])

    data = network_dataset(setup).assign_coords(time=("time", joined("times")))
    data["position"] = (("time", "node", "component"), joined("positions")[:, 0])
    data["velocity"] = (("time", "node", "component"), joined("velocities")[:, 0])
    data["potential_energy"] = (("time",), joined("potential")[:, 0])
    data["kinetic_energy"] = (("time",), joined("kinetic")[:, 0])
    energy = (data["potential_energy"] + data["kinetic_energy"]).to_numpy()
    figures: Figures = {"steps": done, "final energy": float(energy[-1])}
    if damping == 0 and not drives:
        figures["energy drift"] = float(np.abs(energy - energy[0]).max() / max(abs(energy[0]), 1e-300))
    return data, figures
