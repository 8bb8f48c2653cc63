"""Jammed packings, rigidity, and dilution that keeps it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.linalg import svdvals

from sandbox.errors import NetworkError
from sandbox.physics.graphs import (
    cubic,
    dilute_rigidly,
    floppy_modes,
    is_rigid,
    packing,
    random_geometric,
    rigid_motions,
    rigidity_matrix,
    self_stresses,
    square,
    triangular,
)
from sandbox.physics.graphs.jamming import FORCE_TOLERANCE, RATIO, Spheres, core, jammed
from sandbox.physics.graphs.packings import _cut
from sandbox.physics.network import Network

KINDS = [(2, "free"), (2, "periodic"), (3, "free"), (3, "periodic")]


def zero_modes_by_svd(network: Network) -> int:
    """From the singular values of R, independently of the code under test."""
    x, dim = network.positions, network.dimension
    rows = np.zeros((network.n_edges, network.n_nodes, dim))
    for e, (i, j) in enumerate(network.edges.tolist()):
        b = x[j] - x[i] + network.shifts[e]
        rows[e, i], rows[e, j] = -b / np.linalg.norm(b), b / np.linalg.norm(b)
    return network.n_nodes * dim - int(np.count_nonzero(svdvals(rows.reshape(network.n_edges, -1)) > 1e-5))


def packing_of_exactly(nodes: int, coordination: float) -> Network:
    """From the first seed that gives no more nodes than asked; which one that is depends on the machine's rounding."""
    for seed in range(40):
        network = packing(nodes, coordination, seed=seed)
        if network.n_nodes == nodes:
            return network
    raise AssertionError(f"no seed gave {nodes} nodes")


@pytest.mark.parametrize("z", [0.0, 0.5])
@pytest.mark.parametrize(("dimension", "boundary"), KINDS)
def test_packing_is_what_it_says(dimension, boundary, z):
    asked = 2 * dimension + z
    network = packing(40, asked, seed=1, dimension=dimension, boundary=boundary)
    assert 40 <= network.n_nodes <= 50
    assert network.n_edges == round(asked * network.n_nodes / 2)
    assert network.degrees.min() >= dimension + 1
    motions = dimension if boundary == "periodic" else dimension * (dimension + 1) // 2
    assert zero_modes_by_svd(network) == motions
    assert network.lengths().mean() == pytest.approx(1, rel=1e-12)
    assert 0.4 < network.lengths().min() <= network.lengths().max() < 1.6  # contacts of spheres 1 : 1.4
    assert len(np.unique(np.sort(network.edges, axis=1), axis=0)) == network.n_edges
    if boundary == "free":
        assert network.cell is None
        assert not network.shifts.any()
        np.testing.assert_allclose(network.positions.mean(axis=0), 0, atol=1e-12)
    else:
        wraps = network.shifts @ np.linalg.inv(network.cell)
        np.testing.assert_allclose(wraps, np.rint(wraps), atol=1e-9)
        assert network.shifts.any()


@pytest.mark.parametrize("seed", range(5))
def test_standard_allostery_network(seed):
    start = time.perf_counter()
    network = packing(64, seed=seed)
    assert time.perf_counter() - start < 2
    assert network.n_nodes >= 64
    assert floppy_modes(network) == 0
    ring, inner = network.nodes("boundary"), np.setdiff1d(np.arange(network.n_nodes), network.nodes("boundary"))
    radius = np.linalg.norm(network.positions, axis=1)
    assert 15 <= len(ring) <= 40
    assert np.median(radius[ring]) > radius[inner].max() * 0.9
    assert radius.argmax() in ring


def test_the_seed_decides():
    a, b, other = packing(30, seed=1), packing(30, seed=1), packing(30, seed=2)
    assert np.array_equal(a.positions, b.positions)
    assert np.array_equal(a.edges, b.edges)
    assert not np.array_equal(a.positions[:30], other.positions[:30])


