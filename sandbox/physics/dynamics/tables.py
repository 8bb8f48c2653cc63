"""What the kernels of dynamics read: bonds, parts of the nodes, coefficients of the integrator, walls that move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sandbox.physics.boundary import Boundary
from sandbox.physics.material import Material

INSIDE, FIRST, SECOND = 0, 1, 2
"""Which ends of a bond are in a part: both, the first, the second."""

PART = 16384
"""Nodes in a part, about: what is read and written of them stays in the cache for a pass."""


@dataclass(frozen=True, eq=False)
class Bonds:
    """Edges and pairs with their frames and parameters, as the arguments of the kernels.

    Attributes:
        by_edge: ends, rows, frame, parameters, strides, pair ends, pair frame.
        pair_springs: (B, 2, Q) stiffness, target.
        shifted: whether the frames of edges are to be read.
    """

    by_edge: tuple[np.ndarray, ...]
    pair_springs: np.ndarray
    shifted: bool


@dataclass(frozen=True, eq=False)
class Parts:
    """Nodes cut into runs of consecutive ones, and which bonds each needs.

    A run of bonds has four entries: its first bond, one past the last, which of their ends are in the part, and, where
    that is one, where in ``far`` the images of the others begin. A part's runs are in ascending order of bonds.

    Attributes:
        tables: ``nodes`` (parts + 1,) first node of each; of the edges ``starts`` (parts + 1,) of the runs of each
            part, ``runs`` (4R,), ``far``; the same of the pairs; ``shared``, the nodes of which other parts need an
            image, ascending, and ``shared_starts`` (parts + 1,).
        shared: (G,) the same, empty if there are none.
        evaluated: bonds evaluated in a pass, those between two parts twice.
    """

    tables: tuple[np.ndarray, ...]
    shared: np.ndarray
    evaluated: int


class _Runs(NamedTuple):
    starts: np.ndarray
    runs: np.ndarray  # (R, 4)
    far: np.ndarray  # nodes


def cut(material: Material, boundary: Boundary, threads: int) -> Parts:
    """Parts for so many threads; those of the edges are kept with the material."""
    n_nodes = material.network.n_nodes
    count = threads * max(1, round(n_nodes / (threads * PART)))
    nodes = np.linspace(0, n_nodes, min(count, n_nodes) + 1).astype(np.int32)
    key = b"dynamics parts" + count.to_bytes(8, "little")
    of_edges = material.caches.get(key)
    if not isinstance(of_edges, _Runs):
        of_edges = material.caches[key] = _runs(material.network.edges, nodes)
    both = of_edges, _runs(boundary.pairs, nodes)
    shared = np.unique(np.concatenate([found.far for found in both]))
    tables = [nodes]
    for found in both:
        tables += [found.starts, found.runs.ravel(), np.searchsorted(shared, found.far).astype(np.int32)]
    tables += [shared, np.searchsorted(shared, nodes).astype(np.int32)]
    evaluated = sum(int((found.runs[:, 1] - found.runs[:, 0]).sum()) for found in both)
    return Parts(tuple(map(never_empty, tables)), shared, evaluated)


def _runs(ends: np.ndarray, nodes: np.ndarray) -> _Runs:
    """Runs of :class:`Parts` for bonds (E, 2)."""
    home = np.searchsorted(nodes, ends, side="right") - 1
    across = home[:, 0] != home[:, 1]
    twice = np.flatnonzero(across)
    part = np.concatenate([home[:, 0], home[twice, 1]])
    bond = np.concatenate([np.arange(len(ends)), twice])
    kind = np.concatenate([np.where(across, FIRST, INSIDE), np.full(len(twice), SECOND)])
    order = np.lexsort((bond, part))
    part, bond, kind = part[order], bond[order], kind[order]
    fresh = np.ones(len(part), dtype=bool)
    fresh[1:] = (np.diff(part) != 0) | (np.diff(bond) != 1) | (np.diff(kind) != 0)
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(part)) - 1 if len(first) else first
    starts = np.searchsorted(part[first], np.arange(len(nodes)))
    alone = kind != INSIDE
    far = ends[bond[alone], np.where(kind[alone] == FIRST, 1, 0)]
    before = np.cumsum(alone) - alone
    runs = np.stack([bond[first], bond[last] + 1, kind[first], before[first]], axis=1)
    return _Runs(starts.astype(np.int32), runs.astype(np.int32), far.astype(np.int32))


def bonds(material: Material, boundary: Boundary, stiffness: np.ndarray) -> Bonds:
    """Tables for one run."""
    network, dim = material.network, material.components
    frame = material.frame(boundary.pairs)
    edges, pairs = frame[: network.n_edges], frame[network.n_edges :]
    if material.geometry == "projection":
        shifted, rows, table = True, np.zeros(0, dtype=np.int32), edges
    else:
        shifted, rows, table = _shift_table(edges, dim)
    values = [stiffness, *(material.parameters[name] for name in material.law.fixed)]
    alike = [len(row) == 0 or bool((row == row[0]).all()) for row in values]
    parameters = np.stack([row[:1] for row in values] if all(alike) else values)
    strides = np.array([0 if same else 1 for same in alike], dtype=np.int32)
    by_edge = (network.edges.ravel(), rows, table.ravel(), parameters, strides, boundary.pairs.ravel(), pairs.ravel())
    targets = boundary.pair_targets
    springs = np.stack([np.broadcast_to(boundary.pair_stiffness, targets.shape), targets], axis=1)
    if len(boundary.pairs) == 0:
        springs = np.zeros((1, 2, 1))
    return Bonds(tuple(map(never_empty, by_edge)), springs, shifted)


def never_empty(array: np.ndarray) -> np.ndarray:
    """Contiguous, and with at least one entry: kernels do not take empty arrays."""
    if array.size == 0:
        return np.zeros((1,) * array.ndim, dtype=array.dtype)
    return np.ascontiguousarray(array)


def _shift_table(frames: np.ndarray, dim: int) -> tuple[bool, np.ndarray, np.ndarray]:
    """Whether there are periodic shifts, which one each edge has, and the few different ones.

    A table of images in place of a vector for each bond: less than half of the memory to be read in a step.
    """
    crossing = np.flatnonzero(frames.any(axis=1))
    if len(crossing) == 0:
        return False, np.zeros(0, dtype=np.int32), np.zeros((1, dim + 1))
    images, which = np.unique(frames[crossing], axis=0, return_inverse=True)
    rows = np.zeros(len(frames), dtype=np.int32)
    rows[crossing] = which.ravel() + 1
    return True, rows, np.concatenate([np.zeros((1, dim + 1)), images])


def coefficients(masses: np.ndarray, damping: np.ndarray, clamped: np.ndarray, time_step: float) -> np.ndarray:
    """(4, N*D): half a time step over the mass, decay of the velocity in a step, noise at temperature 1, mass.

    Zero where clamped, so that clamped components stay where they are and count for no kinetic energy.
    """
    decay = np.exp(-damping * time_step)
    noise = np.sqrt(-np.expm1(-2.0 * damping * time_step) / masses)
    rows = np.stack([0.5 * time_step / masses, decay, noise, masses])
    return np.where(clamped.ravel(), 0.0, np.repeat(rows, clamped.shape[1], axis=1))
