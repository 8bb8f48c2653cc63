"""One run of dynamics: its arrays, and the launches of its kernels."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from sandbox.errors import BoundaryError, SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics.tables import Bonds, coefficients, cut, never_empty
from sandbox.physics.material import Material
from sandbox.physics.trajectory import RECORDS, Drive, Phase, Trajectory

if TYPE_CHECKING:
    from sandbox.physics.dynamics.kernels import Kernels

Method = Literal["auto", "by sample", "by node"]

LAUNCH_SECONDS = 0.2
"""Of one launch: between launches an interrupt is heard and a failure is seen."""

SECONDS_PER_BOND = 5e-9  # of a pass, on one thread (measured)
LAUNCH_COST = 1e-4  # seconds of a launch by node: threads are woken and joined (measured)
MEETING_COST = 1e-6  # seconds that threads lose at the end of each pass by node (measured)
MAX_CHUNK = 2**27  # numbers recorded in one launch; kernels index with 32 bits


class Run:
    """The arrays of one run, and the launches."""

    def __init__(
        self,
        material: Material,
        boundary: Boundary,
        tables: Bonds,
        *,
        masses: np.ndarray,
        damping: np.ndarray,
        temperature: np.ndarray,
        drives: list[Drive],
        time_step: float,
        seed: int,
        samples: np.ndarray,
        state: np.ndarray,
        velocities: np.ndarray,
    ) -> None:
        from sandbox.physics.dynamics.kernels import dynamics_kernels
        from sandbox.physics.dynamics.kind import Kind
        from sandbox.physics.runtime import threads

        self.shape = state.shape
        self.batch, self.n_state = len(state), state[0].size
        self.n_edges, self.n_bonds = material.network.n_edges, material.network.n_edges + len(boundary.pairs)
        self.time_step, self.seed = time_step, seed
        if temperature.any() and not damping.any():
            raise SandboxError("a temperature needs damping, the coupling to the bath; the damping is zero everywhere")
        wave_of, waves = _waves(drives, boundary, time_step)
        outside = bool(boundary.forces.any() or boundary.spring_stiffness.any())
        kind = Kind(
            law=material.law,
            node_law=material.node_law,
            dim=material.components,
            projection=material.geometry == "projection",
            shifted=tables.shifted,
            pairs=len(boundary.pairs) > 0,
            outside=outside,
            driven=bool(drives),
            bath="langevin" if temperature.any() else "friction" if damping.any() else "none",
            parallel=self.batch > 1,
        )
        self.kernels: Kernels = dynamics_kernels(kind)
        self.tables, self.parts = tables, cut(material, boundary, threads())
        self.x, self.velocity, self.seen = state.ravel().copy(), velocities.ravel().copy(), np.zeros(state.size)
        self.held = boundary.values.ravel() if drives else np.zeros(1)
        self.wave_of, self.waves, self.driven = wave_of, waves, bool(drives)
        self.broken = np.zeros(self.batch * self.shape[1], dtype=np.int64)
        self.alarm = np.zeros(1, dtype=np.int32)
        self.passed, self.done = 0, np.zeros(1, dtype=np.int64)
        self.taken = np.zeros(self.batch * (len(self.parts.tables[0]) - 1), dtype=np.int64)
        self.images = np.zeros((2, self.batch, max(1, len(self.parts.shared)), self.shape[2]))
        self.coefficients = coefficients(masses, damping, boundary.clamped, time_step)
        none = np.zeros((1, 1))
        loads = np.stack([boundary.forces.ravel(), boundary.spring_targets.ravel()]) if outside else none
        self.outside = (material.node_parameter_rows, boundary.spring_stiffness.ravel(), loads)
        bath = np.sqrt(temperature), samples
        self.motion = (self.coefficients, self.held, self.wave_of, self.waves, *bath, *self.outside)

    def go(self, first: int, steps: int, every: int, record: set[str], method: Method) -> Trajectory:
        """Run, recording at ``first`` and each ``every`` steps from there."""
        times = np.arange(first, first + steps + 1, every)
        records = {
            name: np.empty((len(times), *(self.shape if name != "energy" else (self.batch, 2))))
            for name in RECORDS
            if name in record
        }
        if self.driven:
            self.kernels.set_walls(first, self.time_step, self.held, self.wave_of, self.waves, self.x)
        loop = self._by_sample if self._faster_by_sample(method, every if records else steps) else self._by_node
        loop(first, steps, every, records)
        final = Phase(self.x.reshape(self.shape), self.velocity.reshape(self.shape), first + steps)
        return Trajectory(times, self.time_step, final, records)

    def _faster_by_sample(self, method: Method, every: int) -> bool:
        from sandbox.physics.runtime import threads

        if method == "auto":
            work = (self.n_bonds + self.n_state) * SECONDS_PER_BOND
            rounds = -(-self.batch // threads())
            launch = LAUNCH_COST / max(1, min(every, self._most_passes()))
            return rounds * work <= MEETING_COST + launch + self._one_pass() / threads()
        return method == "by sample"

    def _one_pass(self) -> float:
        """Seconds of a pass by node on one thread, about."""
        return (self.parts.evaluated + self.n_state) * self.batch * SECONDS_PER_BOND

    def _most_passes(self) -> int:
        """In a launch by node."""
        return max(1, int(LAUNCH_SECONDS / self._one_pass()))

    def _by_sample(self, first: int, steps: int, every: int, records: dict[str, np.ndarray]) -> None:
        end, n, force = first + steps, first, np.empty_like(self.x)
        one_pass = (self.n_bonds + self.n_state) * self.batch * SECONDS_PER_BOND
        passes = max(1, min(int(LAUNCH_SECONDS / one_pass), every * max(1, MAX_CHUNK // self.x.size)))
        while n <= end and not self.alarm[0]:
            count = min(passes, end + 1 - n)
            part = slice(-(-(n - first) // every), -(-(n + count - first) // every))
            out = [never_empty(records[k][part].ravel()) if k in records else np.zeros(1) for k in RECORDS]
            self.kernels.by_sample(
                n,
                count,
                end,
                int(n == first),
                first,
                every,
                self.time_step,
                self.seed,
                *(int(name in records) for name in RECORDS),
                *self.tables.by_edge,
                self.tables.pair_springs,
                *self.motion,
                self.x,
                self.velocity,
                force,
                self.seen,
                *out,
                self.broken,
                self.alarm,
            )
            n += count

    def _by_node(self, first: int, steps: int, every: int, records: dict[str, np.ndarray]) -> None:
        from sandbox.physics.runtime import threads

        end, n = first + steps, first
        most = self._most_passes()
        store = np.empty(max(1, self.batch * self.n_edges) if "energy" in records else 1)
        force = np.empty_like(self.x)
        if len(self.parts.shared):
            self.images[self.passed % 2] = self.x.reshape(self.shape)[:, self.parts.shared]
        while n <= end and not self.alarm[0]:
            since = (n - first) % every
            keep = since == 0 and bool(records)
            passes = 1 if keep else min(most, end + 1 - n, every - since if records else most)
            x = self.x.copy() if keep else self.x  # the pass moves on
            self.kernels.by_node(
                n,
                passes,
                end,
                int(n == first),
                int(keep),
                self.time_step,
                self.seed,
                *self.tables.by_edge,
                self.tables.pair_springs,
                *self.parts.tables,
                *self.motion,
                self.x,
                self.images.ravel(),
                self.velocity,
                force,
                self.seen,
                self.broken,
                self.alarm,
                min(threads(), len(self.taken)),
                self.passed,
                self.taken,
                self.done,
            )
            self.passed += passes
            if keep:
                self._keep((n - first) // every, x, records, store)
            n += passes

    def _keep(self, place: int, x: np.ndarray, records: dict[str, np.ndarray], store: np.ndarray) -> None:
        if "positions" in records:
            records["positions"][place] = x.reshape(self.shape)
        if "velocities" in records:
            records["velocities"][place] = self.seen.reshape(self.shape)
        if "energy" in records:
            self.kernels.measure(
                self.n_edges,
                *self.tables.by_edge,
                self.tables.pair_springs,
                self.coefficients,
                *self.outside,
                x,
                self.seen,
                store,
                records["energy"][place].ravel(),
            )


def _waves(drives: list[Drive], boundary: Boundary, time_step: float) -> tuple[np.ndarray, np.ndarray]:
    """Which drive each component follows, (N*D,) or -1, and the waves (B, drives, D + 2): amplitudes, omega, phase."""
    batch, n_nodes, dim = boundary.values.shape
    wave_of = np.full((n_nodes, dim), -1, dtype=np.int32)
    waves = np.zeros((batch, max(1, len(drives)), dim + 2))
    for number, drive in enumerate(drives):
        nodes = np.atleast_1d(np.asarray(drive.nodes))
        if nodes.size and (not np.issubdtype(nodes.dtype, np.integer) or nodes.min() < 0 or nodes.max() >= n_nodes):
            raise BoundaryError(f"the nodes of a drive are {drive.nodes!r}; expected indices from 0 to {n_nodes - 1}")
        direction = np.eye(dim)[0] if drive.direction is None else np.asarray(drive.direction, dtype=float)
        if direction.shape != (dim,) or not np.isfinite(direction).all():
            raise BoundaryError(f"the direction of a drive is {drive.direction!r}; expected {dim} finite numbers")
        axes = np.flatnonzero(direction)
        loose = nodes[~boundary.clamped[np.ix_(nodes, axes)].all(axis=1)]
        if len(loose):
            raise BoundaryError(
                f"node {int(loose[0])} is driven along {direction.tolist()} but not clamped there; clamp it first, "
                "the drive moves the values it is held at"
            )
        taken = nodes[(wave_of[np.ix_(nodes, axes)] >= 0).any(axis=1)]
        if len(taken):
            raise BoundaryError(f"node {int(taken[0])} is driven twice in the same component; add the drives up")
        wave_of[np.ix_(nodes, axes)] = number
        waves[:, number, :dim] = _each("amplitude", drive.amplitude, batch)[:, None] * direction
        frequency = _each("frequency", drive.frequency, batch)
        if (np.abs(frequency) * time_step >= 0.5).any():
            raise BoundaryError(
                f"a drive of frequency {frequency[np.argmax(np.abs(frequency))]:.4g} takes less than two time steps of "
                f"{time_step:.4g} for a period, and would be seen as a slower one; take a shorter time step"
            )
        waves[:, number, dim] = 2.0 * pi * frequency
        waves[:, number, dim + 1] = _each("phase", drive.phase, batch)
    return wave_of.ravel(), waves


def _each(name: str, given: npt.ArrayLike, batch: int) -> np.ndarray:
    array = np.asarray(given, dtype=float)
    if array.shape not in ((), (batch,)) or not np.isfinite(array).all():
        raise BoundaryError(f"the {name} of a drive is {given!r}; expected a finite number, or one for each sample")
    return np.broadcast_to(array, (batch,))
