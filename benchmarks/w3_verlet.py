"""W3: velocity Verlet on a square lattice with diagonals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import sandbox
from benchmarks.floors import copy_bandwidth
from benchmarks.graphs import Lattice, lattice
from benchmarks.timing import Case, Contestant, Phase, module
from benchmarks.workload import Workload
from sandbox.physics.laws import SPRING

TIME_STEP = 0.05
BOND_STEPS, LEAST_STEPS = 2e7, 40
"""Bonds times steps of a run, about; and steps, so that what is taken off is small against what is left."""
BYTES_PER_BOND = 45.0
"""What a fused step moves for each of the four bonds of a node: two neighbour entries of index, stiffness and rest
length (32), and a quarter of a node's positions, new positions and velocities, read and written (13)."""


def case(size: int, quick: bool) -> Case:
    data = lattice(size)
    bonds = data.network.n_edges
    steps = 20 if quick else max(LEAST_STEPS, round(BOND_STEPS / bonds))
    speed = copy_bandwidth()
    notes = [f"{bonds:,} bonds, {steps:,} steps a run; copies at {speed / 1e9:.0f} GB/s."]
    floors = {"step": BYTES_PER_BOND / speed}
    return Case(data.network.n_nodes, bonds * steps, (data, steps), floors=floors, notes=notes)


def _project(case: Case) -> Mapping[str, Phase]:
    data, steps = case.data
    network = data.network
    material = sandbox.Material(network, SPRING, {"k": 1.0, "l": data.rest})
    boundary = sandbox.Boundary.free(network.n_nodes, 2)

    def run(count: int) -> np.ndarray:
        motion = sandbox.simulate(
            material,
            boundary,
            time_step=TIME_STEP,
            steps=count,
            velocities=data.velocities[None],
            every=max(count, 1),
            record=(),
        )
        return motion.final.positions[0]

    # A run of no steps sets up all the same: neighbour lists, checks, launches.
    return {"step": Phase(lambda: run(steps), lambda: run(0))}


def _numpy(case: Case) -> Mapping[str, Phase]:
    """Vectorized over bonds, forces added up with bincount."""
    data, steps = case.data
    first, second = data.network.edges.T
    n, rest, h = data.network.n_nodes, data.rest, TIME_STEP

    def force(x: np.ndarray) -> np.ndarray:
        bond = x[second] - x[first]
        pull = bond * (1 - rest / np.sqrt(bond[:, 0] ** 2 + bond[:, 1] ** 2))[:, None]
        parts = [np.bincount(first, pull[:, c], n) - np.bincount(second, pull[:, c], n) for c in (0, 1)]
        return np.stack(parts, axis=1)

    def run() -> np.ndarray:
        x, v = data.network.positions.copy(), data.velocities.copy()
        f = force(x)
        for _ in range(steps):
            v += h / 2 * f
            x += h * v
            f = force(x)
            v += h / 2 * f
        return x

    return {"step": Phase(run)}


