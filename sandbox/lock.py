"""One process on a run folder, one run in a process."""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sandbox.errors import InUse, RunError
from sandbox.forking import ProcessLock

LOCK = ".lock"

_running = ProcessLock()
_where: list[str] = []


@contextmanager
def alone_in_process(what: str) -> Iterator[None]:
    """Hold the process for one run; Taichi's runtime and the drawing are shared by its threads.

    Raises:
        RunError: if another thread holds it, naming its run.
    """
    if not _running.acquire(blocking=False):
        other = _where[-1] if _where else "?"
        raise RunError(
            f"another thread of this process is running {other}; run {what} after it, or in a process of its own"
        )
    try:
        _where.append(f"{what!r} (thread {threading.current_thread().name})")
        try:
            yield
        finally:
            _where.pop()
    finally:
        _running.release()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder, by a lock of the operating system, which a process that dies lets go.

    The file :data:`LOCK` names the holder; where it is there and not locked, its process has died.

    Raises:
        InUse: if another process or thread holds the folder, naming it.
        RunError: if the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    path = folder / LOCK
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise InUse(f"{folder} is in use by {_holder(path)}; wait for it, or stop it") from None
    except (OSError, NotImplementedError) as error:
        raise RunError(f"{folder} cannot be locked: {getattr(error, 'strerror', None) or error}") from error
    try:
        with suppress(OSError):  # a full disk: the lock holds without a name
            path.write_text(
                json.dumps(
                    {
                        "pid": os.getpid(),
                        "host": platform.node(),
                        "since": datetime.now(UTC).isoformat(timespec="seconds"),
                    }
                )
            )
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return f"process {said['pid']} on {said['host']} since {said['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
