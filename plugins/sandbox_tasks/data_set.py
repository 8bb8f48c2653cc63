"""What the tasks share that tell the classes of a data set apart: choice of classes, components, scaling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from sandbox.errors import SandboxError
from sandbox.parts import Site
from sandbox.task import Task
from sandbox_tasks.encoded import CodedTask
from sandbox_tasks.encoding import MinMax, Scaling


class DataSet(CodedTask):
    """Samples with features and a class each.

    Scales and principal components are fitted on the training samples alone; test samples beyond the scale are clipped.

    Attributes:
        features, known_classes: of the data set.
        one_unit: whether all features have the same unit, so that components need no scaling first.
        brightness: values of a black and a white pixel, for images.
    """

    features: ClassVar[int]
    known_classes: ClassVar[int]
    one_unit: ClassVar[bool] = True
    brightness: ClassVar[tuple[float, float] | None] = None

    components: int = Field(0, ge=0, description="principal components used as features; 0: raw features")
    scaling: Scaling | None = Field(
        None,
        description="to [0, 1] by the extremes of each feature, or by one minimum and maximum of all; by default "
        "together for raw pixels, each feature otherwise",
    )
    classes: tuple[int, ...] | None = Field(None, description="classes to tell apart, in the order of their codes")

    def data(self) -> Mapping[str, Any]:
        """All samples: ``data`` (S, F), ``target`` (S,) and ``feature_names``, as scikit-learn calls them."""
        raise NotImplementedError

    def split(self, labels: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Sorted indices of training and test samples among those of the chosen classes.

        Args:
            labels: (S',) their classes, numbered from 0.
            rows: (S',) where in the data set they are, ascending.
            rng: for the draws.
        """
        raise NotImplementedError

    @field_validator("components")
    @classmethod
    def _not_too_many(cls, value: int) -> int:
        if value > cls.features:
            raise ValueError(f"{cls.__name__} has {cls.features} features, so at most as many components; got {value}")
        return value

    @field_validator("classes")
    @classmethod
    def _known(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is None:
            return None
        missing = [c for c in value if not 0 <= c < cls.known_classes]
        if missing:
            raise ValueError(f"{cls.__name__} has no class {missing[0]}; its classes are 0 to {cls.known_classes - 1}")
        if len(value) < 2 or len(set(value)) < len(value):
            raise ValueError(f"needs two or more different classes; got {list(value)}")
        return value

    @property
    def chosen(self) -> tuple[int, ...]:
        """The classes to tell apart, all by default."""
        return self.classes or tuple(range(self.known_classes))

    def shape(self) -> tuple[int, int]:
        return self.input_count(self.components or self.features), self.output_count(len(self.chosen))

    def build(self, site: Site) -> Task:
        bunch = self.data()
        number = np.full(self.known_classes, -1)
        number[list(self.chosen)] = np.arange(len(self.chosen))
        every = number[np.asarray(bunch["target"], dtype=int)]
        rows = np.flatnonzero(every >= 0)
        train, test = self.split(every[rows], rows, site.rng)
        # Only what is used becomes floating-point numbers.
        used = np.union1d(train, test)
        train, test = np.searchsorted(used, train), np.searchsorted(used, test)
        labels, raw = every[rows[used]], np.asarray(bunch["data"][rows[used]], dtype=float)
        found = np.bincount(labels[train], minlength=len(self.chosen))
        if not found.all():
            missing = self.chosen[int(found.argmin())]
            raise SandboxError(f"{len(train)} training samples hold none of class {missing}; take more")
        names = [str(name) for name in bunch["feature_names"]]
        if self.components:
            raw, names = self._project(raw, train)
        return self.posed(site, self._scale(raw, train).scale(raw), labels, train, test, names)

    def _project(self, raw: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, list[str]]:
        from sklearn.decomposition import PCA

        if self.components > len(train):
            raise SandboxError(f"{self.components} components need as many training samples; there are {len(train)}")
        even = raw if self.one_unit else MinMax.fit(raw[train]).scale(raw)
        projection = PCA(self.components, svd_solver="full").fit(even[train])
        return projection.transform(even), [f"component {i + 1}" for i in range(self.components)]

    def _scale(self, features: np.ndarray, train: np.ndarray) -> MinMax:
        pixels = None if self.components else self.brightness
        scaling = self.scaling or ("together" if pixels else "each feature")
        if pixels and scaling == "together":
            return MinMax.between(*pixels, self.features)
        return MinMax.fit(features[train], scaling)