def neighbours(data: Lattice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start of each node's neighbours (N + 1,), their indices and the rest lengths to them."""
    edges, n = data.network.edges, data.network.n_nodes
    ends = np.concatenate([edges, edges[:, ::-1]])
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    start = np.concatenate([[0], np.cumsum(np.bincount(ends[:, 0], minlength=n))])
    return start.astype(np.int32), ends[order, 1].astype(np.int32), np.tile(data.rest, 2)[order]


def _numba(case: Case) -> Mapping[str, Phase]:
    """A fused gather: a pass finds the force on a node from its neighbours, and moves the node."""
    numba: Any = module("numba")
    data, steps = case.data
    start, other, rest = neighbours(data)
    h, many = TIME_STEP, numba.get_num_threads() > 1

    @numba.njit(fastmath=True, parallel=many)
    def go(x: np.ndarray, spare: np.ndarray, v: np.ndarray, kick: float) -> None:
        for i in numba.prange(len(start) - 1):
            xi, yi = x[i, 0], x[i, 1]
            fx = fy = 0.0
            for e in range(start[i], start[i + 1]):
                j = other[e]
                dx, dy = x[j, 0] - xi, x[j, 1] - yi
                pull = 1.0 - rest[e] / np.sqrt(dx * dx + dy * dy)
                fx += pull * dx
                fy += pull * dy
            v[i, 0] += kick * fx
            v[i, 1] += kick * fy
            spare[i, 0] = xi + h * v[i, 0]
            spare[i, 1] = yi + h * v[i, 1]

    def run() -> np.ndarray:
        # Velocities at half steps: the first kick is half as long.
        x, v = data.network.positions.copy(), data.velocities.copy()
        spare = np.empty_like(x)
        go(x, spare, v, h / 2)
        for _ in range(steps - 1):
            x, spare = spare, x
            go(x, spare, v, h)
        return spare

    return {"step": Phase(run)}


def _jax(case: Case) -> Mapping[str, Phase]:
    """A jitted loop over steps; every node gathers from a padded table of its eight neighbours."""
    jax: Any = module("jax")
    jnp: Any = module("jax.numpy")
    data, steps = case.data
    start, other, rest = neighbours(data)
    count = np.diff(start)
    columns = np.arange(int(count.max()))
    there = columns < count[:, None]
    where = np.where(there, start[:-1, None] + columns, 0)
    # A missing neighbour is the node itself, at rest length 0. Components apart and neighbours first: what XLA likes.
    table = jnp.asarray(np.where(there, other[where], np.arange(len(count))[:, None]).T)
    lengths, h = jnp.asarray(np.where(there, rest[where], 0.0).T), TIME_STEP
    none = jnp.where(lengths > 0, 0.0, 1.0)

    def force(x: Any, y: Any) -> Any:
        across, up = x[table] - x, y[table] - y
        pull = 1 - lengths / jnp.sqrt(across**2 + up**2 + none)
        return (pull * across).sum(0), (pull * up).sum(0)

    def step(_: int, now: Any) -> Any:
        # Velocities at half steps.
        x, y, vx, vy = now
        fx, fy = force(x, y)
        vx, vy = vx + h * fx, vy + h * fy
        return x + h * vx, y + h * vy, vx, vy

    def march(x: Any, y: Any, vx: Any, vy: Any) -> Any:
        fx, fy = force(x, y)
        return jax.lax.fori_loop(0, steps, step, (x, y, vx - h / 2 * fx, vy - h / 2 * fy))[:2]

    go = jax.jit(march)
    begin = [jnp.asarray(part) for part in (*data.network.positions.T, *data.velocities.T)]
    return {"step": Phase(lambda: np.stack(go(*begin), axis=1))}


def _lammps(case: Case) -> Mapping[str, Phase]:
    """Harmonic bonds and fix nve; no pairs, so that neighbour lists are never rebuilt."""
    from benchmarks.lammps_setup import Bonded

    data, steps = case.data
    engine = Bonded(data.network, data.rest)
    engine.command("fix move all nve")
    engine.command(f"timestep {TIME_STEP}")

    def place() -> None:
        engine.put(data.network.positions, data.velocities)
        engine.command("run 0 post no")

    def run() -> np.ndarray:
        engine.put(data.network.positions, data.velocities)
        engine.command(f"run {steps} post no")
        return engine.positions()

    return {"step": Phase(run, place)}


WORKLOAD = Workload(
    key="W3",
    title="velocity Verlet on the square lattice with diagonals",
    text="""
Springs k = 1 at their rest lengths 1 and 1.41, unit masses, free sides, velocities normal with standard deviation
0.05, time step 0.05, float64. The figure is the time of a step divided by the number of bonds. What a run costs
before its first step is taken off for this project and for LAMMPS (a run of no steps); the others have their tables
already. Floor: 45 bytes per bond and step, what a fused step over neighbour lists moves, at the bandwidth with which
NumPy copies on one thread; it is a floor for networks that are larger than the cache.

This project evaluates every bond once, for both of its ends, in the order of the edges. On several threads the nodes
are cut into parts, each with the bonds that have an end in it, and those between two parts are evaluated in both;
positions are the same to the last bit. A thread begins a step with the parts that it had in the last one, and threads
wait for each other at a counter, without going to sleep. Apart from memory, a step is bound by a square root and a
division for each bond; evaluating four bonds side by side before their forces are added up was slower.

How it stands. On one thread it is ahead of all peers, 1.25 to 1.33 times (LAMMPS, at 10^6 left out there for its long
start, took 9.75 ns in an earlier record). Two bars are missed on two threads. Beside the fused gather in
numba, in three runs: 1.06 to 1.15 times as fast at 10^6, 0.77 to 1.05 at 10^5, 0.81 to 0.87 at 10^4, 0.89 to 0.95 at
10^3; and 1.7 to 2.0 times the floor at 10^6 where 1.7 was asked. What stands in the way, as far as can be told: numba's
gather evaluates every bond twice, but writes to its own node alone; here the force of a bond is written to another
node too, from where a later bond reads it. And the two processors of this virtual machine seem to share a core at
times: a step of 10^4 nodes on two threads took 3.9 ns a bond in some minutes and 7.2 in others, with nothing else to
do, which takes more from what keeps a core busier.
""",
    sizes=(1_000, 10_000, 100_000, 1_000_000),
    quick=(100, 400),
    case=case,
    contestants=(
        Contestant("this project", _project, ("matter-sandbox",), ours=True),
        Contestant("numba, fused gather", _numba, ("numba",)),
        Contestant("LAMMPS", _lammps, ("lammps",)),
        Contestant("JAX, gather", _jax, ("jax",)),
        Contestant("NumPy", _numpy, ("numpy",)),
    ),
    phases={"step": "a step"},
    agreement=1e-9,
    unit=("ns per bond per step", 1e9),
    figure=True,
)
