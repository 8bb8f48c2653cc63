"""A task: inputs and desired outputs at the terminals, and how readings become answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sandbox.errors import SandboxError
from sandbox.suggestions import listed


@dataclass(frozen=True, eq=False)
class Task:
    """S samples in the units of the terminals.

    Attributes:
        inputs: (S, inputs).
        targets: (S, outputs).
        train, test: samples as indices, or as masks (S,), which become indices; test may be empty.
        codes: (classes, outputs), the output that stands for each class, for classification.
        labels: (S,) class of each sample, for classification: rows of ``codes`` from 0. Labels of any other kind (from
            1, texts) become such numbers: a label stands for the code nearest to the mean target of its samples.
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

    def __post_init__(self) -> None:
        samples = len(np.atleast_1d(self.inputs))
        for name in ("train", "test"):
            object.__setattr__(self, name, _indices(name, getattr(self, name), samples))
        codes, targets = np.asarray(self.codes), np.asarray(self.targets)
        if self.labels is not None and codes.ndim == targets.ndim == 2 and codes.shape[1] == targets.shape[1]:
            object.__setattr__(self, "labels", class_numbers(self.labels, codes, targets))

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
            asked = np.abs(targets - self.rest_outputs)
            some = asked > 0  # an output that is to stay has no strain to be measured by
            if some.any():
                result["strain error"] = float(np.max(np.abs(outputs - targets)[some] / asked[some]))
        return result


def class_numbers(labels: npt.ArrayLike, codes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Number classes by the rows of their codes.

    Args:
        labels: (S,) of any kind that can be sorted: numbers, texts, truths.
        codes: (classes, outputs).
        targets: (S, outputs).

    Returns:
        (S,) row of ``codes`` for each sample.

    Raises:
        SandboxError: if the labels do not tell the classes, or contradict the targets.
    """
    given = np.asarray(labels)
    if given.shape != (len(targets),):
        raise SandboxError(
            f"the task's labels have shape {given.shape}; expected the class of each sample, ({len(targets)},)"
        )
    if given.dtype.kind in "fc" and not np.isfinite(given).all():
        raise SandboxError(f"the task's label of sample {int(np.argmin(np.isfinite(given)))} is not a finite number")
    try:
        names, which = np.unique(given, return_inverse=True)
    except TypeError:
        raise SandboxError("the task's labels are of several kinds; expected numbers alone, or texts alone") from None
    if len(names) > len(codes):
        raise SandboxError(
            f"the task's labels name {len(names)} classes ({listed(names)}), and it has {len(codes)} codes"
        )
    if not len(names):
        return np.zeros(0, dtype=int)
    sums = np.zeros((len(names), codes.shape[1]))
    np.add.at(sums, which, targets)
    means = sums / np.bincount(which)[:, None]
    meant = np.argmin(((means[:, None, :] - codes) ** 2).sum(axis=-1), axis=1)
    distinct = len(np.unique(meant)) == len(names)
    if names.dtype.kind in "biuf" and np.isin(names, np.arange(len(codes))).all():  # rows of codes already
        rows = names.astype(int)
        if distinct and (meant != rows).any():
            wrong = int(np.argmax(meant != rows))
            raise SandboxError(
                f"the task's labels contradict its targets: those of the samples with label {names[wrong]} are nearest "
                f"to row {meant[wrong]} of the codes; number the classes from 0, by the rows of the codes, or name them"
            )
        return rows[which]
    if not distinct:
        one, other = next((i, j) for i in range(len(names)) for j in range(i) if meant[i] == meant[j])
        raise SandboxError(
            f"the task's labels {names[other]} and {names[one]} cannot be told apart: targets of both are nearest to "
            f"row {meant[one]} of the codes; number the classes from 0, by the rows of the codes"
        )
    return meant[which]


def _indices(name: str, which: npt.ArrayLike, samples: int) -> np.ndarray:
    """Make indices of samples from indices or a mask."""
    array = np.asarray(which)
    if array.dtype == bool:
        if array.shape != (samples,):
            raise SandboxError(
                f"the task's {name} is a mask of shape {array.shape}; {samples} samples take ({samples},)"
            )
        return np.flatnonzero(array)
    if array.size == 0:
        return np.zeros(0, dtype=int)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise SandboxError(
            f"the task's {name} has shape {array.shape} and type {array.dtype}; expected indices of samples, or a mask"
        )
    return array.astype(int)
