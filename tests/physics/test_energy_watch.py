"""Energy that nothing gave: motions that explode are stopped, whatever drives them, and those that do not are left."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sandbox
from sandbox.errors import SandboxError
from sandbox.events import StrictError
from sandbox.physics.boundary import Boundary
from sandbox.physics.dynamics import Diverged, EnergyWatch, simulate
from sandbox.physics.graphs import triangular
from sandbox.physics.laws.library import SPRING
from sandbox.physics.material import Material
from sandbox.physics.modes import highest_frequency, normal_modes
from sandbox.physics.network import Network
from sandbox.physics.trajectory import Drive

OSCILLATOR = Material(Network(np.array([[-1.0], [0.0]]), np.array([[0, 1]])), SPRING, {"k": 4.0, "l": 1.0})
WALL = Boundary.free(2, 1).clamp([0], -1.0)
LIMIT = 1.0  # 2/omega, with omega = sqrt(4/1)


def struck(time_step: float, steps: int = 4000, speed: float = 0.1, **options):
    velocities = np.array([[[0.0], [speed]]])
    return simulate(OSCILLATOR, WALL, time_step=time_step, steps=steps, velocities=velocities, **options)


# So many steps that no number overflows before they end.
@pytest.mark.parametrize(("beyond", "steps"), [(1.001, 4000), (1.05, 400), (1.5, 150), (4.0, 60)])
@pytest.mark.parametrize("damping", [0.0, 1e-6])
def test_explosions_are_stopped(beyond, steps, damping):
    # Verlet's own limit is 2/omega, sharp for one oscillator.
    with pytest.raises(Diverged, match=r"the energy of sample 0 has grown .* at step") as caught:
        struck(beyond * LIMIT, steps, damping=damping)
    assert caught.value.stable == pytest.approx(LIMIT)
    assert caught.value.node is None
    assert 0 < caught.value.step < steps


@pytest.mark.parametrize("within", [0.1, 0.5, 0.9])
def test_motions_below_the_limit_are_left(within):
    run = struck(within * LIMIT)
    # From Verlet's conserved quantity: the energy gains (omega*dt/2)**2 of the potential energy, at most.
    gain = (run.energy[:, 0] - run.energy[0, 0]).max() / run.potential[:, 0].max()
    assert gain == pytest.approx(within**2, rel=0.05)


def test_start_at_rest_at_zero_energy():
    run = simulate(OSCILLATOR, WALL.push([1], 0.3), time_step=0.05, steps=500)
    assert run.energy[0, 0] == 0
    with pytest.raises(Diverged, match="has grown from 0 to"):
        simulate(OSCILLATOR, WALL.push([1], 0.3), time_step=1.1, steps=300)
    still = simulate(OSCILLATOR, WALL, time_step=1.1, steps=50)  # nothing moves, so nothing explodes
    assert still.energy.max() == 0


def test_a_bath_may_give_energy():
    run = struck(0.1, steps=20_000, speed=0.0, damping=0.5, temperature=3.0, seed=4)
    assert run.kinetic.mean() == pytest.approx(1.5, rel=0.1)  # half the temperature
    with pytest.raises(Diverged):
        struck(1.2, speed=0.0, damping=0.1, temperature=3.0)


def test_walls_may_give_energy():
    shake = {"drive": Drive([0], 0.01, 2 / (2 * np.pi)), "speed": 0.0}  # in resonance, the amplitude grows with time
    run = struck(0.1, steps=3000, **shake)
    assert np.abs(run.positions[:, 0, 1, 0]).max() > 100 * 0.01
    with pytest.raises(Diverged, match="grows, and is not stable where it is now"):
        struck(1.1, steps=60, **shake)


def test_a_watch_goes_on_from_piece_to_piece():
    watch = EnergyWatch(np.zeros(1))
    first = struck(0.5, steps=40, watch=watch).final
    assert watch.swing[0] > 0
    with pytest.raises(Diverged, match=r"grown from 0\.005 to"):  # 0.1**2/2, at the very start
        simulate(
            OSCILLATOR, WALL, time_step=1.2, steps=100, start=first.positions, velocities=first.velocities,
            first_step=40, watch=watch,
        )  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 2), (9, 6)])
def test_highest_frequency(shape):
    network = triangular(shape)
    k = np.random.default_rng(2).uniform(0.5, 2.0, network.n_edges)
    material = Material(network, SPRING, {"k": k, "l": network.lengths()})
    boundary = Boundary.free(network.n_nodes, 2).clamp(network.nodes("left"), network.positions[network.nodes("left")])
    masses = np.random.default_rng(3).uniform(0.5, 2.0, network.n_nodes)
    exact = normal_modes(material, boundary, masses=masses).frequencies[-1]  # LAPACK, all of them
    assert highest_frequency(material, boundary, masses=masses) == pytest.approx(exact, rel=1e-8)
    assert highest_frequency(material, boundary.clamp(np.arange(network.n_nodes), network.positions)) == 0.0


def lattice(*changes: str) -> sandbox.Experiment:
    return sandbox.load("lattice_vibration", changes)


def test_scene_that_explodes(tmp_path):
    told = []

    class Reporter:
        def start(self, what, total): ...
        def advance(self, done, figures): ...
        def warn(self, message):
            told.append(message)

    scene = lattice("dynamics.time_step=1.0", "dynamics.steps=60", "dynamics.every=1")
    with pytest.raises(SandboxError, match=r"grown .* at step \d+; the time step 1 is beyond the stable 0\.7"):
        scene.run(tmp_path / "run", Reporter())
    assert len(told) == 1
    assert "time step too long" in told[0]
    assert "0.7193" in told[0]
    with pytest.raises(StrictError, match="time step too long"):
        scene.run(tmp_path / "strict", strict=True)


def test_long_step_that_does_not_explode_is_an_event(tmp_path):
    run = lattice("dynamics.time_step=0.73", "dynamics.steps=40").run(tmp_path / "run", pictures=False)
    assert run.figures["time step too long"] == 1
    assert [event["kind"] for event in run.events] == ["time step too long"]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["time step too long"] == 1


def test_drift_is_measured_against_what_moves(tmp_path):
    run = lattice("dynamics.steps=400").run(tmp_path / "run", pictures=False)
    energy = (run.data["potential_energy"] + run.data["kinetic_energy"]).to_numpy()
    swing = max(float(run.data["kinetic_energy"].max()), float(np.ptp(run.data["potential_energy"].to_numpy())))
    assert run.figures["energy drift"] == pytest.approx(np.abs(energy - energy[0]).max() / swing, rel=1e-9)
