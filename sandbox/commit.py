"""The commit that a folder is at, read from git's own files.

git itself is not run. It would run what the folder's configuration names: filters, hooks, monitors, pagers. So an
unpacked archive is enough to have a program started. Here HEAD, refs and packed refs are read as text, and nothing of
them is passed on but a commit's number.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOT_KNOWN = "not known: git is not run, so that nothing a folder names is executed"
"""Of files that were changed since the commit: git compares them through filters that a folder may define."""

MOST_BYTES = 16 * 2**20
"""Bytes of one of git's files; packed refs of the largest repositories are of this size."""

MOST_REFS = 5
"""Symbolic refs from HEAD to a commit, as in git."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs(/(?![.])[\w.+@=,#%{}-]+)+")
_OF_WORKTREE = ("refs/bisect/", "refs/rewritten/", "refs/worktree/")
"""Refs that a linked worktree has of its own."""


class _Unreadable(Exception):  # noqa: N818 (it is a reason, and noted)
    """Why no commit can be told."""


def commit_of(folder: Path) -> dict[str, Any] | None:
    """Read the commit of a folder that is under git, and say that changes since are not known; None without git.

    ``"commit"`` is None where it cannot be told, and ``"why"`` says so: there is none yet, refs are kept in another
    form, or the files of git lie where a folder could only say that they are its own.
    """
    home = folder.absolute()
    place = next((parent for parent in (home, *home.parents) if os.path.lexists(parent / ".git")), None)
    if place is None:
        return None
    try:
        return {"commit": _commit(*_git_folders(place)), "changed": NOT_KNOWN}
    except _Unreadable as error:
        return {"commit": None, "why": str(error)}
    except (OSError, ValueError, RuntimeError):  # no permission, a null character, links in a circle
        return {"commit": None, "why": "the files of git cannot be read"}


def _git_folders(place: Path) -> tuple[Path, Path]:
    """Where HEAD is, and where branches are; two folders in a linked worktree, one elsewhere."""
    git = place / ".git"
    mode = git.lstat().st_mode
    if stat.S_ISDIR(mode):
        return git, git
    if not stat.S_ISREG(mode):
        raise _Unreadable(".git is neither a folder nor a file")
    pointer = _read(place, ".git").removeprefix("gitdir:").strip()
    found = (place / pointer).resolve()
    # A file may name any folder: only one that is a submodule's, in the repository around it, or that names the
    # file in turn, as a worktree's does, belongs to it.
    if found.parent.name == "worktrees":
        back, common = _read(found, "gitdir").strip(), _read(found, "commondir").strip()
        if (found / back).resolve() == git.resolve() and (found / common).resolve() == found.parent.parent:
            return found, found.parent.parent
    elif any(found.is_relative_to(parent.resolve() / ".git" / "modules") for parent in place.parents):
        return found, found
    raise _Unreadable(".git names a folder that is not known to be its own")


def _commit(head: Path, common: Path) -> str:
    text = _read(head, "HEAD").strip()
    for _ in range(MOST_REFS):
        if _COMMIT.fullmatch(text):
            return text
        ref = text.removeprefix("ref:").strip()
        if not text.startswith("ref:") or not _REF.fullmatch(ref) or ".." in ref:
            raise _Unreadable("HEAD is of no form that is known")
        try:
            text = _read(head if ref.startswith(_OF_WORKTREE) else common, ref).strip()
        except FileNotFoundError:
            return _packed(common, ref)
    raise _Unreadable("HEAD leads through too many refs")


def _packed(common: Path, ref: str) -> str:
    """The commit of a ref that has no file of its own."""
    try:
        lines = _read(common, "packed-refs").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        number, _, name = line.partition(" ")
        if name == ref and _COMMIT.fullmatch(number):
            return number
    raise _Unreadable("there is no commit yet, or its ref is kept in another form")


def _read(folder: Path, name: str) -> str:
    """The text of a file of git, to which no link leads.

    Raises:
        FileNotFoundError: if there is none.
        _Unreadable: if it is something else, or too large.
    """
    if any(path.is_symlink() for path in _steps(folder, name)):
        raise _Unreadable(f"{name} is a link")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(folder / name, flags)
    except (NotADirectoryError, IsADirectoryError):
        raise FileNotFoundError(name) from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _Unreadable(f"{name} is not a regular file")
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _Unreadable(f"{name} is larger than {MOST_BYTES // 2**20} MiB")
    return content.decode("utf-8", "replace")


def _steps(folder: Path, name: str) -> Iterator[Path]:
    """Every folder from one to a file in it, and the file."""
    for part in name.split("/"):
        folder = folder / part
        yield folder
