"""Writes docs/hooks.md from the hook specifications: every hook, its exact arguments, when it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from scene_reference import prose

from sandbox import hookspecs

HEAD = """\
# Hooks

Every hook that a plugin may implement with `@sandbox.hookimpl`, generated from `sandbox.hookspecs`, version {version}.
Argument names count; an implementation may name fewer of them, in any order. A module says for which version it is
written, `{declaration} = {version}`; without that line, for version 1. This sandbox serves plugins for {versions};
one for any other version is refused by name. A hook is there since the version that it states.
[Write a system](write_a_system.md) and [Write a controller](write_a_controller.md) have whole examples.
"""
REGISTER = """\
## `register`

The callback of the registration hooks is `register(name, part)`: the name that a scene gives as `type`, and the class
that it stands for. A name that is taken, or a class of another kind, is refused by an error that names the plugin.
"""


def hooks() -> list[Callable[..., Any]]:
    """The functions that are hook specifications, in the order of their module."""
    return [f for f in vars(hookspecs).values() if hasattr(f, f"{hookspecs.PROJECT}_spec")]


def head() -> str:
    """What stands above the hooks, the versions among it."""
    known = [str(version) for version in sorted(hookspecs.VERSIONS)]
    versions = f"version{'s' * (len(known) > 1)} {' and '.join(known)}"
    return HEAD.format(version=hookspecs.VERSION, declaration=hookspecs.DECLARATION, versions=versions)


def page() -> str:
    """The text of docs/hooks.md."""
    parts = [head()]
    for hook in hooks():
        arguments = inspect.signature(hook).parameters
        parts.append(f"## `{hook.__name__}({', '.join(arguments)})`\n")
        parts.append(f"{prose(inspect.getdoc(hook) or '')} Since version {hookspecs.SINCE[hook.__name__]}.\n")
        rows = "".join(f"| `{name}` | `{argument.annotation}` |\n" for name, argument in arguments.items())
        parts.append(f"| argument | type |\n| --- | --- |\n{rows}")
    return "\n".join([*parts, REGISTER])
