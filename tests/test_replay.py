"""Replaying a recorded step does what the bench does phase by phase, to round-off, and stands back where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sandbox_adjoint import Adjoint
from sandbox_aeqprop import AEqprop

import sandbox
from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.learning import Learner
from sandbox.parts import Controller
from sandbox.physics.laws import CONDUCTANCE
from sandbox.physics.material import Material
from sandbox.replay import record
from sandbox.terminals import Terminals


def learned(scene: str, changes: list[str], epochs: int, by_phase: bool, monkeypatch: pytest.MonkeyPatch) -> Apparatus:
    setup = sandbox.load(scene, changes).setup
    with monkeypatch.context() as patch:
        if by_phase:
            patch.setattr(Apparatus, "can_replay", lambda _: False)
        learner = Learner(setup)
        for _ in range(epochs):
            learner.train_epoch()
    return setup.apparatus


@pytest.mark.parametrize(
    ("scene", "changes"),
    [
        ("iris_flow", []),
        ("iris_flow", ["bench.fresh=true", "controller.variant='optimistic'"]),
        ("iris_flow", ["controller.variant='pessimistic'", "bench.coupling='log'"]),
        ("iris_flow", ["system.law='diode'", "controller.beta=0.1"]),
        ("iris_flow", ["bench.compliance=3.0"]),  # beyond convexity: warnings are counted alike
        ("iris_flow", ["system.minimum=0.3"]),  # stiffnesses at their bound
        ("allostery_elastic", []),
    ],
)
def test_replay_is_the_bench_phase_by_phase(scene, changes, monkeypatch):
    fast, slow = (learned(scene, changes, 2, by_phase, monkeypatch) for by_phase in (False, True))
    size = np.abs(slow.stiffness).max()
    for name in ("stiffness", "knobs", "_state"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=0, atol=1e-12 * size)
    for count in ("relaxations", "unstable", "at_bounds"):
        assert getattr(fast.meter, count) == getattr(slow.meter, count)
    # Where a force is as small as its rounding, the last digit decides whether one more step is taken.
    assert abs(fast.meter.iterations - slow.meter.iterations) <= 0.002 * slow.meter.iterations
    assert np.abs(slow.stiffness - slow.system.stiffness).max() > 1e-4 * size  # it did learn something


def test_outputs_are_read_where_the_last_sample_left_them():
    fast, slow = (sandbox.load("iris_flow").setup for _ in range(2))
    task, which = fast.task, np.arange(5)
    tape = record(AEqprop())
    assert tape is not None
    assert fast.apparatus.replay(tape, task.inputs[which], task.targets[which]) == 5
    for sample in which:
        AEqprop().step(Bench(slow.apparatus), task.inputs[sample], task.targets[sample])
    np.testing.assert_allclose(fast.apparatus.read(), slow.apparatus.read(), rtol=1e-9)


class Reads(Controller):
    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(inputs)
        if bench.read().sum() > 0:
            bench.release()


class Computes(Controller):
    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(inputs)
        bench.nudge(np.asarray(targets) * 0.5, 1.0)
        bench.release()


class Branches(Controller):
    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(inputs)
        bench.nudge(targets, 1.0 if (targets == 0).all() else 0.5)
        bench.release()


class Swaps(Controller):
    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(targets)
        bench.nudge(inputs, 1.0)
        bench.release()


class HoldsTwice(Controller):
    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(inputs)
        bench.nudge(targets, 1.0)
        bench.hold()
        bench.hold()


class Idle(Controller):
    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(inputs)


@pytest.mark.parametrize("kind", [Reads, Computes, Branches, Swaps, HoldsTwice, Idle, Adjoint])
def test_what_is_no_fixed_sequence_is_not_recorded(kind: type[Controller]):
    assert record(kind()) is None


def test_the_tape_of_aeqprop_reads_like_the_paper():
    tape = record(AEqprop(beta=0.4))
    assert tape is not None
    assert tape.phases == ("clamp", "nudge", "hold", "nudge", "release")
    assert tape.betas[1::2] == (-0.2, 0.2)


@pytest.mark.parametrize(
    "change",
    ["bench.homeostat='integral'", "bench.imperfections={drift=0.01}", "training.batch=4"],
)
def test_where_it_does_not_apply_the_bench_is_worked_phase_by_phase(change, monkeypatch):
    def never(*_: Any) -> int:
        raise AssertionError("was replayed")

    monkeypatch.setattr(Apparatus, "replay", never)
    learner = Learner(sandbox.load("iris_flow", [change, "bench.compliance=0.05", "task.test_fraction=0.9"]).setup)
    learner.train_epoch()
    assert learner.setup.apparatus.meter.relaxations > 0


def test_a_step_that_does_not_converge_is_taken_back_and_left_to_the_caller():
    """Nudging with a stiffness that the network cannot resist: the second sample's step has no minimum."""
    network = sandbox.Network(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0, 1]]))
    material = Material(network, CONDUCTANCE, {"k": 1.0}, bounds=(1e-3, np.inf))
    apparatus = Apparatus(material, Terminals.at([0]), Terminals.at([1]), compliance=50.0)
    tape = record(AEqprop(beta=1.0, variant="optimistic"))
    assert tape is not None
    inputs, targets = np.array([[0.5], [5.0], [0.5]]), np.array([[0.5], [-5.0], [0.5]])
    before = apparatus.stiffness.copy()
    done = apparatus.replay(tape, inputs[:1], targets[:1])
    assert done == 1
    np.testing.assert_allclose(apparatus.stiffness, before)
    # A pessimistic nudge stronger than the edge: no minimum.
    tape = record(AEqprop(beta=3.0, variant="pessimistic"))
    assert tape is not None
    assert apparatus.replay(tape, inputs, targets) == 0
    np.testing.assert_array_equal(apparatus.stiffness, before)
