"""Copies and pickles of what has computed: the same numbers, in this process and in others, and nothing in common."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cloudpickle
import numpy as np
import pytest
import taichi as ti

import sandbox
from sandbox.physics import graphs, groups
from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.knobs import Knobs
from sandbox.physics.laws import CONDUCTANCE, DIODE, LOAD, ONSITE, SPRING, EdgeLaw
from sandbox.physics.laws.taichi_law import TaichiLaw


def cubic(d: Any, k: Any) -> Any:
    """A conductor whose flow is k*(d**3 + 2*d)."""
    energy, flow = d**4 / 4 + d**2, d**3 + 2 * d
    return ti.Vector([k * energy, k * flow, k * (3 * d**2 + 2), energy, 0.0, flow])


BY_HAND = TaichiLaw("a cubic conductor", ("k",), function=cubic)

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "cloudpickle": lambda thing: pickle.loads(cloudpickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}

NET = graphs.triangular([6, 5])

SYSTEMS: dict[str, Callable[[], sandbox.Material]] = {
    "springs": lambda: sandbox.Material(NET, SPRING, {"k": 1.0, "l": NET.lengths()}),
    "linearized": lambda: sandbox.Material(NET, SPRING, {"k": 1.0, "l": NET.lengths()}, linearized=True),
    "flow": lambda: sandbox.Material(NET, CONDUCTANCE, {"k": 1.0}),
    "diodes": lambda: sandbox.Material(NET, DIODE, {"k": 1.0, "vt": 0.3, "leak": 0.1}),
    "expression": lambda: sandbox.Material(NET, EdgeLaw("k/2*d**2 + c/4*d**4", ("k", "c")), {"k": 1.0, "c": 2.0}),
    "by hand": lambda: sandbox.Material(NET, BY_HAND, {"k": 1.0}),
    "loaded": lambda: sandbox.Material(NET, CONDUCTANCE, {"k": 1.0}, node_law=LOAD, node_parameters={"f": 0.1}),
    "boxed": lambda: sandbox.Material(
        NET, CONDUCTANCE, {"k": 1.0}, node_law=ONSITE, node_parameters={"k": 1.0, "b": 0.5}, box=(0.0, 0.4)
    ),
}


def rested(material: sandbox.Material) -> Equilibrium:
    left, right = groups.side(NET, "left"), groups.side(NET, "right")
    rest = material.rest_state()
    held = sandbox.Boundary.free(NET.n_nodes, material.components, 2).clamp(left, rest[left])
    return material.relax(held.clamp(right, rest[right] + np.array([0.1, 0.2])[:, None, None]))


def figures(material: sandbox.Material) -> list[np.ndarray]:
    """Numbers that go through kernels, compiled functions and factorizations."""
    rest = rested(material)
    return [rest.state, rest.energy, rest.stiffness_force, material.energy(rest.state), material.tension(rest.state)]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_materials(name: str, way: str) -> None:
    fresh, used = SYSTEMS[name](), SYSTEMS[name]()
    wanted = figures(used)
    assert same(figures(WAYS[way](fresh)), wanted)
    copied = WAYS[way](used)
    assert same(figures(copied), wanted)
    assert same(figures(used), wanted)
    assert copied.law == used.law
    assert hash(copied.law) == hash(used.law)
    assert copied.caches is not used.caches


@pytest.mark.parametrize("name", SYSTEMS)
def test_in_another_process(name: str) -> None:
    used = SYSTEMS[name]()
    wanted = figures(used)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert same(pool.submit(figures, used).result(), wanted)
        assert same(pool.submit(figures, SYSTEMS[name]()).result(), wanted)
        rest = pool.submit(rested, used).result()  # and what comes back
    assert rest.state.tobytes() == wanted[0].tobytes()
    assert rest.stiffness_force.tobytes() == wanted[2].tobytes()


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_written_to_stays_so(way: str) -> None:
    """NumPy's own copies and pickles forget it; tables made of these arrays would no longer agree with them."""
    material = WAYS[way](SYSTEMS["springs"]())
    network = material.network.with_groups(ends=[0, 1])
    arrays = [*material.parameters.values(), network.positions, network.edges, network.shifts, network.groups["ends"]]
    arrays += WAYS[way](network).groups.values()
    arrays += [WAYS[way](Knobs(np.ones(3), np.ones(3))).compliance]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = array[:1]


@pytest.mark.parametrize("way", WAYS)
def test_an_equilibrium(way: str) -> None:
    rest = rested(SYSTEMS["springs"]())
    copied = WAYS[way](rest)
    for name in ("state", "stiffness", "stiffness_force", "energy", "residual", "status"):
        assert getattr(copied, name).tobytes() == getattr(rest, name).tobytes()
    assert copied.origin is not None
    assert repr(copied) == repr(rest)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scene", ["iris_flow", "digits_hopfield"])
def test_an_apparatus_learns_on(scene: str, way: str) -> None:
    """A copy that was made between two steps goes the way of the original."""
    setup = sandbox.load(scene, ["training.epochs=1"]).setup
    apparatus, task = setup.apparatus, setup.task

    def step(bench: Any) -> bytes:
        bench.clamp(task.inputs[task.train[:2]])
        bench.hold()
        bench.nudge(task.targets[task.train[:2]], 0.1)
        bench.release()
        return bench.stiffness.tobytes() + bench.knobs.tobytes()

    step(apparatus)
    if way == "copy":  # shares its system, and what else it does not replace
        assert WAYS[way](apparatus).system is apparatus.system
        return
    copied = WAYS[way](apparatus)
    assert step(copied) == step(apparatus)


@pytest.mark.parametrize("way", WAYS)
def test_experiments_tasks_and_runs(way: str, tmp_path: Any) -> None:
    experiment = sandbox.load("iris_flow", ["training.epochs=1"])
    run = experiment.run(tmp_path / "run", pictures=False)
    task, network = experiment.setup.task, experiment.setup.network
    copied = WAYS[way](task)
    assert np.array_equal(copied.inputs, task.inputs)
    assert np.array_equal(WAYS[way](network).edges, network.edges)
    assert WAYS[way](run).figures == run.figures
    again = WAYS[way](experiment).run(tmp_path / "again", pictures=False)
    assert again.data["stiffness"].to_numpy().tobytes() == run.data["stiffness"].to_numpy().tobytes()
