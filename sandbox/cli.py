"""The command ``sandbox``. Thin: each subcommand imports what it needs when it is called."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sandbox.errors import SandboxError

app = typer.Typer(
    name="sandbox",
    help="Matter that learns, on a bench you can touch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SceneName = Annotated[str, typer.Argument(help="name of a scene (see `sandbox list`) or path of a .toml file")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change a key of the scene; may be repeated")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="in place of the scene's seed")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
PluginFiles = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE.py", help="load a plugin from a file; may be repeated")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from sandbox import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Matter that learns, on a bench you can touch."""


def _use(files: list[Path] | None) -> None:
    if files:
        from sandbox.plugins import use

        for file in files:
            use(file)


@app.command()
def run(
    scene: SceneName,
    changes: Changes = None,
    out: Annotated[Path | None, typer.Option("--out", help="run folder; runs/<scene>-<time> by default")] = None,
    seed: Seed = None,
    plugin: PluginFiles = None,
) -> None:
    """Run a scene and leave a folder with its data and figures."""
    from rich.console import Console
    from rich.table import Table

    from sandbox.report import Terminal
    from sandbox.run import load

    _use(plugin)
    experiment = load(scene, changes or (), seed=seed)
    with Terminal() as terminal:
        result = experiment.run(out, terminal)
    table = Table(show_header=False)
    for name, value in result.figures.items():
        table.add_row(name, f"{value:.6g}" if isinstance(value, (int, float)) else str(value))
    console = Console()
    console.print(experiment.scene.title or experiment.scene.name, style="bold", highlight=False)
    console.print(table)
    console.print(f"run folder: {result.folder}", soft_wrap=True, highlight=False)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the scenes that come with the sandbox."""
    from sandbox import scene

    rows = []
    for name in scene.names():
        try:
            rows.append((name, scene.read(name).title))
        except SandboxError as error:
            rows.append((name, f"cannot be read: {error}"))
    if as_json:
        typer.echo(json.dumps([{"name": name, "title": title} for name, title in rows], indent=2))
        return
    width = max((len(name) for name, _ in rows), default=0)
    for name, title in rows:
        typer.echo(f"{name:<{width}}  {title}")


@app.command("plugins")
def plugins_(as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List the plugins that were found, what they registered, and what is wrong with those that failed."""
    from dataclasses import asdict

    from sandbox.plugins import plugins

    _use(plugin)
    found = plugins().found
    if as_json:
        typer.echo(json.dumps([asdict(p) for p in found], indent=2))
        return
    for p in found:
        typer.echo(f"{p.name:<16} {p.state:<8} {p.package} {p.version}")
        typer.echo(f"{'':<16} {p.error or ', '.join(p.registered) or 'registers nothing'}")


@app.command()
def show(
    scene: SceneName,
    changes: Changes = None,
    seed: Seed = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="where to draw it; SCENE.png by default")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Show what a scene would build, with a picture, and run nothing."""
    import tomli_w

    from sandbox.pictures import DPI, preview
    from sandbox.results import write_atomically
    from sandbox.run import load

    _use(plugin)
    experiment = load(scene, changes or (), seed=seed)
    setup = experiment.setup
    setup.check()
    typer.echo(tomli_w.dumps(experiment.scene.resolved()).rstrip())
    typer.echo(f"\n{setup.system!r}")
    for role, nodes in setup.roles.items():
        typer.echo(f"{role}: {len(nodes)} node(s) {nodes[:12].tolist()}{'...' if len(nodes) > 12 else ''}")
    path = picture or Path(f"{experiment.scene.name}.png")
    figure = preview(setup)
    write_atomically(path, lambda p: figure.savefig(p, dpi=DPI, format="png"))
    typer.echo(f"picture: {path}")


def main() -> None:
    """Entry point: a mistake in what was given ends with one message and status 2."""
    try:
        if not {"--help", "--version"} & set(sys.argv[1:]):
            _add_plugin_commands()
        app()
    except SandboxError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)


def _add_plugin_commands() -> None:
    from sandbox.plugins import plugins

    for problem in plugins().notify("register_commands", cli=app):
        typer.echo(f"warning: {problem}", err=True)
