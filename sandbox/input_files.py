"""Input files of scenes: where they are looked for, which were read, and their copies in run folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import NetworkError, RunError
from sandbox.files import PARTIAL, digest, write_atomically
from sandbox.physics.graphs.files import inside

INPUTS = "inputs"
"""Folder in a run folder, with a copy of every file that the scene of the run names."""


@dataclass(frozen=True)
class InputFile:
    """A file that a part of a scene named and was given.

    Attributes:
        path: where it is.
        sha256: of its content when it was found.
    """

    path: Path
    sha256: str


def places_of(scene: Path | None) -> tuple[Path, ...]:
    """List the folders in which the files of a scene are looked for: beside the scene, then the working directory.

    Beside the scene of a run folder are the copies in :data:`INPUTS`, and they come first.

    Args:
        scene: its file; None for one that comes with the sandbox, or has no file.
    """
    try:
        here = (Path.cwd(),)
    except OSError:  # it was removed
        here = ()
    if scene is None:
        return here
    folder = scene.absolute().parent
    copies = folder / INPUTS
    first = (copies,) if copies.is_dir() and not copies.is_symlink() else ()
    return tuple(dict.fromkeys((*first, folder, *here)))


class Search:
    """The search for the files of a scene, and what it found.

    Args:
        places: folders, see :func:`places_of`.

    Attributes:
        found: files by the paths that the scene has for them.
    """

    def __init__(self, places: Sequence[Path] = ()) -> None:
        self.places = tuple(places) or places_of(None)
        self.found: dict[str, InputFile] = {}

    def find(self, path: str) -> Path:
        """Find a file, and note it.

        Raises:
            NetworkError: if it is in none of the places, or in two with different content, or leads out of them.
        """
        there: list[InputFile] = []
        for place in self.places:
            try:
                file = inside(path, place)
                if file.is_file():
                    there.append(InputFile(file, digest(file)))
            except OSError as error:
                raise NetworkError(f"{path[:60]!r} cannot be read in {place}: {error.strerror}") from None
            if there and place.name == INPUTS:
                break  # the copy of the run, whatever has the same name elsewhere
        if not there:
            looked = " and in ".join(str(place) for place in self.places) or "no folder, as there is none to work in"
            raise NetworkError(
                f"{path} is not a file; it was looked for in {looked}: check the path, which starts at the folder of "
                "the scene or at the working directory"
            )
        other = next((file for file in there[1:] if file.sha256 != there[0].sha256), None)
        if other is not None:
            raise NetworkError(
                f"there are two different files {path}: {there[0].path} beside the scene, and {other.path} in the "
                "working directory; remove or rename one, or work in the folder of the scene"
            )
        self.found[path] = there[0]
        return there[0].path

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Have :func:`input_file` search here, within."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Search | None] = ContextVar("search", default=None)


def input_file(path: str) -> Path:
    """Find a file that a scene names, for a part that is being built.

    Files are looked for beside the scene and in the working directory. A run keeps a copy of what was found, so that it
    can be resumed and exported elsewhere.

    Args:
        path: relative, without links or steps that lead out.

    Raises:
        NetworkError: if there is no such file, or two different ones; naming where it was looked for.
    """
    return (_current.get() or Search()).find(path)


def keep(folder: Path, files: Mapping[str, InputFile]) -> dict[str, dict[str, str]]:
    """Copy files into :data:`INPUTS` in a run folder, all or none.

    Returns:
        For the record, of each: where it was, and its checksum.

    Raises:
        RunError: if one cannot be copied, or has changed since it was found.
    """
    kept, made = folder / INPUTS, folder / f".{INPUTS}{PARTIAL}"
    record = {path: {"file": str(file.path), "sha256": file.sha256} for path, file in files.items()}
    if not files or all(file.path.is_relative_to(kept.resolve()) for file in files.values()):
        return record  # there already: the run goes on
    try:
        for old in (made, kept):
            discard(old)
        for path, file in files.items():
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, lambda temporary, source=file.path: shutil.copyfile(source, temporary))
            if digest(target) != file.sha256:
                raise RunError(f"{file.path} was changed while the run began; run the scene again")
        made.rename(kept)
    except OSError as error:
        raise RunError(f"{kept} cannot be made: {error.strerror}") from error
    return record


def discard(folder: Path) -> None:
    """Remove a folder of copies; one that is a link is no such folder and loses the link alone."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)


def wrong(folder: Path, record: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Find copies in a run folder that are not as they were made, with what is wrong.

    Args:
        record: what :func:`keep` returned.
    """
    problems = {}
    for path, said in record.items():
        name = f"{INPUTS}/{path}"
        try:
            if digest(inside(path, folder / INPUTS)) != said["sha256"]:
                problems[name] = "changed"
        except FileNotFoundError:
            problems[name] = "missing"
        except OSError as error:
            problems[name] = error.strerror or str(error)
        except NetworkError as error:
            problems[name] = str(error)
    return problems
