"""The third thing a scene can do: move, in pieces between which it can be interrupted."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import xarray as xr

from sandbox.build import Setup
from sandbox.checkpoints import Keeper
from sandbox.dataset import network_dataset
from sandbox.errors import RunError, SandboxError
from sandbox.events import Events, Kind
from sandbox.fingerprint import check_fingerprint, fingerprint
from sandbox.physics.dynamics import energy_watch, simulate
from sandbox.physics.material import Material
from sandbox.physics.memory import require
from sandbox.physics.modes import stable_time_step
from sandbox.physics.trajectory import Drive, Trajectory
from sandbox.plain import misfit
from sandbox.report import Reporter

PIECES = 100
"""Into how many a motion is cut at least, for the progress bar."""

PIECE_SECONDS = 1.0
"""Wanted of one piece, so that being asked to stop is heard. Where pieces end does not change a bit of the results."""

MOST_EDGES = 500_000
"""Edges beyond which the stable time step is not looked for before the start: it takes the whole Hessian, some GB."""


def move(setup: Setup, reporter: Reporter, keeper: Keeper) -> tuple[xr.Dataset, dict[str, Any]]:
    """Integrate the equations of motion."""
    settings, inertia = setup.scene.dynamics, setup.scene.system.inertia()
    assert settings is not None
    assert inertia is not None
    motion = Motion(setup)
    events = Events(setup.strict)
    if settings.time_step > motion.stable:
        try:
            events.add(
                Kind.TIME_STEP,
                detail=f"{settings.time_step:.4g}; stable up to {motion.stable:.4g}",
                size=settings.time_step,
            )
        finally:
            for line in events.lines():
                reporter.warn(line)
    reporter.start("moving", settings.steps)
    with keeper.waiting():
        if keeper.found is not None:
            motion.restore(keeper.found)
        while not motion.done:
            energy = motion.go_on()
            reporter.advance(motion.step, {"energy": energy})
            keeper.pause(motion.state)
    data = motion.dataset()
    data.attrs["events"] = json.dumps(events.record())
    energy = (data["potential_energy"] + data["kinetic_energy"]).to_numpy()
    figures: dict[str, Any] = {"steps": motion.step, "final energy": motion.energy()}
    if inertia[1] == 0 and not settings.shake:
        # Of an energy only differences mean something: what drifts is compared with what moves.
        swing = float(motion.watch.swing[0])
        figures["energy drift"] = float(np.abs(energy - energy[0]).max() / swing) if swing else 0.0
    return data, {**figures, **events.counts}


class Motion:
    """A motion in progress.

    Attributes:
        step: how far it is.
        stable: the longest stable time step for small motions about the start; infinite where it was not looked for.
        watch: over its energy.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup, system = setup, setup.system
        settings = setup.scene.dynamics
        assert settings is not None
        if not isinstance(system, Material):
            raise SandboxError("dynamics are integrated for materials made of edges only")
        self.system, self.settings = system, settings
        shape = (1, system.network.n_nodes, system.components)
        inertia = setup.scene.system.inertia()
        assert inertia is not None
        self.stable = float("inf")
        if system.network.n_edges <= MOST_EDGES:
            start = np.where(setup.boundary.clamped, setup.boundary.values[0], system.rest_state())
            self.stable = stable_time_step(system, masses=inertia[0], state=start, boundary=setup.boundary)
        stable = self.stable if np.isfinite(self.stable) else None
        self.watch = energy_watch(setup.boundary, settings.temperature, driven=bool(settings.shake), stable=stable)
        self.step, self._positions = 0, None
        self._velocities = np.zeros(shape)
        for strike in settings.strike:
            self._velocities[:, setup.nodes(strike.nodes)] += strike.velocity
        self._drives = [
            Drive(setup.nodes(s.nodes), s.amplitude, s.frequency, s.phase, s.direction) for s in settings.shake
        ]
        times = settings.steps // settings.every + 1
        needed = 16 * times * (1 + int(np.prod(shape[1:])))
        require(f"a record of {times:,} times of {shape[1]} nodes", needed, "record less often (dynamics.every)")
        try:
            self._records = {name: np.empty((times, *shape[1:])) for name in ("positions", "velocities")}
            self._records |= {name: np.empty(times) for name in ("potential", "kinetic")}
        except (MemoryError, ValueError) as error:
            raise SandboxError(
                f"there is no memory to record {times} times of {shape[1]} nodes; record less often (dynamics.every)"
            ) from error
        self._recorded = 0
        self._longest = settings.every * max(1, settings.steps // settings.every // PIECES)
        self._next = self._longest

    @property
    def done(self) -> bool:
        """Whether all steps are done, and all times recorded."""
        return self.step == self.settings.steps and self._recorded == len(self._records["kinetic"])

    def go_on(self) -> float:
        """Integrate one piece; returns the energy where it was recorded last."""
        began = time.monotonic()
        steps = self._length()
        piece = self._simulate(steps, self.settings.every)
        self._keep(piece)
        self._positions, self._velocities, self.step = piece.final.positions, piece.final.velocities, piece.final.step
        took = max(time.monotonic() - began, 1e-6)
        self._next = int(np.clip(steps * PIECE_SECONDS / took, 1, self._longest))
        return float(piece.energy[-1, 0])

    def energy(self) -> float:
        """Potential and kinetic energy now, whether or not this time is one of those that are recorded."""
        return float(self._simulate(0, 1).energy[-1, 0])

    def _simulate(self, steps: int, every: int) -> Trajectory:
        """Integrate so many steps from here."""
        inertia, settings = self.setup.scene.system.inertia(), self.settings
        assert inertia is not None
        return simulate(
            self.system,
            self.setup.boundary,
            time_step=settings.time_step,
            steps=steps,
            masses=inertia[0],
            damping=inertia[1],
            temperature=settings.temperature,
            seed=self.setup.scene.seed,
            start=self._positions,
            velocities=self._velocities,
            drive=self._drives,
            first_step=self.step,
            every=every,
            watch=self.watch,
        )

    def _length(self) -> int:
        """Steps of the next piece: whole intervals between records, or a part of one, whose end is not recorded.

        0 at the end of the motion, if what is missing is the record of the end.
        """
        every, left = self.settings.every, self.settings.steps - self.step
        past = self.step % every
        if past == 0 and self._next >= every:
            return min(self._next // every * every, left)
        return min(self._next, every - past, left)

    def _keep(self, piece: Trajectory) -> None:
        """Record what is due; pieces overlap in the time at which they meet, and may meet between records."""
        due = (piece.steps % self.settings.every == 0) & (piece.steps // self.settings.every >= self._recorded)
        rows = slice(self._recorded, self._recorded + int(due.sum()))
        for name, record in self._records.items():
            record[rows] = getattr(piece, name)[due, 0]
        self._recorded = rows.stop

    def state(self) -> dict[str, Any]:
        """All that the rest of the motion and its record depend on, as plain data."""
        return {
            "of": fingerprint(self.setup),
            "step": self.step,
            "positions": self._positions,
            "velocities": self._velocities,
            "records": {name: record[: self._recorded] for name, record in self._records.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state` of a motion of the same scene.

        Raises:
            RunError: if it is another's.
        """
        try:
            check_fingerprint(state["of"], self.setup)
            self._check(state)
            self.step, self._positions, self._velocities = state["step"], state["positions"], state["velocities"]
            self._recorded = len(state["records"]["kinetic"])
            for name, record in self._records.items():
                record[: self._recorded] = state["records"][name]
            kept = (self._records[name][: self._recorded, None] for name in ("potential", "kinetic"))
            self.watch.look(*kept)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError(f"the checkpoint is not one of this scene's motion: {error}") from error

    def _check(self, state: dict[str, Any]) -> None:
        """Whether a state has the form of one of this motion's.

        Raises:
            ValueError: where it has not.
        """
        shape = self._velocities.shape
        problem = misfit(state, {**self.state(), "positions": self._velocities})
        if problem is not None:
            raise ValueError(problem)
        if not 0 <= state["step"] <= self.settings.steps:
            raise ValueError(f"step {state['step']} of {self.settings.steps}")
        recorded = {len(values) for values in state["records"].values()}
        if len(recorded) > 1 or not 1 <= max(recorded) <= state["step"] // self.settings.every + 1:
            raise ValueError("its record does not fit its step")
        for name in ("positions", "velocities"):
            if state[name] is None or state[name].shape != shape:
                raise ValueError(f"the {name} do not fit the network")

    def dataset(self) -> xr.Dataset:
        """Everything recorded."""
        steps = np.arange(self._recorded) * self.settings.every
        data = network_dataset(self.setup).assign_coords(time=("time", steps * self.settings.time_step))
        data["position"] = (("time", "node", "component"), self._records["positions"])
        data["velocity"] = (("time", "node", "component"), self._records["velocities"])
        data["potential_energy"] = (("time",), self._records["potential"])
        data["kinetic_energy"] = (("time",), self._records["kinetic"])
        return data
