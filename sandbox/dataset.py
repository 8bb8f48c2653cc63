"""The dataset that every run starts from, the network; and how to tell whether a scene still builds the same."""

from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr

from sandbox.build import Setup


def network_dataset(setup: Setup) -> xr.Dataset:
    """Reference positions and edges, with the coordinates ``node`` and ``edge``."""
    network = setup.network
    return xr.Dataset(
        {
            "reference": (("node", "axis"), network.positions, {"long_name": "reference position"}),
            "ends": (("edge", "end"), network.edges, {"long_name": "nodes of each edge"}),
        },
        coords={"node": np.arange(network.n_nodes), "edge": np.arange(network.n_edges)},
    )


def fingerprint(setup: Setup) -> str:
    """SHA-256 of the network, the stiffnesses as built and the task's samples.

    They are functions of the scene, but for files and packages that they come from.
    """
    network = setup.network
    arrays = [network.positions, network.edges, setup.system.stiffness]
    if setup.scene.training is not None:
        task = setup.task
        arrays += [task.inputs, task.targets, task.train, task.test]
    total = hashlib.sha256()
    for array in arrays:
        total.update(repr((array.shape, array.dtype.str)).encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
