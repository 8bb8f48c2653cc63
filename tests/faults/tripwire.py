"""Files that nobody may touch: whether one was opened, executed or changed."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .malformed import caches, watch

OPENED = 0x00000020 | 0x00000001
"""Events of inotify: opened, read."""

EXECUTED = "executed"
"""Name of the file that a hostile command would make."""


@contextmanager
def tripwire(*files: Path, folder: Path) -> Iterator[None]:
    """Within, no process is started, nothing is written outside of a folder, and the files are not opened.

    Raises:
        AssertionError: if it was so all the same.
    """
    allowed = (str(folder), *caches())  # matplotlib makes its own when it is first asked where they are
    before = {path: path.read_bytes() for path in files}
    hook, handle = watch(), _inotify(files)
    hook.seen.clear()
    hook.allowed = allowed
    try:
        yield
    finally:
        hook.allowed = None
        opened = _events(handle)
    assert hook.seen == [], hook.seen
    assert not opened, f"{opened} of {[str(f) for f in files]} were opened"
    assert {path: path.read_bytes() for path in files} == before
    assert not list(folder.parent.rglob(EXECUTED))


def _inotify(files: tuple[Path, ...]) -> int:
    """A watch over files, where the system has such a thing; -1 elsewhere."""
    if not sys.platform.startswith("linux"):
        return -1
    library = ctypes.CDLL(None, use_errno=True)
    handle = library.inotify_init1(os.O_NONBLOCK)
    assert handle >= 0
    for path in files:
        assert library.inotify_add_watch(handle, os.fsencode(path), OPENED) >= 0
    return handle


def _events(handle: int) -> int:
    """Bytes of events that came, which is none if nobody looked."""
    if handle < 0:
        return 0
    try:
        return len(os.read(handle, 4096))
    except BlockingIOError:
        return 0
    finally:
        os.close(handle)
