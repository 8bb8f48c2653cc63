"""Many runs of one scene, over values of its keys and over seeds, on one machine or many."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import manifest, results
from sandbox.checkpoints import EVERY
from sandbox.errors import RunError, SweepError
from sandbox.files import write_text
from sandbox.lock import locked
from sandbox.plugins import use
from sandbox.report import Reporter, Silent
from sandbox.sweeping import plan
from sandbox.sweeping.axes import Axis, Between, axis, parse, seeds
from sandbox.sweeping.crew import Crew, crew
from sandbox.sweeping.plan import Case
from sandbox.sweeping.worker import Job, Outcome, complete

if TYPE_CHECKING:
    import xarray as xr

RETRIES = 2
TABLE_EVERY = 5.0
"""Seconds between two writings of the table, while runs end."""

Over = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """How runs are made: as for one run, and how often one that failed is tried again."""

    checkpoint_every: float = EVERY
    pictures: bool = False
    strict: bool = False
    plugins: tuple[str, ...] = ()
    retries: int = RETRIES

    @cached_property
    def sources(self) -> dict[str, str]:
        """Digests of the plugins' sources by name; they are loaded in this process too, which plans the runs."""
        return {plugin.name: plugin.source for plugin in map(use, self.plugins)}


@dataclass
class Sweep:
    """A sweep in its folder.

    Attributes:
        axes: keys and values.
        cases: its runs.
        outcomes: how those that ended did, by name.
    """

    folder: Path
    axes: list[Axis]
    cases: list[Case]
    settings: Settings
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Of the axes."""
        return [axis.key for axis in self.axes]

    @property
    def failed(self) -> dict[str, str]:
        """Errors of the runs that failed, by name."""
        return {name: ended.error for name, ended in self.outcomes.items() if ended.error}

    def job(self, case: Case) -> Job:
        """What a worker is given."""
        s = self.settings
        folder = (self.folder / plan.RUNS / case.name).resolve()
        places = tuple(map(str, case.scene.places))
        return Job(
            case.name,
            case.text,
            str(folder),
            s.checkpoint_every,
            s.pictures,
            s.strict,
            s.plugins,
            places,
            s.sources,
        )

    def find_done(self) -> list[Case]:
        """Take note of the runs that are complete; the others are returned."""
        for case in self.cases:
            folder = self.folder / plan.RUNS / case.name
            try:
                found = manifest.read(folder)
                if found is not None and found.stage == "complete":
                    done = results.read_run(folder)
                    if (folder / results.SCENE).read_text(encoding="utf-8") == case.text:
                        self.outcomes[case.name] = complete(folder, done.figures)
            except RunError:
                continue  # the worker that gets it says what is wrong
        return [case for case in self.cases if case.name not in self.outcomes]


def sweep(
    scene: str | Path,
    over: Over | None = None,
    *,
    seeds: Any = None,
    changes: Iterable[str] = (),
    out: str | Path | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    retries: int = RETRIES,
    checkpoint_every: float = EVERY,
    pictures: bool = False,
    strict: bool = False,
    plugins: Iterable[str | Path] = (),
    reporter: Reporter | None = None,
) -> xr.Dataset:
    """Run a scene for every combination of values, each in a folder of its own, on several processes.

    >>> import sandbox
    >>> table = sandbox.sweep("iris_flow", {"controller.beta": [0.1, 1]}, seeds=range(8))     # doctest: +SKIP
    >>> table["test accuracy"].mean("seed")                                                   # doctest: +SKIP

    Called again with the same folder, it makes the runs that are missing, goes on with those that were interrupted from
    their checkpoints, tries again those that failed, and repeats none that is complete. Needs the extra ``sweep``.

    Args:
        scene: a name or a path.
        over: values by dotted key: a sequence, or a text as on the command line (``"0.1,1"``, ``"0:32"``,
            ``"0:1:0.1"``, ``"log:1e-3:1:7"``, ``"lin:0:1:11"``).
        seeds: likewise; the scene's own by default.
        changes: ``"key=value"`` texts that hold for all runs.
        out: the folder; ``runs/<scene>-sweep-<time>`` by default.
        scheduler: address of a running scheduler of dask.distributed, whose workers see the same folders; by default
            workers are started on this machine, for this sweep.
        workers: how many of those; as many as there are processors by default. They share the processors' threads.
        retries: how often a run is tried again whose failure may pass: its worker died, a file could not be written.
        checkpoint_every, pictures, strict: as for :meth:`Experiment.run`, of every run.
        plugins: files of plugins for the workers; those in use by :func:`sandbox.use` are not theirs.
        reporter: told of progress.

    Returns:
        Figures of merit and what the runs recorded, over the axes of the sweep, as in its ``data.nc``.

    Warns:
        UserWarning: if runs failed; they are NaN, and ``outcome`` says why.

    Raises:
        SweepError: for keys or values that the scene cannot have; if the scheduler does not answer; for the folder of
            another sweep; if all runs failed.
        RunError: if the folder is in use, or cannot be written.
    """
    given = [parse(change) for change in changes]
    wrong = next((c for c in given if not isinstance(c, tuple)), None)
    if wrong is not None:
        raise SweepError(f"{wrong.key}: changes hold for all runs; values to sweep go into `over`")
    swept = [*given, *(axis(key, values) for key, values in (over or {}).items())]
    settings = Settings(checkpoint_every, pictures, strict, plugin_files(plugins), retries)
    done = run_sweep(scene, swept, seeds, out, scheduler, workers, settings, reporter or Silent())
    if done.failed:
        first = next(iter(done.failed.items()))
        warnings.warn(
            f"{len(done.failed)} of {len(done.cases)} runs failed, see `outcome`; {first[0]}: {first[1]}", stacklevel=2
        )
    return results.open_run(done.folder)


def run_sweep(
    scene: str | Path,
    changes: Iterable[str | tuple[str, Any] | Axis | Between],
    seeds_: Any,
    out: str | Path | None,
    scheduler: str | None,
    workers: int | None,
    settings: Settings,
    reporter: Reporter,
    said: Any = lambda line: None,
) -> Sweep:
    """Plan a sweep, make its runs and leave its table, dataset and picture.

    Args:
        changes: axes and changes that hold for all runs, in the order in which they are made.
        said: told of the dashboard's address.

    Raises:
        As :func:`sweep`.
    """
    sources = settings.sources
    items = [parse(c) if isinstance(c, str) else c for c in changes]
    between = next((c for c in items if isinstance(c, Between)), None)
    if between is not None:
        raise SweepError(
            f"{between.key}: how many values? for example {between.spacing}:{between.low:g}:{between.high:g}:5"
        )
    fixed = [c for c in items if not isinstance(c, Between)]
    seed_axis = None if seeds_ is None else seeds(seeds_)
    cases = plan.cases(scene, fixed, seed_axis)
    axes = [c for c in fixed if isinstance(c, Axis)] + ([seed_axis] if seed_axis else [])
    folder = make_folder(out, cases[0].scene.name, "sweep")
    with locked(folder):
        plan.begin(folder, axes, cases, sources)
        done = Sweep(folder, axes, cases, settings)
        _make(done, scheduler, workers, reporter, said)
        _leave(done)
    return done


def make_folder(out: str | Path | None, name: str, what: str) -> Path:
    """Make the folder, if it is not there."""
    folder = plan.default_folder(name, what) if out is None else Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"the folder {folder} cannot be made: {error.strerror}") from error
    return folder


def _make(sweep: Sweep, scheduler: str | None, workers: int | None, reporter: Reporter, said: Any) -> None:
    """Make the runs that are missing."""
    from sandbox.sweeping.record import write_table

    missing = sweep.find_done()
    if not missing:
        return
    by_name = {case.name: case for case in missing}
    try:
        with crew(scheduler, workers, len(missing), reporter) as hands:
            if hands.dashboard:
                said(f"dashboard: {hands.dashboard}")
            done = len(sweep.cases) - len(missing)
            reporter.start("runs" + (f" (and {done} done before)" if done else ""), len(missing))
            for case in missing:
                hands.put(sweep.job(case))
            written = time.monotonic()
            for count, (job, ended) in enumerate(ends(hands, sweep.settings.retries, reporter), 1):
                sweep.outcomes[job.name] = ended
                if not ended.error and not _is_here(sweep, by_name[job.name]):
                    raise SweepError(
                        f"a worker finished {job.name}, but it is not in {sweep.folder / plan.RUNS}: the workers do "
                        "not see this folder; choose one with --out that all machines share"
                    )
                note_failure(sweep.folder, job, ended)
                reporter.advance(count, {"failed": len(sweep.failed)} if sweep.failed else {})
                if time.monotonic() - written > TABLE_EVERY:
                    write_table(sweep.folder, sweep.keys, sweep.cases, sweep.outcomes)
                    written = time.monotonic()
    finally:
        write_table(sweep.folder, sweep.keys, sweep.cases, sweep.outcomes)


def ends(hands: Crew, retries: int, reporter: Reporter) -> Iterable[tuple[Job, Outcome]]:
    """Jobs as they end for good."""
    tried: Counter[str] = Counter()
    for job, ended in hands:
        tried[job.name] += 1
        if ended.error and ended.passing and tried[job.name] <= retries:
            reporter.warn(f"{job.name} failed and is tried again: {ended.error}")
            hands.put(job)
            continue
        if ended.error:
            reporter.warn(f"{job.name} failed: {ended.error}")
        yield job, ended


def _is_here(sweep: Sweep, case: Case) -> bool:
    return (sweep.folder / plan.RUNS / case.name / results.SUMMARY).is_file()


def note_failure(folder: Path, job: Job, ended: Outcome) -> None:
    """Keep why a run failed, or forget why it failed before."""
    path = folder / plan.ERRORS / f"{job.name}.txt"
    if ended.error:
        path.parent.mkdir(exist_ok=True)
        write_text(path, ended.trace or ended.error)
    else:
        path.unlink(missing_ok=True)


def _leave(sweep: Sweep) -> None:
    """Write table, dataset, picture and, for :func:`sandbox.open`, their checksums."""
    from sandbox.sweeping import picture, record

    folder = sweep.folder
    record.write_table(folder, sweep.keys, sweep.cases, sweep.outcomes)
    if len(sweep.failed) == len(sweep.cases):
        name, why = next(iter(sweep.failed.items()))
        raise SweepError(f"all {len(sweep.cases)} runs failed; {name}: {why}")
    data = record.combine(folder, sweep.axes, sweep.cases, sweep.outcomes)
    record.write_data(folder, data)
    drawn = picture.draw(data, folder)
    names = [plan.PLAN, record.TABLE, results.DATA, *(path.name for path in drawn)]
    manifest.write(folder, "complete", names)


def plugin_files(files: Iterable[str | Path]) -> tuple[str, ...]:
    """Absolute paths, for processes elsewhere."""
    return tuple(str(Path(file).resolve()) for file in files)
