"""How the units of one layer are wired to those of the next: every pair, or by a convolution with average pooling.

A wiring is a map that is linear in its weights w and in the states of the layer before: ``forward(w, pre)``. Its
adjoint in the states is ``backward``, and its adjoint in the weights is ``outer``. All three are matrix products over
the whole batch.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sandbox.errors import NetworkError
from sandbox_layered.layers import Shape, size_of

BLOCK = 131_072
"""Weights handled at a time where they are added to, or of another precision than the states."""


class Wiring(Protocol):
    """Wiring of a layer of ``pre_shape`` to a layer of ``post_shape``; B samples, states flat: (B, units)."""

    pre_shape: Shape
    post_shape: Shape
    weights: int
    """Number of weights."""
    fans: tuple[int, int]
    """Weights that meet in a unit of the layer after, and (dense) units or (conv) channels they lead to."""

    def unfold(self, pre: np.ndarray) -> np.ndarray:
        """What ``forward`` and ``outer`` take in place of the states: worth keeping while the layer stays."""
        ...

    def forward(self, w: np.ndarray, unfolded: np.ndarray) -> np.ndarray:
        """(B, post units): what each unit of the layer after receives, from weights (weights,)."""
        ...

    def backward(self, w: np.ndarray, post: np.ndarray) -> np.ndarray:
        """(B, pre units): the adjoint of ``forward`` in the states."""
        ...

    def outer(
        self, unfolded: np.ndarray, post: np.ndarray, out: np.ndarray, onto: np.ndarray | None = None
    ) -> np.ndarray:
        """(weights,), written to ``out``: ``onto`` plus the adjoint of ``forward`` in the weights, over all samples."""
        ...


class Dense:
    """Every unit with every unit; weights (pre units, post units)."""

    def __init__(self, pre_shape: Shape, post_shape: Shape) -> None:
        self.pre_shape, self.post_shape = pre_shape, post_shape
        self.fans = size_of(pre_shape), size_of(post_shape)
        self.weights = self.fans[0] * self.fans[1]

    def unfold(self, pre: np.ndarray) -> np.ndarray:
        return pre

    def forward(self, w: np.ndarray, unfolded: np.ndarray) -> np.ndarray:
        return unfolded @ w.reshape(self.fans)

    def backward(self, w: np.ndarray, post: np.ndarray) -> np.ndarray:
        return post @ w.reshape(self.fans).T

    def outer(
        self, unfolded: np.ndarray, post: np.ndarray, out: np.ndarray, onto: np.ndarray | None = None
    ) -> np.ndarray:
        _product(unfolded, post, out.reshape(self.fans), onto)
        return out


class Conv:
    """A convolution (cross-correlation, stride 1) and average pooling.

    Weights are (channels, channels before, kernel, kernel).

    The mean over a pooling window of what the kernel sees is what the kernel sees of a mean: the images are averaged
    over windows first, and the kernel is laid on every ``pooling``-th place only. Rows and columns that do not fill a
    window at the far edges are left out.

    Args:
        pre_shape: (channels, height, width) of the layer before.
        channels: of the layer after.
        kernel: width of the kernel.
        pooling: width of the windows, 1 for none.
        padding: rows and columns of zeros put around the images.

    Raises:
        NetworkError: if no place is left for the kernel and one window.
    """

    def __init__(self, pre_shape: Shape, channels: int, kernel: int, pooling: int = 2, padding: int = 0) -> None:
        rows, columns = self.image_after(pre_shape, kernel, pooling, padding)
        self.pre_shape, self.post_shape = pre_shape, (channels, rows, columns)
        self.kernel, self.pooling, self.padding = kernel, pooling, padding
        self.fans = pre_shape[0] * kernel**2, channels
        self.weights = self.fans[0] * channels

    @staticmethod
    def image_after(pre_shape: Shape, kernel: int, pooling: int, padding: int) -> tuple[int, int]:
        """Height and width of the layer after."""
        rows, columns = ((side + 2 * padding - kernel + 1) // pooling for side in pre_shape[1:])
        if min(rows, columns) < 1:
            raise NetworkError(
                f"a kernel of {kernel} with pooling over {pooling} does not fit images of {pre_shape[1]} by "
                f"{pre_shape[2]} with padding {padding}; make the kernel smaller"
            )
        return rows, columns

    def unfold(self, pre: np.ndarray) -> np.ndarray:
        """(B*rows*columns, pre channels*kernel^2): what the kernel sees at each place, window means taken."""
        images, pad, pool = pre.reshape(-1, *self.pre_shape), self.padding, self.pooling
        if pad:
            images = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        height, width = images.shape[2] - pool + 1, images.shape[3] - pool + 1
        means = sum(images[:, :, i : i + height, j : j + width] for i in range(pool) for j in range(pool)) / pool**2
        _, rows, columns = self.post_shape
        seen = sliding_window_view(means, (self.kernel, self.kernel), axis=(2, 3))  # type: ignore[arg-type]
        seen = seen[:, :, : rows * pool : pool, : columns * pool : pool]
        return seen.transpose(0, 2, 3, 1, 4, 5).reshape(-1, self.fans[0])

    def forward(self, w: np.ndarray, unfolded: np.ndarray) -> np.ndarray:
        channels, rows, columns = self.post_shape
        places = unfolded @ w.reshape(channels, -1).T
        return places.reshape(-1, rows * columns, channels).transpose(0, 2, 1).reshape(-1, size_of(self.post_shape))

    def backward(self, w: np.ndarray, post: np.ndarray) -> np.ndarray:
        channels, rows, columns = self.post_shape
        k, pool, pad = self.kernel, self.pooling, self.padding
        spread = (self._places(post) @ w.reshape(channels, -1)) / pool**2
        spread = spread.reshape(-1, rows, columns, self.pre_shape[0], k, k).transpose(4, 5, 0, 3, 1, 2)
        height, width = (side + 2 * pad for side in self.pre_shape[1:])
        means = np.zeros((len(post), self.pre_shape[0], height - pool + 1, width - pool + 1))
        for i in range(k):
            for j in range(k):
                means[:, :, i : i + rows * pool : pool, j : j + columns * pool : pool] += spread[i, j]
        images = np.zeros((len(post), self.pre_shape[0], height, width))
        for i in range(pool):
            for j in range(pool):
                images[:, :, i : i + means.shape[2], j : j + means.shape[3]] += means
        return images[:, :, pad : height - pad, pad : width - pad].reshape(len(post), -1)

    def outer(
        self, unfolded: np.ndarray, post: np.ndarray, out: np.ndarray, onto: np.ndarray | None = None
    ) -> np.ndarray:
        _product(self._places(post), unfolded, out.reshape(self.post_shape[0], -1), onto)
        return out

    def _places(self, post: np.ndarray) -> np.ndarray:
        """(B*rows*columns, channels)."""
        channels = self.post_shape[0]
        return post.reshape(len(post), channels, -1).transpose(0, 2, 1).reshape(-1, channels)


def _product(left: np.ndarray, right: np.ndarray, out: np.ndarray, onto: np.ndarray | None) -> None:
    """``left.T @ right + onto``, written to ``out``."""
    if onto is None and left.dtype == out.dtype:
        np.matmul(left.T, right, out=out)
        return
    # Some rows at a time, so that a large result passes through the cache once.
    rows = max(1, BLOCK // right.shape[1])
    for first in range(0, len(out), rows):
        here = slice(first, first + rows)
        part = left[:, here].T @ right
        if onto is None:
            out[here] = part
        else:
            np.add(onto.reshape(out.shape)[here], part, out=out[here])
