"""Networks from networkx graphs, and back."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sandbox.errors import NetworkError
from sandbox.physics.graphs.attributes import cell_vectors, columns, finite_numbers, names_of_groups, vector
from sandbox.physics.network import Network
from sandbox.suggestions import listed

if TYPE_CHECKING:
    import networkx as nx

OF_GRAPH = ("cell", "node_default", "edge_default", "name", "title", "description")
"""Attributes of a graph that are read, or say nothing of its physics. The defaults are those of a GraphML file, as
networkx keeps them."""

OF_NODE = ("x", "y", "z", "group")
OF_EDGE = ("shift", "shift_x", "shift_y", "shift_z", "index", "first", "second", "id")
"""Attributes that are read; others become columns. ``id`` is networkx's name for the name of an edge in GraphML."""


def from_networkx(graph: nx.Graph, position_attribute: str = "pos") -> Network:
    """The network of a networkx graph: topology, positions, groups, and columns of values.

    Nodes are numbered in the order of the graph. Edges come in the order of their attribute ``index``, where it numbers
    them from 0, else in that of ``graph.edges``. The first node of an edge is its source in a directed graph, in an
    undirected one the node named by its attribute ``first``, or else the one of lower number; laws that tell the ends
    apart go by it, and so do the signs of flows.

    Args:
        position_attribute: node attribute with the position, a sequence of 1 to 3 numbers; nodes without it may have
            attributes x, y, z instead. The node attribute ``group`` holds names of groups: a string, with commas
            between them, or a sequence of strings. The edge attribute ``shift`` and the graph attribute ``cell``
            describe a periodic network, see :class:`~sandbox.physics.network.Network`; a shift leads from the source of
            a directed edge, from the node of lower number of another. Other attributes of nodes and edges become the
            network's ``node_values`` and ``edge_values``, NaN or empty where a node or an edge has none.

    Raises:
        NetworkError: if a node has no usable position, an edge joins a node to itself, a directed graph has edges both
            ways between two nodes, or a shift does not fit.

    Warns:
        UserWarning: naming attributes that are not read: of the graph itself, or neither numbers nor texts.
    """
    if graph.number_of_nodes() == 0:
        raise NetworkError("the graph has no nodes")
    defaults = [graph.graph.get(name, {}) for name in ("node_default", "edge_default")]
    data = [(node, {**defaults[0], **attributes}) for node, attributes in graph.nodes(data=True)]
    links = [(u, v, {**defaults[1], **attributes}) for u, v, attributes in graph.edges(data=True)]
    points = [_position(node, attributes, position_attribute) for node, attributes in data]
    sizes = [len(point) for point in points]
    if min(sizes) != max(sizes):
        odd = next(node for (node, _), size in zip(data, sizes, strict=True) if size != sizes[0])
        raise NetworkError(
            f"node {odd!r} has another number of coordinates than node {data[0][0]!r}; give all nodes the same number"
        )
    links = _in_order(links)
    number = {node: i for i, (node, _) in enumerate(data)}
    if graph.is_directed() and not graph.is_multigraph():
        _refuse_both_ways(links)
    ends, shifts = [], []
    for u, v, attributes in links:
        if u == v:
            raise NetworkError(f"an edge joins node {u!r} to itself; remove it")
        shift = vector(f"the shift of edge {u!r}-{v!r}", attributes, "shift", sizes[0])
        # Where the graph has no directions, networkx gives the ends in any order: they count from the lower number.
        low, high = (u, v) if graph.is_directed() or number[u] < number[v] else (v, u)
        if _is_turned(low, high, attributes):
            low, high, shift = high, low, tuple(-s for s in shift)
        ends.append((number[low], number[high]))
        shifts.append(shift)
    groups: dict[str, list[int]] = {}
    for i, (node, attributes) in enumerate(data):
        for name in names_of_groups(node, attributes.get("group", ())):
            groups.setdefault(name, []).append(i)
    of_edges, no_edge_columns = columns([attributes for *_, attributes in links], {*OF_EDGE})
    of_nodes, no_node_columns = columns([attributes for _, attributes in data], {*OF_NODE, position_attribute})
    _tell_unread(
        {
            "the graph": [str(name) for name in graph.graph if name not in OF_GRAPH],
            "edges": no_edge_columns,
            "nodes": no_node_columns,
        }
    )
    return Network(
        np.array(points),
        np.array(ends, dtype=np.int64).reshape(-1, 2),
        np.array(shifts).reshape(-1, sizes[0]),
        cell_vectors(graph.graph.get("cell")),
        {name: np.array(nodes) for name, nodes in groups.items()},
        edge_values=of_edges,
        node_values=of_nodes,
    )


