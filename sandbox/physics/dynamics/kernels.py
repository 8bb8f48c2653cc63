"""The kernels of dynamics: one pass over the network for each time step.

A pass at step n takes the positions x_n, evaluates the forces there, completes the velocities v_n, lets them be
recorded, and goes on to x_{n+1} (see :mod:`sandbox.physics.dynamics.motion`). One evaluation of the forces a step, and
a run can start at any (x_n, v_n). Two forms of it give the same bits: by sample, and by node.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from sandbox.physics import runtime
from sandbox.physics.dynamics.bond_functions import bond_functions
from sandbox.physics.dynamics.by_node import by_node_kernel
from sandbox.physics.dynamics.by_sample import by_sample_kernel
from sandbox.physics.dynamics.energies import energies_kernel
from sandbox.physics.dynamics.kind import Kind
from sandbox.physics.dynamics.motion import mover, walls_kernel
from sandbox.physics.dynamics.node_functions import node_functions
from sandbox.physics.launch import Direct


class Kernels(NamedTuple):
    by_sample: Callable[..., None]
    by_node: Callable[..., None]
    measure: Callable[..., None]
    set_walls: Callable[..., None]


@lru_cache(maxsize=64)
def dynamics_kernels(kind: Kind) -> Kernels:
    """The kernels for one kind of system; each is compiled at its first call.

    Arrays are flat: component c of node i of sample b is at ``(b*N + i)*D + c`` where it depends on the sample, at
    ``i*D + c`` where it does not.
    """
    runtime.start()
    bonds, nodes = bond_functions(kind), node_functions(kind)
    move = mover(kind, nodes)
    return Kernels(
        Direct(by_sample_kernel(kind, bonds, nodes, move)),
        Direct(by_node_kernel(kind, bonds, move)),
        Direct(energies_kernel(kind, bonds, nodes)),
        walls_kernel(kind),
    )
