"""What the first answer of a scene costs, stage by stage, and how many kernels are compiled for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.build import Setup
from sandbox.physics import runtime
from sandbox.physics.material import Material


@dataclass(frozen=True)
class Timings:
    """Seconds by stage, and the kernels compiled, or loaded from Taichi's cache on disk, in them."""

    seconds: dict[str, float]
    kernels: tuple[str, ...]


def measure(setup: Setup, before: float) -> Timings:
    """Build what a scene describes and let it give its first answer, twice.

    Args:
        setup: of the scene, with nothing built yet.
        before: seconds already spent on starting and on reading the scene.
    """
    seconds = {"start, plugins and scene": before}
    seconds["network and system"] = _seconds(setup.check)
    seconds["Taichi"] = _seconds(runtime.start)
    what, answer = _first(setup)
    seconds[f"first {what}, kernels included"] = _seconds(answer)
    seconds["the same again"] = _seconds(answer)
    return Timings(seconds, runtime.compiled_kernels())


def _first(setup: Setup) -> tuple[str, Callable[[], object]]:
    """What a scene computes first."""
    scene = setup.scene
    if scene.training is not None:
        apparatus, inputs = setup.apparatus, setup.task.inputs[setup.task.train[:1]]

        def read() -> None:
            apparatus.clamp(inputs)
            apparatus.read()

        return "equilibrium", read
    if scene.relax is not None:
        method = scene.relax.method
        return "equilibrium", lambda: setup.system.relax(setup.boundary, method=method, throw=False)
    return "step of motion", lambda: _move(setup)


def _move(setup: Setup) -> None:
    from sandbox.physics.dynamics import simulate

    settings, inertia, system = setup.scene.dynamics, setup.scene.system.inertia(), setup.system
    assert settings is not None
    assert inertia is not None
    assert isinstance(system, Material)
    mass, damping = inertia
    simulate(
        system,
        setup.boundary,
        time_step=settings.time_step,
        steps=1,
        masses=mass,
        damping=damping,
        temperature=settings.temperature,
        seed=setup.scene.seed,
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
