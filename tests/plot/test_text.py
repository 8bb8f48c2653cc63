"""Texts of users in pictures: drawn as they stand, whatever Matplotlib would make of them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axis import Tick
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.text import Text

from sandbox.physics.network import Network
from sandbox.plot import (
    animate,
    before_after,
    draw_chains,
    draw_curves,
    draw_deformation,
    draw_grid,
    draw_network,
    draw_spread,
    draw_trials,
    learning_curves,
)
from sandbox.plot.style import ZERO_WIDTH, plain

TEXTS = ('Yelle - "Ba$$in", cost $5^ to $6_', "$", r"\$\$", "$x$ $\\undefined{$", "_hidden $_$", r"\frac", "$5 to $6")

SQUARE = Network(np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), np.array([[0, 1], [1, 2], [2, 3], [3, 0]]))


def figures(text: str) -> Iterator[Figure]:
    """Every figure, with a text in every place that takes one."""
    x, values, edges = [0, 1, 2], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]
    series = {text: values, "other": values}
    roles = {text: [0], "other": [1]}
    yield draw_curves(x, series, xlabel=text, ylabel=text, title=text)
    labels: dict[str, Any] = {"xlabel": text, "loss_label": text, "accuracy_label": text}
    yield learning_curves(x, series, series, title=text, **labels)
    state: dict[str, Any] = {"state": edges, "stiffness": edges}
    named: dict[str, Any] = {"state_label": text, "stiffness_label": text, "roles": roles}
    yield draw_network(SQUARE, title=text, **state, **named)
    yield before_after(SQUARE, state, state, titles=(text, text), **named)
    moved = SQUARE.positions * 1.1
    yield draw_deformation(
        SQUARE, moved, strain=edges, strain_label=text, stiffness=edges, stiffness_label=text, roles=roles, title=text
    )
    yield draw_chains(SQUARE, edges, tension_label=text, roles=roles, title=text)
    rows = {text: np.ones((3, 2)), "other": np.ones((3, 2))}
    yield draw_spread(["$a$", "b", "c"], rows, xlabel=text, ylabel=text, title=text)
    yield draw_trials(values, least=True, ylabel=text, title=text)
    yield draw_grid(["$a$", "b"], ["$c$"], np.ones((2, 1)), xlabel=text, ylabel=text, label=text, title=text)


def texts(figure: Figure) -> list[str]:
    """What the figure says, but for the numbers of its axes."""
    figure.canvas.draw()
    ticks = {id(t) for tick in figure.findobj(Tick) for t in tick.findobj(Text)}
    return [t.get_text() for t in figure.findobj(Text) if id(t) not in ticks]


@pytest.mark.parametrize("text", TEXTS)
def test_every_figure(text: str) -> None:
    for figure in figures(text):
        figure.savefig(io.BytesIO(), format="png")
        found = [said for said in texts(figure) if plain(text) in said]
        assert found, figure
        assert not any(is_math_text(said) for said in found)


def test_values_of_an_axis() -> None:
    """Values of a sweep may be texts too."""
    spread = draw_spread(["$a$", "b"], {"x": np.ones((2, 2))}, xlabel="x", ylabel="y")
    grid = draw_grid(["$a$", "b"], ["$c$"], np.ones((2, 1)), xlabel="x", ylabel="y", label="z")
    for figure, wanted in ((spread, {r"\$a\$", "b"}), (grid, {r"\$a\$", "b"})):
        assert {label.get_text() for label in figure.axes[0].get_xticklabels()} == wanted


def test_legends_show_names_with_an_underscore() -> None:
    """Matplotlib leaves out what begins with one."""
    for figure in figures("_a"):
        assert any(said.startswith(f"{ZERO_WIDTH}_a") for said in texts(figure))


def test_what_is_seen() -> None:
    """The same pixels as the text without its dollars' meaning: drawn with mathematics switched off."""
    text = "Ba$$in, $5^ to $6_, \\$"
    shown = []
    for parse, said in ((False, text), (True, plain(text))):
        figure = draw_curves([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y")
        figure.axes[0].set_title(said).set_parse_math(parse)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="raw")
        shown.append(buffer.getvalue())
    assert shown[0] == shown[1]


@pytest.mark.parametrize("kind", ["gif", "html"])
def test_films(kind: Any, tmp_path: Path) -> None:
    text = TEXTS[0]
    path = tmp_path / f"film.{kind}"
    motion = np.array([SQUARE.positions, SQUARE.positions * 1.1])
    speed = np.ones((2, 4))
    animate(SQUARE, [0, 1], motion, path, colour=speed, label=text, roles={text: [0]}, time_label=text, title=text)
    if kind == "html":  # pages are no mathematics, and take no escapes
        assert r"\$" not in path.read_text(encoding="utf-8").partition("<script")[0]
    assert path.stat().st_size
