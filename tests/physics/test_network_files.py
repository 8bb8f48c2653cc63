"""Networks from and to networkx, and from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import sandbox
from sandbox.errors import NetworkError
from sandbox.physics.graphs import files as files_module
from sandbox.physics.graphs import from_networkx, kagome, packing, read_network, square, to_networkx
from sandbox.physics.network import Network

TEXT = """\
# a square with one diagonal
edge a b      # declared before its nodes
node a 0 0
node b 1.0 0
node c 1e0 1   # comment

node d 0 1
edge b c
edge c d
edge d a
edge a c
group left a d
group corner c
group left a
"""


def test_plain_text(tmp_path: Path):
    path = tmp_path / "net.txt"
    path.write_text(TEXT, encoding="utf-8")
    network = read_network(path)
    assert network.positions.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert network.edges.tolist() == [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]]
    assert {name: nodes.tolist() for name, nodes in network.groups.items()} == {"left": [0, 3], "corner": [2]}


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_plain_text_with_byte_order_mark_and_other_line_ends_in_1d_and_3d(tmp_path: Path, ending):
    path = tmp_path / "net.dat"
    path.write_bytes(("\ufeffnode é 1 2 3" + ending + "node b -1 .5 1e-3" + ending).encode("utf-8"))
    assert read_network(str(path)).positions.tolist() == [[1, 2, 3], [-1, 0.5, 0.001]]
    path.write_text("node a 1\nnode b 2\nedge b a", encoding="utf-8")
    network = read_network(path)
    assert network.dimension == 1
    assert network.edges.tolist() == [[1, 0]]


NODES = "node a 0 0\nnode b 1 0\nnode c 1 1\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("nod a 0 0\n", 1, "'nod' is unknown.*did you mean 'node'"),
        (NODES + "a b\n", 4, "'a' is unknown"),
        ("# nothing\n\nnode a\n", 3, "node has 1 fields"),
        ("node a 0 0 0 0\n", 1, "node has 5 fields"),
        (NODES + "node a 3 3\n", 4, "node 'a' is declared a second time"),
        ("node a 0 zero\n", 1, "position of node 'a' .* expected numbers"),
        ("node a 0 nan\n", 1, "finite"),
        ("node a 0 1e999\n", 1, "finite"),
        (NODES + "node d 1\n", 4, "1 coordinates, but those above have 2"),
        (NODES + "edge a\n", 4, "edge has 1 fields"),
        (NODES + "edge a b 2.0\n", 4, "edge has 3 fields"),
        (NODES + "edge a a\n", 4, "joins node 'a' to itself"),
        (NODES + "edge a b\nedge b a\n", 5, "given in line 4 already"),
        (NODES + "edge a bb\nedge b c\n", 4, "no node 'bb' .did you mean 'b'"),
        (NODES + "group left\n", 4, "a group needs a name"),
        (NODES + "edge a b\ngroup left a q\n", 5, "no node 'q'"),
    ],
)
def test_malformed_text_names_file_line_and_mistake(tmp_path: Path, text, line, message):
    path = tmp_path / "broken.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NetworkError, match=message) as caught:
        read_network(path)
    assert f"broken.txt, line {line}:" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "declares no nodes"),
        (b"# only a comment\n", "declares no nodes"),
        (b"node a 0 0\nnode \xff 1 1\n", "line 2: not UTF-8"),
        (NODES.encode("utf-16"), "line 1: not UTF-8"),
        (b"node a 0 0\n" * 20, "larger than"),
    ],
)
def test_unusable_files(tmp_path: Path, monkeypatch, content, message):
    monkeypatch.setattr(files_module, "MAX_BYTES", 200)
    path = tmp_path / "net.txt"
    path.write_bytes(content)
    with pytest.raises(NetworkError, match=message) as caught:
        read_network(path)
    assert "net.txt" in str(caught.value)


def test_paths_that_are_no_files(tmp_path: Path):
    for path in (tmp_path, tmp_path / "absent.txt"):
        with pytest.raises(NetworkError, match="is not a file"):
            read_network(path)


def test_graphml_that_networkx_writes(tmp_path: Path):
    network = square((3, 2))
    graph = to_networkx(network, stiffness=np.linspace(0, 1, network.n_edges))
    for _, attributes in graph.nodes(data=True):
        attributes["x"], attributes["y"] = attributes.pop("pos")
    path = tmp_path / "net.graphml"
    nx.write_graphml(graph, path)
    again = read_network(path)
    assert np.array_equal(again.positions, network.positions)
    assert {tuple(e) for e in again.edges.tolist()} == {tuple(e) for e in network.edges.tolist()}
    assert {k: v.tolist() for k, v in again.groups.items()} == {k: v.tolist() for k, v in network.groups.items()}


HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="x" for="node" attr.name="x" attr.type="double"/>
<key id="y" for="node" attr.name="y" attr.type="double"/>
<graph edgedefault="undirected">
<node id="a"><data key="x">0</data><data key="y">0</data></node>
"""
TAIL = "</graph>\n</graphml>\n"
BOMB = '<!DOCTYPE z [<!ENTITY a "0"><!ENTITY b "&a;&a;">]>\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD.replace("\n", "\n" + BOMB, 1) + TAIL, "line 2: DOCTYPE"),
        ((HEAD.replace("UTF-8", "UTF-16").replace("\n", "\n" + BOMB, 1) + TAIL).encode("utf-16"), "line 2: DOCTYPE"),
        (HEAD, "line 7: not XML"),
        (HEAD + "<node></graph>\n", "line 7: not XML"),
        ("", "not XML"),
        ("node a 0 0\n", "line 1: not XML"),
        (HEAD.replace("UTF-8", "klingon") + TAIL, "line 1"),
        (HEAD + '<node id="b"><data key="x">1</data></node>' + TAIL, "node 'b' has another number of coordinates"),
        (HEAD + '<node id="b"/>' + TAIL, "node 'b' has no position"),
        (HEAD + '<node id="b"><data key="y">1</data></node>' + TAIL, "node 'b' has no position"),
        (HEAD + '<node id="b"><data key="x">one</data></node>' + TAIL, "not GraphML"),
        (HEAD + '<node id="b"><data key="q">1</data></node>' + TAIL, "not GraphML"),
        (HEAD + '<edge source="a" target="a"/>' + TAIL, "joins node 'a' to itself"),
        (HEAD + "</graph><graph>" + TAIL, "line 7: a second graph; networkx reads the one of line 5 alone"),
        (HEAD + "<node id='b'><graph/></node>" + TAIL, "line 7: a second graph"),
        (HEAD + '<edge source="a" target="b"/>' + TAIL, "node 'b' has no position"),
        ("<graphml></graphml>", "graph"),
        ('<svg xmlns="http://www.w3.org/2000/svg"/>', "graph"),
    ],
)
def test_malformed_graphml(tmp_path: Path, content, message):
    path = tmp_path / "net.graphml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    with pytest.raises(NetworkError, match=message) as caught:
        read_network(path)
    assert "net.graphml" in str(caught.value)


