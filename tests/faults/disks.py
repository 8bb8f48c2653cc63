"""Folders that cannot be written: full, read-only, not permitted."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A file system of its own in memory; None where this user may not mount one."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
        if done.returncode:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def remount(disk: Path, option: str) -> None:
    """Make a small disk read-only (``"ro"``), or larger."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file that this process writes may grow beyond ``size`` bytes: what a full disk does, without a disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody who owns nothing, if this is the user to whom everything is permitted."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_to_all(mode: int) -> Iterator[Path]:
    """A folder that everybody can reach; what is made in it has to be given ``mode`` by the caller."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(mode)
        yield path
        path.chmod(0o755)
