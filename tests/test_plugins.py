"""Plugins: found, isolated when broken, listed, used from a file; hooks and their arguments."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import sandbox
from sandbox import hookspecs
from sandbox import plugins as host
from sandbox.errors import PluginError, PluginFault
from sandbox.parts import Graph, SystemPart

HOOKS = {
    "register_graphs": ["register"],
    "register_systems": ["register"],
    "register_tasks": ["register"],
    "register_controllers": ["register"],
    "register_commands": ["cli"],
    "run_started": ["scene", "folder"],
    "step_done": ["step", "figures"],
    "run_ended": ["folder", "figures"],
}

SCENE = """
[network]
type = "triangular"
shape = [4, 3]
[system]
type = "quartic_lattice"
[[clamp]]
nodes = "left"
[[clamp]]
nodes = "right"
displacement = [0.2, 0.0]
[relax]
"""

QUARTIC = """
import sandbox
from sandbox.parts import Looks, SystemPart

LAW = sandbox.EdgeLaw("k/2*(r - l)**2 + k/4*(r - l)**4", ("k", "l"))

class Quartic(SystemPart):
    looks = Looks(state="displacement", moves=True)
    def build(self, network, rng):
        return sandbox.Material(network, LAW, {"k": 1.0, "l": network.lengths()}, bounds=(0.1, 10.0))

@sandbox.hookimpl
def register_systems(register):
    register("quartic_lattice", Quartic)
