"""W4: learning steps of agnostic equilibrium propagation on a flow network of 64 nodes, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.floors import product_rate
from benchmarks.learner import TOLERANCE, Learning, by_phases, flow_learning, replayed
from benchmarks.timing import Case, Contestant, Phase, module
from benchmarks.workload import Workload

LOW = 1e-3
"""The lowest conductance; an eliminated stiffness stays at it."""
PRODUCTS = 12_500
"""Of a step: half of its operations, counted from the lists of the factorization and the passes over the bonds."""


@dataclass(frozen=True, eq=False)
class Dense:
    """The network as dense arrays, for those who assemble by gathering.

    Attributes:
        free, inputs, outputs: node indices; ``nudged`` (F,) is 1 at outputs, ``seat`` (O,) their rows among the free.
        first, second: ends of the edges.
        edge_between: (F, F) index of the edge that joins two free nodes, E where none does.
        touching: (F, E), 1 where an edge meets a free node.
        signed: (F, E), what an edge's flow adds to the force on a free node: +1 at its second node, -1 at its first.
    """

    free: np.ndarray
    inputs: np.ndarray
    seat: np.ndarray
    nudged: np.ndarray
    first: np.ndarray
    second: np.ndarray
    edge_between: np.ndarray
    touching: np.ndarray
    signed: np.ndarray

    @classmethod
    def of(cls, data: Learning) -> Dense:
        n, edges, free = data.network.n_nodes, data.network.edges, data.free
        place = np.full(n, -1)
        place[free] = np.arange(len(free))
        between = np.full((len(free), len(free)), len(edges))
        signed = np.zeros((len(free), len(edges)))
        for e, (i, j) in enumerate(place[edges]):
            if i >= 0 and j >= 0:
                between[i, j] = between[j, i] = e
            if i >= 0:
                signed[i, e] = -1.0
            if j >= 0:
                signed[j, e] = 1.0
        inputs, outputs = data.places
        nudged = np.zeros(len(free))
        nudged[place[outputs]] = 1.0
        first, second = edges.T
        return cls(free, inputs, place[outputs], nudged, first, second, between, np.abs(signed), signed)


def _numpy(solve: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Case], Mapping[str, Phase]]:
    """The step in NumPy, with a dense solver."""

    def prepare(case: Case) -> Mapping[str, Phase]:
        data: Learning = case.data
        dense, eps = Dense.of(data), data.compliance
        first, second, free = dense.first, dense.second, dense.free
        signed, touching, between = dense.signed, dense.touching, dense.edge_between
        diagonal = np.arange(len(free)) * (len(free) + 1)

        def hessian(c: np.ndarray, beta: float) -> np.ndarray:
            matrix = -np.append(c, 0.0)[between]
            matrix.flat[diagonal] += touching @ c + beta * dense.nudged
            return matrix

        def run() -> np.ndarray:
            theta = data.material().stiffness.copy()
            s = np.zeros(data.network.n_nodes)
            target = np.zeros(len(free))
            for inputs, targets in zip(data.x, data.y, strict=True):
                s[dense.inputs] = inputs
                target[dense.seat] = targets
                # Homeostatic phase: linear, so one solve; then the knobs that hold the stiffnesses.
                beta = -data.beta / 2
                force = signed @ (theta * (s[second] - s[first])) + beta * dense.nudged * (s[free] - target)
                s[free] -= solve(hessian(theta, beta), force)
                knobs = theta + eps / 2 * (s[second] - s[first]) ** 2
                # Clamped phase: Newton on the law in which every stiffness is eliminated.
                beta = data.beta / 2
                for _ in range(50):
                    drop = s[second] - s[first]
                    theta = np.maximum(knobs - eps / 2 * drop**2, LOW)
                    flow = theta * drop
                    force = signed @ flow + beta * dense.nudged * (s[free] - target)
                    if np.abs(force).max() <= TOLERANCE * np.abs(flow).max():
                        break
                    s[free] -= solve(hessian(np.where(theta > LOW, theta - eps * drop**2, theta), beta), force)
            return theta

        return {"step": Phase(run)}

    return prepare


def _cholesky(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg import lapack

    return lapack.dposv(matrix, right)[1]


def _jax(case: Case) -> Mapping[str, Phase]:
    """The step as a jitted scan over the samples, Newton as a while loop inside."""
    jax: Any = module("jax")
    jnp: Any = module("jax.numpy")
    linalg: Any = module("jax.scipy.linalg")
    data: Learning = case.data
    dense, eps, half = Dense.of(data), data.compliance, data.beta / 2
    first, second, free, seat = (jnp.asarray(a) for a in (dense.first, dense.second, dense.free, dense.seat))
    signed, touching, nudged = (jnp.asarray(a) for a in (dense.signed, dense.touching, dense.nudged))
    between = jnp.asarray(dense.edge_between)

    def hessian(c: Any, beta: float) -> Any:
        return jnp.diag(touching @ c + beta * nudged) - jnp.append(c, 0.0)[between]

    def newton(s: Any, c: Any, force: Any, beta: float) -> Any:
        factor = linalg.cho_factor(hessian(c, beta), lower=True, check_finite=False)
        return s.at[free].add(-linalg.cho_solve(factor, force, check_finite=False))

    def step(carry: Any, sample: Any) -> Any:
        theta, s = carry
        s = s.at[dense.inputs].set(sample[0])
        target = jnp.zeros(len(dense.free)).at[seat].set(sample[1])
        force = signed @ (theta * (s[second] - s[first])) - half * nudged * (s[free] - target)
        s = newton(s, theta, force, -half)
        knobs = theta + eps / 2 * (s[second] - s[first]) ** 2

        def at(s: Any) -> Any:
            drop = s[second] - s[first]
            theta = jnp.maximum(knobs - eps / 2 * drop**2, LOW)
            flow = theta * drop
            force = signed @ flow + half * nudged * (s[free] - target)
            return s, theta, drop, force, jnp.abs(force).max() > TOLERANCE * jnp.abs(flow).max()

        def move(here: Any) -> Any:
            s, theta, drop, force, _ = here
            return at(newton(s, jnp.where(theta > LOW, theta - eps * drop**2, theta), force, half))

        s, theta, *_ = jax.lax.while_loop(lambda here: here[4], move, at(s))
        return (theta, s), None

    epoch = jax.jit(lambda theta, s, x, y: jax.lax.scan(step, (theta, s), (x, y))[0][0])
    start = jnp.asarray(data.material().stiffness), jnp.zeros(data.network.n_nodes)
    stream = jnp.asarray(data.x), jnp.asarray(data.y)
    if start[0].dtype != np.float64:
        raise RuntimeError("JAX is not in float64; set JAX_ENABLE_X64=1")
    return {"step": Phase(lambda: np.asarray(epoch(*start, *stream)))}


def case(size: int, quick: bool) -> Case:
    steps = 50 if quick else 4000
    return Case(size, steps, flow_learning(steps), {"step": PRODUCTS / product_rate()})


WORKLOAD = Workload(
    key="W4",
    title="learning steps on a flow network of 64 nodes and 161 edges, one sample at a time",
    text="""
