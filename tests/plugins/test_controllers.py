"""Controllers to compare with: their steps against gradients, closed forms and each other, and what they cost."""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sandbox_order_zero
from sandbox_aeqprop import AEqprop
from sandbox_coupled_learning import Contrastive, CoupledLearning
from sandbox_elastic_network import ElasticNetwork
from sandbox_eqprop import EquilibriumPropagation
from sandbox_flow_network import FlowNetwork
from sandbox_order_zero import CMAES, SPSA, FiniteDifferences
from sandbox_spring_lattice import SpringLattice
from scipy.optimize import minimize

import sandbox
from sandbox.apparatus import Apparatus
from sandbox.bench import Bench, WhiteBox
from sandbox.errors import SandboxError
from sandbox.imperfections import Imperfections
from sandbox.parts import Controller
from sandbox.physics.boundary import Boundary
from sandbox.physics.graphs import jittered_grid, triangular
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.system import System
from sandbox.terminals import Terminals

TIGHT = 1e-13
"""Tolerance of relaxations, so that what is measured is the controller's error and not the solver's."""

ORDER = 0.15
"""Slack of an order measured on a ladder whose last rung is a sixteenth of its first."""

SOLVED = 1e-9
"""Relative error of what is exact, through a contrast of states that are a tenth to a hundredth apart."""


@dataclass(frozen=True, eq=False)
class Case:
    """A system with terminals and one sample; ``beta`` is well below the stiffness of the outputs."""

    system: System
    inputs: Terminals
    outputs: Terminals
    sample: tuple[np.ndarray, np.ndarray]
    beta: float = 0.3
    surroundings: Boundary | None = None

    def apparatus(self, **settings: Any) -> Apparatus:
        settings = {"tolerance": TIGHT, "surroundings": self.surroundings, **settings}
        return Apparatus(self.system, self.inputs, self.outputs, **settings)

    def step(self, controller: Controller, **settings: Any) -> np.ndarray:
        """(P,) change of the stiffnesses in the controller's first step."""
        apparatus = self.apparatus(**settings)
        controller.step(port(controller, apparatus), *self.sample)
        return apparatus.stiffness - self.system.stiffness

    def gradient(self) -> np.ndarray:
        apparatus = self.apparatus()
        apparatus.clamp(self.sample[0])
        return apparatus.loss_gradient(self.sample[1])


def port(controller: Controller, apparatus: Apparatus, rng: Any = None) -> Bench:
    """The port that the controller asks for."""
    return WhiteBox(apparatus, rng) if controller.port == "white box" else Bench(apparatus, rng)


def flow(**keys: Any) -> Case:
    """16 nodes, three inputs, two outputs."""
    system = FlowNetwork(**keys).build(jittered_grid(4, seed=3), np.random.default_rng(11))
    sample = np.array([0.0, 1.0, 0.4]), np.array([0.3, 0.6])
    return Case(system, Terminals.at([0, 15, 7]), Terminals.at([9, 6]), sample)


def tiny() -> Case:
    """4 nodes all joined, 6 conductances, one output."""
    edges = np.array(list(itertools.combinations(range(4), 2)))
    network = Network(np.random.default_rng(5).uniform(0, 1, (4, 2)), edges)
    system = FlowNetwork().build(network, np.random.default_rng(1))
    return Case(system, Terminals.at([0, 1]), Terminals.at([2]), (np.array([0.0, 1.0]), np.array([0.7])))


def elastic(**keys: Any) -> Case:
    """A jittered grid of true geometry, its left side held, a node of its right side pulled, a pair read."""
    network = jittered_grid(4, seed=4)
    part = ElasticNetwork(**{"stiffness": {"low": 0.5, "high": 1.5}, **keys})
    left, right = network.nodes("left"), network.nodes("right")
    held = Boundary.free(network.n_nodes, 2).clamp(left, network.positions[left])
    rest = np.linalg.norm(network.positions[10] - network.positions[5])
    sample = network.positions[right[[2]], 0] + 0.1, np.array([1.1 * rest])
    system = part.build(network, np.random.default_rng(12))
    return Case(system, Terminals.at(right[[2]]), Terminals.across([[5, 10]]), sample, 0.08, held)


