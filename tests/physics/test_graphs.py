"""Lattices, triangulations, random graphs and dilution."""

from __future__ import annotations

from math import sqrt

import networkx as nx
import numpy as np
import pytest
from scipy.spatial import KDTree

from sandbox.errors import NetworkError
from sandbox.physics.graphs import (
    cubic,
    delaunay,
    dilute,
    fcc,
    honeycomb,
    jittered_grid,
    kagome,
    random_geometric,
    random_graph,
    square,
    triangular,
)
from sandbox.physics.graphs.random_graphs import _pair
from sandbox.physics.network import Network

# name: generator, shape, neighbours of each node, nodes per unit of area or volume (textbook values)
LATTICES = {
    "square": (square, (4, 3), 4, 1.0),
    "triangular": (triangular, (4, 3), 6, 2 / sqrt(3)),
    "kagome": (kagome, (3, 2), 4, sqrt(3) / 2),
    "honeycomb": (honeycomb, (3, 2), 3, 4 / (3 * sqrt(3))),
    "cubic": (cubic, (3, 4, 5), 6, 1.0),
    "fcc": (fcc, (2, 3, 2), 12, sqrt(2)),
}
ROUNDING = 1e-12


def is_connected(network: Network) -> bool:
    return bool((network.components() == 0).all())


def same(a: Network, b: Network) -> bool:
    return np.array_equal(a.positions, b.positions) and np.array_equal(a.edges, b.edges)


@pytest.mark.parametrize("name", LATTICES)
def test_periodic_lattice_has_the_textbook_coordination_and_density(name):
    build, shape, z, density = LATTICES[name]
    network = build(shape, spacing=0.7, periodic=True)
    assert (network.degrees == z).all()
    np.testing.assert_allclose(network.lengths(), 0.7, rtol=ROUNDING)
    volume = abs(np.linalg.det(network.cell))
    assert network.n_nodes / volume * 0.7**network.dimension == pytest.approx(density, rel=ROUNDING)
    assert is_connected(network)


@pytest.mark.parametrize("name", LATTICES)
def test_periodic_lattice_is_itself_after_a_translation_by_one_cell(name):
    build, shape, _, _ = LATTICES[name]
    network = build(shape, periodic=True)
    box = np.diag(network.cell)
    for axis, count in enumerate(shape):
        moved = network.positions.copy()
        moved[:, axis] += box[axis] / count
        distance, goal = KDTree(network.positions % box, boxsize=box * (1 + 1e-15)).query(moved % box % box)
        assert distance.max() < 1e-9
        assert _bonds(network, goal) == _bonds(network, np.arange(network.n_nodes))


def _bonds(network: Network, number: np.ndarray) -> list[tuple]:
    """Every bond as seen from both ends, with its vector: the network up to the order of edges."""
    i, j = number[network.edges].T
    vectors = np.round(network.bond_vectors(), 6) + 0.0
    rows = np.concatenate([np.column_stack([i, j, vectors]), np.column_stack([j, i, 0.0 - vectors])])
    return sorted(map(tuple, rows.tolist()))


@pytest.mark.parametrize("name", LATTICES)
def test_free_lattice_has_all_bonds_of_unit_length_and_no_others(name):
    build, shape, z, _ = LATTICES[name]
    network = build(shape)
    near = KDTree(network.positions).query_pairs(1.001, output_type="ndarray")
    assert {tuple(sorted(e)) for e in network.edges.tolist()} == {tuple(sorted(e)) for e in near.tolist()}
    assert network.n_edges == len(near)
    assert network.degrees.max() == z
    assert network.cell is None
    assert is_connected(network)


@pytest.mark.parametrize(
    ("network", "nodes", "edges"),
    [
        (square((5, 4)), 20, 5 * 3 + 4 * 4),
        (square((5, 4), diagonals=True), 20, 5 * 3 + 4 * 4 + 2 * 4 * 3),
        (square((6, 6), diagonals=True, periodic=True), 36, 4 * 36),
        (cubic((3, 4, 5)), 60, 2 * 20 + 3 * 15 + 4 * 12),
        (honeycomb((5, 3)), 58, 77),
        (kagome((5, 3)), 89, 158),
        (fcc((1, 1, 1)), 4, 6),
    ],
)
def test_lattice_counts(network, nodes, edges):
    assert (network.n_nodes, network.n_edges) == (nodes, edges)
    assert network.degrees.min() >= 2


def test_both_rows_of_a_staggered_edge_are_its_side():
    network = triangular((4, 3), spacing=2.0)
    left = network.nodes("left")
    assert len(left) == 6
    assert set(np.round(network.positions[left, 0], 9)) == {0.0, 1.0}
    assert len(network.nodes("bottom")) == len(network.nodes("top")) == 4


def test_sides_of_a_cube():
    network = cubic((3, 4, 5))
    assert [len(network.nodes(s)) for s in ("left", "right", "bottom", "top", "back", "front")] == [
        20,
        20,
        15,
        15,
        12,
        12,
    ]
    assert (network.positions[network.nodes("front"), 2] == 4).all()
    assert not cubic((3, 3, 3), periodic=True).groups


