"""Places for caches, also where a process has no home that it may write to: in containers, on clusters, as a service.

Taichi aborts the process on import where neither ``HOME`` nor ``XDG_CACHE_HOME`` is set, and Matplotlib cannot be
imported by a user without a name and without ``HOME``. Both read environment variables; :func:`settle` sets those that
are missing before either is imported.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

NOWHERE = os.devnull
"""Value of ``XDG_CACHE_HOME`` where no folder can be written: no folder can be made below it, not even by root."""


def settle() -> None:
    """See that caches have a place: the user's, else a private folder among the temporary files, else none."""
    if os.name != "posix":
        return
    home = Path("~").expanduser() if _has_home() else None
    if not os.environ.get("XDG_CACHE_HOME"):
        if home is None or not writable(home / ".cache"):
            os.environ["XDG_CACHE_HOME"] = str(_temporary() or NOWHERE)
        elif not os.environ.get("HOME"):
            os.environ["XDG_CACHE_HOME"] = str(home / ".cache")
    elif not writable(folder(), made=True):
        os.environ["XDG_CACHE_HOME"] = str(_temporary() or NOWHERE)
    if not os.environ.get("MPLCONFIGDIR"):
        given = os.environ.get("XDG_CONFIG_HOME")
        config = Path(given) if given else home / ".config" if home else None
        place = None if config is not None and writable(config, made=bool(given)) else _temporary()
        if place is not None:
            os.environ["MPLCONFIGDIR"] = str(place / "matplotlib")


def folder() -> Path:
    """The folder under which programs of this user keep their caches; it need not be there."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


def writable(path: Path, *, made: bool = False) -> bool:
    """Whether files can be written in a folder, or where it is not there, whether it can be made.

    Args:
        path: the folder.
        made: whether folders above it may be made as well; otherwise the one above must be there.
    """
    while made and not path.parent.exists() and path.parent != path:
        path = path.parent
    place = path if path.exists() else path.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def _has_home() -> bool:
    """Whether ``HOME`` is set, or the user has a name and an entry in the list of users."""
    try:
        return Path("~").expanduser().is_dir()
    except RuntimeError:
        return False


def _temporary() -> Path | None:
    """A folder that this user alone can read and write: what is cached is run as code."""
    with suppress(OSError):
        place = Path(tempfile.gettempdir()) / f"matter-sandbox-{os.geteuid()}"
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
        found = place.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
        if private and os.access(place, os.W_OK | os.X_OK):
            return place
    return None
