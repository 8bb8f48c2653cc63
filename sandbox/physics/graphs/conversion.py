"""Networks from networkx graphs, and back."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sandbox.errors import NetworkError
from sandbox.physics.network import Network

if TYPE_CHECKING:
    import networkx as nx


def from_networkx(graph: nx.Graph, position_attribute: str = "pos") -> Network:
    """The network of a networkx graph: topology, positions and groups.

    Nodes are numbered in the order of the graph; directions of edges are dropped, and two opposite ones merge. Edges
    come in the order of ``graph.edges`` with the node of lower number first.

    Args:
        position_attribute: node attribute with the position, a sequence of 1 to 3 numbers; nodes without it may have
            attributes x, y, z instead. The node attribute ``group`` holds names of groups: a string, with commas
            between them, or a sequence of strings. The edge attribute ``shift`` and the graph attribute ``cell``
            describe a periodic network, see :class:`~sandbox.physics.network.Network`.

    Raises:
        NetworkError: if a node has no usable position, an edge joins a node to itself, or a shift does not fit.
    """
    if graph.number_of_nodes() == 0:
        raise NetworkError("the graph has no nodes")
    if graph.is_directed():
        graph = graph.to_undirected()
    data = list(graph.nodes(data=True))
    points = [_position(node, attributes, position_attribute) for node, attributes in data]
    sizes = [len(point) for point in points]
    if min(sizes) != max(sizes):
        odd = next(node for (node, _), size in zip(data, sizes, strict=True) if size != sizes[0])
        raise NetworkError(
            f"node {odd!r} has another number of coordinates than node {data[0][0]!r}; give all nodes the same number"
        )
    number = {node: i for i, (node, _) in enumerate(data)}
    links = [(number[u], number[v], attributes.get("shift")) for u, v, attributes in graph.edges(data=True)]
    for i, j, _ in links:
        if i == j:
            raise NetworkError(f"an edge joins node {data[i][0]!r} to itself; remove it")
    zero = (0.0,) * sizes[0]
    shifts = [zero if shift is None else finite_numbers(f"the shift of edge {i}-{j}", shift) for i, j, shift in links]
    if any(len(shift) != len(zero) for shift in shifts):
        raise NetworkError(f"an edge has a shift that is not of {len(zero)} numbers, as the positions are")
    groups: dict[str, list[int]] = {}
    for i, (_, attributes) in enumerate(data):
        for name in _names(attributes.get("group", ())):
            groups.setdefault(name, []).append(i)
    return Network(
        np.array(points),
        np.sort(np.array([link[:2] for link in links], dtype=np.int64).reshape(-1, 2), axis=1),
        np.array(shifts).reshape(-1, len(zero)),
        graph.graph.get("cell"),
        {name: np.array(nodes) for name, nodes in groups.items()},
    )


def to_networkx(network: Network, **edge_arrays: npt.ArrayLike) -> nx.Graph:
    """A networkx graph of the network, nodes 0 to N - 1; a MultiGraph if two edges join the same nodes.

    Nodes have the attribute ``pos``, a tuple, and ``group``, the names of their groups with commas between them, where
    they are in any. Edges have ``index``, their number in the network, and in a periodic network ``shift``, for the
    direction from the lower to the higher node. (GraphML cannot hold tuples: for ``nx.write_graphml``, replace ``pos``
    by attributes x, y, z.)

    Args:
        edge_arrays: further attributes of the edges, each an array (E, ...).

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
    columns: dict[str, list[Any]] = {"index": list(range(network.n_edges))}
    if network.cell is not None:
        sign = np.where(network.edges[:, 0] < network.edges[:, 1], 1.0, -1.0)
        columns["shift"] = [tuple(shift) for shift in (network.shifts * sign[:, None] + 0.0).tolist()]
    for name, values in edge_arrays.items():
        array = np.asarray(values)
        if array.ndim == 0 or len(array) != network.n_edges:
            raise NetworkError(
                f"{name} has shape {array.shape}; expected one entry for each of {network.n_edges} edges"
            )
        if name in columns:
            raise NetworkError(f"an edge array cannot be called {name!r}; the name is taken")
        columns[name] = array.tolist()
    graph = nx.MultiGraph() if parallel else nx.Graph()
    graph.add_nodes_from((i, {"pos": tuple(x)}) for i, x in enumerate(network.positions.tolist()))
    names = list(columns)
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True))
    graph.add_edges_from((i, j, row) for (i, j), row in zip(low_high.tolist(), rows, strict=True))
    members: dict[int, list[str]] = {}
    for name, nodes in network.groups.items():
        for node in nodes.tolist():
            members.setdefault(node, []).append(name)
    nx.set_node_attributes(graph, {node: ",".join(group) for node, group in members.items()}, "group")
    if network.cell is not None:
        graph.graph["cell"] = network.cell.tolist()
    return graph


def _position(node: Hashable, attributes: dict[str, Any], name: str) -> tuple[float, ...]:
    """The position of a node of a graph."""
    value = attributes.get(name)
    if value is None:
        value = [attributes[axis] for axis in "xyz" if axis in attributes]
        if [axis for axis in "xyz" if axis in attributes] != list("xyz"[: len(value)]) or not value:
            raise NetworkError(
                f"node {node!r} has no position; give it an attribute {name!r}, or x, y and z in this order"
            )
    point = finite_numbers(f"the position of node {node!r}", value)
    if not 1 <= len(point) <= 3:
        raise NetworkError(f"the position of node {node!r} has {len(point)} coordinates; expected 1 to 3")
    return point


def finite_numbers(what: str, values: Any) -> tuple[float, ...]:
    """Finite numbers, or an error that names them."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise NetworkError(f"{what} is {values!r}; expected numbers") from error
    if not np.isfinite(numbers).all():
        raise NetworkError(f"{what} is {values!r}; expected finite numbers")
    return numbers


def _names(value: Any) -> list[str]:
    """Names of groups, from a string with commas or a sequence; each once."""
    parts = value.split(",") if isinstance(value, str) else [str(part) for part in value]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))
