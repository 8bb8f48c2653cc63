"""Running a scene: learn, relax or move, with progress, and leave a folder behind; and going on with a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import results, scene
from sandbox.blame import blaming_plugins
from sandbox.checkpoints import EVERY, Checkpoints, Keeper
from sandbox.errors import RunError, Unconverged
from sandbox.events import judge
from sandbox.interrupts import Interrupts
from sandbox.lock import alone_in_process, locked
from sandbox.plain import misfit
from sandbox.plugins import plugins
from sandbox.report import Reporter, telling
from sandbox.results import Run

if TYPE_CHECKING:
    import xarray as xr

    from sandbox.build import Setup


@dataclass(eq=False)
class Experiment:
    """A scene that is ready to run.

    ``setup`` holds what it builds (network, system, apparatus, bench, task), each made on first use.
    """

    scene: scene.Scene
    setup: Setup = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from sandbox.build import Setup

        self.setup = Setup(self.scene)

    def run(
        self,
        out: str | Path | None = None,
        reporter: Reporter | None = None,
        *,
        checkpoint_every: float = EVERY,
        pictures: bool = True,
        strict: bool = False,
    ) -> Run:
        """Run the scene once and write its folder.

        Args:
            out: the folder, which must not exist or be empty; ``runs/<scene>-<time>`` by default.
            reporter: told of progress; by default a progress bar in a notebook, and nobody elsewhere.
            checkpoint_every: seconds between checkpoints; 0 for one at every step or epoch that can be gone on from.
            pictures: whether to draw.
            strict: whether an event (:mod:`sandbox.events`: loss of convexity, stiffnesses at their bounds, knobs that
                run away, steps that do not converge, ...) ends the run with an error. A loss that stays above
                ``training.stop_loss`` does so at its end, when its folder is complete.

        Raises:
            SandboxError: for whatever the scene asks that cannot be had; no folder is left behind then.
            Unconverged: for a state at rest that is no minimum; the folder holds it, and its status.
            StrictError: for the first event, if strict.
            PluginFault: for what goes wrong in the code of a plugin.
            RunError: for a folder that cannot be written; what was kept of the run stays readable.
            Interrupted: (a KeyboardInterrupt) on SIGINT or SIGTERM, once the state is saved; :func:`resume` goes on.
        """
        with (
            blaming_plugins(),
            alone_in_process(self.scene.name),
            telling(reporter) as told,
            Interrupts() as interrupts,
        ):
            self._begin(strict)
            with results.new_folder(self.scene, out) as folder:
                results.begin(folder, self.scene, strict, self.setup.inputs.found)
                keeper = Keeper(Checkpoints(folder), interrupts, told, checkpoint_every)
                return self._run_in(folder, told, keeper, pictures)

    def _begin(self, strict: bool = False) -> None:
        """Build everything anew: a run starts from the scene, not from where an earlier run left the bench."""
        from sandbox.build import Setup

        self.setup = Setup(self.scene, strict)
        self.setup.check()

    def _run_in(self, folder: Path, reporter: Reporter, keeper: Keeper, pictures: bool) -> Run:
        from sandbox.dataset import annotate

        for problem in plugins().notify("run_started", scene=self.scene.resolved(), folder=folder):
            reporter.warn(problem)
        data, figures = self._do(reporter, keeper)
        annotate(data, self.setup)
        figures["seconds"] = keeper.seconds
        data.attrs |= {"scene": self.scene.name, "title": self.scene.title, "seed": self.scene.seed}
        data.attrs |= {name: value for name, value in figures.items() if name != "seconds"}
        results.finish(folder, data, figures)
        run = self._complete(Run(folder, data, figures), reporter, pictures)
        return _judged(run, self.setup.strict)

    def _complete(self, run: Run, reporter: Reporter, pictures: bool) -> Run:
        """Draw what was computed."""
        from sandbox.pictures import draw

        if pictures:
            reporter.start("drawing", 1)
            run.pictures[:] = draw(self.setup, run.data, run.folder)
        results.complete(run.folder, run.pictures)
        for problem in plugins().notify("run_ended", folder=run.folder, figures=run.figures):
            reporter.warn(problem)
        return run

    def _do(self, reporter: Reporter, keeper: Keeper) -> tuple[xr.Dataset, dict[str, Any]]:
        from sandbox import doing, moving

        if self.scene.training is not None:
            return doing.learn(self.setup, reporter, keeper)
        if self.scene.relax is not None:
            return doing.relax(self.setup, reporter)
        return moving.move(self.setup, reporter, keeper)


def load(
    name: str | Path, changes: Iterable[str | tuple[str, Any]] = (), *, seed: int | None = None, **sections: Any
) -> Experiment:
    """An experiment from a scene: its file, or the name of one that comes with the sandbox.

    Args:
        changes: ``"key=value"`` texts as for ``--set`` on the command line, or pairs of a key and a value.
        seed: in place of the scene's.
        sections: replacements for keys of whole sections, for example ``training={"epochs": 5}``.

    Raises:
        SandboxError: every mistake in the scene, with its key.
    """
    with blaming_plugins():
        return Experiment(scene.read(name, changes, seed, sections))


def resume(
    folder: str | Path,
    reporter: Reporter | None = None,
    *,
    checkpoint_every: float = EVERY,
    pictures: bool = True,
) -> Run:
    """Go on with a run that was interrupted or killed, from its last checkpoint that is whole.

    On the same machine, with the same versions and number of threads, the results are those of a run that was not
    interrupted, to the last bit. A run that is complete is given back as it is.

    Args:
        folder: of the run.
        reporter, checkpoint_every, pictures: as for :meth:`Experiment.run`.

    Raises:
        RunError: if no run was begun in the folder, if what it began with was changed, or if it is in use.
        SandboxError, Unconverged, Interrupted: as for :meth:`Experiment.run`.
    """
    folder = Path(folder)
    found = results.check_beginning(folder)
    if found is not None and found.stage == "complete":
        return _judged(results.read_run(folder), found.strict)
    with (
        blaming_plugins(),
        alone_in_process(folder.name),
        telling(reporter) as told,
        Interrupts() as interrupts,
        locked(folder),
    ):
        found = results.check_beginning(folder)  # another process may have gone on with it just before
        if found is not None and found.stage == "complete":
            return _judged(results.read_run(folder), found.strict)
        experiment = load(folder / results.SCENE)
        experiment._begin(found is not None and found.strict)
        changed = results.note_resumption(folder, experiment.scene, experiment.setup.inputs.found)
        if changed:
            told.warn(
                f"not as when the run began: {', '.join(changed)}; the results may differ in the last digits from "
                "those of a run that was not interrupted"
            )
        checkpoints = Checkpoints(folder)
        if found is not None and found.stage == "computed":
            checkpoints.clear()
            return _judged(experiment._complete(results.read_run(folder), told, pictures), found.strict)
        state, problems = checkpoints.load()
        for problem in problems:
            told.warn(problem)
        if problems and state is None:
            told.warn("no checkpoint is whole; the run starts from the beginning")
        if state is not None and (
            not isinstance(state, dict) or misfit(state, {"seconds": 0.0, "run": {}}) or None in state.values()
        ):
            raise RunError(f"the checkpoints in {folder} are not those of a run")
        keeper = Keeper(checkpoints, interrupts, told, checkpoint_every, state)
        return experiment._run_in(folder, told, keeper, pictures)


def _judged(run: Run, strict: bool) -> Run:
    """Return the run if its state is a minimum and, where it is strict, nothing happened that should not.

    Raises:
        Unconverged: if the state is none; saying why and where what was computed is.
        StrictError: for an event of a strict run.
    """
    why = run.data.attrs.get(results.UNCONVERGED)
    if why is not None:
        raise Unconverged(f"{why}\nwhat was computed is kept, with its status: {run.folder}")
    if strict:
        judge(event["kind"] for event in run.events)
    return run
