"""``sandbox.interact``: what its controls do, its widgets in Python, and all of it in a real JupyterLab."""

from __future__ import annotations

import builtins
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import lab, run_notebook

import sandbox
from sandbox.errors import SandboxError
from sandbox.interacting import play
from sandbox.interacting.load import LoadPlay
from sandbox.interacting.play import BenchPlay
from sandbox.physics import graphs
from sandbox.physics.laws import CONDUCTANCE


@pytest.fixture
def bench() -> sandbox.Bench:
    flow = sandbox.Material(graphs.random_graph(12, 30, seed=0), CONDUCTANCE, {"k": 1.0}, bounds=(1e-3, np.inf))
    return sandbox.Bench(
        sandbox.Apparatus(flow, sandbox.Terminals.at([0, 1]), sandbox.Terminals.at([2]), compliance=3.0)
    )


def named(work: Any, start: str) -> int:
    return next(n for n, control in enumerate(work.controls) if control.name.startswith(start))


def test_inputs_are_clamped_and_outputs_answer(bench: sandbox.Bench) -> None:
    work = play(bench)
    assert [c.name for c in work.controls] == ["input 0", "input 1", "target 0", "nudging"]
    work.turn(0, 0.0)
    work.turn(1, 1.0)
    frame, figures = work.look()
    bench.clamp([0.0, 1.0])
    bench.nudge(None, 0.0)
    wanted = bench.read().item()
    assert frame.state is not None
    assert frame.state[[0, 1, 2]] == pytest.approx([0.0, 1.0, wanted])
    assert figures["output"] == f"{wanted:.4g}"
    work.turn(3, 0.5)  # nudging draws the output to its target
    work.turn(2, 2.0)
    nudged = work.look()[0].state
    assert nudged is not None
    assert wanted < nudged[2] < 2.0


def test_the_phases_by_hand_are_a_step_of_learning(bench: sandbox.Bench) -> None:
    work = play(bench)
    for number, value in ((0, 0.0), (1, 1.0), (2, 0.3)):
        work.turn(number, value)

    def miss() -> float:
        work.turn(3, 0.0)
        state = work.look()[0].state
        assert state is not None
        return abs(float(state[2]) - 0.3)

    before = miss()
    for _ in range(20):
        work.turn(3, -0.5)
        work.actions["hold"]()
        work.turn(3, 0.5)
        work.actions["release"]()
    assert miss() < 0.7 * before
    assert not np.array_equal(bench.stiffness, np.ones(30))
    work.actions["start again"]()
    assert np.array_equal(bench.stiffness, np.ones(30))
    assert miss() == pytest.approx(before)


def test_a_scene_that_learns_offers_its_samples() -> None:
    work = play("iris_flow")
    assert isinstance(work, BenchPlay)
    task = sandbox.load("iris_flow").setup.task
    assert [c.group for c in work.controls] == ["sample", *["input"] * int((~task.constant).sum()), "target", "nudging"]
    work.turn(0, 7)
    free = np.flatnonzero(~task.constant)
    assert [c.value for c in work.controls if c.group == "input"] == pytest.approx(task.inputs[7][free])
    assert work.controls[named(work, "target")].value == task.targets[7, 0]
    work.turn(1, 0.123)
    assert task.inputs[7][free[0]] != 0.123  # the samples are not written to
    assert work._task is not None
    assert np.array_equal(work._task.inputs, task.inputs)


def test_loads_of_a_scene_that_relaxes() -> None:
    scene = sandbox.load("lattice_stretch", network={"shape": [8, 6], "hole": 0.0})
    work = play(scene)
    assert isinstance(work, LoadPlay)
    assert len(work.controls) == 1
    full = scene.setup.system.relax(scene.setup.boundary)
    frame, figures = work.look()
    assert frame.positions == pytest.approx(full.state[0], abs=1e-8)
    assert figures["energy"] == f"{full.energy[0]:.4g} mJ"
    work.turn(0, 0.0)
    frame, figures = work.look()
    assert frame.positions == pytest.approx(scene.setup.network.positions, abs=1e-8)  # nothing pulls
    work.actions["start again"]()
    assert work.look()[1]["energy"] == f"{full.energy[0]:.4g} mJ"


def test_what_is_worked_has_the_units_of_its_scene() -> None:
    work = play("iris_flow")
    names = [c.name for c in work.controls]
    assert [names[1], *names[-2:]] == ["sepal length (kPa)", "target 0 (kPa)", "nudging (W/kPa²)"]
    assert (work.net["stateLabel"], work.net["stiffnessLabel"]) == ("pressure (kPa)", "conductance (L/(s·kPa))")
    figures = work.look()[1]
    assert figures["output"].endswith(" kPa")
    assert figures["loss"].endswith(" kPa²")
    work = play(sandbox.load("lattice_stretch", network={"shape": [8, 6], "hole": 0.0}))
    assert work.controls[0].name == "displacement of right: × (2.4, 0) mm"
    assert work.look()[1]["energy"].endswith(" mJ")
    bare = play(sandbox.load("iris_flow", units={"state": None, "stiffness": None, "energy": None}))
    assert bare.controls[-1].name == "nudging"  # a unit is whole or not there


