"""Networks from files.

The plain-text format has one statement a line; fields are separated by blanks, and # starts a comment:

    node NAME x [y [z]]        a node and its position; all nodes have as many coordinates
    edge NAME NAME             an edge between two nodes, which may be declared anywhere in the file
    group NAME NODE NODE ...   nodes that go by a common name; further lines with the same name add to it

GraphML is read through networkx: node attributes x, y, z are the position, and an attribute ``group`` holds the names
of the node's groups, separated by commas. Edges lead from source to target in a directed graph. Other attributes are
columns of the network, see :func:`~sandbox.physics.graphs.conversion.from_networkx`. Nothing in a file is executed.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from sandbox.errors import NetworkError
from sandbox.physics.graphs.attributes import finite_numbers
from sandbox.physics.graphs.conversion import from_networkx
from sandbox.physics.network import Network
from sandbox.suggestions import did_you_mean

MAX_BYTES = 64 * 2**20
"""Larger files are refused: read as text, they take some twenty times their size of memory."""

HINT = " (did you mean {!r}?)"


def inside(path: str, folder: Path) -> Path:
    """Resolve a path that a scene names: a file in a folder, or in one below it, wherever symbolic links in it lead.

    Raises:
        NetworkError: for a path that leads elsewhere, or cannot be one.
    """
    shown = repr(path if len(path) <= 60 else path[:60] + "...")
    if Path(path).is_absolute() or path.startswith(("/", "\\", "~")) or ".." in Path(path.replace("\\", "/")).parts:
        raise NetworkError(
            f"the path {shown} leads out of the folder of the scene, or the working directory; a scene names files in "
            "them or below: put the file there, or read it in Python"
        )
    try:
        home = folder.resolve()
        found = (home / path).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null character, links in a circle
        raise NetworkError(f"the path {shown} cannot be one: {error}") from None
    if not found.is_relative_to(home):
        raise NetworkError(f"the path {shown} is a link that leads out of {home}; copy the file there")
    return found


def read_network(path: str | Path) -> Network:
    """A network from a file: GraphML if its name ends in .graphml or .xml, else the plain-text format above.

    Raises:
        NetworkError: if the file cannot be read, is not in its format (with the line), or holds no valid network.
    """
    path = Path(path)
    if not path.is_file():
        raise NetworkError(f"{path} is not a file; check the path")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NetworkError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise NetworkError(f"{path} is larger than {MAX_BYTES // 2**20} MiB; networks of that size are built in Python")
    if path.suffix.lower() in (".graphml", ".xml"):
        return _read_graphml(path, content)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NetworkError(f"{path}, line {line}: not UTF-8 text; save the file as text in UTF-8") from error
    return _Reader(path).read(lines)


class _Reader:
    """Reads the plain-text format, keeping the lines where things were declared."""

    def __init__(self, path: Path) -> None:
        self.path, self.line = path, 0
        self.number: dict[str, int] = {}
        self.points: list[tuple[float, ...]] = []
        self.edges: dict[tuple[str, str], int] = {}
        self.groups: dict[str, list[tuple[str, int]]] = {}

    def error(self, what: str, line: int | None = None) -> NetworkError:
        return NetworkError(f"{self.path}, line {self.line if line is None else line}: {what}")

    def read(self, lines: list[str]) -> Network:
        statements = {"node": self.node, "edge": self.edge, "group": self.group}
        for self.line, text in enumerate(lines, 1):
            fields = text.split("#", 1)[0].split()
            if not fields:
                continue
            if fields[0] not in statements:
                hint = did_you_mean(fields[0], statements, HINT)
                raise self.error(f"{fields[0]!r} is unknown{hint}; a line starts with node, edge or group")
            statements[fields[0]](fields[1:])
        if not self.points:
            raise NetworkError(f"{self.path} declares no nodes; expected lines such as 'node a 0.0 1.5'")
        ends = [(self.find(u, line), self.find(v, line)) for (u, v), line in self.edges.items()]
        groups = {name: np.array([self.find(*m) for m in members]) for name, members in self.groups.items()}
        groups = {name: np.unique(nodes) for name, nodes in groups.items()}
        return Network(np.array(self.points), np.array(ends, dtype=np.int64).reshape(-1, 2), groups=groups)

    def find(self, name: str, line: int) -> int:
        if name not in self.number:
            hint = did_you_mean(name, self.number, HINT)
            raise self.error(f"there is no node {name!r}{hint}; declare it with 'node {name} ...'", line)
        return self.number[name]

    def node(self, fields: list[str]) -> None:
        if not 2 <= len(fields) <= 4:
            raise self.error(
                f"node has {len(fields)} fields; expected a name and 1 to 3 coordinates: node NAME x [y [z]]"
            )
        name = fields[0]
        if name in self.number:
            raise self.error(f"node {name!r} is declared a second time; rename or remove one")
        try:
            point = finite_numbers(f"the position of node {name!r}", fields[1:])
        except NetworkError as error:
            raise self.error(str(error)) from None
        if self.points and len(point) != len(self.points[0]):
            raise self.error(f"node {name!r} has {len(point)} coordinates, but those above have {len(self.points[0])}")
        self.number[name] = len(self.points)
        self.points.append(point)

    def edge(self, fields: list[str]) -> None:
        if len(fields) != 2:
            raise self.error(f"edge has {len(fields)} fields; expected two names of nodes: edge NAME NAME")
        u, v = fields
        if u == v:
            raise self.error(f"the edge joins node {u!r} to itself; remove it")
        earlier = self.edges.get((u, v)) or self.edges.get((v, u))
        if earlier:
            raise self.error(f"the edge {u} {v} was given in line {earlier} already; remove one")
        self.edges[u, v] = self.line

    def group(self, fields: list[str]) -> None:
        if len(fields) < 2:
            raise self.error("a group needs a name and at least one node: group NAME NODE NODE ...")
        self.groups.setdefault(fields[0], []).extend((name, self.line) for name in fields[1:])


def _read_graphml(path: Path, content: bytes) -> Network:
    """A network from GraphML; entity declarations, which can blow up a parser, are refused before anything else."""

    def refuse(*_: Any) -> None:
        raise NetworkError(
            f"{path}, line {parser.CurrentLineNumber}: DOCTYPE declarations are refused, as they can define entities "
            "of any size; remove the line"
        )

    def count(name: str, _: Any) -> None:
        if name.rpartition(":")[2] == "graph":
            found.append(parser.CurrentLineNumber)
            if len(found) > 1:
                raise NetworkError(
                    f"{path}, line {found[1]}: a second graph; networkx reads the one of line {found[0]} alone, so put "
                    "them in files of their own (or all nodes and edges in one graph)"
                )

    found: list[int] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = count
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise NetworkError(f"{path}, line {error.lineno}: not XML ({expat.errors.messages[error.code]})") from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise NetworkError(f"{path}, line 1: {error}; save the file in UTF-8") from error
    import networkx as nx

    try:
        graph = nx.read_graphml(BytesIO(content))
    except (nx.NetworkXException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(f"{path} is not GraphML that networkx can read: {error}") from error
    try:
        return from_networkx(graph)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error
