"""Translations and rotations of connected parts of a network that nothing prevents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

RANK = 1e-10
"""Of the largest: smaller eigenvalues of a Gram matrix of rigid motions are zero."""

LARGE = 3000
"""Nodes above which a kernel is worth loading: three to five times as fast as SciPy."""

NAMED = 8


@dataclass(frozen=True, eq=False)
class Motions:
    """Rigid motions that are left: how many, how many of them translations, and what to say about it."""

    total: int
    translations: int
    message: str


def rigid_basis(position: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(K, N, D): the D translations, then the D(D - 1)/2 rotations about the centre of each node's part.

    Lengths are scaled to the size of the part, so that rotations compare with translations.

    Args:
        position: (N, D).
        part: (N,) label of the part of each node.
    """
    n_nodes, dim = position.shape
    size = np.bincount(part)
    centre = np.stack([np.bincount(part, x) / size for x in position.T], axis=1)
    away = position - centre[part]
    radius = np.zeros(len(size))
    np.maximum.at(radius, part, np.linalg.norm(away, axis=1))
    away = away / np.where(radius > 0, radius, 1.0)[part][:, None]
    i, j = np.triu_indices(dim, 1)
    basis = np.zeros((dim + len(i), n_nodes, dim))
    axis = np.arange(dim)
    basis[axis, :, axis] = 1.0
    turn = np.arange(len(i))
    basis[dim + turn, :, j] = away[:, i].T
    basis[dim + turn, :, i] = -away[:, j].T
    return basis


def parts_of(edges: np.ndarray, n_nodes: int) -> np.ndarray:
    """(N,) label of the connected part that each node is in, for edges (E, 2); the first part is that of node 0."""
    if n_nodes > LARGE and len(edges):
        from sandbox.physics import runtime
        from sandbox.physics.launch import direct

        runtime.start()
        from sandbox.physics.parts_kernel import parts

        label = np.empty(n_nodes, dtype=np.int32)
        direct(parts)(np.ascontiguousarray(edges, dtype=np.int32), label)
        return label
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n_nodes, n_nodes))
    return connected_components(graph, directed=False)[1]


def rigid_motions_left(
    position: np.ndarray, edges: np.ndarray, directions: np.ndarray, held: np.ndarray, part: np.ndarray
) -> Motions:
    """Rigid motions of each connected part that no held component prevents.

    For every part the Gram matrix (K, K) of the motions over what resists them - held components, and bonds, which
    resist where they cross a periodic boundary - has one zero eigenvalue per motion left.

    Args:
        position: (N, D) with D = 2 or 3.
        edges: (E, 2), those that connect.
        directions: (E, D) unit vectors of the bonds.
        held: (N, D) mask of components that are held.
        part: (N,) label of the part of each node.
    """
    dim, n_parts = position.shape[1], int(part.max(initial=-1)) + 1
    basis = rigid_basis(position, part)
    stretch = np.einsum("kec,ec->ke", basis[:, edges[:, 1]] - basis[:, edges[:, 0]], directions)
    stretch[np.abs(stretch) < 1e-9] = 0.0
    everywhere = _gram(basis, part, n_parts)
    resisted = _gram(basis * held, part, n_parts) + _gram(stretch[..., None], part[edges[:, 0]], n_parts)
    # Rotations of a single node, or of a straight line about itself, move nothing and are no motions.
    left = _rank(everywhere, everywhere) - _rank(resisted, everywhere)
    if not left.any():
        return Motions(0, 0, "")
    worst = int(np.argmax(left > 0))
    nodes = np.flatnonzero(part == worst)
    shifts = _rank(everywhere[:, :dim, :dim], everywhere) - _rank(resisted[:, :dim, :dim], everywhere)
    message = _message(dim, int(left[worst]), resisted[worst], nodes, held, n_parts)
    return Motions(int(left.sum()), int(shifts.sum()), message)


def firm(position: np.ndarray, held: np.ndarray) -> bool:
    """Whether the held components (N, D) of a single part resist all rigid motions by themselves: the common case."""
    some = np.flatnonzero(held.any(axis=1))
    if len(some) == 0:
        return False
    away = position - position.mean(axis=0)
    radius = float(np.sqrt((away**2).sum(axis=1).max())) or 1.0
    i, j = np.triu_indices(position.shape[1], 1)
    axes, turn = np.eye(position.shape[1]), np.arange(len(i))
    turns = np.zeros((len(i), len(some), position.shape[1]))
    turns[turn, :, j] = away[some][:, i].T / radius
    turns[turn, :, i] = -away[some][:, j].T / radius
    shifts = np.broadcast_to(axes[:, None, :], (len(axes), len(some), len(axes)))
    motions = (np.concatenate([shifts, turns]) * held[some]).reshape(len(axes) + len(i), -1)
    # No motion of the whole is longer than sqrt(N) on this scale: at least as strict as the ranks of Gram matrices.
    return bool((np.linalg.eigvalsh(motions @ motions.T) > RANK * len(motions) * len(position)).all())


def _gram(vectors: np.ndarray, part: np.ndarray, n_parts: int) -> np.ndarray:
    """(parts, K, K) scalar products of vectors (K, rows, d), summed over the rows of each part."""
    products = np.einsum("krc,lrc->rkl", vectors, vectors)
    total = np.zeros((n_parts, *products.shape[1:]))
    np.add.at(total, part, products)
    return total


def _rank(gram: np.ndarray, reference: np.ndarray) -> np.ndarray:
    scale = np.trace(reference, axis1=1, axis2=2)[:, None]
    return (np.linalg.eigvalsh(gram) > RANK * scale).sum(axis=1)


def _message(dim: int, left: int, resisted: np.ndarray, nodes: np.ndarray, held: np.ndarray, n_parts: int) -> str:
    free = np.diag(resisted)[:dim] <= RANK * len(nodes)
    along = [name for name, is_free in zip("xyz", free, strict=False) if is_free]
    rotations = left - len(along)
    holding = nodes[held[nodes].any(axis=1)]
    names = ", ".join(str(n) for n in nodes[:NAMED].tolist()) + (", ..." if len(nodes) > NAMED else "")
    body = "the network" if n_parts == 1 else f"the part of node{'s' if len(nodes) > 1 else ''} {names}"
    what = []
    if along:
        what.append(f"translation{'s' if len(along) > 1 else ''} along {' and '.join(along)}")
    if rotations:
        where = ""
        if not along and len(holding) == 1 and held[holding].all():
            where = f" about node {holding[0]}, the only one held"
        elif dim == 3 and len(holding) == 2 and held[holding].all():
            where = f" about the line through nodes {holding[0]} and {holding[1]}, the only ones held"
        what.append(f"{f'{rotations} rotations' if rotations > 1 else 'rotation'}{where}")
    mend = "at least 2 nodes" if dim == 2 else "at least 3 nodes that are not in line"
    return (
        f"{body} can move as a rigid body: {left} rigid motion{'s' if left > 1 else ''} left, {', '.join(what)}. Clamp "
        f"{mend} (or enough components), or attach springs to them"
    )
