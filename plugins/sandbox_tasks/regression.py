"""Small functions to learn: a random linear map, a curve that is not monotone, and exclusive or."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, FiniteFloat, field_validator

from sandbox.parts import Site
from sandbox.task import Task
from sandbox_tasks.encoded import CodedTask, EncodedTask, ascending
from sandbox_tasks.encoding import placed, stratified_split


class LinearRegression(EncodedTask):
    """A random linear map that passive linear networks can make.

    Targets are convex combinations of what the input terminals carry, constants included: the weights of an output are
    drawn from a symmetric Dirichlet distribution. A network with an edge from every input to every output, and no
    other, makes any such map exactly; others may lack the paths for it, the more so the more uneven the weights are.
    """

    differential: bool = Field(False, description="every input x comes with 1 - x, so that slopes have both signs")
    inputs: int = Field(2, ge=1, description="numbers x, each uniform in [0, 1]")
    outputs: int = Field(2, ge=1)
    concentration: FiniteFloat = Field(
        4.0,
        gt=0,
        description="of the weights: 1 is uniform over all convex combinations, more is nearer to equal weights",
    )
    samples: int = Field(60, ge=2)
    noise: FiniteFloat = Field(0.0, ge=0, description="standard deviation added to training targets, before amplitude")
    test_fraction: float = Field(0.3, ge=0, lt=1, description="part of the samples that is held out, free of noise")

    def shape(self) -> tuple[int, int]:
        return self.input_count(self.inputs), self.outputs

    def build(self, site: Site) -> Task:
        x = site.rng.uniform(size=(self.samples, self.inputs))
        terminals = self.encode(x)
        weights = site.rng.dirichlet(np.full(terminals.shape[1], self.concentration), size=self.outputs)
        train, test = stratified_split(np.zeros(self.samples, dtype=int), self.test_fraction, site.rng)
        wanted = terminals @ weights.T
        if self.noise:
            wanted[train] += self.noise * site.rng.standard_normal((len(train), self.outputs))
        return Task(
            inputs=placed(terminals, site.rest_inputs, self.amplitude, "input"),
            targets=placed(wanted, site.rest_outputs, self.amplitude, "output"),
            train=train,
            test=test,
            input_names=self.input_names([f"x{i + 1}" for i in range(self.inputs)]),
        )


class Function1D(EncodedTask):
    """A curve with hills and valleys over x in [0, 1], which linear networks cannot make.

    Trained at evenly spaced points, tested half way between them.
    """

    function: Literal["sine", "triangle", "parabola"] = Field("sine", description="one period of the curve")
    periods: int = Field(1, ge=1, description="how often it is repeated")
    target_range: tuple[FiniteFloat, FiniteFloat] = Field((0.3, 0.7), description="lowest and highest target")
    samples: int = Field(21, ge=3, description="training points, both ends included")

    @field_validator("target_range")
    @classmethod
    def _ascending(cls, value: tuple[float, float]) -> tuple[float, float]:
        return ascending(value)

    def shape(self) -> tuple[int, int]:
        return self.input_count(1), 1

    def curve(self, x: np.ndarray) -> np.ndarray:
        """Targets, encoded, at x of any shape."""
        turn = self.periods * x
        within = turn - np.floor(turn)
        unit = {
            "sine": (1 + np.sin(2 * np.pi * turn)) / 2,
            "triangle": 1 - np.abs(2 * within - 1),
            "parabola": 4 * within * (1 - within),
        }[self.function]
        low, high = self.target_range
        return low + (high - low) * unit

    def build(self, site: Site) -> Task:
        x = np.linspace(0, 1, 2 * self.samples - 1)[:, None]
        return Task(
            inputs=placed(self.encode(x), site.rest_inputs, self.amplitude, "input"),
            targets=placed(self.curve(x), site.rest_outputs, self.amplitude, "output"),
            train=np.arange(0, len(x), 2),
            test=np.arange(1, len(x), 2),
            input_names=self.input_names(["x"]),
        )


class XOR(CodedTask):
    """Whether two bits differ: four samples, all for training. No linear network does it, differential or not."""

    def shape(self) -> tuple[int, int]:
        return self.input_count(2), self.output_count(2)

    def build(self, site: Site) -> Task:
        bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        every, none = np.arange(4), np.zeros(0, dtype=int)
        return self.posed(site, bits.astype(float), bits.sum(axis=1) % 2, every, none, ["a", "b"])
