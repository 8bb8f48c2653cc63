"""Exported files, read back by the programs that they are for: networkx, meshio, ASE."""

from __future__ import annotations

from pathlib import Path

import ase.io
import meshio
import networkx as nx
import numpy as np
import pytest
from typer.testing import CliRunner

import sandbox
from sandbox.cli import app
from sandbox.errors import RunError
from sandbox.physics import graphs


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "learned"
    return sandbox.load("iris_flow", training={"epochs": 1}).run(folder).folder


@pytest.fixture(scope="module")
def stretched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "stretched"
    return sandbox.load("lattice_stretch", network={"shape": [6, 5], "hole": 0.0}).run(folder).folder


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "struck"
    return sandbox.load("lattice_vibration", dynamics={"steps": 40, "every": 10}).run(folder).folder


def by_index(graph: nx.Graph, name: str) -> np.ndarray:
    """An edge attribute in the order of the network's edges."""
    found = sorted((data["index"], data[name]) for *_, data in graph.edges(data=True))
    return np.array([value for _, value in found])


def test_graphml_of_a_run_that_learned(learned: Path, tmp_path: Path) -> None:
    data = sandbox.open(learned)
    for frame, when, state in ((0, 0, "state_before"), (None, -1, "state_after")):
        graph = nx.read_graphml(sandbox.export(learned, tmp_path / "net.graphml", frame=frame), node_type=int)
        assert graph.number_of_nodes() == 21
        assert graph.number_of_edges() == 95
        assert np.array_equal(by_index(graph, "stiffness"), data["stiffness"][when])
        assert np.array_equal([graph.nodes[n]["state"] for n in range(21)], data[state][:, 0])
        ends = np.stack([by_index(graph, "first"), by_index(graph, "second")], axis=1)
        assert np.array_equal(ends, data["ends"])
    roles = [graph.nodes[n].get("role") for n in range(21)]
    assert roles.count("input") == 10  # four features, each twice, and two constants
    assert roles.count("output") == 1


def test_graphml_is_a_network_again(stretched: Path, tmp_path: Path) -> None:
    network = graphs.read_network(sandbox.export(stretched, tmp_path / "net.graphml"))
    original = sandbox.load(stretched / "scene.toml").setup.network
    assert np.array_equal(network.positions, original.positions)
    assert np.array_equal(network.edges, original.edges)
    assert {name: set(nodes) for name, nodes in network.groups.items()} == {
        name: set(nodes) for name, nodes in original.groups.items() if len(nodes)
    }


def test_flows_in_graphml_balance_where_diodes_were_turned(tmp_path: Path) -> None:
    """Kirchhoff's law with the exported direction of every edge: none is lost by exporting an undirected graph."""
    scene = tmp_path / "diodes.toml"
    scene.write_text(
        '[network]\ntype = "random_graph"\nnodes = 12\nedges = 26\n'
        '[system]\ntype = "flow_network"\nlaw = "diode"\nturn = "at random"\n'
        "[[clamp]]\nnodes = [0]\nvalue = 1.0\n[[clamp]]\nnodes = [1]\nvalue = 0.0\n[relax]\n"
    )
    run = sandbox.load(scene).run(tmp_path / "diodes")
    graph = nx.read_graphml(sandbox.export(run, tmp_path / "net.graphml"), node_type=int)
    into = np.zeros(12)
    for *_, edge in graph.edges(data=True):
        # The dataset's "flow" is the slope of the energy in s_second - s_first, minus the flow from first to second.
        into[edge["first"]] += edge["flow"]
        into[edge["second"]] -= edge["flow"]
    assert np.abs(into[2:]).max() < 1e-9
    assert abs(into[0]) > 1e-3


def test_vtu_of_a_stretched_lattice(stretched: Path, tmp_path: Path) -> None:
    data = sandbox.open(stretched)
    for name in ("states.vtu", "states.vtk"):
        mesh = meshio.read(sandbox.export(stretched, tmp_path / name))
        assert np.array_equal(mesh.points[:, :2], data["state"])
        assert np.array_equal(mesh.cells_dict["line"], data["ends"])
        assert np.array_equal(mesh.cell_data_dict["tension"]["line"], data["tension"])
    mesh = meshio.read(tmp_path / "states.vtu")
    assert np.allclose(mesh.point_data["displacement"][:, :2], data["state"] - data["reference"].to_numpy(), atol=1e-15)
    ends = mesh.points[mesh.cells_dict["line"]]
    strain = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) - 1  # bonds of length one at rest
    assert np.allclose(mesh.cell_data_dict["strain"]["line"], strain, atol=1e-12)
    left = np.flatnonzero(mesh.point_data["group_left"])
    assert np.array_equal(np.flatnonzero(mesh.point_data["role_clamped"] * (mesh.points[:, 0] < 2)), left)


