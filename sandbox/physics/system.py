"""What the bench and the relaxation ask of anything that relaxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from sandbox.errors import BoundaryError, SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, NotConverged
from sandbox.physics.knobs import Knobs
from sandbox.physics.network import Network

TOLERANCE = 1e-10
"""Default tolerance on each force, relative to the forces that meet at its node: well below the contrast of states at
beta = 1e-3.
"""

MAX_ITERATIONS = 500


@runtime_checkable
class System(Protocol):
    """A physical system with N nodes of D state components and P adjustable stiffnesses.

    :class:`~sandbox.physics.material.Material` implements it for networks of edges. A system that is not a sparse
    list of edges implements it itself; the bench and all controllers work on it unchanged. A system is immutable:
    stiffnesses and states are arguments and results.

    A system whose stiffnesses come in kinds may have ``stiffness_groups``, a mapping of names to slices of (P,). One
    that lets its stiffnesses go without seeking a joint minimum of state and stiffness says ``relaxes_jointly =
    False``; nobody then asks whether it is at one.
    """

    @property
    def network(self) -> Network:
        """Positions, edges and groups: for choosing terminals and for drawing."""
        ...

    @property
    def components(self) -> int:
        """D, the number of state components of a node."""
        ...

    @property
    def stiffness(self) -> np.ndarray:
        """(P,) stiffnesses as built."""
        ...

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,), (P,) lowest and highest stiffnesses that the system admits."""
        ...

    def rest_state(self) -> np.ndarray:
        """(N, D), the state from which a relaxation without a warm start begins."""
        ...

    def measure_pairs(self, state: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """(B, Q) readings across pairs of nodes (Q, 2) at states (B, N, D): distances, or differences s_j - s_i."""
        ...

    def relax(
        self,
        boundary: Boundary,
        stiffness: np.ndarray | None = None,
        *,
        knobs: Knobs | None = None,
        start: np.ndarray | None = None,
        tolerance: float = TOLERANCE,
        max_iterations: int = MAX_ITERATIONS,
        method: str = "auto",
        throw: bool = True,
    ) -> Equilibrium:
        """Relax every sample to a minimum of the energy.

        Args:
            boundary: clamps, forces and springs of B samples.
            stiffness: (P,); as built by default. Held, unless ``knobs`` are given.
            knobs: if given, the stiffnesses relax too, against these knobs, seeing the mean energy of the samples.
            start: (B, N, D) warm start.
            tolerance: on the force on each free component, relative to the sum of those that meet at its node. The
                state may be off by a thousand times as much, relative to the longest variable around.
            throw: whether a sample that did not reach a minimum raises; otherwise its status says so.

        Raises:
            NotConverged: with the report of all samples.
            NetworkError: for floppy or disconnected parts, before anything is solved.
        """
        ...

    def sensitivity(self, equilibrium: Equilibrium, boundary: Boundary, cost_gradient: np.ndarray) -> np.ndarray:
        """Exact gradient (P,) of a cost of the equilibrium state with respect to the stiffnesses, batch mean.

        ``cost_gradient`` is dC/ds, (B, N, D). One linear solve with the Hessian (the adjoint method). No agnostic
        controller can reach this; it is the yardstick.
        """
        ...


def stiffness_groups(system: System) -> Mapping[str, slice]:
    """Named groups of a system's stiffnesses; empty for a system that names none."""
    return getattr(system, "stiffness_groups", {})


def relaxes_jointly(system: System) -> bool:
    """Whether free stiffnesses and state end at a minimum of their joint energy."""
    return getattr(system, "relaxes_jointly", True)


def check_equilibrium(system: System, result: object, boundary: Boundary) -> None:
    """Look over what a system gave as its equilibrium: shapes, and finite where it says converged.

    Raises:
        SandboxError: naming the system, and what is wrong.
    """
    name = type(system).__name__
    if not isinstance(result, Equilibrium):
        raise SandboxError(f"{name}.relax gave a {type(result).__name__}; it must give an Equilibrium")
    batch = boundary.batch
    shapes = {"state": boundary.values.shape, "stiffness": system.stiffness.shape, "energy": (batch,)}
    for what, shape in {**shapes, "status": (batch,), "iterations": (batch,), "indefinite": (batch,)}.items():
        if np.shape(getattr(result, what)) != shape:
            raise SandboxError(f"{name}.relax gave {what} of shape {np.shape(getattr(result, what))}; expected {shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        sound = np.isfinite(result.state.sum()) and np.isfinite(np.dot(result.stiffness, result.stiffness))
    if sound or not result.converged.all():
        return
    bad = np.argwhere(~np.isfinite(result.state))
    if len(bad):
        sample, node, _ = bad[0]
        where = f"the state of node {node} in sample {sample}"
    elif np.isfinite(result.stiffness).all():
        return  # only the sum overflowed
    else:
        where, sample = f"stiffness {int(np.argmin(np.isfinite(result.stiffness)))}", 0
    raise SandboxError(
        f"{name}.relax says it converged, and {where} is not finite at iteration {int(result.iterations[sample])}"
    )


def check_sensitivity(equilibrium: Equilibrium, cost_gradient: np.ndarray) -> np.ndarray:
    """Look over what a system is asked the sensitivity of; returns the cost gradient, (B, N, D).

    Raises:
        BoundaryError: for a cost gradient of the wrong shape.
        NotConverged: if a sample is not at a minimum; there is no gradient to speak of.
    """
    pull = np.asarray(cost_gradient, dtype=float)
    if pull.shape != equilibrium.state.shape:
        raise BoundaryError(
            f"the cost gradient has shape {pull.shape}; expected {equilibrium.state.shape}: samples, nodes, components"
        )
    if not equilibrium.converged.all():
        raise NotConverged(equilibrium)
    return pull
