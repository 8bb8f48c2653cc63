"""W4b: learning steps on an elastic network of 64 nodes in true geometry, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize

from benchmarks.floors import product_rate
from benchmarks.learner import TOLERANCE, Learning, by_phases, elastic_learning, replayed
from benchmarks.timing import Case, Contestant, Phase
from benchmarks.workload import Workload

LOW = 1e-3
"""The lowest stiffness; an eliminated one stays at it."""
PRODUCTS = 8 * 7_258
"""Of a step: those of its factorizations."""
REST = 1e-4
"""Forces at play in a network without tension, in units of stiffness times length; as this project counts them."""

Terms = tuple[float, np.ndarray, np.ndarray, np.ndarray, float]
"""Energy, force (F,), Hessian (F, F), stiffnesses (E,), largest tension."""


class Nudged:
    """Energy of the free coordinates under a nudging, stiffnesses held or eliminated.

    Attributes:
        state: (N, 2), what is clamped in place.
    """

    def __init__(self, data: Learning) -> None:
        network, free = data.network, data.free
        self.rest, self.free, self.eps = network.lengths(), free, data.compliance
        self.first, self.second = network.edges.T
        self.state = network.positions.copy()
        self.inputs, outputs = data.places
        place = np.full(self.state.size, -1)
        place[free] = np.arange(len(free))
        self.seat = place[outputs]
        columns = np.concatenate([2 * network.edges[:, :1] + [0, 1], 2 * network.edges[:, 1:] + [0, 1]], axis=1)
        slots = place[columns]  # (E, 4)
        self.sign = np.array([-1.0, -1.0, 1.0, 1.0])
        n = len(free) + 1  # what is clamped goes to a row and column of its own, which is dropped
        slots = np.where(slots < 0, n - 1, slots)
        self.slots, self.entries, self.n = slots.ravel(), (slots[:, :, None] * n + slots[:, None, :]).ravel(), n
        self.blocks = np.outer(self.sign, self.sign)

    def at(self, x: np.ndarray, target: np.ndarray, beta: float, theta: np.ndarray, knobs: np.ndarray | None) -> Terms:
        """At free coordinates x (F,): stiffnesses ``theta`` are held, or let go under ``knobs``."""
        flat = self.state.ravel()
        flat[self.free] = x
        bond = self.state[self.second] - self.state[self.first]
        length = np.sqrt(np.einsum("ed,ed->e", bond, bond))
        normal, stretch = bond / length[:, None], length - self.rest
        curvature, energy = theta, 0.0
        if knobs is not None:
            theta = np.maximum(knobs - self.eps / 2 * stretch**2, LOW)
            curvature = np.where(theta > LOW, theta - self.eps * stretch**2, theta)
            energy = float(((knobs - theta) ** 2).sum()) / (2 * self.eps)
        tension = theta * stretch
        error = x[self.seat] - target
        energy += float(tension @ stretch + beta * error @ error) / 2
        pulls = (tension[:, None] * normal)[:, [0, 1, 0, 1]] * self.sign
        force = np.bincount(self.slots, pulls.ravel(), self.n)[:-1]
        force[self.seat] += beta * error
        across = tension / length
        block = (curvature - across)[:, None, None] * normal[:, :, None] * normal[:, None, :]
        block[:, [0, 1], [0, 1]] += across[:, None]
        spread = np.tile(block, (1, 2, 2)) * self.blocks
        hessian = np.bincount(self.entries, spread.ravel(), self.n**2).reshape(self.n, self.n)[:-1, :-1]
        hessian[self.seat, self.seat] += beta
        at_play = float(np.maximum(np.abs(tension), REST * np.abs(theta * length)).max())
        return energy, force, hessian, theta, at_play


Minimizer = Callable[[Callable[[np.ndarray], Terms], np.ndarray], np.ndarray]


def newton(terms: Callable[[np.ndarray], Terms], x: np.ndarray) -> np.ndarray:
    """Newton's method with SciPy's dense Cholesky, steps halved while the energy rises."""
    here = terms(x)
    for _ in range(100):
        energy, force, hessian, _, at_play = here
        if np.abs(force).max() <= TOLERANCE * at_play:
            return x
        shift, move = 0.0, force
        while True:
            try:
                lifted = hessian + shift * np.eye(len(x)) if shift else hessian
                move = cho_solve(cho_factor(lifted, check_finite=False), -force, check_finite=False)
                break
            except LinAlgError:
                shift = max(2 * shift, 1e-3 * np.abs(hessian).max())
        for _ in range(40):
            here = terms(x + move)
            if here[0] <= energy + 1e-14 * abs(energy) + 1e-15:
                break
            move = move / 2
        x = x + move
    raise RuntimeError("Newton's method did not converge")


def trust_exact(terms: Callable[[np.ndarray], Terms], x: np.ndarray) -> np.ndarray:
    """SciPy's ``minimize`` with the exact Hessian; it wants energy, slope and Hessian one by one."""
    kept: dict[bytes, Terms] = {}

    def at(x: np.ndarray) -> Terms:
        key = x.tobytes()
        if key not in kept:
            kept.clear()
            kept[key] = terms(x)
        return kept[key]

    options = {"gtol": TOLERANCE * at(x)[4], "initial_trust_radius": 1.0}
    found = minimize(
        lambda x: at(x)[0],
        x,
        jac=lambda x: at(x)[1],
        hess=lambda x: at(x)[2],
        method="trust-exact",
        options=options,
    )
    return found.x


