"""The conformance kit: built-in parts pass it, and what is wrong on purpose does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

import sandbox
from sandbox import plugins as host
from sandbox import testing
from sandbox.cli import app
from sandbox.parts import Controller, Graph, Part, Site, SystemPart, TaskPart, Trial
from sandbox.physics.laws import CONDUCTANCE
from sandbox.physics.network import Network
from sandbox.task import Task

SHIPPED = [
    (kind, name)
    for kind, parts in host.plugins().parts.items()
    for name in parts
    if next(p for p in host.plugins().found if p.name == parts.origin[name]).package == "matter-sandbox"
]
SKIPPED = {"file", "mnist", "fashion_mnist"}


@pytest.mark.parametrize(("kind", "name"), SHIPPED, ids=[f"{kind}-{name}" for kind, name in SHIPPED])
def test_shipped_parts_conform(kind: str, name: str) -> None:
    part = host.plugins().parts[kind][name]
    assert bool(part.trial.skip) == (name in SKIPPED)
    if part.trial.skip:
        pytest.skip(f"it {part.trial.skip}")
    checks = list(testing.check_part(part, name))
    assert len(checks) >= 2
    assert [f"{c.name}: {c.measured:.3g} ({c.note})" for c in checks if not c.ok] == []


class TestOfAuthors(testing.Conformance):
    """As the author of a plugin writes it."""

    class Flow(SystemPart):
        def build(self, network: Network, rng: np.random.Generator) -> sandbox.Material:
            return sandbox.Material(network, CONDUCTANCE, {"k": 1.0}, bounds=(1e-3, 1e3))

    part: ClassVar[type[Part]] = Flow


# Wrong on purpose: a check that cannot fail says nothing.


class Broken(sandbox.Material):
    """A flow network with one thing wrong."""

    wrong: ClassVar[str] = ""

    def relax(self, boundary: Any, stiffness: Any = None, **options: Any) -> Any:
        if self.wrong == "argument" and stiffness is not None:
            stiffness += 1e-3
        rest = super().relax(boundary, stiffness, **options)
        knobs = options.get("knobs")
        changes = {
            "state": {"state": np.where(boundary.clamped, rest.state, rest.state * 1.01)},
            "clamps": {"state": rest.state + 1e-3},
            "force": {"stiffness_force": 2 * rest.stiffness_force},
            "bounds": {"stiffness": rest.stiffness - (0 if knobs is None else 1.0)},
            "batch": {"state": rest.state + (0 if boundary.batch == 1 else 1e-3 * ~boundary.clamped)},
            "NaN": {"energy": np.full_like(rest.energy, np.nan)},
            "NaN forces": {"stiffness_force": np.full_like(rest.stiffness_force, np.nan)},
            "infinite": {"energy": np.full_like(rest.energy, -np.inf)},
            "random": {"state": rest.state + 1e-12 * np.random.default_rng().standard_normal(rest.state.shape)},
        }
        for name, value in changes.get(self.wrong, {}).items():
            object.__setattr__(rest, name, value)
        return rest

    def sensitivity(self, *arguments: Any) -> np.ndarray:
        return super().sensitivity(*arguments) * (-1 if self.wrong == "gradient" else 1)


WRONG = {
    "state": "gradient against finite",
    "clamps": "clamped components off",
    "force": "force on the stiffnesses against finite",
    "gradient": "gradient against finite",
    "bounds": "how far stiffnesses leave their bounds",
    "batch": "a batch against its samples",
    "random": "numbers that differ when relaxed again",
    "argument": "arguments that were changed",
    "NaN": "energy gained by holding a component elsewhere",
    "NaN forces": "numbers of the equilibrium that are not finite",
    "infinite": "numbers of the equilibrium that are not finite",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_in_a_system_is_found(wrong: str) -> None:
    class Material(Broken):
        pass

    class Flow(SystemPart):
        def build(self, network: Network, rng: np.random.Generator) -> sandbox.Material:
            k = np.random.default_rng(2).uniform(0.5, 1.5, network.n_edges)
            return Material(network, CONDUCTANCE, {"k": k}, bounds=(0.1, 1e3))

    Material.wrong = wrong
    failed = [check.name for check in testing.check_part(Flow) if not check.ok]
    assert any(WRONG[wrong] in name for name in failed), failed


def test_energies_that_are_no_numbers_count_as_rises() -> None:
    class Material(Broken):
        wrong: ClassVar[str] = "NaN"

    class Flow(SystemPart):
        def build(self, network: Network, rng: np.random.Generator) -> sandbox.Material:
            return Material(network, CONDUCTANCE, {"k": 1.0}, bounds=(0.1, 1e3))

    checks = {check.name: check for check in testing.check_aspect(Flow, "learning")}
    rises = checks["rises of the Lyapunov function in 20 steps"]
    assert rises.measured == 20
    assert not rises.ok


@pytest.mark.parametrize("measured", [float("nan"), float("inf"), float("-inf")])
def test_no_check_passes_on_what_is_not_finite(measured: float) -> None:
    assert not testing.Check("group", "name", measured, float("inf")).ok


def test_roundings_are_no_difference() -> None:
    class Shaky(Broken):
        def relax(self, boundary: Any, stiffness: Any = None, **options: Any) -> Any:
            rest = super().relax(boundary, stiffness, **options)
            last = 1 + 2e-16 * np.random.default_rng().choice([-1.0, 1.0], rest.state.shape)
            object.__setattr__(rest, "state", rest.state * last)
            return rest

    class Flow(SystemPart):
        def build(self, network: Network, rng: np.random.Generator) -> sandbox.Material:
            return Shaky(network, CONDUCTANCE, {"k": 1.0}, bounds=(0.1, 1e3))

    class Rounded(TaskPart):
        def shape(self) -> tuple[int, int]:
            return 2, 1

        def build(self, site: Site) -> Task:
            x = np.linspace(0.1, 1, 8).reshape(4, 2) * (1 + 2e-16 * np.random.default_rng().choice([-1, 1]))
            return Task(x, x.mean(axis=1, keepdims=True), np.arange(4))

    for part in (Flow, Rounded):
        assert [f"{c.name}: {c.measured}" for c in testing.check_part(part) if not c.ok] == []


def test_a_figure_that_is_not_finite_is_found() -> None:
    class Dividing(TaskPart):
        def shape(self) -> tuple[int, int]:
            return 1, 1

        def build(self, site: Site) -> Task:
            class Odd(Task):
                def figures(self, outputs: np.ndarray, which: np.ndarray) -> dict[str, float]:
                    return {**super().figures(outputs, which), "ratio": float("inf")}

            return Odd(np.zeros((2, 1)), np.zeros((2, 1)), np.arange(2))

    failed = [f"{c.name} {c.note}" for c in testing.check_part(Dividing) if not c.ok]
    assert failed == ["figures that are not finite ratio, ratio"]


def test_a_wrong_derivative_is_found() -> None:
    class Law:
        stiffness, fixed = "k", ()

        @staticmethod
        def on_numpy(v: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, ...]:
            return k / 2 * v**2, k * v, k * 1.001, v**2 / 2, 0 * v, v

    failed = [c.name for c in testing.check_law(Law(), np.linspace(1, 2, 5), np.ones(5), {}) if not c.ok]  # type: ignore[arg-type]
    assert failed == ["curvature of the law"]


def test_what_is_wrong_in_other_parts_is_found() -> None:
    class Uphill(Controller):
        def step(self, bench: Any, inputs: np.ndarray, targets: np.ndarray) -> None:
            bench.notes["kept"] = {1, 2}  # a set is no plain data
            bench.clamp(inputs)
            bench.nudge(targets, 0.5)
            bench.hold()
            bench.nudge(targets, -0.5)
            bench.release()

    class Loose(Graph):
        def build(self, rng: np.random.Generator) -> Network:
            return Network(np.random.default_rng().normal(size=(4, 2)), np.array([[0, 1], [1, 2]]))

    class Peeking(TaskPart):
        def shape(self) -> tuple[int, int]:
            return 2, 1

        def build(self, site: Site) -> Task:
            every = np.arange(4)
            return Task(np.zeros((4, 2)), np.zeros((4, 1)), every, every)

    class Demanding(Graph):
        size: int

    found = {
        part.__name__: [f"{c.name} {c.note}" for c in testing.check_part(part) if not c.ok]
        for part in (Uphill, Loose, Peeking, Demanding)
    }
    assert "loss after 40 steps" in found["Uphill"][0]
    assert "set" in found["Uphill"][1]
    assert "networks that differ" in found["Loose"][0]
    assert "both learned and tested" in found["Peeking"][0]
    assert "give it `trial" in found["Demanding"][0]


PLUGIN = """
import sandbox
from sandbox.parts import SystemPart