@pytest.mark.parametrize(
    "network",
    [
        kagome((3, 2)),
        kagome((2, 2), periodic=True),
        square((2, 3), periodic=True),  # parallel edges
        packing(20, seed=1),
        packing(20, 4.2, seed=1, boundary="periodic"),
        Network([[0.0], [2.0]], []),
    ],
    ids=["free", "periodic", "parallel", "packing", "periodic packing", "no edges"],
)
def test_a_network_survives_networkx(network):
    graph = to_networkx(network, stiffness=np.arange(network.n_edges) + 0.5)
    values = {data["index"]: data["stiffness"] for *_, data in graph.edges(data=True)}
    assert values == {e: e + 0.5 for e in range(network.n_edges)}
    if network.n_edges:
        same_network(from_networkx(graph), network)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_a_network_survives_graphml(tmp_path: Path, periodic, parallel):
    """The order of edges, their directions, periodic shifts, the box, groups and columns."""
    network = square((2 if parallel else 3, 3), periodic=periodic).turned(np.array([0, 2, 5]))
    if parallel and not periodic:
        network = replace(network, edges=np.concatenate([network.edges, network.edges[:1, ::-1]]), shifts=None)
    network = network.keep_edges(np.random.default_rng(0).permutation(network.n_edges))
    columns = {"k": np.arange(network.n_edges) + 0.1, "make": np.array([f"pipe {e}" for e in range(network.n_edges)])}
    network = replace(network, edge_values=columns, node_values={"height": np.arange(network.n_nodes) / 3})
    same_network(read_network(sandbox.export(network, tmp_path / "net.graphml")), network)


