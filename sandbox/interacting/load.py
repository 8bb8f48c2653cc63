"""A scene that relaxes, with its loads under one's hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from sandbox.build import Setup
from sandbox.errors import SandboxError
from sandbox.interacting.play import Control, Frame, frame_of, net_of
from sandbox.physics.equilibrium import NotConverged
from sandbox.units import ENERGY, force_on, measured, state_of

FURTHEST = 1.5
"""How far a load can be turned up, in units of what the scene asks."""


class LoadPlay:
    """The clamps and pushes of a scene, each as a multiple of what the scene asks.

    Raises:
        SandboxError: if there is nothing to turn.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup, scene = setup, setup.scene
        self.controls: list[Control] = []
        state = state_of(scene.system.looks.moves)
        imposed, force = setup.unit(state), setup.unit(force_on(state))
        self._shares = np.ones(len(scene.clamp) + len(scene.push))
        self._places: list[int] = []
        for number, clamp in enumerate(scene.clamp):
            given = clamp.displacement if clamp.displacement is not None else clamp.value
            if given is not None and np.any(given):
                what = "displacement" if clamp.displacement is not None else "value"
                self._add(number, f"{what} of {_said(clamp.nodes)}", given, imposed)
        for number, push in enumerate(scene.push):
            if np.any(push.force):
                self._add(len(scene.clamp) + number, f"force on {_said(push.nodes)}", push.force, force)
        if not self.controls:
            raise SandboxError(
                f"the scene {scene.name!r} has nothing to turn: no clamp displaces or sets a value but 0, and no push"
            )
        self.actions: Mapping[str, Callable[[], object]] = {"start again": self._start_again}
        self._state: np.ndarray | None = None
        frame, _ = self.look()
        self.net = net_of(setup.system, setup.roles, scene.system.looks, setup.unit, frame)

    def _add(self, place: int, name: str, given: float | list[float], unit: str) -> None:
        numbers = ", ".join(f"{number:g}" for number in np.atleast_1d(given))
        said = measured(f"({numbers})" if np.size(given) > 1 else numbers, unit)
        self._places.append(place)
        self.controls.append(Control(f"{name}: × {said}", "load", 0.0, FURTHEST, 1.0))

    def turn(self, number: int, value: float) -> None:
        self.controls[number].value = value
        self._shares[self._places[number]] = value

    def look(self) -> tuple[Frame, dict[str, str]]:
        setup, settings = self.setup, self.setup.scene.relax
        assert settings is not None
        system, looks = setup.system, setup.scene.system.looks
        began = time.perf_counter()
        boundary = setup.loaded(self._shares)
        start = None if self._state is None else self._state[None]
        try:
            rest = system.relax(boundary, start=start, tolerance=settings.tolerance, method=settings.method)
        except NotConverged:
            if start is None:
                raise
            rest = system.relax(boundary, tolerance=settings.tolerance, method=settings.method)
        took = time.perf_counter() - began
        self._state = rest.state[0]
        figures = {"energy": measured(f"{float(rest.energy[0]):.4g}", setup.unit(ENERGY))}
        if looks.moves:
            strain = system.network.strains(rest.state[0])
            figures["largest strain"] = f"{float(np.nanmax(np.abs(strain), initial=0.0)):.4g}"
        figures["relaxed in"] = f"{1e3 * took:.1f} ms"
        return frame_of(system, rest.state[0], rest.stiffness, looks.moves), figures

    def _start_again(self) -> None:
        self._state = None
        self._shares[:] = 1.0
        for control in self.controls:
            control.value = 1.0


def _said(nodes: object) -> str:
    return nodes if isinstance(nodes, str) else f"{len(nodes)} node(s)"  # type: ignore[arg-type]
