"""Tasks: labels of any kind, and samples given as masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sandbox
from sandbox.errors import BoundaryError, SandboxError, SceneError
from sandbox.task import Task
from sandbox.terminals import Terminals

ROWS = np.array([0, 2, 1, 2, 0, 1])
CODES = np.array([[0.3], [0.5], [0.7]])
OUTPUTS = np.array([[0.31], [0.72], [0.68], [0.69], [0.29], [0.49]])  # the third is taken for class 2
NAMES = np.array(["virginica", "setosa", "versicolor"])  # not in the order of the codes


def posed(**changes: Any) -> Task:
    given = {"inputs": np.zeros((6, 2)), "targets": CODES[ROWS], "train": np.arange(6), "codes": CODES, "labels": ROWS}
    return Task(**{**given, **changes})


@pytest.mark.parametrize(
    "labels",
    [
        ROWS,
        ROWS.tolist(),
        ROWS.astype(float),
        ROWS.astype(np.uint8),
        ROWS + 1,
        ROWS + 1.0,
        10 - ROWS,
        NAMES[ROWS],
        NAMES[ROWS].astype(object),
        (ROWS + 1).astype(str),
    ],
    ids=["rows", "list", "floats", "bytes", "from 1", "floats from 1", "descending", "names", "objects", "digits"],
)
def test_labels_of_any_kind_are_the_rows_of_the_codes(labels: Any):
    task = posed(labels=labels)
    assert task.labels is not None
    assert task.labels.tolist() == ROWS.tolist()
    assert task.figures(OUTPUTS, np.arange(6))["accuracy"] == 5 / 6


def test_truths_are_two_classes():
    truth = np.array([True, False, True, False, False, True])
    task = posed(targets=np.where(truth, 0.7, 0.3)[:, None], codes=np.array([[0.3], [0.7]]), labels=truth)
    assert task.labels is not None
    assert task.labels.tolist() == truth.astype(int).tolist()


def test_noise_on_targets_does_not_change_the_classes():
    noise = np.array([[0.15], [0.0], [-0.15], [0.02], [-0.1], [0.1]])  # the first target alone would be that of class 1
    task = posed(targets=CODES[ROWS] + noise, labels=NAMES[ROWS])
    assert task.labels is not None
    assert task.labels.tolist() == ROWS.tolist()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": ROWS[:5]}, r"labels have shape \(5,\)"),
        ({"labels": np.eye(3)[ROWS]}, r"labels have shape \(6, 3\)"),
        ({"labels": [*range(6)]}, "labels name 6 classes"),
        ({"labels": np.where(ROWS == 1, np.nan, ROWS)}, "label of sample 2 is not a finite number"),
        ({"labels": np.array([0, "a", 1, "a", 0, 1], dtype=object)}, "labels are of several kinds"),
        ({"labels": (ROWS + 1) % 3}, "labels contradict its targets"),
        ({"labels": NAMES[ROWS], "targets": np.full((6, 1), 0.5)}, "labels .* cannot be told apart"),
        ({"train": [True, False]}, r"train is a mask of shape \(2,\)"),
        ({"test": np.zeros((6, 1), dtype=bool)}, r"test is a mask of shape \(6, 1\)"),
        ({"train": [0.0, 1.0]}, "train has shape .* expected indices of samples, or a mask"),
        ({"train": [[0], [1]]}, "train has shape .* expected indices"),
    ],
)
def test_labels_and_samples_that_say_nothing_are_refused(changes: dict[str, Any], told: str):
    with pytest.raises(SandboxError, match=told):
        posed(**changes)


def test_masks_are_samples():
    mask = np.array([True, True, False, True, False, True])
    task = posed(train=mask, test=~mask)
    assert task.train.tolist() == [0, 1, 3, 5]
    assert task.test.tolist() == [2, 4]
    task.check(2, 1)
    assert posed(test=[]).test.dtype.kind == "i"


@pytest.mark.parametrize("nodes", [[True, False, True], [0.0, 2.0], ["0"]])
def test_terminals_are_at_node_indices(nodes: Any):
    for make in (Terminals.at, Terminals.pushing, lambda n: Terminals.across([n[:2]])):
        with pytest.raises(BoundaryError, match="terminals are at node indices"):
            make(nodes)


def test_a_mask_as_nodes_of_a_scene_is_refused(tmp_path: Path):
    scene = tmp_path / "mask.toml"
    scene.write_text(
        '[network]\ntype = "square"\nshape = [2, 2]\n[system]\ntype = "flow_network"\n[relax]\n'
        "[[clamp]]\nnodes = [true, false, false, true]\nvalue = 1.0\n"
    )
    with pytest.raises(SceneError, match=r"nodes: true and false are no numbers"):
        sandbox.load(scene)
