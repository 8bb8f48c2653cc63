"""Tanks at their limits: EPANET shuts the pipes that would fill a full tank or empty an empty one."""

from __future__ import annotations

import warnings

import numpy as np

from sandbox.errors import NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.suggestions import listed
from sandbox_pipes.hazen_williams import HazenWilliams
from sandbox_pipes.pipe_network import PipeNetwork

ROUNDS = 50
"""Times that the pipes at tanks are looked at: one or two will do, unless they open and shut in a circle."""


def shut_at_limits(network: PipeNetwork) -> PipeNetwork:
    """Leave out the pipes that EPANET shuts at the start because a tank is full or empty.

    The network is relaxed; a pipe at a full tank stays open where the head at its other end is below the tank's, one at
    an empty tank where it is above; and so on until nothing changes.

    Warns:
        UserWarning: naming tanks and pipes.

    Raises:
        NetworkError: if they open and shut in a circle, or if nodes are without water once they are shut.
    """
    if not network.limit.any():
        return network
    shut = np.zeros(network.n_edges, dtype=bool)
    for _ in range(ROUNDS):
        left = network.keep_edges(~shut)
        dry = left.dry()
        if dry:
            raise NetworkError(
                f"{_said(network, shut)}, and then no water comes to the nodes: {listed(dry)}; change its first level"
            )
        before, shut = shut, _shut(network, _heads(left))
        if (before == shut).all():
            break
    else:
        raise NetworkError(f"{_said(network, shut)}, and opens them again, in a circle; change its first level")
    if shut.any():
        warnings.warn(f"{_said(network, shut)}, as in EPANET; they are left out", UserWarning, stacklevel=3)
    return network.keep_edges(~shut)


def _heads(network: PipeNetwork) -> np.ndarray:
    """(N,) in m."""
    pipes = HazenWilliams().build(network, np.random.default_rng(0))
    fixed = np.flatnonzero(~np.isnan(network.head))
    boundary = Boundary.free(network.n_nodes, 1).clamp(fixed, network.head[fixed])
    return pipes.relax(boundary).state[0, :, 0]


def _shut(network: PipeNetwork, heads: np.ndarray) -> np.ndarray:
    """(E,) whether the flow in a pipe would fill a full tank or empty an empty one."""
    first, second = network.edges.T
    into_first = np.sign(heads[second] - heads[first])
    return (network.limit[first] * into_first > 0) | (network.limit[second] * -into_first > 0)


def _said(network: PipeNetwork, shut: np.ndarray) -> str:
    ends = np.unique(network.edges[shut])
    tanks = [
        f"{network.node_names[node]} is {'full' if network.limit[node] > 0 else 'empty'}"
        for node in ends[network.limit[ends] != 0]
    ]
    pipes = listed(network.pipe_names[e] for e in np.flatnonzero(shut))
    return f"tank {listed(tanks)} at the start, which shuts the pipes {pipes}"
