"""Classification of scikit-learn's small data sets.

Where one class lies between the others, as in iris, linear flow networks want one output with an ordinal code: with
one-hot codes the middle class is masked, whatever the learning rule, unless edges are nonlinear. Classes that lie in no
line (wine, many digits) are better told apart with one-hot codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from sandbox.errors import SandboxError
from sandbox.parts import Site
from sandbox.task import Task
from sandbox_tasks.encoded import CodedTask
from sandbox_tasks.encoding import MinMax, stratified_split


class DataSet(CodedTask):
    """Samples with features and a class each.

    Scales and principal components are fitted on the training samples alone; test samples beyond the scale are clipped.

    Attributes:
        features, known_classes: of the data set.
        one_unit: whether all features have the same unit, so that components need no scaling first.
    """

    features: ClassVar[int]
    known_classes: ClassVar[int]
    one_unit: ClassVar[bool] = True

    test_fraction: float = Field(0.3, ge=0, lt=1, description="part of every class that is held out")
    components: int | None = Field(None, ge=1, description="principal components used as features; none: raw features")
    classes: tuple[int, ...] | None = Field(None, description="classes to tell apart, in the order of their codes")

    def data(self) -> Mapping[str, Any]:
        """The bunch that scikit-learn loads: ``data`` (S, F), ``target`` (S,), ``feature_names``."""
        raise NotImplementedError

    @field_validator("components")
    @classmethod
    def _not_too_many(cls, value: int | None) -> int | None:
        if value is not None and value > cls.features:
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
        wanted = np.isin(bunch["target"], self.chosen)
        order = {label: number for number, label in enumerate(self.chosen)}
        labels = np.array([order[int(label)] for label in bunch["target"][wanted]])
        train, test = stratified_split(labels, self.test_fraction, site.rng)
        raw = np.asarray(bunch["data"][wanted], dtype=float)
        names = [str(name).removesuffix(" (cm)").replace("_", " ") for name in bunch["feature_names"]]
        if self.components:
            raw, names = self._project(raw, train, self.components)
        return self.posed(site, MinMax.fit(raw[train]).scale(raw), labels, train, test, names)

    def _project(self, raw: np.ndarray, train: np.ndarray, components: int) -> tuple[np.ndarray, list[str]]:
        from sklearn.decomposition import PCA

        if components > len(train):
            raise SandboxError(f"{components} components need as many training samples; there are {len(train)}")
        even = raw if self.one_unit else MinMax.fit(raw[train]).scale(raw)
        projection = PCA(components, svd_solver="full").fit(even[train])
        return projection.transform(even), [f"component {i + 1}" for i in range(components)]


class Iris(DataSet):
    """Three species of iris from four lengths: 150 samples; the middle class lies between the others."""

    features, known_classes = 4, 3

    def data(self) -> Mapping[str, Any]:
        from sklearn.datasets import load_iris

        return load_iris()  # pyright: ignore[reportReturnType]


class Wine(DataSet):
    """Three cultivars of wine from thirteen chemical analyses: 178 samples."""

    features, known_classes, one_unit = 13, 3, False

    def data(self) -> Mapping[str, Any]:
        from sklearn.datasets import load_wine

        return load_wine()  # pyright: ignore[reportReturnType]


class Digits(DataSet):
    """Handwritten digits of 8 by 8 pixels: 1,797 samples; ``classes = [3, 8]`` tells two of them apart."""

    features, known_classes = 64, 10

    components: int | None = Field(16, ge=1, description="principal components used as features; none: raw pixels")

    def data(self) -> Mapping[str, Any]:
        from sklearn.datasets import load_digits

        return load_digits()  # pyright: ignore[reportReturnType]
