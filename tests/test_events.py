"""Numbers that can be trusted: NaN and infinity by name, events in the record, and strict runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import sandbox
from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.errors import SandboxError
from sandbox.events import MAX_ENTRIES, Events, Kind, StrictError
from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics import Diverged, simulate
from sandbox.physics.equilibrium import NotConverged, Status
from sandbox.physics.graphs import square
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.laws.library import CONDUCTANCE
from sandbox.physics.material import Material
from sandbox.physics.relaxation.replay import Tape
from sandbox.terminals import Terminals

NET = square((4, 4))
EDGE = 5
ENDS = tuple(NET.edges[EDGE].tolist())


def at_edge(value: float, elsewhere: float) -> np.ndarray:
    return np.where(np.arange(NET.n_edges) == EDGE, value, elsewhere)


def ends(value: float = 1.0) -> Boundary:
    return Boundary.free(NET.n_nodes, 1).clamp([0], [[0.0]]).clamp([15], [[value]])


@pytest.mark.parametrize("method", ["fused", "newton", "fire"])
@pytest.mark.parametrize(
    ("law", "parameters", "value", "what"),
    [
        ("k/2*d**2 - k*log(c - d)", {"k": 1.0, "c": at_edge(-1.0, 3.0)}, 1.0, "energy"),
        ("k/2*d**2 + c*abs(d)**1.5", {"k": 1.0, "c": at_edge(1.0, 0.0)}, 0.0, "curvature"),
        ("sqrt(k)*d**2 + d**2", {"k": at_edge(0.0, 1.0)}, 1.0, "force on the stiffness"),
    ],
    ids=["energy", "curvature", "stiffness"],
)
def test_a_number_that_is_not_finite_is_named(method: str, law: str, parameters: dict, value: float, what: str):
    material = Material(NET, EdgeLaw(law, tuple(parameters)), parameters)
    with pytest.raises(NotConverged) as caught:
        material.relax(ends(value), method=method, max_iterations=50)
    fault = caught.value.report.fault
    assert fault is not None
    assert (fault.sample, fault.what) == (0, f"the {what}")
    assert not np.isfinite(fault.value)
    assert fault.iteration == caught.value.report.iterations[0] >= 1
    assert f"{what} of edge {fault.edge} (nodes" in str(caught.value)
    if what != "curvature":  # abs(d)**1.5 has none at 0, whatever its strength
        assert (fault.edge, fault.ends) == (EDGE, ENDS)


def test_sweeps_and_the_sample_of_a_batch():
    material = Material(NET, CONDUCTANCE, {"k": 1.0}, box=(-1e308, 1e308))
    boundary = Boundary.free(NET.n_nodes, 1, 3).clamp([0], np.zeros((3, 1, 1)))
    boundary = boundary.clamp([15], np.array([1.0, 1e200, 2.0])[:, None, None])
    expected = r"energy of edge \d+ \(nodes \d+ and 15\) is inf at iteration 0 of sample 1"
    with pytest.raises(NotConverged, match=expected):
        material.relax(boundary, method="sweeps")


def test_a_node_law():
    law = NodeLaw("-log(c - s)", ("c",))
    c = np.full((16, 1), 3.0)
    c[6] = -0.5
    material = Material(NET, CONDUCTANCE, {"k": 1.0}, node_law=law, node_parameters={"c": c})
    with pytest.raises(NotConverged, match=r"energy of the node law of node 6 is nan"):
        material.relax(ends())


def test_what_converges_is_left_alone():
    rest = Material(NET, CONDUCTANCE, {"k": 1.0}).relax(ends())
    assert rest.fault is None
    assert rest.converged.all()


def test_running_out_of_iterations_is_no_fault():
    law = EdgeLaw("k/4*d**4 + k*d**2", ("k",))
    rest = Material(NET, law, {"k": 1.0}).relax(ends(9.0), max_iterations=2, throw=False)
    assert rest.fault is None
    assert rest.status[0] == Status.OUT_OF_ITERATIONS


def test_motion_names_the_edge():
    law = EdgeLaw("-k*sqrt(1 - (r - 1)**2)", ("k",))
    network = sandbox.Network(np.array([[0.0, 0], [1, 0], [2, 0]]), np.array([[0, 1], [1, 2]]))
    velocities = np.array([[[0.0, 0], [0, 0], [9, 0]]])
    with pytest.raises(Diverged, match=r"node \d of sample 0 \(at edge 1\)") as caught:
        simulate(Material(network, law, {"k": 1.0}), Boundary.free(3, 2), time_step=0.5, steps=9, velocities=velocities)
    assert caught.value.edge == 1


def apparatus(law: EdgeLaw = CONDUCTANCE, bounds=(1e-3, np.inf), **settings) -> Apparatus:
    parameters = {"k": np.linspace(0.5, 1.5, NET.n_edges), **settings.pop("fixed", {})}
    system = Material(NET, law, parameters, bounds=bounds)
    return Apparatus(system, Terminals.at([0, 15]), Terminals.at([6]), **settings)


TAPE = Tape(("clamp", "nudge", "hold", "nudge", "release"), (0.0, -0.5, 0.0, 0.5, 0.0))


def step(bench: Bench, inputs, targets) -> None:
    bench.clamp(inputs)
    bench.nudge(targets, -0.5)
    bench.hold()
    bench.nudge(targets, 0.5)
    bench.release()


def test_replay_names_the_edge_too():
    rig = apparatus(EdgeLaw("k/2*d**2 - k*log(c - d)", ("k", "c")), fixed={"c": at_edge(-1.0, 9.0)})
    inputs, targets = np.array([[0.0, 1.0]] * 4), np.full((4, 1), 0.4)
    assert rig.replay(TAPE, inputs, targets) == 0
    with pytest.raises(NotConverged, match=f"of edge {EDGE} "):
        rig.attempt(step, Bench(rig), inputs[0], targets[0])


def test_loss_of_convexity_is_counted_alike_replayed_or_not():
    inputs, targets = np.tile([0.0, 1.0], (6, 1)), np.full((6, 1), 0.9)
    one, other = apparatus(compliance=9.0), apparatus(compliance=9.0)
    done = one.replay(TAPE, inputs, targets)
    bench = Bench(other)
    for number in range(done):
        other.events.step = number
        other.attempt(step, bench, inputs[number], targets[number])
    count = one.events.counts[Kind.CONVEXITY]
    assert done > 0
    assert count == one.meter.unstable == other.events.counts[Kind.CONVEXITY] > 0
    (event,) = [e for e in one.events.entries if e.kind == Kind.CONVEXITY]
    assert (event.step, event.last_step) == (0, done - 1)
    assert {e.step for e in other.events.entries if e.kind == Kind.CONVEXITY} <= set(range(done))


def test_stiffnesses_at_their_bounds():
    rig = apparatus(bounds=(0.49, 1.51), compliance=1.0)
    bench = Bench(rig)
    for rig.events.step in range(1, 40):
        step(bench, [0.0, 1.0], [0.9])
    low, high = rig.system.bounds
    stuck = int(((rig.stiffness == low) | (rig.stiffness == high)).sum())
    assert stuck > 0
    assert rig.events.counts[Kind.SATURATION] >= stuck == rig.meter.at_bounds
    first = next(e for e in rig.events.entries if e.kind == Kind.SATURATION)
    assert first.step >= 1
    assert "at a bound" in first.detail


def test_knobs_that_run_away():
    rig = apparatus(compliance=1e6)
    rig.clamp([0.0, 1.0])
    rig.nudge([[0.9]], 0.1)
    rig.hold()
    assert rig.events.counts[Kind.RUNAWAY] == int((np.abs(rig.knobs) > 1.5e3).sum()) > 0
    (event,) = (e for e in rig.events.entries if e.kind == Kind.RUNAWAY)
    knob = int(np.abs(rig.knobs).argmax())
    assert (event.size, event.detail) == (abs(rig.knobs[knob]), f"knob {knob} at {rig.knobs[knob]:.3g}")
    tame = apparatus(compliance=1.0)
    tame.clamp([0.0, 1.0])
    tame.hold()
    assert Kind.RUNAWAY not in tame.events.counts


def test_what_goes_on_is_one_event():
    log = Events()
    for log.step in [3, 4, 5, 9]:
        log.add(Kind.RUNAWAY, 2, f"knob 0 at {10 - log.step}", size=10.0 - log.step)
    log.step = 10
    log.add(Kind.RUNAWAY, 1, "knob 1 at 30", last_step=14, size=30.0)
    assert [(e.step, e.last_step, e.count, e.detail) for e in log.entries] == [
        (3, 5, 6, "knob 0 at 7"),
        (9, 14, 3, "knob 1 at 30"),
    ]
    again = Events()
    again.restore(json.loads(json.dumps(log.record())))
    for each in (log, again):
        each.step = 15
        each.add(Kind.RUNAWAY, 1, "knob 1 at 20", size=20.0)
        assert len(each.entries) == 2
    assert again.record() == log.record()
    (line,) = log.lines()
    assert line.startswith("knob runaway: 10 time(s), first in step 3, the largest: knob 1 at 30; ")


def hopeless(bench: Bench, inputs, targets) -> None:
    bench.knobs = bench.knobs * 2
    bench.stiffness = bench.stiffness * 1.5
    bench.clamp(inputs)
    bench.nudge(targets, -1e6)
    bench.hold()


def test_a_step_that_does_not_converge_is_taken_back():
    rig = apparatus()
    rig.clamp([0.0, 1.0])
    outputs, stiffness, knobs = rig.read(), rig.stiffness.copy(), rig.knobs.copy()
    error = rig.attempt(hopeless, Bench(rig), [0.0, 1.0], [0.4])
    assert isinstance(error, NotConverged)
    assert (rig.stiffness == stiffness).all()
    assert (rig.knobs == knobs).all()
    assert rig.events.counts == {Kind.SKIPPED: 1}
    rig.nudge(None, 0.0)
    assert rig.read() == pytest.approx(outputs, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        (("bench.compliance=3.0",), Kind.CONVEXITY),
        (("system.minimum=0.4", "bench.compliance=0.3", "training.epochs=20"), Kind.SATURATION),
        (("bench.compliance=1e-6", "bench.homeostat='integral'", "controller.beta=1e9"), Kind.SKIPPED),
    ],
    ids=["convexity", "saturation", "skipped"],
)
def test_strict_runs_end_at_the_first_event(changes: tuple[str, ...], kind: Kind, tmp_path: Path):
    experiment = sandbox.load("iris_flow", ("training.epochs=2", *changes))
    with pytest.raises(StrictError, match=f"{kind.value} in step [1-9].*strict"):
        experiment.run(tmp_path / "out", strict=True)
    assert not (tmp_path / "out").exists()


def test_the_record_of_a_run(tmp_path: Path):
    run = sandbox.load("iris_flow", ("training.epochs=2", "bench.compliance=3.0")).run(tmp_path / "out", pictures=False)
    assert {e["kind"] for e in run.events} >= {Kind.CONVEXITY.value}
    counts = {k.value: sum(e["count"] for e in run.events if e["kind"] == k.value) for k in Kind}
    assert counts[Kind.CONVEXITY] == run.figures["unstable phases"] == run.figures[Kind.CONVEXITY.value]
    assert all(1 <= e["step"] <= e["last_step"] <= 2 * 105 for e in run.events)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary[Kind.CONVEXITY.value] == counts[Kind.CONVEXITY]
    assert json.loads(sandbox.open(tmp_path / "out").attrs["events"])["events"] == run.events


def test_most_steps_of_an_epoch_skipped_is_an_error(tmp_path: Path):
    experiment = sandbox.load("iris_flow", ("training.epochs=1", "controller.beta=1e6"))
    with pytest.raises(SandboxError, match=r"most of the 105 step.*not converged"):
        experiment.run(tmp_path / "out")
    assert experiment.setup.apparatus.events.counts[Kind.SKIPPED] == 53


def test_the_log_is_bounded_and_survives_a_checkpoint():
    log = Events()
    for log.step in range(MAX_ENTRIES + 50):
        log.add(Kind.CONVEXITY)
    assert len(log.entries) == MAX_ENTRIES
    assert log.counts[Kind.CONVEXITY] == MAX_ENTRIES + 50
    again = Events()
    again.restore(json.loads(json.dumps(log.record())))
    assert again.record() == log.record()
    log.add(Kind.RUNAWAY, 3)
    again.step = log.step
    again.add(Kind.RUNAWAY, 3)
    assert again.record() == log.record()
    assert len(again.lines()) == 2


def test_a_figure_that_is_not_finite_stops_a_run(monkeypatch, tmp_path):
    from sandbox.task import Task

    monkeypatch.setattr(Task, "figures", lambda self, outputs, which: {"loss": 1.0, "score": float("inf")})
    with pytest.raises(SandboxError, match=r"the train score is inf after 0 epoch\(s\)"):
        sandbox.load("iris_flow", training={"epochs": 1}).run(tmp_path / "run")


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_nor_is_one_taken_from_a_checkpoint(value):
    from sandbox.learning import Learner

    setup = sandbox.load("iris_flow", training={"epochs": 1}).setup
    learner = Learner(setup)
    learner.evaluate()
    state = learner.state()
    Learner(setup).restore(state)
    state["history"][0]["train loss"] = value
    with pytest.raises(SandboxError, match="no finite number"):
        Learner(setup).restore(state)
