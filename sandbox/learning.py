"""A learner: a controller at work on a bench, epoch by epoch, and the record of how it fared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from sandbox.apparatus import find_jump
from sandbox.apparatus import state as apparatus_state
from sandbox.build import Setup
from sandbox.dataset import network_dataset
from sandbox.errors import RunError, SandboxError
from sandbox.events import Kind
from sandbox.fingerprint import check_fingerprint, fingerprint
from sandbox.plain import misfit
from sandbox.replay import record
from sandbox.seeds import stream

SLAB = 1000
"""Samples that are evaluated at once, so that memory does not grow with the data set."""

MOST_INPUTS = 2_000_000
"""Numbers beyond which a run does not keep its task's inputs: a set of pictures is at home elsewhere."""

NUDGED = 8
"""Training samples, at most, on which nudges are tried: each takes seven relaxations for each strength."""

RISE = 1.25
"""Training loss, relative to the least so far, from which on nudges are tried: well above the noise of an epoch."""


class Learner:
    """Trains the apparatus of a setup.

    Attributes:
        epoch: epochs done.
        history: figures at every evaluation.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self._done = 0  # training samples of the epoch begun
        self._skipped = 0  # steps of it that were taken back
        self._stiffness: list[np.ndarray] = []
        self._state_before = self._sample_state()

    def train_epoch(self, pause: Callable[[], None] = lambda: None) -> None:
        """Every training sample (or batch of samples) once.

        A step with a relaxation that does not converge is taken back, and the next sample follows.

        Args:
            pause: called where :meth:`state` can be taken and gone on from.

        Raises:
            SandboxError: if most steps of the epoch are of that kind; if a number is not finite; in strict runs for
                any event.
        """
        training, controller = self.setup.scene.training, self.setup.scene.controller
        assert training is not None
        assert controller is not None
        task, bench = self.setup.task, self.setup.bench
        order = epoch_order(self.setup, self.epoch)
        apparatus = self.setup.apparatus
        tape = record(controller) if training.batch == 1 and apparatus.can_replay() else None
        steps = -(-len(order) // training.batch)
        while self._done < len(order):
            apparatus.events.step = self.epoch * steps + self._done // training.batch + 1
            ahead = order[self._done : self._done + SLAB]
            did = 0 if tape is None else apparatus.replay(tape, task.inputs[ahead], task.targets[ahead])
            if did < len(ahead):
                samples = ahead[did : did + training.batch]
                apparatus.events.step = self.epoch * steps + (self._done + did) // training.batch + 1
                error = apparatus.attempt(controller.step, bench, task.inputs[samples], task.targets[samples])
                if error is not None:
                    self._skip(error, steps)
                did += len(samples)
            self._done += did
            pause()
        self.epoch, self._done, self._skipped = self.epoch + 1, 0, 0
        if training.compliance_decay != 1:
            self.setup.apparatus.compliance = np.asarray(self.setup.apparatus.compliance) * training.compliance_decay

    def begin(self, done: int) -> None:
        """Take the first ``done`` training samples of the epoch as done: :meth:`train_epoch` goes on from there."""
        self._done = done
        self.setup.apparatus.events.step = self.epoch * len(self.setup.task.train) + done + 1

    def _skip(self, error: SandboxError, steps: int) -> None:
        self._skipped += 1
        if 2 * self._skipped > steps:
            raise SandboxError(
                f"most of the {steps} step(s) of epoch {self.epoch + 1} did not converge and were taken back, so the "
                f"run would not learn what it says; lower the nudging or the compliance. The last: {error}"
            ) from error

    def evaluate(self) -> dict[str, float]:
        """Figures of the present stiffnesses on the training and test samples; the meter does not count it."""
        task, apparatus, training = self.setup.task, self.setup.apparatus, self.setup.scene.training
        assert training is not None
        figures: dict[str, float] = {"epoch": self.epoch}
        left = apparatus.imposed[2]
        for name, which in (("train", task.train), ("test", task.test)):
            if len(which):
                outputs = self._outputs(which)
                figures |= {f"{name} {key}": value for key, value in task.figures(outputs, which).items()}
        for name, value in figures.items():
            if not np.isfinite(value):
                raise SandboxError(
                    f"the {name} is {value} after {self.epoch} epoch(s), so what comes after would mean nothing; "
                    "the task computes it from outputs and targets: see whether these are of a sensible size"
                )
        figures["relaxations"] = apparatus.meter.relaxations
        self.history.append(figures)
        if training.keep == "ends" and len(self._stiffness) == 2:
            self._stiffness.pop()
        self._stiffness.append(apparatus.stiffness.copy())
        self._look_at_nudges(left)
        return figures

    def _look_at_nudges(self, left: float) -> None:
        """Now and then, and where the loss has risen, see whether the outputs come back from the nudges.

        Args:
            left: the strength of nudging that the last step left, for controllers whose steps cannot be recorded.
        """
        task, controller, training = self.setup.task, self.setup.scene.controller, self.setup.scene.training
        assert controller is not None
        assert training is not None
        losses = [figures["train loss"] for figures in self.history if "train loss" in figures]
        number = len(self.history) - 1
        seldom = number & (number - 1) == 0  # at evaluations 0, 1, 2, 4, 8, ...
        risen = bool(losses) and losses[-1] > RISE * min(losses)
        if not (seldom or risen or self.epoch >= training.epochs):
            return
        tape = record(controller)
        betas = sorted({beta for beta in (tape.betas if tape else (left,)) if beta})
        if not betas:
            return
        some = task.train[np.unique(np.linspace(0, len(task.train) - 1, NUDGED).astype(int))]
        jump = find_jump(self.setup.apparatus, task.inputs[some], task.targets[some], betas)
        if jump is None:
            return
        beta = getattr(controller, "beta", None)
        enough = "no weaker nudge was found that would do"
        if jump.enough is not None and isinstance(beta, float):
            enough = f"controller.beta = {beta * jump.enough / jump.beta:.3g} would do"
        elif jump.enough is not None:
            enough = f"{jump.enough:.3g} would do"
        detail = f"{jump}; {enough} (sample {int(some[jump.sample])})"
        self.setup.apparatus.events.add(Kind.JUMP, detail=detail, size=jump.moved)

    def state(self) -> dict[str, Any]:
        """All that the rest of the learning and its record depend on, as plain data."""
        setup, controller = self.setup, self.setup.scene.controller
        assert controller is not None
        return {
            "of": fingerprint(setup),
            "epoch": self.epoch,
            "done": self._done,
            "skipped": self._skipped,
            "history": self.history,
            "stiffness": np.array(self._stiffness),
            "state before": self._state_before,
            "apparatus": apparatus_state.save(setup.apparatus),
            "controller": controller.saved(setup.bench),
            "rng": setup.bench.rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state` of a learner of the same scene.

        Raises:
            RunError: if it is another's.
        """
        setup, controller = self.setup, self.setup.scene.controller
        assert controller is not None
        try:
            check_fingerprint(state["of"], setup)
            self._check(state)
            self.epoch, self._done, self.history = state["epoch"], state["done"], state["history"]
            self._skipped = state["skipped"]
            self._stiffness = list(state["stiffness"])
            self._state_before = state["state before"]
            apparatus_state.restore(setup.apparatus, state["apparatus"])
            setup.bench.rng.bit_generator.state = state["rng"]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RunError(f"the checkpoint is not one of this scene's learning: {error}") from error
        try:
            controller.restore(setup.bench, state["controller"])
        except SandboxError:
            raise
        except Exception as error:  # of a plugin, so anything may come
            raise RunError(f"the controller cannot go on from the checkpoint: {error!r}") from error

    def _check(self, state: dict[str, Any]) -> None:
        """Whether a state has the form of one of this learner's.

        Raises:
            ValueError: where it has not.
        """
        model = {name: value for name, value in self.state().items() if name != "controller"}
        knobs = len(self.setup.apparatus.stiffness)
        model |= {"history": [{"epoch": 0, "relaxations": 0}], "stiffness": np.zeros((1, knobs))}
        problem = misfit(state, model)
        if problem is not None:
            raise ValueError(problem)
        training, samples = self.setup.scene.training, len(self.setup.task.train)
        assert training is not None
        if not (state["epoch"] >= 0 and 0 <= state["done"] <= samples and 0 <= state["skipped"] <= samples):
            raise ValueError(f"{state['done']} samples of epoch {state['epoch']}")
        figures = [value for f in state["history"] for value in f.values()]
        if not all(isinstance(value, (int, float, np.number)) and np.isfinite(value) for value in figures):
            raise ValueError("a figure of its history is no finite number")
        rows = len(state["history"])
        kept = min(rows, 2) if training.keep == "ends" else rows
        shapes = (kept, knobs), self._state_before.shape
        if not rows or (state["stiffness"].shape, state["state before"].shape) != shapes:
            raise ValueError("its record does not fit the network")

    def _outputs(self, which: np.ndarray) -> np.ndarray:
        """(S', outputs) of samples, a slab at a time."""
        apparatus, pieces = self.setup.apparatus, []
        with apparatus.unmetered():
            apparatus.nudge(None, 0.0)
            for first in range(0, len(which), SLAB):
                apparatus.clamp(self.setup.task.inputs[which[first : first + SLAB]])
                pieces.append(apparatus.read())
        return np.concatenate(pieces)

    def _sample_state(self) -> np.ndarray:
        """(N, D), the state under the first training sample."""
        apparatus, task = self.setup.apparatus, self.setup.task
        with apparatus.unmetered():
            apparatus.nudge(None, 0.0)
            apparatus.clamp(task.inputs[task.train[:1]])
            return apparatus.settle().state[0]

    def dataset(self) -> xr.Dataset:
        """Everything recorded."""
        setup, task, training = self.setup, self.setup.task, self.setup.scene.training
        assert training is not None
        looks = setup.scene.system.looks
        names = [n for n in self.history[-1] if n != "epoch"]
        data = network_dataset(setup).assign_coords(
            epoch=("epoch", [int(h["epoch"]) for h in self.history]), sample=("sample", np.arange(len(task.inputs)))
        )
        for name in names:
            data[name.replace(" ", "_")] = (("epoch",), [h[name] for h in self.history])
        kept = np.array(self._stiffness)
        when = "epoch" if training.keep == "every" else "end"
        what = "edge" if kept.shape[1] == setup.network.n_edges else "knob"
        data["stiffness"] = ((when, what), kept, {"long_name": looks.stiffness})
        data["state_before"] = (("node", "component"), self._state_before, {"long_name": f"{looks.state}, untrained"})
        data["state_after"] = (("node", "component"), self._sample_state(), {"long_name": f"{looks.state}, trained"})
        if task.inputs.size <= MOST_INPUTS:
            data["input"] = (("sample", "input_terminal"), task.inputs)
        data["target"] = (("sample", "output_terminal"), task.targets)
        everyone = np.arange(len(task.inputs))
        data["output"] = (("sample", "output_terminal"), self._outputs(everyone), {"long_name": "output, trained"})
        data["in_test"] = (("sample",), np.isin(everyone, task.test))
        return data


def epoch_order(setup: Setup, epoch: int) -> np.ndarray:
    """The order in which an epoch visits the training samples: a function of seed and epoch."""
    training, train = setup.scene.training, setup.task.train
    assert training is not None
    return stream(setup.scene.seed, "shuffle", epoch).permutation(train) if training.shuffle else train
