"""How many threads kernels run on: as many as were asked for, else as many as the process has processors."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sandbox.errors import SandboxError

VARIABLE = "SANDBOX_THREADS"
"""Environment variable that sets the number of threads; empty or 0: as many as there are processors."""

MOST = 4096
"""Largest number of threads that may be asked for: more than any machine has processors; Taichi starts them all."""


def threads() -> int:
    """Return the number of threads for kernels.

    Raises:
        SandboxError: for a value of ``SANDBOX_THREADS`` that is no number of threads.
    """
    return asked() or available()


def asked() -> int | None:
    """Return the number that ``SANDBOX_THREADS`` asks for, None where it asks for none.

    Raises:
        SandboxError: as :func:`threads`.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(MOST)) and int(given) <= MOST):
        raise SandboxError(
            f"the environment variable {VARIABLE} is {given!r}; expected a whole number of threads from 1 to {MOST}, "
            "or nothing (or 0) for as many as the process has processors"
        )
    return int(given) or None


def available() -> int:
    """Return how many processors this process may use: its affinity and the quota of its control group count."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return max(1, count if quota is None else min(count, int(quota)))


def _quota(membership: Path, root: Path) -> float | None:
    """Return how many processors' time a process may use by its control groups (Linux), None without a limit.

    A limit of a group holds for the groups within it. In a container the path of the group is that on the host, and
    the root of the container is the group itself.

    Args:
        membership: the file that names the groups of the process.
        root: where the file system of control groups is.
    """
    limits: list[float] = []
    with suppress(OSError, ValueError):
        for line in membership.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            top = root if not controllers else root / "cpu"
            group = top / path.strip("/")
            for place in (group, *group.parents):
                if not place.is_relative_to(top):
                    break
                limits += _limit(place, unified=not controllers)
    return min(limits, default=None)


def _limit(group: Path, *, unified: bool) -> list[float]:
    """Return the limit of one group, or none; ``unified``: of control groups in their second version."""
    with suppress(OSError, ValueError, IndexError, ZeroDivisionError):
        if unified:
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()[:2]
        else:
            quota, period = (
                (group / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip() for name in ("quota", "period")
            )
        if quota != "max" and float(quota) > 0:
            return [float(quota) / float(period)]
    return []
