"""What the kernels of dynamics are compiled for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox.physics.laws.law import EdgeLaw, NodeLaw

Bath = Literal["none", "friction", "langevin"]


@dataclass(frozen=True)
class Kind:
    """What kernels are compiled for: the kind of material and boundary, never one network.

    Args:
        projection: whether the variable of a bond is linear in the state (see ``Material.frame``).
        shifted: whether some bond crosses a periodic boundary; always true for ``projection``.
        pairs: whether there are springs across pairs.
        outside: whether there are external forces or springs to targets.
        driven: whether some clamped component moves.
        parallel: whether there are several samples.
        bath: what the velocities exchange with: nothing, friction, or friction and noise.
    """

    law: EdgeLaw
    node_law: NodeLaw | None
    dim: int
    projection: bool
    shifted: bool
    pairs: bool
    outside: bool
    driven: bool
    bath: Bath
    parallel: bool
