"""Imperfect apparatus: each imperfection does what its key says, and nothing when it is zero."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from sandbox_aeqprop import AEqprop

import sandbox
from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.errors import LawError, SceneError
from sandbox.imperfections import Imperfections
from sandbox.physics.graphs import random_graph
from sandbox.physics.laws import CONDUCTANCE, DIODE
from sandbox.physics.laws.hidden import hidden
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.material import Material
from sandbox.terminals import Terminals

INPUTS, TARGET = np.array([0.0, 1.0]), np.array([0.6])


def apparatus(seed: int = 0, compliance: float = 0.5, **flaws: float) -> Apparatus:
    material = Material(random_graph(10, 24, seed=1), CONDUCTANCE, {"k": 1.0}, bounds=(1e-3, np.inf))
    return Apparatus(
        material,
        Terminals.at([0, 1]),
        Terminals.at([2]),
        compliance=compliance,
        imperfections=Imperfections(**flaws),
        rng=np.random.default_rng(seed),
    )


def step(of: Apparatus) -> np.ndarray:
    """The change of the stiffnesses in one step of AEqprop."""
    before = of.stiffness.copy()
    AEqprop(beta=0.2).step(Bench(of), INPUTS, TARGET)
    return of.stiffness - before


def test_perfect_is_perfect():
    plain = Apparatus(apparatus().system, Terminals.at([0, 1]), Terminals.at([2]), compliance=0.5)
    np.testing.assert_array_equal(step(apparatus()), step(plain))


def test_reading_noise_is_on_the_meter_only():
    noisy = apparatus(reading_noise=0.05)
    noisy.clamp(INPUTS)
    shown = np.array([Bench(noisy).read().item() for _ in range(4000)])
    assert abs(shown.mean() - noisy.read().item()) < 4 * 0.05 / np.sqrt(4000)
    assert abs(shown.std() - 0.05) < 4 * 0.05 / np.sqrt(2 * 4000)
    np.testing.assert_array_equal(noisy.read(), noisy.read())


def test_knob_gain_scales_the_step():
    """To first order in the compliance a knob's gain multiplies its stiffness's step."""
    small = 1e-4
    perfect, uneven = apparatus(compliance=small), apparatus(compliance=small, knob_gain=0.5)
    gains = uneven.true_compliance / small
    assert 0.3 < np.log(gains).std() < 0.7
    np.testing.assert_allclose(step(uneven), gains * step(perfect), rtol=2e-3, atol=1e-12)


def test_knob_gain_scales_a_written_change():
    uneven = apparatus(knob_gain=0.5)
    uneven.write_stiffness(1.01)
    np.testing.assert_allclose(uneven.stiffness - 1, 0.01 * uneven.true_compliance / 0.5, rtol=1e-9)


def test_dead_knobs_move_nothing():
    partly = apparatus(dead=0.25)
    dead = partly.true_compliance == 0
    assert dead.sum() == 6
    change = step(partly)
    assert (change[dead] == 0).all()
    assert (change[~dead] != 0).sum() >= 17  # the edge between the inputs has nothing to learn
    partly.write_stiffness(2.0)
    assert (partly.stiffness[dead] == 1).all()
    assert (partly.stiffness[~dead] == 2).all()


def test_knobs_stop_at_multiples_of_the_quantum():
    stepped = apparatus(quantum=0.03)
    step(stepped)
    np.testing.assert_allclose(stepped.knobs / 0.03, np.round(stepped.knobs / 0.03), atol=1e-9)
    stepped.write_stiffness(1.0 + 0.01)
    np.testing.assert_allclose(stepped.stiffness, 0.03 * round(1.01 / 0.03), rtol=1e-12)


def test_drift_is_relative_and_has_the_size_asked():
    drifting = apparatus(drift=0.1)
    changes = []
    for _ in range(100):
        before = drifting.stiffness
        drifting.write_stiffness(before)
        changes.append(drifting.stiffness / before - 1)
    assert abs(np.std(changes) - 0.1) < 4 * 0.1 / np.sqrt(2 * 2400)


def test_homeostat_noise_moves_the_knobs():
    noisy, perfect = apparatus(homeostat_noise=0.01), apparatus()
    for of in (noisy, perfect):
        of.clamp(INPUTS)
        of.hold()
    error = noisy.knobs - perfect.knobs
    assert 0.005 < error.std() < 0.015


def test_hidden_law_has_its_energy_and_derivatives():
    law = hidden(CONDUCTANCE)
    assert law.is_quadratic_in_stiffness
    d, k, c, a = (sympy.Symbol(name, real=True) for name in ("d", "k", "hidden_factor", "hidden_hardening"))
    text = str(law.energy)
    expected = c * k * d**2 / 2 * (1 + a * d**2 / 2)
    names = {"d": d, "k": k, "hidden_factor": c, "hidden_hardening": a}
    assert sympy.expand(sympy.sympify(text, locals=names) - expected) == 0
    v = np.linspace(-1, 1, 7)
    energy = law.on_numpy(v, 2.0, 1.5, 0.8)[0]
    np.testing.assert_allclose(energy, 1.5 * 2.0 * v**2 / 2 * (1 + 0.8 * v**2 / 2), rtol=1e-14)


def test_hidden_diode_is_linear_in_its_stiffness():
    assert hidden(EdgeLaw("k*(vt**2*(exp(d/vt) - 1) - vt*d)", ("k", "vt"))).is_quadratic_in_stiffness
    assert hidden(DIODE).is_quadratic_in_stiffness


def test_a_law_that_is_not_linear_in_its_stiffness_is_refused():
    with pytest.raises(LawError, match="not linear in its stiffness"):
        hidden(EdgeLaw("k/2*(r - l)**2", ("k", "l"), "l"))


def test_a_scene_hides_its_law_from_the_controller():
    plain = sandbox.load("iris_flow").setup
    other = sandbox.load("iris_flow", ["bench.imperfections={law_factor=0.3, hardening=2.0}"]).setup
    assert plain.system.stiffness.tolist() == other.system.stiffness.tolist()
    for setup in (plain, other):
        setup.apparatus.clamp(setup.task.inputs[:1])
    assert np.abs(plain.apparatus.read() - other.apparatus.read()).max() > 1e-4
    assert {"hidden_factor", "hidden_hardening"} <= set(other.system.parameters)


def test_unknown_groups_of_stiffnesses_are_named():
    with pytest.raises(SceneError, match=r"bench\.compliance: names the groups \['weights'\]"):
        _ = sandbox.load("iris_flow", ["bench.compliance={weights=0.1}"]).setup.apparatus


def test_compliance_may_be_drawn():
    setup = sandbox.load("iris_flow", ['bench.compliance={distribution="lognormal", median=0.2, sigma=0.5}']).setup
    assert 0.3 < np.log(setup.apparatus.compliance).std() < 0.7


def test_fresh_inputs_start_at_rest():
    """Of two minima, the one that is read is the rest state's, whatever was done before."""
    law = EdgeLaw("k/2*(r - l)**2", ("k", "l"))
    network = sandbox.Network(np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.2]]), np.array([[0, 2], [1, 2]]))
    arch = Material(network, law, {"k": 1.0, "l": network.lengths()}, bounds=(1e-3, np.inf))
    ground = sandbox.Boundary.free(3, 2).clamp([0, 1], network.positions[:2])
    readings = {}
    for fresh in (False, True):
        bench = Bench(
            Apparatus(arch, Terminals.pushing([2], 1), Terminals.at([2], 0), surroundings=ground, fresh=fresh)
        )
        heights = Apparatus(arch, Terminals.pushing([2], 1), Terminals.at([2], 1), surroundings=ground, fresh=fresh)
        for force in (0.0, -0.5, 0.0):
            heights.clamp([force])
            last = heights.read().item()
        readings[fresh] = last
        assert bench.notes == {}
    assert abs(readings[True] - 0.2) < 1e-8
    assert abs(readings[False] + 0.2) < 1e-8


def test_clamped_outputs_stay_where_they_are_put():
    of = apparatus()
    of.clamp(INPUTS)
    of.clamp_outputs(TARGET)
    assert of.read().item() == TARGET.item()
    of.clamp_outputs(None)
    assert abs(of.read().item() - TARGET.item()) > 1e-3
