"""Networks sketched by a real browser, from what ``sandbox.plot.sketch`` describes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.physics import graphs
from sandbox.physics.network import Network
from sandbox.plot.sketch import describe, packed, sizes, web

SHOW = "window.sketch = new Sketch(document.getElementById('here'), {net}); sketch.show({frame});"
PAINTED = """
const c = sketch.canvas, d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
let n = 0;
for (let i = 0; i < d.length; i += 4) n += d[i] + d[i + 1] + d[i + 2] < 750;
return [sketch.frames, n];
"""


def sketch(browser: Any, folder: Path, network: Network, frame: str, **looks: Any) -> int:
    """Draw one frame; returns how many pixels are not white."""
    net = json.dumps(describe(network, **looks))
    page = folder / "page.html"
    script = web("sketch.js") + SHOW.format(net=net, frame=frame)
    page.write_text(f"<meta charset=utf-8><div id=here></div><script>{script}</script>", encoding="utf-8")
    browser.get(page.as_uri())
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert browser.get_log("browser") == []
    frames, painted = browser.execute_script(PAINTED)
    assert frames > 0
    return painted


@pytest.mark.parametrize("shape", ["chain", "plane", "space"])
def test_networks_are_painted(browser: Any, tmp_path: Path, shape: str) -> None:
    chain = Network(np.arange(5.0)[:, None], [[0, 1], [1, 2], [2, 3], [3, 4], [0, 4]])
    network = {"chain": chain, "plane": graphs.triangular([6, 5]), "space": graphs.cubic([3, 3, 3])}[shape]
    values = np.linspace(0, 1, network.n_nodes)
    frame = f"{{state: floats('{packed(values)}'), positions: null, stiffness: null}}"
    painted = sketch(browser, tmp_path, network, frame, states=[values], roles={"input": [0]})
    assert painted > 300
    bare = Network(network.positions, np.zeros((0, 2), int))
    assert painted > 1.3 * sketch(browser, tmp_path, bare, frame, states=[values])  # edges, not only nodes


def test_one_strong_bond_leaves_the_others_their_widths(browser: Any, tmp_path: Path) -> None:
    """As on paper; a stronger one that comes later is as wide as the widest, and the key says so."""
    network = graphs.triangular([6, 5])
    stiffness = np.ones(network.n_edges)
    stiffness[0] = 60.0
    frame = f"{{state: null, positions: null, stiffness: floats('{packed(stiffness)}')}}"
    sketch(browser, tmp_path, network, frame, stiffnesses=[stiffness])
    widths = browser.execute_script("return [60, 4, 1].map(sketch.widthOf)")
    assert widths[0] == widths[1] == pytest.approx(4 * widths[2])
    assert browser.execute_script("return sketch.key.textContent").endswith("≥ 4")
    stiffness[0] = 3.0
    sketch(browser, tmp_path, network, frame, stiffnesses=[stiffness])
    later = json.dumps(sizes([np.append(np.ones(network.n_edges), 100.0)]))
    browser.execute_script(f"sketch.show({{...sketch.frame, sizes: {later}}})")
    assert "≥ 4" in browser.execute_script("return sketch.key.textContent")
