"""A run as one page of HTML that needs nothing else: no server, no network, no Python."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from sandbox.errors import RunError
from sandbox.files import write_text
from sandbox.results import Run, read_run
from sandbox.viewing.page import page

NAME = "page.html"

_UNLIKE = (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError)
"""What comes of data, or of a scene, that a run does not leave."""


def view(run: str | Path | Run, output: str | Path | None = None, *, show: bool = True) -> Path:
    """Write the page of a run, and open it in the browser.

    It shows the figures of merit, the network over epochs or time, curves that can be pointed at, the pictures, the
    scene and where the numbers come from. It runs no script but its own and loads nothing.

    Args:
        run: the folder of a complete run, or a run.
        output: the file, replaced if there is one; ``page.html`` in the folder of the run by default.
        show: whether to open it.

    Returns:
        The file.

    Raises:
        RunError: if the folder is not a complete run, was changed, or the page cannot be written.
    """
    run = run if isinstance(run, Run) else read_run(Path(run))
    path = run.folder / NAME if output is None else Path(output)
    try:
        text = page(run)
    except _UNLIKE as error:
        raise RunError(f"{run.folder} has not the data or the scene that a run leaves: {error!r}") from error
    write_text(path, text)
    if show:
        webbrowser.open(path.resolve().as_uri())
    return path
