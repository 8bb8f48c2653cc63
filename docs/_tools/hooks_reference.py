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
written, `{declaration} = {version}`; one for a version that the sandbox does not know is refused by name.
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


def page() -> str:
    """The text of docs/hooks.md."""
    parts = [HEAD.format(version=hookspecs.VERSION, declaration=hookspecs.DECLARATION)]
    for hook in hooks():
        arguments = inspect.signature(hook).parameters
        parts.append(f"## `{hook.__name__}({', '.join(arguments)})`\n")
        parts.append(prose(inspect.getdoc(hook) or "") + "\n")
        rows = "".join(f"| `{name}` | `{argument.annotation}` |\n" for name, argument in arguments.items())
        parts.append(f"| argument | type |\n| --- | --- |\n{rows}")
    return "\n".join([*parts, REGISTER])
