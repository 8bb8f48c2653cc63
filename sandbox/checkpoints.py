"""Checkpoints of a run: two are kept, each in a file with a checksum beside it; the last that is whole counts."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.archives import look_over
from sandbox.errors import RunError
from sandbox.files import digest, make_folder, read_text, write_atomically, write_text
from sandbox.interrupts import Interrupts
from sandbox.plain import NotPlain, pack, unpack
from sandbox.report import Reporter

FOLDER = "checkpoints"
EVERY = 30.0
"""Seconds between checkpoints by default."""

SHARE = 0.05
"""Largest part of the time that writing checkpoints may take: where they are large, they are fewer."""

KEPT = 2
FORMAT = 2
_TREE = "tree"

State = dict[str, Any]


class Checkpoints:
    """The checkpoints of one run folder.

    ``checkpoints/000012.npz`` has the arrays and, as JSON, everything else; ``000012.json``, written when that is on
    the disk, its checksum. A checkpoint without a checksum that fits is none.

    Raises:
        RunError: if the folder is a link, which could lead what is written and dropped anywhere.
    """

    def __init__(self, run: Path) -> None:
        self.folder = run / FOLDER
        if self.folder.is_symlink():
            raise RunError(f"{self.folder} leads out of the run folder; put the checkpoints themselves there")

    def save(self, state: State) -> None:
        """Write a state of plain data, see :mod:`sandbox.plain`, and drop all but the last two.

        Raises:
            RunError: if it cannot be written; the ones before stay.
            NotPlain: naming what in the state is not plain data.
        """
        text, arrays = pack(state)
        encoded = np.frombuffer(text.encode(), dtype=np.uint8)
        numbers = self._numbers()
        data, note = self._files(max(numbers, default=0) + 1)
        try:
            make_folder(self.folder)
        except OSError as error:
            raise RunError(f"{self.folder} cannot be made: {error.strerror}") from error

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, allow_pickle=False, **{_TREE: encoded}, **arrays)

        write_atomically(data, write)
        write_text(note, json.dumps({"format": FORMAT, "sha256": digest(data)}))
        for number in numbers[: len(numbers) - KEPT + 1]:
            self._drop(number)

    def load(self) -> tuple[State | None, list[str]]:
        """The last state that is whole, or None; and what is wrong with those that came after it."""
        problems = []
        for number in reversed(self._numbers()):
            try:
                return self._read(number), problems
            except _UNREADABLE as error:
                data = self._files(number)[0]
                problems.append(
                    f"the checkpoint {data.name} is damaged and is not used ({error or type(error).__name__})"
                )
        return None, problems

    def clear(self) -> None:
        """Remove them all, once a run is complete."""
        for number in self._numbers():
            self._drop(number)
        if self.folder.is_dir():
            for rest in self.folder.glob(".*"):
                with suppress(OSError):
                    rest.unlink(missing_ok=True)
            with suppress(OSError):  # something of somebody else's is in it
                self.folder.rmdir()

    def __bool__(self) -> bool:
        return bool(self._numbers())

    def _read(self, number: int) -> State:
        data, note = self._files(number)
        said = json.loads(read_text(note))
        if said["format"] != FORMAT:
            raise ValueError(f"format {said['format']}; this version reads {FORMAT}")
        if said["sha256"] != digest(data):
            raise ValueError("its checksum does not fit")
        look_over(data)
        with np.load(data, allow_pickle=False) as arrays:
            return unpack(arrays[_TREE].tobytes().decode(), arrays.__getitem__)

    def _numbers(self) -> list[int]:
        """Of the checkpoints that there seem to be, ascending."""
        try:
            return sorted({int(p.stem) for p in self.folder.iterdir() if p.stem.isdecimal()})
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise RunError(f"{self.folder} cannot be read: {error.strerror}") from error

    def _files(self, number: int) -> tuple[Path, Path]:
        return self.folder / f"{number:06d}.npz", self.folder / f"{number:06d}.json"

    def _drop(self, number: int) -> None:
        data, note = self._files(number)
        for path in (note, data):
            with suppress(OSError):
                path.unlink(missing_ok=True)


_UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, MemoryError, zipfile.BadZipFile, RecursionError,
    NotImplementedError, RuntimeError,
)  # fmt: skip


class Keeper:
    """Keeps the state of a run as it goes: at intervals of time, and when the run is asked to stop.

    Args:
        checkpoints: where to.
        interrupts: what asks the run to stop.
        reporter: told if the state cannot be kept, say because a controller's notes are not plain data.
        every: seconds between checkpoints; 0 for one at every pause.
        saved: what :meth:`Checkpoints.load` found.

    Attributes:
        found: the state to go on from, None at a beginning.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        interrupts: Interrupts,
        reporter: Reporter,
        every: float = EVERY,
        saved: State | None = None,
    ) -> None:
        self._checkpoints, self._interrupts, self._reporter, self._every = checkpoints, interrupts, reporter, every
        self.found: State | None = saved["run"] if saved else None
        self._before = float(saved["seconds"]) if saved else 0.0
        self._began = self._last = time.monotonic()
        self._cost = 0.0
        self._possible = True

    @property
    def seconds(self) -> float:
        """What the run has taken so far, in all its parts."""
        return self._before + time.monotonic() - self._began

    def waiting(self) -> AbstractContextManager[None]:
        """Within, being asked to stop waits for the next :meth:`pause`."""
        return self._interrupts.waiting()

    def pause(self, state: Callable[[], State]) -> None:
        """Called between two steps, where the run can be taken up again from ``state()``.

        Raises:
            Interrupted: if the run was asked to stop, once the state is on the disk.
            RunError: if it cannot be written.
        """
        asked = self._interrupts.asked
        if asked or (self._possible and self._is_due()):
            self._save(state)
        if asked:
            raise self._interrupts.interrupted(self._advice())

    def _is_due(self) -> bool:
        return time.monotonic() - self._last >= max(self._every, self._cost / SHARE if self._every else 0.0)

    def _save(self, state: Callable[[], State]) -> None:
        began = time.monotonic()
        try:
            self._checkpoints.save({"seconds": self.seconds, "run": state()})
        except NotPlain as error:
            self._possible = False
            self._reporter.warn(f"this run has no checkpoints, its state cannot be saved: {error}")
        except RunError as error:
            raise RunError(f"the state of the run cannot be saved: {error}\n{self._advice()}") from error
        self._last = time.monotonic()
        self._cost = self._last - began

    def _advice(self) -> str:
        run = self._checkpoints.folder.parent
        return f"go on from the last checkpoint with: sandbox resume {run}" if self._checkpoints else "nothing was kept"
