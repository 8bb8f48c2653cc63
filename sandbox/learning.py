"""A learner: a controller at work on a bench, epoch by epoch, and the record of how it fared."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sandbox.build import Setup
from sandbox.dataset import network_dataset
from sandbox.replay import record
from sandbox.seeds import stream

SLAB = 1000
"""Samples that are evaluated at once, so that memory does not grow with the data set."""


MOST_INPUTS = 2_000_000
"""Numbers beyond which a run does not keep its task's inputs: a set of pictures is at home elsewhere."""


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
        self._stiffness: list[np.ndarray] = []
        self._state_before = self._sample_state()

    def train_epoch(self) -> None:
        """Every training sample (or batch of samples) once."""
        training, controller = self.setup.scene.training, self.setup.scene.controller
        assert training is not None
        assert controller is not None
        task, bench = self.setup.task, self.setup.bench
        order = epoch_order(self.setup, self.epoch)
        apparatus = self.setup.apparatus
        tape = record(controller) if training.batch == 1 and apparatus.can_replay() else None
        done = 0
        while done < len(order):
            ahead = order[done : done + SLAB]
            did = 0 if tape is None else apparatus.replay(tape, task.inputs[ahead], task.targets[ahead])
            if did < len(ahead):
                samples = ahead[did : did + training.batch]
                controller.step(bench, task.inputs[samples], task.targets[samples])
                did += len(samples)
            done += did
        self.epoch += 1
        if training.compliance_decay != 1:
            self.setup.apparatus.compliance = np.asarray(self.setup.apparatus.compliance) * training.compliance_decay

    def evaluate(self) -> dict[str, float]:
        """Figures of the present stiffnesses on the training and test samples; the meter does not count it."""
        task, apparatus, training = self.setup.task, self.setup.apparatus, self.setup.scene.training
        assert training is not None
        figures: dict[str, float] = {"epoch": self.epoch}
        for name, which in (("train", task.train), ("test", task.test)):
            if len(which):
                outputs = self._outputs(which)
                figures |= {f"{name} {key}": value for key, value in task.figures(outputs, which).items()}
        figures["relaxations"] = apparatus.meter.relaxations
        self.history.append(figures)
        if training.keep == "ends" and len(self._stiffness) == 2:
            self._stiffness.pop()
        self._stiffness.append(apparatus.stiffness.copy())
        return figures

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
