"""Values that come with a network, as from a file: used by systems that know them, named where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

import sandbox
from sandbox.errors import SandboxError
from sandbox.physics import graphs

CHAIN = sandbox.Network(np.array([[0.0, 0], [1, 0], [2, 0]]), np.array([[0, 1], [1, 2]]))


def scene_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, **edges: Any) -> Path:
    """A chain of two edges with these columns, its ends held, 1 apart in the state."""
    monkeypatch.chdir(tmp_path)
    sandbox.export(CHAIN, "net.graphml", edges=edges)
    path = tmp_path / "scene.toml"
    moves = "flow" not in system
    held = ("displacement = [0.0, 0.0]", "displacement = [1.0, 0.0]") if moves else ("value = 0.0", "value = 1.0")
    middle = "[[clamp]]\nnodes = [1]\ncomponents = [1]\n" if moves else ""
    path.write_text(
        f'[network]\ntype = "file"\npath = "net.graphml"\n[system]\ntype = {system}\n'
        f"[[clamp]]\nnodes = [0]\n{held[0]}\n[[clamp]]\nnodes = [2]\n{held[1]}\n{middle}[relax]\n"
    )
    return path


@pytest.mark.parametrize(
    ("system", "edges", "middle"),
    [
        ('"flow_network"', {"conductance": [1.0, 100.0]}, 100 / 101),  # in series: the large conductance takes little
        ('"flow_network"', {"stiffness": [4.0, 1.0]}, 1 / 5),
        ('"flow_network"', {"stiffness": [4.0, 1.0], "conductance": [4.0, 1.0]}, 1 / 5),
        ('"elastic_network"', {"stiffness": [1.0, 3.0]}, 1.75),
        ('"spring_lattice"', {"stiffness": [1.0, 3.0]}, 1.75),
        # 1 (x - 0.5) = 3 (3 - x - 2)
        ('"spring_lattice"', {"stiffness": [1.0, 3.0], "rest_length": [0.5, 2.0]}, 0.875),
    ],
)
def test_columns_that_a_system_knows_are_used(tmp_path, monkeypatch, system, edges, middle):
    run = sandbox.load(scene_of(tmp_path, monkeypatch, system, **edges)).run(tmp_path / "run", pictures=False)
    assert float(run.data["state"][1, 0]) == pytest.approx(middle, rel=1e-9)
    assert run.data["stiffness"].to_numpy().tolist() == edges.get("conductance", edges.get("stiffness"))
    again = graphs.read_network(sandbox.export(run, "again.graphml"))
    assert again.edge_values["stiffness"].tolist() == run.data["stiffness"].to_numpy().tolist()


@pytest.mark.parametrize(
    ("system", "edges", "told"),
    [
        ('"flow_network"\nconductance = 2.0', {"conductance": [1.0, 1.0]}, "conductance is given twice"),
        ('"flow_network"', {"conductance": [1.0, 1.0], "stiffness": [1.0, 2.0]}, "stand for conductance and differ"),
        ('"flow_network"', {"conductance": [1.0, np.nan]}, r"is nan at edge 1, nodes \(1, 2\)"),
        ('"flow_network"', {"conductance": [1.0, -1.0]}, "is -1 at edge 1"),
        ('"flow_network"', {"conductance": [1.0, 1e-5]}, r"edge 1 has k = 1e-05, outside the bounds \[0.001, inf\]"),
        ('"elastic_network"\nadjustable = "rest length"', {"stiffness": [1.0, 1.0]}, "'stiffness'.* or rest lengths"),
    ],
)
def test_columns_that_contradict_or_are_no_values_are_refused(tmp_path, monkeypatch, system, edges, told):
    with pytest.raises(SandboxError, match=told):
        sandbox.load(scene_of(tmp_path, monkeypatch, system, **edges)).run(tmp_path / "run", pictures=False)
    assert not (tmp_path / "run").exists()


def test_a_column_of_texts_is_no_conductance(tmp_path, monkeypatch):
    path = scene_of(tmp_path, monkeypatch, '"flow_network"')
    graph = nx.read_graphml("net.graphml")
    nx.set_edge_attributes(graph, "wide", "conductance")
    nx.write_graphml(graph, "net.graphml")
    with pytest.raises(SandboxError, match="'conductance' of the network's edges holds texts"):
        sandbox.load(path).setup.check()


def test_columns_that_no_system_takes_are_named(tmp_path, monkeypatch):
    path = scene_of(tmp_path, monkeypatch, '"flow_network"', conductance=[1.0, 2.0], diameter=[0.1, 0.2])
    sandbox.export(CHAIN, "net.graphml", edges={"diameter": [0.1, 0.2]}, nodes={"depth": [1.0, 2.0, 3.0]})
    with pytest.warns(UserWarning, match=r"FlowNetwork does not use, of its edges: diameter and its nodes: depth; it"):
        sandbox.load(path).setup.check()
