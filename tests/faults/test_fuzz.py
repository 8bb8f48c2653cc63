"""Run folders changed with their checksums made to fit, in short. In full: `tests.faults.fuzz`."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import checkpoints, manifest
from sandbox.errors import RunError
from sandbox.plain import misfit, pack, unpack
from tests.faults import fuzz

SHORT = 20

KEYS = st.sampled_from(["a", "__kind__", "items", "name"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.filterwarnings("ignore")
def test_every_one_is_a_clean_error_or_a_run() -> None:
    report = fuzz.main(SHORT, seed=3)
    assert report.failures == []
    assert report.outcomes["ran"] >= SHORT // 8
    assert report.outcomes["refused"] >= SHORT // 4


def test_the_watch_sees_what_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "scene.toml").write_text("")
    (tmp_path / "work").mkdir()

    def sing(*_: object) -> str:
        (tmp_path / "work" / "canary" / "file").write_text("sung")
        return ""

    monkeypatch.setattr(fuzz, "CHANGES", (lambda *_: "nothing",))
    monkeypatch.setattr(fuzz, "watched", sing)
    report = fuzz.Report()
    fuzz.trial(tmp_path / "source", tmp_path / "work", report, random.Random(0))
    assert report.failures == [("wrote outside of the run folder", "source, nothing")]


@quick
@given(JSON)
def test_a_checkpoint_of_any_json_is_data_or_refused(value: object) -> None:
    try:
        found = unpack(json.dumps(value), {"a": np.zeros(3)}.__getitem__)
    except checkpoints._UNREADABLE:
        return
    assert misfit(found, found) is None or isinstance(found, (dict, list, float, int))
    pack(found)


@quick
@given(JSON)
def test_a_manifest_of_any_json_is_one_or_refused(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(value, dict):
            value = {**value, "sha256": manifest._own(json.loads(json.dumps(value)))}
        (Path(folder) / "manifest.json").write_text(json.dumps(value))
        with pytest.raises(RunError, match="was changed or cut"):
            manifest.read(Path(folder))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": 1}, "state lacks 'b'"),
        ({"a": 1.5, "b": [1], "c": np.zeros(2)}, "of another type"),
        ({"a": 1, "b": [1, "x"], "c": np.zeros(2)}, r"state\['b'\]\[1\]"),
        ({"a": 1, "b": [], "c": np.zeros(2, np.float32)}, "array of float32"),
        ({"a": 1, "b": [], "c": np.full(2, np.nan)}, "not finite"),
        ({"a": 2**200, "b": [], "c": np.zeros(2)}, "out of range"),
        ({"a": 1, "b": [], "c": [0.0]}, "in place of an array"),
        ({"a": True, "b": [], "c": np.zeros(2)}, "of another type"),
    ],
)
def test_what_does_not_fit_is_named(value: object, problem: str) -> None:
    model = {"a": 0, "b": [3], "c": np.ones(5)}
    assert misfit(model | {"b": [], "c": np.zeros(7), "more": 1}, model) is None
    with pytest.raises(ValueError, match=problem):
        raise ValueError(misfit(value, model))
