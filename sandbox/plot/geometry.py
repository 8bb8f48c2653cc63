"""Where the lines of a network go on paper, and how large its marks may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.physics.network import Network

ARC = 17
"""Points along the arc of a bond that passes over other nodes, in one dimension."""


def embed(positions: np.ndarray, lift: float = 0.0) -> np.ndarray:
    """Positions in the plane or in space, (N, 2) or (N, 3): a chain is laid along a horizontal line at this height."""
    if positions.shape[1] > 1:
        return positions
    return np.column_stack([positions[:, 0], np.full(len(positions), lift)])


def bond_lines(network: Network, positions: np.ndarray, lift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The lines to draw, (S, M, 2 or 3), and the edge that each belongs to, (S,).

    A bond within the box is one line. A bond across a periodic boundary is two stubs, half of the bond at
    each of its ends. In one dimension a bond that passes over other nodes is an arc.
    """
    start, end = positions[network.edges[:, 0]], positions[network.edges[:, 1]]
    half = network.bond_vectors(positions) / 2
    across = (network.shifts != 0).any(axis=1)
    tips = np.concatenate([np.where(across[:, None], start + half, end), (end - half)[across]])
    roots = np.concatenate([start, end[across]])
    owner = np.concatenate([np.arange(network.n_edges), np.flatnonzero(across)])
    lines = np.stack([roots, tips], axis=1)
    if network.dimension > 1:
        return lines, owner
    rank = np.argsort(np.argsort(network.positions[:, 0], kind="stable"))
    over = (np.abs(np.diff(rank[network.edges], axis=1)[:, 0]) > 1) & ~across
    t = np.linspace(0, 1, ARC if over.any() else 2)
    x = lines[:, :1, 0] * (1 - t) + lines[:, 1:, 0] * t
    height = 0.4 * np.abs(tips - roots) * over[owner][:, None]
    return np.stack([x, lift + height * 4 * t * (1 - t)], axis=2), owner


def extent(*points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates of arrays (..., 2 or 3), missing ones aside."""
    flat = np.concatenate([p.reshape(-1, p.shape[-1]) for p in points])
    flat = flat[np.isfinite(flat).all(axis=1)]
    if len(flat) == 0:
        return np.zeros(points[0].shape[-1]), np.ones(points[0].shape[-1])
    return flat.min(axis=0), flat.max(axis=0)


def spacing(network: Network) -> float:
    """Typical distance of neighbouring nodes: the median bond, or the mean spacing where that is less."""
    low, high = extent(network.positions)
    size = float((high - low).max())
    mean = size / max(network.n_nodes ** (1 / network.dimension) - 1, 1)
    lengths = network.lengths()
    lengths = lengths[lengths > 0]
    median = float(np.median(lengths)) if len(lengths) else mean
    return min(median, mean) or max(median, mean) or 1.0


def fineness(network: Network) -> float:
    """Share of their usual width that bonds get, from 0.3 where they crowd to 1: a hairball must be seen through."""
    low, high = extent(network.positions)
    size = np.sort(high - low)[::-1]
    if network.dimension == 1 or size[1] == 0:
        return 1.0
    ink = float(network.lengths().sum()) * spacing(network) / float(size[0] * size[1])
    return float(np.clip(np.sqrt(8 / ink), 0.3, 1.0)) if ink > 0 else 1.0


@dataclass(frozen=True)
class Sizes:
    """Sizes of marks in points: diameters of nodes (0: not drawn) and of roles, widest line and plain line."""

    node: float
    role: float
    widest: float
    line: float

    @classmethod
    def suited(cls, network: Network, unit: float) -> Sizes:
        """Sizes for a network that is drawn at this many points per unit of length."""
        return cls.of(unit * spacing(network), fineness(network))

    @classmethod
    def of(cls, gap: float, fine: float = 1.0) -> Sizes:
        """Sizes that suit nodes this many points apart; see :func:`fineness`."""
        node = 0.36 * gap
        return cls(
            node=0.0 if node < 1.8 else min(node, 8.0),
            role=float(np.clip(0.55 * gap, 3.6, 10.0)),
            widest=float(np.clip(0.24 * gap, 1.2, 5.0)) * fine,
            line=float(np.clip(0.07 * gap, 0.35, 1.2)),
        )