def periodic() -> Case:
    """A periodic triangular lattice under the stress of springs that are too short; a pair strained, a pair read."""
    network = triangular((5, 5), periodic=True)
    system = SpringLattice(stiffness={"low": 0.5, "high": 1.5}, rest_length=0.97).build(
        network, np.random.default_rng(13)
    )
    sample = np.array([1.05 * np.linalg.norm(network.positions[7] - network.positions[6])]), np.array([1.0])
    return Case(system, Terminals.across([[6, 7]]), Terminals.across([[12, 13]]), sample, 0.1)


BOTH = pytest.mark.parametrize("make", [flow, elastic], ids=["flow", "elastic"])


def slope(ladder: np.ndarray, errors: list[float]) -> float:
    return float(np.polyfit(np.log(ladder), np.log(errors), 1)[0])


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# Equilibrium propagation.


@BOTH
@pytest.mark.parametrize(("variant", "order"), [("optimistic", 1), ("pessimistic", 1), ("centered", 2)])
def test_eqprop_is_the_gradient_to_its_order_in_beta(make: Callable[[], Case], variant: Any, order: int) -> None:
    case = make()
    exact, ladder, eps = case.gradient(), case.beta * 0.5 ** np.arange(5), 0.01
    steps = [
        -case.step(EquilibriumPropagation(variant=variant, beta=b), compliance=eps) / (eps * b) for b in ladder.tolist()
    ]
    errors = [distance(s, exact) for s in steps]
    assert abs(slope(ladder, errors) - order) < ORDER, errors
    # Richardson: combining two rungs so that the leading error cancels gains an order.
    better = (2**order * steps[2] - steps[1]) / (2**order - 1)
    assert distance(better, exact) < 0.2 * errors[2]


@BOTH
def test_eqprop_steps_as_aeqprop_does_to_second_order_in_the_compliance(make: Callable[[], Case]) -> None:
    case = make()
    ladder = 0.05 * 0.5 ** np.arange(5)
    gaps, steps = [], []
    for eps in ladder:
        ours = case.step(EquilibriumPropagation(beta=case.beta), compliance=eps)
        theirs = case.step(AEqprop(beta=case.beta), compliance=eps)
        gaps.append(float(np.linalg.norm(ours - theirs)))
        steps.append(float(np.linalg.norm(ours)))
    assert abs(slope(ladder, gaps) - 2) < ORDER
    assert gaps[-1] < 0.1 * steps[-1]


@pytest.mark.parametrize(
    "make",
    [flow, elastic, periodic, lambda: elastic(geometry="linearized"), lambda: elastic(prestrain=0.05)],
    ids=["flow", "elastic", "periodic", "linearized", "prestrained"],
)
def test_assuming_linear_edges_is_exact_where_they_are(make: Callable[[], Case]) -> None:
    case = make()
    own, assumed = (
        case.step(EquilibriumPropagation(beta=case.beta, assumed_law=law), compliance=0.1) for law in ("own", "linear")
    )
    assert np.abs(own).max() > 1e-7
    assert distance(assumed, own) < SOLVED


@pytest.mark.parametrize("rule", [EquilibriumPropagation, CoupledLearning, Contrastive])
def test_assuming_linear_edges_is_wrong_where_they_are_diodes(rule: type[Controller]) -> None:
    case = replace(flow(law="diode", turn="reversed"), outputs=Terminals.at([9]))
    case = replace(case, sample=(np.array([0.0, 1.0, 0.4]), np.array([0.5])))
    downhill, keys = -case.gradient(), {"eta": 0.01} if rule is CoupledLearning else {}
    own, assumed = (case.step(rule(**keys, assumed_law=law), compliance=0.01) for law in ("own", "linear"))
    print(
        f"{rule.__name__}: cosine with the gradient step {cosine(own, downhill):.4f}, {cosine(assumed, downhill):.4f}"
    )
    assert cosine(own, downhill) > (0.97 if rule is Contrastive else 0.999)  # that one's nudging is no small one
    assert cosine(assumed, downhill) < 0.9


