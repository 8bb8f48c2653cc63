"""What a run leaves behind: a folder with the resolved scene, provenance, a dataset, figures and their checksums."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import input_files, manifest, provenance
from sandbox.checkpoints import FOLDER as CHECKPOINTS
from sandbox.checkpoints import Checkpoints
from sandbox.errors import RunError
from sandbox.files import LEADS_OUT, PARTIAL, make_folder, read_text, require_regular
from sandbox.files import write_atomically as write_atomically
from sandbox.files import write_text as write_text
from sandbox.input_files import INPUTS
from sandbox.lock import LOCK, locked
from sandbox.manifest import MANIFEST
from sandbox.netcdf import read_dataset
from sandbox.plain import misfit
from sandbox.shown import Shown

if TYPE_CHECKING:
    import xarray as xr

    from sandbox.scene import Scene

SCENE, PROVENANCE, DATA, SUMMARY = "scene.toml", "provenance.json", "data.nc", "summary.json"
SWEEP, SEARCH = "sweep.json", "search.json"
"""What a folder has that holds a sweep or a search, not one run."""
UNCONVERGED = "unconverged"
"""Attribute of a dataset whose state is no minimum: why."""
BEGINNING = (SCENE, PROVENANCE, MANIFEST)
COMPUTED = (SCENE, PROVENANCE, DATA, SUMMARY)


@dataclass(frozen=True, eq=False)
class Run(Shown):
    """A finished run.

    Attributes:
        folder: where it is.
        data: the dataset, as :func:`sandbox.open` gives it back.
        figures: its figures of merit by name.
        pictures: files of its figures.
    """

    folder: Path
    data: xr.Dataset
    figures: Mapping[str, float]
    pictures: list[Path] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened in training that its reader should know: kind, step, last_step, count, detail; see
        :mod:`sandbox.events`.
        """
        return json.loads(self.data.attrs.get("events", '{"events": []}'))["events"]

    def __repr__(self) -> str:
        figures = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in self.figures.items())
        return f"Run({str(self.folder)!r}: {figures})"


@contextmanager
def new_folder(scene: Scene, out: str | Path | None) -> Iterator[Path]:
    """Make the folder of a run and hold it: ``out``, or ``runs/<scene>-<time>`` under the working directory.

    If the run fails, what was made is taken back, unless more lies in it by then than what a run begins with.

    Raises:
        RunError: if it exists and is not empty, is in use, or cannot be made.
    """
    if out is not None:
        path = Path(out)
    else:
        stem = f"{scene.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
        path = next(
            p for n in range(1, 10_000) if not (p := Path("runs") / (stem if n == 1 else f"{stem}-{n}")).exists()
        )
    try:
        made = [p for p in (path, *path.parents) if not p.exists()]
        _check_empty(path)  # before the lock, which would write into somebody's folder
        make_folder(path)
    except OSError as error:
        raise RunError(f"the run folder {path} cannot be made: {error.strerror}") from error
    try:
        with locked(path):
            _check_empty(path)  # another run may have begun in it just before
            try:
                yield path
            except BaseException:
                _take_back(path)
                raise
    except BaseException:
        with suppress(OSError):  # not empty: it holds something
            for folder in made:
                folder.rmdir()
        raise


def _check_empty(path: Path) -> None:
    if not path.exists():
        return
    if path.is_dir():
        names = {p.name for p in path.iterdir() if not p.name.endswith(PARTIAL)}
        if names <= {LOCK} or names == {LOCK, INPUTS}:
            return  # what a process leaves that was killed before it began is nothing
    hint = f"choose another with --out, or go on with the run in it: sandbox resume {path}"
    if not path.is_dir() or not (path / SCENE).is_file():
        hint = "choose another with --out"
    raise RunError(f"{path} exists and is not an empty folder; {hint}")


def _take_back(path: Path) -> None:
    """Remove what a run begins with, if there is nothing else."""
    if {p.name for p in path.iterdir() if not p.name.endswith(PARTIAL)} <= {*BEGINNING, LOCK, INPUTS}:
        for copies in (INPUTS, f".{INPUTS}{PARTIAL}"):
            input_files.discard(path / copies)
        for name in BEGINNING:
            (path / name).unlink(missing_ok=True)


def begin(
    folder: Path, scene: Scene, strict: bool = False, inputs: Mapping[str, input_files.InputFile] | None = None
) -> None:
    """Write copies of the scene's input files, the resolved scene, and where the numbers come from."""
    import tomli_w

    kept = input_files.keep(folder, inputs or {})
    write_text(folder / SCENE, tomli_w.dumps(scene.resolved()))
    origin = provenance.provenance(scene) | {"inputs": kept}
    write_text(folder / PROVENANCE, json.dumps(origin, indent=2))
    manifest.write(folder, "begun", (SCENE, PROVENANCE), strict=strict)


def note_resumption(folder: Path, scene: Scene, inputs: Mapping[str, input_files.InputFile]) -> list[str]:
    """Note that the run goes on here.

    Returns:
        Names of what is not as it was when the run began, and may change bits.

    Raises:
        RunError: if it cannot be noted.
    """
    found = manifest.read(folder)
    if found is None:  # killed before it was written
        begin(folder, scene, inputs=inputs)
        return []
    here = provenance.provenance(scene)
    try:
        before = json.loads(read_text(folder / PROVENANCE))
        other = provenance.differences(before, here)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(f"{folder / PROVENANCE} cannot be read: {error}") from error
    note = {"at": here["started"], "changed": other}
    manifest.write(folder, found.stage, found.files, found, resumed=[*found.resumed, note])
    return list(other)