def test_at_the_least_coordination_every_bond_is_needed():
    network = packing_of_exactly(20, 4 - 6 / 20)
    assert network.n_edges == 2 * 20 - 3
    assert is_rigid(network)
    assert not any(is_rigid(network.keep_edges(np.arange(37) != e)) for e in range(37))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 4}, "nodes of a free 2D packing is 4"),
        ({"dimension": 1}, "dimension is 1"),
        ({"boundary": "open"}, "boundary is 'open'"),
        ({"nodes": 64, "coordination": 3.5}, "at least 3.906"),
        ({"nodes": 64, "coordination": 3.5, "boundary": "periodic"}, "at least 3.9375"),
        ({"nodes": 64, "coordination": float("nan")}, "coordination is nan"),
        ({"nodes": 8, "coordination": 5.5}, "highest coordination met was [34]"),
        ({"seed": 1.5}, "seed is 1.5"),
    ],
)
def test_errors_say_what_was_wrong(arguments, message):
    with pytest.raises(NetworkError, match=message):
        packing(**arguments)


@pytest.mark.parametrize(("dimension", "fraction"), [(2, 0.9), (3, 0.75)])
def test_relaxed_spheres_balance_and_carry_no_rattlers(dimension, fraction):
    spheres = Spheres.random(60, dimension, fraction, np.random.default_rng(0))
    assert sorted(set(spheres.radii)) == [0.5, 0.7]
    volume = {2: np.pi, 3: 4 * np.pi / 3}[dimension] * (spheres.radii**dimension).sum()
    assert volume / spheres.box**dimension == pytest.approx(fraction)
    assert spheres.relax()
    network = spheres.contacts()
    r = spheres.positions[None] - spheres.positions[:, None]  # all pairs, nearest images
    r -= spheres.box * np.rint(r / spheres.box)
    distance = np.linalg.norm(r, axis=-1) + 10 * np.eye(60)
    overlap = np.maximum(spheres.radii[:, None] + spheres.radii - distance, 0)
    force = -(overlap / distance)[..., None] * r
    assert np.linalg.norm(force.sum(axis=1), axis=1).max() < 2 * FORCE_TOLERANCE * overlap[overlap > 0].mean()
    contacts = np.count_nonzero(overlap > 0, axis=1)
    assert network.n_nodes == np.count_nonzero(contacts > dimension)
    assert network.n_edges == np.count_nonzero(overlap[np.ix_(contacts > dimension, contacts > dimension)]) // 2
    assert network.degrees.min() > dimension
    assert is_rigid(network)


def test_unjammed_spheres_have_no_network():
    spheres = Spheres.random(40, 2, 0.5, np.random.default_rng(0))
    assert spheres.relax()
    assert spheres.contacts() is None


def test_a_cut_of_nearly_the_whole_box_has_no_bonds_through_its_walls():
    contacts = next(jammed(60, 2, 5.0, np.random.default_rng(0)))
    cuts = [cut for nodes in range(8, 60) if (cut := _cut(contacts, nodes)) is not None]
    assert cuts[-1].n_nodes >= 30
    assert max(cut.lengths().max() for cut in cuts) < RATIO
    for cut in cuts[5:]:
        distance = np.linalg.norm(cut.positions - contacts.cell[0, 0] / 2, axis=1)
        assert distance.max() < contacts.cell[0, 0] / 2
        assert cut.degrees.min() >= 3


def test_core_drops_nodes_until_all_are_held():
    edges = np.array([[0, 1], [1, 2], [2, 0], [2, 3], [3, 4]])  # a triangle with a tail
    assert core(edges, np.ones(5, dtype=bool), 2).tolist() == [True, True, True, False, False]
    assert not core(edges, np.array([True, True, False, True, True]), 2).any()


# Zero modes known on paper


@pytest.mark.parametrize(
    ("network", "floppy"),
    [
        (square((4, 4)), 2 * 4 - 3),  # no states of self-stress: 2 N - E - 3
        (square((4, 6), periodic=True), 4 + 6 - 2),  # every row and every column slides
        (square((4, 6), diagonals=True), 0),
        (triangular((4, 3)), 0),
        (triangular((3, 3), periodic=True), 0),
        (cubic((3, 3, 3), periodic=True), 3 * 9 - 3),
        (square((5, 1)), 3),  # a straight chain: 5 sideways motions, less a translation and the rotation
    ],
)
def test_floppy_modes_known_on_paper(network, floppy):
    assert floppy_modes(network) == floppy
    assert is_rigid(network) == (floppy == 0)


