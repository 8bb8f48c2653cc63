"""Dynamics: how a material moves in time, with inertia, friction, heat and shaken walls.

The same laws as relaxation, integrated in time: velocity Verlet without friction, BAOAB with (see
:mod:`sandbox.physics.dynamics.kernels`). Temperatures are in units of energy (Boltzmann's constant is 1). Runs are
reproducible bit for bit: they depend neither on the number of threads nor on where they were interrupted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from sandbox.errors import BoundaryError, NetworkError, SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics.energy_watch import BATH
from sandbox.physics.dynamics.energy_watch import EnergyWatch as EnergyWatch
from sandbox.physics.dynamics.run import Method as Method
from sandbox.physics.dynamics.run import Run
from sandbox.physics.dynamics.tables import bonds
from sandbox.physics.material import Material
from sandbox.physics.modes import check_masses, highest_frequency, stable_time_step
from sandbox.physics.not_finite import suspect_edge
from sandbox.physics.relaxation.problem import Problem, pose
from sandbox.physics.trajectory import RECORDS, Trajectory
from sandbox.physics.trajectory import Drive as Drive
from sandbox.physics.trajectory import Phase as Phase

MEMORY_LIMIT = 2 * 1024**3
"""Bytes that a trajectory may take unless asked for more."""

TOO_LARGE = 2**31
"""Sizes of arrays from which on 32-bit indices no longer reach."""


class Diverged(SandboxError):  # noqa: N818 (it names an outcome, as StopIteration does)
    """A motion that left the finite numbers, or that gained energy from nowhere.

    Attributes:
        sample, step: where and when it was first seen.
        node: the node that left the finite numbers, or None where the energy has grown.
        edge: the edge at that node whose other end did so first, or None for a node without edges.
        stable: the longest stable time step for small motions about the start, or None where unknown.
    """

    def __init__(
        self,
        sample: int,
        step: int,
        time_step: float,
        stable: float | None,
        *,
        node: int | None = None,
        edge: int | None = None,
        what: str = "",
    ) -> None:
        self.sample, self.node, self.step, self.stable, self.edge = sample, node, step, stable, edge
        if stable is None:
            advice = "try a smaller time step"
        elif time_step > stable:
            advice = f"the time step {time_step:.4g} is beyond the stable {stable:.4g}; use a fifth of that or less"
        else:
            advice = (
                f"small motions are stable up to a time step of {stable:.4g}, and it is {time_step:.4g}, so the motion "
                "left the range of the law or is fast there; try a smaller time step, or a law that stays finite"
            )
        where = "" if edge is None else f" (at edge {edge})"
        what = what or f"node {node} of sample {sample}{where} is no longer at a finite place"
        super().__init__(f"{what} at step {step}; {advice}")


def simulate(
    material: Material,
    boundary: Boundary,
    *,
    time_step: float,
    steps: int,
    masses: npt.ArrayLike = 1.0,
    start: np.ndarray | None = None,
    velocities: np.ndarray | None = None,
    stiffness: np.ndarray | None = None,
    damping: npt.ArrayLike = 0.0,
    temperature: npt.ArrayLike = 0.0,
    seed: int = 0,
    drive: Drive | Sequence[Drive] = (),
    first_step: int = 0,
    samples: npt.ArrayLike | None = None,
    every: int = 1,
    record: Collection[str] = RECORDS,
    memory_limit: int = MEMORY_LIMIT,
    method: Method = "auto",
    watch: EnergyWatch | None = None,
) -> Trajectory:
    """Integrate the equations of motion of every sample.

    ``m*a = force - m*damping*v + noise``. Second order in the time step, with or without friction.

    Args:
        boundary: clamps, forces and springs of B samples.
        time_step: in units of time; see :func:`sandbox.physics.modes.stable_time_step`.
        steps: how many.
        masses: one, or (N,).
        start: (B, N, D) positions; the rest state by default. Clamped components begin where they are held.
        velocities: (B, N, D), zero by default and where clamped; those of walls that shake follow from the drive.
        stiffness: (E,); as built by default.
        damping: rate at which friction takes velocity, 1/time: one, or (N,).
        temperature: of the bath that the friction couples to, in units of energy: one, or (B,).
        seed: of the noise, 0 to 2^64 - 1; the noise is a function of seed, step, sample and node.
        drive: walls that shake.
        first_step: number of the step at which the run starts (its time is ``first_step*time_step``).
        samples: (B,) numbers by which the noise knows the samples; 0 to B - 1 by default.
        every: record each so many steps, from the start on.
        record: any of "positions", "velocities", "energy".
        memory_limit: bytes that the records may take.
        method: ``"by sample"`` (a thread per sample), ``"by node"`` (threads share each sample), or the faster one;
            the results are the same to the last bit.
        watch: of the motion that this run goes on with; by default the energy is watched from the start of this run.
            Only what is recorded of it can be watched.

    Raises:
        Diverged: naming sample, node and step; or sample and step, where the energy has grown and nothing gave it.
        BoundaryError, NetworkError: for what does not fit, naming it.
        SandboxError: before the start, if the records would not fit in memory.
    """
    whole = {"steps": (steps, 0), "every": (every, 1), "first_step": (first_step, 0), "seed": (seed, 0)}
    for name, (value, least) in whole.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise SandboxError(f"{name} is {value!r}; expected a whole number, at least {least}")
    if not (np.isfinite(time_step) and time_step > 0):
        raise SandboxError(f"the time step is {time_step}; it must be positive and finite")
    if seed >= 2**64 or first_step + steps >= 2**56:
        raise SandboxError("a seed is below 2^64 and a step below 2^56")
    if material.box is not None:
        raise NetworkError("a material with a box on its state has no dynamics: the walls of the box have no law")
    wanted = {record} if isinstance(record, str) else set(record)
    unknown = sorted(wanted - set(RECORDS))
    if unknown:
        raise SandboxError(f"cannot record {unknown[0]!r}; choose from {', '.join(RECORDS)}")
    if method not in ("auto", "by sample", "by node"):
        raise SandboxError(f"unknown method {method!r}; choose from auto, by sample, by node")
    problem = pose(material, boundary, stiffness, None, start, 0.0, 0)
    shape = boundary.values.shape
    _check_memory(int(steps) // int(every) + 1, shape, material.network.n_edges, wanted, memory_limit)
    run = Run(
        material,
        boundary,
        bonds(material, boundary, problem.stiffness),
        masses=check_masses(masses, shape[1]),
        damping=_rates("damping", damping, shape[1], "node"),
        temperature=_rates("temperature", temperature, shape[0], "sample"),
        drives=[drive] if isinstance(drive, Drive) else list(drive),
        time_step=float(time_step),
        seed=int(seed),
        samples=_samples(samples, shape[0]),
        state=problem.start,
        velocities=_velocities(velocities, boundary),
    )
    _check_still(velocities, boundary, run.wave_of)
    trajectory = run.go(int(first_step), int(steps), int(every), wanted, method)
    broken = run.broken.reshape(shape[:2])
    if broken.any():
        step = int(broken[broken > 0].min())
        sample, node = (int(index) for index in np.argwhere(broken == step)[0])
        stable = stable_time_step(
            material, masses=masses, state=problem.start[sample], boundary=boundary, stiffness=problem.stiffness
        )
        edge = suspect_edge(material.network.edges, broken[sample], node)
        raise Diverged(sample, step, float(time_step), stable if np.isfinite(stable) else None, node=node, edge=edge)
    if "energy" in wanted:
        if watch is None:
            watch = energy_watch(boundary, temperature, driven=bool(run.driven))
        _check_energy(material, boundary, problem, masses, float(time_step), trajectory, watch)
    return trajectory


def energy_watch(
    boundary: Boundary, temperature: npt.ArrayLike, *, driven: bool = False, stable: float | None = None
) -> EnergyWatch:
    """Make a watch over motions under a boundary, in a bath of a temperature (one, or (B,))."""
    heat = _rates("temperature", temperature, boundary.batch, "sample")
    return EnergyWatch(BATH * heat * int((~boundary.clamped).sum()), driven, stable)


def _check_energy(
    material: Material,
    boundary: Boundary,
    problem: Problem,
    masses: npt.ArrayLike,
    time_step: float,
    trajectory: Trajectory,
    watch: EnergyWatch,
) -> None:
    """See that the energy has not grown beyond what it can have; of a shaken motion, that it is still stable."""

    def stable(sample: int) -> float | None:
        longest = watch.stable or stable_time_step(
            material, masses=masses, state=problem.start[sample], boundary=boundary, stiffness=problem.stiffness
        )
        return longest if np.isfinite(longest) else None

    found = watch.look(trajectory.potential, trajectory.kinetic)
    if found is not None:
        row, sample = found
        step = int(trajectory.steps[row])
        before, now = watch.gained(sample, trajectory.potential[row, sample], trajectory.kinetic[row, sample])
        what = f"the energy of sample {sample} has grown from {before:.4g} to {now:.4g}, and nothing gave it that,"
        raise Diverged(sample, step, time_step, stable(sample), what=what)
    for sample in watch.has_grown() if watch.driven else ():
        state = trajectory.final.positions[sample]
        omega = highest_frequency(material, boundary, masses=masses, state=state, stiffness=problem.stiffness)
        if time_step * omega > 2:
            what = f"the motion of sample {sample} grows, and is not stable where it is now,"
            raise Diverged(int(sample), trajectory.final.step, time_step, 2 / omega, what=what)


def thermal_velocities(
    boundary: Boundary,
    *,
    temperature: npt.ArrayLike,
    masses: npt.ArrayLike = 1.0,
    seed: int = 0,
    samples: npt.ArrayLike | None = None,
) -> np.ndarray:
    """Velocities (B, N, D) drawn from the Maxwell-Boltzmann distribution; zero where clamped.

    Args:
        boundary: for shapes and clamps.
        temperature: in units of energy, one or (B,).
        masses, seed, samples: as for :func:`simulate`; independent of the noise there, even for the same seed.
    """
    from sandbox.physics.randomness import VELOCITIES, four_normals_numpy

    batch, nodes, dim = boundary.values.shape
    heat = np.sqrt(_rates("temperature", temperature, batch, "sample"))
    normals = four_normals_numpy(seed, 0, _samples(samples, batch), nodes, VELOCITIES)[..., :dim]
    spread = heat[:, None, None] / np.sqrt(check_masses(masses, nodes))[:, None]
    return np.where(boundary.clamped, 0.0, spread * normals)


def _check_memory(times: int, shape: tuple[int, ...], n_edges: int, record: set[str], limit: int) -> None:
    batch, nodes, dim = shape
    if max(batch * nodes * dim, batch * n_edges, 8 * n_edges) >= TOO_LARGE:
        raise SandboxError(
            f"{batch} samples of {nodes} nodes and {n_edges} edges are too many for one run; split the batch"
        )
    sizes = {"positions": batch * nodes * dim, "velocities": batch * nodes * dim, "energy": 2 * batch}
    asked = 8 * times * sum(sizes[name] for name in record)
    if asked > limit:
        raise SandboxError(
            f"recording {times} times of {batch} samples of {nodes} nodes would take {asked / 1e9:.3g} GB; the limit "
            f"is {limit / 1e9:.3g} GB. Record less often (every=...), record less (record=('energy',)), or raise "
            "memory_limit"
        )


def _rates(name: str, given: npt.ArrayLike, count: int, per: str) -> np.ndarray:
    array = np.asarray(given, dtype=float)
    if array.shape not in ((), (count,)):
        raise SandboxError(f"the {name} has shape {array.shape}; expected one value, or one per {per}, ({count},)")
    if not (np.isfinite(array) & (array >= 0)).all():
        raise SandboxError(f"the {name} must be finite and not negative; got {given!r}")
    return np.broadcast_to(array, (count,)).copy()


def _samples(given: npt.ArrayLike | None, batch: int) -> np.ndarray:
    numbers = np.arange(batch) if given is None else np.asarray(given)
    if numbers.shape != (batch,) or not np.issubdtype(numbers.dtype, np.integer):
        raise SandboxError(f"samples are numbered {given!r}; expected {batch} whole numbers")
    if (numbers < 0).any() or (numbers >= 2**32).any():
        raise SandboxError(f"samples are numbered {given!r}; numbers run from 0 to 2^32 - 1")
    return numbers.astype(np.uint32)


def _velocities(given: np.ndarray | None, boundary: Boundary) -> np.ndarray:
    shape = boundary.values.shape
    v = np.zeros(shape) if given is None else np.asarray(given, dtype=float)
    if v.shape != shape:
        raise BoundaryError(f"the velocities have shape {v.shape}; expected {shape}: samples, nodes, components")
    if not np.isfinite(v).all():
        sample, node, _ = np.argwhere(~np.isfinite(v))[0]
        raise BoundaryError(f"the velocity of sample {sample} is not finite at node {node}")
    return np.where(boundary.clamped, 0.0, v)


def _check_still(velocities: np.ndarray | None, boundary: Boundary, wave_of: np.ndarray) -> None:
    """See that what is held is given no velocity; walls that shake are, where a motion goes on."""
    if velocities is None:
        return
    still = boundary.clamped & (wave_of.reshape(boundary.clamped.shape) < 0)
    moving = np.argwhere((np.asarray(velocities) != 0) & still)
    if len(moving):
        sample, node, component = (int(index) for index in moving[0])
        raise BoundaryError(
            f"the velocity of sample {sample} is {velocities[sample, node, component]:.6g} in component {component} of "
            f"node {node}, which is held there; make it 0, or do not hold the node"
        )
