"""Relaxing a layered system: its stiffnesses held, free, or let go once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sandbox.errors import BoundaryError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, NotConverged, Status
from sandbox.physics.knobs import Knobs
from sandbox_layered.connections import Dense
from sandbox_layered.couplings import Coupling, Free, FreeByOverlaps, Held, Springs
from sandbox_layered.curvature import lowest_curvature
from sandbox_layered.energies import Product
from sandbox_layered.imposed import Imposed, imposed_on
from sandbox_layered.stiffnesses import per_bias
from sandbox_layered.sweeps import Settled, States, Sweeper, settle

if TYPE_CHECKING:
    from sandbox_layered.system import LayeredSystem

FINEST = {"float32": 1e-5, "float64": 0.0}
"""Smallest tolerance that states of a precision can be relaxed to, with some room."""

KICK = 1e-3
"""Length of the step off a saddle, relative to the length of the state: the sweeps do the rest."""

FLAT = 1e-9
"""Curvatures below minus this count as negative: stiffnesses of units are of order 1, Ritz values good to rounding."""


def relax(
    system: LayeredSystem,
    boundary: Boundary,
    theta: np.ndarray,
    knobs: Knobs | None,
    start: np.ndarray | None,
    tolerance: float,
    max_iterations: int,
    throw: bool,
) -> Equilibrium:
    """See :meth:`sandbox_layered.system.LayeredSystem.relax`."""
    if knobs is not None and knobs.coupling != "quadratic":
        raise BoundaryError(
            f"a layered network takes quadratic knobs; got {knobs.coupling!r}: set coupling = 'quadratic'"
        )
    dtype = np.dtype(np.float32 if system.precision == "single" else np.float64)
    if tolerance < FINEST[dtype.name]:
        raise BoundaryError(
            f"{system.precision} precision does not resolve forces of {tolerance:g} of the largest; ask for a "
            f"tolerance of {FINEST[dtype.name]:g} or more, or for precision = 'double'"
        )
    imposed = imposed_on(system.layers, system.box, boundary, dtype)
    states = _started(system, imposed, start, boundary.batch)
    joint = knobs if system.stiffness_relaxations == "joint" else None
    sweeper = held_sweeper(system, imposed, theta)
    with np.errstate(over="ignore", invalid="ignore"):
        if joint is None:
            end = settle(sweeper, states, tolerance, max_iterations)
            curvature, met = np.nan, 0
        else:
            sweeper, end, curvature, met = _settle_jointly(system, imposed, joint, states, tolerance, max_iterations)
        energy = _energy(system, sweeper, end.states)
        if knobs is not None:
            theta = _let_go(system, knobs, end.states)
    result = Equilibrium(
        state=system.layers.join(end.states)[..., None].astype(float, copy=False),
        stiffness=theta,
        stiffness_force=lambda: stiffness_force(system, end.states),  # pyright: ignore[reportArgumentType]
        energy=energy.astype(float, copy=False),
        residual=end.residual,
        iterations=end.iterations,
        status=end.status,
        curvature_bound=np.full(boundary.batch, curvature),
        indefinite=np.full(boundary.batch, met),
        method="sweeps",
    )
    if throw and not result.converged.all():
        raise NotConverged(result)
    return result


def held_sweeper(system: LayeredSystem, imposed: list[Imposed], theta: np.ndarray) -> Sweeper:
    """Sweeps at stiffnesses theta (P,).

    Raises:
        BoundaryError: if a spring leaves a free unit without positive stiffness.
    """
    layout, dtype = system.layout, imposed[0].push.dtype

    def held(c: int) -> Held:
        weights, biases = (
            part.astype(dtype, copy=False) for part in (layout.weights(theta, c), layout.biases(theta, c))
        )
        return Held(system.wirings[c], system.energy, weights, biases, imposed[c].still)

    couplings: list[Coupling] = [held(c) for c in range(1, len(system.wirings))]
    # What clamped inputs send is the most expensive product of a relaxation.
    inputs = imposed[0]
    couplings.insert(0, system.from_inputs.get(theta, lambda: held(0), inputs.values) if inputs.still else held(0))
    sweeper = Sweeper(couplings, imposed, system.energy.own)
    sweeper.check_springs()
    return sweeper


def stiffness_force(system: LayeredSystem, states: States) -> np.ndarray:
    """(P,) dE/dtheta, mean over the samples."""
    layout, force = system.layout, np.empty(system.layout.size)
    for c, wiring in enumerate(system.wirings):
        pre, post = states[c], states[c + 1]
        system.energy.force(wiring, pre, wiring.unfold(pre), post, layout.weights(force, c))
        if layout.biased:
            layout.biases(force, c)[:] = -per_bias(post, wiring)
    return force


def springs(system: LayeredSystem, knobs: Knobs, connection: int) -> tuple[Springs, Springs]:
    """Knobs of the weights and of the biases of a connection."""
    layout, u, eps = system.layout, knobs.values, knobs.compliance
    common = system.common_compliances.get(eps, lambda: _common_compliances(system, eps))[connection]
    bounds = None if system.weight_bounds == (-np.inf, np.inf) else system.weight_bounds
    return (
        Springs(layout.weights(u, connection), layout.weights(eps, connection), bounds, common),
        Springs(layout.biases(u, connection), layout.biases(eps, connection)),
    )


def _common_compliances(system: LayeredSystem, eps: np.ndarray) -> list[float | None]:
    """The compliance of all weights of a connection, where it is one."""
    groups = [system.layout.weights(eps, c) for c in range(len(system.wirings))]
    return [float(part[0]) if len(part) and part.min() == part.max() else None for part in groups]


def _let_go(system: LayeredSystem, knobs: Knobs, states: States) -> np.ndarray:
    """(P,) stiffnesses at rest under the knobs and the states."""
    layout, theta = system.layout, np.empty(system.layout.size)
    for c, wiring in enumerate(system.wirings):
        (weights, biases), (pre, post) = springs(system, knobs, c), states[c : c + 2]
        at_rest, compliance = layout.weights(theta, c), weights.common
        if compliance is None:
            system.energy.force(wiring, pre, wiring.unfold(pre), post, at_rest)
            weights.rest(at_rest, at_rest)
        else:
            system.energy.force(wiring, pre, wiring.unfold(pre), post, at_rest, -compliance, onto=weights.values)
            weights.confine(at_rest)
        if layout.biased:
            biases.rest(-per_bias(post, wiring), layout.biases(theta, c))
    return theta


def _started(system: LayeredSystem, imposed: list[Imposed], start: np.ndarray | None, batch: int) -> States:
    n = system.network.n_nodes
    given = system.rest_state()[None] if start is None else np.asarray(start, dtype=float)
    if given.shape not in ((1, n, 1), (batch, n, 1)) or not np.isfinite(given).all():
        raise BoundaryError(f"the start must be finite and of shape {(batch, n, 1)}; got {given.shape}")
    parts = system.layers.split(np.broadcast_to(given[..., 0], (batch, n)), imposed[0].push.dtype)
    return [here.confine(part) for here, part in zip(imposed, parts, strict=True)]


def _free_sweeper(system: LayeredSystem, imposed: list[Imposed], knobs: Knobs, overlaps: bool) -> Sweeper:
    """Sweeps with free stiffnesses; ``overlaps``: whether weights may be left uncomputed."""
    couplings: list[Coupling] = []
    for c, wiring in enumerate(system.wirings):
        weights, biases = springs(system, knobs, c)
        cheap = (
            overlaps and isinstance(wiring, Dense) and isinstance(system.energy, Product) and weights.common is not None
        )
        kind = FreeByOverlaps if cheap else Free
        couplings.append(kind(wiring, system.energy, weights, biases, imposed[c].still))
    return Sweeper(couplings, imposed, system.energy.own)


def _settle_jointly(
    system: LayeredSystem,
    imposed: list[Imposed],
    knobs: Knobs,
    states: States,
    tolerance: float,
    max_iterations: int,
) -> tuple[Sweeper, Settled, float, int]:
    """Sweeps with free stiffnesses to a minimum; also the lowest curvature there, and the saddles left behind."""
    used = np.zeros(len(states[0]), dtype=int)
    saddles = 0
    sweeper = _free_sweeper(system, imposed, knobs, overlaps=True)
    while True:
        end = settle(sweeper, states, tolerance, max_iterations - int(used.max()))
        used += end.iterations
        end.iterations = used
        if not (end.status == Status.CONVERGED).all():
            return sweeper, end, np.nan, saddles
        states = end.states
        if _beyond_bounds(system, sweeper, states):
            sweeper = _free_sweeper(system, imposed, knobs, overlaps=False)
            if used.max() < max_iterations:
                continue
            end.status[:] = Status.OUT_OF_ITERATIONS
            return sweeper, end, np.nan, saddles
        curvature, direction = lowest_curvature(sweeper, states)
        if curvature >= -FLAT:
            return sweeper, end, curvature, saddles
        if used.max() >= max_iterations:
            end.status[:] = Status.SINGULAR
            return sweeper, end, curvature, saddles
        saddles += 1
        length = KICK * np.sqrt(sum(float(np.vdot(part, part)) for part in states))
        states = [
            here.confine(part + length * step) for here, part, step in zip(imposed, states, direction, strict=True)
        ]


def _beyond_bounds(system: LayeredSystem, sweeper: Sweeper, states: States) -> bool:
    """Whether weights that were left uncomputed rest outside their bounds."""
    for c, coupling in enumerate(sweeper.couplings):
        if isinstance(coupling, FreeByOverlaps) and coupling.beyond_bounds(states[c], states[c + 1]):
            return True
    return False


def _energy(system: LayeredSystem, sweeper: Sweeper, states: States) -> np.ndarray:
    """(B,) of units, connections, forces and springs."""
    sweeper.refresh(states)
    total = np.zeros(len(states[0]))
    for here, part in zip(sweeper.imposed, states, strict=True):
        total = total + here.energy(part) + system.energy.own / 2 * _dot(part, part)
    for c, coupling in enumerate(sweeper.couplings):
        pre, post = states[c], states[c + 1]
        before, after = coupling.loads()
        if np.any(before) or np.any(after):
            total = total + _dot(before * pre, pre) / 2 + _dot(after * post, post) / 2
        total = total - _dot(coupling.to_post(pre, post), post)
    return total


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(B,) sums over the units of (B, n)."""
    return np.einsum("bi,bi->b", left, right)
