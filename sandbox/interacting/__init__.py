"""A bench or a scene under one's hands in a notebook: sliders, and the network at rest under what they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench, behind
from sandbox.errors import SandboxError
from sandbox.interacting.load import LoadPlay
from sandbox.interacting.play import BenchPlay, Play
from sandbox.run import Experiment, load

if TYPE_CHECKING:
    from sandbox.interacting.panel import Panel


def interact(
    thing: str | Path | Experiment | Bench | Apparatus,
    *,
    inputs: tuple[float, float] | None = None,
    targets: tuple[float, float] | None = None,
    beta: float = 1.0,
) -> Panel:
    """Work a bench or a scene by hand, in JupyterLab or another notebook that shows widgets.

    Of a bench, and of a scene that learns: a slider for every input (the first dozen), for every target, and for the
    strength of nudging; with them ``hold`` and ``release``, the two phases of a step, and ``start again``. Of a scene
    that relaxes: a slider for every clamp that displaces or sets a value, and for every push. The network relaxes and
    is drawn again as a slider moves, and the meter of the bench counts it.

    Args:
        thing: the name or path of a scene, an experiment, a bench or an apparatus.
        inputs, targets: least and greatest value of their sliders; by default from the task, or around what is there.
        beta: the strongest nudging, of either sign.

    Raises:
        SandboxError: if the extra ``jupyter`` is not installed; for scenes that move; as the scene or bench gives.
    """
    try:
        import anywidget  # noqa: F401
        import ipywidgets  # noqa: F401
    except ImportError as error:
        raise SandboxError(
            f"sandbox.interact needs the package {error.name}: pip install 'matter-sandbox[jupyter]'"
        ) from error
    from sandbox.interacting.panel import Panel

    return Panel(play(thing, inputs=inputs, targets=targets, beta=beta))


def play(
    thing: str | Path | Experiment | Bench | Apparatus,
    *,
    inputs: tuple[float, float] | None = None,
    targets: tuple[float, float] | None = None,
    beta: float = 1.0,
) -> Play:
    """What :func:`interact` shows, without the widgets."""
    if isinstance(thing, Bench):
        thing = behind(thing)
    if isinstance(thing, Apparatus):
        return BenchPlay(thing, inputs=inputs, targets=targets, beta=beta)
    experiment = thing if isinstance(thing, Experiment) else load(thing)
    setup = experiment.setup
    setup.check()
    if setup.scene.training is not None:
        looks, ranges = setup.scene.system.looks, {"inputs": inputs, "targets": targets}
        return BenchPlay(setup.apparatus, setup.task, looks, setup.roles, setup.unit, **ranges, beta=beta)
    if setup.scene.relax is None:
        raise SandboxError(
            f"the scene {setup.scene.name!r} moves; interact shows states at rest: give a scene that learns or relaxes"
        )
    return LoadPlay(setup)