@pytest.mark.parametrize(
    ("build", "shape", "least"),
    [
        (square, (1, 5), "(2, 2)"),
        (triangular, (1, 3), "(2, 1)"),
        (cubic, (4, 4, 1), "(2, 2, 2)"),
    ],
)
def test_too_small_periodic_lattice_names_the_smallest(build, shape, least):
    with pytest.raises(NetworkError, match="joins nodes to themselves") as caught:
        build(shape, periodic=True)
    assert least in str(caught.value)
    smallest = tuple(int(n) for n in least.strip("()").split(","))
    assert (build(smallest, periodic=True).degrees == build((6,) * len(shape), periodic=True).degrees[0]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: square((3, 3, 3)), "expected 2 numbers"),
        (lambda: square(3), "expected 2 numbers"),
        (lambda: square((3, 0)), r"shape\[1\] is 0"),
        (lambda: square((3, 2.5)), r"shape\[1\] is 2.5"),
        (lambda: square((10**6, 10**6)), "1,000,000,000,000 nodes .* of memory"),
        (lambda: square((3, 3), spacing=-1.0), "spacing is -1.0"),
        (lambda: delaunay([[0, 0], [1, 1], [2, 2]]), "not all in one line"),
        (lambda: delaunay([[0, 0], [1, 0]]), "at least 3"),
        (lambda: delaunay([[0, 0], [1, 0], [0, 1], [1, 0]]), "too close"),
        (lambda: delaunay([[0], [1], [2]]), "shape"),
        (lambda: delaunay([[0, 0], [1, 0], [0, np.nan]]), "not finite"),
        (lambda: jittered_grid(1), "side is 1"),
        (lambda: jittered_grid(4, jitter=0.5), "jitter is 0.5"),
        (lambda: jittered_grid(4, seed=-1), "seed is -1"),
        (lambda: random_graph(10, 8), "edges .* is 8"),
        (lambda: random_graph(10, 46), "edges .* is 46"),
        (lambda: random_graph(10, 20, dimension=4), "dimension is 4"),
        (lambda: random_geometric(20, 1.0), "from 1.9"),
        (lambda: random_geometric(20, 30.0), "to 19"),
        (lambda: dilute(square((3, 3))), "exactly one"),
        (lambda: dilute(square((3, 3)), fraction=0.1, coordination=2.0), "exactly one"),
        (lambda: dilute(square((3, 3)), fraction=1.5), "fraction is 1.5"),
        (lambda: dilute(square((3, 3)), coordination=5.0), "only 2.667"),
        (lambda: dilute(square((3, 3)), fraction=0.5), "at most 4 can go"),
    ],
)
def test_errors_say_what_was_wrong(call, message):
    with pytest.raises(NetworkError, match=message):
        call()


@pytest.mark.parametrize(("side", "jitter"), [(2, 0.3), (8, 0.3), (30, 0.3), (30, 0.45)])
def test_jittered_grid_fills_the_square_and_moves_no_more_than_asked(side, jitter):
    network = jittered_grid(side, jitter, seed=5)
    n = side**2
    assert network.n_edges == 3 * n - 3 - 4 * (side - 1)  # Euler, with every node of the sides on the hull
    assert network.positions.min() == 0
    assert network.positions.max() == 1
    rows = np.stack(np.divmod(np.arange(n), side), axis=1)
    moves = network.positions * (side - 1) - rows
    assert np.abs(moves).max() <= jitter + ROUNDING
    assert side == 2 or np.abs(moves).max() > 0.5 * jitter
    assert network.nodes("left").tolist() == list(range(side))
    assert network.nodes("top").tolist() == list(range(side - 1, n, side))
    assert is_connected(network)


def test_delaunay_triangles_have_no_node_inside_their_circle():
    points = np.random.default_rng(1).uniform(size=(40, 2))
    network = delaunay(points)
    graph = nx.Graph(network.edges.tolist())
    found = 0
    for a, b in network.edges.tolist():
        for c in set(graph[a]) & set(graph[b]):
            A = 2 * (points[[b, c]] - points[a])
            centre = np.linalg.solve(A, np.square(points[[b, c]]).sum(axis=1) - np.square(points[a]).sum())
            radius = np.linalg.norm(points[a] - centre)
            inside = np.linalg.norm(points - centre, axis=1) < radius - 1e-9
            found += not inside.any()
    triangles = network.n_edges - network.n_nodes + 1  # Euler
    assert found == 3 * triangles
    assert np.array_equal(network.positions, points)
    points[0] = 7.0  # the caller's array stays writable, and the network does not see the change
    assert network.positions[0, 0] < 1


def test_delaunay_in_3d_satisfies_euler():
    network = delaunay(np.random.default_rng(2).normal(size=(60, 3)))
    assert {"left", "right", "bottom", "top", "back", "front"} == set(network.groups)
    assert network.degrees.min() >= 3
    assert len(np.unique(network.edges, axis=0)) == network.n_edges