Agnostic equilibrium propagation, centered, beta = 1, compliance 0.2: hold the stiffnesses under one nudging, let them
go under the other. Relaxations of the peers end where no force is larger than 1e-10 of the largest flow, this project's
where none is larger than 1e-10 of the flows that meet at its node. All contestants pass over the same 4,000 samples and
must end at the same stiffnesses, to 1e-8 of the largest. Four inputs, two constants, three outputs; the targets are
those of another network of the same graph. The peers are written for this case: dense 58 by 58 matrices assembled by
gathering, full Newton steps without a line search, and none looks whether what it found is a minimum, which this
project does in both phases.

Where a step's time goes here, from runs with parts of it done several times over: 5 µs passes over the bonds (four of
them, 28 cycles a bond), 3 µs two factorizations (827 products each), 2 µs putting two Hessians together, 3 µs three
solutions, the rest nodes, stopping rules, and keeping what a failed step is taken back to. Building the network and
working out its plan, 4 ms a run, is taken off, as the peers have their tables already. The arithmetic alone, some
25,000 operations at two a cycle, would take 4 µs. In between stands indirect addressing: an update of the factor is two
products and some fifteen instructions. Taichi makes machine code that loads every array's address anew and uses no
vector instructions here. Peers spend theirs in dense algebra, twenty times the arithmetic, at the speed of LAPACK.
Floor: the same operations in pairs of a multiplication and an addition, at the speed of NumPy's product of matrices.
""",
    sizes=(64,),
    quick=(64,),
    case=case,
    contestants=(
        Contestant("this project, replayed", replayed, ("matter-sandbox",), ours=True),
        Contestant("this project, phase by phase", by_phases, ours=True),
        Contestant("NumPy", _numpy(np.linalg.solve), ("numpy",)),
        Contestant("NumPy with LAPACK's Cholesky from SciPy", _numpy(_cholesky), ("scipy",)),
        Contestant("JAX, jitted scan", _jax, ("jax", "jaxlib")),
    ),
    phases={"step": "a learning step"},
    agreement=1e-8,
    unit=("µs per step", 1e6),
)
