"""A material: a network whose edges obey a law."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from sandbox.copies import Copied
from sandbox.errors import BoundaryError, NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.network import Network
from sandbox.physics.system import MAX_ITERATIONS, TOLERANCE
from sandbox.physics.transverse import lengthless
from sandbox.shown import Shown


class Material(Copied, Shown):
    """An energy-minimizing network: every edge stores energy by one law, with parameters of its own.

    Args:
        network: nodes and edges.
        law: the energy of an edge. A law in ``r`` makes the state the positions of the nodes (D = network dimension);
            a law in ``d`` makes it one value per node (D = 1), and the positions serve for drawing only.
        parameters: a value or (E,) array for each parameter of the law.
        bounds: lowest and highest value of the stiffness.
        node_law: energy of each state component, optional.
        node_parameters: a value or (N, D) array for each parameter of the node law.
        linearized: small displacements: ``r`` is replaced by its first-order change about the reference positions.
        box: lowest and highest value of every state component, optional (relaxed by coordinate sweeps).

    Raises:
        NetworkError: for parameters that are missing, unknown, of the wrong length or not finite.
    """

    kept: ClassVar[Mapping[str, type]] = {"caches": dict}

    def __init__(
        self,
        network: Network,
        law: EdgeLaw,
        parameters: Mapping[str, npt.ArrayLike],
        *,
        bounds: tuple[float, float] = (0.0, np.inf),
        node_law: NodeLaw | None = None,
        node_parameters: Mapping[str, npt.ArrayLike] | None = None,
        linearized: bool = False,
        box: tuple[float, float] | None = None,
    ) -> None:
        if linearized and law.variable == "r" and network.lengthless.any():
            e = int(np.argmax(network.lengthless))
            raise NetworkError(
                f"edge {e} (nodes {' and '.join(map(str, network.edges[e].tolist()))}) has no length, so linearized "
                "geometry has no direction for it; join its nodes to one, move one of them, remove the edge, or take "
                "true geometry"
            )
        self.network = network
        self.law = law
        self.node_law = node_law
        self.box = box
        self.geometry: Literal["distance", "projection"] = (
            "distance" if law.variable == "r" and not linearized else "projection"
        )
        self.components = network.dimension if law.variable == "r" else 1
        self.parameters = _parameters("edge", law.parameters, parameters, (network.n_edges,))
        shape = (network.n_nodes, self.components)
        self.node_parameters = _parameters(
            "node", node_law.parameters if node_law else (), node_parameters or {}, shape
        )
        low, high = bounds
        if not low < high:
            raise NetworkError(f"the bounds of the stiffness are {bounds}; the lower must be below the upper")
        outside = np.flatnonzero((self.stiffness < low) | (self.stiffness > high))
        if len(outside):
            e = int(outside[0])
            raise NetworkError(
                f"edge {e} has {law.stiffness} = {self.stiffness[e]:.6g}, outside the bounds [{low:.6g}, {high:.6g}]"
            )
        self._bounds = (np.full(network.n_edges, float(low)), np.full(network.n_edges, float(high)))
        if box is not None and not box[0] < box[1]:
            raise NetworkError(f"the box of the state is {box}; the lower value must be below the upper")
        self.linearized = linearized
        self.caches: dict[bytes, object] = {}  # symbolic work by boundary pattern, freed with the material

    def with_law(self, law: EdgeLaw, parameters: Mapping[str, npt.ArrayLike]) -> Material:
        """The same material with another law: its own parameters, and those added to or replaced by ``parameters``."""
        return Material(
            self.network,
            law,
            {name: value for name, value in {**self.parameters, **parameters}.items() if name in law.parameters},
            bounds=(float(self._bounds[0][0]), float(self._bounds[1][0])) if len(self._bounds[0]) else (0.0, np.inf),
            node_law=self.node_law,
            node_parameters=self.node_parameters,
            linearized=self.linearized,
            box=self.box,
        )

    @property
    def stiffness(self) -> np.ndarray:
        return self.parameters[self.law.stiffness]

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self._bounds

    @cached_property
    def fixed_parameters(self) -> np.ndarray:
        """(parameters other than the stiffness, at least 1; E)."""
        rows = [self.parameters[name] for name in self.law.fixed]
        return np.ascontiguousarray(rows) if rows else np.zeros((1, self.network.n_edges))

    @cached_property
    def node_parameter_rows(self) -> np.ndarray:
        """(node parameters, at least 1; N*D)."""
        rows = [value.ravel() for value in self.node_parameters.values()]
        return np.ascontiguousarray(rows) if rows else np.zeros((1, self.network.n_nodes * self.components))

    @property
    def is_linear(self) -> bool:
        """Whether the forces are linear in the state, so that the Hessian is the same everywhere."""
        return (
            self.geometry == "projection"
            and self.law.is_quadratic
            and (self.node_law is None or self.node_law.is_quadratic)
        )

    def frame(self, pairs: np.ndarray) -> np.ndarray:
        """How the variable of each edge, then of each pair, follows from the state: (E + Q, D + 1).

        Distance: the periodic shift of the bond vector; of a pair, to the nearest image at the reference positions.
        Projection: a direction n and an offset c, with ``v = n . (s_j - s_i) + c``.
        """
        dim, network = self.components, self.network
        table = np.zeros((network.n_edges + len(pairs), dim + 1))
        if self.law.variable == "d":
            table[:, 0] = 1.0
            return table
        shifts = np.concatenate([network.shifts, network.pair_shifts(pairs)])
        if self.geometry == "distance":
            table[:, :dim] = shifts
        else:
            x = network.positions
            ends = np.concatenate([network.edges, pairs])
            vectors = x[ends[:, 1]] - x[ends[:, 0]] + shifts
            if len(pairs):
                _check_pairs(x, pairs, vectors[network.n_edges :])
            table[:, :dim] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            table[:, dim] = np.sum(table[:, :dim] * shifts, axis=1)
        return table

    def rest_state(self) -> np.ndarray:
        if self.law.variable == "r":
            return self.network.positions.copy()
        return np.zeros((self.network.n_nodes, 1))

    def measure_edges(self, state: np.ndarray) -> np.ndarray:
        """(B, E): the variable of the law on every edge (distance, or difference), at states (B, N, D)."""
        return _measure(state, self.network.edges, self.frame(_NO_PAIRS), self.geometry)

    def measure_pairs(self, state: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        frame = self.frame(np.asarray(pairs))[self.network.n_edges :]
        return _measure(state, np.asarray(pairs), frame, self.geometry)

    def energy(self, state: np.ndarray, stiffness: np.ndarray | None = None) -> np.ndarray:
        """(B,) energy stored in edges and nodes at states (B, N, D); forces and springs from outside not included."""
        edge = self.law.on_numpy(self.measure_edges(state), *self._edge_arguments(stiffness))
        total = edge[0].sum(axis=-1)
        if self.node_law is not None:
            total = total + self.node_law.on_numpy(state, *self.node_parameters.values())[0].sum(axis=(-2, -1))
        return total

    def tension(self, state: np.ndarray, stiffness: np.ndarray | None = None) -> np.ndarray:
        """(B, E) slope of the law in its variable on every edge.

        Of a law in r, the tension of a spring. Of one in d = s_second - s_first, minus the flow from the edge's first
        node to its second.
        """
        return self.law.on_numpy(self.measure_edges(state), *self._edge_arguments(stiffness))[1]

    def _edge_arguments(self, stiffness: np.ndarray | None) -> list[np.ndarray]:
        theta = self.stiffness if stiffness is None else np.asarray(stiffness)
        return [theta, *(self.parameters[name] for name in self.law.fixed)]

    def relax(
        self,
        boundary: Boundary,
        stiffness: np.ndarray | None = None,
        *,
        knobs: Knobs | None = None,
        start: np.ndarray | None = None,
        tolerance: float = TOLERANCE,
        max_iterations: int = MAX_ITERATIONS,
        method: str = "auto",
        throw: bool = True,
    ) -> Equilibrium:
        """See :meth:`sandbox.physics.system.System.relax`; methods: see :mod:`sandbox.physics.relaxation`."""
        from sandbox.physics.relaxation import relax

        return relax(
            self,
            boundary,
            stiffness,
            knobs=knobs,
            start=start,
            tolerance=tolerance,
            max_iterations=max_iterations,
            method=method,
            throw=throw,
        )

    def sensitivity(self, equilibrium: Equilibrium, boundary: Boundary, cost_gradient: np.ndarray) -> np.ndarray:
        from sandbox.physics.sensitivity import adjoint_gradient

        return adjoint_gradient(self, equilibrium, boundary, cost_gradient)

    def __repr__(self) -> str:
        geometry = (
            "" if self.law.variable == "d" else f", {'true' if self.geometry == 'distance' else 'linearized'} geometry"
        )
        return f"Material({self.network!r}, E = {self.law.expression}{geometry})"


_NO_PAIRS = np.zeros((0, 2), dtype=np.int32)


def _check_pairs(positions: np.ndarray, pairs: np.ndarray, vectors: np.ndarray) -> None:
    """See that linearized geometry has a direction for pairs (Q, 2), whose ends are ``vectors`` (Q, D) apart.

    Raises:
        BoundaryError: naming the nodes of one that has none.
    """
    none = np.flatnonzero(lengthless(np.linalg.norm(vectors, axis=1), np.abs(positions[pairs]).sum(axis=(1, 2))))
    if len(none):
        raise BoundaryError(
            f"nodes {' and '.join(map(str, pairs[none[0]].tolist()))} are at one place, so linearized geometry has no "
            "direction between them; take another pair, or true geometry"
        )


def _measure(state: np.ndarray, ends: np.ndarray, frame: np.ndarray, geometry: str) -> np.ndarray:
    dim = state.shape[-1]
    difference = state[..., ends[:, 1], :] - state[..., ends[:, 0], :]
    if geometry == "distance":
        return np.linalg.norm(difference + frame[:, :dim], axis=-1)
    return np.sum(difference * frame[:, :dim], axis=-1) + frame[:, dim]


def _parameters(
    kind: str, names: tuple[str, ...], given: Mapping[str, npt.ArrayLike], shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    unknown, missing = set(given) - set(names), [n for n in names if n not in given]
    if unknown or missing:
        wrong = f"no parameter {sorted(unknown)[0]!r}" if unknown else f"no value for {missing[0]!r}"
        raise NetworkError(f"{kind} parameters: {wrong}; the law takes {', '.join(names) or 'none'}")
    arrays = {}
    for name in names:
        try:
            array = np.broadcast_to(np.asarray(given[name], dtype=float), shape).copy()
        except ValueError:
            raise NetworkError(
                f"{kind} parameter {name!r} has shape {np.shape(given[name])}; expected {shape} or a single value"
            ) from None
        if not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise NetworkError(f"{kind} parameter {name!r} is not finite at {kind} {where[0]}")
        array.flags.writeable = False
        arrays[name] = array
    return arrays
