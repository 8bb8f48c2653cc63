"""Small networks of stiff and soft edges, and their states in extended precision.

The reference is Newton's method in mpmath with :data:`DIGITS` digits: an energy, a solver and an arithmetic of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
import numpy as np

import sandbox
from sandbox.physics import graphs
from sandbox.physics.laws import CONDUCTANCE, SPRING

DIGITS = 50
"""Decimal digits of the reference: contrasts of 1e12 leave more than 30 of them."""

REFERENCE_STEPS = 60
"""Newton steps allowed to the reference; it needs about ten."""

KINDS = ("flow", "springs", "linearized springs")


@dataclass(frozen=True, eq=False)
class Case:
    """A network between stiff and soft, and what is imposed on it."""

    material: sandbox.Material
    boundary: sandbox.Boundary


def case(kind: str, contrast: float, seed: int) -> Case:
    """Draw a network whose stiffnesses are 1 and ``contrast`` at random, or anything between, edge by edge."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    if kind == "flow":
        network = graphs.random_graph(12, 24, seed=seed)
        material = sandbox.Material(network, CONDUCTANCE, {"k": _stiffnesses(rng, network.n_edges, contrast)})
        boundary = sandbox.Boundary.free(network.n_nodes, 1).clamp([0, 1, 2], [[0.0], [1.0], [0.3]])
        return Case(material, boundary.push([5], [[0.1]]))
    network = graphs.jittered_grid(4, seed=seed)
    x = network.positions
    k = _stiffnesses(rng, network.n_edges, contrast)
    stretched = network.lengths() * rng.uniform(0.9, 0.98, network.n_edges)
    material = sandbox.Material(network, SPRING, {"k": k, "l": stretched}, linearized=kind != "springs")
    left, right = np.flatnonzero(x[:, 0] < 1e-9), np.flatnonzero(x[:, 0] > x[:, 0].max() - 1e-9)
    boundary = sandbox.Boundary.free(network.n_nodes, 2).clamp(left, x[left])
    return Case(material, boundary.clamp(right, x[right] + [0.03, 0.0]))


def _stiffnesses(rng: np.random.Generator, count: int, contrast: float) -> np.ndarray:
    spread = rng.choice([0.0, 1.0, 0.5], count) if rng.random() < 0.5 else rng.random(count)
    return contrast**spread


def reference(case: Case) -> np.ndarray:
    """Return the state (N, D) at the minimum, from Newton's method in extended precision.

    Raises:
        ArithmeticError: if it did not converge.
    """
    with mpmath.workdps(DIGITS):
        return _Reference(case).solve()


class _Reference:
    def __init__(self, case: Case) -> None:
        material, boundary = case.material, case.boundary
        network = material.network
        self.edges = network.edges.tolist()
        self.k = [mpmath.mpf(v) for v in material.stiffness.tolist()]
        self.dim = material.components
        start = np.where(boundary.clamped, boundary.values[0], material.rest_state())
        self.state = [[mpmath.mpf(v) for v in row] for row in start.tolist()]
        self.free = [tuple(place) for place in np.argwhere(~boundary.clamped).tolist()]
        self.push = boundary.forces[0].tolist()
        self.bond: Callable[[int, list], tuple[list, list]]
        if material.law.variable == "d":
            self.bond = self._conductor
        else:
            self.rest = [mpmath.mpf(v) for v in material.parameters["l"].tolist()]
            self.bond = self._linearized if material.linearized else self._spring
            x = [[mpmath.mpf(v) for v in row] for row in network.positions.tolist()]
            self.vectors = [[b - a for a, b in zip(x[i], x[j], strict=True)] for i, j in self.edges]

    def solve(self) -> np.ndarray:
        place = {where: f for f, where in enumerate(self.free)}
        for _ in range(REFERENCE_STEPS):
            gradient, hessian = mpmath.zeros(len(self.free), 1), mpmath.zeros(len(self.free))
            for f, (node, c) in enumerate(self.free):
                gradient[f] = -mpmath.mpf(self.push[node][c])
            for e, (i, j) in enumerate(self.edges):
                apart = [b - a for a, b in zip(self.state[i], self.state[j], strict=True)]
                force, block = self.bond(e, apart)
                for first, sign in ((i, -1), (j, 1)):
                    for c in range(self.dim):
                        f = place.get((first, c))
                        if f is None:
                            continue
                        gradient[f] += sign * force[c]
                        for second, other in ((i, -1), (j, 1)):
                            for d in range(self.dim):
                                g = place.get((second, d))
                                if g is not None:
                                    hessian[f, g] += sign * other * block[c][d]
            step = mpmath.lu_solve(hessian, -gradient)
            for f, (node, c) in enumerate(self.free):
                self.state[node][c] += step[f]
            if max(abs(s) for s in step) < mpmath.mpf(10) ** (-DIGITS // 2):
                return np.array([[float(v) for v in row] for row in self.state])
        raise ArithmeticError("the reference did not converge")

    def _conductor(self, e: int, apart: list) -> tuple[list, list]:
        return [self.k[e] * apart[0]], [[self.k[e]]]

    def _linearized(self, e: int, apart: list) -> tuple[list, list]:
        length = mpmath.sqrt(sum(v * v for v in self.vectors[e]))
        n = [v / length for v in self.vectors[e]]
        tension = self.k[e] * (sum(a * b for a, b in zip(n, apart, strict=True)) - self.rest[e])
        return [tension * v for v in n], [[self.k[e] * a * b for b in n] for a in n]

    def _spring(self, e: int, apart: list) -> tuple[list, list]:
        length = mpmath.sqrt(sum(v * v for v in apart))
        n = [v / length for v in apart]
        tension = self.k[e] * (length - self.rest[e])
        across = tension / length
        block = [
            [(self.k[e] - across) * a * b + (across if c == d else 0) for d, b in enumerate(n)] for c, a in enumerate(n)
        ]
        return [tension * v for v in n], block
