"""MNIST and Fashion-MNIST: images of 28 by 28 pixels, fetched from OpenML when they are first used.

Y. LeCun, C. Cortes, C. Burges, the MNIST database of handwritten digits; H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST,
arXiv:1708.07747.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from sandbox.parts import Trial
from sandbox_tasks import openml
from sandbox_tasks.data_set import DataSet
from sandbox_tasks.encoding import Code, stratified_split


class Images(DataSet):
    """Images with the split of those who published them: first all training images, then all test images.

    Attributes:
        data_name, data_id: of the data set on OpenML.
        published: numbers of training and of test images.
    """

    trial: ClassVar[Trial] = Trial(skip="fetches its images")
    data_name: ClassVar[str]
    data_id: ClassVar[int]
    published: ClassVar[tuple[int, int]] = (60_000, 10_000)
    features, known_classes, brightness = 784, 10, (0.0, 255.0)

    code: Code = Field("one-hot", description="all classes along one output, or an output for each class")
    train_samples: int | None = Field(
        None, ge=1, description="training images to take, classes in proportion; by default all 60,000"
    )
    test_samples: int | None = Field(
        None, ge=0, description="test images to take, classes in proportion; by default all 10,000"
    )

    @field_validator("train_samples", "test_samples")
    @classmethod
    def _there(cls, value: int | None, info: Any) -> int | None:
        published = dict(zip(("train_samples", "test_samples"), cls.published, strict=True))[info.field_name]
        if value is not None and value > published:
            raise ValueError(f"{cls.__name__} has {published} of them; got {value}")
        return value

    def data(self) -> Mapping[str, Any]:
        pixels, labels = openml.load(self.data_name, self.data_id, (sum(self.published), self.features))
        side = int(self.features**0.5)
        names = [f"pixel {i // side} {i % side}" for i in range(self.features)]
        return {"data": pixels, "target": labels, "feature_names": names}

    def split(self, labels: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        first_test = int(np.searchsorted(rows, self.published[0]))
        parts = (labels[:first_test], self.train_samples), (labels[first_test:], self.test_samples)
        train, test = (stratified_split(part, 0.0, rng, samples)[0] for part, samples in parts)
        return train, first_test + test


class MNIST(Images):
    """Handwritten digits of 28 by 28 pixels: 60,000 images to train on and 10,000 to test."""

    data_name, data_id = "mnist", 554


class FashionMNIST(Images):
    """Articles of clothing, 28 by 28 pixels: 60,000 images to train on and 10,000 to test."""

    data_name, data_id = "fashion_mnist", 40996
