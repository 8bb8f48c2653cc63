"""Elastic networks from jammed packings of disks and spheres: the field's standard disordered network."""

from __future__ import annotations

from math import ceil, pi
from typing import Literal

import numpy as np

from sandbox.errors import NetworkError
from sandbox.physics.graphs._checks import positive, whole
from sandbox.physics.graphs.dilution import dilute_rigidly
from sandbox.physics.graphs.jamming import core, jammed
from sandbox.physics.graphs.rigidity import is_rigid
from sandbox.physics.network import Network

MAX_SPHERES = 20_000
ATTEMPTS = 5


def packing(
    nodes: int = 64,
    coordination: float | None = None,
    seed: int = 0,
    dimension: int = 2,
    boundary: Literal["free", "periodic"] = "free",
) -> Network:
    """The contact network of a jammed packing of disks (2D) or spheres (3D), at an exact coordination.

    Soft spheres, half of them 1.4 times as large as the others, are relaxed in a periodic box and compressed until
    the contact network without rattlers has at least the asked coordination. For free boundaries the disk or ball of
    nodes around the middle of the box is cut out, and nodes left with fewer than D + 1 bonds are dropped, repeatedly;
    the packing is compressed until what remains has at least the asked coordination and no floppy modes. Then
    redundant bonds are removed at random down to the asked coordination, see
    :func:`~sandbox.physics.graphs.dilution.dilute_rigidly`. The bonds are unstressed at the reference positions: rest
    lengths are the lengths of the network, not the sphere diameters.

    Args:
        nodes: least number of nodes of the network that is returned: after rattlers are removed and boundaries cut.
            It has a few more where nodes come and go together.
        coordination: mean number of bonds per node, z = 2E/N, exact to a whole bond; 2 D + 0.5 by default. Rigidity
            needs 2 D - 2 D / N (periodic) or 2 D - D (D + 1) / N (free). Nodes at a boundary have fewer neighbours, so
            that small free networks cannot have many more.
        seed: of initial positions and removed bonds. One seed gives one network, but not on every machine: rounding
            can tip a packing into another minimum; keep the network itself where that matters.
        dimension: 2 or 3.
        boundary: "free", or "periodic" for a network with a cell and shifts.

    Returns:
        A network without floppy modes, in units of its mean bond length. A free one is centred on the origin and has
        the group ``boundary``: the nodes that lost a contact in cutting.

    Raises:
        NetworkError: if an argument is out of range, or no rigid network of this coordination was found.
    """
    dim = whole("dimension", dimension, 2, 3)
    least = 8 if boundary == "free" else {2: 16, 3: 40}[dim]
    nodes = whole(f"nodes of a {boundary} {dim}D packing", nodes, least, MAX_SPHERES // 2)
    z = 2 * dim + 0.5 if coordination is None else positive("coordination", coordination)
    if boundary not in ("free", "periodic"):
        raise NetworkError(f"boundary is {boundary!r}; expected 'free' or 'periodic'")
    fixed = dim if boundary == "periodic" else dim * (dim + 1) // 2
    if round(z * nodes / 2) < dim * nodes - fixed:
        lowest = 2 * dim - 2 * fixed / nodes
        raise NetworkError(
            f"coordination is {z}; a rigid {boundary} network of {nodes} nodes has at least {lowest:.5g}"
        )
    highest = 0.0
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([whole("seed", seed, 0, 2**63 - 1), attempt])
        network, reached = _try(nodes, z, dim, boundary, rng)
        highest = max(highest, reached)
        if network is not None:
            return network
    raise NetworkError(
        f"no rigid {boundary} packing of {nodes} nodes with coordination {z} was found in {ATTEMPTS} attempts; the "
        f"highest coordination met was {highest:.3f}: lower the coordination, or ask for more nodes or another seed"
    )


def _try(nodes: int, z: float, dim: int, boundary: str, rng: np.random.Generator) -> tuple[Network | None, float]:
    """One packing, compressed as far as sensible: the network if it worked out, and the highest coordination met."""
    free = boundary == "free"
    ball = pi / 4 if dim == 2 else pi / 6  # part of the box that the largest ball in it fills
    count = ceil((1.15 * nodes + 6 * nodes ** (1 - 1 / dim)) / ball) if free else ceil(1.05 * nodes) + 2
    highest = 0.0
    for contacts in jammed(count, dim, z + (dim / 2 if free else 0.0), rng):
        network = _cut(contacts, nodes) if free else contacts
        if network is None or network.n_nodes < nodes:
            continue
        highest = max(highest, network.coordination)
        if network.n_edges < round(z * network.n_nodes / 2) or not is_rigid(network):
            continue
        try:
            network = dilute_rigidly(network, coordination=z, seed=int(rng.integers(2**31)))
        except NetworkError:
            continue
        if is_rigid(network):
            return _scaled(network), highest
    return None, highest


def _cut(contacts: Network, nodes: int) -> Network | None:
    """The smallest ball around the middle of the box that leaves ``nodes`` nodes with D + 1 bonds each, if there is."""
    assert contacts.cell is not None
    dim, box = contacts.dimension, contacts.cell[0, 0]
    distance = np.linalg.norm(contacts.positions - box / 2, axis=1)
    order = np.argsort(distance, kind="stable")
    edges = contacts.edges[(contacts.shifts == 0).all(axis=1)]
    for size in range(nodes, np.count_nonzero(distance < box / 2) + 1):
        keep = np.zeros(contacts.n_nodes, dtype=bool)
        keep[order[:size]] = True
        keep = core(edges, keep, dim + 1)
        if np.count_nonzero(keep) >= nodes:
            break
    else:
        return None
    degrees = contacts.degrees[keep]
    inner = Network(contacts.positions, edges).keep_nodes(keep)
    return inner.with_groups(boundary=np.flatnonzero(inner.degrees < degrees))


def _scaled(network: Network) -> Network:
    """The same network with a mean bond length of one, and its centroid at the origin if it is free."""
    unit = float(network.lengths().mean())
    middle = 0.0 if network.cell is not None else network.positions.mean(axis=0)
    cell = None if network.cell is None else network.cell / unit
    return Network((network.positions - middle) / unit, network.edges, network.shifts / unit, cell, network.groups)
