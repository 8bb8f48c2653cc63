"""Execute notebooks and store what they show: ``python notebooks/execute.py [FILE ...]``; all of them by default."""

from __future__ import annotations

import base64
import io
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

from sandbox.forms import png

HERE = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"
MOST = 600_000
"""Bytes of a notebook with what it shows."""
ACROSS = 760
"""Pixels across a picture, at most."""


def execute(path: Path, timeout: float = 600.0) -> nbformat.NotebookNode:
    """The notebook with fresh outputs. Nothing is written beside it, for each makes a folder of its own.

    Raises:
        CellExecutionError: for a cell that fails.
    """
    book = nbformat.read(path, as_version=4)
    NotebookClient(
        book, timeout=timeout, kernel_name="python3", record_timing=False, store_widget_state=False
    ).execute()
    for cell in book.cells:
        if cell.cell_type == "code":  # progress bars: nothing is left of them where no kernel runs
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = smaller(output.data["image/png"])
    return book


def smaller(picture: str) -> str:
    """The same picture, at most `ACROSS` pixels wide."""
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        image.thumbnail((ACROSS, ACROSS))
        return base64.b64encode(png(image)).decode()


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or sorted(HERE.glob("*.ipynb"))):
        began = time.perf_counter()
        nbformat.write(execute(path), path)
        print(f"{path.name}: {time.perf_counter() - began:.1f} s, {path.stat().st_size} bytes")
        if path.stat().st_size > MOST:
            sys.exit(f"{path.name} is larger than {MOST} bytes; make its pictures fewer or smaller")