def test_xyz_of_a_motion_has_every_time(struck: Path, tmp_path: Path) -> None:
    data = sandbox.open(struck)
    frames = ase.io.read(sandbox.export(struck, tmp_path / "motion.xyz"), index=":", format="extxyz")
    assert len(frames) == data.sizes["time"] == 5
    for number, atoms in enumerate(frames):
        assert np.array_equal(atoms.positions[:, :2], data["position"][number])
        assert np.array_equal(atoms.arrays["velo"][:, :2], data["velocity"][number])
        assert atoms.info["Time"] == float(data["time"][number])
        assert not atoms.pbc.any()
    one = ase.io.read(sandbox.export(struck, tmp_path / "one.xyz", frame=2), index=":", format="extxyz")
    assert len(one) == 1
    assert np.array_equal(one[0].positions, frames[2].positions)


def test_periodic_network_keeps_its_box(tmp_path: Path) -> None:
    network = graphs.square([3, 4], periodic=True)
    k = np.random.default_rng(0).random(network.n_edges)
    graph = nx.read_graphml(sandbox.export(network, tmp_path / "box.graphml", edges={"k": k}), node_type=int)
    assert np.array_equal(by_index(graph, "k"), k)
    box = np.array([[float(x) for x in row.split()] for row in graph.graph["cell"].split(";")])
    assert np.array_equal(box, network.cell)
    for i, j, edge in graph.edges(data=True):
        i, j = min(i, j), max(i, j)
        bond = network.positions[j] - network.positions[i] + [edge["shift_x"], edge["shift_y"]]
        assert np.linalg.norm(bond) == pytest.approx(1.0)

    atoms = ase.io.read(sandbox.export(network, tmp_path / "box.xyz", nodes={"p": np.arange(12.0)}), format="extxyz")
    assert np.array_equal(atoms.pbc, [True, True, False])
    assert np.array_equal(atoms.cell[:2, :2], network.cell)
    assert np.array_equal(atoms.arrays["p"], np.arange(12.0))

    mesh = meshio.read(sandbox.export(network, tmp_path / "box.vtu", edges={"k": k}))
    drawn = np.linalg.norm(np.diff(mesh.points[mesh.cells_dict["line"]], axis=1)[:, 0], axis=1)
    crosses = mesh.cell_data_dict["crosses"]["line"].astype(bool)
    assert np.array_equal(crosses, drawn > 1.5)
    assert crosses.sum() == 7


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_network_with_values_in_any_dimension(dimension: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(dimension)
    edges = np.array([[1, 0], [1, 2], [3, 2]])
    network = sandbox.Network(rng.random((4, dimension)), edges, groups={"end": np.array([3])})
    moved = network.positions + 0.1
    arrays = {"positions": moved, "nodes": {"load": rng.random((4, dimension))}, "edges": {"k": rng.random(3)}}
    mesh = meshio.read(sandbox.export(network, tmp_path / "n.vtu", **arrays))
    assert np.array_equal(mesh.points[:, :dimension], moved)
    assert not mesh.points[:, dimension:].any()
    atoms = ase.io.read(sandbox.export(network, tmp_path / "n.extxyz", **arrays), format="extxyz")
    assert np.array_equal(atoms.positions[:, :dimension], moved)
    graph = nx.read_graphml(sandbox.export(network, tmp_path / "n.graphml", **arrays), node_type=int)
    for axis, name in enumerate("xyz"[:dimension]):
        assert [graph.nodes[n][f"load_{name}"] for n in range(4)] == arrays["nodes"]["load"][:, axis].tolist()
        assert [graph.nodes[n][f"position_{name}"] for n in range(4)] == moved[:, axis].tolist()
    assert graph.nodes[3]["group"] == "end"


def test_parallel_edges_stay_two(tmp_path: Path) -> None:
    network = sandbox.Network(np.array([[0.0], [1.0]]), np.array([[0, 1], [1, 0]]))
    graph = nx.read_graphml(sandbox.export(network, tmp_path / "two.graphml", edges={"k": [1.0, 2.0]}), node_type=int)
    assert sorted((e["index"], e["first"], e["k"]) for *_, e in graph.edges(data=True)) == [(0, 0, 1.0), (1, 1, 2.0)]


def test_command(stretched: Path, tmp_path: Path) -> None:
    target = tmp_path / "net.graphml"
    done = CliRunner().invoke(app, ["export", str(stretched), "--to", str(target), "--frame", "-1"])
    assert done.exit_code == 0, done.output
    assert nx.read_graphml(target).number_of_edges() == sandbox.open(stretched).sizes["edge"]


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("net.pdf", {}, "ends in one of"),
        ("net", {}, "ends in one of"),
        ("net.vtu", {"frame": 1}, "there is no frame 1; this run has 1"),
        ("net.vtu", {"edges": {"k": [1.0]}}, "go with a network"),
        ("nowhere/net.graphml", {}, "cannot be written"),
    ],
)
def test_mistakes_are_named(stretched: Path, tmp_path: Path, name: str, settings: dict, said: str) -> None:
    with pytest.raises(RunError, match=said):
        sandbox.export(stretched, tmp_path / name, **settings)
    assert list(tmp_path.iterdir()) == []


