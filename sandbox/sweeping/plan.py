"""The plan of a sweep: its runs, each a scene with a name of its own, and the folder that they are in."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import tomli_w

from sandbox import scene
from sandbox.errors import RunError, SandboxError, SweepError
from sandbox.files import read_text, write_text
from sandbox.lock import LOCK
from sandbox.results import SCENE
from sandbox.results import SWEEP as PLAN
from sandbox.sweeping.axes import MOST_VALUES, SEED, Axis

RUNS, ERRORS = "runs", "errors"
FORMAT = 1
LONGEST = 120
"""Characters of the name of a run, which is that of a folder."""


@dataclass(frozen=True)
class Case:
    """One run of a sweep.

    Attributes:
        name: of its folder, made of its keys and values: ``"controller.beta=0.1,seed=3"``.
        place: index along each axis.
        values: by key, those of the axes.
        scene: what is run.
    """

    name: str
    place: tuple[int, ...]
    values: dict[str, Any]
    scene: scene.Scene

    @property
    def text(self) -> str:
        """The scene as it is in the folder of the run."""
        return tomli_w.dumps(self.scene.resolved())


def cases(name: str | Path, changes: Iterable[tuple[str, Any] | Axis], seeds: Axis | None = None) -> list[Case]:
    """All combinations of the axes among the changes, the seeds last; every scene is valid.

    Raises:
        SweepError: if a key is there twice or a scene is not valid, naming the run.
        SceneError: if there is no scene of this name.
    """
    scene.find(name)
    changes = list(changes)
    found = [c for c in changes if isinstance(c, Axis)] + ([seeds] if seeds else [])
    keys = [c.key if isinstance(c, Axis) else c[0] for c in changes] + ([SEED] if seeds else [])
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise SweepError(f"{twice} is given twice; a key of a sweep has one list of values")
    count = prod(len(a.values) for a in found)
    if count > MOST_VALUES:
        raise SweepError(f"these are {count} runs; a sweep has at most {MOST_VALUES}")
    made = []
    for places in product(*(range(len(a.values)) for a in found)):
        values = {a.key: a.values[i] for a, i in zip(found, places, strict=True)}
        now = [(c.key, values[c.key]) if isinstance(c, Axis) else c for c in changes]
        try:
            made.append(Case(case_name(values), places, values, scene.read(name, now, values.get(SEED))))
        except SandboxError as error:
            raise SweepError(f"{case_name(values)}: {error}" if values else str(error)) from None
    return made


def case_name(values: dict[str, Any]) -> str:
    """The name of a run: what can be in the name of a folder, and a checksum where that is not all."""
    exact = ",".join(f"{key}={value_text(value)}" for key, value in values.items()) or "run"
    plain = re.sub(r"[^\w.=,+-]+", "_", exact, flags=re.ASCII)
    if plain == exact and len(exact) <= LONGEST:
        return exact
    return f"{plain[:LONGEST]}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"


def value_text(value: Any) -> str:
    """A value on one line."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def begin(folder: Path, axes: Sequence[Axis], made: Sequence[Case], sources: Mapping[str, str] | None = None) -> None:
    """Write what the sweep is; where one was begun before, see that it is of the same scene over the same keys.

    Args:
        sources: digests of plugins' sources by name.

    Raises:
        SweepError: if the folder holds something else.
        RunError: if it cannot be written.
    """
    runs = {case.name: hashlib.sha256(case.text.encode()).hexdigest() for case in made}
    before = read(folder)
    keys = [a.key for a in axes]
    if before is None:
        if any(p.name != LOCK and not p.name.startswith(".") for p in folder.iterdir()):
            raise SweepError(f"{folder} is not empty and holds no sweep; choose another folder with --out")
    else:
        _check_same(folder, before, made, keys, runs)
        _check_plugins(folder, before.get("plugins"), sources or {})
        runs = before["runs"] | runs
    head = {"format": FORMAT, "scene": made[0].scene.name, "title": made[0].scene.title}
    said = head | {"axes": {a.key: list(a.values) for a in axes}, "runs": runs, "plugins": dict(sources or {})}
    write_text(folder / PLAN, json.dumps(said, indent=1, default=str))
    try:
        (folder / RUNS).mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder / RUNS} cannot be made: {error.strerror}") from error


def read(folder: Path) -> dict[str, Any] | None:
    """What the sweep in a folder is; None where there is none.

    Raises:
        SweepError: if it cannot be read.
    """
    path = folder / PLAN
    try:
        said = json.loads(read_text(path))
        if said["format"] != FORMAT:
            raise ValueError(f"format {said['format']}; this version reads {FORMAT}")
        if not (isinstance(said["scene"], str) and isinstance(said["axes"], dict) and isinstance(said["runs"], dict)):
            raise ValueError("it is not what a sweep writes")
        return said
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SweepError(f"{path} cannot be read: {error}; choose another folder with --out") from error


def _check_same(
    folder: Path, before: dict[str, Any], made: Sequence[Case], keys: list[str], runs: dict[str, str]
) -> None:
    name = made[0].scene.name
    if before["scene"] != name:
        raise SweepError(
            f"{folder} holds a sweep of the scene {before['scene']!r}, and this is one of {name!r}; "
            "choose another folder with --out"
        )
    if list(before["axes"]) != keys:
        raise SweepError(
            f"{folder} holds a sweep over {', '.join(before['axes']) or 'nothing'}, and this is one over "
            f"{', '.join(keys) or 'nothing'}; choose another folder with --out"
        )
    for case in made:
        if before["runs"].get(case.name, runs[case.name]) != runs[case.name]:
            raise SweepError(
                f"{folder} holds a sweep of another form of this scene: {case.name} differs"
                f"{_difference(folder / RUNS / case.name, case)}; choose another folder with --out"
            )


def _check_plugins(folder: Path, before: Any, sources: Mapping[str, str]) -> None:
    """See that runs that are complete were made by the plugins that make the others."""
    if not isinstance(before, dict):
        return
    other = [name for name in {**before, **sources} if before.get(name) != sources.get(name)]
    if other:
        raise SweepError(
            f"{folder} holds a sweep with another source of the plugin {', '.join(map(repr, other))}; give the file as "
            "it was then, or choose another folder with --out"
        )


def said_of(sources: Mapping[str, str]) -> str:
    """Plugins and their sources, in few words."""
    return "".join(f", plugin {name} ({source[:12]})" for name, source in sources.items())


def _difference(folder: Path, case: Case) -> str:
    try:
        before = dict(_flat(tomllib.loads(read_text(folder / SCENE))))
    except (OSError, ValueError):
        return ""
    now = dict(_flat(tomllib.loads(case.text)))
    other = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return "".join(f"; {key} was {before.get(key)!r} and is {now.get(key)!r}" for key in other[:3])


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def default_folder(name: str, what: str = "sweep") -> Path:
    """``runs/<scene>-sweep-<time>``."""
    return Path("runs") / f"{name}-{what}-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
