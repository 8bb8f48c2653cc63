"""The benchmarks in their quick form: contestants agree, and tables are written. No times are asserted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks import __main__ as command
from benchmarks import graphs, learner, timing, w2_elastic, w4_learning, w4b_elastic
from benchmarks.timing import Case, Contestant, Phase, measure

ALWAYS = {
    "W1": ("this project", "SuperLU", "CG + Jacobi", "Taichi SparseSolver LLT"),
    "W2": ("this project", "SciPy Newton, SuperLU"),
    "W3": ("this project", "NumPy"),
    "W4": ("this project, replayed", "this project, phase by phase", "NumPy"),
    "W4b": ("this project, replayed", "SciPy, Newton with dense Cholesky"),
    "W5": ("this project",),
    "start": ("kernels cached", "empty cache"),
}
"""Who takes part with what the development environment has."""


@pytest.fixture(autouse=True)
def unchanged_process() -> Iterator[None]:
    """The command sets variables and pins the process; later tests must not notice."""
    before, cores = dict(os.environ), os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    yield
    os.environ.clear()
    os.environ.update(before)
    if cores is not None:
        os.sched_setaffinity(0, cores)


@pytest.mark.parametrize("name", command.WORKLOADS)
def test_quick_form(name: str, tmp_path: Path) -> None:
    """All answers agree (the command counts those that do not), and every contestant has a row or a reason."""
    assert command.main([name, "--quick", "--results", str(tmp_path)]) == 0
    page = (tmp_path / f"{name.lower()}.md").read_text(encoding="utf-8")
    assert f"`python -m benchmarks {name} --quick`" in page
    assert str(tmp_path) not in page
    for contestant in ALWAYS[name]:
        rows, head = [], ""
        for line in page.splitlines():
            head = line if line.startswith("| | ") else head
            if re.match(rf"\| \**{re.escape(contestant)}\** \|", line):
                rows.append((line, [column.strip() for column in head.split("|")]))
        assert rows, contestant
        for row, columns in rows:
            # Of times only that they are numbers: they are differences of two in W3, and these runs are tiny.
            cells = row.split("|")
            assert np.isfinite(float(cells[2].replace(",", "")))
            before = "peer/this" if "peer/this" in columns else "process time"  # tables of one contestant have no ratio
            assert float(cells[columns.index(before) + 1]) < 0.01


def prepared(answer: float, phase: str = "step") -> Contestant:
    def prepare(case: Case) -> Mapping[str, Phase]:
        return {phase: Phase(lambda: np.array([1.0, answer]), single=True)}

    return Contestant(f"answers {answer}", prepare)


def missing(case: Case) -> Mapping[str, Phase]:
    raise ImportError("no such thing", name="nothing")


def test_absent_and_slow_contestants_are_named_and_wrong_ones_seen() -> None:
    case = Case(10, 1.0, None)
    contestants = [prepared(2.0), prepared(2.2), Contestant("absent", missing), Contestant("small", missing, largest=5)]
    outcome = measure(contestants, case, repeats=3, max_seconds=60)
    assert [cell.error for cell in outcome.cells] == [0.0, pytest.approx(0.1)]
    assert all(len(cell.seconds) == 3 for cell in outcome.cells)
    assert dict(outcome.skipped) == {"absent": "not installed (nothing)", "small": "not tried beyond 5 nodes"}
    assert dict(measure(contestants[:1], case, 1, 0.0).skipped)["answers 2.0"].startswith("took")


def test_peers_far_behind_give_up_after_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have ``PATIENCE`` at least, a line on larger networks, and no ratio is made of what they did not finish."""

    def endless(case: Case) -> Mapping[str, Phase]:
        def run() -> np.ndarray:
            check = case.deadline.clock()
            while True:
                check()

        return {"step": Phase(run)}

    def slow(case: Case) -> Mapping[str, Phase]:
        def run() -> np.ndarray:
            time.sleep(0.05)
            return np.array([1.0, 2.0])

        return {"step": Phase(run)}

    monkeypatch.setattr(timing, "PATIENCE", 0.2)
    ours = Contestant("ours", prepared(2.0).prepare, ours=True)
    contestants = (ours, Contestant("slow", slow), Contestant("endless", endless))
    outcome = measure(contestants, Case(10, 1.0, None), repeats=1, max_seconds=60, behind=2.0)
    assert {cell.name: cell.gave_up for cell in outcome.cells} == {"ours": False, "slow": False, "endless": True}
    assert outcome.cells[-1].median == pytest.approx(0.2)
    workload = w4_learning.WORKLOAD
    made = {"key": "W4", "contestants": (ours, contestants[2]), "case": lambda size, quick: Case(size, 1.0, 0)}
    made |= {"quick": (10, 20)}
    monkeypatch.setattr(w4_learning, "WORKLOAD", type(workload)(**{**vars(workload), **made}))
    assert command.main(["W4", "--quick", f"--results={tmp_path}"]) == 0
    page = (tmp_path / "w4.md").read_text(encoding="utf-8")
    assert page.count("gave up after") == 1
    assert "Left out: endless: gave up on a smaller network." in page
    assert "nan" not in page


