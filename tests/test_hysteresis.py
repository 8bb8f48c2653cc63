"""Nudges that throw a bistable arch into its other basin: found at the outputs, with a strength that does not."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.apparatus import Apparatus, find_jump
from sandbox.events import StrictError
from sandbox.physics.boundary import Boundary
from sandbox.physics.laws.library import CONDUCTANCE, SPRING
from sandbox.physics.material import Material
from sandbox.physics.network import Network
from sandbox.run import Experiment
from sandbox.scene import validate
from sandbox.terminals import Terminals

RISE, TARGET = 0.3, -0.2
ARCH = Network(np.array([[0.0, 0.0], [1.0, RISE], [2.0, 0.0]]), np.array([[0, 1], [1, 2]]))
SUPPORTS = Boundary.free(3, 2).clamp([2], ARCH.positions[2]).clamp([0], 0.0, [1])


def critical(target: float) -> float:
    """Strength of nudging at which the arch snaps through: its bars cannot carry the pull anywhere above the ground."""
    y = np.linspace(1e-4, RISE, 200_001)
    length = np.hypot(1.0, y)
    carried = 2 * (np.hypot(1.0, RISE) - length) * y / length
    return float((carried / (y - target)).max())


class Own:
    """A system with a solver of its own: anything that is no material."""

    def __init__(self, material: Material) -> None:
        self._material = material

    def __getattr__(self, name: str):
        return getattr(self._material, name)


def arch(own: bool = False, **options) -> Apparatus:
    material = Material(ARCH, SPRING, {"k": 1.0, "l": ARCH.lengths()})
    system = Own(material) if own else material
    return Apparatus(system, Terminals.at([0]), Terminals.at([1], 1), SUPPORTS, **options)  # type: ignore[arg-type]


INPUTS, TARGETS = np.array([[0.0]]), np.array([[TARGET]])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("fresh", [False, True])
def test_the_strength_that_snaps_is_the_closed_one(own, fresh):
    limit = critical(TARGET)
    assert find_jump(arch(own, fresh=fresh), INPUTS, TARGETS, [-0.5 * limit, 0.97 * limit]) is None
    jump = find_jump(arch(own, fresh=fresh), INPUTS, TARGETS, [0.5 * limit, 1.03 * limit])
    assert jump is not None
    assert jump.beta == 1.03 * limit
    assert jump.enough == pytest.approx(1.03 * limit / 2)
    assert not jump.back
    assert jump.moved > RISE
    assert jump.moved > 3 * jump.linear
    far = find_jump(arch(own), INPUTS, TARGETS, [40 * limit])
    assert far is not None
    assert far.enough is not None
    assert 0.5 * limit <= far.enough < limit


def test_what_moves_by_degrees_does_not_jump():
    stiff = Material(ARCH, SPRING, {"k": 1.0, "l": 0.5 * ARCH.lengths()})  # taut, so that it has one basin
    rig = Apparatus(stiff, Terminals.at([0]), Terminals.at([1], 1), SUPPORTS)
    for beta in (1e-3, 1.0, 1e3, -0.5):
        assert find_jump(rig, INPUTS, TARGETS, [beta]) is None


def test_which_sample():
    inputs = np.zeros((3, 1))
    targets = np.array([[0.29], [0.28], [TARGET]])
    jump = find_jump(arch(), inputs, targets, [1.1 * critical(TARGET)])
    assert jump is not None
    assert jump.sample == 2


def test_it_leaves_no_trace():
    rig = arch()
    rig.clamp([0.01])
    rig.nudge([0.2], 1e-3)
    rest, spent, imposed = rig.settle(), rig.meter.relaxations, rig.imposed
    assert find_jump(rig, INPUTS, TARGETS, [1.0]) is not None
    assert rig.settle() is rest
    assert rig.meter.relaxations == spent
    np.testing.assert_array_equal(rig.imposed[0], imposed[0])
    assert rig.imposed[2] == 1e-3


def test_linear_systems_are_not_asked():
    line = Network(np.arange(3.0)[:, None], np.array([[0, 1], [1, 2]]))
    rig = Apparatus(
        Material(line, CONDUCTANCE, {"k": 1.0}),
        Terminals.at([0]),
        Terminals.at([1]),
        Boundary.free(3, 1).clamp([2], 0.0),
    )
    rig.settle = None  # type: ignore[assignment,method-assign]
    assert find_jump(rig, INPUTS, TARGETS, [1.0]) is None


def scene(folder, beta: float, **training) -> Experiment:
    """The pair of the top and a point below the arch is to come together."""
    (folder / "arch.txt").write_text(
        "node a 0 0\nnode b 1 0.3\nnode c 2 0\nnode d 1 -1\nedge a b\nedge b c\n", encoding="utf-8"
    )
    return Experiment(
        validate(
            {
                "network": {"type": "file", "path": "arch.txt"},
                "system": {"type": "elastic_network"},
                "clamp": [{"nodes": [3]}],
                "terminals": {"inputs": [(0, 2)], "outputs": [(1, 3)]},
                "bench": {"compliance": 1e-3},
                "task": {"type": "allostery", "source_strain": 0.0, "target_strain": -0.35},
                "controller": {"type": "aeqprop", "variant": "optimistic", "beta": beta},
                "training": {"epochs": 2, **training},
            }
        )
    )


def test_in_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    limit = critical(1.3 * 0.65 - 1.0)
    quiet = scene(tmp_path, 0.9 * limit).run(tmp_path / "quiet", pictures=False)
    assert "thrown by the nudge" not in quiet.figures
    run = scene(tmp_path, 3 * limit).run(tmp_path / "run", pictures=False)
    assert run.figures["thrown by the nudge"] >= 1
    event = next(e for e in run.events if e["kind"] == "thrown by the nudge")
    assert event["step"] == 0  # before any training
    assert f"controller.beta = {0.75 * limit:.3g} would do" in event["detail"]
    with pytest.raises(StrictError, match="thrown by the nudge"):
        scene(tmp_path, 3 * limit).run(tmp_path / "strict", pictures=False, strict=True)


def test_a_missed_stop_loss(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = scene(tmp_path, 1e-3, stop_loss=1e-9).run(tmp_path / "run", pictures=False)
    assert run.figures["stop loss missed"] == 1
    assert any("asked for 1e-09" in event["detail"] for event in run.events)
    reached = scene(tmp_path, 1e-3, stop_loss=10.0).run(tmp_path / "reached", pictures=False)
    assert "stop loss missed" not in reached.figures
    assert reached.figures["epochs"] == 1
    with pytest.raises(StrictError, match="stop loss missed, and the run is strict; what it computed is kept"):
        scene(tmp_path, 1e-3, stop_loss=1e-9).run(tmp_path / "strict", pictures=False, strict=True)
    import sandbox

    kept = sandbox.open(tmp_path / "strict")
    np.testing.assert_array_equal(kept["train_loss"], run.data["train_loss"])
    with pytest.raises(StrictError):
        sandbox.resume(tmp_path / "strict")