"""


class Chain(Graph):
    """A part to register."""


class Gas(SystemPart):
    """Another."""


@dataclass
class Entry:
    name: str
    module: Any
    dist: Any = None

    def load(self) -> Any:
        if isinstance(self.module, BaseException):
            raise self.module
        return self.module


def plugin_of(name: str, **functions: Any) -> ModuleType:
    module = ModuleType(name)
    for key, function in functions.items():
        setattr(module, key, sandbox.hookimpl(function))
    return module


def registers(name: str, part: Any) -> Any:
    def register_graphs(register: Any) -> None:
        register(name, part)

    return register_graphs


def raises(register: Any) -> None:
    register("half", Gas)
    raise KeyError("lost")


def found(monkeypatch: pytest.MonkeyPatch, *entries: Entry, blocked: tuple[str, ...] = ()) -> host.Plugins:
    good = Entry("good", plugin_of("good", register_graphs=registers("chain", Chain)))
    good.dist = SimpleNamespace(name="pkg", version="1.2")
    monkeypatch.setattr(host, "entry_points", lambda group: [*entries, good] if group == "sandbox" else [])
    return host.Plugins(blocked)


BROKEN = {
    "import": (ImportError("no module named gone"), "cannot be imported: ImportError: no module named gone"),
    "exit": (SystemExit(3), "cannot be imported: SystemExit"),
    "registration": (plugin_of("x", register_systems=raises), "KeyError: 'lost'"),
    "not a part": (plugin_of("x", register_graphs=registers("x", dict)), "must be a subclass of sandbox.parts.Graph"),
    "wrong kind": (plugin_of("x", register_graphs=registers("x", Gas)), "must be a subclass of sandbox.parts.Graph"),
    "bad name": (plugin_of("x", register_graphs=registers("a b", Chain)), "a plain word"),
    "misspelt hook": (plugin_of("x", register_sytems=lambda register: None), "did you mean 'register_systems'"),
    "unknown version": (plugin_of("x"), "is written for version 2 of the hooks, and this sandbox knows version 1"),
    "unknown argument": (plugin_of("x", register_graphs=lambda registry: None), "registry"),
}

BROKEN["unknown version"][0].SANDBOX_HOOKS = 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_reported_and_the_rest_go_on(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, says = BROKEN[kind]
    plugins = found(monkeypatch, Entry("broken", module))
    state = {p.name: p for p in plugins.found}
    assert state["broken"].state == "failed"
    assert says in state["broken"].error
    assert state["broken"].registered == []
    assert (state["good"].state, state["good"].registered) == ("loaded", ["graph chain"])
    assert (state["good"].package, state["good"].version) == ("pkg", "1.2")
    assert list(plugins.parts["graph"]) == ["chain"]
    assert list(plugins.parts["system"]) == [], "nothing half registered stays"


def test_duplicates_are_refused_with_the_first_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Graph):
        pass

    plugins = found(monkeypatch, Entry("later", plugin_of("later", register_graphs=registers("chain", Other))))
    state = {p.name: p for p in plugins.found}
    assert state["later"].state == "failed"
    assert "already registered by plugin 'good'" in state["later"].error
    assert plugins.parts["graph"]["chain"] is Chain


def test_two_plugins_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Entry("good", RuntimeError("imported!"))
    good = Entry("good", plugin_of("good", register_graphs=registers("chain", Chain)))
    good.dist = SimpleNamespace(name="pkg", version="1.2")
    monkeypatch.setattr(host, "entry_points", lambda group: [good, other])
    plugins = host.Plugins()
    assert [p.state for p in plugins.found] == ["loaded", "failed"]
    assert plugins.found[1].error == "the name 'good' is taken by plugin 'good' (pkg 1.2)"
    assert list(plugins.parts["graph"]) == ["chain"]


def test_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = found(monkeypatch, Entry("noisy", RuntimeError("imported!")), blocked=("noisy",))
    state = {p.name: p.state for p in plugins.found}
    assert state == {"noisy": "blocked", "good": "loaded"}


def test_missing_part_offers_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PluginError, match="there is no graph 'chian'; did you mean 'chain'"):
        _ = found(monkeypatch).parts["graph"]["chian"]


def test_observers_are_called_and_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    plugins = found(
        monkeypatch,
        Entry("bad", plugin_of("bad", step_done=lambda step, figures: 1 / 0)),
        Entry("watch", plugin_of("watch", step_done=lambda step: steps.append(step))),
    )
    problems = plugins.notify("step_done", step=3, figures={})
    assert steps == [3]
    assert problems == ["plugin 'bad', step_done: ZeroDivisionError: division by zero"]


def test_hooks_and_their_arguments() -> None:
    specs = {n: f for n, f in vars(hookspecs).items() if hasattr(f, "sandbox_spec")}
    assert {n: list(inspect.signature(f).parameters) for n, f in specs.items()} == HOOKS
    assert all(f.__doc__ for f in specs.values())


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    from sandbox.cli import main

    monkeypatch.setattr(sys, "argv", ["sandbox", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_listing_works_with_a_broken_plugin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins = found(monkeypatch, Entry("broken", ImportError("gone")))
    monkeypatch.setattr(host, "plugins", lambda: plugins)
    assert command(monkeypatch, "plugins", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["broken"]["state"] == "failed"
    assert "gone" in rows["broken"]["error"]
    assert rows["good"]["registered"] == ["graph chain"]
    assert rows["good"]["hooks"] == ["register_graphs"]
    assert command(monkeypatch, "plugins") == 0
    assert "gone" in capsys.readouterr().out


def test_shipped_plugins_load() -> None:
    states = {p.name: (p.state, p.error) for p in host.plugins().found if p.package == "matter-sandbox"}
    assert {"graphs", "spring_lattice", "flow_network", "aeqprop", "tasks"} <= set(states)
    assert set(states.values()) == {("loaded", "")}


@pytest.fixture
def fresh() -> Any:
    """The process's plugins, discovered anew and forgotten afterwards."""
    host.plugins.cache_clear()
    yield host.plugins()
    host.plugins.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_a_system_in_ten_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quartic.py").write_text(QUARTIC)
    Path("scene.toml").write_text(SCENE)
    assert command(monkeypatch, "run", "scene.toml", "--out", "without") == 2
    assert "there is no system 'quartic_lattice'" in capsys.readouterr().err
    assert command(monkeypatch, "run", "scene.toml", "--plugin", "quartic.py", "--out", "out") == 0
    data = sandbox.open("out")
    stretch = data.attrs["largest strain"]
    assert 0.02 < stretch < 0.2
    assert data.attrs["largest tension"] == pytest.approx(stretch + stretch**3, rel=1e-6)
    names = {p["name"] for p in json.loads(Path("out/provenance.json").read_text())["plugins"]}
    assert "quartic" in names


def test_use_twice_and_clashes(tmp_path: Path, fresh: host.Plugins) -> None:
    file = tmp_path / "quartic_twice.py"
    file.write_text(QUARTIC)
    assert sandbox.use(file) is sandbox.use(file)
    other = tmp_path / "other_quartic.py"
    other.write_text(QUARTIC)
    with pytest.raises(PluginError, match="already registered by plugin 'quartic_twice'"):
        sandbox.use(other)
    assert [p.name for p in fresh.found].count("other_quartic") == 0
    with pytest.raises(PluginError, match="no plugin file"):
        sandbox.use(tmp_path / ("n" * 300 + ".py"))


