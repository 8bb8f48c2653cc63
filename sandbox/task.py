"""A task: inputs and desired outputs at the terminals, and how readings become answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sandbox.errors import SandboxError


@dataclass(frozen=True, eq=False)
class Task:
    """S samples in the units of the terminals.

    Attributes:
        inputs: (S, inputs).
        targets: (S, outputs).
        train, test: indices of samples; test may be empty.
        codes: (classes, outputs), the output that stands for each class, for classification.
        labels: (S,) class of each sample, for classification.
        input_names: what each input terminal carries.
        constant: (inputs,) mask of the inputs that are the same in every sample (a ground, a supply).
        rest_outputs: (outputs,) readings with nothing imposed, for tasks that are asked in strains.
    """

    inputs: np.ndarray
    targets: np.ndarray
    train: np.ndarray
    test: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    codes: np.ndarray | None = None
    labels: np.ndarray | None = None
    input_names: tuple[str, ...] = ()
    rest_outputs: np.ndarray | None = None

    def check(self, inputs: int, outputs: int) -> None:
        """See that the samples suit so many input and output terminals.

        Raises:
            SandboxError: naming what does not.
        """
        samples = len(np.atleast_1d(self.inputs))
        for name, values, width in (("inputs", self.inputs, inputs), ("targets", self.targets, outputs)):
            if np.shape(values) != (samples, width):
                raise SandboxError(
                    f"the task's {name} have shape {np.shape(values)}; {samples} samples take {(samples, width)}"
                )
            if not np.isfinite(values).all():
                sample = int(np.argmin(np.isfinite(values).all(axis=1)))
                raise SandboxError(f"the task's {name} of sample {sample} are not finite: {values[sample]}")
        for name, which in (("train", self.train), ("test", self.test)):
            if len(which) and (np.min(which) < 0 or np.max(which) >= samples):
                raise SandboxError(f"the task's {name} samples go beyond the {samples} there are")
        if len(self.train) == 0:
            raise SandboxError("the task has no samples to train on")

    @property
    def constant(self) -> np.ndarray:
        return np.ptp(self.inputs, axis=0) == 0 if len(self.inputs) > 1 else np.zeros(self.inputs.shape[1], dtype=bool)

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """(S',) classes whose code is nearest to outputs (S', outputs)."""
        assert self.codes is not None
        return np.argmin(((outputs[:, None, :] - self.codes) ** 2).sum(axis=-1), axis=1)

    def figures(self, outputs: np.ndarray, which: np.ndarray) -> Mapping[str, float]:
        """Figures of merit of outputs (S', outputs) of the samples ``which``: loss, and what else suits the task.

        All finite: a run stops at one that is not.
        """
        targets = self.targets[which]
        result = {"loss": float(0.5 * ((outputs - targets) ** 2).sum(axis=1).mean())}
        if self.codes is not None and self.labels is not None:
            result["accuracy"] = float((self.answers(outputs) == self.labels[which]).mean())
        if self.rest_outputs is not None:
            asked = targets - self.rest_outputs
            result["strain error"] = float(np.max(np.abs(outputs - targets) / np.maximum(np.abs(asked), 1e-300)))
        return result
