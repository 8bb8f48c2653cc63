"""A search for the values of a scene's keys at which a figure of merit is best.

Optuna proposes, the crew of a sweep makes the runs. What was tried is in ``search.json``, how it went is in the run
folders: a search that was killed at any moment tells optuna all of it again, and goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sandbox import manifest, results
from sandbox.checkpoints import EVERY
from sandbox.errors import SweepError
from sandbox.files import read_text, write_atomically, write_text
from sandbox.lock import locked
from sandbox.pictures import DPI
from sandbox.report import Reporter, Silent
from sandbox.sweeping import plan, record
from sandbox.sweeping.axes import Axis, Between, parse, space
from sandbox.sweeping.crew import crew, needs
from sandbox.sweeping.study import Goal, Parameters, Study, goal_of
from sandbox.sweeping.sweep import Settings, Sweep, ends, make_folder, note_failure, plugin_files

PLAN, PICTURE = results.SEARCH, "search.png"
Changes = list[Axis | Between | tuple[str, Any]]


def search(
    scene: str | Path,
    over: Mapping[str, Any],
    *,
    minimize: str | None = None,
    maximize: str | None = None,
    trials: int = 50,
    changes: Iterable[str] = (),
    out: str | Path | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    checkpoint_every: float = EVERY,
    strict: bool = False,
    plugins: Iterable[str | Path] = (),
    reporter: Reporter | None = None,
) -> xr.Dataset:
    """Search for the values of keys at which a figure of merit is best.

    >>> import sandbox
    >>> found = sandbox.search("iris_flow", {"controller.beta": (0.01, 1, "log")},
    ...                        minimize="test loss", trials=30)                                # doctest: +SKIP
    >>> found.isel(trial=found.attrs["best"])                                                 # doctest: +SKIP

    Optuna's tree-structured Parzen estimator proposes values; those of trial n are drawn from the scene's seed, n, and
    what is known by then. So one worker repeats a search exactly; with several it depends on which run ends first.
    Called again with the same folder, it goes on. Needs the extra ``search``.

    Args:
        scene: a name or a path.
        over: what to search, by dotted key: an interval ``(low, high, "log")``, ``(low, high, "lin")``,
            ``"log:0.01:1"``; or values to choose from, as for :func:`sandbox.sweep`.
        minimize, maximize: one of them: the figure's name in ``summary.json``, say ``"test loss"``.
        trials: runs in all, those of an earlier call included.
        changes, out, scheduler, workers, checkpoint_every, strict, plugins, reporter: as for :func:`sandbox.sweep`.

    Returns:
        Values, figures of merit and outcomes over ``trial``, as in ``data.nc``; ``attrs["best"]`` is the best trial.

    Raises:
        SweepError: for keys or values that the scene cannot have, a figure that the runs do not have, the folder of
            another search, or if all runs failed.
        RunError: if the folder is in use, or cannot be written.
    """
    items: Changes = [*map(parse, changes), *(space(key, given) for key, given in over.items())]
    settings = Settings(checkpoint_every, False, strict, plugin_files(plugins))
    goal = goal_of(minimize, maximize)
    return run_search(scene, items, goal, trials, out, scheduler, workers, settings, reporter or Silent())


def run_search(
    scene: str | Path,
    items: Changes,
    goal: Goal,
    trials: int,
    out: str | Path | None,
    scheduler: str | None,
    workers: int | None,
    settings: Settings,
    reporter: Reporter,
    said: Any = lambda line: None,
) -> xr.Dataset:
    """Search, and leave table, dataset and picture in the folder; returns the dataset.

    Raises:
        As :func:`search`.
    """
    needs("optuna", "search")
    sources = settings.sources
    spaces = [c for c in items if not isinstance(c, tuple)]
    if not spaces:
        raise SweepError("nothing is to be searched; give a key an interval, log:0.01:1 or lin:0:1, or several values")
    first = _case(scene, items, 0, {s.key: s.low if isinstance(s, Between) else 0 for s in spaces})
    folder = make_folder(out, first.scene.name, "search")
    with locked(folder):
        what = _said(goal, spaces, first) + plan.said_of(sources)
        tried = _tried(folder, what, spaces)
        runs = Sweep(folder, [], [_case(scene, items, n, given) for n, given in enumerate(tried)], settings)
        waiting, study = runs.find_done(), Study(spaces, goal, first.scene.seed)
        for given, case in zip(tried, runs.cases, strict=True):
            study.ask(given)
            if case.name in runs.outcomes:
                study.tell(case.name, runs.outcomes[case.name])
        if waiting or len(tried) < trials:
            with crew(scheduler, workers, trials, reporter) as hands:
                if hands.dashboard:
                    said(f"dashboard: {hands.dashboard}")
                reporter.start("trials", trials)

                def put() -> None:
                    if not waiting and len(tried) < trials:
                        tried.append(study.ask())
                        write_text(folder / PLAN, json.dumps({"what": what, "tried": tried}, indent=1))
                        runs.cases.append(_case(scene, items, len(tried) - 1, tried[-1]))
                        waiting.append(runs.cases[-1])
                    if waiting:
                        hands.put(runs.job(waiting.pop(0)))

                for _ in range(hands.size):
                    put()
                for job, ended in ends(hands, settings.retries, reporter):
                    runs.outcomes[job.name] = ended
                    note_failure(folder, job, ended)
                    record.write_table(folder, study.keys, runs.cases, runs.outcomes)
                    study.tell(job.name, ended)
                    reporter.advance(len(runs.outcomes), {goal.merit: study.best} if study.told else {})
                    put()
        return _leave(runs, study)


def _said(goal: Goal, spaces: list[Axis | Between], first: plan.Case) -> str:
    """What a search is."""
    over = ", ".join(
        f"{s.key}={s.spacing}:{s.low!r}:{s.high!r}" if isinstance(s, Between) else f"{s.key}={json.dumps(s.values)}"
        for s in spaces
    )
    digest = hashlib.sha256(first.text.encode()).hexdigest()[:12]
    return f"the {'least' if goal.least else 'largest'} {goal.merit} of {first.scene.name} ({digest}) over {over}"


def _case(scene: str | Path, items: Changes, n: int, given: Parameters) -> plan.Case:
    """The run of a trial."""
    spaces = (c for c in items if not isinstance(c, tuple))
    values = {s.key: s.values[int(given[s.key])] if isinstance(s, Axis) else given[s.key] for s in spaces}
    made = plan.cases(scene, [c if isinstance(c, tuple) else (c.key, values[c.key]) for c in items])[0]
    return replace(made, name=f"{n:04d}", place=(n,), values=values)


def _tried(folder: Path, what: str, spaces: list[Axis | Between]) -> list[Parameters]:
    """What was tried in the folder before.

    Raises:
        SweepError: if it holds something else, or cannot be read.
    """
    path = folder / PLAN
    if not path.is_file():
        if any(not p.name.startswith(".") for p in folder.iterdir()):
            raise SweepError(f"{folder} is not empty and holds no search; choose another folder with --out")
        return []
    try:
        said = json.loads(read_text(path))
        if said["what"] != what:
            raise SweepError(f"{folder} holds another search, for {said['what']}; choose another folder with --out")
        for given in said["tried"]:
            for space in spaces:
                low, high = (space.low, space.high) if isinstance(space, Between) else (0, len(space.values) - 1)
                if not low <= given[space.key] <= high:
                    raise ValueError(f"{space.key} = {given[space.key]}")
        return said["tried"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SweepError(f"{path} cannot be read: {error}; choose another folder with --out") from error


def _leave(runs: Sweep, study: Study) -> xr.Dataset:
    """Write table, dataset, picture and their checksums."""
    from sandbox.plot.sweeps import draw_trials

    folder, scene = runs.folder, runs.cases[0].scene
    record.write_table(folder, study.keys, runs.cases, runs.outcomes)
    if not study.told:
        name, why = next(iter(runs.failed.items()))
        raise SweepError(f"all {len(runs.cases)} runs failed; {name}: {why}")
    data = record.along(runs.cases, runs.outcomes)
    best = (min if study.goal.least else max)(study.told, key=study.told.__getitem__)
    data.attrs |= {"scene": scene.name, "title": scene.title, "keys": study.keys, "merit": study.goal.merit}
    data.attrs["best"] = int(best)
    record.write_data(folder, data)
    values = np.array([study.told.get(case.name, np.nan) for case in runs.cases])
    drawn = draw_trials(values, least=study.goal.least, ylabel=study.goal.merit, title=scene.title)
    write_atomically(folder / PICTURE, lambda path: drawn.savefig(path, dpi=DPI, format="png"))
    manifest.write(folder, "complete", [PLAN, record.TABLE, results.DATA, PICTURE])
    return data