def test_observers_see_a_whole_run(tmp_path: Path, fresh: host.Plugins) -> None:
    calls: list[tuple] = []

    def run_started(scene: Any, folder: Path) -> None:
        calls.append(("started", scene["name"], (folder / "scene.toml").is_file()))

    def step_done(step: int, figures: Any) -> None:
        calls.append(("step", step, figures["train loss"] > 0))
        raise RuntimeError("observer fell over")

    def run_ended(folder: Path, figures: Any) -> None:
        calls.append(("ended", (folder / "data.nc").is_file(), figures["epochs"]))

    fresh.use(plugin_of("watcher", run_started=run_started, step_done=step_done, run_ended=run_ended))
    warnings: list[str] = []
    reporter = SimpleNamespace(start=lambda *_: None, advance=lambda *_: None, warn=warnings.append)
    sandbox.load("iris_flow", training={"epochs": 2}).run(tmp_path / "out", reporter)
    assert calls == [("started", "iris_flow", True), ("step", 1, True), ("step", 2, True), ("ended", True, 2)]
    assert warnings == ["plugin 'watcher', step_done: RuntimeError: observer fell over"] * 2


# Plugins that fail in mid-run.

FAULTY = """
import sandbox
from sandbox.parts import Controller, SystemPart

SANDBOX_HOOKS = 1

class Faulty(SystemPart):
    when: str = "build"
    def build(self, network, rng):
        if self.when == "build":
            raise KeyError("lost")
        return sandbox.Material(network, sandbox.EdgeLaw("k/2*d**2", ("k",)), {"k": 1.0})

class Stumbling(Controller):
    def step(self, bench, inputs, targets):
        bench.clamp(inputs)
        bench.nudge(targets)  # one argument short

@sandbox.hookimpl
def register_systems(register):
    register("faulty", Faulty)

@sandbox.hookimpl
def register_controllers(register):
    register("stumbling", Stumbling)
"""


@pytest.mark.usefixtures("fresh")
def test_a_plugin_that_raises_in_mid_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("faulty.py").write_text(FAULTY)
    change = ["--set", 'system={type="faulty"}', "--plugin", "faulty.py", "--out", "out"]
    assert command(monkeypatch, "run", "iris_flow", *change) == 3
    said = capsys.readouterr().err
    assert "error: system: plugin 'faulty' (faulty.py) failed at faulty.py, line 11, in build: KeyError: 'lost'" in said
    assert "Traceback" in said
    change[1] = 'controller={type="stumbling"}'
    assert command(monkeypatch, "run", "iris_flow", *change) == 3
    assert "plugin 'faulty' (faulty.py) failed at faulty.py, line 17, in step: TypeError" in capsys.readouterr().err
    assert not Path("out").exists()
    with pytest.raises(PluginFault, match="plugin 'faulty'") as caught:
        sandbox.load("iris_flow", system={"type": "faulty", "when": "build"}).run("out")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(PluginFault, match="'faulty'"):
        _ = sandbox.load("iris_flow", system={"type": "faulty"}).setup.system


@pytest.mark.usefixtures("fresh")
def test_no_plugin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SANDBOX_BLOCK", "")
    assert command(monkeypatch, "plugins", "--json", "--no-plugin", "order_zero") == 0
    states = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert {name for name, state in states.items() if state == "blocked"} == {"order_zero"}
    assert command(monkeypatch, "--no-plugin=flow_network", "show", "iris_flow") == 2
    said = capsys.readouterr().err
    assert "there is no system 'flow_network'" in said
    assert "not in use: flow_network blocked, order_zero blocked" in said
    assert command(monkeypatch, "list", "--no-plugin", "flow_netwrk") == 2
    assert "there is no plugin 'flow_netwrk' to block; did you mean 'flow_network'?" in capsys.readouterr().err


def test_commands_of_plugins(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from sandbox.cli import app

    def greets(cli: Any) -> None:
        cli.command("greet")(lambda: print("hello"))

    def shadows(cli: Any) -> None:
        cli.command("run")(lambda: print("not this"))

    def falls(cli: Any) -> None:
        cli.command("half")(lambda: print("half"))
        raise OSError("gone")

    entries = [Entry(f.__name__, plugin_of(f.__name__, register_commands=f)) for f in (greets, shadows, falls)]
    plugins = found(monkeypatch, *entries)
    monkeypatch.setattr(host, "plugins", lambda: plugins)
    monkeypatch.setattr(app, "registered_commands", app.registered_commands[:])
    assert command(monkeypatch, "greet") == 0
    out, err = capsys.readouterr()
    assert out == "hello\n"
    assert "plugin 'shadows', register_commands: there is a command 'run' already" in err
    assert "plugin 'falls', register_commands: OSError: gone" in err
    names = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    assert "half" not in names
    assert names.count("run") == 1
