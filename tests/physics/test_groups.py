"""Choosing nodes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sandbox.errors import NetworkError
from sandbox.physics.graphs import cubic, delaunay, jittered_grid, packing, square, triangular
from sandbox.physics.groups import boundary_pairs, farthest_pair, inside_ball, inside_box, side, sides
from sandbox.physics.network import Network


def test_sides_of_a_square_lattice():
    network = square((4, 3), spacing=0.1)
    x, y = network.positions.T
    assert np.array_equal(side(network, "left"), np.flatnonzero(x == 0))
    assert np.array_equal(side(network, "right"), np.flatnonzero(x > 0.25))
    assert np.array_equal(side(network, "bottom"), np.flatnonzero(y == 0))
    assert np.array_equal(side(network, "top", tolerance=0.1), np.flatnonzero(y > 0.05))
    assert list(sides(network)) == ["left", "right", "bottom", "top"]


def test_front_and_back_are_along_z():
    network = cubic((2, 3, 4))
    assert (network.positions[side(network, "back"), 2] == 0).all()
    assert (network.positions[side(network, "front"), 2] == 3).all()
    assert len(side(network, "front")) == 6


def test_sides_need_no_bonds():
    assert side(Network([[0.0], [1.0], [1.0]], []), "right").tolist() == [1, 2]


def test_inside_ball_and_box_include_their_edge():
    network = square((5, 5))
    ball = inside_ball(network, (2, 2), 1.0)
    assert sorted(map(tuple, network.positions[ball].tolist())) == [(1, 2), (2, 1), (2, 2), (2, 3), (3, 2)]
    box = inside_box(network, (1, 0), (2, 1.5))
    assert sorted(map(tuple, network.positions[box].tolist())) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert len(inside_ball(network, (9, 9), 1.0)) == 0
    assert len(inside_ball(cubic((3, 3, 3)), (1, 1, 1), 1.1)) == 7


@pytest.mark.parametrize("side_of_grid", [6, 40])  # the larger goes by the convex hull
def test_farthest_pair(side_of_grid):
    network = jittered_grid(side_of_grid, seed=3)
    a, b = farthest_pair(network)
    x = network.positions
    assert np.linalg.norm(x[a] - x[b]) == cdist(x, x).max()
    some = np.arange(0, network.n_nodes, 3)
    a, b = farthest_pair(network, some)
    assert {a, b} <= set(some.tolist())
    assert np.linalg.norm(x[a] - x[b]) == cdist(x[some], x[some]).max()


def test_farthest_pair_of_many_nodes_in_a_line():
    network = Network(np.outer(np.arange(600.0), [1.0, 2.0]), [])
    assert farthest_pair(network) == (0, 599)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_boundary_pairs(dimension, seed):
    network = packing(40, seed=3, dimension=dimension)
    (a, b), (c, d) = boundary_pairs(network, seed)
    assert len({a, b, c, d}) == 4
    assert {a, b, c, d} <= set(network.nodes("boundary").tolist())
    assert (network.degrees[[a, b, c, d]] > dimension).all()
    joined = {frozenset(e) for e in network.edges.tolist()}
    assert not {frozenset((a, b)), frozenset((c, d))} & joined
    x = network.positions
    size = np.linalg.norm(np.subtract(*x[list(farthest_pair(network))]))
    assert np.linalg.norm(x[a] - x[b]) <= 2
    assert np.linalg.norm(x[c] - x[d]) <= 2
    assert np.linalg.norm(x[[a, b]].mean(axis=0) - x[[c, d]].mean(axis=0)) > size / 2
    assert boundary_pairs(network, seed) == ((a, b), (c, d))


def test_boundary_pairs_skip_a_node_where_all_neighbours_are_joined():
    x = np.array([[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3] + [[0.0, 0.0]])
    wheel = delaunay(x).with_groups(boundary=np.arange(6))
    (a, b), (c, d) = boundary_pairs(wheel, reach=1.9)
    assert len({a, b, c, d}) == 4
    assert np.linalg.norm(x[a] - x[b]) == pytest.approx(np.sqrt(3))  # past one node of the rim
    with pytest.raises(NetworkError, match=r"raise reach above 1\.5"):
        boundary_pairs(wheel, reach=1.5)


def test_boundary_pairs_differ_between_seeds():
    network = packing(64, seed=0)
    assert len({boundary_pairs(network, seed) for seed in range(8)}) > 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: side(n, "front"), "no side 'front'; sides: left, right, bottom, top"),
        (lambda n: side(n, "left", tolerance=-1), "tolerance is -1"),
        (lambda n: inside_ball(n, (0, 0, 0), 1.0), "center is .* expected 2"),
        (lambda n: inside_ball(n, (0, 0), -1.0), "radius is -1"),
        (lambda n: inside_ball(n, (0, 0), float("nan")), "radius is nan"),
        (lambda n: inside_box(n, (0, 0), (1, np.inf)), "upper is"),
        (lambda n: inside_box(n, (0, 2), (1, 1)), "swap"),
        (lambda n: farthest_pair(n, [3]), "at least two"),
        (lambda n: farthest_pair(n, [3, 3]), "at least two"),
        (lambda n: boundary_pairs(n), "no group 'boundary'"),
        (lambda n: boundary_pairs(n, group="left", reach=1.2), "too few pairs .*: 0, where two"),
        (lambda n: boundary_pairs(Network([[0.0], [1.0]], [[0, 1]], groups={"boundary": [0, 1]})), "1D"),
        (lambda n: boundary_pairs(Network(np.eye(2), [[0, 1]], groups={"boundary": [0, 1]})), "one line"),
    ],
)
def test_errors_say_what_was_wrong(call, message):
    with pytest.raises(NetworkError, match=message):
        call(triangular((4, 3)))