class Opaque:
    """A system that is made of edges and does not show it."""

    def __init__(self, inside: Material) -> None:
        self._inside = inside
        self.network, self.components = inside.network, inside.components
        self.stiffness, self.bounds = inside.stiffness, inside.bounds
        self.rest_state, self.measure_pairs = inside.rest_state, inside.measure_pairs
        self.relax, self.sensitivity = inside.relax, inside.sensitivity


@pytest.mark.parametrize("rule", [EquilibriumPropagation, CoupledLearning, Contrastive])
def test_systems_that_are_not_made_of_edges(rule: type[Controller]) -> None:
    plain = flow()
    assert isinstance(plain.system, Material)
    opaque = replace(plain, system=Opaque(plain.system))
    np.testing.assert_array_equal(opaque.step(rule(), compliance=0.1), plain.step(rule(), compliance=0.1))
    with pytest.raises(SandboxError, match=r"this system \(Opaque\) is not made of edges"):
        opaque.step(rule(assumed_law="linear"))
    with pytest.raises(SandboxError, match="here the rest lengths l are learned"):
        elastic(adjustable="rest length").step(rule(assumed_law="linear"))


# Rules that clamp the outputs, against dense solves of their own.


@dataclass(frozen=True)
class Dense:
    """The linear flow network of a case, solved with the whole matrix; the conductances may be complex."""

    case: Case

    def solve(self, k: np.ndarray, held: dict[int, Any]) -> np.ndarray:
        network = self.case.system.network
        incidence = np.zeros((network.n_edges, network.n_nodes))
        rows = np.arange(network.n_edges)
        incidence[rows, network.edges[:, 0]], incidence[rows, network.edges[:, 1]] = -1, 1
        matrix = incidence.T @ (k[:, None] * incidence)
        fixed = list(held)
        free = [n for n in range(network.n_nodes) if n not in held]
        state = np.zeros(network.n_nodes, dtype=k.dtype)
        state[fixed] = [held[n] for n in fixed]
        state[free] = np.linalg.solve(matrix[np.ix_(free, free)], -matrix[np.ix_(free, fixed)] @ state[fixed])
        return state

    def drops(self, k: np.ndarray, outputs: Any = None) -> np.ndarray:
        """(E,), the outputs free, or held."""
        held = dict(zip(self.case.inputs.nodes.tolist(), self.case.sample[0], strict=True))
        if outputs is not None:
            held |= dict(zip(self.case.outputs.nodes.tolist(), outputs, strict=True))
        state = self.solve(k, held)
        edges = self.case.system.network.edges
        return state[edges[:, 1]] - state[edges[:, 0]]

    def outputs(self, k: np.ndarray) -> np.ndarray:
        state = self.solve(k, dict(zip(self.case.inputs.nodes.tolist(), self.case.sample[0], strict=True)))
        return state[self.case.outputs.nodes]

    def energy(self, k: np.ndarray, outputs: Any = None) -> Any:
        return 0.5 * (k * self.drops(k, outputs) ** 2).sum()

    def derivative(self, function: Callable[[np.ndarray], Any]) -> np.ndarray:
        """D function/dk, (..., E), by complex steps, exact to rounding."""
        k = self.case.system.stiffness.astype(complex)
        columns = []
        for edge in range(len(k)):
            shifted = k.copy()
            shifted[edge] += 1e-30j
            columns.append(np.imag(function(shifted)) / 1e-30)
        return np.stack(columns, axis=-1)

    def stiffness_of_outputs(self) -> np.ndarray:
        """K, d^2 energy/dy^2: the energy is quadratic, so unit displacements tell it."""
        k, y = self.case.system.stiffness, self.outputs(self.case.system.stiffness)
        base, unit = self.energy(k, y), np.eye(len(y))
        single = [self.energy(k, y + u) - base for u in unit]
        return np.array(
            [
                [self.energy(k, y + unit[i] + unit[j]) - base - single[i] - single[j] for j in range(len(y))]
                for i in range(len(y))
            ]
        )


