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

MOST_TEXT = 64 * 2**20
"""Bytes of a text that is read whole; the plan of a sweep of 100,000 runs has a third of it."""

LEADS_OUT = "a link that leads out of its folder; put the file itself there"
"""What is wrong with such a link."""


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


def make_folder(path: Path) -> None:
    """Make a folder, and those above that are missing, and have their names on the disk.

    Raises:
        OSError: if one cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        _to_disk(folder.parent)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: as :func:`require_regular`, or if it cannot be read.
    """
    require_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_bytes(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: as :func:`require_regular`, or if it cannot be read.
    """
    require_regular(path)
    return path.read_bytes()


def read_text(path: Path) -> str:
    """The text of a regular file of at most :data:`MOST_TEXT` bytes.

    Raises:
        OSError: as :func:`require_regular`, or if it cannot be read, or is larger.
        ValueError: if it is not UTF-8.
    """
    require_regular(path)
    if path.stat().st_size > MOST_TEXT:
        raise OSError(errno.EFBIG, f"larger than {MOST_TEXT // 2**20} MiB", str(path))
    return path.read_text(encoding="utf-8")


def require_regular(path: Path) -> None:
    """Look at a file before it is opened.

    Raises:
        OSError: if it is not there; if it is something else, say a pipe, that might be waited on for ever; if it is a
            link that leads out of its folder, to a file that is not the folder's to show.
    """
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
            raise OSError(errno.ELOOP, LEADS_OUT, str(path))
    except RuntimeError:  # links in a circle
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
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
