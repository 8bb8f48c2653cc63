"""Removing bonds at random, keeping a network connected or rigid; and removing the nodes that this leaves floppy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from sandbox.errors import NetworkError
from sandbox.physics.graphs._checks import generator, positive
from sandbox.physics.graphs.rigidity import rigid_motions, rigidity_matrix, self_stresses
from sandbox.physics.network import Network
from sandbox.physics.zero_modes import moving_nodes, zero_modes

MAX_STRESSES = 250_000_000
"""Largest number of entries (2 GB) of the basis of self-stresses that rigid dilution works with."""


def dilute(
    network: Network,
    *,
    fraction: float | None = None,
    coordination: float | None = None,
    seed: int = 0,
    keep_connected: bool = True,
) -> Network:
    """Remove bonds at random; the nodes and groups stay.

    Args:
        fraction: of the bonds to remove, from 0 to 1.
        coordination: mean number of bonds per node to leave, rounded to a whole bond; instead of ``fraction``.
        seed: of the order in which bonds are tried.
        keep_connected: bonds are tried in random order, and one whose loss would disconnect two nodes that are still
            connected stays. (The bonds that stay in the end are those of a spanning tree with random weights, so that
            all are found at once.)

    Raises:
        NetworkError: if not exactly one of ``fraction`` and ``coordination`` is given, one is out of range, or so many
            bonds cannot go without disconnecting the network.
    """
    removed = network.n_edges - _left(network, fraction, coordination)
    order = generator(seed).permutation(network.n_edges)
    if keep_connected:
        needed = np.zeros(network.n_edges, dtype=bool)
        needed[_spanning(network, order)] = True
        order = order[~needed[order]]
        if removed > len(order):
            least = 2 * (network.n_edges - len(order)) / network.n_nodes
            raise NetworkError(
                f"removing {removed} of {network.n_edges} bonds would disconnect the network; "
                f"at most {len(order)} can go (coordination {least:.4g}), or set keep_connected=False"
            )
    keep = np.ones(network.n_edges, dtype=bool)
    keep[order[:removed]] = False
    return network.keep_edges(keep)


def dilute_rigidly(network: Network, *, coordination: float, seed: int = 0) -> Network:
    """Remove bonds from a rigid network down to a coordination, without making a floppy mode.

    Each bond to go is drawn at random from those that are at least as redundant as the mean (see
    :func:`~sandbox.physics.graphs.rigidity.self_stresses`) and whose two nodes keep at least D + 1 bonds, as
    mechanical stability asks. Works on up to some 10,000 nodes.

    Args:
        coordination: mean number of bonds per node to leave, rounded to a whole bond; at least the isostatic
            2 D - 2 K / N, with K rigid motions.
        seed: of the draws.

    Raises:
        NetworkError: if the network is not rigid, or this coordination cannot be reached.
    """
    left, dim = _left(network, None, coordination), network.dimension
    isostatic = network.n_nodes * dim - len(rigid_motions(network))
    if left < isostatic:
        raise NetworkError(
            f"coordination is {coordination}; a rigid network of {network.n_nodes} nodes in {dim}D "
            f"has at least {2 * isostatic / network.n_nodes:.5g}"
        )
    if network.n_edges * (network.n_edges - isostatic) > MAX_STRESSES:
        raise NetworkError(f"{network} is too large to dilute rigidly; use at most some 10,000 nodes")
    rng = generator(seed)
    basis = self_stresses(network, rng)
    redundancy, degrees = np.einsum("es,es->e", basis, basis), network.degrees
    keep = np.ones(network.n_edges, dtype=bool)
    for count in range(network.n_edges, left, -1):
        spare = keep & (degrees[network.edges] > dim + 1).all(axis=1)
        good = np.flatnonzero(spare & (redundancy >= (count - isostatic) / count))
        if not len(good):
            good = np.flatnonzero(spare & (redundancy > 1e-3 * (count - isostatic) / count))
        if not len(good):
            raise NetworkError(
                f"coordination {coordination} cannot be reached: at {2 * count / network.n_nodes:.4g} each bond left "
                f"is needed for rigidity or by a node with {dim + 1} bonds; ask for more, or try another seed"
            )
        e = rng.choice(good)
        direction = basis[e] / np.linalg.norm(basis[e])
        overlap = basis @ direction
        basis -= np.outer(overlap, direction)  # what is left is the space of self-stresses without bond e
        redundancy -= overlap**2
        degrees[network.edges[e]] -= 1
        keep[e] = False
    return network.keep_edges(keep)


def prune(network: Network, held: npt.ArrayLike) -> Network:
    """Remove the nodes that floppy modes move, until there are none; the groups are renumbered.

    To first order, at the reference positions: tension that would hold a node is not counted.

    Args:
        held: nodes that will be held, as indices or a mask. They stay, and without them all nodes would move.

    Raises:
        NetworkError: if nothing but held nodes would be left, or a bond has no length.
    """
    fixed = np.zeros(network.n_nodes, dtype=bool)
    fixed[np.asarray(held)] = True
    matrix, dim = csc_array(rigidity_matrix(network)), network.dimension
    kept = np.ones(network.n_nodes, dtype=bool)
    while True:
        free = np.flatnonzero(kept & ~fixed)
        if len(free) == 0:
            raise NetworkError(
                f"all nodes of {network} but the {int(fixed.sum())} held ones are floppy; hold others, or keep more "
                "bonds"
            )
        columns = (free[:, None] * dim + np.arange(dim)).ravel()
        modes, _ = zero_modes(csr_array(matrix[kept[network.edges].all(axis=1)][:, columns]))
        if len(modes) == 0:
            return network if kept.all() else network.keep_nodes(kept)
        kept[moving_nodes(modes, columns, network.positions.shape)] = False


def _left(network: Network, fraction: float | None, coordination: float | None) -> int:
    """Number of bonds to leave."""
    if (fraction is None) == (coordination is None):
        raise NetworkError("dilution takes either fraction or coordination; give exactly one of them")
    if fraction is not None:
        if not 0 <= fraction <= 1:
            raise NetworkError(f"fraction is {fraction}; expected the part of the bonds to remove, from 0 to 1")
        return network.n_edges - round(fraction * network.n_edges)
    left = round(positive("coordination", coordination) * network.n_nodes / 2)
    if left > network.n_edges:
        raise NetworkError(f"coordination is {coordination}, but the network has only {network.coordination:.4g}")
    return left


def _spanning(network: Network, order: np.ndarray) -> np.ndarray:
    """Edges of the spanning forest that prefers those late in the order, which are tried last."""
    n = network.n_nodes
    weights = np.empty(network.n_edges)
    weights[order] = np.arange(network.n_edges, 0, -1)
    low, high = np.sort(network.edges.astype(np.int64), axis=1).T
    best = np.lexsort((weights, low * n + high))  # of parallel edges, the first here is the lightest
    first = np.unique((low * n + high)[best], return_index=True)[1]
    chosen = best[first]
    tree = minimum_spanning_tree(coo_array((weights[chosen], (low[chosen], high[chosen])), shape=(n, n)))
    return order[network.n_edges - np.rint(tree.data).astype(np.int64)]
