"""The graphs that scenes can name: lattices, triangulations, random graphs, packings, files."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

import sandbox
from sandbox.errors import NetworkError
from sandbox.parts import Graph, Trial
from sandbox.physics import graphs
from sandbox.physics.network import Network


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


class Lattice(Graph):
    """A regular lattice; free ones have the groups left, right, bottom, top (front, back)."""

    trial: ClassVar[Trial] = Trial({"shape": (3, 3), "dilution": 0.1})
    make: ClassVar[Callable[..., Network]]

    shape: tuple[int, ...] = Field(description="number of unit cells in each direction")
    spacing: float = Field(1.0, gt=0, description="length of a bond")
    periodic: bool = Field(False, description="periodic boundaries in all directions")
    dilution: float = Field(0.0, ge=0, lt=1, description="fraction of the bonds removed at random, kept connected")
    hole: float = Field(0.0, ge=0, description="radius of a hole cut from the middle, in units of length")
    prune: tuple[str, ...] = Field(
        (), description="groups of the lattice that will be held, as left and right; nodes that are floppy then go"
    )

    def build(self, rng: np.random.Generator) -> Network:
        network = type(self).make(self.shape, spacing=self.spacing, periodic=self.periodic, **self.extra())
        if self.hole:
            middle = (network.positions.min(axis=0) + network.positions.max(axis=0)) / 2
            away = np.linalg.norm(network.positions - middle, axis=1)
            edge = away < self.hole + self.spacing
            if not (away > self.hole).any():
                raise NetworkError(
                    f"a hole of radius {self.hole} takes away all {network.n_nodes} nodes; make it smaller"
                )
            network = network.with_groups(hole=np.flatnonzero(edge)).keep_nodes(away > self.hole)
        if self.dilution:
            network = graphs.dilute(network, fraction=self.dilution, seed=_seed(rng))
        if self.prune:
            network = graphs.prune(network, np.concatenate([network.nodes(group) for group in self.prune]))
        return network

    def extra(self) -> dict[str, bool]:
        return {}


class Square(Lattice):
    """Square lattice."""

    make = staticmethod(graphs.square)
    diagonals: bool = Field(False, description="with both diagonals of every square, which makes it rigid")

    def extra(self) -> dict[str, bool]:
        return {"diagonals": self.diagonals}


class Triangular(Lattice):
    """Triangular lattice, z = 6."""

    make = staticmethod(graphs.triangular)


class Honeycomb(Lattice):
    """Honeycomb lattice, z = 3."""

    make = staticmethod(graphs.honeycomb)


class Kagome(Lattice):
    """Kagome lattice, z = 4."""

    make = staticmethod(graphs.kagome)


class Cubic(Lattice):
    """Simple cubic lattice, z = 6."""

    trial: ClassVar[Trial] = Trial({"shape": (2, 2, 2)})
    make = staticmethod(graphs.cubic)


class Fcc(Lattice):
    """Face-centred cubic lattice, z = 12."""

    trial: ClassVar[Trial] = Trial({"shape": (2, 2, 2)})
    make = staticmethod(graphs.fcc)


class JitteredGrid(Graph):
    """A Delaunay triangulation of a jittered square grid in the unit square."""

    trial: ClassVar[Trial] = Trial({"side": 4})
    side: int = Field(gt=1, description="points along a side")
    jitter: float = Field(0.3, ge=0, lt=0.5, description="largest displacement of a point, in grid spacings")

    def build(self, rng: np.random.Generator) -> Network:
        return graphs.jittered_grid(self.side, self.jitter, _seed(rng))


class RandomGraph(Graph):
    """A connected graph with a given number of edges drawn at random."""

    trial: ClassVar[Trial] = Trial({"nodes": 12, "edges": 20})
    nodes: int = Field(gt=1)
    edges: int = Field(gt=0)

    def build(self, rng: np.random.Generator) -> Network:
        return graphs.random_graph(self.nodes, self.edges, _seed(rng))


class RandomGeometric(Graph):
    """Random points joined to their neighbours up to a mean coordination."""

    trial: ClassVar[Trial] = Trial({"nodes": 20, "coordination": 4.5})
    nodes: int = Field(gt=1)
    coordination: float = Field(gt=0, description="mean number of bonds per node")
    dimension: Literal[2, 3] = 2

    def build(self, rng: np.random.Generator) -> Network:
        return graphs.random_geometric(self.nodes, self.coordination, _seed(rng), self.dimension)


class Packing(Graph):
    """The contact network of a jammed packing of disks or spheres, rattlers removed."""

    trial: ClassVar[Trial] = Trial({"nodes": 32, "coordination": 4.2})
    nodes: int = Field(64, gt=7, description="least number of nodes")
    coordination: float | None = Field(None, gt=0, description="mean number of bonds per node; 2D + 0.5 by default")
    dimension: Literal[2, 3] = 2
    boundary: Literal["free", "periodic"] = "free"

    def build(self, rng: np.random.Generator) -> Network:
        return graphs.packing(self.nodes, self.coordination, _seed(rng), self.dimension, self.boundary)


class NetworkFile(Graph):
    """A network from a GraphML file or a list of nodes and edges."""

    trial: ClassVar[Trial] = Trial(skip="reads a file")
    path: str = Field(description="the file, in the folder of the scene, the working directory, or below one of them")

    def build(self, rng: np.random.Generator) -> Network:
        try:
            return graphs.read_network(sandbox.input_file(self.path))
        except (OSError, ValueError) as error:  # a path that cannot be one
            raise NetworkError(f"{self.path[:60]!r}... cannot be read: {error}") from error


@sandbox.hookimpl
def register_graphs(register: sandbox.Register) -> None:
    register("square", Square)
    register("triangular", Triangular)
    register("honeycomb", Honeycomb)
    register("kagome", Kagome)
    register("cubic", Cubic)
    register("fcc", Fcc)
    register("jittered_grid", JitteredGrid)
    register("random_graph", RandomGraph)
    register("random_geometric", RandomGeometric)
    register("packing", Packing)
    register("file", NetworkFile)
