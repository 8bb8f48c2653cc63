"""Faults that others reported of their programs, tried on this one: a test for each row of the page.

Right values are closed forms, SciPy's, or those of another program.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sandbox_tasks.encoding import MinMax
from scipy.optimize import brentq
from scipy.spatial.distance import pdist, squareform

import sandbox
from sandbox.errors import BoundaryError, NetworkError, RunError, SandboxError, SceneError
from sandbox.physics import graphs
from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics import Drive, simulate
from sandbox.physics.groups import farthest_pair
from sandbox.physics.laws import CONDUCTANCE, ONSITE, SPRING
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.material import Material
from sandbox.physics.modes import hessian, normal_modes
from sandbox.physics.network import Network
from sandbox.physics.relaxation import METHODS
from sandbox.sweeping.axes import axis
from sandbox.terminals import Terminals

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "outside_reports.md"

LATTICE = """
[network]
type = "triangular"
shape = [3, 2]
[system]
type = "spring_lattice"
{system}
[[clamp]]
nodes = "left"
{more}
"""


def scene(tmp_path: Path, system: str = "", more: str = "", end: str = "[relax]\n") -> Any:
    path = tmp_path / "scene.toml"
    path.write_text(LATTICE.format(system=system, more=more) + end, encoding="utf-8")
    return sandbox.load(path)


def springs(network: Network, rest: float | np.ndarray | None = None, **more: object) -> Material:
    lengths = network.lengths() if rest is None else rest
    return Material(network, SPRING, {"k": 1.0, "l": lengths}, **more)  # type: ignore[arg-type]


def two_nodes() -> Network:
    return Network(np.array([[0.0], [1.0]]), [[0, 1]])


def ring(nodes: int) -> Network:
    angle = 2 * np.pi * np.arange(nodes) / nodes
    return Network(np.c_[np.cos(angle), np.sin(angle)], [[i, (i + 1) % nodes] for i in range(nodes)])


# What was wrong here, or died.


def test_a_mask_is_not_a_list_of_the_nodes_one_and_zero() -> None:
    mask = np.array([True, False, True])
    for take in (Terminals.at, Terminals.pushing):
        with pytest.raises(BoundaryError, match="whole numbers"):
            take(mask)
        with pytest.raises(BoundaryError, match="whole numbers"):
            take([0.2, 1.7])
    with pytest.raises(BoundaryError, match="whole numbers"):
        Boundary.free(4, 2).pair_spring([[0.9, 1.9]], 1.0, 1.0)
    line = Network(np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]), [[0, 1], [1, 2]])
    assert farthest_pair(line, mask) == (0, 2)


def test_a_second_spring_on_a_node_does_not_take_off_the_first() -> None:
    boundary = Boundary.free(2, 1).clamp([0], 0.0).spring([1], 1.0, 1.0)
    with pytest.raises(BoundaryError, match="node 1 has a spring already"):
        boundary.spring([1], 4.0, 2.0)
    with pytest.raises(BoundaryError, match="named twice"):
        Boundary.free(2, 1).spring([1, 1], [1.0, 4.0], 1.0)
    material = Material(two_nodes(), CONDUCTANCE, {"k": 1.0})
    assert material.relax(boundary.spring([1], 4.0, 0.0)).state[0, 1, 0] == pytest.approx(1 / 2)
    # As the message says: springs of 1 to 1 and of 2 to 4 are one of 3 to 3, or one of them a node law.
    as_one = Boundary.free(2, 1).clamp([0], 0.0).spring([1], 3.0, 3.0)
    assert material.relax(as_one).state[0, 1, 0] == pytest.approx(9 / 4)
    in_law = {"k": [[0.0], [2.0]], "b": [[0.0], [8.0]]}
    held = Material(two_nodes(), CONDUCTANCE, {"k": 1.0}, node_law=ONSITE, node_parameters=in_law)
    assert held.relax(boundary).state[0, 1, 0] == pytest.approx(9 / 4)


@pytest.mark.parametrize("linearized", [False, True])
def test_a_pair_across_a_periodic_boundary_reads_the_short_way(linearized: bool) -> None:
    network = graphs.square((4, 4), periodic=True, diagonals=True)
    material = springs(network, linearized=linearized)
    gaps = np.abs(network.positions[:, None] - network.positions)
    nearest = np.linalg.norm(np.minimum(gaps, 4 - gaps), axis=-1)  # of a cubic box
    pairs = np.array([(i, j) for i in range(16) for j in range(16) if i != j])
    np.testing.assert_allclose(
        material.measure_pairs(network.positions[None], pairs)[0], nearest[tuple(pairs.T)], rtol=1e-14
    )
    # A spring on such a pair, in place of the edge that joins it, pulls as the edge does.
    edge = int(np.flatnonzero((network.shifts != 0).any(axis=1))[0])
    without = springs(network.keep_edges(np.arange(network.n_edges) != edge), linearized=linearized)
    loads = Boundary.free(16, 2).clamp([5], network.positions[[5]]).push([0, 10], [[0.05, 0.02], [-0.05, -0.02]])
    right = material.relax(loads)
    bridged = loads.pair_spring(network.edges[[edge]], network.lengths()[edge], 1.0)
    for method in ("fused", "newton", "fire"):
        found = without.relax(bridged, method=method)
        np.testing.assert_allclose(found.state, right.state, atol=1e-8)
    rest = network.positions[None] + 0.01 * np.sin(np.arange(32.0)).reshape(1, 16, 2)
    moved = [
        simulate(m, b, time_step=0.02, steps=50, start=rest).final.positions
        for m, b in ((material, loads), (without, bridged))
    ]
    np.testing.assert_allclose(moved[1], moved[0], atol=1e-12)


def test_a_pair_of_terminals_across_a_periodic_boundary_is_set_along_the_short_way() -> None:
    network = graphs.square((4, 4), periodic=True, diagonals=True)
    material, edge = springs(network), int(np.flatnonzero((network.shifts != 0).any(axis=1))[0])
    pair = Terminals.across([network.edges[edge]])
    driven = pair.drive(material, Boundary.free(16, 2), np.array([[1.2]]))
    state = material.relax(driven).state
    assert network.lengths(state[0])[edge] == pytest.approx(1.2)
    assert pair.read(material, state)[0, 0] == pytest.approx(1.2)
    step = 1e-6 * np.random.default_rng(0).normal(size=state.shape)
    cost = [0.5 * (pair.read(material, state + s * step)[0, 0] - 0.7) ** 2 for s in (1, -1)]
    slope = float((pair.cost_gradient(material, state, np.array([[0.7]])) * step).sum())
    assert slope == pytest.approx((cost[0] - cost[1]) / 2, rel=1e-6)


def test_the_nearest_image_in_a_skew_cell() -> None:
    rng = np.random.default_rng(0)
    cell = np.array([[3.0, 0.0, 0.0], [1.4, 2.0, 0.0], [-1.2, 0.9, 2.5]])
    network = Network(rng.uniform(-4, 9, size=(12, 3)), np.zeros((0, 2), dtype=int), cell=cell)
    pairs = np.array([(i, j) for i in range(12) for j in range(i)])
    steps = np.stack(np.meshgrid(*3 * [np.arange(-9.0, 10.0)], indexing="ij"), axis=-1).reshape(-1, 3) @ cell
    gaps = network.positions[pairs[:, 1]] - network.positions[pairs[:, 0]]
    right = np.array([np.linalg.norm(gap + steps, axis=1).min() for gap in gaps])
    np.testing.assert_allclose(np.linalg.norm(gaps + network.pair_shifts(pairs), axis=1), right, rtol=1e-12)


@pytest.mark.parametrize(
    ("system", "more"),
    [
        ("stiffness = true", ""),
        ("", "[[clamp]]\nnodes = [false, true, true]\n"),
        ("stiffness = { low = true, high = 2 }", ""),
        ("", "[[push]]\nnodes = [4]\nforce = [true, 0.0]\n"),
    ],
)
def test_true_is_not_one(tmp_path: Path, system: str, more: str) -> None:
    with pytest.raises(SceneError, match="true and false are no numbers"):
        scene(tmp_path, system, more)


@pytest.mark.parametrize(
    "spread", ['{ distribution = "lognormal", low = 10, high = 11 }', "{ median = 10 }", "{ sigma = 0.1 }"]
)
def test_a_key_that_would_have_no_effect_is_refused(tmp_path: Path, spread: str) -> None:
    with pytest.raises(SceneError, match=r"a \w+ distribution has no (low|median|sigma); it takes"):
        scene(tmp_path, f"stiffness = {spread}")
    resolved = scene(tmp_path, 'stiffness = { distribution = "lognormal", median = 2 }').setup.scene.resolved()
    assert resolved["system"]["stiffness"]["low"] == 0.5  # run folders, which hold all keys, can be read again


def test_a_comma_in_the_name_of_a_group_does_not_make_two_groups(tmp_path: Path) -> None:
    network = graphs.square((2, 2))
    for name in ("upper, left", " left", ""):
        with pytest.raises(NetworkError, match="rename it"):
            sandbox.export(network.with_groups(**{name: [0]}), tmp_path / "n.graphml")
    sandbox.export(network.with_groups(**{"upper; left": [0]}), tmp_path / "n.graphml")
    assert graphs.read_network(tmp_path / "n.graphml").groups["upper; left"].tolist() == [0]


@pytest.mark.parametrize("method", ["fused", "newton", "fire"])
def test_views_and_foreign_arrays_give_the_states_of_their_copies(method: str) -> None:
    network = graphs.triangular((4, 2))
    rng, n = np.random.default_rng(0), network.n_nodes
    loads = [[[0.1, 0.0]], [[0.2, 0.0]], [[0.3, 0.0]]]
    boundary = Boundary.free(n, 2, batch=3).clamp([0, 1], network.positions[[0, 1]]).push([n - 1], loads)
    start = network.positions + 0.01 * rng.normal(size=(3, n, 2))
    stiffness = np.linspace(1.0, 2.0, network.n_edges).astype(np.float32).astype(float)
    right = springs(network, 0.9).relax(boundary, stiffness, start=start, method=method).state
    frozen = start.copy()
    frozen.flags.writeable = False
    for k, where in (
        (np.repeat(stiffness, 2)[::2], start),
        (stiffness[::-1].copy()[::-1], np.asfortranarray(start)),
        (stiffness.astype(np.float32), np.repeat(start, 2, axis=1)[:, ::2]),
        (stiffness.astype(">f8"), frozen),
    ):
        np.testing.assert_array_equal(springs(network, 0.9).relax(boundary, k, start=where, method=method).state, right)
    for positions, edges in (
        (np.asfortranarray(network.positions), network.edges.astype(np.uint8)),
        (np.repeat(network.positions, 2, axis=0)[::2].astype(">f8"), np.asfortranarray(network.edges)),
        (network.positions.tolist(), network.edges[::-1][::-1].astype(">i8")),
    ):
        same = springs(Network(positions, edges), 0.9)
        np.testing.assert_array_equal(same.relax(boundary, stiffness, start=start, method=method).state, right)


def test_a_drive_faster_than_the_time_step_is_refused() -> None:
    material, held = springs(two_nodes()), Boundary.free(2, 1).clamp([0], 0.0)
    for frequency in (10.0, 5.0, -9.9):
        with pytest.raises(BoundaryError, match="less than two time steps"):
            simulate(material, held, time_step=0.1, steps=10, drive=Drive([0], 1.0, frequency))
    wall = simulate(material, held, time_step=0.1, steps=40, drive=Drive([0], 0.3, 2.0))
    right = 0.3 * np.sin(2 * np.pi * 2.0 * wall.times)
    np.testing.assert_allclose(wall.positions[:, 0, 0, 0], right, atol=1e-12)


def test_rigid_motions_have_the_frequency_zero() -> None:
    for network, motions in (
        (graphs.triangular((6, 3)), 3),
        (graphs.delaunay(np.random.default_rng(0).uniform(size=(30, 3))), 6),
        (graphs.triangular((4, 2), periodic=True), 2),
    ):
        free = Boundary.free(network.n_nodes, network.dimension)
        found = normal_modes(springs(network), free).frequencies
        assert (found[:motions] == 0).all()
        assert found[motions] > 0.01
    # What is softer than most by far, but not by rounding, is no rigid motion; and what grows is said to grow.
    weak = Material(Network(np.arange(3.0)[:, None], [[0, 1], [1, 2]]), CONDUCTANCE, {"k": [1.0, 1e-10]})
    found = normal_modes(weak, Boundary.free(3, 1)).frequencies
    assert found[1] == pytest.approx(np.sqrt(1.5e-10), rel=1e-4)
    pushed = normal_modes(springs(two_nodes()), Boundary.free(2, 1).spring([0, 1], [0.0, 1.0], -1e-3)).frequencies
    assert pushed[0] == pytest.approx(-np.sqrt(1e-3))


@pytest.mark.parametrize("table", ["push", "clamp"])
def test_a_node_named_twice_is_not_pushed_twice(tmp_path: Path, table: str) -> None:
    what = {"push": "force = [0.1, 0.0]", "clamp": ""}[table]
    with pytest.raises(SceneError, match=r"names node 4 2 times"):
        scene(tmp_path, more=f"[[{table}]]\nnodes = [3, 4, 4]\n{what}\n")
    strike = "[dynamics]\ntime_step = 0.05\nsteps = 5\n[[dynamics.strike]]\nnodes = [4, 4]\nvelocity = [0.5, 0.0]\n"
    with pytest.raises(SceneError, match=r"names node 4 2 times"):
        scene(tmp_path, end=strike)


def test_a_corner_that_two_clamps_hold_at_two_places_is_named(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"clamp\[1\]: component 0 of node \d+ is held at"):
        _ = scene(tmp_path, more='[[clamp]]\nnodes = "bottom"\ndisplacement = [0.1, 0.0]\n').setup.boundary
    with pytest.raises(BoundaryError, match="node 1 is named twice, and is to be held at two values"):
        Boundary.free(2, 1).clamp([1, 1], [1.0, 4.0])
    # The same place twice, and rollers that meet in a corner, are no contradiction.
    rollers = '[[clamp]]\nnodes = "bottom"\n[[clamp]]\nnodes = "bottom"\ncomponents = [1]\ndisplacement = [0.0]\n'
    network = graphs.triangular((3, 2))
    held = scene(tmp_path, more=rollers).setup.boundary
    np.testing.assert_array_equal(held.values[0][held.clamped], network.positions[held.clamped])


def test_the_final_energy_is_that_of_the_last_step(tmp_path: Path) -> None:
    struck = (
        "[dynamics]\ntime_step = 0.05\nsteps = 25\nevery = {}\n[[dynamics.strike]]\nnodes = [4]\nvelocity = [0.5, 0]\n"
    )
    fine, coarse = (
        scene(tmp_path, "damping = 1.0", end=struck.format(every)).run(tmp_path / f"run{every}", pictures=False)
        for every in (1, 10)
    )
    energy = (fine.data["potential_energy"] + fine.data["kinetic_energy"]).to_numpy()
    assert coarse.data.sizes["time"] == 3
    assert coarse.figures["final energy"] == fine.figures["final energy"] == energy[25]
    assert energy[25] < 0.9 * energy[20]


def test_names_that_would_break_a_file_are_refused(tmp_path: Path) -> None:
    network, values = graphs.square((2, 2)), np.arange(4.0)
    for suffix in ("xyz", "vtu", "vtk", "graphml"):
        for name in ("a:b", 'a"b', "a<b", "a&b", "", " ", "a\nb"):
            with pytest.raises(RunError, match="cannot be a name"):
                sandbox.export(network, tmp_path / f"n.{suffix}", nodes={name: values})
    with pytest.raises(RunError, match="taken"):
        sandbox.export(network, tmp_path / "n.xyz", nodes={"x y": values, "x_y": values})
    for name in ("pos", "species", "role"):
        with pytest.raises(RunError, match="taken"):
            sandbox.export(network, tmp_path / "n.xyz", nodes={name: values})
    assert not list(tmp_path.iterdir())


def test_values_do_not_overwrite_what_a_format_has_of_its_own(tmp_path: Path) -> None:
    import networkx as nx

    network, values = graphs.square((2, 2)), np.arange(4.0)
    for name in ("x", "y", "group", "role"):
        with pytest.raises(RunError, match="taken"):
            sandbox.export(network, tmp_path / "n.graphml", nodes={name: values})
    for name in ("index", "first", "second", "shift_x"):
        with pytest.raises(RunError, match="taken"):
            sandbox.export(network, tmp_path / "n.graphml", edges={name: values})
    sandbox.export(network, tmp_path / "n.graphml", nodes={"pid": values}, edges={"key": values})
    graph = nx.read_graphml(tmp_path / "n.graphml")
    assert [graph.nodes[str(i)]["pid"] for i in range(4)] == values.tolist()
    assert [data["key"] for *_, data in graph.edges(data=True)] == values.tolist()


@pytest.mark.parametrize("offset", [1e5, 4.5e6, 1e10])
def test_triangulations_do_not_depend_on_where_the_origin_is(offset: float) -> None:
    grid = np.random.default_rng(0).integers(0, 2**12, size=(300, 2)) / 2**8  # exact at every offset
    points = np.unique(grid, axis=0)
    right = graphs.delaunay(points)
    moved = graphs.delaunay(points + offset)
    np.testing.assert_array_equal(moved.edges, right.edges)
    assert (moved.degrees > 1).all()
    nearest = np.argsort(squareform(pdist(points)) + 1e9 * np.eye(len(points)), axis=1)[:, 0]
    joined = {tuple(edge) for edge in moved.edges.tolist()}
    assert all(tuple(sorted((i, int(j)))) in joined for i, j in enumerate(nearest))  # so they are in any triangulation


@pytest.mark.parametrize("method", ["auto", *(name for name in METHODS if name not in ("sweeps", "petsc"))])
def test_no_tolerance_makes_a_start_a_minimum(method: str) -> None:
    network = graphs.triangular((4, 2))
    boundary = Boundary.free(network.n_nodes, 2).clamp([0, 1], network.positions[[0, 1]])
    for tolerance in (np.inf, 1.0, np.nan, -1e-10):
        with pytest.raises(SandboxError, match="the tolerance is"):
            springs(network, 0.9).relax(boundary, tolerance=tolerance, method=method)
    for iterations in (0, -3, 2.5, True):
        with pytest.raises(SandboxError, match="max_iterations is"):
            springs(network, 0.9).relax(boundary, max_iterations=iterations, method=method)  # type: ignore[arg-type]


def test_a_feature_that_is_constant_but_for_rounding_is_not_stretched() -> None:
    train = np.array([[0.3, 1.0], [0.1 + 0.2, 3.0], [0.3, 2.0]])
    np.testing.assert_allclose(MinMax.fit(train).scale(train.copy()), [[0, 0], [0, 1], [0, 0.5]], atol=1e-15)
    tiny = np.array([[1e-30], [3e-30]])  # small, and not constant
    np.testing.assert_allclose(MinMax.fit(tiny).scale(tiny.copy()), [[0], [1]])


# What held.


def test_multiple_eigenvalues_are_all_found_however_many_are_asked_for() -> None:
    material, free = Material(ring(20), CONDUCTANCE, {"k": 1.0}), Boundary.free(20, 1)
    right = np.sort(2 - 2 * np.cos(2 * np.pi * np.arange(20) / 20))
    for count in range(1, 21):
        found = normal_modes(material, free, count=count).frequencies
        np.testing.assert_allclose(found**2, right[:count], atol=1e-13)


def test_modes_of_a_highly_degenerate_spectrum_are_orthonormal() -> None:
    network = graphs.square((16, 16), periodic=True)
    material = Material(network, CONDUCTANCE, {"k": 1.0})
    modes = normal_modes(material, Boundary.free(256, 1))
    shapes, one = modes.shapes.reshape(256, 256), 2 - 2 * np.cos(2 * np.pi * np.arange(16) / 16)
    np.testing.assert_allclose(shapes @ shapes.T, np.eye(256), atol=1e-12)
    np.testing.assert_allclose(modes.frequencies**2, np.sort(np.add.outer(one, one).ravel()), atol=1e-12)
    matrix = hessian(material).toarray()
    np.testing.assert_allclose(matrix @ shapes.T, shapes.T * modes.frequencies**2, atol=1e-12)


def test_noise_of_neighbouring_seeds_is_not_the_same_noise_shifted() -> None:
    loose = Material(two_nodes(), CONDUCTANCE, {"k": 1e-12})
    decay, kicks = np.exp(-0.1), []
    for seed in (42, 43):
        v = simulate(
            loose, Boundary.free(2, 1), time_step=0.1, steps=400, damping=1.0, temperature=1.0, seed=seed
        ).velocities[:, 0, :, 0]
        kicks.append((v[1:] - decay * v[:-1]).T)
    for a, b in ((0, 0), (0, 1), (1, 1)):
        for lag in range(-3, 4):
            early, late = kicks[0][a][3:-3], np.roll(kicks[1][b], lag)[3:-3]
            assert abs(np.corrcoef(early, late)[0, 1]) < 0.25  # five standard deviations


def test_a_motion_that_goes_on_has_the_kinetic_energy_that_it_had() -> None:
    network = graphs.triangular((4, 2))
    boundary = Boundary.free(network.n_nodes, 2).clamp([0, 1], network.positions[[0, 1]])
    bath = {"time_step": 0.05, "damping": 0.3, "temperature": 0.1, "seed": 5}
    whole = simulate(springs(network), boundary, steps=100, **bath)
    first = simulate(springs(network), boundary, steps=37, **bath)
    end = first.final
    here = {"start": end.positions, "velocities": end.velocities, "first_step": end.step}
    for rest in (bath, {"time_step": 0.05}):  # in the bath, and without
        later = simulate(springs(network), boundary, steps=63, **here, **rest)
        assert later.kinetic[0] == first.kinetic[-1] == whole.kinetic[37]
        assert later.steps[0] == 37
        assert later.times[0] == whole.times[37]
    np.testing.assert_array_equal(
        simulate(springs(network), boundary, steps=63, **here, **bath).final.positions, whole.final.positions
    )


def test_what_rests_has_no_kinetic_energy() -> None:
    material = Material(two_nodes(), SPRING, {"k": 4.0, "l": 1.0})
    start = np.array([[[0.0], [1.3]]])
    path = simulate(material, Boundary.free(2, 1).clamp([0], 0.0), time_step=0.001, steps=3000, start=start)
    speed = -0.3 * 2 * np.sin(2 * path.times)  # of a spring of frequency 2, let go
    assert path.kinetic[0, 0] == 0
    np.testing.assert_allclose(path.velocities[:, 0, 1, 0], speed, atol=1e-5)
    np.testing.assert_array_equal(path.kinetic[:, 0], 0.5 * path.velocities[:, 0, 1, 0] ** 2)


@pytest.mark.parametrize("method", ["fused", "newton", "fire"])
def test_a_symmetric_start_at_a_saddle_is_left(method: str) -> None:
    column = Network(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), [[0, 1], [1, 2]])
    pressed = Boundary.free(3, 2).clamp([0, 2], [[0.1, 0.0], [1.9, 0.0]])
    found = springs(column).relax(pressed, method=method)
    x, y = found.state[0, 1]
    assert (x, abs(y)) == pytest.approx((1.0, np.sqrt(1 - 0.9**2)))
    assert found.energy[0] == pytest.approx(0.0, abs=1e-15)
    assert found.curvature_bound[0] > 0.1


@pytest.mark.parametrize("method", ["fused", "newton", "fire"])
def test_powers_of_negative_numbers(method: str) -> None:
    law = EdgeLaw("k/3*abs(d)**3 + k*d**3/5 + pi/7*d**4 + k*d**2/3", ("k",))
    pulled = Boundary.free(2, 1).clamp([0], 0.0).push([1], [[-2.0]])
    found = Material(two_nodes(), law, {"k": 1.0}).relax(pulled, method=method).state[0, 1, 0]
    right = brentq(lambda d: d * abs(d) + 0.6 * d**2 + 4 * np.pi / 7 * d**3 + 2 * d / 3 + 2, -5, 5, xtol=1e-15)
    assert found == pytest.approx(right, rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[OPTIONS]", "[DEMANDS]\nJ4 10\nJ4 5\nJ5 3\n[OPTIONS]"),
        ("[OPTIONS]", "[PATTERNS]\ndaily 1.7 1.2\n[DEMANDS]\nJ4 10 daily\nJ4 5\n[OPTIONS]\nPATTERN daily"),
        ("[OPTIONS]", "[PATTERNS]\n1 1.7 1.2\n[TIMES]\nPattern Start 1:00\nPattern Timestep 1:00\n[OPTIONS]"),
        ("[OPTIONS]", "[STATUS]\nP3 Closed\n[OPTIONS]\nDEMAND MULTIPLIER 1.5"),
        ("LPS", "GPM"),
    ],
    ids=["demands", "patterns", "pattern start", "status and multiplier", "US units"],
)
def test_demands_are_those_that_epanet_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    from wntr.epanet.toolkit import ENepanet

    package = ROOT / "examples" / "sandbox-pipes"
    monkeypatch.syspath_prepend(str(package / "src"))
    from sandbox_pipes import HazenWilliams
    from sandbox_pipes.epanet import read_epanet

    text = (package / "town.inp").read_text(encoding="utf-8").replace("0.001", "1e-8")
    assert old in text
    (tmp_path / "n.inp").write_text(text.replace(old, new), encoding="utf-8")
    network = read_epanet(tmp_path / "n.inp")
    system = HazenWilliams().build(network, np.random.default_rng(0))
    fixed = network.nodes("fixed")
    heads = system.relax(Boundary.free(network.n_nodes, 1).clamp(fixed, network.head[fixed])).state[0, :, 0]
    epanet = ENepanet(version=2.2)  # on the file itself, not on what a reader made of it
    epanet.ENopen(*(str(tmp_path / f"n.{suffix}") for suffix in ("inp", "rpt", "bin")))
    epanet.ENopenH()
    epanet.ENinitH(0)
    epanet.ENrunH()
    right = np.array([epanet.ENgetnodevalue(epanet.ENgetnodeindex(name), 10) for name in network.node_names])
    epanet.ENcloseH()
    epanet.ENclose()
    unit = 0.3048 if new == "GPM" else 1.0
    np.testing.assert_allclose(heads, unit * right, rtol=0, atol=2e-5 * np.ptp(right))


def test_a_part_without_a_source_is_named_even_if_nothing_is_drawn_there() -> None:
    apart = Network(np.arange(4.0)[:, None], [[0, 1], [2, 3]])
    with pytest.raises(NetworkError, match="nodes 2, 3 are not connected"):
        Material(apart, CONDUCTANCE, {"k": 1.0}).relax(Boundary.free(4, 1).clamp([0, 1], [0.0, 1.0]))


def test_forces_are_the_gradient_of_the_energy_that_is_reported() -> None:
    network, rng = graphs.triangular((3, 2)), np.random.default_rng(1)
    law = EdgeLaw("k/2*(r - l)**2 + k/4*(r - l)**4", ("k", "l"))
    material = Material(network, law, {"k": 1.0, "l": 0.9}, node_law=ONSITE, node_parameters={"k": 0.3, "b": 0.1})
    boundary = (
        Boundary.free(network.n_nodes, 2)
        .clamp([0, 1], network.positions[[0, 1]])
        .spring([3], [[0.2, 0.1]], -0.2)
        .pair_spring([[0, 7], [2, 9]], [[0.5, 1.1]], 2.0)
        .push([5], [[0.1, 0.2]])
    )
    start = network.positions[None] + 0.05 * rng.normal(size=(1, network.n_nodes, 2))
    step = 1e-5
    path = simulate(material, boundary, time_step=step, steps=1, start=start)
    force = path.velocities[1] / step  # of unit masses, from rest, to first order

    def energy(state: np.ndarray) -> float:
        return float(simulate(material, boundary, time_step=step, steps=0, start=state).potential[0, 0])

    for node, component in np.argwhere(~boundary.clamped):
        move = np.zeros_like(start)
        move[0, node, component] = 1e-6
        slope = (energy(path.positions[0] + move) - energy(path.positions[0] - move)) / 2e-6
        assert force[0, node, component] == pytest.approx(-slope, abs=1e-8)


def test_ranges_of_decimals_end_before_their_end() -> None:
    for text, right in (
        ("0.5:1.1:0.1", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        ("1:1.6:0.1", [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]),
        ("0:6e-5:1e-5", [0.0, 1e-5, 2e-5, 3e-5, 4e-5, 5e-5]),
        ("20:20.5:0.1", [20.0, 20.1, 20.2, 20.3, 20.4]),
    ):
        assert list(axis("key", text).values) == right


def test_a_colour_bar_does_not_change_the_colours_of_equal_values() -> None:
    from matplotlib.figure import Figure

    from sandbox.plot.scales import ColourScale

    values = np.full(3, 42.0)
    scale = ColourScale(values, label="pressure")
    before = scale(values)
    figure = Figure()
    bar = figure.colorbar(scale.mappable, cax=figure.add_subplot())
    np.testing.assert_array_equal(scale(values), before)
    assert bar.vmin < 42.0 < bar.vmax
    assert ColourScale(np.array([1.0, np.inf]), label="pressure").missing  # as NaN is, in the legend too


def test_far_and_small_coordinates_come_back_from_a_file_bit_for_bit(tmp_path: Path) -> None:
    import ase.io

    positions = np.array([[-123456.789, 1e9 + 0.1], [1e-17, 99999.9995], [0.1 + 0.2, -1e-300]])
    sandbox.export(Network(positions, [[0, 1], [1, 2]]), tmp_path / "n.xyz")
    np.testing.assert_array_equal(ase.io.read(tmp_path / "n.xyz").positions[:, :2], positions)
    sandbox.export(Network(positions, [[0, 1], [1, 2]]), tmp_path / "n.graphml")
    np.testing.assert_array_equal(graphs.read_network(tmp_path / "n.graphml").positions, positions)


def test_a_flat_periodic_network_is_periodic_in_the_plane_only(tmp_path: Path) -> None:
    import ase.io

    network = graphs.triangular((3, 2), periodic=True)
    sandbox.export(network, tmp_path / "n.xyz")
    atoms = ase.io.read(tmp_path / "n.xyz")
    assert atoms.pbc.tolist() == [True, True, False]
    np.testing.assert_array_equal(atoms.cell[:2, :2], network.cell)
    i, j = network.edges.T
    lengths = [atoms.get_distance(int(a), int(b), mic=True) for a, b in zip(i, j, strict=True)]
    np.testing.assert_allclose(lengths, network.lengths(), rtol=1e-12)


def test_parts_that_are_not_joined_have_rigid_motions_of_their_own() -> None:
    from sandbox.physics.graphs.rigidity import floppy_modes, is_rigid

    corners, sides = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([[0, 1], [1, 2], [0, 2]])
    two = Network(np.concatenate([corners, corners + 5.0]), np.concatenate([sides, sides + 3]))
    assert floppy_modes(two) == 3  # beyond the three of the whole
    assert not is_rigid(two)
    assert is_rigid(Network(corners + 1e6, sides))
    zeros = (normal_modes(springs(two), Boundary.free(6, 2)).frequencies == 0).sum()
    assert zeros == 6


@pytest.mark.parametrize("method", ["fused", "newton"])
def test_a_limit_of_iterations_is_a_limit(method: str) -> None:
    network = graphs.triangular((4, 2))
    boundary = Boundary.free(network.n_nodes, 2).clamp([0, 1], network.positions[[0, 1]])
    found = springs(network, 0.9).relax(boundary, max_iterations=3, method=method, throw=False)
    assert found.iterations[0] <= 3
    assert not found.converged[0]
    assert found.status[0].item() == 1  # out of iterations


# The page.


def test_every_row_of_the_page_names_a_test_and_a_thread() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    tests = {name for name in globals() if name.startswith("test_")} - {
        "test_every_row_of_the_page_names_a_test_and_a_thread"
    }
    assert len(rows) >= 20
    named: set[str] = set()
    for row in rows:
        assert re.match(r"\| \[[\w.-]+/[\w.-]+#\d+\]\(https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+\) \|", row)
        found = re.findall(r"`(test_\w+)`", row)
        assert found, row
        assert set(found) <= tests, set(found) - tests
        named |= set(found)
    assert named == tests
