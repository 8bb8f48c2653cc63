"""Delaunay triangulations of points, and of the jittered grid that the benchmarks use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sandbox.errors import NetworkError
from sandbox.physics.graphs._checks import generator, whole
from sandbox.physics.groups import sides
from sandbox.physics.network import Network


def delaunay(positions: npt.ArrayLike) -> Network:
    """The Delaunay triangulation of points in 2D or 3D, with the groups left, right, bottom, top (back, front).

    Args:
        positions: the points, (N, D), in units of length.

    Returns:
        A network with the points as nodes, in their order, and each edge of the triangulation once, ``i < j``, sorted.

    Raises:
        NetworkError: if D is not 2 or 3, there are too few points, all lie in a line or plane, or two coincide.
    """
    from scipy.spatial import Delaunay, QhullError

    points = np.asarray(positions, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise NetworkError(f"positions have shape {points.shape}; expected (N, 2) or (N, 3) points to triangulate")
    if not np.isfinite(points).all():
        raise NetworkError("positions contain a coordinate that is not finite; remove that point")
    dim = points.shape[1]
    try:
        triangulation = Delaunay(points - points.mean(axis=0))  # far from the origin Qhull takes neighbours for one
    except (QhullError, ValueError) as error:
        raise NetworkError(
            f"{len(points)} points cannot be triangulated: at least {dim + 1} are needed, "
            f"not all in one {'line' if dim == 2 else 'plane'}"
        ) from error
    if len(triangulation.coplanar):
        point, _, twin = triangulation.coplanar[0]
        raise NetworkError(f"points {twin} and {point} are too close to be told apart; remove one or move it")
    network = Network(points.copy(), simplex_edges(triangulation.simplices, len(points)))
    return network.with_groups(**sides(network))


def simplex_edges(simplices: np.ndarray, n: int) -> np.ndarray:
    """Each edge of simplices (S, D + 1) of n nodes once, (E, 2), ``i < j``, sorted."""
    corners = np.sort(simplices, axis=1).astype(np.int64)
    rows, columns = np.triu_indices(corners.shape[1], 1)
    codes = np.unique(corners[:, rows] * n + corners[:, columns])
    return np.stack(np.divmod(codes, n), axis=1)


def jittered_grid(side: int, jitter: float = 0.3, seed: int = 0) -> Network:
    """A square grid over the unit square, each node moved at random, Delaunay-triangulated: ~3 edges per node.

    Nodes of the outer rows and columns move along their side only, and the corners stay. (Where they leave it, the
    triangulation joins nodes all along the side, with edges that short-circuit the network.) So the number of edges is
    always ``3 N - 3 - 4 (side - 1)``.

    Args:
        side: number of nodes along each side, 2 or more; node ``column * side + row`` comes from the given column
            (along x) and row (along y).
        jitter: largest displacement along each axis, in grid spacings, from 0 (where the diagonals that make the
            triangles are arbitrary) to below 0.5.
        seed: of the displacements.

    Returns:
        A network whose groups left, right, bottom and top are the outer columns and rows.

    Raises:
        NetworkError: if an argument is out of range.
    """
    side = whole("side", side, 2, 3_000)
    if not 0 <= jitter < 0.5:
        raise NetworkError(f"jitter is {jitter}; expected 0 to below 0.5 grid spacings, so that nodes stay in order")
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1).reshape(-1, 2)
    moves = generator(seed).uniform(-jitter, jitter, grid.shape)
    moves[(grid == 0) | (grid == side - 1)] = 0.0
    network = delaunay((grid + moves) / (side - 1))
    column, row = grid.T
    return network.with_groups(left=column == 0, right=column == side - 1, bottom=row == 0, top=row == side - 1)