def same_network(one: Network, other: Network) -> None:
    assert np.array_equal(one.positions, other.positions)
    assert np.array_equal(one.edges, other.edges)
    assert np.array_equal(one.shifts, other.shifts)
    assert (one.cell is None) == (other.cell is None)
    assert one.cell is None or np.array_equal(one.cell, other.cell)
    assert {k: v.tolist() for k, v in one.groups.items()} == {k: sorted(v.tolist()) for k, v in other.groups.items()}
    for name, values in other.edge_values.items():
        assert np.array_equal(one.edge_values[name], values)
    for name, values in other.node_values.items():
        assert np.array_equal(one.node_values[name], values)


def test_from_networkx_reads_names_directions_and_groups():
    graph = nx.DiGraph()
    graph.add_node("in", pos=np.array([0.0, 1.0]), group="input, all")
    graph.add_node("out", place=(3, 4), group=["all"])
    graph.add_node("side", pos=(1, 1), group=7)
    graph.add_edge("out", "in", shift=(1.0, 0.0))
    graph.add_edge("side", "out")
    graph.nodes["out"]["pos"] = (9, 9)
    with pytest.warns(UserWarning, match="not read.* of nodes: place$"):
        network = from_networkx(graph)
    assert sorted(network.edges.tolist()) == [[1, 0], [2, 1]]
    assert network.bond_vectors()[network.edges[:, 0] == 1].tolist() == [[0 - 9 + 1.0, 1 - 9]]
    assert {k: v.tolist() for k, v in network.groups.items()} == {"input": [0], "all": [0, 1], "7": [2]}
    graph.nodes["in"]["place"], graph.nodes["side"]["place"] = (1, 2), (5, 6)
    for node in graph:
        del graph.nodes[node]["pos"]
    assert from_networkx(graph, "place").positions.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_a_directed_graph_keeps_its_directions_and_a_multigraph_edges_both_ways():
    nodes = [("a", {"x": 0.0}), ("b", {"x": 1.0})]
    both = nx.DiGraph([("b", "a"), ("a", "b")])
    both.add_nodes_from(nodes)
    with pytest.raises(NetworkError, match=r"two edges lead from .* and back.*to_undirected\(\).*MultiDiGraph"):
        from_networkx(both)
    assert from_networkx(nx.MultiDiGraph(both)).n_edges == 2
    assert from_networkx(both.to_undirected()).n_edges == 1
    one = nx.DiGraph([("b", "a")])
    one.add_nodes_from(nodes)
    network = from_networkx(one)
    assert [network.positions[i, 0] for i in network.edges[0]] == [1.0, 0.0]


def test_attributes_become_columns():
    graph = nx.Graph(node_default={"height": 2.0})
    graph.add_node("a", pos=(0,), height=3)
    graph.add_node("b", pos=(1,), kind="tap")
    graph.add_node("c", pos=(2,))
    graph.add_edge("b", "c", weight=np.float64(0.5))
    graph.add_edge("a", "b", open=True, make="x")
    network = from_networkx(graph)
    assert network.edges.tolist() == [[0, 1], [1, 2]]
    np.testing.assert_array_equal(network.edge_values["weight"], [np.nan, 0.5])
    np.testing.assert_array_equal(network.edge_values["open"], [1, np.nan])
    assert network.edge_values["make"].tolist() == ["x", ""]
    assert network.node_values["height"].tolist() == [3, 2, 2]
    assert network.node_values["kind"].tolist() == ["", "tap", ""]
    part = network.keep_nodes([1, 2])
    assert part.edge_values["weight"].tolist() == [0.5]
    assert part.node_values["kind"].tolist() == ["tap", ""]
    assert network.keep_edges([1]).edge_values["make"].tolist() == [""]


