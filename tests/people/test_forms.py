"""How objects show themselves in a notebook: what is said, that names are only ever text, and how large it gets."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sandbox
from sandbox.physics import graphs, groups
from sandbox.physics.laws import CONDUCTANCE, SPRING
from sandbox.physics.network import Network
from sandbox.results import Run

HOSTILE = "<script>alert(1)</script>\"'&amp;"

LARGEST = 200_000
"""Characters of a form: ten of them make a notebook of a size that one sends by mail."""


class Card(HTMLParser):
    """What a form holds: its title, its rows, its picture; fails on a tag that it must not have."""

    ALLOWED = frozenset({"div", "figure", "img", "figcaption", "strong", "table", "tr", "th", "td"})

    def __init__(self, html: str | None) -> None:
        super().__init__()
        assert html is not None
        self.size = len(html)
        self.title, self.rows, self.caption, self.said = "", {}, "", ""
        self.picture: Image.Image | None = None
        self._open: list[str] = []
        self._name = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.ALLOWED, tag
        given = dict(attrs)
        assert set(given) <= {"style", "class", "alt", "src"}
        if tag == "img":
            head, data = (given["src"] or "").split(",")
            assert head == "data:image/png;base64"
            self.picture = Image.open(io.BytesIO(base64.b64decode(data)))
            self.said = given["alt"] or ""
        else:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        match self._open[-1]:
            case "strong":
                self.title += data
            case "th":
                self._name = data
            case "td":
                self.rows[self._name] = self.rows.get(self._name, "") + data
            case "figcaption":
                self.caption += data

    def ink(self) -> float:
        """Part of the picture that is not white."""
        assert self.picture is not None
        return float((np.asarray(self.picture.convert("L")) < 250).mean())


@pytest.fixture(scope="module")
def lattice() -> Network:
    return graphs.triangular([6, 5])


def stretched(network: Network, by: float = 0.3, batch: int = 1) -> tuple[sandbox.Material, sandbox.Boundary]:
    springs = sandbox.Material(network, SPRING, {"k": 1.0, "l": network.lengths()}, bounds=(1e-3, np.inf))
    left, right = groups.side(network, "left"), groups.side(network, "right")
    pull = sandbox.Boundary.free(network.n_nodes, 2, batch=batch).clamp(left, network.positions[left])
    return springs, pull.clamp(right, network.positions[right] + [by, 0.0])


def test_a_network(lattice: Network) -> None:
    card = Card(lattice._repr_html_())
    assert card.title == "Network"
    assert card.rows["nodes"] == f"{lattice.n_nodes} in 2D"
    assert card.rows["edges"].startswith(f"{lattice.n_edges}, ")
    assert "left (" in card.rows["groups"]
    assert card.ink() > 0.03
    halves = Network(np.arange(4.0)[:, None], [[0, 1], [2, 3]])
    assert Card(halves._repr_html_()).rows["pieces"] == "2, not connected"


def test_a_material(lattice: Network) -> None:
    springs, _ = stretched(lattice)
    card = Card(springs._repr_html_())
    assert card.title == "Material"
    assert card.rows["energy of an edge"] == "k/2 * (r - l)**2"
    assert card.rows["k"] == "1, allowed 0.001 to ∞"
    assert card.ink() > 0.03


def test_an_equilibrium(lattice: Network) -> None:
    springs, pull = stretched(lattice)
    rest = springs.relax(pull)
    card = Card(rest._repr_html_())
    assert card.rows["samples"] == "1 converged"
    assert card.rows["energy"] == f"{rest.energy[0]:.4g}"
    assert card.said == f"deformation of {lattice.n_nodes} nodes"
    assert card.ink() > 0.03
    flow = sandbox.Material(lattice, CONDUCTANCE, {"k": 1.0}, bounds=(1e-3, np.inf))
    drops = sandbox.Boundary.free(lattice.n_nodes, 1, batch=2).clamp([0, 20], [[0.0, 1.0], [0.0, 2.0]])
    card = Card(flow.relax(drops)._repr_html_())
    assert card.rows["samples"] == "2 converged"
    assert card.caption == "sample 0 of 2"


def test_an_equilibrium_that_failed_says_what_to_do(lattice: Network) -> None:
    springs, pull = stretched(lattice)
    rest = springs.relax(pull, method="fire", max_iterations=1, tolerance=1e-15, throw=False)
    assert not rest.converged.all()
    card = Card(rest._repr_html_())
    assert card.rows["samples"] == "1 out of iterations"
    assert card.rows["advice"].startswith("more iterations may help")


def test_a_bench_shows_what_its_apparatus_does(lattice: Network) -> None:
    springs, pull = stretched(lattice)
    apparatus = sandbox.Apparatus(
        springs, sandbox.Terminals.across([[12, 13]]), sandbox.Terminals.across([[15, 16]]), surroundings=pull
    )
    bench = sandbox.Bench(apparatus)
    bench.clamp([1.1])
    bench.read()
    card = Card(bench._repr_html_())
    assert card.title == "Bench"
    assert card.rows["inputs"] == "1 (pair of nodes)"
    assert card.rows["relaxations so far"].startswith("1, ")
    assert bench._repr_html_() == apparatus._repr_html_()
    hopfield = Card(sandbox.load("digits_hopfield").setup.apparatus._repr_html_())
    assert hopfield.rows["inputs"] == "64 (node value)"


def test_a_motion(lattice: Network) -> None:
    springs, pull = stretched(lattice)
    ringing = sandbox.simulate(springs, pull, time_step=0.01, steps=40, every=10, record=("positions", "energy"))
    card = Card(ringing._repr_html_())
    assert card.rows["recorded times"] == "5, to t = 0.4"
    assert card.rows["energy at the end"] == f"{ringing.energy[-1, 0]:.4g}"
    assert card.ink() > 0.01


def test_a_run(tmp_path: Path) -> None:
    run = sandbox.load("lattice_stretch", network={"shape": [6, 5], "hole": 0.0}).run(tmp_path / "run")
    card = Card(run._repr_html_())
    assert card.title == "Run of lattice_stretch"
    assert card.rows["energy"] == f"{run.figures['energy']:.4g}"
    assert card.rows["folder"] == str(run.folder)
    assert card.said == "deformation"
    assert card.ink() > 0.03


def test_names_of_others_are_text(lattice: Network, tmp_path: Path) -> None:
    named = lattice.with_groups(**{HOSTILE: [0, 1]})
    assert f"{HOSTILE} (2)" in Card(named._repr_html_()).rows["groups"]
    original = sandbox.load("lattice_stretch", network={"shape": [6, 5], "hole": 0.0}).run(tmp_path / "run")
    data = original.data.assign_attrs(scene=HOSTILE)
    card = Card(Run(tmp_path / "<b>here</b>", data, {HOSTILE: 1.0, "said": HOSTILE})._repr_html_())
    assert card.title == f"Run of {HOSTILE}"
    assert card.rows[HOSTILE] == "1"
    assert card.rows["said"] == HOSTILE
    assert card.rows["folder"].endswith("<b>here</b>")


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: graphs.triangular([150, 150]), id="lattice of 45,000"),
        pytest.param(lambda: graphs.random_graph(400, 8000, seed=0), id="dense graph"),
        pytest.param(
            lambda: graphs.triangular([40, 20]).with_groups(**{f"g{i}": [i] for i in range(400)}), id="groups"
        ),
    ],
)
def test_forms_stay_small(network: object) -> None:
    built = network()  # type: ignore[operator]
    card = Card(built._repr_html_())
    assert card.size < LARGEST
    assert card.rows["nodes"].startswith(f"{built.n_nodes} ")  # all of them, whatever part is drawn
    assert len(card.rows.get("groups", "")) < 200
    material = sandbox.Material(built, CONDUCTANCE, {"k": 1.0}, bounds=(1e-3, np.inf))
    assert Card(material._repr_html_()).size < LARGEST
    if len(built.edges) > 10_000:
        assert card.caption == "the middle of it"


def test_no_array_is_written_out(lattice: Network) -> None:
    springs, pull = stretched(lattice)
    for thing in (lattice, springs, springs.relax(pull)):
        text = re.sub(r"<[^>]*>", " ", thing._repr_html_() or "")
        assert len(text) < 1_000
        assert "array" not in text
