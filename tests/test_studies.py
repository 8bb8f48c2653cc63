"""Every study reruns in its quick form and meets its bars; the recording tells when one does not."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import numpy as np
import pytest

from sandbox.plot import draw_curves
from studies import common, ladders
from studies.__main__ import studies

PNG = b"\x89PNG"


@pytest.mark.parametrize("name", studies())
def test_quick_form(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Page, table and picture are there, and no bar is missed (that would raise)."""
    before = {path: path.stat().st_mtime_ns for path in common.PAGES.glob(f"{name}.*")}
    importlib.import_module(f"studies.{name}").main(["--quick", "--out", str(tmp_path)])
    page = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert "| ---" in page
    assert f"python -m studies.{name}" in page
    assert "**no**" not in page
    assert (tmp_path / f"{name}.png").read_bytes().startswith(PNG)
    assert {path: path.stat().st_mtime_ns for path in common.PAGES.glob(f"{name}.*")} == before


def test_every_study_is_on_the_index() -> None:
    index = (common.PAGES / "README.md").read_text(encoding="utf-8")
    for name in studies():
        assert f"python -m studies.{name}" in index, name


def _finding(value: float) -> common.Finding:
    figure = draw_curves([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y")
    return common.Finding("T", "Text.", ("a", "b"), [["x", value]], figure, "C.", [common.Bar("value", value, 1, 2)])


@pytest.mark.parametrize("value", [0.9, 2.1, float("nan")])
def test_a_missed_bar_raises_after_recording(value: float, tmp_path: Path) -> None:
    with pytest.raises(common.BarMissed, match=r"toy: value: .*, wanted 1 to 2"):
        common.conduct("toy", lambda options: _finding(value), ["--out", str(tmp_path)])
    assert "**no**" in (tmp_path / "toy.md").read_text(encoding="utf-8")


def test_page_repeats_the_command(tmp_path: Path) -> None:
    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--steps", type=int, default=3)

    common.conduct("toy", lambda options: _finding(1.5), ["--seed", "4", "--quick", "--out", str(tmp_path)], more)
    page = (tmp_path / "toy.md").read_text(encoding="utf-8")
    assert "    python -m studies.toy --seed 4 --quick --steps 3\n" in page
    assert "| x | 1.50 |" in page


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_clean_part_leaves_out_floor_and_bend(order: float) -> None:
    """A power law with a higher power at the coarse end and a floor at the fine one: the slope is the middle's."""
    x = 0.5 ** np.arange(32)
    floor = 1e-7
    errors = x**order * (1 + 3 * x) + floor
    ladder = ladders.clean_part(x, errors, np.full(len(x), floor))
    assert ladder.slope == pytest.approx(order, abs=0.03)
    assert not ladder.clean[0]
    assert not ladder.clean[errors < 10 * floor].any()
    assert abs(np.polyfit(np.log(x), np.log(errors), 1)[0] - order) > 0.1


def test_clean_part_of_noise_has_no_slope() -> None:
    noise = np.random.default_rng(0).uniform(0.5, 2, 12)
    assert np.isnan(ladders.clean_part(0.5 ** np.arange(12), noise, np.full(12, 1.0)).slope)
