"""Choosing nodes: by side, by region, by distance, and the pairs of boundary nodes that allostery works on."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import numpy.typing as npt

from sandbox.errors import NetworkError
from sandbox.physics.network import Network, node_indices

SIDES = {"left": (0, -1), "right": (0, 1), "bottom": (1, -1), "top": (1, 1), "back": (2, -1), "front": (2, 1)}
"""Name of each side: the axis it is on, and whether it has the smallest (-1) or largest (+1) coordinate.

Axes are right-handed with z towards the viewer: the back has the smallest z, the front the largest."""


def side(network: Network, name: str, tolerance: float | None = None) -> np.ndarray:
    """Nodes at one side of the network.

    Args:
        name: left, right (smallest, largest x), bottom, top (y), back or front (z).
        tolerance: depth of the layer of nodes that counts as the side, in units of length; half the mean bond
            length by default.

    Returns:
        Indices of the nodes, ascending.

    Raises:
        NetworkError: if there is no such side in the network's dimension, or the tolerance is negative.
    """
    known = [key for key, (axis, _) in SIDES.items() if axis < network.dimension]
    if name not in known:
        raise NetworkError(f"a {network.dimension}D network has no side {name!r}; sides: {', '.join(known)}")
    if tolerance is None:
        tolerance = 0.5 * float(network.lengths().mean()) if network.n_edges else 0.0
    if not tolerance >= 0:
        raise NetworkError(f"tolerance is {tolerance}; expected a depth of zero or more, in units of length")
    axis, sign = SIDES[name]
    depth = sign * network.positions[:, axis]
    slack = 1e-9 * float(np.ptp(depth))  # rounding of coordinates that are equal on paper
    return np.flatnonzero(depth >= depth.max() - tolerance - slack)


def sides(network: Network, tolerance: float | None = None) -> dict[str, np.ndarray]:
    """Every side of the network by name, ready for ``network.with_groups(**sides(network))``; see :func:`side`."""
    names = [name for name, (axis, _) in SIDES.items() if axis < network.dimension]
    return {name: side(network, name, tolerance) for name in names}


def inside_ball(network: Network, center: npt.ArrayLike, radius: float) -> np.ndarray:
    """Indices of the nodes within ``radius`` of ``center`` (D,): an interval, a disk or a ball.

    Raises:
        NetworkError: if the centre has the wrong number of coordinates or the radius is negative.
    """
    middle = _point(network, "center", center)
    if not radius >= 0:
        raise NetworkError(f"radius is {radius}; expected a length of zero or more")
    return np.flatnonzero(np.linalg.norm(network.positions - middle, axis=1) <= radius)


def inside_box(network: Network, lower: npt.ArrayLike, upper: npt.ArrayLike) -> np.ndarray:
    """Indices of the nodes with ``lower <= x <= upper`` in every coordinate; both corners are (D,), edges included.

    Raises:
        NetworkError: if a corner has the wrong number of coordinates or ``lower`` exceeds ``upper``.
    """
    low, high = _point(network, "lower", lower), _point(network, "upper", upper)
    if (low > high).any():
        raise NetworkError(f"lower {low} exceeds upper {high}; swap the corners")
    return np.flatnonzero(((network.positions >= low) & (network.positions <= high)).all(axis=1))


def farthest_pair(network: Network, nodes: npt.ArrayLike | None = None) -> tuple[int, int]:
    """The two nodes farthest apart, among ``nodes`` (indices or a mask) or all; periodic images are not considered.

    Raises:
        NetworkError: if there are fewer than two nodes to choose from.
    """
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    chosen = np.arange(network.n_nodes) if nodes is None else np.unique(node_indices("nodes", nodes, network.n_nodes))
    if len(chosen) < 2:
        raise NetworkError(f"the farthest pair of {len(chosen)} nodes was asked for; give at least two")
    if len(chosen) > 500 and network.dimension > 1:  # the extremes are on the convex hull; flat sets have none
        with suppress(QhullError):
            chosen = np.sort(chosen[ConvexHull(network.positions[chosen]).vertices])
    rows, columns = np.triu_indices(len(chosen), 1)
    best = int(np.argmax(pdist(network.positions[chosen])))
    return int(chosen[rows[best]]), int(chosen[columns[best]])


def boundary_pairs(
    network: Network, seed: int = 0, *, group: str = "boundary", reach: float = 2.0
) -> tuple[tuple[int, int], tuple[int, int]]:
    """A source pair and a far target pair of boundary nodes, for allostery.

    Each pair is two neighbouring nodes of the boundary that no edge joins (so that their distance is free to change),
    each held by at least D + 1 edges. The source is drawn at random; the target is the pair whose midpoint is farthest
    from the source's. Neighbours share an edge of the Delaunay triangulation and are no farther apart than ``reach``;
    where too few do, any nodes within ``reach`` will do. Source and target pairs are those of Rocks et al., PNAS 114,
    2520 (2017).

    Args:
        seed: of the draw of the source; the same seed gives the same pairs.
        group: name of the group of boundary nodes.
        reach: largest distance of the two nodes of a pair, in mean bond lengths.

    Returns:
        ``((a, b), (c, d))``: source and target, four different nodes.

    Raises:
        NetworkError: if there is no such group, or fewer than two pairs without a common node.
    """
    from scipy.spatial import Delaunay, QhullError

    boundary = network.nodes(group)
    if network.dimension == 1:
        raise NetworkError("a 1D network has no boundary pairs; choose the nodes by hand")
    x = network.positions
    try:
        simplices = np.sort(Delaunay(x - x.mean(axis=0)).simplices, axis=1)
    except (QhullError, ValueError) as error:
        raise NetworkError("boundary pairs need nodes that do not all lie in one line or plane") from error
    i, j = np.triu_indices(len(boundary), 1)
    pairs = np.sort(boundary[np.stack([i, j], axis=1)], axis=1)
    near = np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1) <= reach * network.lengths().mean()
    joined = _among(pairs, np.sort(network.edges, axis=1), network.n_nodes)
    good = near & ~joined & (network.degrees[pairs] > network.dimension).all(axis=1)
    corners = np.stack(np.triu_indices(network.dimension + 1, 1), axis=1)
    adjacent = _among(pairs, simplices[:, corners].reshape(-1, 2), network.n_nodes)
    for choice in (pairs[good & adjacent], pairs[good]):
        middles = x[choice].mean(axis=1)
        for source in np.random.default_rng(seed).permutation(len(choice)):
            apart = np.flatnonzero(~np.isin(choice, choice[source]).any(axis=1))
            if len(apart):
                target = apart[np.argmax(np.linalg.norm(middles[apart] - middles[source], axis=1))]
                (a, b), (c, d) = choice[source].tolist(), choice[target].tolist()
                return (a, b), (c, d)
    raise NetworkError(
        f"group {group!r} ({len(boundary)} nodes) has too few pairs of near nodes that no edge joins: {good.sum()}, "
        f"where two without a common node are needed; raise reach above {reach}, or lower the coordination"
    )


def _among(pairs: np.ndarray, others: np.ndarray, n: int) -> np.ndarray:
    """Which rows of ``pairs`` (P, 2) are rows of ``others`` (Q, 2); nodes from 0 to n - 1, ascending in each row."""
    return np.isin(pairs @ np.array([n, 1]), others.astype(np.int64) @ np.array([n, 1]))


def _point(network: Network, name: str, value: npt.ArrayLike) -> np.ndarray:
    """``value`` as a point of the network's space, checked."""
    point = np.asarray(value, dtype=np.float64)
    if point.shape != (network.dimension,) or not np.isfinite(point).all():
        raise NetworkError(f"{name} is {value}; expected {network.dimension} finite coordinates")
    return point