def _scipy(minimizer: Minimizer) -> Callable[[Case], Mapping[str, Phase]]:
    def prepare(case: Case) -> Mapping[str, Phase]:
        data: Learning = case.data

        def run() -> np.ndarray:
            nudged, theta, half = Nudged(data), data.material().stiffness.copy(), data.beta / 2
            x = nudged.state.ravel()[nudged.free].copy()
            for inputs, targets in zip(data.x, data.y, strict=True):
                nudged.state.ravel()[nudged.inputs] = inputs
                held = theta
                x = minimizer(lambda x, y=targets, k=held: nudged.at(x, y, -half, k, None), x)
                nudged.state.ravel()[nudged.free] = x
                ends = nudged.state[nudged.second] - nudged.state[nudged.first]
                knobs = theta + data.compliance / 2 * (np.linalg.norm(ends, axis=1) - nudged.rest) ** 2
                x = minimizer(lambda x, y=targets, k=held, u=knobs: nudged.at(x, y, half, k, u), x)
                theta = nudged.at(x, targets, half, held, knobs)[3]
            return theta

        return {"step": Phase(run)}

    return prepare


def case(size: int, quick: bool) -> Case:
    steps = 10 if quick else 300
    return Case(size, steps, elastic_learning(steps), {"step": PRODUCTS / product_rate()})


WORKLOAD = Workload(
    key="W4b",
    title="learning steps on an elastic network of 64 nodes in true geometry, one sample at a time",
    text="""
161 springs, lengths about 1; the left column is held, two nodes of the right column are moved along x by up to 0.5,
and the heights of three nodes inside are the outputs. Agnostic equilibrium propagation, centered, beta = 0.1,
compliance 2; no force is left that is larger than 1e-10 of the largest tension. All pass over the same 300 samples
and must end at the same stiffnesses, to 1e-8 of the largest. The SciPy peers eliminate the stiffnesses as this
project does, have energy, forces and exact Hessian in vectorized NumPy, dense 110 by 110, and start each phase where
the last one ended.

A step here is ten passes over the bonds and some eight factorizations; of about 190 µs, half are factorizations (7,258
products each, entry by entry where LAPACK has blocks), 40 solutions, 30 passes over the bonds, 20 putting Hessians
together. Building the network and its plan is taken off, as the peers have their tables. Both phases prove that they
ended in a minimum, which takes a factorization each; the peers do not look. Floor: the products of eight
factorizations at the speed of NumPy's product of matrices.
""",
    sizes=(64,),
    quick=(64,),
    case=case,
    contestants=(
        Contestant("this project, replayed", replayed, ("matter-sandbox",), ours=True),
        Contestant("this project, phase by phase", by_phases, ours=True),
        Contestant("SciPy, Newton with dense Cholesky", _scipy(newton), ("scipy",)),
        Contestant("SciPy, minimize(method='trust-exact')", _scipy(trust_exact), ("scipy",)),
    ),
    phases={"step": "a learning step"},
    agreement=1e-8,
    unit=("µs per step", 1e6),
)