def _line(dimension: int) -> Network:
    positions = np.outer(np.arange(4.0), np.arange(1.0, dimension + 1))
    return Network(positions, [[0, 1], [1, 2], [2, 3]])


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (square((3, 3)), 3),
        (square((3, 3), periodic=True), 2),
        (cubic((2, 2, 2)), 6),
        (cubic((2, 2, 2), periodic=True), 3),
        (Network(cubic((2, 2, 2)).positions, [[0, 1]], cell=np.diag([0.0, 0.0, 2.0])), 4),  # turns about z
        (_line(1), 1),
        (_line(2), 3),
        (_line(3), 5),  # a line does not turn about itself
    ],
)
def test_rigid_motions(network, count):
    motions = rigid_motions(network)
    assert motions.shape == (count, network.n_nodes * network.dimension)
    np.testing.assert_allclose(motions @ motions.T, np.eye(count), atol=1e-12)
    np.testing.assert_allclose(rigidity_matrix(network) @ motions.T, 0, atol=1e-12)


def test_rigidity_matrix_is_the_derivative_of_the_lengths():
    network, rng, h = packing(20, 4.2, seed=3, boundary="periodic"), np.random.default_rng(0), 1e-6
    u = rng.normal(size=network.positions.shape)
    slope = (network.lengths(network.positions + h * u) - network.lengths(network.positions - h * u)) / (2 * h)
    np.testing.assert_allclose(rigidity_matrix(network) @ u.ravel(), slope, atol=1e-8)


def test_coinciding_nodes_are_an_error():
    with pytest.raises(NetworkError, match="which coincide"):
        rigidity_matrix(Network([[0.0, 0.0], [0.0, 0.0]], [[0, 1]]))


def test_self_stresses_balance_and_tell_which_bonds_are_needed():
    network = packing_of_exactly(30, 4.1)
    far = [[20.0, 0.0], [20.0, 1.0]]  # two more nodes, held by as few bonds as can be
    network = Network(
        np.concatenate([network.positions, far]),
        np.concatenate([[[30, 31], [0, 30], [1, 31], [2, 30]], network.edges]),
    )
    basis = self_stresses(network, np.random.default_rng(0))
    assert basis.shape[1] == network.n_edges - (2 * network.n_nodes - 3)  # Maxwell and Calladine
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-10)
    np.testing.assert_allclose(rigidity_matrix(network).T @ basis, 0, atol=1e-9)
    needed = np.square(basis).sum(axis=1) < 1e-8
    assert needed[:4].all()
    assert not needed.all()
    for e in range(network.n_edges):
        assert is_rigid(network.keep_edges(np.arange(network.n_edges) != e)) != needed[e]


def test_self_stresses_need_a_rigid_network():
    with pytest.raises(NetworkError, match="floppy modes"):
        self_stresses(square((4, 4)), np.random.default_rng(0))


@pytest.mark.parametrize("coordination", [3.875, 4.0, 4.5])  # the first is isostatic
def test_rigid_dilution_keeps_rigidity_to_the_last_bond(coordination):
    lattice = triangular((6, 4))
    network = dilute_rigidly(lattice, coordination=coordination, seed=2)
    assert network.n_edges == round(coordination * lattice.n_nodes / 2)
    assert zero_modes_by_svd(network) == 3
    lost = (network.degrees < lattice.degrees) & (network.degrees < 3)
    assert not lost.any()
    kept = {tuple(e) for e in lattice.edges.tolist()}
    assert all(tuple(e) in kept for e in network.edges.tolist())
    again = dilute_rigidly(lattice, coordination=coordination, seed=2)
    assert np.array_equal(again.edges, network.edges)


def test_rigid_dilution_errors():
    with pytest.raises(NetworkError, match=r"at least 3.875"):
        dilute_rigidly(triangular((6, 4)), coordination=3.5)
    with pytest.raises(NetworkError, match="floppy modes"):
        dilute_rigidly(random_geometric(30, 4.5), coordination=4.2)


def test_a_large_network_is_checked_by_sparse_algebra_too():
    rigid = triangular((12, 8))
    assert is_rigid(rigid)
    middle = int(np.argmin(np.linalg.norm(rigid.positions - rigid.positions.mean(axis=0), axis=1)))
    touching = np.flatnonzero((rigid.edges == middle).any(axis=1))
    assert not is_rigid(rigid.keep_edges(np.setdiff1d(np.arange(rigid.n_edges), touching[:5])))  # held by one bond
    assert floppy_modes(rigid.keep_edges(np.setdiff1d(np.arange(rigid.n_edges), touching[:5]))) == 1