@pytest.mark.parametrize("eta", [0.01, 0.3, 1.0])
def test_coupled_learning_against_dense_solves(eta: float) -> None:
    case = flow()
    dense, k = Dense(case), case.system.stiffness
    free = dense.outputs(k)
    clamped = free + eta * (case.sample[1] - free)
    expected = -0.05 * 0.7 / eta * 0.5 * (dense.drops(k, clamped) ** 2 - dense.drops(k) ** 2)
    assert distance(case.step(CoupledLearning(eta=eta, rate=0.7), compliance=0.05), expected) < SOLVED


def test_coupled_learning_tends_to_the_gradient_with_the_error_weighted_by_k() -> None:
    case = flow()
    dense = Dense(case)
    free, response = dense.outputs(case.system.stiffness), dense.derivative(dense.outputs)
    limit = response.T @ dense.stiffness_of_outputs() @ (free - case.sample[1])
    ladder = 0.2 * 0.5 ** np.arange(5)
    errors = [distance(-case.step(CoupledLearning(eta=e), compliance=0.01) / 0.01, limit) for e in ladder.tolist()]
    assert abs(slope(ladder, errors) - 1) < ORDER
    assert cosine(limit, case.gradient()) < 0.999  # another direction than the squared error's

    single = tiny()
    along = -single.step(CoupledLearning(eta=1e-3), compliance=0.01) / 0.01
    weight = float(Dense(single).stiffness_of_outputs()[0, 0])
    assert distance(along, weight * single.gradient()) < 1e-2  # of order eta


def test_contrastive_is_the_gradient_of_the_energy_of_holding_the_outputs() -> None:
    case = flow()
    dense = Dense(case)
    gradient = dense.derivative(lambda k: dense.energy(k, case.sample[1]) - dense.energy(k))
    assert distance(-case.step(Contrastive(), compliance=0.05) / 0.05, gradient) < SOLVED


@BOTH
def test_contrastive_is_coupled_learning_at_eta_1(make: Callable[[], Case]) -> None:
    case = make()
    coupled = case.step(CoupledLearning(eta=1.0, rate=0.5), compliance=0.05)
    np.testing.assert_allclose(case.step(Contrastive(rate=0.5), compliance=0.05), coupled, rtol=0, atol=1e-14)
    assert np.abs(coupled).max() > 1e-6


def test_the_outputs_are_let_go() -> None:
    case = flow()
    box = WhiteBox(case.apparatus(compliance=1e-9))
    CoupledLearning().step(box, *case.sample)
    np.testing.assert_allclose(box.read()[0], Dense(case).outputs(case.system.stiffness), rtol=0, atol=1e-8)


# Order zero.


class Signs:
    """Hands out signs that were chosen before."""

    def __init__(self, *signs: tuple[float, ...]) -> None:
        self._signs = list(signs)

    def choice(self, values: list[float], size: int) -> np.ndarray:
        signs = np.array(self._signs.pop(0))
        assert signs.shape == (size,)
        assert set(signs) <= set(values)
        return signs


def spsa_step(case: Case, controller: SPSA, signs: tuple[float, ...]) -> np.ndarray:
    apparatus = case.apparatus()
    controller.step(port(controller, apparatus, Signs(signs)), *case.sample)
    return apparatus.stiffness - case.system.stiffness


def test_spsa_averaged_over_all_signs() -> None:
    case = tiny()
    exact, k = case.gradient(), case.system.stiffness
    every = list(itertools.product([-1.0, 1.0], repeat=6))

    def mean(c: float) -> np.ndarray:
        controller = SPSA(rate=0.01, perturbation=c)
        return -np.mean([spsa_step(case, controller, signs) for signs in every], axis=0) / 0.01

    def loss(stiffness: np.ndarray) -> float:
        return 0.5 * float(((Dense(case).outputs(stiffness) - case.sample[1]) ** 2).sum())

    formula = [(loss(k + 0.1 * s) - loss(k - 0.1 * s)) / (0.2 * s) for s in np.array(every)]
    assert distance(mean(0.1), np.mean(formula, axis=0)) < SOLVED
    ladder = 0.1 * 0.5 ** np.arange(4)
    errors = [distance(mean(float(c)), exact) for c in ladder]
    assert abs(slope(ladder, errors) - 2) < ORDER
    single = [-spsa_step(case, SPSA(rate=0.01), s) / 0.01 for s in every]
    assert np.mean([distance(s, exact) ** 2 for s in single]) == pytest.approx(5, rel=0.02)  # P - 1


