"""The force on every stiffness as a contrastive rule computes it: from the true energy, or from an assumed one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sandbox.bench import WhiteBox
from sandbox.errors import SandboxError
from sandbox.physics.material import Material

AssumedLaw = Literal["own", "linear"]
"""``"own"``: the energy that the system has. ``"linear"``: edges taken for linear ones, whatever they are."""


def stiffness_force(box: WhiteBox, law: AssumedLaw) -> np.ndarray:
    """Force f = dE/dtheta (P,), mean over the samples, at the equilibrium under what is now clamped and nudged.

    The state relaxes if it is not at rest. Under ``"linear"`` the energy is taken to be ``theta/2*(v - v0)**2`` on
    every edge, v being its drop with v0 = 0, or its length with v0 its parameter ``l``, the rest length (its
    reference length if it has no such parameter), so that ``f = (v - v0)**2/2``. The state it is computed from is the
    true one all the same.

    Raises:
        SandboxError: under ``"linear"``, for a system that is not made of edges, or whose rest lengths are learned.
    """
    rest = box.settle()
    if law == "own":
        return rest.stiffness_force
    system = box.system
    if not isinstance(system, Material):
        raise SandboxError(
            f"assumed_law = 'linear' is about edges, and this system ({type(system).__name__}) is not made of edges; "
            "use assumed_law = 'own'"
        )
    if system.law.stiffness == "l":
        raise SandboxError(
            "assumed_law = 'linear' takes the stiffness for a factor of the energy, and here the rest lengths l are "
            "learned; use assumed_law = 'own'"
        )
    relaxed = 0.0 if system.law.variable == "d" else system.parameters.get("l", system.network.lengths())
    return 0.5 * ((system.measure_edges(rest.state) - relaxed) ** 2).mean(axis=0)