def test_defaults_of_graphml_are_read(tmp_path: Path):
    """Networkx keeps the defaults of a file aside; a conductance that only its default says would be lost."""
    path = tmp_path / "net.graphml"
    keys = '<key id="k" for="edge" attr.name="conductance" attr.type="double"><default>5</default></key>\n'
    nodes = "".join(f'<node id="{n}"><data key="x">1</data><data key="y">2</data></node>\n' for n in "bc")
    edges = '<edge source="c" target="a"><data key="k">7</data></edge>\n<edge source="b" target="c"/>\n'
    head = HEAD.replace("<graph ", keys + "<graph ").replace("undirected", "directed")
    path.write_text(head + nodes + edges + TAIL, encoding="utf-8")
    network = read_network(path)
    found = dict(zip(map(tuple, network.edges.tolist()), network.edge_values["conductance"].tolist(), strict=True))
    assert found == {(2, 0): 7, (1, 2): 5}


def test_attributes_that_are_not_read_are_named():
    graph = nx.Graph(name="a pair", depth=3.0)
    graph.add_edge("a", "b", k={}, size=1, mixed=2)
    graph.add_edge("b", "c", mixed="two")
    nx.set_node_attributes(graph, {"a": (0,), "b": (1,), "c": (2,)}, "pos")
    with pytest.warns(UserWarning, match="not read.* of the graph: depth; of edges: k, mixed$"):
        network = from_networkx(graph)
    assert list(network.edge_values) == ["size"]


PAIR = [("a", {"pos": (0,)}), ("b", {"pos": (1,)})]


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ([], [], "no nodes"),
        ([("a", {})], [], "'a' has no position"),
        ([("a", {"pos": (1, 2, 3, 4)})], [], "4 coordinates"),
        ([("a", {"pos": 3})], [], "expected numbers"),
        ([("a", {"pos": ("x",)})], [], "expected numbers"),
        ([("a", {"pos": "12"})], [], "node 'a' cannot be read: pos is a text, '12'; expected a sequence of numbers"),
        ([("a", {"pos": b"12"})], [], "pos is a text"),
        ([("a", {"pos": {0: 1.0}})], [], "pos is a dict"),
        ([("a", {"pos": {1.0, 2.0}})], [], "pos is a set"),
        ([("a", {"pos": (1.0, 2.0), "x": 1.0, "y": 3.0})], [], "by its pos, and .* by its x, y; remove one"),
        ([("a", {"pos": (0,), "group": None})], [], "group of node 'a' is None; expected names"),
        ([("a", {"pos": (np.inf, 0)})], [], "finite"),
        ([("a", {"pos": (0, 0)}), ("b", {"pos": (0,)})], [], "'b' has another number"),
        ([("a", {"pos": (0, 0)})], [("a", "a", {})], "to itself"),
        (PAIR, [("a", "b", {"shift": (1, 2)})], "a shift that is not of 1"),
        (PAIR, [("a", "b", {"shift": "1"})], "shift is a text"),
        (PAIR, [("a", "b", {"shift": (1,), "shift_x": 1.0})], "given twice, as shift and as shift_x"),
        (PAIR, [("a", "b", {"shift_y": 1.0})], "has shift_y alone; expected shift_x"),
        (PAIR, [("a", "b", {"first": 0, "second": 1})], "first = 0 to second = 1, which are not its nodes"),
        (PAIR, [("a", "b", {"index": 1})], "'index' does not number the edges from 0 to 0"),
    ],
)
def test_graphs_that_are_no_networks(nodes, edges, message):
    graph = nx.Graph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    with pytest.raises(NetworkError, match=message):
        from_networkx(graph)


def test_to_networkx_checks_edge_arrays():
    network = square((2, 2))
    with pytest.raises(NetworkError, match=r"stiffness has shape \(3,\)"):
        to_networkx(network, stiffness=np.ones(3))
    for name in ("index", "first"):
        with pytest.raises(NetworkError, match=name):
            to_networkx(network, **{name: np.ones(4)})