def test_gains_of_spsa_decay() -> None:
    case = tiny()
    controller, signs = SPSA(rate=0.01, perturbation=1e-3, rate_decay=1, stability=1), (1.0, -1.0, 1.0, 1.0, -1.0, 1.0)
    bench = port(controller, case.apparatus(), Signs(signs, signs))
    moved = []
    for _ in range(2):
        bench.stiffness = case.system.stiffness
        controller.step(bench, *case.sample)
        moved.append(bench.stiffness - case.system.stiffness)
    np.testing.assert_allclose(moved[1] / moved[0], 2 / 3, rtol=SOLVED)


@BOTH
@pytest.mark.parametrize(("variant", "order"), [("one-sided", 1), ("centered", 2)])
def test_finite_differences_are_the_gradient_to_their_order(make: Callable[[], Case], variant: Any, order: int) -> None:
    case = make()
    exact, ladder = case.gradient(), 0.1 * 0.5 ** np.arange(4)
    errors = [
        distance(-case.step(FiniteDifferences(variant=variant, rate=0.01, perturbation=c)) / 0.01, exact)
        for c in ladder.tolist()
    ]
    assert abs(slope(ladder, errors) - order) < ORDER, errors


def test_at_a_bound_one_steps_inward() -> None:
    """At the upper bound a step up is clipped away, at the lower bound one down."""
    low, high = tiny(), tiny()
    low = replace(
        low, system=FlowNetwork(conductance=0.5, minimum=0.5).build(low.system.network, np.random.default_rng())
    )
    high = replace(
        high, system=FlowNetwork(conductance=0.5, maximum=0.5).build(high.system.network, np.random.default_rng())
    )
    for case, inward in ((low, 1.0), (high, -1.0)):
        allowed = np.where(inward * -case.gradient() > 0, -case.gradient(), 0.0)
        assert 0 < (allowed != 0).sum() < 6
        for variant in ("one-sided", "centered"):
            step = case.step(FiniteDifferences(variant=variant, perturbation=1e-4, rate=0.1)) / 0.1
            assert distance(step, allowed) < 1e-3


def test_spsa_at_a_bound_divides_by_what_moved() -> None:
    """With every stiffness at its lowest only the upward half of each shake is done, c and not 2c apart."""
    case, c = tiny(), 0.05
    system = FlowNetwork(conductance=0.5, minimum=0.5).build(case.system.network, np.random.default_rng())
    case = replace(case, system=system)
    dense, k = Dense(case), case.system.stiffness

    def loss(stiffness: np.ndarray) -> float:
        return 0.5 * float(((dense.outputs(stiffness) - case.sample[1]) ** 2).sum())

    for signs in itertools.product([-1.0, 1.0], repeat=6):
        s = np.array(signs)
        estimate = (loss(k + c * (s > 0)) - loss(k + c * (s < 0))) / (c * s)
        expected = np.maximum(k - 0.1 * estimate, 0.5) - k
        np.testing.assert_allclose(
            spsa_step(case, SPSA(rate=0.1, perturbation=c), signs), expected, rtol=0, atol=SOLVED * c
        )


def test_dead_knobs_stay() -> None:
    case = tiny()
    for controller in (SPSA(), FiniteDifferences(), FiniteDifferences(variant="centered"), CMAES()):
        apparatus = case.apparatus(imperfections=Imperfections(dead=0.5))
        controller.step(port(controller, apparatus, np.random.default_rng(2)), *case.sample)
        moved = apparatus.stiffness != case.system.stiffness
        np.testing.assert_array_equal(moved, apparatus.true_compliance > 0)
        assert moved.sum() == 3


