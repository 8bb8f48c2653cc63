"""The port: what a controller can touch, what it cannot, and that it needs nothing else."""

import ast
import importlib
import inspect
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sandbox_adjoint import Adjoint
from sandbox_aeqprop import AEqprop
from sandbox_flow_network import FlowNetwork

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench, WhiteBox
from sandbox.errors import BoundaryError, SandboxError
from sandbox.parts import Controller
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.graphs import jittered_grid
from sandbox.physics.knobs import Knobs
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.physics.system import System
from sandbox.plugins import plugins
from sandbox.terminals import Terminals

PORT = {"clamp", "nudge", "clamp_outputs", "read", "hold", "release", "stiffness", "knobs", "meter", "notes", "rng"}
SECRETS = (System, Network, Material, Equilibrium, Boundary, Apparatus, Terminals, Knobs)


def apparatus(**settings: Any) -> Apparatus:
    """36 nodes (no other array has this size), 2 inputs, 1 output."""
    system = FlowNetwork().build(jittered_grid(6, seed=1), np.random.default_rng(0))
    return Apparatus(system, Terminals.at([0, 35]), Terminals.at([14]), compliance=0.5, **settings)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(apparatus())
    bench.clamp([0.0, 1.0])
    bench.nudge([0.7], 0.2)
    return bench


# What can be reached.

ARGUMENTS = {"clamp": ([0.0, 1.0],), "nudge": ([0.7], 0.2), "clamp_outputs": ([0.6],), "loss_gradient": ([0.7],)}
DEPTH = 4
ATOMS = (int, float, complex, str, bytes, bool, type(None), np.generic, np.random.Generator)


def reached(thing: Any, path: str = "bench", depth: int = DEPTH) -> Iterable[tuple[str, Any]]:
    """Everything that public attributes, calls without secrets, and items lead to."""
    yield path, thing
    if depth == 0 or isinstance(thing, ATOMS):
        return
    if isinstance(thing, np.ndarray):
        if thing.base is not None:
            yield from reached(thing.base, f"{path}.base", depth - 1)
        return
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from reached(value, f"{path}[{key!r}]", depth - 1)
    elif isinstance(thing, (list, tuple, set)):
        for number, value in enumerate(thing):
            yield from reached(value, f"{path}[{number}]", depth - 1)
    if callable(thing):
        name = getattr(thing, "__name__", "")
        if depth < DEPTH - 1 or isinstance(thing, type):
            return  # methods of what methods return are Python's own here
        yield from reached(thing(*ARGUMENTS.get(name, ())), f"{path}()", depth - 1)
        return
    for name in dir(thing):
        if not name.startswith("_"):
            yield from reached(getattr(thing, name), f"{path}.{name}", depth - 1)


def found(port: Bench, n_nodes: int) -> list[str]:
    bad = []
    for path, thing in reached(port):
        secret = isinstance(thing, SECRETS) and not isinstance(thing, type)
        if secret or (isinstance(thing, np.ndarray) and n_nodes in thing.shape):
            bad.append(path)
    return bad


def test_nothing_of_the_inside_is_reached(bench):
    assert found(bench, 36) == []
    assert {name for name in dir(bench) if not name.startswith("_")} == PORT


def test_the_crawl_sees_what_is_open():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated attributes of others' classes, which the crawl touches too
        paths = found(WhiteBox(apparatus()), 36)
    assert {"bench.system", "bench.boundary", "bench.settle()", "bench.settle().state"} <= set(paths)


@pytest.mark.parametrize(
    "name",
    ["energy", "state", "gradient", "loss_gradient", "system", "network", "boundary", "settle", "apparatus", "relax"],
)
def test_no_such_attribute(bench, name):
    with pytest.raises(AttributeError):
        getattr(bench, name)


def test_what_may_be_set(bench):
    with pytest.raises(AttributeError):
        bench.meter = {}
    with pytest.raises(AttributeError):
        bench.hint = 1.0
    with pytest.raises(TypeError):
        bench.meter["relaxations"] = 0
    bench.knobs = bench.knobs + 0.1
    bench.release()
    assert (bench.stiffness > 0.5).any()
    bench.stiffness = 0.25
    assert (bench.stiffness == 0.25).all()
    with pytest.raises(SandboxError, match="stiffness 0 was asked to be nan"):
        bench.stiffness = np.nan


def test_readings_are_copies(bench):
    for name in ("stiffness", "knobs"):
        before = getattr(bench, name)
        getattr(bench, name)[:] = 77.0
        np.testing.assert_array_equal(getattr(bench, name), before)
    before = bench.read()
    bench.read()[:] = 77.0
    np.testing.assert_array_equal(bench.read(), before)


# Who uses what.


