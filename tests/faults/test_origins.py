"""What a checkpoint, a sweep and a process are of: a plugin, law or network that has changed since is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import sandbox
from sandbox import plugins as host
from sandbox import provenance
from sandbox.build import Setup
from sandbox.errors import PluginError, RunError, SweepError
from sandbox.fingerprint import check_fingerprint, fingerprint
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.material import Material
from sandbox.sources import digest_of_module
from sandbox.sweeping import plan
from sandbox.sweeping.axes import Axis
from sandbox.sweeping.worker import Job, outcome

from .damage import interrupted

IDLE = """
import sandbox
from sandbox.parts import Controller


class Idle(Controller):
    def step(self, bench, inputs, targets):
        bench.clamp(inputs)
        bench.read()
        {more}


@sandbox.hookimpl
def register_controllers(register):
    register("idle", Idle)
"""


def idle(more: str = "pass") -> str:
    """The source of a plugin with a controller that does next to nothing."""
    return IDLE.format(more=more)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "idle_plugin.py"
    path.write_text(idle())
    new_process()
    yield path
    new_process()


def new_process() -> None:
    """Forget the plugins, as a new process has not loaded them."""
    host.plugins.cache_clear()
    sys.modules.pop("sandbox_file_idle_plugin", None)


def test_a_plugin_that_changed_between_kill_and_resume_is_named(file: Path, tmp_path: Path) -> None:
    sandbox.use(file)
    folder = interrupted(tmp_path / "run", controller={"type": "idle"}, training={"epochs": 4})
    new_process()
    file.write_text(idle("bench.read()"))
    sandbox.use(file)
    with pytest.raises(RunError, match="another source of the plugin 'idle_plugin' than the scene gives here"):
        sandbox.resume(folder, pictures=False)
    noted = sandbox.manifest.read(folder).resumed[-1]["changed"]  # pyright: ignore[reportAttributeAccessIssue]
    assert list(noted) == ["plugin idle_plugin"]
    new_process()
    file.write_text(idle())
    sandbox.use(file)
    assert sandbox.resume(folder, pictures=False).figures["epochs"] == 4


def test_a_file_that_changed_under_a_process_is_refused(file: Path) -> None:
    sandbox.use(file)
    sandbox.use(file)
    file.write_text(idle("bench.read()"))
    with pytest.raises(PluginError, match=r"idle_plugin\.py' has changed since this process loaded it; start a new"):
        sandbox.use(file)


def test_what_is_compiled_is_what_is_digested(file: Path) -> None:
    """A compiled file of the same second and length is of another source."""
    before = sandbox.use(file).source
    times = file.stat().st_mtime_ns
    new_process()
    file.write_text(idle("0xff"))
    os.utime(file, ns=(times, times))
    after = sandbox.use(file)
    assert after.source != before
    assert digest_of_module(sys.modules[after.module], None) == after.source
    assert not (file.parent / "__pycache__").exists()


def test_packages_are_told_by_all_their_files(tmp_path: Path) -> None:
    package = tmp_path / "pkg"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/__init__.py", "inner/law.py"):
        (package / name).write_text("")
    module = ModuleType("pkg")
    module.__file__ = str(package / "__init__.py")
    before = digest_of_module(module, module)
    (package / "notes.txt").write_text("x")
    assert digest_of_module(module, module) == before
    (package / "inner" / "law.py").write_text("k = 2\n")
    assert len({before, digest_of_module(module, module), digest_of_module(None, None)}) == 3


@pytest.fixture(scope="module")
def setup() -> Setup:
    return sandbox.load("iris_flow").setup


def _of(setup: Setup, **parts: Any) -> Setup:
    """The same scene with other parts built."""
    made = Setup(setup.scene)
    vars(made).update({"network": setup.network, "system": setup.system, "task": setup.task, **parts})
    return made


def _material(setup: Setup, law: str = "k/2 * d**2", **more: Any) -> Setup:
    system = setup.system
    return _of(setup, system=Material(system.network, EdgeLaw(law, ("k",)), {"k": system.stiffness}, **more))


def _network(setup: Setup, **more: Any) -> Setup:
    return _of(setup, network=replace(setup.network, **more))


OTHERS: dict[str, tuple[Callable[[Setup], Setup], str]] = {
    "law": (lambda s: _material(s, "k*d**2/2", bounds=_bounds(s)), "another law than"),
    "law by a factor": (lambda s: _material(s, "k*d**2", bounds=_bounds(s)), "another law than"),
    "box": (lambda s: _material(s, bounds=_bounds(s), box=(-9.0, 9.0)), "another law than"),
    "bounds": (lambda s: _material(s, bounds=(1e-9, 1e9)), "another pair of bounds than"),
    "shifts": (lambda s: _network(s, shifts=s.network.shifts + 1.0), "another network than"),
    "groups": (lambda s: _network(s, groups={"x": np.array([0])}), "another network than"),
    "positions": (lambda s: _network(s, positions=s.network.positions + 1.0), "another network than"),
    "labels": (lambda s: _of(s, task=replace(s.task, labels=None, codes=None)), "another set of samples than"),
    "split": (lambda s: _of(s, task=replace(s.task, train=s.task.train[::-1])), "another set of samples than"),
}


def _bounds(setup: Setup) -> tuple[float, float]:
    low, high = setup.system.bounds
    return float(low[0]), float(high[0])


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_another_is_named(name: str, setup: Setup) -> None:
    make, said = OTHERS[name]
    before = fingerprint(setup)
    check_fingerprint(before, _of(setup))
    with pytest.raises(RunError, match=said):
        check_fingerprint(before, make(setup))


def test_a_checkpoint_that_does_not_say_what_it_is_of(setup: Setup) -> None:
    with pytest.raises(RunError, match="does not say what it is of"):
        check_fingerprint("0" * 64, setup)


def test_plugins_of_another_version_are_named() -> None:
    entry = {"name": "pipes", "package": "sandbox-pipes", "version": "0.1"}
    before = {"sandbox": "1", "plugins": [entry]}
    after = {name: None for name in provenance.BITS} | {"sandbox": "1"}
    for now, named in (
        ([entry], []),
        ([entry | {"package": "../pipes.py"}], []),
        ([entry | {"version": "0.2"}], ["plugin pipes"]),
        ([entry | {"source": "0" * 64}], ["plugin pipes"]),
        ([], ["plugin pipes"]),
        ([entry, entry | {"name": "more"}], ["plugin more"]),
    ):
        assert list(provenance.differences(before, after | {"plugins": now})) == named


def test_a_sweep_goes_on_with_the_plugins_that_it_began_with(tmp_path: Path) -> None:
    axis = Axis("training.epochs", (1, 2))
    cases = plan.cases("iris_flow", [axis])
    plan.begin(tmp_path, [axis], cases, {"idle": "a", "other": "b"})
    plan.begin(tmp_path, [axis], cases, {"idle": "a", "other": "b"})
    for sources, named in (({"idle": "c", "other": "b"}, "'idle'"), ({"idle": "a"}, "'other'")):
        with pytest.raises(SweepError, match=f"a sweep with another source of the plugin {named}; give the file"):
            plan.begin(tmp_path, [axis], cases, sources)
    assert plan.said_of({"idle": "0123456789abcdef"}) == ", plugin idle (0123456789ab)"


def test_a_worker_with_another_plugin_file_says_so(file: Path, tmp_path: Path) -> None:
    scene = plan.cases("iris_flow", [("training.epochs", 1)])[0].text
    job = Job("run", scene, str(tmp_path / "run"), 30.0, False, False, (str(file),), sources={"idle_plugin": "0" * 64})
    ended = outcome(job)
    assert "has another plugin file" in ended.error
    assert not ended.passing
    assert not (tmp_path / "run").exists()
