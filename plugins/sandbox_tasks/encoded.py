"""What the tasks share that are posed in pure numbers and encoded on terminals: the settings of the encoding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from sandbox.parts import Site, TaskPart
from sandbox.task import Task
from sandbox_tasks.encoding import (
    Arrangement,
    Code,
    class_codes,
    differential_names,
    differential_pairs,
    placed,
    with_constants,
)


class EncodedTask(TaskPart):
    """A task whose inputs x lie in [0, 1].

    Terminals are set to, and expected at, their reading at rest plus ``amplitude`` times the encoded number. Pressures
    are zero at rest; positions and distances are not, and want an amplitude that is small beside the edges.
    """

    differential: bool = Field(True, description="every input x comes with 1 - x, on a terminal of its own")
    arrangement: Arrangement = Field("interleaved", description="order of x and 1 - x among the input terminals")
    constants: tuple[FiniteFloat, ...] = Field((0.0, 1.0), description="constant inputs, after the others")
    amplitude: FiniteFloat = Field(1.0, gt=0, description="what an encoded 1 is worth, in the terminals' units")

    def input_count(self, features: int) -> int:
        """Input terminals that so many features need."""
        return features * (1 + self.differential) + len(self.constants)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Encoded inputs (S, inputs) of features x (S, F)."""
        return with_constants(differential_pairs(x, self.arrangement) if self.differential else x, self.constants)

    def input_names(self, names: Sequence[str]) -> tuple[str, ...]:
        """What each input terminal carries, from the names of the F features."""
        carried = differential_names(names, self.arrangement) if self.differential else tuple(names)
        return carried + tuple(f"constant {value:g}" for value in self.constants)


class CodedTask(EncodedTask):
    """A task whose answers are classes."""

    code: Code = Field("ordinal", description="all classes along one output, or an output for each class")
    code_range: tuple[FiniteFloat, FiniteFloat] = Field((0.3, 0.7), description="lowest and highest code")

    @field_validator("code_range")
    @classmethod
    def _ascending(cls, value: tuple[float, float]) -> tuple[float, float]:
        return ascending(value)

    def codes(self, classes: int) -> np.ndarray:
        """(classes, outputs), encoded."""
        return class_codes(self.code, classes, *self.code_range)

    def output_count(self, classes: int) -> int:
        """Output terminals that so many classes need."""
        return 1 if self.code == "ordinal" else classes

    def posed(
        self, site: Site, x: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray, names: Sequence[str]
    ) -> Task:
        """The task of telling the classes (S,), numbered from 0, of features x (S, F) in [0, 1]."""
        codes = placed(self.codes(int(labels.max()) + 1), site.rest_outputs, self.amplitude, "output")
        return Task(
            inputs=placed(self.encode(x), site.rest_inputs, self.amplitude, "input"),
            targets=codes[labels],
            train=train,
            test=test,
            codes=codes,
            labels=labels,
            input_names=self.input_names(names),
        )


def ascending(value: tuple[float, float]) -> tuple[float, float]:
    """The range itself, if it is one."""
    if not value[0] < value[1]:
        raise ValueError(f"a range goes from low to high; got {value[0]:g} to {value[1]:g}")
    return value
