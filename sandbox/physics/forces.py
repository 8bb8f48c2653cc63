"""Forces by gathering: every bond once, then every node from its own bonds, in parallel and without atomics.

Each number is summed in a fixed order, so results do not depend on the number of threads, bit for bit. The bonds are
evaluated by :mod:`sandbox.physics.edge_kernel`, free stiffnesses included; the nodes here, by a kernel made once per
node law that serves every network: its topology is a list of the bonds of each node (compressed rows).

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import taichi as ti

from sandbox.physics import edge_kernel as bonds
from sandbox.physics import runtime
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import NodeLaw
from sandbox.physics.relaxation.criteria import FORCE_NOISE
from sandbox.physics.relaxation.problem import Problem

# Columns of the report of a sample: energy of network, forces and springs; the largest force on a free component; and
# the largest one of them in units of the force that would count as none there.
ENERGY, WORST, EXCESS, REPORT_COLUMNS = range(4)

NOT_FINITE = 1e300
"""A largest force not below this stands for an energy or a force that is not finite."""

PARALLEL_COMPONENTS = 4000
"""State components of all samples above which the threads are worth waking."""

_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_tensor = ti.types.ndarray(dtype=ti.f64, ndim=3)
_indices = ti.types.ndarray(dtype=ti.i32, ndim=1)


def incidence(ends: np.ndarray, n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """The bonds of each node as compressed rows: starts (N + 1,) and entries (2*bonds,), sorted by bond.

    An entry is ``2*bond``, plus 1 where the node is the second end of the bond.
    """
    nodes = ends.ravel()  # first and second end of bond 0, then of bond 1, ...: position 2*bond + side
    entries = np.argsort(nodes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=n_nodes))])
    return starts.astype(np.int32), entries.astype(np.int32)


class Forces:
    """Gradient and curvatures of the energy of a problem's samples, evaluated into arrays that are kept.

    Attributes:
        gradient: (B, N*D) minus the force on each component; 0 where clamped.
        mass: (B, N*D), so heavy that the Hessian is nowhere larger: ``|x.H.x| <= sum mass*x^2``.
        node_curvature: (B, N*D) of springs and node law.
        allowed: (B, N*D) largest force that counts as none.
        report: (B, REPORT_COLUMNS).
        table, pulls, stiffnesses, normal: of the bonds; see :mod:`sandbox.physics.edge_kernel`.
    """

    def __init__(self, problem: Problem, samples: np.ndarray | None = None) -> None:
        """For all samples of a problem, or those in ``samples`` (indices)."""
        material, boundary = problem.material, problem.boundary
        which = np.arange(problem.batch) if samples is None else samples
        n_nodes, dim = boundary.n_nodes, boundary.components
        size, n_bonds, n_edges = n_nodes * dim, len(problem.ends), len(problem.stiffness)
        key = b"incidence" + boundary.pairs.tobytes()
        if key not in material.caches:
            material.caches[key] = incidence(problem.ends, n_nodes)
        projection = material.geometry == "projection"
        coupling = "quadratic" if problem.knobs is None else problem.knobs.coupling
        self._bonds = bonds.edge_kernel(material.law, dim, projection, coupling)
        self._nodes = gather_kernel(material.node_law, dim, projection, len(which) * size > PARALLEL_COMPONENTS)
        self._fixed = (
            n_edges,
            problem.ends,
            material.frame(boundary.pairs),
            problem.stiffness,
            material.fixed_parameters,
            problem.knob_rows,
            np.ascontiguousarray(problem.pair_springs[which]),
        )
        self._tolerance = problem.tolerance
        self._outside = (
            *material.caches[key],  # type: ignore[misc]
            (~boundary.clamped).ravel().astype(np.int32),
            material.node_parameter_rows,
            np.ascontiguousarray(problem.outside[which]),
        )
        samples_, rows = len(which), np.empty
        self.table = rows((bonds.TABLE_ROWS, samples_, n_bonds))
        self.pulls = rows((bonds.PULL_ROWS, samples_, n_edges))
        self.stiffnesses = rows((bonds.STIFFNESS_ROWS, n_edges))
        self.normal, self._force = rows((n_bonds * dim, samples_)), rows((n_bonds * dim, samples_))
        self.gradient, self.mass, self.node_curvature = (rows((samples_, size)) for _ in range(3))
        self._node_table, self.allowed = rows((samples_, size)), rows((samples_, size))
        self.report = rows((samples_, REPORT_COLUMNS))

    def evaluate(self, state: np.ndarray) -> None:
        """Fill the arrays at states (B, N*D), contiguous."""
        self._bonds(*self._fixed, state, self.table, self.pulls, self.stiffnesses, self.normal, self._force)
        self._nodes(
            *self._outside,
            self._tolerance,
            state,
            self.table,
            self._force,
            self._node_table,
            self.allowed,
            self.gradient,
            self.mass,
            self.node_curvature,
            self.report,
        )


@lru_cache(maxsize=64)
def gather_kernel(node_law: NodeLaw | None, dim: int, projection: bool, parallel: bool) -> Callable[..., None]:
    """The kernel that sums at each node the forces of its bonds, springs, load and node law; cached by law."""
    runtime.start()
    node_terms: Any = in_kernel(node_law) if node_law is not None else None
    n_node = len(node_law.parameters) if node_law is not None else 0
    has_node_law = node_law is not None

    @ti.kernel
    def gather(
        starts: _indices,  # (N + 1,)
        incident: _indices,  # (2*(E + Q),)
        free: _indices,  # (N*D,) 1 where not clamped
        node_parameters: _matrix,  # (parameters, N*D)
        outside: _tensor,  # (B, 3, N*D) force, spring stiffness, spring target
        tolerance: ti.f64,
        state: _matrix,  # (B, N*D)
        table: _tensor,  # (TABLE_ROWS, B, E + Q)
        force: _matrix,  # ((E + Q)*D, B) of each bond on its second node, with the sign of a gradient
        node_table: _matrix,  # (B, N*D) energy; scratch
        allowed: _matrix,  # (B, N*D) largest force that counts as none, out
        gradient: _matrix,  # (B, N*D), out
        mass: _matrix,  # (B, N*D), out
        node_curvature: _matrix,  # (B, N*D), out
        report: _matrix,  # (B, REPORT_COLUMNS), out
    ):
        if ti.static(not parallel):
            ti.loop_config(serialize=True)
        for b, node in ti.ndrange(state.shape[0], starts.shape[0] - 1):
            total = ti.Vector.zero(ti.f64, dim)
            heavy = 0.0
            meet = 0.0
            lost = 0.0
            for p in range(starts[node], starts[node + 1]):
                e = incident[p] // 2
                sign = 2.0 * (incident[p] % 2) - 1.0
                # |x_i - x_j|^2 <= 2|x_i|^2 + 2|x_j|^2 turns the stiffest direction of each bond into masses.
                stiffest = ti.abs(table[bonds.CURVATURE, b, e])
                if ti.static(not projection):
                    stiffest = ti.max(stiffest, ti.abs(table[bonds.ACROSS, b, e]))
                heavy += 2.0 * stiffest
                meet += table[bonds.PLAY, b, e]
                lost += table[bonds.NOISE, b, e]
                for c in ti.static(range(dim)):
                    total[c] += sign * force[e * dim + c, b]
            for c in ti.static(range(dim)):
                i = node * dim + c
                value = state[b, i]
                push = outside[b, 0, i]
                k = outside[b, 1, i]
                off = value - outside[b, 2, i]
                energy = 0.5 * k * off * off - push * value
                slope = k * off - push
                curvature = k
                play = ti.abs(push)
                if ti.static(has_node_law):
                    parameters = [node_parameters[q, i] for q in ti.static(range(n_node))]
                    m = node_terms(value, *parameters)
                    energy += m[0]
                    slope += m[1]
                    curvature += m[2]
                    play += ti.abs(m[1])
                node_table[b, i] = energy
                rounded = lost + ti.abs(slope) + ti.abs(curvature) * ti.abs(value)
                allowed[b, i] = ti.max(tolerance * (meet + play), FORCE_NOISE * rounded)
                node_curvature[b, i] = curvature
                mass[b, i] = heavy + ti.abs(curvature)
                gradient[b, i] = (total[c] + slope) if free[i] == 1 else 0.0

        if ti.static(not parallel):
            ti.loop_config(serialize=True)
        for b in range(state.shape[0]):
            energy = 0.0
            worst = 0.0
            excess = 0.0
            for e in range(table.shape[2]):
                energy += table[bonds.ENERGY, b, e]
            for i in range(state.shape[1]):
                energy += node_table[b, i]
                g = ti.abs(gradient[b, i])
                if not (g < NOT_FINITE):
                    g = 2.0 * NOT_FINITE
                worst = ti.max(worst, g)
                if g > 0.0:
                    excess = ti.max(excess, g / ti.max(allowed[b, i], 1e-300))
            if not (ti.abs(energy) < NOT_FINITE):
                worst = 2.0 * NOT_FINITE
            report[b, ENERGY] = energy
            report[b, WORST] = worst
            report[b, EXCESS] = excess

    return gather