def uses(controller: type[Controller]) -> tuple[set[str], set[str]]:
    """Attributes of the bench that a controller's class reads, and names other than that it hands the bench to."""
    path = Path(inspect.getsourcefile(controller) or "")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == controller.__name__)
    attributes = {
        n.attr
        for n in ast.walk(body)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "bench"
    }
    owned = {id(n.value) for n in ast.walk(body) if isinstance(n, ast.Attribute)}
    loose = {
        ast.unparse(n) for n in ast.walk(body) if isinstance(n, ast.Name) and n.id == "bench" and id(n) not in owned
    }
    return attributes, loose


def test_aeqprop_is_agnostic():
    attributes, loose = uses(AEqprop)
    assert attributes <= PORT
    assert {"clamp", "nudge", "hold", "release"} <= attributes
    assert not loose  # never handed on, so that no other code opens it
    assert AEqprop.port == "bench"
    source = Path(inspect.getsourcefile(AEqprop) or "").read_text(encoding="utf-8")
    imported = {
        n.module if isinstance(n, ast.ImportFrom) else a.name
        for n in ast.walk(ast.parse(source))
        if isinstance(n, (ast.Import, ast.ImportFrom))
        for a in n.names
    }
    assert not {name for name in imported if name and name.startswith(("sandbox.physics", "sandbox.apparatus"))}


def test_whoever_uses_more_says_so():
    extra = {name for name in dir(WhiteBox) if not name.startswith("_")} - PORT
    assert extra
    for name, controller in plugins().parts["controller"].items():
        needs_more = bool(uses(controller)[0] - PORT)
        assert not needs_more or controller.port == "white box", name
    assert uses(Adjoint)[0] & extra
    assert Adjoint.port == "white box"
    with pytest.raises((AssertionError, AttributeError)):
        Adjoint().step(Bench(apparatus()), np.array([0.0, 1.0]), np.array([0.7]))


def test_the_bench_does_not_import_physics():
    """At run time: what it is typed with is behind TYPE_CHECKING."""
    module = importlib.import_module("sandbox.bench")
    assert not {System, Material, Network, Boundary, Equilibrium, Apparatus} & {
        value for value in vars(module).values() if isinstance(value, type)
    }


# Wrong use.


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([0.0, 1.0, 2.0], r"inputs have shape \(3,\); expected \(2,\) or \(samples, 2\)"),
        ([[0.0, 1.0], [0.0, np.nan]], "inputs must be finite; sample 1, terminal 1 is nan"),
        (np.zeros((2, 2, 2)), "inputs have shape"),
        ([0.0, np.inf], "sample 0, terminal 1 is inf"),
    ],
)
def test_wrong_inputs(bench, inputs, message):
    with pytest.raises(BoundaryError, match=message):
        bench.clamp(inputs)


@pytest.mark.parametrize(
    ("targets", "beta", "message"),
    [
        ([0.1, 0.2], 0.1, "targets have shape"),
        ([np.nan], 0.1, "targets must be finite; sample 0, terminal 0 is nan"),
        ([0.1], np.nan, "nudging strength must be finite"),
        (None, 0.1, "nudging with beta = 0.1 needs targets"),
        ([[0.1], [0.2], [0.3]], 0.1, "targets for 3 samples; 1 are clamped"),
    ],
)
def test_wrong_nudges(bench, targets, beta, message):
    with pytest.raises(BoundaryError, match=message):
        bench.nudge(targets, beta)


def test_wrong_knobs(bench):
    with pytest.raises((BoundaryError, ValueError)):
        bench.knobs = np.ones(3)
    bench.knobs = np.full_like(bench.knobs, np.nan)
    with pytest.raises(BoundaryError, match="knob 0 is not finite"):
        bench.release()


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (Terminals.at([0, 36]), Terminals.at([1]), "input terminal 1 is at node .36.; nodes run from 0 to 35"),
        (Terminals.at([0, 0]), Terminals.at([1]), "two input terminals are at the same place"),
        (Terminals.at([0]), Terminals.at([1], component=1), "output terminals ask for component 1 of 1"),
        (Terminals.at([0]), Terminals.across([[2, 2]]), "an output pair joins a node to itself"),
    ],
)
def test_wrong_terminals(inputs, outputs, message):
    with pytest.raises(BoundaryError, match=message):
        Apparatus(apparatus().system, inputs, outputs)


# The meter, batches, nudges taken off.


def test_meter_counts_relaxations(bench):
    counts = [bench.meter["relaxations"]]
    for act in (bench.read, bench.read, bench.hold, bench.release, bench.read):
        act()
        counts.append(bench.meter["relaxations"])
    assert counts == [0, 1, 1, 1, 2, 2]  # at rest already: a second look costs nothing
    bench.clamp(np.tile([0.0, 1.0], (5, 1)))
    bench.read()
    assert bench.meter["relaxations"] == 7
    assert bench.meter["iterations"] >= 7
    assert bench.meter["seconds"] > 0


def test_a_step_costs_two_relaxations(bench):
    AEqprop().step(bench, np.array([0.0, 1.0]), np.array([0.6]))
    assert bench.meter["relaxations"] == 2