class Soft(SystemPart):
    def build(self, network, rng):
        return sandbox.Material(network, sandbox.EdgeLaw("k*(1 - cos(d))", ("k",)), {"k": 1.0}, bounds=(1e-3, 1e3))

class Falls(SystemPart):
    def build(self, network, rng):
        raise KeyError("lost [bold]")

@sandbox.hookimpl
def register_systems(register):
    register("soft", Soft)
"""


@pytest.fixture
def fresh() -> Iterator[None]:
    host.plugins.cache_clear()
    yield
    host.plugins.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("soft.py").write_text(PLUGIN)
    done = CliRunner().invoke(app, ["check", "soft.py", "--json"])
    assert done.exit_code == 0, done.output
    checks = json.loads(done.output)["checks"]
    assert len(checks) > 15
    assert {c["group"] for c in checks} == {"system soft"}
    assert all(c["ok"] for c in checks)
    Path("falls.py").write_text(PLUGIN + '    register("falls", Falls)\n'.replace("soft", "falls"))
    host.plugins.cache_clear()
    done = CliRunner().invoke(app, ["check", "falls.py"])
    assert done.exit_code == 1
    assert "KeyError: 'lost [bold]'" in done.output
    assert "checks are ok" in done.output
    done = CliRunner().invoke(app, ["check", "flow_netwrk"])
    assert "did you mean 'flow_network'" in str(done.exception)


def test_parts_that_are_not_tried_are_named() -> None:
    class Far(Graph):
        trial: ClassVar[Trial] = Trial(skip="is far away")

    assert Far.trial.skip == "is far away"
    done = CliRunner().invoke(app, ["check", "graphs"])
    assert done.exit_code == 0, done.output
    assert "graph file was not tried: it reads a file" in done.output
