"""Whose fault it was: what a plugin raises in mid-run comes out under the plugin's name."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.errors import PluginFault, SandboxError, out_of_memory
from sandbox.plugins import Plugin, plugins


def fault_of_plugin(error: BaseException) -> PluginFault | None:
    """The error to raise in place of one that came out of a plugin's code; ``None`` for all others.

    An error of the sandbox's own kind says what was wrong by itself, whoever raised it, and running out of memory is
    nobody's fault.
    """
    if isinstance(error, SandboxError) or out_of_memory(error) or not isinstance(error, Exception):
        return None
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        plugin = _owner(frame.f_globals.get("__name__", ""))
        if plugin is not None:
            place = f"{Path(frame.f_code.co_filename).name}, line {line}, in {frame.f_code.co_name}"
            return PluginFault(f"{plugin} failed at {place}: {type(error).__name__}: {error}")
    return None


@contextmanager
def blaming_plugins() -> Iterator[None]:
    """Let faults in the code of plugins name them.

    Raises:
        PluginFault: in place of what came out of a plugin, which is its cause.
    """
    try:
        yield
    except Exception as error:
        fault = fault_of_plugin(error)
        if fault is None:
            raise
        raise fault from error


def _owner(module: str) -> Plugin | None:
    """The plugin to whose package a module belongs."""
    loaded = [p for p in plugins().found if p.state == "loaded" and p.module]
    same = [p for p in loaded if module.partition(".")[0] == p.module.partition(".")[0]]
    closest = [p for p in same if f"{module}.".startswith(f"{p.module}.")]
    return max(closest or same, key=lambda p: len(p.module), default=None)
