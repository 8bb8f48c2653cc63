"""Which runs a sweep has, what they are called, and which folders it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.errors import SceneError, SweepError
from sandbox.sweeping import plan
from sandbox.sweeping.axes import Axis, seeds
from sandbox.sweeping.plan import case_name, cases

BETAS = Axis("controller.beta", (0.1, 1.0))


def test_every_combination_once() -> None:
    made = cases("iris_flow", [("training.epochs", 3), BETAS], seeds("0:3"))
    assert [c.name for c in made[:2]] == ["controller.beta=0.1,seed=0", "controller.beta=0.1,seed=1"]
    assert [c.place for c in made] == [(i, j) for i in range(2) for j in range(3)]
    assert len({c.name for c in made}) == 6
    for case in made:
        assert case.scene.seed == case.values["seed"]
        assert case.scene.controller.beta == case.values["controller.beta"]  # pyright: ignore
        assert case.scene.training is not None
        assert case.scene.training.epochs == 3


def test_without_axes_there_is_one_run() -> None:
    assert [c.name for c in cases("iris_flow", [])] == ["run"]


def test_changes_are_made_in_their_order() -> None:
    """Another type has other keys: what was set before it is forgotten."""
    kinds = Axis("controller.type", ("aeqprop", "adjoint"))
    assert len(cases("iris_flow", [kinds, ("bench.compliance", 0.1)])) == 2
    with pytest.raises(SweepError, match=r"type=adjoint: iris_flow\.toml"):
        cases("iris_flow", [kinds, ("controller.beta", 0.5)])


def test_names_are_those_of_folders() -> None:
    odd = case_name({"network.shape": [16, 9], "title": "../../etc/passwd"})
    assert "/" not in odd
    assert odd != case_name({"network.shape": [16, 9], "title": "../..+etc_passwd"})
    assert len(case_name({"title": "x" * 1000})) < 140
    assert case_name({"a": "x" * 1000}) != case_name({"a": "x" * 1001})


def test_mistakes_name_the_run_and_the_key() -> None:
    with pytest.raises(SweepError, match=r"(?s)controller.betta=0.1.*controller.betta.*did you mean 'beta'"):
        cases("iris_flow", [Axis("controller.betta", (0.1, 1.0))])
    with pytest.raises(SweepError, match=r"(?s)controller.beta=-1.0: .*controller.beta"):
        cases("iris_flow", [Axis("controller.beta", (0.1, -1.0))])
    with pytest.raises(SceneError, match="did you mean 'iris_flow'"):
        cases("iris_flw", [])
    with pytest.raises(SweepError, match="seed is given twice"):
        cases("iris_flow", [Axis("seed", (0, 1))], seeds("0:2"))
    with pytest.raises(SweepError, match="these are 1000000 runs"):
        cases("iris_flow", [Axis("training.epochs", tuple(range(1, 1001)))], seeds("0:1000"))


def begin(folder: Path, scene: str = "iris_flow", epochs: int = 3, axis: Axis = BETAS) -> None:
    folder.mkdir(exist_ok=True)
    plan.begin(folder, [axis], cases(scene, [("training.epochs", epochs), axis]))


def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    begin(folder)
    begin(folder)
    begin(folder, axis=Axis(BETAS.key, (1.0, 10.0)))  # more of the same
    with pytest.raises(SweepError, match="of the scene 'iris_flow', and this is one of 'wine_flow'"):
        begin(folder, scene="wine_flow")
    with pytest.raises(SweepError, match=r"over controller\.beta, and this is one over bench\.compliance"):
        begin(folder, axis=Axis("bench.compliance", (0.1, 0.2)))
    made = folder / "runs" / "controller.beta=0.1"
    made.mkdir()
    (made / "scene.toml").write_text(cases("iris_flow", [("training.epochs", 3), BETAS])[0].text)
    with pytest.raises(SweepError, match=r"controller.beta=0.1 differs; training.epochs was 3 and is 4"):
        begin(folder, epochs=4)


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(SweepError, match="holds no sweep"):
        begin(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]  # noqa: PTH208


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "scene": 3}', "[" * 100_000])
def test_a_damaged_plan_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / plan.PLAN).write_text(text)
    with pytest.raises(SweepError, match=r"sweep\.json cannot be read"):
        plan.read(tmp_path)
