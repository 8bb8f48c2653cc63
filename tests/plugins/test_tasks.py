"""Tasks: encodings, splits, codes, shapes, and what bad settings are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sandbox_tasks
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sandbox_tasks.classification import Digits, Iris, Wine
from sandbox_tasks.data_set import DataSet
from sandbox_tasks.encoding import (
    MinMax,
    apportioned,
    class_codes,
    differential_names,
    differential_pairs,
    placed,
    stratified_split,
    with_constants,
)
from sandbox_tasks.regression import XOR, Function1D, LinearRegression
from sandbox_tasks.shipped import shipped
from sandbox_tasks.strain import Allostery
from sandbox_tasks.tuned_flow import TunedFlow
from scipy.optimize import nnls
from sklearn.datasets import load_digits, load_iris, load_wine

from sandbox.errors import SandboxError
from sandbox.parts import Site, TaskPart
from sandbox.task import Task

ROUNDING = 1e-12
HULL = 1e-9  # of the least-squares problem that finds the weights

EVERY_TASK = [
    Iris(),
    Iris(code="one-hot", differential=False, constants=()),
    Iris(components=2, arrangement="concatenated"),
    Iris(classes=(2, 0), test_fraction=0),
    Wine(),
    Wine(components=5, code="one-hot"),
    Digits(),
    Digits(components=0, classes=(3, 8)),
    Digits(components=0, scaling="each feature", train_samples=1400, differential=False, constants=()),
    Digits(code="ordinal", constants=(0.5,)),
    LinearRegression(),
    LinearRegression(inputs=3, outputs=4, differential=True, noise=0.1),
    Function1D(),
    Function1D(function="parabola", differential=False),
    XOR(),
    XOR(code="one-hot"),
    Allostery(),
    TunedFlow(),
    TunedFlow(source_drop=(0.5, 1.0), target_drop=(0.2, -0.1, 0.4)),
]


def build(part: TaskPart, seed: int = 0, rest: float = 0.0) -> Task:
    """The task where every terminal reads ``rest`` at rest."""
    if isinstance(part, Allostery):
        rest = 2.0
    inputs, outputs = part.shape()
    return part.build(Site(np.full(inputs, rest), np.full(outputs, rest), np.random.default_rng(seed)))


# Every task.


@pytest.mark.parametrize("part", EVERY_TASK, ids=repr)
def test_shape_is_what_is_built(part):
    task = build(part)
    inputs, outputs = part.shape()
    assert task.inputs.shape == (len(task.inputs), inputs)
    assert task.targets.shape == (len(task.inputs), outputs)
    assert len(task.input_names) == inputs
    assert np.isfinite(task.inputs).all()
    assert np.isfinite(task.targets).all()
    if task.codes is not None:
        assert task.codes.shape[1] == outputs


@pytest.mark.parametrize("part", EVERY_TASK, ids=repr)
def test_splits_are_disjoint_complete_and_a_function_of_the_seed(part):
    task, again = build(part, seed=3), build(part, seed=3)
    assert len(task.train) > 0
    assert sorted([*task.train, *task.test]) == list(range(len(task.inputs)))
    for name in ("inputs", "targets", "train", "test"):
        np.testing.assert_array_equal(getattr(task, name), getattr(again, name))


@pytest.mark.parametrize("part", EVERY_TASK, ids=repr)
def test_perfect_outputs_have_perfect_figures(part):
    task = build(part)
    every = np.arange(len(task.inputs))
    figures = task.figures(task.targets, every)
    assert figures["loss"] == 0
    assert figures.get("accuracy", 1.0) == 1
    assert figures.get("strain error", 0.0) == 0


@pytest.mark.parametrize("part", EVERY_TASK, ids=repr)
def test_survives_a_scene(part):
    assert type(part).model_validate(part.model_dump(mode="json")) == part


def test_registered_names():
    names = {}
    sandbox_tasks.register_tasks(names.__setitem__)
    assert set(names) == {
        "iris", "wine", "digits", "mnist", "fashion_mnist",
        "linear_regression", "function_1d", "xor", "allostery", "tuned_flow"
    }  # fmt: skip
    assert all(issubclass(part, TaskPart) and part.__doc__ for part in names.values())


# Encodings.


def test_scale_inverts_and_clips():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20, 3)) * [1, 10, 0.1]
    scale = MinMax.fit(data)
    scaled = scale.scale(data)
    assert (scaled.min(axis=0) == 0).all()
    assert (scaled.max(axis=0) == 1).all()
    np.testing.assert_allclose(scale.unscale(scaled), data, atol=10 * ROUNDING)
    assert (scale.scale(np.array([[100.0, -100.0, 100.0]])) == [1, 0, 1]).all()


def test_one_scale_for_all_features():
    data = np.array([[1.0, 5.0], [3.0, 2.0]])
    scaled = MinMax.fit(data, "together").scale(data)
    np.testing.assert_allclose(scaled, [[0, 1], [0.5, 0.25]], atol=ROUNDING)
    np.testing.assert_allclose(MinMax.between(0, 10, 2).scale(data), data / 10, atol=ROUNDING)
    assert data.max() == 5, "the data stay as they are"


def test_feature_that_never_varies_is_zero():
    scale = MinMax.fit(np.full((4, 1), 7.0))
    np.testing.assert_array_equal(scale.scale(np.full((4, 1), 7.0)), 0)
    np.testing.assert_array_equal(scale.unscale(np.zeros((4, 1))), 7)


@pytest.mark.parametrize(
    ("arrangement", "plus", "minus"),
    [("interleaved", slice(0, None, 2), slice(1, None, 2)), ("concatenated", slice(0, 3), slice(3, None))],
)
def test_differential_pairs_invert(arrangement, plus, minus):
    x = np.random.default_rng(0).uniform(size=(5, 3))
    pairs = differential_pairs(x, arrangement)
    np.testing.assert_array_equal(pairs[:, plus], x)
    np.testing.assert_array_equal(pairs[:, minus], 1 - x)
    names = differential_names(["a", "b", "c"], arrangement)
    assert names[plus] == ("a", "b", "c")
    assert names[minus] == ("1 - a", "1 - b", "1 - c")


def test_constants_are_last():
    x = np.random.default_rng(0).uniform(size=(5, 2))
    full = with_constants(x, (0.0, 1.0))
    np.testing.assert_array_equal(full[:, :2], x)
    np.testing.assert_array_equal(full[:, 2:], [[0, 1]] * 5)
    np.testing.assert_array_equal(with_constants(x, ()), x)
    assert build(Iris()).constant.tolist() == [False] * 8 + [True] * 2
    assert build(Iris()).input_names[:2] == ("sepal length", "1 - sepal length")
    assert build(Iris()).input_names[-2:] == ("constant 0", "constant 1")


def test_codes():
    np.testing.assert_allclose(class_codes("ordinal", 3, 0.3, 0.7), [[0.3], [0.5], [0.7]], atol=ROUNDING)
    np.testing.assert_allclose(class_codes("one-hot", 2, 0.1, 0.9), [[0.9, 0.1], [0.1, 0.9]], atol=ROUNDING)


@pytest.mark.parametrize("code", ["ordinal", "one-hot"])
def test_nearest_code_answers(code):
    task = build(Iris(code=code))
    gap = 0.2 if code == "ordinal" else 0.4
    noise = np.random.default_rng(1).uniform(-0.49, 0.49, task.targets.shape) * gap
    np.testing.assert_array_equal(task.answers(task.targets + noise), task.labels)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.3, 0.9])
def test_split_is_stratified(fraction):
    labels = np.repeat([0, 1, 2], [50, 20, 7])
    train, test = stratified_split(labels, fraction, np.random.default_rng(0))
    assert not set(train) & set(test)
    np.testing.assert_array_equal(np.bincount(labels[test], minlength=3), np.round(fraction * np.array([50, 20, 7])))
    other = stratified_split(labels, fraction, np.random.default_rng(1))[1]
    assert fraction == 0 or list(other) != list(test)


def test_split_leaves_some_of_every_class_to_train():
    labels = np.repeat([0, 1], [1, 5])
    train, test = stratified_split(labels, 0.99, np.random.default_rng(0))
    assert np.bincount(labels[train]).tolist() == [1, 1]
    assert len(test) == 4


@given(st.lists(st.integers(1, 200), min_size=1, max_size=12), st.floats(0, 1))
def test_apportioned_in_proportion(sizes, part):
    total = round(part * sum(sizes))
    counts = apportioned(np.array(sizes), total)
    assert counts.sum() == total
    assert (counts <= sizes).all()
    assert (np.abs(counts - total * np.array(sizes) / sum(sizes)) < 1).all()


def test_apportioned_by_largest_remainder():
    # Hamilton's method on a textbook's votes: quotas 4.7, 1.6, 1.58, 1.2, 0.61, 0.31.
    votes = np.array([47_000, 16_000, 15_800, 12_000, 6_100, 3_100])
    assert apportioned(votes, 10).tolist() == [5, 2, 1, 1, 1, 0]
    with pytest.raises(SandboxError, match="11 samples are asked for; there are 10"):
        apportioned(np.array([4, 6]), 11)


def test_placed_about_rest():
    encoded = np.array([[0.0, 1.0]])
    np.testing.assert_array_equal(placed(encoded, np.array([2.0, 3.0]), 0.5, "input"), [[2.0, 3.5]])
    np.testing.assert_array_equal(placed(encoded, np.zeros(0), 1.0, "input"), encoded)
    with pytest.raises(SandboxError, match="needs 2 output terminals; there are 3"):
        placed(encoded, np.zeros(3), 1.0, "output")


@pytest.mark.parametrize("part", [Iris(amplitude=0.1), XOR(amplitude=0.1), LinearRegression(amplitude=0.1)], ids=repr)
def test_amplitude_scales_the_whole_task_about_rest(part):
    plain, moved = build(part.model_copy(update={"amplitude": 1.0})), build(part, rest=2.0)
    np.testing.assert_allclose(moved.inputs, 2 + 0.1 * plain.inputs, atol=ROUNDING)
    np.testing.assert_allclose(moved.targets, 2 + 0.1 * plain.targets, atol=ROUNDING)
    if moved.codes is not None:
        np.testing.assert_array_equal(moved.answers(moved.targets), moved.labels)


# Classification.


@pytest.mark.parametrize("part", [Iris, Wine, Digits])
def test_table_of_sizes(part):
    bunch = part().data()
    assert bunch["data"].shape[1] == part.features
    assert np.unique(bunch["target"]).tolist() == list(range(part.known_classes))


class Tampered(Wine):
    """Wine in which what is held out is replaced by other numbers."""

    held_out: tuple[int, ...]

    def data(self):
        bunch = dict(super().data())
        bunch["data"] = bunch["data"].copy()
        bunch["data"][list(self.held_out)] *= 100
        return bunch


@pytest.mark.parametrize("components", [0, 4])
def test_scale_and_components_know_only_the_training_samples(components):
    task = build(Wine(components=components))
    tampered = build(Tampered(components=components, held_out=tuple(task.test.tolist())))
    np.testing.assert_array_equal(tampered.train, task.train)
    np.testing.assert_array_equal(tampered.inputs[task.train], task.inputs[task.train])
    assert (tampered.inputs[task.test] != task.inputs[task.test]).any()
    assert task.inputs[task.train, 0].min() == 0
    assert task.inputs[task.train, 0].max() == 1
    assert tampered.inputs.min() >= 0
    assert tampered.inputs.max() <= 1


def test_classes_keep_the_order_in_which_they_are_named():
    task = build(Iris(classes=(2, 0), code_range=(0.2, 0.8)))
    raw = Iris().data()["target"]
    kept = raw[np.isin(raw, (0, 2))]
    np.testing.assert_array_equal(task.labels, (kept == 0).astype(int))
    np.testing.assert_allclose(task.targets[:, 0], np.where(kept == 2, 0.2, 0.8), atol=ROUNDING)


def test_digits_split_into_1400_and_397():
    task = build(Digits(components=0, train_samples=1400))
    assert task.labels is not None
    assert (len(task.train), len(task.test)) == (1400, 397)
    share = np.bincount(task.labels[task.train]) / np.bincount(task.labels)
    np.testing.assert_allclose(share, 1400 / 1797, atol=1 / 174)  # the smallest class has 174


def test_raw_pixels_keep_their_brightness():
    task = build(Digits(components=0, differential=False, constants=()))
    np.testing.assert_array_equal(task.inputs, load_digits().data / 16)
    assert task.input_names[:2] == ("pixel 0 0", "pixel 0 1")
    each = build(Digits(components=0, differential=False, constants=(), scaling="each feature"))
    used = each.inputs[each.train]
    assert set(used.max(axis=0)) == {0.0, 1.0}
    assert (used.max(axis=0)[task.inputs[task.train].max(axis=0) > 0] == 1).all()


@pytest.mark.parametrize("part", [Wine, Digits])
def test_together_keeps_the_proportions_of_features(part):
    components = 5
    each, together = (
        build(part(components=components, differential=False, constants=(), scaling=scaling))
        for scaling in ("each feature", "together")
    )
    np.testing.assert_array_equal(
        build(part(components=components, differential=False, constants=())).inputs, each.inputs
    )
    used = together.inputs[together.train]
    assert used.min() == 0
    assert used.max() == 1
    assert (np.diff(used.std(axis=0)) < 0).all(), "principal components vary less and less"
    rescaled = (used - used.min(axis=0)) / np.ptp(used, axis=0)
    np.testing.assert_allclose(rescaled, each.inputs[each.train], atol=1e3 * ROUNDING)


def test_too_few_or_too_many_training_samples():
    with pytest.raises(SandboxError, match="2 training samples hold none of class 2; take more"):
        build(Iris(train_samples=2))
    with pytest.raises(SandboxError, match="101 samples are asked for; there are 100"):
        build(Iris(train_samples=101, classes=(0, 1)))


def test_classes_are_split_evenly():
    task = build(Iris())
    assert task.labels is not None
    assert np.bincount(task.labels[task.test]).tolist() == [15, 15, 15]


# Regression.


@pytest.mark.parametrize("differential", [False, True])
@pytest.mark.parametrize("constants", [(), (0.0,), (0.0, 1.0)])
def test_linear_targets_are_convex_combinations_of_the_terminals(differential, constants):
    task = build(LinearRegression(differential=differential, constants=constants, inputs=3, outputs=2))
    # The row of ones asks the weights to sum to one.
    terminals = np.vstack([task.inputs, np.ones(task.inputs.shape[1])])
    for target in task.targets.T:
        _, residual = nnls(terminals, np.append(target, 1.0))
        assert residual < HULL


def test_noise_is_on_training_targets_only():
    clean, noisy = build(LinearRegression(samples=200)), build(LinearRegression(samples=200, noise=0.05))
    np.testing.assert_array_equal(noisy.targets[noisy.test], clean.targets[clean.test])
    difference = noisy.targets[noisy.train] - clean.targets[clean.train]
    assert difference.std() == pytest.approx(0.05, rel=0.15)  # 280 draws: 4 % at one sigma


@pytest.mark.parametrize("function", ["sine", "triangle", "parabola"])
def test_curve_fills_its_range_and_turns(function):
    task = build(Function1D(function=function, periods=2, target_range=(0.2, 0.6), samples=41))
    targets = task.targets[:, 0]
    assert targets.min() == pytest.approx(0.2)
    assert targets.max() == pytest.approx(0.6)
    turns = np.sign(np.diff(targets))
    assert (np.diff(turns[turns != 0]) != 0).sum() >= 3
    assert len(task.train) == 41
    assert len(task.test) == 40


@pytest.mark.parametrize("code", ["ordinal", "one-hot"])
def test_xor_is_beyond_linear_networks(code):
    task = build(XOR(code=code))
    assert task.labels is not None
    assert task.labels.tolist() == [0, 1, 1, 0]
    assert task.test.size == 0
    weights, *_ = np.linalg.lstsq(task.inputs, task.targets, rcond=None)
    np.testing.assert_allclose(task.inputs @ weights, 0.5, atol=ROUNDING)


# Strain and flow.


def test_allostery_asks_in_strains():
    site = Site(np.array([2.0]), np.array([3.0]), np.random.default_rng(0))
    task = Allostery(source_strain=0.2, target_strain=-0.1).build(site)
    np.testing.assert_allclose(task.inputs, [[2.4]], rtol=ROUNDING)
    np.testing.assert_allclose(task.targets, [[2.7]], rtol=ROUNDING)
    assert task.test.size == 0
    assert task.figures(np.array([[3.0]]), task.train)["strain error"] == pytest.approx(1)
    assert task.figures(np.array([[2.85]]), task.train)["strain error"] == pytest.approx(0.5)


@pytest.mark.parametrize("rest", [np.zeros(0), np.zeros(1), np.ones(2)], ids=str)
def test_allostery_needs_pairs_that_are_apart(rest):
    with pytest.raises(SandboxError, match="needs one target pair"):
        Allostery().build(Site(np.ones(1), rest, np.random.default_rng(0)))


def test_tuned_flow_is_relative_to_the_source():
    task = build(TunedFlow(source_drop=(1.0, 2.0), target_drop=(0.2, -0.1)))
    np.testing.assert_array_equal(task.inputs, [[1], [2]])
    np.testing.assert_allclose(task.targets, [[0.2, -0.1], [0.4, -0.2]], rtol=ROUNDING)


def test_tuned_flow_refuses_distances():
    with pytest.raises(SandboxError, match="there is allostery"):
        build(TunedFlow(), rest=1.0)


# Bad settings.


@pytest.mark.parametrize(
    ("part", "settings", "message"),
    [
        (Iris, {"classes": (0, 3)}, "Iris has no class 3; its classes are 0 to 2"),
        (Iris, {"classes": (-1, 2)}, "Iris has no class -1"),
        (Digits, {"classes": (3, 3)}, "two or more different classes"),
        (Digits, {"classes": (3,)}, "two or more different classes"),
        (Iris, {"components": 5}, "Iris has 4 features, so at most as many components; got 5"),
        (Digits, {"components": 65}, "Digits has 64 features"),
        (Digits, {"components": -1}, "greater than or equal to 0"),
        (Digits, {"scaling": "none"}, "'each feature' or 'together'"),
        (Iris, {"train_samples": 0}, "greater than or equal to 1"),
        (Iris, {"code": "binary"}, "'ordinal' or 'one-hot'"),
        (Iris, {"code_range": (0.7, 0.3)}, "from low to high; got 0.7 to 0.3"),
        (Iris, {"test_fraction": 1.0}, "less than 1"),
        (Iris, {"constants": (float("nan"),)}, "finite"),
        (Iris, {"amplitude": 0}, "greater than 0"),
        (Iris, {"colour": "blue"}, "Extra inputs are not permitted"),
        (LinearRegression, {"noise": -1}, "greater than or equal to 0"),
        (LinearRegression, {"concentration": 0}, "greater than 0"),
        (Function1D, {"target_range": (1, 1)}, "from low to high"),
        (Function1D, {"periods": 0}, "greater than or equal to 1"),
        (Allostery, {"source_strain": -1}, "greater than -1"),
        (Allostery, {"target_strain": 0}, "asks for nothing"),
        (TunedFlow, {"target_drop": ()}, "at least one drop"),
        (TunedFlow, {"source_drop": (1.0, 0.0)}, "drives nothing"),
    ],
)
def test_bad_settings_say_what_is_wrong(part, settings, message):
    with pytest.raises(ValidationError) as caught:
        part(**settings)
    assert message in str(caught.value)
    assert str(next(iter(settings))) in str(caught.value)


def test_more_components_than_training_samples():
    with pytest.raises(SandboxError, match="30 components need as many training samples; there are 18"):
        build(Digits(components=30, classes=(0, 1), test_fraction=0.95))


@pytest.mark.parametrize(("load", "part"), [(load_iris, Iris()), (load_wine, Wine()), (load_digits, Digits())])
def test_data_are_those_of_scikit_learn(load: Callable[[], Any], part: DataSet) -> None:
    """The files are read without importing scikit-learn; its own readers find the same in them."""
    theirs, ours = load(), part.data()
    np.testing.assert_array_equal(ours["data"], theirs.data)
    np.testing.assert_array_equal(ours["target"], theirs.target)
    names = [str(name).removesuffix(" (cm)").replace("_", " ") for name in theirs.feature_names]
    assert list(ours["feature_names"]) == names


def test_a_missing_file_of_data_is_named() -> None:
    with pytest.raises(SandboxError, match=r"tulips\.csv"):
        shipped("tulips.csv", ["length"])


def test_a_constant_column_up_to_roundings_says_nothing():
    column = np.array([0.1 + 0.2, 0.3, 0.3])[:, None]
    assert np.ptp(column) > 0
    assert np.abs(MinMax.fit(column).scale(column)).max() < 1e-15
    small = np.array([[1e-30], [3e-30]])
    np.testing.assert_array_equal(MinMax.fit(small).scale(small), [[0.0], [1.0]])


def test_table_of_the_notebook_takes_a_constant_column(tmp_path, monkeypatch):
    """What users copy: a column that is the same everywhere divided by zero."""
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(
        (Path(__file__).resolve().parents[2] / "notebooks" / "7_your_own_data.ipynb").read_text(encoding="utf-8")
    )
    cells = ["".join(cell["source"]) for cell in notebook["cells"]]
    source = next(text for text in cells if text.startswith("plugin = "))
    names: dict = {}
    exec(source.split("'''")[1], names)
    rows = np.column_stack([np.arange(10.0), np.full(10, 7.0), np.arange(10) % 2])
    np.savetxt("t.csv", rows, delimiter=",", header="a,b,class", comments="")
    task = names["Table"](path="t.csv").build(Site(np.zeros(0), np.zeros(0), np.random.default_rng(0)))
    task.check(6, 1)
    np.testing.assert_array_equal(task.inputs[:, 1], 0.0)


def test_strain_error_of_an_output_that_is_to_stay():
    rest = np.array([1.0, 2.0])
    task = Task(np.zeros((1, 1)), np.array([[1.2, 2.0]]), np.array([0]), rest_outputs=rest)
    figures = task.figures(np.array([[1.1, 2.1]]), np.array([0]))
    assert figures["strain error"] == pytest.approx(0.5)
    still = Task(np.zeros((1, 1)), rest[None], np.array([0]), rest_outputs=rest)
    assert set(still.figures(rest[None], np.array([0]))) == {"loss"}
