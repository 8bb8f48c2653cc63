"""Damaged files are detected, or do no harm; never wrong silently."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sandbox
from sandbox import manifest
from sandbox.checkpoints import FORMAT, Checkpoints
from sandbox.errors import RunError
from sandbox.plain import NotPlain, pack, unpack

from .damage import Stop, after_complete, after_interrupted, files, interrupted, trial
from .killing import same_results

SHORT: dict[str, Any] = {"training": {"epochs": 5}}


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sandbox.load("iris_flow", **SHORT).run(tmp_path_factory.mktemp("damage") / "run").folder


def test_a_complete_run(complete: Path, tmp_path: Path) -> None:
    rng = random.Random(1)
    trials = [trial(complete, complete, tmp_path / "work", n, rng, after_complete) for n in range(21)]
    assert not [t for t in trials if t[2] == "wrong"]
    assert {t[0] for t in trials} == {p.name for p in files(complete)}
    assert Counter(t[2] for t in trials)["detected"] >= 19  # a bit of the manifest's white space is harmless


def test_an_interrupted_run(complete: Path, tmp_path: Path) -> None:
    source, rng = interrupted(tmp_path / "source", **SHORT), random.Random(2)
    trials = [trial(source, complete, tmp_path / "work", n, rng, after_interrupted) for n in range(14)]
    assert not [t for t in trials if t[2] == "wrong"]
    by_file = {name: outcome for name, _, outcome in trials}
    newest = max(name for name in by_file if name.endswith(".npz"))
    assert by_file[newest] == "detected, the checkpoint before used"
    assert by_file["scene.toml"] == by_file["provenance.json"] == "detected"


def test_no_checkpoint_is_whole(complete: Path, tmp_path: Path) -> None:
    folder, reporter = interrupted(tmp_path / "run", **SHORT), Stop(0)
    for path in folder.glob("checkpoints/*.npz"):
        path.write_bytes(path.read_bytes()[:-1])
    sandbox.resume(folder, reporter, pictures=False)
    assert any("starts from the beginning" in w for w in reporter.warnings)
    assert same_results(folder, complete)


def test_pictures_are_not_data(complete: Path, tmp_path: Path) -> None:
    run = sandbox.load("pipe_network").run(tmp_path / "run")
    run.pictures[0].write_bytes(b"nicer")
    with pytest.warns(UserWarning, match=r"not as the run drew it: network\.png"):
        sandbox.open(run.folder)
    run.pictures[0].unlink()
    sandbox.open(run.folder)


def test_the_error_names_the_file(complete: Path, tmp_path: Path) -> None:
    run = sandbox.load("pipe_network").run(tmp_path / "run", pictures=False)
    (run.folder / "summary.json").write_text("{}")
    with pytest.raises(RunError, match=r"not as the run left it: summary\.json \(changed\)"):
        sandbox.open(run.folder)


def test_a_manifest_that_names_files_elsewhere(tmp_path: Path) -> None:
    body = {"stage": "complete", "files": {"../data.nc": "0"}, "strict": False, "resumed": []}
    (tmp_path / "manifest.json").write_text(json.dumps(body | {"sha256": manifest._own(body)}))
    with pytest.raises(RunError, match="was changed or cut"):
        sandbox.open(tmp_path)


# State as plain data.


def round_trip(value: object) -> object:
    text, arrays = pack(value)
    return unpack(text, arrays.__getitem__)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "text"], "b": (1, (2,)), "c": {}},
        {1: "one", "__kind__": "tuple", None: 2},
        [float("inf"), -0.0, 0.1 + 0.2, 2.3e-308, 2**127 + 1],
        np.random.default_rng(3).bit_generator.state,
    ],
)
def test_plain_data_comes_back(value: object) -> None:
    back = round_trip(value)
    assert back == value
    assert repr(back) == repr(value)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = rng.standard_normal((3, 4))
    state = {
        "one": one,
        "same": one,
        "empty": np.zeros((0, 2), dtype=np.int32),
        "mask": one > 0,
        "scalar": np.float32(0.1),
        "words": np.array(["a", "bc"]),
        "fortran": np.asfortranarray(one),
    }
    Checkpoints(tmp_path).save(state)
    back = Checkpoints(tmp_path).load()[0]
    assert back is not None
    assert back["one"] is back["same"]
    for name, value in state.items():
        assert back[name].dtype == value.dtype
        np.testing.assert_array_equal(back[name], value)
    assert type(back["scalar"]) is np.float32


@pytest.mark.parametrize("value", [{"x": object()}, [{1, 2}], np.array([object()]), {"f": len}])
def test_what_is_not_plain_is_named(value: object) -> None:
    with pytest.raises(NotPlain, match=r"notes(\['x'\]|\[0\]|\['f'\])? is an? .*, which cannot be saved"):
        pack(value, "notes")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(tmp_path / "owned"),)  # pyright: ignore[reportReturnType]

    Checkpoints(tmp_path).save({"x": 1})
    data = next(tmp_path.glob("checkpoints/*.npz"))
    with data.open("wb") as file:
        np.savez(file, tree=np.array([Bad()], dtype=object))
    from sandbox.files import digest

    data.with_suffix(".json").write_text(json.dumps({"format": FORMAT, "sha256": digest(data)}))
    state, problems = Checkpoints(tmp_path).load()
    assert state is None
    assert "array of object" in problems[0]
    assert not (tmp_path / "owned").exists()


def test_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for n in range(5):
        checkpoints.save({"n": n})
    assert sorted(p.name for p in checkpoints.folder.iterdir()) == [
        "000004.json",
        "000004.npz",
        "000005.json",
        "000005.npz",
    ]
    assert checkpoints.load() == ({"n": 4}, [])
    (checkpoints.folder / "000005.json").unlink()  # as if killed between the two files
    state, problems = checkpoints.load()
    assert state == {"n": 3}
    assert len(problems) == 1
    checkpoints.clear()
    assert not checkpoints.folder.exists()
