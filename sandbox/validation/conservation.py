"""Conservation laws: currents and forces at rest; momentum, angular momentum and energy in motion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics import simulate
from sandbox.physics.graphs import jittered_grid, triangular
from sandbox.physics.laws.library import POWER_LAW, SPRING
from sandbox.physics.material import Material
from sandbox.validation.check import Check

GROUP = "conservation"


def checks() -> Iterator[Check]:
    inside, through = currents()
    yield Check(GROUP, "current lost at a free node, relative to the largest", inside, 1e-8)
    yield Check(GROUP, "what flows in flows out, relative", through, 1e-8)
    yield Check(GROUP, "forces of the walls on a stretched lattice cancel, relative", walls(), 1e-8)
    momentum, angular = motion()
    yield Check(GROUP, "momentum of a free lattice, relative change in 2,000 steps", momentum, 1e-12)
    yield Check(GROUP, "angular momentum, relative change in 2,000 steps", angular, 1e-10)
    yield Check(GROUP, "order of the energy's drift in the time step: 2", drift_order(), 2.1, 1.9)


def currents() -> tuple[float, float]:
    """In a network of pipes: largest net current at a free node, and the sum over the clamped ones."""
    network = jittered_grid(9, seed=5)
    k = np.random.default_rng(5).lognormal(0, 0.5, network.n_edges)
    material = Material(network, POWER_LAW, {"k": k, "n": 0.54, "delta": 1e-6})
    held = [0, 40, 80]
    rest = material.relax(Boundary.free(network.n_nodes, 1).clamp(held, [[1.0], [0.3], [0.0]]))
    flow = material.tension(rest.state)[0]
    i, j = network.edges.T
    net = np.bincount(i, flow, network.n_nodes) - np.bincount(j, flow, network.n_nodes)
    free = np.delete(net, held)
    return float(np.abs(free).max() / np.abs(flow).max()), float(abs(net[held].sum()) / np.abs(net[held]).max())


def walls() -> float:
    """Sum of the reactions, relative to their sizes."""
    network = triangular((8, 6))
    material = Material(network, SPRING, {"k": 1.0, "l": network.lengths()})
    left, right = network.nodes("left"), network.nodes("right")
    boundary = Boundary.free(network.n_nodes, 2).clamp(left, network.positions[left])
    rest = material.relax(boundary.clamp(right, network.positions[right] + [0.8, 0.3]))
    bond = network.bond_vectors(rest.state[0])
    pull = (material.tension(rest.state)[0] / np.linalg.norm(bond, axis=1))[:, None] * bond
    reaction = np.zeros((network.n_nodes, 2))
    np.add.at(reaction, network.edges[:, 0], pull)
    np.add.at(reaction, network.edges[:, 1], -pull)
    walls = np.r_[left, right]
    return float(np.abs(reaction[walls].sum(axis=0)).max() / np.abs(reaction[walls]).sum())


def _free_lattice() -> tuple[Material, Boundary, np.ndarray]:
    network = triangular((5, 5))
    material = Material(network, SPRING, {"k": 1.0, "l": network.lengths()})
    velocities = np.random.default_rng(6).normal(0.1, 0.2, (1, network.n_nodes, 2))
    return material, Boundary.free(network.n_nodes, 2), velocities


def motion() -> tuple[float, float]:
    """Momentum and angular momentum of a lattice set in motion: pair forces along bonds change neither."""
    material, boundary, velocities = _free_lattice()
    run = simulate(material, boundary, time_step=0.05, steps=2000, velocities=velocities, every=20)
    x, v = run.positions[:, 0], run.velocities[:, 0]
    momentum = v.sum(axis=1)
    angular = (x[..., 0] * v[..., 1] - x[..., 1] * v[..., 0]).sum(axis=1)
    turning = np.abs(x[0, :, 0] * v[0, :, 1]).sum()
    return (
        float(np.abs(momentum - momentum[0]).max() / np.abs(v[0]).sum()),
        float(np.abs(angular - angular[0]).max() / turning),
    )


def drift_order() -> float:
    """Least-squares order of the largest change of the energy over a ladder of time steps."""
    material, boundary, velocities = _free_lattice()
    ladder, changes = 0.08 * 0.5 ** np.arange(4), []
    for number, dt in enumerate(ladder):
        steps = 250 * 2**number
        run = simulate(material, boundary, time_step=float(dt), steps=steps, velocities=velocities, record=("energy",))
        energy = run.energy[:, 0]
        changes.append(np.abs(energy - energy[0]).max())
    return float(np.polyfit(np.log(ladder), np.log(changes), 1)[0])