def test_values_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network = graphs.square([3, 3])
    with pytest.raises(RunError, match="k has shape"):
        sandbox.export(network, tmp_path / "n.vtu", edges={"k": [1.0]})
    with pytest.raises(RunError, match="real numbers"):
        sandbox.export(network, tmp_path / "n.vtu", nodes={"name": ["a"] * 9})
    with pytest.raises(RunError, match="positions have shape"):
        sandbox.export(network, tmp_path / "n.vtu", positions=np.zeros((9, 3)))
    with pytest.raises(RunError, match="no edges"):
        sandbox.export(network.keep_edges(np.zeros(12, dtype=bool)), tmp_path / "n.graphml")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not the folder of a run"):
        sandbox.export(tmp_path, tmp_path / "n.vtu")


def test_a_network_file_that_changed_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run has a copy of its own; where that is changed or taken away, it is not as the run left it."""
    monkeypatch.chdir(tmp_path)
    places = Path("net.txt")
    places.write_text("node a 0 0\nnode b 1 0\nnode c 0 1\nedge a b\nedge b c\nedge c a\n")
    scene = tmp_path / "triangle.toml"
    scene.write_text(
        f'[network]\ntype = "file"\npath = "{places}"\n[system]\ntype = "flow_network"\n'
        "[[clamp]]\nnodes = [0]\nvalue = 1.0\n[[clamp]]\nnodes = [1]\n[relax]\n"
    )
    run = sandbox.load(scene).run(tmp_path / "run")
    assert len(meshio.read(sandbox.export(run, tmp_path / "n.vtu")).points) == 3
    places.write_text("node a 0 0\nnode b 1 0\nedge a b\n")
    assert len(meshio.read(sandbox.export(run, tmp_path / "n.vtu")).points) == 3
    copy = run.folder / "inputs" / "net.txt"
    copy.write_text(copy.read_text().replace("node c 0 1", "node c 0 2"))
    with pytest.raises(RunError, match=r"inputs/net.txt \(changed\)"):
        sandbox.export(run, tmp_path / "n.vtu")
    copy.unlink()
    with pytest.raises(RunError, match=r"inputs/net.txt \(missing\)"):
        sandbox.export(run, tmp_path / "n.vtu")


@pytest.mark.parametrize("form", ["gif", "mp4", "html"])
def test_films_of_runs(learned: Path, struck: Path, tmp_path: Path, form: str) -> None:
    heads = {"gif": (0, b"GIF89a"), "mp4": (4, b"ftyp"), "html": (0, b"<!DOCTYPE html>")}
    start, head = heads[form]
    for folder in (learned, struck):
        path = sandbox.export(folder, tmp_path / f"film.{form}")
        assert path.read_bytes()[start:].startswith(head)
        assert path.stat().st_size > 5000


def test_films_that_cannot_be_made(stretched: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="this run has one"):
        sandbox.export(stretched, tmp_path / "film.gif")
    with pytest.raises(RunError, match="all frames of a run"):
        sandbox.export(stretched, tmp_path / "film.gif", frame=0)
    with pytest.raises(RunError, match="all frames of a run"):
        sandbox.export(graphs.square([2, 2]), tmp_path / "film.html")
    assert list(tmp_path.iterdir()) == []
