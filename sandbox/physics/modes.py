"""Small motions about a state: the Hessian, the normal modes, and the longest stable time step.

Assembled by NumPy from the laws, independently of the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import eigsh

from sandbox.errors import NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.material import Material
from sandbox.physics.transverse import SHORTEST, across

MAX_DENSE = 6000
"""Free components beyond which normal modes, which need all of a dense matrix, are refused (0.3 GB, minutes)."""

SMALL = 60
"""Free components up to which the highest frequency is found by the dense eigensolver, which is as fast there."""


@dataclass(frozen=True, eq=False)
class Modes:
    """Normal modes of the free components of a system, in ascending order.

    Attributes:
        frequencies: (M,) angular frequencies, radians per unit of time. Where the state is unstable, so that the
            square of the frequency is negative, minus the rate of growth. Zero where the square is no larger than its
            rounding: of a rigid motion, say.
        shapes: (M, N, D) displacements, zero where clamped, normalized so that ``sum(mass*shape**2) = 1``.
    """

    frequencies: np.ndarray
    shapes: np.ndarray


def hessian(
    material: Material,
    state: np.ndarray | None = None,
    *,
    boundary: Boundary | None = None,
    stiffness: np.ndarray | None = None,
) -> csr_array:
    """Second derivatives of the energy at one state, (N*D, N*D), clamped components included.

    Args:
        state: (N, D); the rest state by default.
        boundary: its springs are included, with the targets of its first sample.
        stiffness: (E,); as built by default.
    """
    network, dim = material.network, material.components
    pairs = np.zeros((0, 2), dtype=np.int32) if boundary is None else boundary.pairs
    s = material.rest_state() if state is None else np.asarray(state, dtype=float)
    if s.shape != (network.n_nodes, dim):
        raise NetworkError(f"the state has shape {s.shape}; expected {(network.n_nodes, dim)}: nodes, components")
    theta = material.stiffness if stiffness is None else np.asarray(stiffness, dtype=float)
    v = material.measure_edges(s)
    terms = material.law.on_numpy(v, theta, *(material.parameters[name] for name in material.law.fixed))
    slope, curvature = terms[1], terms[2]
    ends = network.edges
    if boundary is not None and len(pairs):
        v_pairs, k = material.measure_pairs(s, pairs), boundary.pair_stiffness
        slope = np.concatenate([slope, k * (v_pairs - boundary.pair_targets[0])])
        curvature, v = np.concatenate([curvature, k]), np.concatenate([v, v_pairs])
        ends = np.concatenate([ends, pairs])
    frame = material.frame(pairs)
    if material.geometry == "distance":
        along = (s[ends[:, 1]] - s[ends[:, 0]] + frame[:, :dim]) / np.maximum(v, SHORTEST)[:, None]
        reach = np.abs(s[ends]).sum(axis=(1, 2))
        turning = across(slope, curvature, v, reach)
    else:
        along, turning = frame[:, :dim], np.zeros(len(v))
    blocks = (curvature - turning)[:, None, None] * along[:, :, None] * along[:, None, :]
    blocks = blocks + turning[:, None, None] * np.eye(dim)
    i, j = (ends[:, side, None] * dim + np.arange(dim) for side in (0, 1))
    rows, columns, values = [], [], []
    for a, b, sign in ((i, i, 1.0), (j, j, 1.0), (i, j, -1.0), (j, i, -1.0)):
        rows.append(np.broadcast_to(a[:, :, None], blocks.shape).ravel())
        columns.append(np.broadcast_to(b[:, None, :], blocks.shape).ravel())
        values.append(sign * blocks.ravel())
    own = np.zeros(s.shape)
    if material.node_law is not None:
        own += material.node_law.on_numpy(s, *material.node_parameters.values())[2]
    if boundary is not None:
        own += boundary.spring_stiffness
    every = np.arange(s.size)
    entries = (
        np.concatenate([*values, own.ravel()]),
        (np.concatenate([*rows, every]), np.concatenate([*columns, every])),
    )
    return coo_array(entries, shape=(s.size, s.size)).tocsr()


def normal_modes(
    material: Material,
    boundary: Boundary,
    *,
    masses: npt.ArrayLike = 1.0,
    state: np.ndarray | None = None,
    stiffness: np.ndarray | None = None,
    count: int | None = None,
) -> Modes:
    """Normal modes of the free components about a state, by a dense eigensolver (LAPACK).

    Args:
        boundary: clamps, springs; the targets of its first sample.
        masses: one, or (N,).
        state: (N, D), meant to be an equilibrium; the rest state by default.
        stiffness: (E,); as built by default.
        count: only so many modes, the lowest.

    Raises:
        NetworkError: for masses that are not positive, or more than :data:`MAX_DENSE` free components.
    """
    m = np.repeat(check_masses(masses, material.network.n_nodes), material.components)
    free = np.flatnonzero(~boundary.clamped.ravel())
    if len(free) > MAX_DENSE:
        raise NetworkError(
            f"normal modes of {len(free)} free components need a dense matrix; the limit is {MAX_DENSE}. Take a "
            "smaller system, or scipy.sparse.linalg.eigsh on sandbox.physics.modes.hessian"
        )
    h = hessian(material, state, boundary=boundary, stiffness=stiffness)
    root = np.sqrt(m[free])
    dense = h[free][:, free].toarray() / root[:, None] / root
    last = len(free) if count is None else min(count, len(free))
    if last < 1:
        return Modes(np.zeros(0), np.zeros((0, *boundary.clamped.shape)))
    squares, vectors = eigh(dense, subset_by_index=(0, last - 1))
    shapes = np.zeros((last, m.size))
    shapes[:, free] = (vectors / root[:, None]).T
    stiffest = float(np.abs(dense).sum(axis=1).max(initial=0.0))  # at least the largest square
    squares = np.where(np.abs(squares) <= len(free) * np.finfo(float).eps * stiffest, 0.0, squares)
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares))
    return Modes(frequencies, shapes.reshape(last, *boundary.clamped.shape))


def highest_frequency(
    material: Material,
    boundary: Boundary,
    *,
    masses: npt.ArrayLike = 1.0,
    state: np.ndarray | None = None,
    stiffness: np.ndarray | None = None,
) -> float:
    """Find the highest angular frequency of small motions about a state, radians per unit of time, by Lanczos steps.

    ``2/omega`` is the longest time step at which velocity Verlet is stable, exactly; :func:`stable_time_step` is the
    cheaper bound. Arguments as for :func:`normal_modes`; 0 where nothing pulls, or nothing can move.
    """
    m = np.repeat(check_masses(masses, material.network.n_nodes), material.components)
    free = np.flatnonzero(~boundary.clamped.ravel())
    if len(free) == 0:
        return 0.0
    h = hessian(material, state, boundary=boundary, stiffness=stiffness)[free][:, free]
    root = 1 / np.sqrt(m[free])
    scaled = csr_array(h * root[:, None] * root[None, :])
    if len(free) <= SMALL:
        square = float(eigh(scaled.toarray(), eigvals_only=True)[-1])
    else:
        start = np.cos(np.arange(len(free)))  # any will do that is the same each time
        square = float(eigsh(scaled, k=1, which="LA", v0=start, return_eigenvectors=False)[0])
    return float(np.sqrt(max(square, 0.0)))


def stable_time_step(
    material: Material,
    *,
    masses: npt.ArrayLike = 1.0,
    state: np.ndarray | None = None,
    boundary: Boundary | None = None,
    stiffness: np.ndarray | None = None,
) -> float:
    """A time step up to which velocity Verlet is stable for small motions about a state, in units of time.

    ``2/omega``, with omega bounded from above by Gershgorin's circles around the Hessian over the masses: exact for a
    chain at its zone boundary, at most a few tens of percent too small in lattices. Accurate motion needs a fifth of
    it or less; large motions of a nonlinear law may need less too. Infinite where nothing pulls.

    Args:
        masses: one, or (N,).
        state: (N, D); the rest state by default.
        boundary: its springs are counted, and clamped components do not move.
        stiffness: (E,); as built by default.
    """
    m = np.repeat(check_masses(masses, material.network.n_nodes), material.components)
    h = abs(hessian(material, state, boundary=boundary, stiffness=stiffness))
    free = np.ones(m.size) if boundary is None else (~boundary.clamped.ravel()).astype(float)
    square = np.max(free * (h @ free) / m, initial=0.0)
    return 2.0 / float(np.sqrt(square)) if square > 0 else float("inf")


def check_masses(masses: npt.ArrayLike, n_nodes: int) -> np.ndarray:
    """(N,) masses, positive and finite.

    Raises:
        NetworkError: naming the node.
    """
    given = np.asarray(masses, dtype=float)
    if given.shape not in ((), (1,), (n_nodes,)):
        raise NetworkError(f"masses have shape {given.shape}; expected one value, or one per node, ({n_nodes},)")
    m = np.broadcast_to(given, (n_nodes,))
    bad = np.flatnonzero(~(np.isfinite(m) & (m > 0)))
    if len(bad):
        raise NetworkError(f"node {bad[0]} has the mass {m[bad[0]]}; masses are positive and finite")
    return m
