"""Files that are there whole or not at all, and that can be told from what they were."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sandbox.errors import RunError

PARTIAL = ".partial"
"""End of the names of files that are being written."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write(temporary_path)``, have it on the disk, and move it into place: no half-written file is left.

    Raises:
        RunError: if it cannot be written; what was at ``path`` before is as it was.
    """
    temporary = path.with_name(f".{path.name}{PARTIAL}")
    try:
        write(temporary)
        _to_disk(temporary)
        os.replace(temporary, path)  # noqa: PTH105
        _to_disk(path.parent)
    # HDF5 says RuntimeError or ValueError where the disk is full.
    except (OSError, RuntimeError, ValueError) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunError(f"{path} cannot be written: {_why(error, path.parent)}") from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda p: p.write_text(text, encoding="utf-8"))


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR
    try:
        handle = os.open(path, flags)
    except OSError:
        if path.is_dir():
            return  # some systems do not open folders; the names follow on their own
        raise
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(handle)


def _why(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    with suppress(OSError, AttributeError):
        room = os.statvfs(folder)
        if room.f_bavail == 0:
            return "no space left on the disk"
    return str(error)
