"""One relaxation, as arrays: what every method is handed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.errors import BoundaryError, NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.knobs import Knobs, coordinate
from sandbox.physics.material import Material


@dataclass(frozen=True, eq=False)
class Problem:
    """A material, its boundary and stiffnesses, and where to start; shapes checked.

    Attributes:
        stiffness: (E,), held, or the start of those that ``knobs`` let go.
        start: (B, N, D), clamped components already at their values.
    """

    material: Material
    boundary: Boundary
    stiffness: np.ndarray
    knobs: Knobs | None
    start: np.ndarray
    tolerance: float
    max_iterations: int

    @property
    def batch(self) -> int:
        return self.boundary.batch

    @cached_property
    def ends(self) -> np.ndarray:
        """(E + Q, 2): edges, then pairs."""
        return np.ascontiguousarray(np.concatenate([self.material.network.edges, self.boundary.pairs]), dtype=np.int32)

    @cached_property
    def knob_rows(self) -> np.ndarray:
        """(4, E): coordinate of the knob, compliance (0 where held), bounds of the coordinate."""
        n_edges = len(self.stiffness)
        rows = np.zeros((4, n_edges))
        if self.knobs is None:
            return rows
        low, high = self.material.bounds
        coupling = self.knobs.coupling
        rows[0] = coordinate(self.knobs.values, coupling)
        rows[1] = self.knobs.compliance
        with np.errstate(divide="ignore"):
            rows[2] = np.maximum(coordinate(low, coupling), -1e300)
        rows[3] = np.minimum(coordinate(high, coupling), 1e300)
        return rows

    @cached_property
    def outside(self) -> np.ndarray:
        """(B, 3, N*D): external force, spring stiffness, spring target."""
        b = self.boundary
        flat = (b.batch, b.n_nodes * b.components)
        k = np.broadcast_to(b.spring_stiffness, b.values.shape).reshape(flat)
        return np.stack([b.forces.reshape(flat), k, b.spring_targets.reshape(flat)], axis=1)

    @cached_property
    def pair_springs(self) -> np.ndarray:
        """(B, 2, Q): stiffness, target; never empty, as kernels do not take empty arrays."""
        b = self.boundary
        if len(b.pairs) == 0:
            return np.zeros((b.batch, 2, 1))
        return np.stack([np.broadcast_to(b.pair_stiffness, b.pair_targets.shape), b.pair_targets], axis=1)


def pose(
    material: Material,
    boundary: Boundary,
    stiffness: np.ndarray | None,
    knobs: Knobs | None,
    start: np.ndarray | None,
    tolerance: float,
    max_iterations: int,
) -> Problem:
    """Check shapes and fill in defaults.

    Raises:
        BoundaryError, NetworkError: naming what does not fit.
    """
    network, dim = material.network, material.components
    if (boundary.n_nodes, boundary.components) != (network.n_nodes, dim):
        raise BoundaryError(
            f"the boundary is of {boundary.n_nodes} nodes with {boundary.components} components, the material has "
            f"{network.n_nodes} with {dim}"
        )
    boundary.check_held()
    theta = material.stiffness if stiffness is None else np.asarray(stiffness, dtype=float)
    if theta.shape != (network.n_edges,):
        raise NetworkError(f"stiffnesses have shape {theta.shape}; expected one per edge, ({network.n_edges},)")
    if not np.isfinite(theta).all():
        raise NetworkError(f"the stiffness of edge {int(np.argmin(np.isfinite(theta)))} is not finite")
    if knobs is not None and knobs.values.shape != theta.shape:
        raise BoundaryError(f"there are {len(knobs.values)} knobs for {len(theta)} stiffnesses")
    shape = boundary.values.shape
    if start is None:
        state = np.broadcast_to(material.rest_state(), shape)
    else:
        state = np.asarray(start, dtype=float)
        if state.shape != shape:
            raise BoundaryError(f"the start has shape {state.shape}; expected {shape}: samples, nodes, components")
        if not np.isfinite(state).all():
            sample, node, _ = np.argwhere(~np.isfinite(state))[0]
            raise BoundaryError(f"the start of sample {sample} is not finite at node {node}")
    state = np.where(boundary.clamped, boundary.values, state)
    # Kernels take contiguous arrays only.
    theta, state = np.ascontiguousarray(theta), np.ascontiguousarray(state)
    return Problem(material, boundary, theta, knobs, state, tolerance, max_iterations)
