"""How a command ends: its last words and its status, also where nothing more can be written."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress

from sandbox.errors import PluginFault, SandboxError, out_of_memory, printable

MISTAKE, FAULT = 2, 3
"""Statuses: of a mistake in what was given or a limit that was met, and of a fault of a program."""

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EPIPE)
"""Errors of the system that may come of writing to standard output."""


def open_standard_files() -> None:
    """Open the null device in place of standard files that are closed, or the next file opened would be taken for one.

    Libraries print to standard output by its number; without this, into the data of a run.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the system gives the lowest number that is free


def flush_output() -> None:
    """Write what is left of standard output.

    Raises:
        OSError: if it cannot be written.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def say(text: str) -> None:
    """Write a line to standard error, if it can be written."""
    with suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


def told(error: Exception) -> int:
    """Say what went wrong, and return the status to end with."""
    if isinstance(error, PluginFault):
        _trace(error.__cause__ or error)  # for the plugin's author
        say(f"error: {error}")
        return FAULT
    if isinstance(error, SandboxError):
        say(f"error: {error}")
        return MISTAKE
    if out_of_memory(error):
        say(
            "error: there is not enough memory for this; make the network or the batch smaller, or allow the process "
            "more of it (ulimit -v, the limits of a container or a job)"
        )
        return MISTAKE
    if isinstance(error, OSError) and error.errno in UNWRITABLE and _output_fails():
        say(f"error: standard output cannot be written: {error.strerror or error}")
        return MISTAKE
    _trace(error)  # for whoever mends it
    say(f"error: a fault of the sandbox, not of the scene: {type(error).__name__}: {error}")
    return FAULT


def _output_fails() -> bool:
    """Whether standard output cannot be written; it is given up then, or Python would fail once more at its end."""
    if sys.stdout is None:
        return False
    try:
        flush_output()
        os.write(sys.stdout.fileno(), b"\n")  # what failed before may not be there to be flushed
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return True
    return False


def _trace(error: BaseException) -> None:
    with suppress(OSError):
        traceback.print_exception(error)
