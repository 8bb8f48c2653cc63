"""Look at scenes before they run, and at runs afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.options import AsJson, Changes, PluginFiles, SceneName, Seed, use
from sandbox.errors import SandboxError

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run")]

_BEGAN = time.perf_counter()


def list_scenes(as_json: AsJson = False) -> None:
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


def show(
    scene: SceneName,
    changes: Changes = None,
    seed: Seed = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="where to draw it; SCENE.png by default")] = None,
    plugin: PluginFiles = None,
    timings: Annotated[bool, typer.Option("--timings", help="tell what the first answer costs; draw nothing")] = False,
) -> None:
    """Show what a scene would build, with a picture, and run nothing."""
    from sandbox.run import load

    use(plugin)
    experiment = load(scene, changes or (), seed=seed)
    setup = experiment.setup
    if timings:
        from sandbox.timings import measure

        cost = measure(setup, time.perf_counter() - _BEGAN)
        for stage, seconds in cost.seconds.items():
            typer.echo(f"{seconds:9.4f} s  {stage}")
        typer.echo(f"{len(cost.kernels):9d} kernel(s): {', '.join(sorted(cost.kernels)) or 'none'}")
        return
    import tomli_w

    from sandbox.pictures import DPI, preview
    from sandbox.results import write_atomically

    setup.check()
    typer.echo(tomli_w.dumps(experiment.scene.resolved()).rstrip())
    typer.echo(f"\n{setup.system!r}")
    for role, nodes in setup.roles.items():
        typer.echo(f"{role}: {len(nodes)} node(s) {nodes[:12].tolist()}{'...' if len(nodes) > 12 else ''}")
    path = picture or Path(f"{experiment.scene.name}.png")
    figure = preview(setup)
    write_atomically(path, lambda p: figure.savefig(p, dpi=DPI, format="png"))
    typer.echo(f"picture: {path}")


def export(
    run_folder: RunFolder,
    to: Annotated[
        Path, typer.Option("--to", help="file to write: .graphml, .xyz, .vtu, .vtk; .gif, .mp4, .html for a film")
    ],
    frame: Annotated[
        int | None, typer.Option("--frame", help="which moment, from 0, or -1 for the last; .xyz takes all by default")
    ] = None,
    plugin: PluginFiles = None,
) -> None:
    """Write the network or the states of a run to a file that other programs open, or a film of it."""
    from sandbox.exporting import export

    use(plugin)
    typer.echo(f"written: {export(run_folder, to, frame=frame)}")


def view(
    run_folder: RunFolder,
    output: Annotated[
        Path | None, typer.Option("--output", help="file to write; page.html in the run folder by default")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="do not open it in the browser")] = False,
    plugin: PluginFiles = None,
) -> None:
    """Write one page of HTML of a run and open it: figures, network, curves, scene, where the numbers come from."""
    from sandbox.viewing import view

    use(plugin)
    typer.echo(f"written: {view(run_folder, output, show=not no_open)}")
