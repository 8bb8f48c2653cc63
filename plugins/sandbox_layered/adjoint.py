"""The exact gradient of a cost of the equilibrium: the adjoint state by the same sweeps, on the units that respond."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sandbox.errors import NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.system import check_sensitivity
from sandbox_layered.imposed import imposed_on
from sandbox_layered.relaxation import held_sweeper
from sandbox_layered.stiffnesses import per_bias
from sandbox_layered.sweeps import settle

if TYPE_CHECKING:
    from sandbox_layered.system import LayeredSystem

TOLERANCE = 1e-13  # on the forces of the adjoint problem, relative to the largest
MAX_SWEEPS = 20_000


def adjoint_gradient(
    system: LayeredSystem, equilibrium: Equilibrium, boundary: Boundary, cost_gradient: np.ndarray
) -> np.ndarray:
    """Gradient (P,) of the batch-mean cost with respect to the stiffnesses, held at those of the equilibrium.

    With H the Hessian on the units that are free and inside their box, ``H lambda = dC/ds`` and ``dC/dtheta =
    -lambda . d2E/ds dtheta``. Block Gauss-Seidel sweeps converge, as they did to the equilibrium, if H is positive.

    Raises:
        BoundaryError: for a cost gradient of the wrong shape.
        NotConverged: if a sample is not at a minimum.
        NetworkError: if the sweeps do not converge: the equilibrium is not stable, or barely.
    """
    pull = check_sensitivity(equilibrium, cost_gradient)
    layers, layout = system.layers, system.layout
    imposed = imposed_on(layers, system.box, boundary)
    states = layers.split(equilibrium.state[..., 0])
    # The adjoint state is the rest state of another layered network: no biases, dC/ds for forces, no box, and units
    # that do not respond held at zero.
    theta = equilibrium.stiffness.copy()
    for c in range(len(system.wirings)):
        layout.biases(theta, c)[:] = 0.0
    posed = [
        replace(
            here,
            clamped=~here.inside(part),
            values=np.zeros_like(part),
            push=pulled,
            low=np.full_like(here.low, -np.inf),
            high=np.full_like(here.high, np.inf),
            loose=False,
        )
        for here, part, pulled in zip(imposed, states, layers.split(pull[..., 0]), strict=True)
    ]
    found = settle(held_sweeper(system, posed, theta), [here.values for here in posed], TOLERANCE, MAX_SWEEPS)
    if not (found.status == Status.CONVERGED).all():
        raise NetworkError(
            "the sweeps for the adjoint state do not converge: the equilibrium is not stable, or barely; relax to a "
            "smaller tolerance, or lower the weights"
        )
    adjoint = found.states
    gradient = np.empty(layout.size)
    for c, wiring in enumerate(system.wirings):
        ends = slice(c, c + 2)
        (pre, post), (pre_adjoint, post_adjoint) = states[ends], adjoint[ends]
        change = system.energy.force_change(wiring, (pre, post), (pre_adjoint, post_adjoint))
        np.negative(change, out=layout.weights(gradient, c))
        if layout.biased:
            layout.biases(gradient, c)[:] = per_bias(post_adjoint, wiring)
    return gradient
