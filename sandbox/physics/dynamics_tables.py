"""What the kernels of dynamics read: bonds by edge and by node, coefficients of the integrator, walls that move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.physics.boundary import Boundary
from sandbox.physics.material import Material


@dataclass(frozen=True, eq=False)
class Bonds:
    """Edges and pairs with their frames and parameters, as the arguments of the kernels.

    Attributes:
        by_edge: ends, rows, frame, parameters, strides, pair ends, pair frame.
        by_node: starts, others, rows, frame, parameters, strides, pair starts, pair others, pair rows, pair frame.
        pair_springs: (B, 2, Q) stiffness, target.
        shifted: whether the frames of edges are to be read.
    """

    by_edge: tuple[np.ndarray, ...]
    by_node: tuple[np.ndarray, ...]
    pair_springs: np.ndarray
    shifted: bool


@dataclass(frozen=True, eq=False)
class Incidence:
    """The bonds at each node, in the order of the bonds: those of node i are ``starts[i]`` to ``starts[i + 1]``.

    Attributes:
        bond: (2E,) index of the bond.
        side: (2E,) which end of it the node is, 0 or 1.
        other: (2E,) the node at the other end.
    """

    starts: np.ndarray
    bond: np.ndarray
    side: np.ndarray
    other: np.ndarray


def incidence(ends: np.ndarray, n_nodes: int) -> Incidence:
    nodes = ends.ravel()
    order = np.argsort(nodes, kind="stable")
    bond, side = order >> 1, order & 1
    starts = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=n_nodes))]).astype(np.int32)
    return Incidence(starts, bond, side, ends[bond, 1 - side].astype(np.int32))


def bonds(material: Material, boundary: Boundary, stiffness: np.ndarray) -> Bonds:
    """Tables for one run, by edge and by node; the topology is kept with the material."""
    network, dim = material.network, material.components
    key = b"dynamics incidence"
    at = material.caches.get(key)
    if not isinstance(at, Incidence):
        at = material.caches[key] = incidence(network.edges, network.n_nodes)
    frame = material.frame(boundary.pairs)
    edges, pairs = frame[: network.n_edges], frame[network.n_edges :]
    if material.geometry == "projection":
        shifted, rows, rows_at = True, np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
        table, table_at = edges, _seen_from(edges[at.bond], at.side, dim)
    else:
        shifted, rows, rows_at, table = _shift_table(edges, at, dim)
        table_at = table
    values = [stiffness, *(material.parameters[name] for name in material.law.fixed)]
    alike = [len(row) == 0 or bool((row == row[0]).all()) for row in values]
    parameters = np.stack([row[:1] for row in values] if all(alike) else values)
    parameters_at = parameters if all(alike) else np.stack([row[at.bond] for row in values])
    strides = np.array([0 if same else 1 for same in alike], dtype=np.int32)
    at_pairs = incidence(boundary.pairs, network.n_nodes)
    by_edge = (network.edges.ravel(), rows, table.ravel(), parameters, strides, boundary.pairs.ravel(), pairs.ravel())
    by_node = (
        at.starts,
        at.other,
        rows_at,
        table_at.ravel(),
        parameters_at,
        strides,
        at_pairs.starts,
        at_pairs.other,
        at_pairs.bond.astype(np.int32),
        _seen_from(pairs[at_pairs.bond], at_pairs.side, dim).ravel(),
    )
    targets = boundary.pair_targets
    springs = np.stack([np.broadcast_to(boundary.pair_stiffness, targets.shape), targets], axis=1)
    if len(boundary.pairs) == 0:
        springs = np.zeros((1, 2, 1))
    return Bonds(tuple(map(never_empty, by_edge)), tuple(map(never_empty, by_node)), springs, shifted)


def never_empty(array: np.ndarray) -> np.ndarray:
    """Contiguous, and with at least one entry: kernels do not take empty arrays."""
    if array.size == 0:
        return np.zeros((1,) * array.ndim, dtype=array.dtype)
    return np.ascontiguousarray(array)


def _seen_from(frames: np.ndarray, side: np.ndarray, dim: int) -> np.ndarray:
    """Frames as seen from one end: vectors turn round at the second end, offsets do not."""
    turned = frames.copy()
    turned[side == 1, :dim] *= -1.0
    return turned


def _shift_table(frames: np.ndarray, at: Incidence, dim: int) -> tuple[bool, np.ndarray, np.ndarray, np.ndarray]:
    """The few different periodic shifts, and which one each edge has, from its first end and from each node.

    A table of images in place of a vector for each bond: less than half of the memory to be read in a step.
    """
    crossing = np.flatnonzero(frames.any(axis=1))
    if len(crossing) == 0:
        none = np.zeros(0, dtype=np.int32)
        return False, none, none, np.zeros((1, dim + 1))
    images, which = np.unique(frames[crossing], axis=0, return_inverse=True)
    rows = np.zeros(len(frames), dtype=np.int32)
    rows[crossing] = which.ravel() + 1
    back = np.where(rows > 0, rows + len(images), 0).astype(np.int32)
    rows_at = np.where(at.side == 0, rows[at.bond], back[at.bond]).astype(np.int32)
    return True, rows, rows_at, np.concatenate([np.zeros((1, dim + 1)), images, -images])


def coefficients(masses: np.ndarray, damping: np.ndarray, clamped: np.ndarray, time_step: float) -> np.ndarray:
    """(4, N*D): half a time step over the mass, decay of the velocity in a step, noise at temperature 1, mass.

    Zero where clamped, so that clamped components stay where they are and count for no kinetic energy.
    """
    decay = np.exp(-damping * time_step)
    noise = np.sqrt(-np.expm1(-2.0 * damping * time_step) / masses)
    rows = np.stack([0.5 * time_step / masses, decay, noise, masses])
    return np.where(clamped.ravel(), 0.0, np.repeat(rows, clamped.shape[1], axis=1))