@pytest.mark.parametrize("part", [FiniteDifferences, SPSA, CMAES])
def test_logarithms(part: type[Controller]) -> None:
    """The logarithm's step is that of log knobs: -rate*theta^2*gradient, multiplicative."""
    case = tiny()
    if part is FiniteDifferences:
        k = case.system.stiffness
        step = case.step(FiniteDifferences(log=True, variant="centered", rate=1e-3, perturbation=1e-3)) / 1e-3
        assert distance(step, -(k**2) * case.gradient()) < 1e-3
    elif part is SPSA:
        k, rate, c = case.system.stiffness, 1e-2, 1e-3
        signs = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])
        step = spsa_step(case, SPSA(log=True, rate=rate, perturbation=c), tuple(signs)) / rate
        along = k * signs @ case.gradient()
        assert distance(step, -k * signs * along) < 1e-2
    else:
        # A search of one decade around stiffnesses that span six stays relative.
        k = 10.0 ** np.arange(-3.0, 3.0)
        system = FlowNetwork(minimum=1e-6).build(case.system.network, np.random.default_rng())
        bench = Bench(replace(case, system=system).apparatus(stiffness=k), np.random.default_rng(0))
        CMAES(log=True, sigma=0.1).step(bench, *case.sample)
        assert 0.01 < np.abs(np.log(bench.stiffness / k)).max() < 0.5
    stuck = FlowNetwork(minimum=0.0, conductance={"low": 0, "high": 0}).build(
        case.system.network, np.random.default_rng()
    )
    with pytest.raises(SandboxError, match="log = true needs positive stiffnesses, and stiffness 0 is 0"):
        replace(case, system=stuck).step(part(log=True))


SCENE = """
seed = {seed}

[network]
type = "random_graph"
nodes = 10
edges = 24

[system]
type = "flow_network"
minimum = 0.2
maximum = 2.0

[terminals]
inputs = [[0, 1]]
outputs = [[2, 3], [4, 5]]

[task]
type = "tuned_flow"
target_drop = [0.3, -0.2]

[controller]
type = "cma_es"
{keys}

[training]
epochs = 40
"""


def learned(folder: Path, seed: int, keys: str = "") -> tuple[np.ndarray, float, float]:
    """Stiffnesses after 40 generations, and the losses before and after."""
    file = folder / "scene.toml"
    file.write_text(SCENE.format(seed=seed, keys=keys), encoding="utf-8")
    setup = sandbox.load(file).setup
    bench, task, controller = setup.bench, setup.task, setup.scene.controller
    assert controller is not None

    def loss() -> float:
        bench.clamp(task.inputs)
        return 0.5 * float(((bench.read() - task.targets) ** 2).sum())

    before = loss()
    for _ in range(40):
        controller.step(bench, task.inputs, task.targets)
    return bench.stiffness, before, loss()


@pytest.mark.parametrize("keys", ["", "log = true", "diagonal_above = 0"])
def test_cma_es_learns_within_bounds(tmp_path: Path, keys: str) -> None:
    stiffness, before, after = learned(tmp_path, 0, keys)
    assert after < 0.02 * before
    assert 0.2 <= stiffness.min() < stiffness.max() <= 2.0


def test_cma_es_finds_an_optimum_at_the_bounds() -> None:
    """A target out of reach presses conductances against both bounds; the search stays there and does not wander."""
    case = tiny()
    system = FlowNetwork(minimum=0.2, maximum=2.0).build(case.system.network, np.random.default_rng(1))
    case = replace(case, system=system, sample=(case.sample[0], np.array([0.99])))
    dense, bench = Dense(case), Bench(case.apparatus(), np.random.default_rng(0))

    def loss(k: np.ndarray) -> float:
        return 0.5 * float(((dense.outputs(k) - case.sample[1]) ** 2).sum())

    best = minimize(loss, system.stiffness, bounds=[(0.2, 2.0)] * 6, options={"ftol": 1e-14, "gtol": 1e-10})
    assert ((best.x == 0.2) | (best.x == 2.0)).sum() >= 4
    for _ in range(150):
        CMAES().step(bench, *case.sample)
    assert loss(bench.stiffness) < best.fun * (1 + 1e-6)
    decided = (best.x == 0.2) | (best.x == 2.0)
    assert np.abs(bench.notes["search"].mean - best.x)[decided].max() < 0.01


