"""Classification of the small data sets that come with scikit-learn.

Where one class lies between the others, as in iris, linear flow networks want one output with an ordinal code: with
one-hot codes the middle class is masked, whatever the learning rule, unless edges are nonlinear. Classes that lie in no
line (wine, many digits) are better told apart with one-hot codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from sandbox_tasks.data_set import DataSet
from sandbox_tasks.encoding import Code, stratified_split
from sandbox_tasks.shipped import shipped

ANALYSES = [
    "alcohol",
    "malic acid",
    "ash",
    "alcalinity of ash",
    "magnesium",
    "total phenols",
    "flavanoids",
    "nonflavanoid phenols",
    "proanthocyanins",
    "color intensity",
    "hue",
    "od280/od315 of diluted wines",
    "proline",
]


class SmallDataSet(DataSet):
    """A data set without a split of its own: some samples of every class are held out at random."""

    test_fraction: float = Field(0.3, ge=0, lt=1, description="part of every class that is held out")
    train_samples: int | None = Field(
        None,
        ge=1,
        description="instead of the fraction: samples to train on, classes in proportion; the rest is held out",
    )

    def split(self, labels: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return stratified_split(labels, self.test_fraction, rng, self.train_samples)


class Iris(SmallDataSet):
    """Three species of iris from four lengths: 150 samples; the middle class lies between the others."""

    features, known_classes = 4, 3

    def data(self) -> Mapping[str, Any]:
        return shipped("iris.csv", ["sepal length", "sepal width", "petal length", "petal width"], header=1)


class Wine(SmallDataSet):
    """Three cultivars of wine from thirteen chemical analyses: 178 samples."""

    features, known_classes, one_unit = 13, 3, False

    def data(self) -> Mapping[str, Any]:
        return shipped("wine_data.csv", ANALYSES, header=1)


class Digits(SmallDataSet):
    """Handwritten digits of 8 by 8 pixels: 1,797 samples; ``classes = [3, 8]`` tells two of them apart."""

    features, known_classes, brightness = 64, 10, (0.0, 16.0)

    code: Code = Field("one-hot", description="all classes along one output, or an output for each class")
    components: int = Field(16, ge=0, description="principal components used as features; 0: raw pixels")

    def data(self) -> Mapping[str, Any]:
        return shipped("digits.csv.gz", [f"pixel {row} {column}" for row in range(8) for column in range(8)])