def to_networkx(network: Network, **edge_arrays: npt.ArrayLike) -> nx.Graph:
    """A networkx graph of the network, nodes 0 to N - 1; a MultiGraph if two edges join the same nodes.

    Nodes have the attribute ``pos``, a tuple, and ``group``, the names of their groups with commas between them, where
    they are in any. Edges have ``index``, their number in the network; ``first`` and ``second``, their nodes in the
    order of the network, which an undirected graph does not keep; and in a periodic network ``shift``, for the
    direction from the lower to the higher node. The network's columns of values are attributes too. (GraphML cannot
    hold tuples: for ``nx.write_graphml``, replace ``pos`` by attributes x, y, z.)

    Args:
        edge_arrays: further attributes of the edges, each an array (E, ...), in place of columns of the same names.

    Raises:
        NetworkError: if an array does not have one entry per edge, or takes a name that is used already; if the name of
            a group has a comma in it, or blanks at its ends.
    """
    import networkx as nx

    for name in network.groups:
        if "," in name or name != name.strip() or not name:
            raise NetworkError(
                f"the group {name!r} cannot be told from others in a list of names: rename it, without commas, and "
                "without blanks at its ends"
            )
    low_high = np.sort(network.edges, axis=1)
    parallel = len(np.unique(low_high, axis=0)) < network.n_edges
    table: dict[str, list[Any]] = {"index": list(range(network.n_edges))}
    table |= {"first": network.edges[:, 0].tolist(), "second": network.edges[:, 1].tolist()}
    if network.cell is not None:
        sign = np.where(network.edges[:, 0] < network.edges[:, 1], 1.0, -1.0)
        table["shift"] = [tuple(shift) for shift in (network.shifts * sign[:, None] + 0.0).tolist()]
    taken = set(table)
    for name, values in {**network.edge_values, **edge_arrays}.items():
        array = np.asarray(values)
        if array.ndim == 0 or len(array) != network.n_edges:
            raise NetworkError(
                f"{name} has shape {array.shape}; expected one entry for each of {network.n_edges} edges"
            )
        if name in taken:
            raise NetworkError(f"an edge array cannot be called {name!r}; the name is taken")
        table[name] = array.tolist()
    graph = nx.MultiGraph() if parallel else nx.Graph()
    graph.add_nodes_from((i, {"pos": tuple(x)}) for i, x in enumerate(network.positions.tolist()))
    names = list(table)
    rows = (dict(zip(names, row, strict=True)) for row in zip(*table.values(), strict=True))
    graph.add_edges_from((i, j, row) for (i, j), row in zip(low_high.tolist(), rows, strict=True))
    members: dict[int, list[str]] = {}
    for name, nodes in network.groups.items():
        for node in nodes.tolist():
            members.setdefault(node, []).append(name)
    nx.set_node_attributes(graph, {node: ",".join(group) for node, group in members.items()}, "group")
    for name, values in network.node_values.items():
        nx.set_node_attributes(graph, dict(enumerate(values.tolist())), name)
    if network.cell is not None:
        graph.graph["cell"] = network.cell.tolist()
    return graph


Link = tuple[Hashable, Hashable, dict[str, Any]]


def _position(node: Hashable, attributes: Mapping[str, Any], name: str) -> tuple[float, ...]:
    """The position of a node of a graph."""
    axes = [axis for axis in "xyz" if axis in attributes]
    given = [attributes[axis] for axis in axes]
    what = f"the position of node {node!r}"
    value = attributes.get(name)
    if value is None:
        if axes != list("xyz"[: len(axes)]) or not axes:
            raise NetworkError(
                f"node {node!r} has no position; give it an attribute {name!r}, or x, y and z in this order"
            )
        value = given
    point = finite_numbers(what, value, f"{name} is")
    if not 1 <= len(point) <= 3:
        raise NetworkError(f"{what} has {len(point)} coordinates; expected 1 to 3")
    if given and value is not given and finite_numbers(what, given) != point[: len(given)]:
        raise NetworkError(f"{what} is {point} by its {name}, and {tuple(given)} by its {', '.join(axes)}; remove one")
    return point


def _in_order(links: list[Link]) -> list[Link]:
    """Links by their attribute ``index``, if it numbers all of them from 0; as they are where none has it."""
    given = [attributes.get("index") for *_, attributes in links]
    if all(index is None for index in given):
        return links
    if sorted(i if isinstance(i, int) else -1 for i in given) != list(range(len(links))):
        raise NetworkError(
            f"the edge attribute 'index' does not number the edges from 0 to {len(links) - 1}, each once; it says "
            "which edge of a network each is: remove it, or give it another name"
        )
    return sorted(links, key=lambda link: link[2]["index"])


def _is_turned(u: Hashable, v: Hashable, attributes: Mapping[str, Any]) -> bool:
    """Whether an edge says that it leads from v to u, by its attributes ``first`` and ``second``."""
    first, second = attributes.get("first"), attributes.get("second")
    if first is None and second is None:
        return False
    said = (str(first), str(second))
    if said not in ((str(u), str(v)), (str(v), str(u))):
        raise NetworkError(
            f"the edge {u!r}-{v!r} says that it leads from first = {first!r} to second = {second!r}, which are not its "
            "nodes; correct the two attributes, or remove them"
        )
    return said != (str(u), str(v))


def _tell_unread(unread: Mapping[str, list[str]]) -> None:
    said = "; ".join(f"of {what}: {listed(names)}" for what, names in unread.items() if names)
    if said:
        warnings.warn(
            f"attributes are not read, as a network has a place for columns of numbers or of texts alone, {said}",
            UserWarning,
            stacklevel=3,
        )


def _refuse_both_ways(links: Iterable[Link]) -> None:
    found = set()
    for u, v, _ in links:
        if (v, u) in found:
            raise NetworkError(
                f"two edges lead from {u!r} to {v!r} and back; if they are one edge, remove one of them (or take the "
                "graph's to_undirected()), if they are two, use a MultiDiGraph"
            )
        found.add((u, v))