def test_cma_es_is_a_function_of_the_seed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.random.seed(7)  # noqa: NPY002 (the global generator is what is looked at)
    first = learned(tmp_path, 3)[0]
    untouched = np.random.random()  # noqa: NPY002
    np.testing.assert_array_equal(learned(tmp_path, 3)[0], first)
    one, other = (Bench(tiny().apparatus(), np.random.default_rng(seed)) for seed in (1, 2))
    for bench in (one, other):
        CMAES().step(bench, *tiny().sample)
    assert (one.stiffness != other.stiffness).any()
    np.random.seed(7)  # noqa: NPY002
    assert np.random.random() == untouched  # noqa: NPY002
    assert capfd.readouterr().out == ""


def test_without_the_package_cma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(SandboxError, match=r"pip install 'matter-sandbox\[order-zero\]'"):
        tiny().step(CMAES())


# What a step costs, and who is agnostic.


@pytest.mark.parametrize(
    ("controller", "losses"),
    [
        (EquilibriumPropagation(), 2),
        (EquilibriumPropagation(assumed_law="linear"), 2),
        (CoupledLearning(), 2),
        (Contrastive(), 2),
        (SPSA(), 2),
        (FiniteDifferences(), 7),
        (FiniteDifferences(variant="centered"), 12),
        (CMAES(), 9),  # 4 + floor(3 log 6)
        (CMAES(population=20), 20),
    ],
    ids=repr,
)
def test_relaxations_of_a_step(controller: Controller, losses: int) -> None:
    inputs, targets = np.array([[0.0, 1.0], [0.2, 0.9], [0.5, 0.4]]), np.array([[0.7], [0.5], [0.6]])
    for batch in (1, 3):
        bench = port(controller, tiny().apparatus(compliance=0.01))
        for step in (1, 2):
            controller.step(bench, inputs[:batch], targets[:batch])
            assert bench.meter["relaxations"] == step * losses * batch
        assert bench.meter["linear_solves"] == 0


def test_ports() -> None:
    for part in (EquilibriumPropagation, CoupledLearning, Contrastive):
        assert part.port == "white box"
        with pytest.raises(AssertionError):
            part().step(Bench(tiny().apparatus()), *tiny().sample)
    for part in (SPSA, FiniteDifferences, CMAES):
        assert part.port == "bench"


def test_order_zero_uses_the_bench_and_nothing_behind_it() -> None:
    allowed = {name for name in dir(Bench) if not name.startswith("_")} - {"nudge", "hold", "release", "knobs"}
    used: set[str] = set()
    for file in Path(sandbox_order_zero.__file__).parent.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(("sandbox.physics", "sandbox.apparatus")), file
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "bench":
                used.add(node.attr)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "bench.nudge":
                assert ast.unparse(node) == "bench.nudge(None, 0.0)"  # taken off, never used
    assert used - {"nudge"} <= allowed
    assert {"clamp", "read", "stiffness"} <= used


@pytest.mark.parametrize(
    ("controller", "steps"),
    [
        (EquilibriumPropagation(), 60),
        (CoupledLearning(), 60),
        (Contrastive(), 60),
        (SPSA(rate=0.5), 200),
        (FiniteDifferences(rate=1.0), 60),
    ],
    ids=repr,
)
def test_learns(controller: Controller, steps: int) -> None:
    case = tiny()
    bench = port(controller, case.apparatus(compliance=1.0), np.random.default_rng(0))

    def loss() -> float:
        bench.clamp(case.sample[0])
        bench.nudge(None, 0.0)
        return float(((bench.read() - case.sample[1]) ** 2).sum())

    before = loss()
    for _ in range(steps):
        controller.step(bench, *case.sample)
    assert loss() < 0.05 * before
