"""The promises of the theory, on a flow network, with the controller that is installed as ``aeqprop``.

Scellier, Mishra, Bengio, Ollivier, arXiv:2205.15021: Theorem 1 (a step down the loss, with an error of order 1 or 2 in
beta) and Theorem 2 (the Lyapunov function never rises).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.apparatus import Apparatus, Homeostat
from sandbox.bench import Bench
from sandbox.parts import Controller
from sandbox.physics.graphs import jittered_grid
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.laws.library import CONDUCTANCE, DIODE
from sandbox.physics.material import Material
from sandbox.plugins import plugins
from sandbox.terminals import Terminals
from sandbox.validation.check import Check, largest

GROUP = "theory"
ROUND_OFF = 1e-12
"""What may pass for no increase, relative to max|F|/(beta_2 - beta_1): an energy is a sum of hundreds of terms."""

STEPS = 100
INPUTS, TARGETS = np.array([0.0, 1.0, 0.35, 0.8]), np.array([0.3, 0.65])
VARIANTS = {"optimistic": 1, "pessimistic": 1, "centered": 2}


def checks() -> Iterator[Check]:
    laws = {"linear": (CONDUCTANCE, {}), "diodes": (DIODE, {"vt": 0.3, "leak": 0.05})}
    for name, (law, fixed) in laws.items():
        bench = _Setting(law, fixed)
        rise, fall = bench.descent()
        yield Check(GROUP, f"rises of the Lyapunov function in {STEPS} steps ({name})", rise, 0.0)
        yield Check(GROUP, f"the loss after them, relative to before ({name})", fall, 0.9)
        yield Check(GROUP, f"L(0, beta) <= L <= L(-beta, 0): violations ({name})", bench.sandwich(), 0.0)
    linear = _Setting(CONDUCTANCE, {})
    yield Check(GROUP, "exact gradient against finite differences, relative", linear.gradient_error(), 1e-6)
    for variant, order in VARIANTS.items():
        measured = linear.order(variant)
        yield Check(GROUP, f"order in beta of the {variant} step: {order}", measured, order + 0.25, 0.9 * order)
    yield Check(GROUP, "knobs of the integral homeostat against the ideal one, relative", linear.homeostats(), 1e-8)


def _controller(variant: str, beta: float) -> Controller:
    return plugins().parts["controller"]["aeqprop"].model_validate({"variant": variant, "beta": beta})  # type: ignore[return-value]


class _Setting:
    """49 nodes, four inputs, two outputs, one sample."""

    def __init__(self, law: EdgeLaw, fixed: dict[str, float]) -> None:
        rng = np.random.default_rng(11)
        network = jittered_grid(7, seed=3)
        k = rng.uniform(0.3, 1.0, network.n_edges)
        self.system = Material(network, law, {"k": k, **fixed}, bounds=(1e-3, np.inf))
        self.nodes = rng.permutation(network.n_nodes)[:6]

    def apparatus(self, compliance: float = 1.0, homeostat: Homeostat = "ideal") -> Apparatus:
        inputs, outputs = Terminals.at(self.nodes[:4]), Terminals.at(self.nodes[4:])
        return Apparatus(self.system, inputs, outputs, compliance=compliance, homeostat=homeostat, tolerance=1e-13)

    def level(self, stiffness: np.ndarray, beta_1: float, beta_2: float) -> tuple[float, float]:
        """(F(beta_2) - F(beta_1))/(beta_2 - beta_1) at held stiffnesses, and its round-off."""
        probe, energies = self.apparatus(), []
        probe.write_stiffness(stiffness)
        probe.clamp(INPUTS)
        for beta in (beta_1, beta_2):
            probe.nudge(TARGETS, beta)
            energies.append(float(probe.settle().energy[0]))
        return (energies[1] - energies[0]) / (beta_2 - beta_1), ROUND_OFF * max(map(abs, energies)) / (beta_2 - beta_1)

    def loss(self, stiffness: np.ndarray) -> float:
        probe = self.apparatus()
        probe.write_stiffness(stiffness)
        probe.clamp(INPUTS)
        return float(0.5 * ((probe.read() - TARGETS) ** 2).sum())

    def descent(self) -> tuple[float, float]:
        """Number of steps in which the Lyapunov function rose beyond round-off; loss at the end over loss before."""
        apparatus, beta = self.apparatus(), 0.4
        controller, bench = _controller("centered", beta), Bench(apparatus)
        before, first = self.level(apparatus.stiffness, -beta / 2, beta / 2)[0], self.loss(apparatus.stiffness)
        rises = 0
        for _ in range(STEPS):
            controller.step(bench, INPUTS, TARGETS)
            after, slack = self.level(apparatus.stiffness, -beta / 2, beta / 2)
            rises += not after <= before + slack  # so that one that is no number counts
            before = after
        return float(rises), self.loss(apparatus.stiffness) / first

    def sandwich(self) -> float:
        """Number of stiffnesses on the way at which the loss is not between its bounds; F is concave in beta."""
        apparatus, beta, wrong = self.apparatus(), 0.4, 0
        controller, bench = _controller("centered", beta), Bench(apparatus)
        for _ in range(12):
            below, slack = self.level(apparatus.stiffness, 0.0, beta)
            above, slack_above = self.level(apparatus.stiffness, -beta, 0.0)
            loss = self.loss(apparatus.stiffness)
            wrong += not (below - slack <= loss <= above + slack_above and below < above)
            controller.step(bench, INPUTS, TARGETS)
        return float(wrong)

    def gradient(self) -> np.ndarray:
        apparatus = self.apparatus()
        apparatus.clamp(INPUTS)
        return apparatus.loss_gradient(TARGETS)

    def gradient_error(self) -> float:
        """Central differences of the loss in three random directions."""
        gradient, rng, h = self.gradient(), np.random.default_rng(1), 1e-4
        errors = []
        for _ in range(3):
            direction = rng.standard_normal(len(gradient))
            direction /= np.linalg.norm(direction)
            k = self.system.stiffness
            slope = (self.loss(k + h * direction) - self.loss(k - h * direction)) / (2 * h)
            errors.append(abs(slope - float(gradient @ direction)) / float(np.linalg.norm(gradient)))
        return largest(errors)

    def order(self, variant: str) -> float:
        """Of the step's error in beta, over a ladder of 16, at a compliance whose own error is far below.

        One-sided errors are of mixed order where beta is not small; the centered ones drown in rounding where it is.
        """
        exact, eps = self.gradient(), 1e-6
        ladder, errors = (0.4 if variant == "centered" else 0.1) * 0.5 ** np.arange(5), []
        for beta in ladder:
            apparatus = self.apparatus(eps)
            _controller(variant, float(beta)).step(Bench(apparatus), INPUTS, TARGETS)
            step = (self.system.stiffness - apparatus.stiffness) / (eps * beta)
            errors.append(np.linalg.norm(step - exact) / np.linalg.norm(exact))
        return float(np.polyfit(np.log(ladder), np.log(errors), 1)[0])

    def homeostats(self) -> float:
        """Largest difference of the knobs at which the two hold the same stiffnesses."""
        knobs = []
        kinds: tuple[Homeostat, Homeostat] = ("ideal", "integral")
        for kind in kinds:
            apparatus = self.apparatus(homeostat=kind)
            apparatus.clamp(INPUTS)
            apparatus.nudge(TARGETS, 0.2)
            apparatus.hold()
            knobs.append(apparatus.knobs)
        return float(np.abs(knobs[0] - knobs[1]).max() / np.abs(knobs[0] - self.system.stiffness).max())
