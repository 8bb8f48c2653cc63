"""Whether something fits in memory, asked before it is built: a system that runs out of it kills without a word."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sandbox.errors import NetworkError

BYTES_PER_NODE = BYTES_PER_EDGE = 500
"""Of a network that is built and relaxed once (measured on a triangular lattice of 80,000 nodes)."""

BYTES_PER_WEIGHT = 40
"""Of a dense layered network in training: stiffness, knob, compliance, force and a copy, in double precision."""

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def available() -> int:
    """Bytes of memory that this process may have at most: the machine's, or its container's."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else [2**40]
    with suppress(OSError, ValueError):  # no container, or one without a limit
        limits.append(int(_CGROUP.read_text()))
    return min(limits)


def require(what: str, needed: int, mend: str = "make it smaller") -> None:
    """See that ``needed`` bytes can be had.

    Raises:
        NetworkError: saying how much ``what`` takes and how much there is.
    """
    have = available()
    if needed > have:
        raise NetworkError(
            f"{what} would take about {needed / 1e9:,.0f} GB of memory, and this machine has {have / 1e9:.0f} GB; "
            f"{mend}"
        )


def require_network(nodes: int, edges: int) -> None:
    """See that a network of so many nodes and edges fits.

    Raises:
        NetworkError: if it does not.
    """
    require(f"a network of {nodes:,} nodes and {edges:,} edges", nodes * BYTES_PER_NODE + edges * BYTES_PER_EDGE)
