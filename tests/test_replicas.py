"""Replicas taught side by side end where each would have ended alone; what is no replica is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sandbox
from sandbox.errors import SceneError
from sandbox.learning import Learner

SMALL = ["task.test_fraction=0.8"]


def setups(changes: list[list[str]], scene: str = "iris_flow"):
    return [sandbox.load(scene, [*SMALL, *change]).setup for change in changes]


def test_each_replica_ends_where_it_would_have_ended_alone():
    settings = [["controller.beta=1.0"], ["controller.beta=0.3"], ["bench.compliance=0.1"], ["training.shuffle=false"]]
    replicas = sandbox.Replicas(setups(settings))
    replicas.train(3)
    figures = replicas.evaluate()
    assert len({len(learner.history) for learner in replicas.learners}) == 1
    for learner, setup, seen in zip(replicas.learners, setups(settings), figures, strict=True):
        alone = Learner(setup)
        for _ in range(3):
            alone.train_epoch()
        np.testing.assert_allclose(learner.setup.apparatus.stiffness, setup.apparatus.stiffness, rtol=1e-12)
        assert learner.setup.apparatus.meter.relaxations == setup.apparatus.meter.relaxations
        assert learner.epoch == alone.epoch == 3
        assert seen == pytest.approx(alone.evaluate())
    moved = [learner.setup.apparatus.stiffness for learner in replicas.learners]
    assert np.abs(moved[0] - moved[1]).max() > 1e-4
    assert "4 replicas" in repr(replicas)


def test_one_that_meets_a_step_it_cannot_replay_goes_on_alone(monkeypatch):
    from sandbox.apparatus import replaying

    replay = replaying.replay

    def stops(material, streams, **settings):
        if len(streams) > 1:
            done = replay(material, streams, **settings)
            short = replay(material, [_shortened(streams[0])], **settings)
            return [*short, *done[1:]]
        return replay(material, streams, **settings)

    alone = [Learner(setup) for setup in setups([[], ["controller.beta=0.3"]])]
    for learner in alone:
        learner.train_epoch()
    monkeypatch.setattr(replaying, "replay", stops)
    replicas = sandbox.Replicas(setups([[], ["controller.beta=0.3"]]))
    replicas.train(1)
    for learner, other in zip(replicas.learners, alone, strict=True):
        np.testing.assert_allclose(
            learner.setup.apparatus.stiffness, other.setup.apparatus.stiffness, rtol=0, atol=1e-12
        )


def _shortened(stream):
    """The same stream, of which only the first five samples are done."""

    def cut(boundary):
        names = ("values", "forces", "spring_targets", "pair_targets")
        return replace(boundary, **{name: getattr(boundary, name)[:5] for name in names})

    return replace(stream, loose=cut(stream.loose), nudged=cut(stream.nudged))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (["seed=1"], "the network"),
        (["system.law='diode'"], "the law"),
        (["bench.fresh=true"], "the bench"),
        (["task.test_fraction=0.7"], "number of training samples"),
        (["controller.variant='optimistic'"], None),
        (["training.batch=2"], "2 samples to a step"),
        (["bench.homeostat='integral'"], "ideal homeostats"),
    ],
)
def test_what_is_no_replica_is_refused_by_name(change, what):
    pair = setups([[], change])
    if what is None:
        assert len(sandbox.Replicas(pair).learners) == 2
    else:
        with pytest.raises(SceneError, match=what):
            sandbox.Replicas(pair)


def test_terminals_of_another_kind_are_other_terminals():
    pair = setups([[], []])
    other = pair[1].apparatus
    other.outputs = replace(other.outputs, kind="force")
    with pytest.raises(SceneError, match="the terminals"):
        sandbox.Replicas(pair)


def test_an_epoch_that_is_interrupted_is_gone_on_with(monkeypatch):
    from sandbox import replicas as module

    alone = sandbox.Replicas(setups([[], ["controller.beta=0.3"]]))
    alone.train(2)
    monkeypatch.setattr(module, "SLAB", 10)
    replicas = sandbox.Replicas(setups([[], ["controller.beta=0.3"]]))
    together, calls = module.replay_together, 0

    def interrupted(*arguments):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return together(*arguments)

    monkeypatch.setattr(module, "replay_together", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replicas.train(2)
    assert replicas.epoch == 0
    replicas.train(2)
    for learner, other in zip(replicas.learners, alone.learners, strict=True):
        np.testing.assert_allclose(
            learner.setup.apparatus.stiffness, other.setup.apparatus.stiffness, rtol=0, atol=1e-12
        )


def test_there_must_be_one():
    with pytest.raises(SceneError, match="no replicas"):
        sandbox.Replicas([])
