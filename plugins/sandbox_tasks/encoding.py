"""From data to terminals: scaling, differential pairs, constants, codes of classes, splits.

Encoded numbers are pure, in [0, 1] for inputs; :func:`placed` turns them into readings of terminals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sandbox.errors import SandboxError

Arrangement = Literal["interleaved", "concatenated"]
Code = Literal["ordinal", "one-hot"]
Scaling = Literal["each feature", "together"]

ROUNDING = 1e-14
"""Numbers that differ by this part are the same but for rounding, some fifty units in the last place."""


@dataclass(frozen=True, eq=False)
class MinMax:
    """A scale on which the training data just fill [0, 1].

    Attributes:
        low, high: (F,) values of each feature that are mapped to 0 and 1, in the data's units.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, training: np.ndarray, scaling: Scaling = "each feature") -> MinMax:
        """The scale of training data (S, F): from the least and largest value of each feature, or of all together."""
        if scaling == "together":
            return cls.between(training.min(), training.max(), training.shape[1])
        return cls(training.min(axis=0), training.max(axis=0))

    @classmethod
    def between(cls, low: float, high: float, features: int) -> MinMax:
        """One scale from low to high for so many features."""
        return cls(np.full(features, float(low)), np.full(features, float(high)))

    @property
    def span(self) -> np.ndarray:
        """(F,) width of the scale; 1 for a feature that is the same in all training data, but for rounding, which is
        mapped to 0.
        """
        width = self.high - self.low
        return np.where(width > ROUNDING * np.maximum(np.abs(self.low), np.abs(self.high)), width, 1.0)

    def scale(self, data: np.ndarray) -> np.ndarray:
        """Data (S, F) on this scale, clipped to [0, 1]."""
        scaled = data - self.low
        scaled /= self.span  # in place: the data may be half a gigabyte
        return np.clip(scaled, 0.0, 1.0, out=scaled)

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """Back to the data's units, (S, F); what was clipped stays so."""
        return self.low + scaled * self.span


def differential_pairs(x: np.ndarray, arrangement: Arrangement = "interleaved") -> np.ndarray:
    """(S, 2F): every x of (S, F) with 1 - x, which gives passive networks weights of both signs.

    ``interleaved`` orders them x0, 1 - x0, x1, 1 - x1, ...; ``concatenated`` puts all x before all 1 - x.
    """
    if arrangement == "concatenated":
        return np.concatenate([x, 1 - x], axis=1)
    return np.stack([x, 1 - x], axis=2).reshape(len(x), -1)


def differential_names(names: Sequence[str], arrangement: Arrangement = "interleaved") -> tuple[str, ...]:
    """Names of the columns of :func:`differential_pairs`."""
    if arrangement == "concatenated":
        return (*names, *(f"1 - {name}" for name in names))
    return tuple(text for name in names for text in (name, f"1 - {name}"))


def with_constants(x: np.ndarray, constants: Sequence[float]) -> np.ndarray:
    """(S, F + len(constants)): x (S, F) followed by a column for each constant, a ground or a supply."""
    if not constants:
        return x
    columns = np.broadcast_to(np.asarray(constants, dtype=float), (len(x), len(constants)))
    return np.concatenate([x, columns], axis=1)


def class_codes(code: Code, classes: int, low: float, high: float) -> np.ndarray:
    """(classes, outputs): the output that stands for each class.

    ``ordinal`` spaces the classes evenly from low to high on one output; ``one-hot`` has an output for each class,
    high for its own and low for the others.
    """
    if code == "ordinal":
        return np.linspace(low, high, classes)[:, None]
    return low + (high - low) * np.eye(classes)


def apportioned(sizes: np.ndarray, total: int) -> np.ndarray:
    """(classes,) whole numbers in proportion to ``sizes`` that add up to ``total``, by the method of largest remainder.

    Raises:
        SandboxError: if there are fewer than ``total``.
    """
    available = int(sizes.sum())
    if total > available:
        raise SandboxError(f"{total} samples are asked for; there are {available}")
    counts, remainders = np.divmod(total * sizes, available)
    counts[np.argsort(-remainders, kind="stable")[: total - counts.sum()]] += 1
    return counts


def stratified_split(
    labels: np.ndarray, fraction: float, rng: np.random.Generator, train_samples: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices of training and test samples, in which every class of labels (S,) has the same part.

    The test takes ``fraction`` of every class, rounded to whole samples, and leaves at least one of each for training.
    With ``train_samples`` given, exactly so many samples are for training instead, see :func:`apportioned`.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    if train_samples is None:
        held_out = np.minimum(np.rint(fraction * sizes).astype(int), sizes - 1)
    else:
        held_out = sizes - apportioned(sizes, train_samples)
    test = np.concatenate(
        [rng.permutation(np.flatnonzero(labels == c))[:n] for c, n in zip(classes, held_out, strict=True)]
    )
    return np.setdiff1d(np.arange(len(labels)), test), np.sort(test)


def placed(encoded: np.ndarray, rest: np.ndarray, amplitude: float, terminals: str) -> np.ndarray:
    """Terminal values (S, n) at ``rest + amplitude*encoded``, in the terminals' units.

    Args:
        encoded: (S, n) pure numbers.
        rest: (n,) readings at rest; empty for zero.
        amplitude: what an encoded 1 is worth.
        terminals: ``"input"`` or ``"output"``, for the message.

    Raises:
        SandboxError: if there are not n terminals.
    """
    if rest.size not in (0, encoded.shape[1]):
        raise SandboxError(f"the task needs {encoded.shape[1]} {terminals} terminals; there are {rest.size}")
    values = amplitude * encoded
    if rest.size:
        values += rest
    return values
