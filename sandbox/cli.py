"""The command ``sandbox``. Thin: each subcommand imports what it needs when it is called."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.errors import PluginFault, SandboxError, printable

if TYPE_CHECKING:
    from sandbox.report import Reporter
    from sandbox.results import Run

_BEGAN = time.perf_counter()

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

CheckpointEvery = Annotated[
    float, typer.Option("--checkpoint-every", min=0, metavar="SECONDS", help="how often the state of the run is saved")
]

Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="ADDRESS", help="of a running dask scheduler; workers are started here by default"
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="processes on this machine; one for each processor by default")
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
    no_plugin: Annotated[
        list[str] | None, typer.Option("--no-plugin", metavar="NAME", help="leave a plugin out; may be repeated")
    ] = None,
) -> None:
    """Matter that learns, on a bench you can touch."""
    if no_plugin:
        _block(no_plugin)


def _block(names: list[str]) -> None:
    from sandbox.plugins import block

    block(names)


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
    checkpoint_every: CheckpointEvery = 30.0,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="stop at the first event: loss of convexity, a stiffness at a bound, ..."),
    ] = False,
) -> None:
    """Run a scene and leave a folder with its data and figures."""
    from sandbox.run import load

    _use(plugin)
    experiment = load(scene, changes or (), seed=seed)
    title = experiment.scene.title or experiment.scene.name
    _watch(lambda terminal: experiment.run(out, terminal, strict=strict, checkpoint_every=checkpoint_every), title)


@app.command()
def resume(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run that was interrupted or killed")],
    checkpoint_every: CheckpointEvery = 30.0,
    plugin: PluginFiles = None,
) -> None:
    """Go on with a run from its last checkpoint; the results are those of a run that was not interrupted."""
    from sandbox import run

    _use(plugin)
    _watch(lambda terminal: run.resume(run_folder, terminal, checkpoint_every=checkpoint_every))


def _watch(go: Callable[[Reporter], Run], title: str = "") -> None:
    """Let a run go, with a progress bar, and print how it ended."""
    from rich.console import Console
    from rich.table import Table

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
        table.add_row(name, f"{value:.6g}" if isinstance(value, (int, float)) else str(value))
    console = Console()
    console.print(printable(title or result.data.attrs["title"]), style="bold", highlight=False, markup=False)
    console.print(table)
    console.print(f"run folder: {result.folder}", soft_wrap=True, highlight=False, markup=False)


@app.command()
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
    strict: Annotated[bool, typer.Option("--strict", help="a run fails at its first event")] = False,
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


@app.command()
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
    strict: Annotated[bool, typer.Option("--strict", help="a run fails at its first event")] = False,
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


def _swept(go: Callable[[Reporter, Callable[[str], None]], Any], folder: Path) -> Any:
    """Let many runs go, with a progress bar; an interrupt says how to go on."""
    from sandbox.report import Terminal

    with Terminal() as terminal:
        try:
            return go(terminal, lambda line: terminal.console.print(line, soft_wrap=True, highlight=False))
        except KeyboardInterrupt:
            hint = f"; go on with the same command and --out {folder}" if folder.is_dir() else ""
            typer.echo(printable(f"interrupted{hint}"), err=True)
            raise typer.Exit(130) from None


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
    timings: Annotated[bool, typer.Option("--timings", help="tell what the first answer costs; draw nothing")] = False,
) -> None:
    """Show what a scene would build, with a picture, and run nothing."""
    from sandbox.run import load

    _use(plugin)
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


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run")],
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

    _use(plugin)
    typer.echo(f"written: {export(run_folder, to, frame=frame)}")


@app.command()
def validate(as_json: AsJson = False) -> None:
    """Check the physics on this machine against closed forms, SciPy, conservation laws and the theory."""
    from sandbox.validation import validate

    checks = list(validate())
    if as_json:
        typer.echo(json.dumps([check.row() for check in checks], indent=2))
    else:
        from sandbox.validation.check import print_table

        print_table("Physics on this machine", checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command("new-plugin")
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


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="PLUGIN", help="name of a plugin (see `sandbox plugins`), or FILE.py")],
    as_json: AsJson = False,
) -> None:
    """Measure whether what a plugin registers keeps what the bench and the controllers rely on."""
    from sandbox.testing.command import check_plugin

    raise typer.Exit(0 if check_plugin(name, as_json) else 1)


@app.command()
def view(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run")],
    output: Annotated[
        Path | None, typer.Option("--output", help="file to write; page.html in the run folder by default")
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="do not open it in the browser")] = False,
    plugin: PluginFiles = None,
) -> None:
    """Write one page of HTML of a run and open it: figures, network, curves, scene, where the numbers come from."""
    from sandbox.viewing import view

    _use(plugin)
    typer.echo(f"written: {view(run_folder, output, show=not no_open)}")


def main() -> None:
    """Entry point: a mistake in what was given ends with one message and status 2, a fault of the program with 3."""
    try:
        names, sys.argv[1:] = _no_plugins(sys.argv[1:])
        if names:
            _block(names)
        if not {"--help", "--version"} & set(sys.argv[1:]):
            _add_plugin_commands()
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


def _no_plugins(words: list[str]) -> tuple[list[str], list[str]]:
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


def _add_plugin_commands() -> None:
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
