"""The manifest of a run folder: how far the run is, when it was taken up again, checksums of its files and itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox.errors import RunError
from sandbox.files import digest, read_text, write_text
from sandbox.plain import misfit

MANIFEST = "manifest.json"
LONGEST = 255
"""Letters of the name of a file, as file systems have it."""

Stage = Literal["begun", "computed", "complete"]


@dataclass(frozen=True)
class Manifest:
    """What a run folder has when all is well.

    Attributes:
        stage: ``"begun"`` while it computes, ``"computed"`` once data and summary are there, ``"complete"`` with
            pictures.
        files: SHA-256 by name.
        strict: whether an event of the run is an error.
        resumed: when the run was taken up again, and what was not as before that may change bits.
    """

    stage: Stage
    files: Mapping[str, str]
    strict: bool = False
    resumed: Sequence[Mapping[str, Any]] = ()

    def wrong(self, folder: Path) -> dict[str, str]:
        """Files that are not as they were written, with what is wrong: ``"missing"``, ``"changed"``, an error."""
        problems = {}
        for name, wanted in self.files.items():
            try:
                if digest(folder / name) != wanted:
                    problems[name] = "changed"
            except FileNotFoundError:
                problems[name] = "missing"
            except OSError as error:
                problems[name] = error.strerror or "unreadable"
        return problems


def write(folder: Path, stage: Stage, names: Iterable[str], before: Manifest | None = None, **more: Any) -> None:
    """Take the checksums of files and write the manifest.

    Args:
        before: whose ``strict`` and ``resumed`` are kept.
        more: other values for these.

    Raises:
        RunError: if it cannot be written.
    """
    try:
        files = {name: digest(folder / name) for name in names}
    except OSError as error:
        raise RunError(f"{error.filename} cannot be read: {error.strerror}") from error
    before = before or Manifest(stage, files)
    kept: dict[str, Any] = {"strict": before.strict, "resumed": list(before.resumed), **more}
    body: dict[str, Any] = {"stage": stage, "files": files, **kept}
    write_text(folder / MANIFEST, json.dumps(body | {"sha256": _own(body)}, indent=2))


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder; None where there is none.

    Raises:
        RunError: if it was changed.
    """
    path = folder / MANIFEST
    try:
        body = json.loads(read_text(path))
        own = body.pop("sha256")
        if own != _own(body):
            raise ValueError("its checksum does not fit")
        if any(Path(name).name != name or "\0" in name or len(name) > LONGEST for name in body["files"]):
            raise ValueError("it names files elsewhere")
        if misfit(body, {"stage": "", "files": {}, "strict": False, "resumed": [{}]}) or None in body.values():
            raise ValueError("a value of it is of another type")
        return Manifest(body["stage"], body["files"], body["strict"], body["resumed"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(
            f"{path} was changed or cut since the run wrote it; nothing in {folder} can be vouched for"
        ) from error


def _own(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
