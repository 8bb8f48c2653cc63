"""What the diode scenes learn, against the affine maps that bound every linear network.

The affine bound is worked out here from the features themselves, by the normal equations.
"""

from __future__ import annotations

import numpy as np
import pytest

import sandbox
from sandbox.learning import Learner
from studies.diode import IRIS, XOR, affine_fit, train

XOR_AFFINE_LOSS = 0.5 * 0.1**2
"""Of the constant 0.5, the affine map nearest to exclusive or, with codes 0.4 and 0.6."""


@pytest.mark.parametrize("seed", [0, 1])
def test_diodes_learn_exclusive_or(seed):
    learner = Learner(sandbox.load("xor_diode", seed=seed).setup)
    training = learner.setup.scene.training
    assert training is not None
    assert training.stop_loss is not None
    figures = learner.evaluate()
    while figures["train loss"] >= training.stop_loss and learner.epoch < training.epochs:
        for _ in range(training.every):
            learner.train_epoch()
        figures = learner.evaluate()
    assert figures["train accuracy"] == 1
    assert figures["train loss"] < XOR_AFFINE_LOSS / 4


def test_linear_edges_do_not_learn_exclusive_or():
    linear = train(XOR, "linear", 0, quick=True, changes=["training.epochs=100"])
    loss, accuracy = linear.figures
    assert loss >= XOR_AFFINE_LOSS
    assert accuracy <= 0.75
    assert linear.affine[0] == pytest.approx(XOR_AFFINE_LOSS, rel=1e-10)


@pytest.mark.parametrize(("law", "bends"), [("diode", True), ("linear", False)])
def test_only_diodes_make_an_output_that_is_not_affine(law, bends):
    """Outputs a, b, c, d at the corners of the unit square of inputs: a + d - b - c is zero for every affine map."""
    setup = sandbox.load("xor_diode", [f"system.law={law}"]).setup
    setup.bench.clamp(setup.task.inputs)
    a, b, c, d = setup.bench.read()[:, 0]
    assert (abs(a + d - b - c) > 1e-3) == bends
    assert bends or abs(a + d - b - c) < 1e-8  # the relaxation's tolerance, through the network's conditioning


def test_affine_fit_of_iris():
    """The least-squares bound from the four features alone: pairs and constants add nothing to them."""
    task = sandbox.load("iris_diode").setup.task
    features = np.column_stack([task.inputs[:, [0, 2, 4, 6]], np.ones(len(task.inputs))])
    x, y = features[task.train], task.targets[task.train]
    fitted = features @ np.linalg.solve(x.T @ x, x.T @ y)
    loss, accuracy = affine_fit(task, task.test)
    assert loss == pytest.approx(0.5 * ((fitted[task.train] - y) ** 2).sum(axis=1).mean(), rel=1e-9)
    assert task.labels is not None
    assert accuracy == (fitted[task.test].argmax(axis=1) == task.labels[task.test]).mean()


def test_diodes_pass_the_affine_bound_on_iris():
    """After a third of the epochs, the training loss is below that of every linear network."""
    diode = train(IRIS, "diode", 0, quick=True)
    assert diode.figures[0] < diode.affine[0]
    assert diode.confusion.sum(axis=1).tolist() == [15, 15, 15]
    assert np.trace(diode.confusion) / 45 == pytest.approx(diode.figures[1])
