"""The hooks through which plugins extend the sandbox, each with the version of the specifications that brought it.

A plugin is a module (or package) in the entry-point group ``sandbox`` that implements any of these with
``@sandbox.hookimpl``, and says for which version of them it is written: ``SANDBOX_HOOKS = 1``. A plugin for a version
that this sandbox does not know is refused by name.

Registration hooks are called once, when plugins are discovered, in no particular order; each is handed a ``register``
callback, so that the host knows who registered what and refuses duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

if TYPE_CHECKING:
    import typer

    from sandbox.parts import Part

PROJECT = "sandbox"
VERSION = 1
"""Of these specifications; it grows when hooks or :mod:`sandbox.parts` change such that plugins must change too."""

VERSIONS = frozenset({1})
"""Versions for which plugins may be written that this host can serve."""

DECLARATION = "SANDBOX_HOOKS"
"""Name of the number in a plugin's module that says for which version it is written; 1 where it is missing."""

Register = Callable[[str, "type[Part]"], None]
"""``register(name, part)``: the name that a scene gives as ``type``, and the part it stands for."""

hookimpl = pluggy.HookimplMarker(PROJECT)
_hookspec = pluggy.HookspecMarker(PROJECT)

Hook = TypeVar("Hook", bound=Callable[..., None])

SINCE: dict[str, int] = {}
"""By name of a hook: the version of the specifications that brought it, or that last changed its arguments."""


def hookspec(*, since: int) -> Callable[[Hook], Hook]:
    """Mark a function as a hook's specification."""

    def mark(hook: Hook) -> Hook:
        SINCE[hook.__name__] = since
        return _hookspec(hook)

    return mark


@hookspec(since=1)
def register_graphs(register: Register) -> None:
    """Register ways to make a network: subclasses of :class:`sandbox.parts.Graph`."""


@hookspec(since=1)
def register_systems(register: Register) -> None:
    """Register kinds of physical system: subclasses of :class:`sandbox.parts.SystemPart`."""


@hookspec(since=1)
def register_tasks(register: Register) -> None:
    """Register tasks: subclasses of :class:`sandbox.parts.TaskPart`."""


@hookspec(since=1)
def register_controllers(register: Register) -> None:
    """Register controllers: subclasses of :class:`sandbox.parts.Controller`."""


@hookspec(since=1)
def register_commands(cli: typer.Typer) -> None:
    """Add subcommands to the command ``sandbox``. Called when the command line starts, for installed plugins."""


@hookspec(since=1)
def run_started(scene: Mapping[str, Any], folder: Path) -> None:
    """Called once the resolved scene is written and before anything is computed. Errors are reported and contained."""


@hookspec(since=1)
def step_done(step: int, figures: Mapping[str, float]) -> None:
    """Called at each evaluation while a scene learns: epochs done, and the figures. Errors are contained."""


@hookspec(since=1)
def run_ended(folder: Path, figures: Mapping[str, float]) -> None:
    """Called when a run is complete on disk. Errors are reported and contained."""
