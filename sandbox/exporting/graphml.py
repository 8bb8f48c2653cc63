"""Networks as GraphML, for networkx, igraph, Gephi, Cytoscape and :func:`sandbox.physics.graphs.read_network`."""

from __future__ import annotations

from pathlib import Path

import networkx as nx

from sandbox.errors import RunError
from sandbox.exporting.frames import Frame, columns, refuse_taken
from sandbox.physics.graphs.conversion import to_networkx


def write_graphml(frame: Frame, path: Path) -> None:
    """Write the network of a frame, with the values of its nodes and edges.

    Nodes have the reference position ``x, y, z``, ``group`` and ``role`` (names with commas between them), and their
    values; of a state that is positions, the components ``position_x`` and so on. Edges have ``index``, their values,
    and ``first`` and ``second``, the nodes in the order of the network, which signs what is signed. Periodic networks
    have ``shift_x`` and so on, the image offset from the lower to the higher node, and ``cell``.

    Raises:
        RunError: if the network has no edges: a layered system has arrays, not edges; if values have a name of these.
    """
    network = frame.network
    if not network.n_edges:
        raise RunError(
            "the network has no edges, as in a layered system, so there is no graph to write; its arrays are in data.nc"
        )
    shifts = [f"shift_{axis}" for axis in "xyz"]
    refuse_taken(columns(frame.nodes), ("x", "y", "z", "group", "role"), "GraphML")
    refuse_taken(columns(frame.edges), ("index", "first", "second", *shifts), "GraphML")
    graph = to_networkx(network, **columns(frame.edges))
    moved = {} if frame.positions is network.positions else {"position": frame.positions}
    values = columns({**moved, **frame.nodes})
    for node, role in enumerate(frame.role_of_nodes()):
        attributes = graph.nodes[node]
        attributes |= dict(zip("xyz", attributes.pop("pos"), strict=False))
        if role:
            attributes["role"] = role
        attributes |= {name: column[node].item() for name, column in values.items()}
    for *_, attributes in graph.edges(data=True):
        if "shift" in attributes:
            attributes |= {f"shift_{a}": value for a, value in zip("xyz", attributes.pop("shift"), strict=False)}
    cell = graph.graph.pop("cell", None)
    if cell is not None:
        graph.graph["cell"] = "; ".join(" ".join(repr(float(number)) for number in row) for row in cell)
    nx.write_graphml_xml(graph, path)
