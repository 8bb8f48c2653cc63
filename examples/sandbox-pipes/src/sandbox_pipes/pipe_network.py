"""Networks of pipes, with what is drawn from them and held in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sandbox.errors import NetworkError
from sandbox.physics.network import Network


@dataclass(frozen=True, eq=False, repr=False)
class PipeNetwork(Network):
    """A network that knows its pipes and what is drawn from it.

    Args:
        node_names: (N,) as in the file: junctions, then tanks, then reservoirs.
        pipe_names: (E,) as in the file; closed pipes are left out.
        length: (E,) in m.
        diameter: (E,) in m.
        roughness: (E,) coefficients C of Hazen and Williams.
        demand: (N,) drawn at each node, m^3/s.
        head: (N,) at which tanks and reservoirs hold the water, m; NaN at junctions.
        limit: (N,) 1 for a tank that is full and cannot overflow, -1 for one that is empty, 0 elsewhere.

    Raises:
        NetworkError: for arrays that do not have a number for each pipe, or each node.
    """

    node_names: tuple[str, ...] = ()
    pipe_names: tuple[str, ...] = ()
    length: np.ndarray = None  # type: ignore[assignment]
    diameter: np.ndarray = None  # type: ignore[assignment]
    roughness: np.ndarray = None  # type: ignore[assignment]
    demand: np.ndarray = None  # type: ignore[assignment]
    head: np.ndarray = None  # type: ignore[assignment]
    limit: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit is None:
            object.__setattr__(self, "limit", np.zeros(self.n_nodes))
        of_pipes, of_nodes = ("length", "diameter", "roughness"), ("demand", "head", "limit")
        for names, count in ((of_pipes, self.n_edges), (of_nodes, self.n_nodes)):
            for name in names:
                array = np.array(getattr(self, name), dtype=float)
                if array.shape != (count,):
                    raise NetworkError(f"{name} of a network of pipes has shape {array.shape}; expected ({count},)")
                array.flags.writeable = False
                object.__setattr__(self, name, array)

    def keep_edges(self, keep: npt.ArrayLike) -> PipeNetwork:
        which = np.arange(self.n_edges)[np.asarray(keep)]
        return replace(
            self,
            edges=self.edges[which],
            shifts=self.shifts[which],
            edge_values={name: values[which] for name, values in self.edge_values.items()},
            pipe_names=tuple(self.pipe_names[e] for e in which),
            length=self.length[which],
            diameter=self.diameter[which],
            roughness=self.roughness[which],
        )

    def dry(self) -> list[str]:
        """Names of the nodes to which no pipe leads from a tank or a reservoir."""
        label = self.components()
        wet = np.isin(label, label[~np.isnan(self.head)])
        return [name for name, has in zip(self.node_names, wet, strict=True) if not has]
