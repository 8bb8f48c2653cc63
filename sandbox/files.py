"""Files that are there whole or not at all, and that can be told from what they were."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
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
        temporary.unlink(missing_ok=True)  # a link would lead what is written out of the folder
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
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: if it cannot be read, or is not a regular file.
    """
    require_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path) -> str:
    """The text of a regular file.

    Raises:
        OSError: if it cannot be read, or is something else, say a pipe, that might be waited on for ever.
        ValueError: if it is not UTF-8.
    """
    require_regular(path)
    return path.read_text(encoding="utf-8")


def require_regular(path: Path) -> None:
    """Look at a file before it is opened.

    Raises:
        OSError: if it is not there, or not a regular file or a link to one.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


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
