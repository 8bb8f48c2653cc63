"""Two homeostats, one equilibrium: integral control that reads stiffnesses only, and a servo of infinite gain."""

from dataclasses import replace

import numpy as np
import pytest
from sandbox_aeqprop import AEqprop
from sandbox_flow_network import FlowNetwork

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.errors import SandboxError
from sandbox.physics.graphs import jittered_grid
from sandbox.terminals import Terminals

SAME_KNOBS = 1e-8
"""Of the largest knob. The integral homeostat stops at a drift of 1e-11 of the largest stiffness; a knob is off by the
drift over the response of its stiffness, which is at least 1 where the joint energy is convex."""

MOVED = 1e-3
"""The knobs must stand off from the stiffnesses by this part at least, or there is nothing to agree on."""

COUPLINGS = ("quadratic", "log")


class Blind:
    """A system whose relaxations report states and stiffnesses, and keep energies and forces on stiffnesses secret."""

    def __init__(self, system):
        self._system = system

    def __getattr__(self, name):
        if name == "sensitivity":
            raise AssertionError("a homeostat asked for a gradient")
        return getattr(self._system, name)

    def relax(self, *args, **kwargs):
        rest = self._system.relax(*args, **kwargs)
        return replace(rest, stiffness_force=np.full_like(rest.stiffness_force, np.nan), energy=rest.energy * np.nan)


def held(case, homeostat: str, coupling: str, beta: float) -> Apparatus:
    apparatus = case.apparatus(compliance=case.scale, coupling=coupling, homeostat=homeostat)
    apparatus.clamp(case.inputs)
    apparatus.nudge(case.targets, beta)
    apparatus.hold()
    return apparatus


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_same_knobs(case, coupling):
    for beta in (0.0, -case.beta / 2):
        ideal, integral = (held(case, homeostat, coupling, beta) for homeostat in ("ideal", "integral"))
        size = np.abs(ideal.knobs).max()
        np.testing.assert_allclose(integral.knobs, ideal.knobs, rtol=0, atol=SAME_KNOBS * size)
        assert np.abs(ideal.knobs - ideal.stiffness).max() > MOVED * size
        np.testing.assert_array_equal(integral.stiffness, case.system.stiffness)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_same_training(case, coupling):
    """Five steps end at the same stiffnesses, though the second homeostat is told nothing but them."""
    ends = []
    for homeostat, wrap in (("ideal", lambda s: s), ("integral", Blind)):
        blind = replace(case, wrap=wrap)
        apparatus = blind.apparatus(compliance=case.scale, coupling=coupling, homeostat=homeostat)
        for _ in range(5):
            AEqprop(beta=case.beta).step(Bench(apparatus), case.inputs, case.targets)
        ends.append(apparatus.stiffness)
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=10 * SAME_KNOBS * np.abs(ends[0]).max())
    assert np.abs(ends[0] - case.system.stiffness).max() > 1e-4


def test_the_blindfold_works(case):
    """The servo does use the force on the stiffnesses, so that it fails where the integral homeostat does not."""
    apparatus = replace(case, wrap=Blind).apparatus(compliance=case.scale, homeostat="ideal")
    with pytest.raises(SandboxError, match="not finite"):
        AEqprop(beta=case.beta).step(Bench(apparatus), case.inputs, case.targets)


@pytest.mark.parametrize("homeostat", ["ideal", "integral"])
def test_stiffness_at_its_bound_stays_while_held(homeostat):
    """Stiffnesses on their lower bound, pressed against it by their knobs, do not move while held; nor do others."""
    net = jittered_grid(5, seed=1)
    system = FlowNetwork(conductance={"low": 0.01, "high": 1.0}, minimum=0.4).build(net, np.random.default_rng(2))
    at_bound = system.stiffness == 0.4
    assert 5 < at_bound.sum() < net.n_edges - 5
    apparatus = Apparatus(
        system, Terminals.at([0, 24]), Terminals.at([12]), compliance=2.0, homeostat=homeostat, tolerance=1e-13
    )
    apparatus.knobs = np.where(at_bound, 0.3, apparatus.knobs)
    apparatus.clamp([0.0, 1.0])
    apparatus.nudge([0.9], 0.5)
    apparatus.hold()
    np.testing.assert_array_equal(apparatus.stiffness, system.stiffness)
    # Letting go under the same nudging moves nothing: all of it is at equilibrium.
    apparatus.release()
    np.testing.assert_allclose(apparatus.stiffness, system.stiffness, rtol=0, atol=1e-10)
    if homeostat == "integral":
        np.testing.assert_array_equal(apparatus.knobs[at_bound], 0.3)
        np.testing.assert_array_equal(apparatus.stiffness[at_bound], 0.4)
