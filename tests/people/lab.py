"""A JupyterLab of one's own: no token, no news, nothing of the user's settings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat

START = 60.0
"""Seconds that it may take to answer; it takes a few."""

READY = """
const app = window.jupyterapp, panel = app && app.shell.currentWidget;
return Boolean(panel && panel.sessionContext && panel.sessionContext.session
  && panel.sessionContext.session.kernel && panel.sessionContext.session.kernel.status === 'idle');
"""


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """Serve a folder; gives the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / ".jupyter"
    own = {f"JUPYTER_{name}_DIR": str(settings / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(settings),
        "IPYTHONDIR": str(settings),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *(f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", "--LabApp.extension_manager=readonly", "--LabApp.news_url="),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    log = folder / "lab.log"
    with log.open("wb") as written:
        server = subprocess.Popen(command, cwd=folder, env=os.environ | own, stdout=written, stderr=written)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + START
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{address}/api/status", timeout=5):
                break
            if server.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)
        yield address
    finally:
        with suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(f"{address}/api/shutdown", method="POST"), timeout=5).close()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def run_notebook(browser: Any, folder: Path, address: str, *cells: str, wait: str) -> None:
    """Open a notebook of these cells, run them, and wait for an element to be there, given by its CSS selector."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "book.ipynb")
    browser.get(f"{address}/lab/tree/book.ipynb?reset")
    WebDriverWait(browser, START).until(lambda b: b.execute_script(READY))
    browser.execute_script("jupyterapp.commands.execute('notebook:run-all-cells')")
    WebDriverWait(browser, START).until(lambda b: b.find_elements(By.CSS_SELECTOR, wait))
