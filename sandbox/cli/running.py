"""One scene: run it, and go on with a run that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.options import Changes, CheckpointEvery, PluginFiles, SceneName, Seed, use
from sandbox.errors import printable

if TYPE_CHECKING:
    from sandbox.report import Reporter
    from sandbox.results import Run


def run(
    scene: SceneName,
    changes: Changes = None,
    out: Annotated[Path | None, typer.Option("--out", help="run folder; runs/<scene>-<time> by default")] = None,
    seed: Seed = None,
    plugin: PluginFiles = None,
    checkpoint_every: CheckpointEvery = 30.0,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="make the first event an error: loss of convexity, a stiffness at a bound, ..."),
    ] = False,
) -> None:
    """Run a scene and leave a folder with its data and figures."""
    from sandbox.run import load

    use(plugin)
    experiment = load(scene, changes or (), seed=seed)
    title = experiment.scene.title or experiment.scene.name
    _watch(lambda terminal: experiment.run(out, terminal, strict=strict, checkpoint_every=checkpoint_every), title)


def resume(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run that was interrupted or killed")],
    checkpoint_every: CheckpointEvery = 30.0,
    plugin: PluginFiles = None,
) -> None:
    """Go on with a run from its last checkpoint; the results are those of a run that was not interrupted."""
    from sandbox import run

    use(plugin)
    _watch(lambda terminal: run.resume(run_folder, terminal, checkpoint_every=checkpoint_every))


def _watch(go: Callable[[Reporter], Run], title: str = "") -> None:
    """Let a run go, with a progress bar, and print how it ended."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sandbox.interrupts import Interrupted
    from sandbox.report import Terminal

    try:
        with Terminal() as terminal:
            result = go(terminal)
    except Interrupted as stop:
        typer.echo(printable(str(stop)), err=True)
        raise typer.Exit(128 + stop.signal) from stop
    table = Table(show_header=False)
    for name, value in result.figures.items():
        said = f"{value:.6g}" if isinstance(value, (int, float)) else str(value)
        table.add_row(Text(printable(name)), Text(printable(said)))
    console = Console()
    console.print(printable(title or result.data.attrs["title"]), style="bold", highlight=False, markup=False)
    console.print(table)
    console.print(f"run folder: {result.folder}", soft_wrap=True, highlight=False, markup=False)
