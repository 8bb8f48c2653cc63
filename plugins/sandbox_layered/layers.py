"""Layers: which nodes of a network make up each layer, and the states of one layer as a matrix."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import Field

from sandbox.errors import NetworkError
from sandbox.physics.network import Network
from sandbox.suggestions import listed

Count = Annotated[int, Field(gt=0, le=2**24)]
Shape = tuple[int, ...]
"""(units,) of a plain layer, or (channels, height, width) of a layer of images."""

_NAME = re.compile(r"layer (\d+)")


def group_name(number: int) -> str:
    """Name of the group of nodes of a layer, counted from 1."""
    return f"layer {number}"


def size_of(shape: Sequence[int]) -> int:
    return math.prod(shape)


@dataclass(frozen=True)
class Layers:
    """Consecutive layers of nodes; each is a run of node indices, the next begins where it ends.

    Attributes:
        sizes: units of each layer, the input layer first.
    """

    sizes: tuple[int, ...]

    @classmethod
    def of(cls, network: Network) -> Layers:
        """The layers of a network, from its groups "layer 1", "layer 2", ...

        Raises:
            NetworkError: if there are fewer than two layers, or the groups do not divide the nodes in order.
        """
        numbers = sorted(int(found[1]) for name in network.groups if (found := _NAME.fullmatch(name)))
        if len(numbers) < 2 or numbers != list(range(1, len(numbers) + 1)):
            raise NetworkError(
                "a layered system needs a network with the groups 'layer 1', 'layer 2', ... (two or more), as the "
                f"graph 'layered' makes them; this network has the groups: {listed(network.groups)}"
            )
        groups = [network.nodes(group_name(number)) for number in numbers]
        if not np.array_equal(np.concatenate(groups), np.arange(network.n_nodes)):
            raise NetworkError(
                "the groups 'layer 1', 'layer 2', ... must hold every node once, in ascending order of the nodes"
            )
        empty = [number for number, nodes in zip(numbers, groups, strict=True) if len(nodes) == 0]
        if empty:
            raise NetworkError(f"the group {group_name(empty[0])!r} has no nodes")
        return cls(tuple(len(nodes) for nodes in groups))

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The nodes of each layer."""
        ends = np.cumsum(self.sizes).tolist()
        return tuple(slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True))

    def split(self, values: np.ndarray, dtype: type | np.dtype = float) -> list[np.ndarray]:
        """Values (..., N) as one contiguous copy (..., n) per layer."""
        return [np.array(values[..., nodes], dtype=dtype, order="C") for nodes in self.slices]

    def join(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """(B, N) from one (B, n) per layer."""
        return np.concatenate(parts, axis=-1)
