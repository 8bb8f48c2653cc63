"""Progress in notebooks, and cells that are interrupted: driven through real kernels."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient
from tqdm.notebook import tqdm as widgets

import sandbox
from sandbox.errors import RunError
from sandbox.report import Notebook, Silent, telling

SECONDS = 240.0
"""That a kernel may take to start or to finish a cell before the test gives up."""


def test_nothing_is_told_outside_notebooks() -> None:
    with telling(None) as reporter:
        assert isinstance(reporter, Silent)
    given = Silent()
    with telling(given) as reporter:
        assert reporter is given


def test_the_bar_tells_how_far_and_how_much_longer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    with Notebook() as bar:
        bar.start("learning", 40)
        time.sleep(0.15)
        bar.advance(10, {"train loss": 0.125})
        bar.warn("something \x1b[31mred")
    assert "learning:  25%" in written.getvalue()
    assert re.search(r"10/40 \[\d\d:\d\d<\d\d:\d\d", written.getvalue())  # gone, and left
    assert "train loss 0.125" in written.getvalue()
    said = capsys.readouterr().out
    assert "warning: something" in said
    assert "\x1b" not in said


def test_a_bar_that_is_not_full_goes_away_too_unless_the_run_was_cut_short() -> None:
    def last(fails: bool) -> Any:
        bar = Notebook()
        bar._bars = widgets
        with suppress(RunError), bar:
            bar.start("learning", 40)
            bar.advance(10, {})
            shown = bar._bar
            if fails:
                raise RunError("cut short")
        return shown.container

    assert last(fails=False).layout.visibility == "hidden"
    kept = last(fails=True)
    assert kept.layout.visibility != "hidden"
    assert kept.children[1].bar_style == "danger"


def test_a_run_in_a_notebook_shows_a_bar_that_goes_away(tmp_path: Path) -> None:
    start = 'run = sandbox.load("iris_flow", training={"epochs": 2}).run("run", pictures=False)'
    cell = f'import sandbox\n{start}\nrun.figures["epochs"]'
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    NotebookClient(
        book, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = book.cells[0].outputs
    assert outputs[-1].data["text/plain"] == "2"
    shown = [o for o in outputs if "application/vnd.jupyter.widget-view+json" in o.get("data", {})]
    assert [o.data["text/plain"].split(":")[0] for o in shown] == ["learning"]
    state = book.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for model in state.values():
        by_name.setdefault(model["model_name"], []).append(model["state"])
    (bar,) = by_name["FloatProgressModel"]
    assert bar["max"] == 2
    assert not [o for o in outputs if o.output_type == "stream"]  # and nothing else is said


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[KernelManager, Any]]:
    manager, client = start_new_kernel(startup_timeout=SECONDS, kernel_name="python3", cwd=str(tmp_path))
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


SCENE = 'sandbox.load("iris_flow", training={"epochs": 30, "every": 10})'


def test_a_cell_that_is_interrupted_can_be_gone_on_with(kernel: tuple[KernelManager, Any], tmp_path: Path) -> None:
    """Interrupted as the stop button does it: the cell says how to go on, the kernel lives, and the run goes on."""
    manager, client = kernel
    start = SCENE + '.run("run", pictures=False, checkpoint_every=0.05)'
    # A kernel that stops on errors drops what is asked of it soon after one.
    asked = client.execute(f"import sandbox\n{start}", stop_on_error=False)
    until = time.monotonic() + SECONDS
    while not list((tmp_path / "run").glob("checkpoints/*")):
        assert time.monotonic() < until, "no checkpoint was written"
        time.sleep(0.01)
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=SECONDS)
    while reply["parent_header"]["msg_id"] != asked:
        reply = client.get_shell_msg(timeout=SECONDS)
    assert reply["content"]["status"] == "error"
    assert reply["content"]["ename"] == "Interrupted"
    assert "go on from the last checkpoint with" in reply["content"]["evalue"]
    with pytest.raises(RunError, match="did not finish"):  # what is there is known to be a part
        sandbox.open(tmp_path / "run")
    said: list[str] = []
    again = client.execute_interactive(
        f'{SCENE}.run("whole", pictures=False)\nprint(sandbox.resume("run", pictures=False).figures["epochs"])',
        timeout=SECONDS,
        output_hook=lambda message: said.append(message["content"].get("text", "")),
    )
    assert again["content"]["status"] == "ok"
    assert "".join(said).strip().endswith("30")
    resumed, whole = sandbox.open(tmp_path / "run"), sandbox.open(tmp_path / "whole")
    for name in ("stiffness", "train_loss", "output"):
        assert np.array_equal(resumed[name], whole[name]), name