def test_batch(bench):
    inputs = np.array([[0.0, 1.0], [0.2, 0.7], [1.0, 0.1]])
    bench.clamp(inputs)
    together = bench.read()
    assert together.shape == (3, 1)
    for row, expected in zip(inputs, together, strict=True):
        bench.clamp(row)
        np.testing.assert_allclose(bench.read()[0], expected, rtol=0, atol=1e-12)  # linear: solved to rounding


def test_step_on_a_batch_is_the_mean_step():
    """To first order in the compliance the batch steps by the mean of the steps of its samples."""
    inputs, targets = np.array([[0.0, 1.0], [0.3, 0.8], [1.0, 0.1]]), np.array([[0.9], [0.3], [0.2]])
    steps, eps = [], 1e-4
    for rows in (slice(0, 3), slice(0, 1), slice(1, 2), slice(2, 3)):
        one = apparatus(tolerance=1e-13)
        one.compliance = np.full(len(one.stiffness), eps)
        AEqprop(beta=0.5).step(Bench(one), inputs[rows], targets[rows])
        steps.append((one.stiffness - one.system.stiffness) / eps)
    np.testing.assert_allclose(steps[0], np.mean(steps[1:], axis=0), rtol=0, atol=10 * eps * np.abs(steps).max())


def test_nudge_without_targets(bench):
    nudged = bench.read()
    bench.nudge(None, 0.0)
    free = bench.read()
    assert abs(nudged - free) > 1e-3
    bench.nudge([0.7], 0.0)
    np.testing.assert_array_equal(bench.read(), free)
    bench.nudge([0.7], 0.2)
    np.testing.assert_allclose(bench.read(), nudged, rtol=0, atol=1e-12)


# A system that is no material.


@dataclass(frozen=True, eq=False)
class Units:
    """E = 1/2 s.W.s + 1/2 sum theta_i s_i^2: units joined by fixed weights W, each with a leak theta_i to learn."""

    network: Network
    weights: np.ndarray
    stiffness: np.ndarray
    components: int = 1
    bounds: tuple[np.ndarray, np.ndarray] = field(default=(np.full(6, 0.01), np.full(6, np.inf)))

    def rest_state(self):
        return np.zeros((6, 1))

    def measure_pairs(self, state, pairs):
        return state[:, pairs[:, 1], 0] - state[:, pairs[:, 0], 0]

    def relax(self, boundary, stiffness=None, *, knobs=None, start=None, tolerance=1e-10, throw=True, **_):
        theta, batch = self.stiffness if stiffness is None else stiffness, boundary.batch
        held, springs = boundary.clamped[:, 0], boundary.spring_stiffness[:, 0]
        push = boundary.forces[..., 0] + springs * boundary.spring_targets[..., 0]
        for _round in range(1000):
            matrix, state = self.weights + np.diag(theta + springs), boundary.values[..., 0].copy()
            right = push[:, ~held] - state[:, held] @ matrix[np.ix_(held, ~held)]
            state[:, ~held] = np.linalg.solve(matrix[np.ix_(~held, ~held)], right.T).T
            pull = 0.5 * (state**2).mean(axis=0)
            after = theta if knobs is None else np.maximum(knobs.values - knobs.compliance * pull, self.bounds[0])
            if np.abs(after - theta).max() < 1e-14:
                break
            theta = after
        energy = 0.5 * np.einsum("bi,ij,bj->b", state, self.weights + np.diag(theta), state)
        energy += 0.5 * (springs * (state - boundary.spring_targets[..., 0]) ** 2).sum(axis=1)
        done = np.zeros(batch, dtype=int)
        one = np.ones(batch)
        return Equilibrium(state[..., None], theta, pull, energy, one * 0, done + 1, done, one, done, "closed form")

    def sensitivity(self, equilibrium, boundary, cost_gradient):
        raise AssertionError("an agnostic controller asked for a gradient")


def units() -> Units:
    rng = np.random.default_rng(4)
    joined = rng.uniform(0.2, 1.0, (6, 6))
    joined = np.triu(joined, 1) + np.triu(joined, 1).T
    network = Network(rng.uniform(0, 1, (6, 2)), np.array([[0, 1]]))
    return Units(network, np.diag(joined.sum(axis=1)) - joined, np.full(6, 0.5))


@pytest.mark.parametrize("homeostat", ["ideal", "integral"])
def test_trains_what_is_no_material(homeostat):
    system = units()
    assert isinstance(system, System)
    assert not isinstance(system, Material)
    bench = Bench(Apparatus(system, Terminals.at([0]), Terminals.at([4, 5]), compliance=2.0, homeostat=homeostat))
    inputs, targets = np.array([1.0]), np.array([0.25, 0.3])

    def loss() -> float:
        bench.clamp(inputs)
        bench.nudge(None, 0.0)
        return float(((bench.read() - targets) ** 2).sum())

    before = loss()
    for _ in range(400):
        AEqprop(beta=0.5).step(bench, inputs, targets)
    assert loss() < 0.01 * before
