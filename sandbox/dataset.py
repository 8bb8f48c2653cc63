"""The dataset that every run starts from: the network."""

from __future__ import annotations

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