def test_large_networks_are_shown_without_edges() -> None:
    work = play("digits_hopfield")
    assert work.net["ends"] == ""
    assert work.look()[0].stiffness is None
    assert sum(c.group == "input" for c in work.controls) == 12


def test_what_cannot_be_worked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SandboxError, match="'lattice_vibration' moves"):
        sandbox.interact("lattice_vibration")
    with pytest.raises(SandboxError, match="nothing to turn"):
        play(sandbox.load("lattice_stretch", ["clamp=[{nodes='left'}]"]))
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "anywidget":
            raise ModuleNotFoundError("gone", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SandboxError, match=r"needs the package anywidget: pip install 'matter-sandbox\[jupyter\]'"):
        sandbox.interact("iris_flow")


def test_sliders_turn_controls_and_follow_them(bench: sandbox.Bench) -> None:
    panel = sandbox.interact("iris_flow", beta=2.0)
    before = dict(panel.canvas.frame)
    panel.sliders[0].value = 9
    assert panel.sliders[1].value == panel.play.controls[1].value
    state = np.frombuffer(panel.canvas.frame["state"], "<f4")
    assert panel.canvas.frame["state"] != before["state"]
    assert state == pytest.approx(panel.play.look()[0].state, abs=1e-6)
    assert panel.sliders[-1].max == 2.0
    assert set(panel.canvas.said) == {"output", "loss", "relaxed in", "relaxations"}


def test_an_error_under_a_slider_is_told_and_the_picture_stays(bench: sandbox.Bench, monkeypatch: Any) -> None:
    panel = sandbox.interact(bench)
    before = dict(panel.canvas.frame)

    def fail() -> None:
        raise SandboxError("<b>no rest</b>")

    monkeypatch.setattr(panel.play, "look", fail)
    panel.sliders[0].value = panel.sliders[0].max
    assert panel.canvas.said == "<b>no rest</b>"  # put into the page as text, by canvas.js
    assert panel.canvas.frame == before


CELL = """
import sandbox
from sandbox.physics import graphs
from sandbox.physics.laws import CONDUCTANCE
net = graphs.jittered_grid({side}, seed=0)
flow = sandbox.Material(net, CONDUCTANCE, {{"k": 1.0}}, bounds=(1e-3, 10.0))
ends = sandbox.Terminals.at([0, net.n_nodes - 1]), sandbox.Terminals.at([net.n_nodes // 2])
panel = sandbox.interact(sandbox.Bench(sandbox.Apparatus(flow, *ends)), inputs=(0.0, 1.0))
panel
"""

FRAMES = "return +document.querySelector('.sketch canvas').dataset.frames"

SHAKE = """
const [seconds, done] = arguments, handle = document.querySelector('.noUi-handle');
const canvas = document.querySelector('.sketch canvas'), from = +canvas.dataset.frames, began = performance.now();
let keys = 0;
const press = () => {
  const took = (performance.now() - began) / 1000;
  if (took > seconds) return done([keys, +canvas.dataset.frames - from, took]);
  const key = Math.floor(keys / 50) % 2 ? 'ArrowLeft' : 'ArrowRight';
  handle.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  keys += 1;
  requestAnimationFrame(press);
};
press();
"""
"""Press an arrow key on the first slider at every refresh of the screen; tells keys, frames drawn, seconds."""


def test_in_jupyterlab_the_network_follows_a_slider(browser: Any, tmp_path: Path) -> None:
    """In a real browser: the widget is there, a slider moved by keys relaxes the network, and it is drawn again.

    How often is printed (-s): ten times a second and more on a machine with nothing else to do.
    """
    with lab(tmp_path) as address:
        run_notebook(browser, tmp_path, address, CELL.format(side=14), wait=".sketch canvas")
        until = time.monotonic() + 20
        while not browser.execute_script(FRAMES) and time.monotonic() < until:
            time.sleep(0.05)
        browser.set_script_timeout(30)
        keys, frames, seconds = browser.execute_async_script(SHAKE, 2.0)
        said = browser.execute_script("return document.querySelector('.sketch-said').textContent")
        browser.get("about:blank")
    print(f"{frames / seconds:.1f} redraws per second of 196 nodes, {keys / seconds:.0f} keys per second")
    assert "output" in said
    assert frames > 2
