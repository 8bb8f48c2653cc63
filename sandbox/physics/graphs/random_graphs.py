"""Random graphs: of a given number of edges, and of points joined to their neighbours."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from sandbox.errors import NetworkError
from sandbox.physics.graphs._checks import generator, positive, whole
from sandbox.physics.graphs.delaunay import simplex_edges
from sandbox.physics.groups import sides
from sandbox.physics.memory import require_network
from sandbox.physics.network import Network

DRAWN = 300
"""Larger random graphs get random positions: laying them out takes long, and the drawing could not be read."""


def random_graph(nodes: int, edges: int, seed: int = 0, dimension: int = 2) -> Network:
    """A connected random graph with exactly ``edges`` different edges: a uniformly random tree, and random edges more.

    The positions are for drawing and carry no physics: a force-directed layout (Fruchterman and Reingold, as in
    networkx) in the unit square or cube up to 300 nodes, uniformly random beyond.

    Args:
        nodes: number of nodes, 2 or more.
        edges: number of edges, from ``nodes - 1`` (a tree) to ``nodes * (nodes - 1) / 2`` (all).
        seed: of tree, edges and layout.
        dimension: of the positions: 1, 2 or 3.

    Raises:
        NetworkError: if an argument is out of range.
    """
    import networkx as nx

    n, dim = whole("nodes", nodes, 2, 1_000_000), whole("dimension", dimension, 1, 3)
    pairs = n * (n - 1) // 2
    count = whole(f"edges (a connected graph of {n} nodes)", edges, n - 1, min(pairs, 100_000_000))
    require_network(n, count)
    rng = generator(seed)
    tree = nx.from_prufer_sequence(rng.integers(n, size=n - 2).tolist())  # any sequence is a tree, each once
    i, j = np.sort(np.array(tree.edges()).reshape(-1, 2), axis=1).T
    codes = j * (j - 1) // 2 + i  # pairs i < j in order of j
    drawn = rng.choice(pairs, size=count, replace=False)  # enough, as at most n - 1 of them are in the tree
    extra = drawn[~np.isin(drawn, codes)][: count - (n - 1)]
    high, low = _pair(np.sort(np.concatenate([codes, extra])))
    links = np.stack([low, high], axis=1)
    if n > DRAWN:
        return Network(rng.uniform(size=(n, dim)), links)
    graph = nx.empty_graph(n)
    graph.add_edges_from(links.tolist())
    layout = nx.spring_layout(graph, dim=dim, seed=int(rng.integers(2**31)))
    positions = np.array([layout[node] for node in range(n)])
    return Network((positions + 1) / 2, links)


def random_geometric(nodes: int, coordination: float, seed: int = 0, dimension: int = 2) -> Network:
    """Random points joined to near neighbours: the shortest edges that give a connected graph of this coordination.

    The points are uniform in the unit square or cube. Their shortest spanning tree is joined first, which connects
    them, then the closest pairs, until there are ``round(coordination * nodes / 2)`` edges.

    Args:
        nodes: number of nodes, more than ``dimension + 1``.
        coordination: mean number of edges per node, z = 2E/N, at least 2 (nodes - 1) / nodes.
        seed: of the points.
        dimension: 2 or 3.

    Returns:
        A network with the groups left, right, bottom, top (back, front).

    Raises:
        NetworkError: if an argument is out of range.
    """
    from scipy.spatial import Delaunay, KDTree

    dim = whole("dimension", dimension, 2, 3)
    n = whole("nodes", nodes, dim + 2, 1_000_000)
    count = round(min(positive("coordination", coordination), n) * n / 2)
    if not n - 1 <= count <= n * (n - 1) // 2:
        raise NetworkError(
            f"coordination is {coordination}; {n} connected nodes have from {2 * (n - 1) / n:.4g} to {n - 1}"
        )
    require_network(n, count)
    points = generator(seed).uniform(size=(n, dim))
    near = simplex_edges(Delaunay(points).simplices, n)  # they hold the shortest spanning tree
    lengths = np.linalg.norm(points[near[:, 0]] - points[near[:, 1]], axis=1)
    tree = minimum_spanning_tree(coo_array((lengths, (near[:, 0], near[:, 1])), shape=(n, n))).tocoo()
    links = np.stack([tree.row, tree.col], axis=1).astype(np.int64)
    kd, radius = KDTree(points), (count / n**2) ** (1 / dim)
    pairs = kd.query_pairs(radius, output_type="ndarray")
    while len(pairs) < count:
        radius *= 1.2
        pairs = kd.query_pairs(radius, output_type="ndarray")
    pairs = pairs[np.argsort(np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1), kind="stable")]
    extra = pairs[~np.isin(pairs @ [n, 1], links @ [n, 1])][: count - (n - 1)]
    links = np.concatenate([links, extra])
    network = Network(points, links[np.lexsort((links[:, 1], links[:, 0]))])
    return network.with_groups(**sides(network))


def _pair(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pair ``(j, i)``, ``i < j``, of each number ``j (j - 1) / 2 + i``; exact in float64 up to j = 3e7."""
    j = ((1 + np.sqrt(1 + 8 * codes.astype(np.float64))) / 2).astype(np.int64)
    return j, codes - j * (j - 1) // 2
