"""Plugins: list them, leave some out, begin a new one, and let them add commands of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.options import AsJson, PluginFiles, use
from sandbox.errors import SandboxError


def list_plugins(as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List the plugins that were found, what they registered, and what is wrong with those that failed."""
    from dataclasses import asdict

    from sandbox.plugins import plugins

    use(plugin)
    found = plugins().found
    if as_json:
        typer.echo(json.dumps([asdict(p) for p in found], indent=2))
        return
    for p in found:
        typer.echo(f"{p.name:<16} {p.state:<8} {p.package} {p.version}")
        typer.echo(f"{'':<16} {p.error or ', '.join(p.registered) or 'registers nothing'}")


def new_plugin(
    name: Annotated[str, typer.Argument(help="of the package: letters, digits, - and _")],
    controller: Annotated[bool, typer.Option("--controller", help="a plugin that adds a controller")] = False,
    task: Annotated[bool, typer.Option("--task", help="a plugin that adds a task")] = False,
    system: Annotated[bool, typer.Option("--system", help="a plugin that adds a system (the default)")] = False,
    folder: Annotated[Path | None, typer.Option("--folder", help="where to write it; ./NAME by default")] = None,
) -> None:
    """Write the package of a new plugin: installable, with an example and tests."""
    from sandbox.scaffold import new_plugin as write

    if controller + task + system > 1:
        raise SandboxError("give one of --system, --controller and --task")
    written = write(name, "controller" if controller else "task" if task else "system", folder)
    typer.echo(f"written: {written}")
    typer.echo(f"next: cd {written} && pip install -e '.[dev]' && python -m pytest")


def block(names: list[str]) -> None:
    """Leave plugins out."""
    if names:
        from sandbox import plugins

        plugins.block(names)


def left_out(words: list[str]) -> tuple[list[str], list[str]]:
    """Values of ``--no-plugin``, wherever it stands, and the rest; plugins add commands before the line is parsed."""
    names: list[str] = []
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        value = next(remaining, None) if word == "--no-plugin" else None
        if value is not None:
            names.append(value)
        elif word.startswith("--no-plugin="):
            names.append(word.partition("=")[2])
        else:
            rest.append(word)
    return names, rest


def add_commands(app: typer.Typer) -> None:
    """Let plugins add subcommands; one whose hook fails, or takes the name of another command, adds none."""
    from sandbox.plugins import plugins

    def names() -> list[str]:
        commands = [c.name or getattr(c.callback, "__name__", "").replace("_", "-") for c in app.registered_commands]
        groups = [g.name or g.typer_instance.info.name for g in app.registered_groups if g.typer_instance]
        return [*commands, *(g for g in groups if isinstance(g, str))]

    for plugin, call in plugins().calls("register_commands"):
        kept = app.registered_commands[:], app.registered_groups[:]
        problem = call(cli=app)
        twice = [name for name in names() if names().count(name) > 1]
        if twice:
            problem = f"plugin {plugin!r}, register_commands: there is a command {twice[0]!r} already"
        if problem:
            app.registered_commands[:], app.registered_groups[:] = kept
            typer.echo(f"warning: {problem}", err=True)