def test_command_fails_where_an_answer_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workload = w4_learning.WORKLOAD
    wrong = {"key": "W4", "contestants": (prepared(2.0), prepared(2.1)), "case": lambda size, quick: Case(size, 1.0, 0)}
    monkeypatch.setattr(w4_learning, "WORKLOAD", type(workload)(**{**vars(workload), **wrong}))
    assert command.main(["W4", "--quick", f"--results={tmp_path}"]) == 1
    assert "**differs**" in (tmp_path / "w4.md").read_text(encoding="utf-8")


def test_unknown_workloads_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["W9"])
    assert "there is no workload 'W9'" in capsys.readouterr().err


def test_matrix_of_the_flow_network_is_the_slope_of_its_energy() -> None:
    data = graphs.flow(49)
    matrix, right = data.system(data.k)
    state, free = data.values.copy(), ~data.clamped
    state[free] = np.linalg.solve(matrix.toarray(), right)
    drop = state[data.network.edges[:, 1]] - state[data.network.edges[:, 0]]
    flows = np.zeros(data.network.n_nodes)
    np.add.at(flows, data.network.edges[:, 1], data.k * drop)
    np.add.at(flows, data.network.edges[:, 0], -data.k * drop)
    np.testing.assert_allclose(flows[free], 0.0, atol=1e-13)
    assert flows[~free].max() > 0.1


def test_hessian_of_the_elastic_peer_is_the_slope_of_its_force() -> None:
    springs = w2_elastic.Springs(graphs.elastic(25))
    rng = np.random.default_rng(0)
    x = springs.start + rng.normal(0, 0.01, springs.start.shape)
    move, step = rng.normal(size=x.shape), 1e-6
    slope = (springs.force(x + step * move) - springs.force(x - step * move)) / (2 * step)
    np.testing.assert_allclose(springs.hessian(x) @ move.ravel(), slope.ravel(), atol=1e-7 * np.abs(slope).max())


@pytest.mark.parametrize("free", [False, True])
def test_peer_of_the_elastic_learner_has_forces_and_hessian_of_its_energy(free: bool) -> None:
    data = learner.elastic_learning(1)
    nudged = w4b_elastic.Nudged(data)
    rng = np.random.default_rng(0)
    x = nudged.state.ravel()[nudged.free] + rng.normal(0, 0.1, len(nudged.free))
    theta = rng.uniform(0.5, 1.5, data.network.n_edges)
    theta[:5] = w4b_elastic.LOW
    move, step = rng.normal(size=x.shape), 1e-5

    def at(x: np.ndarray) -> w4b_elastic.Terms:
        return nudged.at(x, data.y[0], 0.3, theta, theta if free else None)

    ahead, here, behind = at(x + step * move), at(x), at(x - step * move)
    assert here[1] @ move == pytest.approx((ahead[0] - behind[0]) / (2 * step), rel=1e-6)
    slope = (ahead[1] - behind[1]) / (2 * step)
    np.testing.assert_allclose(here[2] @ move, slope, atol=1e-6 * np.abs(slope).max())


def test_a_step_of_the_flow_learner_ends_at_the_minimum_of_the_joint_energy() -> None:
    """Against a general minimizer of state and stiffnesses together."""
    data = learner.flow_learning(1)
    theta = w4_learning.WORKLOAD.contestants[2].prepare(Case(64, 1, data))["step"].run()
    k, (inputs, outputs), free = data.material().stiffness, data.places, data.free
    (i, j), half, eps = data.network.edges.T, data.beta / 2, data.compliance
    base = np.zeros(64)
    base[inputs] = data.x[0]
    weights = np.zeros(64)
    weights[outputs] = half
    goal = np.zeros(64)
    goal[outputs] = data.y[0]
    laplacian = np.zeros((64, 64))
    np.add.at(laplacian, (np.r_[i, j, i, j], np.r_[i, j, j, i]), np.r_[k, k, -k, -k])
    first = laplacian - np.diag(weights)
    s = base.copy()
    s[free] = np.linalg.solve(first[np.ix_(free, free)], (-weights * goal - first @ base)[free])
    knobs = k + eps / 2 * (s[j] - s[i]) ** 2

    def joint(z: np.ndarray) -> tuple[float, np.ndarray]:
        s, theta = base.copy(), z[len(free) :]
        s[free] = z[: len(free)]
        drop, error = s[j] - s[i], s - goal
        energy = (theta * drop**2).sum() / 2 + (weights * error**2).sum() / 2 + ((theta - knobs) ** 2).sum() / (2 * eps)
        pull = weights * error
        np.add.at(pull, j, theta * drop)
        np.add.at(pull, i, -theta * drop)
        return energy, np.concatenate([pull[free], drop**2 / 2 + (theta - knobs) / eps])

    found = minimize(joint, np.concatenate([s[free], k]), jac=True, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(theta, found.x[len(free) :], atol=1e-7)
    assert np.abs(theta - k).max() > 1e-4
