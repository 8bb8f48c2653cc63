"""The command ``sandbox``. Thin: each subcommand imports what it needs when it is called."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sandbox.cli import checking, ending, looking, plugins, running, sweeping

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
    ending.open_standard_files()
    try:
        names, sys.argv[1:] = plugins.left_out(sys.argv[1:])
        plugins.block(names)
        if not {"--help", "--version"} & set(sys.argv[1:]):
            plugins.add_commands(app)
        try:
            app()
        except SystemExit:
            ending.flush_output()
            raise
        except Exception as error:
            from sandbox.blame import fault_of_plugin

            fault = fault_of_plugin(error)
            if fault is None:
                raise
            raise fault from error
    except Exception as error:
        sys.exit(ending.told(error))
    except KeyboardInterrupt:
        ending.say("interrupted")
        sys.exit(130)
