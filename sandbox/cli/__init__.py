"""The command ``sandbox``. Thin: each subcommand imports what it needs when it is called."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sandbox.cli import checking, looking, plugins, running, sweeping
from sandbox.errors import PluginFault, SandboxError, printable

app = typer.Typer(
    name="sandbox",
    help="Matter that learns, on a bench you can touch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for name, command in {
    "run": running.run,
    "resume": running.resume,
    "sweep": sweeping.sweep,
    "search": sweeping.search,
    "list": looking.list_scenes,
    "plugins": plugins.list_plugins,
    "show": looking.show,
    "export": looking.export,
    "validate": checking.validate,
    "new-plugin": plugins.new_plugin,
    "check": checking.check,
    "view": looking.view,
}.items():
    app.command(name)(command)


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
    no_plugin: Annotated[
        list[str] | None, typer.Option("--no-plugin", metavar="NAME", help="leave a plugin out; may be repeated")
    ] = None,
) -> None:
    """Matter that learns, on a bench you can touch."""
    plugins.block(no_plugin or [])


def main() -> None:
    """Entry point: a mistake in what was given ends with one message and status 2, a fault of the program with 3."""
    try:
        names, sys.argv[1:] = plugins.left_out(sys.argv[1:])
        plugins.block(names)
        if not {"--help", "--version"} & set(sys.argv[1:]):
            plugins.add_commands(app)
        try:
            app()
        except Exception as error:
            from sandbox.blame import fault_of_plugin

            fault = fault_of_plugin(error)
            if fault is None:
                raise
            raise fault from error
    except PluginFault as error:
        import traceback

        traceback.print_exception(error.__cause__)  # for the plugin's author
        typer.echo(f"error: {printable(str(error))}", err=True)
        sys.exit(3)
    except SandboxError as error:
        typer.echo(f"error: {printable(str(error))}", err=True)
        sys.exit(2)
    except MemoryError:
        typer.echo("error: there is not enough memory for this; make the network or the batch smaller", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        import traceback

        traceback.print_exc()  # for whoever mends it
        said = printable(f"{type(error).__name__}: {error}")
        typer.echo(f"error: a fault of the sandbox, not of the scene: {said}", err=True)
        sys.exit(3)
