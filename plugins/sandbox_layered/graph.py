"""The network of a layered system: nodes only, in columns by layer, images as grids of pixels."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from sandbox.parts import Graph, Trial
from sandbox.physics.memory import require_network
from sandbox.physics.network import Network
from sandbox_layered.layers import Count, group_name, size_of

GAP = 0.35
"""Width between columns, relative to the height of the drawing."""


class Layered(Graph):
    """Layers of nodes, without edges: what joins them is the system's.

    Groups: "layer 1", "layer 2", ..., and "input" and "output" for the first and last.
    """

    trial: ClassVar[Trial] = Trial({"layers": (2, (1, 2, 2), 1)})

    layers: tuple[Count | Annotated[tuple[Count, Count, Count], Field()], ...] = Field(
        min_length=2, description="units of each layer, or [channels, height, width] of a layer of images; input first"
    )

    def build(self, rng: np.random.Generator) -> Network:
        shapes = [(layer,) if isinstance(layer, int) else layer for layer in self.layers]
        require_network(sum(map(size_of, shapes)), 0)
        blocks = [_places(shape) for shape in shapes]
        tallest = max(float(np.ptp(block[:, 1])) for block in blocks) or 1.0
        corner, placed = 0.0, []
        for block in blocks:
            middle = (block[:, 1].max() + block[:, 1].min()) / 2
            placed.append(block + [corner - block[:, 0].min(), -middle])
            corner = placed[-1][:, 0].max() + max(GAP * tallest, 1.0)
        ends = np.cumsum([size_of(shape) for shape in shapes])
        groups = {
            group_name(number): np.arange(end - len(block), end)
            for number, (end, block) in enumerate(zip(ends, blocks, strict=True), 1)
        }
        groups |= {"input": groups[group_name(1)], "output": groups[group_name(len(shapes))]}
        return Network(np.concatenate(placed), np.zeros((0, 2), dtype=np.int32), groups=groups)


def _places(shape: tuple[int, ...]) -> np.ndarray:
    """Places (n, 2) of the units of a layer, a unit of length apart.

    Plain layers fill a block twice as high as wide, or one column if they are small; images lie in a block of tiles.
    """
    if len(shape) == 1:
        return _block(shape[0], 1 if shape[0] <= 12 else int(np.ceil(np.sqrt(shape[0] / 2))))
    channels, height, width = shape
    rows, columns = np.divmod(np.arange(height * width), width)
    image = np.stack([columns, -rows], axis=1).astype(float)
    tiles = _block(channels, int(np.ceil(np.sqrt(channels / 2))))
    return (tiles[:, None, :] * [width + 1, height + 1] + image).reshape(-1, 2)


def _block(count: int, columns: int) -> np.ndarray:
    """(count, 2) places in rows of so many columns, from the top left."""
    rows, column = np.divmod(np.arange(count), columns)
    return np.stack([column, -rows], axis=1).astype(float)
