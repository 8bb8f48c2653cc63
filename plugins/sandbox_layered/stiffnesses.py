"""Where the weights and biases of each connection are in the one vector of stiffnesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox_layered.connections import Wiring


@dataclass(frozen=True, eq=False)
class StiffnessVector:
    """Connection by connection: its weights, then the biases of the layer it leads to.

    Attributes:
        wirings: one for each connection.
        word: what the weights are called in the names of the groups.
        biased: whether there are biases: one for each unit, or for each channel of images.
    """

    wirings: Sequence[Wiring]
    word: str
    biased: bool

    @cached_property
    def groups(self) -> Mapping[str, slice]:
        """Name of each group of stiffnesses, and where it is."""
        found, first = {}, 0
        for number, wiring in enumerate(self.wirings, 1):
            kinds = {self.word: wiring.weights} | ({"biases": wiring.post_shape[0]} if self.biased else {})
            for kind, count in kinds.items():
                found[f"{kind} {number}"] = slice(first, first + count)
                first += count
        return found

    @property
    def size(self) -> int:
        return max(part.stop for part in self.groups.values())

    def weights(self, vector: np.ndarray, connection: int) -> np.ndarray:
        """A view of the weights of a connection, counted from 0."""
        return vector[self.groups[f"{self.word} {connection + 1}"]]

    def biases(self, vector: np.ndarray, connection: int) -> np.ndarray:
        """A view of the biases of a connection; of length 0 where there are none."""
        return vector[self.groups[f"biases {connection + 1}"]] if self.biased else vector[:0]


def per_unit(biases: np.ndarray, wiring: Wiring) -> np.ndarray | float:
    """(post units,) biases spread over the units: a channel's goes to each of its places."""
    if len(biases) == 0:
        return 0.0
    return np.repeat(biases, int(np.prod(wiring.post_shape[1:], dtype=int)))


def per_bias(post: np.ndarray, wiring: Wiring) -> np.ndarray:
    """(biases,): mean over samples, sum over the places of a channel, of (B, post units)."""
    return post.reshape(len(post), wiring.post_shape[0], -1).sum(axis=2).mean(axis=0)