@pytest.mark.parametrize(("nodes", "edges"), [(2, 1), (20, 19), (20, 57), (12, 66), (400, 1200)])
def test_random_graph_is_connected_with_exactly_these_different_edges(nodes, edges):
    network = random_graph(nodes, edges, seed=3)
    assert network.n_nodes == nodes
    assert len({tuple(sorted(e)) for e in network.edges.tolist()}) == network.n_edges == edges
    assert is_connected(network)
    assert network.positions.min() >= 0
    assert network.positions.max() <= 1


def test_random_trees_are_equally_likely():
    middles = [int(np.argmax(random_graph(3, 2, seed=seed).degrees)) for seed in range(300)]
    counts = np.bincount(middles, minlength=3)
    assert (np.abs(counts - 100) < 5 * sqrt(300 * 2 / 9)).all()  # five standard deviations


def test_pairs_are_decoded_exactly_at_both_ends_of_a_row():
    j = np.array([1, 2, 3, 999_999, 30_000_000])
    codes = np.concatenate([j * (j - 1) // 2, j * (j + 1) // 2 - 1])
    high, low = _pair(codes)
    assert np.array_equal(high, np.concatenate([j, j]))
    assert np.array_equal(low, np.concatenate([0 * j, j - 1]))


@pytest.mark.parametrize("dimension", [2, 3])
def test_random_geometric_joins_the_closest_pairs(dimension):
    network = random_geometric(150, 5.0, seed=1, dimension=dimension)
    assert network.n_edges == 375
    assert is_connected(network)
    reach = np.sort(network.lengths())[network.n_edges - 150]  # at least E - (N - 1) edges are not the tree's
    pairs = KDTree(network.positions).query_pairs(reach, output_type="ndarray")
    have = {tuple(sorted(e)) for e in network.edges.tolist()}
    shortest = [tuple(sorted(p)) for p in pairs.tolist()]
    assert sum(pair in have for pair in shortest) >= 0.99 * len(shortest)
    assert len(have) == network.n_edges


def test_random_geometric_at_the_least_coordination_is_the_shortest_spanning_tree():
    network = random_geometric(50, 2 * 49 / 50, seed=4)
    full = nx.Graph()
    x = network.positions
    full.add_weighted_edges_from((i, j, float(np.linalg.norm(x[i] - x[j]))) for i in range(50) for j in range(i))
    tree = nx.minimum_spanning_tree(full)
    assert network.lengths().sum() == pytest.approx(tree.size(weight="weight"), rel=1e-12)


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: jittered_grid(6, seed=seed),
        lambda seed: random_graph(30, 50, seed=seed),
        lambda seed: random_graph(400, 700, seed=seed),
        lambda seed: random_geometric(40, 4.0, seed=seed),
        lambda seed: dilute(triangular((5, 5)), fraction=0.3, seed=seed),
    ],
)
def test_the_seed_decides(build):
    assert same(build(1), build(1))
    assert not same(build(1), build(2))


def test_dilution_reaches_the_coordination_and_keeps_the_network_connected():
    lattice = triangular((10, 5))
    network = dilute(lattice, coordination=2.5, seed=1)
    assert network.n_edges == round(2.5 * lattice.n_nodes / 2)
    assert is_connected(network)
    assert set(network.groups) == set(lattice.groups)
    loose = dilute(lattice, coordination=2.5, seed=1, keep_connected=False)
    assert loose.n_edges == network.n_edges
    assert not is_connected(loose)
    tree = dilute(lattice, coordination=2 * (lattice.n_nodes - 1) / lattice.n_nodes)
    assert tree.n_edges == lattice.n_nodes - 1
    assert is_connected(tree)


@pytest.mark.parametrize("lattice", [square((5, 5)), square((2, 3), periodic=True)], ids=["free", "parallel edges"])
@pytest.mark.parametrize("part", [0.2, 0.35])
def test_dilution_is_removing_bonds_in_random_order_unless_they_connect(lattice, part):
    diluted = dilute(lattice, fraction=part, seed=9)
    goal = round(part * lattice.n_edges)
    keep = np.ones(lattice.n_edges, dtype=bool)
    for e in np.random.default_rng([9]).permutation(lattice.n_edges):
        if np.count_nonzero(~keep) == goal:
            break
        keep[e] = False
        keep[e] = not is_connected(lattice.keep_edges(keep))
    expected = lattice.keep_edges(keep)
    assert np.array_equal(diluted.edges, expected.edges)
    assert np.array_equal(diluted.shifts, expected.shifts)


def test_dilution_leaves_parts_as_they_are_when_the_network_has_several():
    two = Network(np.random.default_rng(0).uniform(size=(6, 2)), [[0, 1], [1, 2], [2, 0], [3, 4], [4, 5], [5, 3]])
    assert dilute(two, fraction=1 / 3).components().max() == 1
    with pytest.raises(NetworkError, match="at most 2"):
        dilute(two, fraction=1 / 2)
