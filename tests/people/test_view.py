"""The page of a run, in a real browser: it is whole, plays, tells values, asks for nothing, and trusts no text."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import sandbox
from sandbox.cli import app
from sandbox.errors import RunError
from sandbox.physics import graphs
from sandbox.plot import animate
from sandbox.viewing import view

HOSTILE = "</title><script>window.bad = 1</script><img src=x onerror='window.bad = 2'>&lt;\u2028--><!--"
"""A title that would run, if a page put it anywhere as it is."""

PAINTED = """
const c = document.querySelector('canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
let n = 0, sum = 0;
for (let i = 0; i < d.length; i += 4) {
  if (d[i] + d[i + 1] + d[i + 2] < 740) { n += 1; sum = (sum * 31 + i + d[i]) % 1e9; }
}
return [n, sum];
"""
SETTLED = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"


def complaints(browser: Any) -> list[str]:
    """What the page wrote to the console; that it is slow to read a canvas back is the doing of these tests."""
    return [entry["message"] for entry in browser.get_log("browser") if "getImageData" not in entry["message"]]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    experiment = sandbox.load("iris_flow", [f"title={HOSTILE}", f"description={HOSTILE}"], training={"epochs": 4})
    return experiment.run(tmp_path_factory.mktemp("view") / "learned <b>&amp;").folder


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes: dict[str, Any] = {
        "network": {"shape": [8, 5]},
        "groups": {"hammer": {"nodes": [12]}},
        "dynamics": {"steps": 100, "every": 10},
    }
    return (
        sandbox.load("lattice_vibration", units={"time": "ms"}, **changes)
        .run(tmp_path_factory.mktemp("view") / "m")
        .folder
    )


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    """Opens the page of a run, and sees at the end that it wrote nothing to the console and loaded nothing."""

    def open_(folder: Path) -> Any:
        browser.get_log("browser")
        browser.get(view(folder, tmp_path / "page.html", show=False).as_uri())
        browser.execute_async_script(SETTLED)
        return browser

    yield open_
    assert complaints(browser) == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_a_run_that_learned(page: Any, learned: Path) -> None:
    browser = page(learned)
    headings = [h.text for h in browser.find_elements("tag name", "h2")]
    assert headings[:4] == ["Figures of merit", "Network", "Curves", "Pictures"]
    assert headings[-2:] == ["Scene", "Where the numbers come from"]
    text = browser.find_element("tag name", "body").text
    for name in ("train accuracy", "test accuracy", "relaxations"):
        assert name in text
    assert browser.execute_script(PAINTED)[0] > 2000
    pictures = browser.execute_script("return [...document.images].map((i) => [i.alt, i.complete && i.naturalWidth])")
    assert {alt for alt, width in pictures if width > 200} == {"learning", "network"}
    assert "controller" in browser.execute_script("return document.querySelector('details pre').textContent")
    assert "python" in browser.execute_script("return document.querySelector('main section:last-child').textContent")
    wide = browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def test_hostile_texts_are_texts(page: Any, learned: Path) -> None:
    browser = page(learned)
    assert browser.title == HOSTILE
    assert browser.execute_script("return document.querySelector('h1').textContent") == HOSTILE
    assert browser.execute_script("return window.bad") is None
    assert "window.bad = 1" in browser.find_element("class name", "description").text


def test_curves_tell_what_is_pointed_at(page: Any, learned: Path) -> None:
    browser = page(learned)
    data = sandbox.open(learned)
    point = """
    const svg = document.querySelector('#curve-0 svg.curves'), box = svg.getBoundingClientRect();
    const x = box.left + (74 + arguments[0] * (560 - 74 - 14)) / 560 * box.width;
    svg.dispatchEvent(new PointerEvent('pointermove', {clientX: x, clientY: box.top + 20, bubbles: true}));
    return document.querySelector('#curve-0 .readout').textContent;
    """
    for epoch in (0, 2, 4):
        said = browser.execute_script(point, epoch / 4)
        numbers = [float(n) for n in re.findall(r"[\d.]+(?:e[−+]\d+)?", said.replace("−", "-"))]
        assert numbers[0] == epoch
        expected = [float(data[f"{part}_loss"][epoch]) for part in ("train", "test")]
        np.testing.assert_allclose(numbers[1:], expected, rtol=1e-3)
    browser.execute_script("document.querySelector('#curve-0 svg.curves').focus()")
    browser.switch_to.active_element.send_keys("\ue012")  # arrow to the left
    assert browser.execute_script("return document.querySelector('#curve-0 .readout').textContent").startswith(
        "epoch 3:"
    )


def test_ticks_of_a_logarithmic_axis(page: Any, learned: Path) -> None:
    browser = page(learned)
    for low, high, ticks in (
        (0.023, 1.2, [0.05, 0.1, 0.2, 0.5, 1]),
        (2e-5, 0.03, [1e-4, 1e-3, 1e-2]),
        (1e-9, 2.0, [1e-9, 1e-7, 1e-5, 1e-3, 1e-1]),
    ):
        assert browser.execute_script("return logTicks(...arguments)", low, high) == pytest.approx(ticks)


def test_network_tells_what_is_pointed_at(page: Any, learned: Path) -> None:
    browser = page(learned)
    point = """
    const c = document.querySelector('canvas'), box = c.getBoundingClientRect(), p = sketch.pointsNow;
    const [x, y] = arguments[0].length === 1
      ? [p[3 * arguments[0][0]], p[3 * arguments[0][0] + 1]]
      : [0, 1].map((a) => 0.35 * p[3 * arguments[0][0] + a] + 0.65 * p[3 * arguments[0][1] + a]);
    c.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + x, clientY: box.top + y, bubbles: true}));
    return document.querySelector('.sketch-tip').textContent;
    """
    data = sandbox.open(learned)
    node = int(data.sizes["node"]) - 1
    said = browser.execute_script(point, [node])
    assert said.startswith(f"node {node}")
    value = re.search(r": pressure ([\d.]+) kPa$", said)
    assert value is not None
    assert float(value[1]) == pytest.approx(float(data["state_after"][node, 0]), rel=1e-3)
    told = set()
    for edge, (i, j) in enumerate(data["ends"].to_numpy().tolist()):
        words = r"edge (\d+) \((\d+)–(\d+)\), conductance ([\d.]+) L/\(s·kPa\)$"
        found = re.match(words, browser.execute_script(point, [i, j]))
        if found and int(found[1]) == edge:
            assert float(found[4]) == pytest.approx(float(data["stiffness"][-1, edge]), rel=1e-3)
            told.add(edge)
    assert len(told) > 0.5 * data.sizes["edge"]  # the others lie under a node or another edge there


def test_film_plays(page: Any, struck: Path) -> None:
    browser = page(struck)
    before = browser.execute_script(PAINTED)
    last = f"time {float(sandbox.open(struck)['time'][-1]):g}"
    assert browser.find_element("css selector", ".film output").text == last
    button = browser.find_element("css selector", ".film button")
    button.click()
    seen = set()
    end = time.monotonic() + 15
    while button.text == "stop" and time.monotonic() < end:
        seen.add(browser.find_element("css selector", ".film output").text)
        time.sleep(0.1)
    assert len(seen) >= 4
    assert browser.find_element("css selector", ".film output").text == last
    browser.execute_script("sketch.film.show(3)")
    browser.execute_async_script(SETTLED)
    assert browser.execute_script(PAINTED) != before
    assert "time (ms)" in browser.find_element("id", "curve-0").text


def test_a_layered_run_has_no_network_to_draw(page: Any, tmp_path: Path) -> None:
    layered = {"network": {"layers": [64, 16, 10]}, "training": {"epochs": 1, "batch": 500}}
    browser = page(sandbox.load("digits_hopfield", **layered).run(tmp_path / "run").folder)
    assert "Network" not in [h.text for h in browser.find_elements("tag name", "h2")]
    assert browser.execute_script("return document.images.length") == 2


def test_a_network_in_space_turns(browser: Any, tmp_path: Path) -> None:
    network = graphs.cubic([3, 3, 3])
    times = np.arange(4.0)
    motion = network.positions + 0.1 * np.sin(times[:, None, None] + network.positions)
    animate(network, times, motion, tmp_path / "film.html", colour=motion[..., 0], title=HOSTILE, roles={"input": [0]})
    browser.get_log("browser")
    browser.get((tmp_path / "film.html").as_uri())
    browser.execute_async_script(SETTLED)
    assert browser.title == HOSTILE
    before = browser.execute_script(PAINTED)
    assert before[0] > 2000
    from selenium.webdriver import ActionChains

    canvas = browser.find_element("tag name", "canvas")
    ActionChains(browser).click_and_hold(canvas).move_by_offset(80, 10).release().perform()
    browser.execute_async_script(SETTLED)
    assert browser.execute_script(PAINTED) != before
    assert complaints(browser) == []


def test_page_stays_small(tmp_path: Path) -> None:
    """Of a thousand recorded times of a large network: it shows some of them."""
    changes: dict[str, Any] = {"network": {"shape": [50, 30]}, "dynamics": {"steps": 300, "every": 1}}
    run = sandbox.load("lattice_vibration", **changes).run(tmp_path / "run", pictures=False)
    path = view(run, show=False)
    assert path == run.folder / "page.html"
    assert path.stat().st_size < 12e6
    assert path.read_text().count('"label"') < 100


def test_command_and_what_cannot_be_viewed(struck: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.html"
    done = CliRunner().invoke(app, ["view", str(struck), "--output", str(target), "--no-open"])
    assert done.exit_code == 0, done.output
    assert target.read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(RunError, match="not the folder of a run"):
        view(tmp_path, show=False)
    with pytest.raises(RunError, match="cannot be written"):
        view(struck, tmp_path / "nowhere" / "page.html", show=False)


def test_a_run_whose_scene_cannot_be_built_here_says_so(struck: Path, tmp_path: Path, monkeypatch: Any) -> None:
    from sandbox.errors import SceneError
    from sandbox.exporting import shots

    def fails(*_: Any) -> None:
        raise SceneError("no plugin <b>x</b>")

    folder = tmp_path / "copy"
    shutil.copytree(struck, folder)
    monkeypatch.setattr(shots, "Recording", fails)
    text = view(folder, show=False).read_text()
    assert "Roles of nodes are not shown" in text
    assert "no plugin &lt;b&gt;x&lt;/b&gt;" in text
