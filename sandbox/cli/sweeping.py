"""Many runs of one scene: over values and seeds, and in search of the best values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.options import CheckpointEvery, PluginFiles, SceneName
from sandbox.errors import printable

if TYPE_CHECKING:
    from sandbox.report import Reporter

Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="ADDRESS", help="of a running dask scheduler; workers are started here by default"
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="processes on this machine; one for each processor by default")
]
Strict = Annotated[bool, typer.Option("--strict", help="a run fails at its first event")]


def sweep(
    scene: SceneName,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help="one value, or a list 0.01,0.1,1, a range 0:32 or 0:1:0.1 (without its end), log:1e-3:1:7 or "
            "lin:0:1:11 (with both); may be repeated",
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", metavar="VALUES", help="say 0:32, or 1,2,5")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="folder; one with an unfinished sweep of this scene is gone on with"),
    ] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="how often a run is tried again that failed by accident")
    ] = 2,
    checkpoint_every: CheckpointEvery = 30.0,
    pictures: Annotated[bool, typer.Option("--pictures", help="draw every run too")] = False,
    strict: Strict = False,
    plugin: PluginFiles = None,
) -> None:
    """Run a scene for every combination of values and seeds, on several processes or machines.

    Leaves a table (table.csv), one dataset over all axes (data.nc), a picture and the run folders. Ends with status 1
    if runs failed.
    """
    from sandbox.sweeping.sweep import Settings, make_folder, plugin_files, run_sweep

    settings = Settings(checkpoint_every, pictures, strict, plugin_files(plugin or ()), retries)
    folder = out or make_folder(None, Path(scene).stem, "sweep")
    done = _swept(
        lambda terminal, say: run_sweep(
            scene, changes or (), seeds, folder, scheduler, workers, settings, terminal, say
        ),
        folder,
    )
    typer.echo(f"{len(done.cases) - len(done.failed)} of {len(done.cases)} runs are complete")
    typer.echo(f"sweep folder: {done.folder}")
    if done.failed:
        typer.echo(f"why the others failed: {done.folder}/table.csv and {done.folder}/errors", err=True)
        raise typer.Exit(1)


def search(
    scene: SceneName,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help="what is searched: an interval log:0.01:1 or lin:0:1, or values to choose from, as for sweep; or one "
            "value; may be repeated",
        ),
    ] = None,
    minimize: Annotated[str | None, typer.Option("--minimize", metavar="FIGURE", help='say "test loss"')] = None,
    maximize: Annotated[str | None, typer.Option("--maximize", metavar="FIGURE", help='say "test accuracy"')] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="runs in all")] = 50,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder; an unfinished search in it is gone on with")
    ] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    checkpoint_every: CheckpointEvery = 30.0,
    strict: Strict = False,
    plugin: PluginFiles = None,
) -> None:
    """Search for the values at which a figure of merit is best, with optuna."""
    from sandbox.sweeping.axes import parse
    from sandbox.sweeping.search import run_search
    from sandbox.sweeping.study import goal_of
    from sandbox.sweeping.sweep import Settings, make_folder, plugin_files

    goal = goal_of(minimize, maximize)
    settings = Settings(checkpoint_every, False, strict, plugin_files(plugin or ()))
    folder = out or make_folder(None, Path(scene).stem, "search")
    data = _swept(
        lambda terminal, say: run_search(
            scene, [*map(parse, changes or ())], goal, trials, folder, scheduler, workers, settings, terminal, say
        ),
        folder,
    )
    best = data.isel(trial=data.attrs["best"])
    for name in (*data.attrs["keys"], data.attrs["merit"]):
        typer.echo(f"{name} = {best[name].item()}")
    typer.echo(f"best run: {folder}/runs/{data.attrs['best']:04d}")
    typer.echo(f"search folder: {folder}")


def _print(terminal: Any, line: str) -> None:
    """Print a line as it stands: what is in brackets is a value, no markup."""
    terminal.console.print(printable(line), soft_wrap=True, highlight=False, markup=False)


def _swept(go: Callable[[Reporter, Callable[[str], None]], Any], folder: Path) -> Any:
    """Let many runs go, with a progress bar; an interrupt says how to go on."""
    from sandbox.report import Terminal

    with Terminal() as terminal:
        try:
            return go(terminal, lambda line: _print(terminal, line))
        except KeyboardInterrupt:
            hint = f"; go on with the same command and --out {folder}" if folder.is_dir() else ""
            typer.echo(printable(f"interrupted{hint}"), err=True)
            raise typer.Exit(130) from None