def finish(folder: Path, data: xr.Dataset, figures: Mapping[str, float]) -> None:
    """Write the dataset and the figures of merit, and drop the checkpoints."""
    compact = {name: {"zlib": True, "complevel": 3} for name, v in data.data_vars.items() if v.size > 64}

    # In memory first: where a disk is full, the HDF5 library does not survive what it could not write.
    content = data.to_netcdf(engine="h5netcdf", encoding=compact)
    write_atomically(folder / DATA, lambda path: path.write_bytes(content))
    write_text(folder / SUMMARY, json.dumps(dict(figures), indent=2))
    manifest.write(folder, "computed", COMPUTED, manifest.read(folder))
    Checkpoints(folder).clear()


def complete(folder: Path, pictures: Iterable[Path]) -> None:
    """Say that the run is complete."""
    manifest.write(folder, "complete", (*COMPUTED, *(p.name for p in pictures)), manifest.read(folder))


def open_run(folder: str | Path) -> xr.Dataset:
    """The dataset of a run folder, in memory, after its files were checked against their checksums.

    Warns:
        UserWarning: if a picture is not as the run drew it.

    Raises:
        RunError: if the folder is not a complete run, or its scene, provenance, data or summary were changed.
    """
    folder = Path(folder)
    found = manifest.read(folder)
    path = folder / DATA
    if found is None or found.stage == "begun":
        if not (folder / SCENE).is_file():
            raise RunError(f"{folder} has no {MANIFEST}: it is not the folder of a run")
        raise RunError(f"{folder} has no results: the run did not finish; go on with: sandbox resume {folder}")
    missing = [n for n in (COMPUTED if (folder / SCENE).is_file() else (DATA,)) if n not in found.files]
    if missing:
        raise RunError(f"{folder / MANIFEST} does not name {', '.join(missing)}: it is not that of a run")
    problems = found.wrong(folder)
    drawn = [name for name, what in problems.items() if what != "missing" and name not in COMPUTED]
    serious = [f"{name} ({what})" for name, what in problems.items() if name in COMPUTED or what == LEADS_OUT]
    serious += [f"{name} ({what})" for name, what in _wrong_inputs(folder).items()]
    if serious:
        raise RunError(
            f"{folder} is not as the run left it: {', '.join(serious)}; run the scene again, or take a copy of them"
        )
    if drawn:
        warnings.warn(f"{folder}: not as the run drew it: {', '.join(drawn)}", UserWarning, stacklevel=2)
    data = read_dataset(path)
    problem = misfit(dict(data.attrs), {"title": "", "scene": ""})
    if problem is not None:
        raise RunError(f"{path} is not the dataset of a run: {problem.removeprefix('state')}")
    return data


def read_run(folder: Path) -> Run:
    """A run whose data are complete, from its folder.

    Raises:
        RunError: as :func:`open_run`.
    """
    data = open_run(folder)
    found = manifest.read(folder)
    assert found is not None
    if SUMMARY not in found.files:
        raise RunError(f"{folder} is not the folder of one run; those of a sweep are in {folder / 'runs'}")
    pictures = [folder / name for name in found.files if name not in COMPUTED]
    try:
        figures = json.loads(read_text(folder / SUMMARY))
        for value in figures.values():
            if not isinstance(value, str):
                float(value)
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise RunError(f"{folder / SUMMARY} is not the summary of a run: {error}") from error
    return Run(folder, data, figures, pictures)


def check_beginning(folder: Path) -> manifest.Manifest | None:
    """The manifest of a folder in which a run was begun, after its scene was checked.

    None where the run was killed before it wrote one, with the scene as it then is.

    Raises:
        RunError: if nothing was begun in it, or what it began with was changed.
    """
    found = manifest.read(folder)
    if not (folder / SCENE).is_file():
        why = f"its {SCENE} is missing" if found or (folder / CHECKPOINTS).is_dir() else "no run was begun in it"
        for name, command in ((SWEEP, "sweep"), (SEARCH, "search")):
            if (folder / name).is_file():
                why = f"it is a {command}; give the same command `sandbox {command}` again, with --out"
        raise RunError(f"{folder} cannot be resumed: {why}")
    try:
        require_regular(folder / SCENE)
    except OSError as error:
        raise RunError(f"{folder} cannot be resumed: its {SCENE} is {error.strerror}") from None
    if found is not None:
        wrong = {name: what for name, what in found.wrong(folder).items() if name in COMPUTED}
        wrong |= _wrong_inputs(folder)
        if wrong:
            said = ", ".join(f"{name} ({what})" for name, what in wrong.items())
            raise RunError(f"{folder} cannot be resumed: it is not as the run left it: {said}")
    return found


def _wrong_inputs(folder: Path) -> dict[str, str]:
    """Copies of input files that are not as the run made them; a provenance that cannot be read is found elsewhere."""
    try:
        record = json.loads(read_text(folder / PROVENANCE)).get("inputs", {})
        return input_files.wrong(folder, {str(path): dict(said) for path, said in record.items()})
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return {}
