"""The energy of every sample at given states, with its gradient and Hessian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sandbox.physics.assembly import Assembly, assembly
from sandbox.physics.state_error import state_error

if TYPE_CHECKING:
    from sandbox.physics.relaxation.problem import Problem


@dataclass(frozen=True, eq=False)
class Point:
    """A samples of the energy landscape, evaluated; rows of the tables as in :mod:`sandbox.physics.edge_kernel`.

    Attributes:
        energy: (A,) of what can move: network, external forces and springs; without the knobs.
        still: (A,) the rest: of bonds between clamped nodes, and of clamped components.
        knob_energy: (A,) of the knobs, once per sample.
        magnitude: (A,) summed magnitudes of what was added up in the energy.
        gradient: (F, A) on the free components.
        residual: (A,) largest component of the gradient.
        loose: (A,) a force above counts as one at any node.
        longest: (A,) largest variable of an edge.
        finite: (A,) whether energy and gradient are.
        node_curvature: (F, A) of node law and springs to nodes.
        node_play, node_noise: (F, A) forces that act on nodes by themselves, and what their rounding scales with.
        table: (rows, A, bonds).
        normal: (bonds*D, A).
        pulls: (2, A, E).
        stiffnesses: (3, E).
    """

    energy: np.ndarray
    still: np.ndarray
    knob_energy: np.ndarray
    magnitude: np.ndarray
    gradient: np.ndarray
    residual: np.ndarray
    loose: np.ndarray
    longest: np.ndarray
    finite: np.ndarray
    node_curvature: np.ndarray
    node_play: np.ndarray
    node_noise: np.ndarray
    table: np.ndarray
    normal: np.ndarray
    pulls: np.ndarray
    stiffnesses: np.ndarray

    def only(self, which: np.ndarray) -> Point:
        """The samples of a mask (A,) or of indices."""
        if which.dtype == bool and which.all():
            return self
        first = ("energy", "still", "knob_energy", "magnitude", "residual", "loose", "longest", "finite")
        second = ("gradient", "node_curvature", "node_play", "node_noise", "table", "normal", "pulls")
        parts = {name: getattr(self, name)[which] for name in first}
        parts |= {name: np.ascontiguousarray(getattr(self, name)[:, which]) for name in second}
        return replace(self, **parts)


@dataclass(frozen=True, eq=False)
class Hessians:
    """Hessians of A samples in the states, with the stiffness of a sample of its own eliminated.

    Attributes:
        values: (entries, A) in the pattern of the assembly.
        excess: (entries, A), what lifts the negative eigenvalues of every bond's block to zero; ``None`` if there are
            none, so that the Hessians are sums of blocks that are not negative.
        stiff: (F, A) largest diagonal entry of each component's node, after lifting.
    """

    values: np.ndarray
    excess: np.ndarray | None
    stiff: np.ndarray


class Landscape:
    """The energy of a problem's samples as a function of their states."""

    def __init__(self, problem: Problem) -> None:
        from sandbox.physics import edge_kernel as ek

        material, boundary = problem.material, problem.boundary
        self._ek = ek
        self._problem = problem
        self.tolerance = problem.tolerance
        self.assembly: Assembly = assembly(material, boundary)
        self._frame = material.frame(boundary.pairs)
        projection = material.geometry == "projection"
        coupling = "quadratic" if problem.knobs is None else problem.knobs.coupling
        self._evaluate = ek.edge_kernel(material.law, material.components, projection, coupling)
        self._blocks = ek.block_kernel(material.components, projection)
        self._node_rows = [p.ravel() for p in material.node_parameters.values()]

    def at(self, state: np.ndarray, samples: np.ndarray) -> Point:
        """Evaluate states (A, N*D) of the samples with the given indices."""
        ek, p = self._ek, self._problem
        n_samples, n_edges, n_bonds = len(samples), len(p.stiffness), len(p.ends)
        rows = n_bonds * p.material.components
        table = np.zeros((ek.TABLE_ROWS, n_samples, n_bonds))
        pulls = np.zeros((ek.PULL_ROWS, n_samples, n_edges))
        stiffnesses = np.zeros((ek.STIFFNESS_ROWS, n_edges))
        normal, force = np.empty((rows, n_samples)), np.empty((rows, n_samples))
        if n_bonds:
            self._evaluate(
                n_edges,
                p.ends,
                self._frame,
                p.stiffness,
                p.material.fixed_parameters,
                p.knob_rows,
                p.pair_springs if n_samples == p.batch else p.pair_springs[samples],
                state,
                table,
                pulls,
                stiffnesses,
                normal,
                force,
            )
        with np.errstate(all="ignore"):
            return self._point(state, samples, table, pulls, stiffnesses, normal, force)

    def _point(
        self,
        state: np.ndarray,
        samples: np.ndarray,
        table: np.ndarray,
        pulls: np.ndarray,
        stiffnesses: np.ndarray,
        normal: np.ndarray,
        force: np.ndarray,
    ) -> Point:
        ek, p = self._ek, self._problem
        outside = p.outside if len(samples) == p.batch else p.outside[samples]
        push, k = outside[:, 0], outside[:, 1]
        off = state - outside[:, 2]
        node_energy = 0.5 * k * off * off - push * state
        node_force, node_curvature = k * off - push, k
        play = np.abs(push)
        if p.material.node_law is not None:
            law_energy, slope, curvature = p.material.node_law.on_numpy(state, *self._node_rows)
            node_energy, node_force = node_energy + law_energy, node_force + slope
            node_curvature = node_curvature + curvature
            play = play + np.abs(slope)
        noise = np.abs(node_force) + np.abs(node_curvature * state)
        knob_energy = np.full(len(samples), stiffnesses[ek.KNOB_ENERGY].sum())
        free = self.assembly.free
        moving = self.assembly.bond_part >= 0
        bond_energy, of_free = table[ek.ENERGY][:, moving], node_energy[:, free]
        energy = bond_energy.sum(axis=1) + of_free.sum(axis=1)
        still = table[ek.ENERGY].sum(axis=1, where=~moving) + node_energy.sum(axis=1, where=self.assembly.place < 0)
        magnitude = np.abs(bond_energy).sum(axis=1) + np.abs(of_free).sum(axis=1) + knob_energy
        gradient = self.assembly.gather @ force + node_force[:, free].T
        residual = np.abs(gradient).max(axis=0, initial=0.0)
        return Point(
            energy=energy,
            knob_energy=knob_energy,
            magnitude=magnitude,
            gradient=gradient,
            residual=residual,
            loose=np.full_like(residual, np.inf),
            longest=_most(table[ek.VARIABLE][:, : len(p.stiffness)]),
            finite=(residual < 1e300) & (np.abs(energy + knob_energy) < 1e300),
            still=still,
            node_curvature=node_curvature[:, free].T,
            node_play=play[:, free].T,
            node_noise=noise[:, free].T,
            table=table,
            normal=normal,
            pulls=pulls,
            stiffnesses=stiffnesses,
        )

    def hessians(self, point: Point) -> Hessians:
        """The Hessians of the samples of a point."""
        maps = self.assembly
        dim = self._problem.material.components
        n_bonds, n_samples = point.table.shape[2], point.table.shape[1]
        block = np.zeros((n_bonds * dim * (dim + 1) // 2, n_samples))
        lift = np.zeros_like(block)
        if n_bonds:
            self._blocks(point.table, point.normal, block, lift)
        values = maps.gather_blocks @ block
        values[maps.diagonal] += point.node_curvature
        stiff = np.abs(values[maps.diagonal])
        excess = None
        if lift.any() or (point.node_curvature < 0).any():
            excess = maps.gather_blocks @ lift
            excess[maps.diagonal] += np.maximum(-point.node_curvature, 0.0)
            after = np.abs(values[maps.diagonal] + excess[maps.diagonal])
            stiff = np.where(after > 0, after, stiff)
        return Hessians(values, excess, maps.most_of_node(stiff))

    def forces_at_play(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """Return (F, A), (F, A): the sum of the forces that meet at each component's node, and of what rounding scales
        with there.
        """
        play, noise = (self.assembly.incident @ point.table[row].T for row in (self._ek.PLAY, self._ek.NOISE))
        return play + point.node_play, noise + point.node_noise

    def state_error(self, point: Point, state: np.ndarray, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Judge the state (A, N*D) of a point by the Newton step (F, A) left; see :func:`state_error`."""
        maps = self.assembly
        variable = point.table[self._ek.VARIABLE]
        return state_error(move, state[:, maps.free].T, variable, maps.part, maps.bond_part)

    def contrast(self, point: Point, stiff: np.ndarray) -> float:
        """Ratio of the largest of ``stiff`` to the least of it, of the bonds and of the springs.

        A node says little of its bonds: a ring of stiff edges that hangs on a soft spring is stiff at every node.
        Infinite where ``stiff`` is not positive.
        """
        least = stiff.min(initial=np.inf)
        return float(stiff.max(initial=0.0) / min(least, self.softest(point))) if least > 0 else np.inf

    def softest(self, point: Point) -> float:
        """The least curvature of bonds and springs to nodes; of none does not count."""
        return least_curvature(point.table[self._ek.CURVATURE][:, self.assembly.bond_part >= 0], point.node_curvature)

    def changes(self, point: Point, move: np.ndarray) -> np.ndarray:
        """(A, E): change of each edge's variable, to first order, when the free components move by (F, A)."""
        n_bonds, n_samples = point.table.shape[2], point.table.shape[1]
        across = (self.assembly.gather.T @ move) * point.normal
        return across.reshape(n_bonds, -1, n_samples).sum(axis=1)[: len(self._problem.stiffness)].T

    def softening(self, point: Point, move: np.ndarray) -> np.ndarray:
        """(F, A): force saved by the giving way of stiffnesses that samples share, for a move (F, A) of them all.

        The Hessian of the summed energy is that of the samples minus V D^-1 V^T; this is V D^-1 V^T times the move.
        """
        ek = self._ek
        n_bonds, n_samples = point.table.shape[2], point.table.shape[1]
        mixed = point.pulls[ek.MIXED]
        given = point.stiffnesses[ek.GIVE] * np.sum(mixed * self.changes(point, move), axis=0)
        tension = np.zeros((n_bonds, n_samples))
        tension[: len(given)] = (mixed * given).T
        dim = self._problem.material.components
        return self.assembly.gather @ (np.repeat(tension, dim, axis=0) * point.normal)

    def turn(self, point: Point, move: np.ndarray) -> np.ndarray:
        """(A,) largest move of a bond's vector in its length (or in a tenth of the longest edge, if that is more)."""
        n_edges, dim = len(self._problem.stiffness), self._problem.material.components
        if n_edges == 0:
            return np.zeros(move.shape[1])
        across = (self.assembly.gather.T @ move)[: n_edges * dim].reshape(n_edges, dim, -1)
        length = point.table[self._ek.VARIABLE][:, :n_edges].T
        scale = np.maximum(length**2, 0.01 * point.longest**2)
        # Bonds that all have no length set no scale.
        turns = np.divide(np.sum(across**2, axis=1), scale, out=np.zeros_like(scale), where=scale > 0)
        return np.sqrt(turns.max(axis=0))


def _most(values: np.ndarray) -> np.ndarray:
    """(A,) largest magnitude of each row; not-a-number where there is one."""
    return np.abs(values).max(axis=1, initial=0.0)


def least_curvature(*curvatures: np.ndarray) -> float:
    """Return the least magnitude that is not zero; infinity where there is none."""
    sizes = (np.abs(values) for values in curvatures)
    return min(float(size.min(initial=np.inf, where=size > 0)) for size in sizes)
