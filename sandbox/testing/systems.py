"""What is asked of a system: of its energy, of its relaxation, and of how it learns.

Everything goes through the protocol :class:`sandbox.physics.system.System` and the bench, so that a system with its own
relaxation is checked as one made of edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from sandbox.apparatus import Apparatus
from sandbox.bench import Bench
from sandbox.errors import SandboxError
from sandbox.parts import SystemPart
from sandbox.physics.knobs import Knobs
from sandbox.physics.material import Material
from sandbox.physics.system import System, relaxes_jointly
from sandbox.testing.law import check_law
from sandbox.testing.setting import TOLERANCE, Setting
from sandbox.validation.check import ROUNDING, Check, largest

FINITE_DIFFERENCES = 1e-5
"""What a derivative may differ from a central difference, relative to its norm; a wrong factor or sign is far above."""

STEP = 1e-4
"""Of the central differences, relative to the mean size of a stiffness."""

SAME = 1e-7
"""What two relaxations to the same minimum may differ, relative to the range of the states."""

ROUND_OFF = 1e-11
"""What may pass for no rise, relative to max|F|/(beta_2 - beta_1): an energy is a sum of hundreds of terms."""

STEPS = 20


def law(part: SystemPart) -> Iterator[Check]:
    """Of a material: the derivatives of its law, at the variables of its edges at rest and under the samples."""
    setting = Setting(part)
    system = setting.system
    if not isinstance(system, Material):
        return
    state = system.relax(setting.boundary(setting.inputs), tolerance=TOLERANCE).state
    v = np.concatenate([system.measure_edges(state), system.measure_edges(system.rest_state()[None])])
    smooth = np.abs(v) > 1e-3 * np.abs(v).max()  # at 0 a law may be rounded off over less than a step
    if not smooth.any():
        raise SandboxError(
            f"its edges have no variable at which the law could be measured: the largest is {np.abs(v).max()}"
        )
    parameters = {name: np.broadcast_to(system.parameters[name], v.shape)[smooth] for name in system.law.parameters}
    yield from check_law(system.law, v[smooth], parameters.pop(system.law.stiffness), parameters)


def minimum(part: SystemPart) -> Iterator[Check]:
    """Whether relaxations end at a minimum: holding any component elsewhere costs energy."""
    setting = Setting(part)
    system, boundary = setting.system, setting.boundary(setting.inputs)
    rest = system.relax(boundary, tolerance=TOLERANCE, throw=False)
    yield Check("minimum", "samples that did not converge", float((~rest.converged).sum()), 0.0)
    numbers = (rest.state, rest.energy, rest.stiffness, np.asarray(rest.stiffness_force))
    wild = sum(int((~np.isfinite(n)).sum()) for n in numbers)
    yield Check("minimum", "numbers of the equilibrium that are not finite", float(wild), 0.0)
    held = boundary.clamped & ~np.isnan(boundary.values[0])
    off = np.where(held, np.abs(rest.state - boundary.values), 0.0).max(initial=0.0)
    reach = float(np.abs(boundary.values[:, held]).max(initial=0.0))
    yield Check("minimum", "clamped components off their values", float(off), ROUNDING * reach)
    # Between the state of one sample and that of another: inside any box that the states keep.
    other = np.roll(rest.state, 1, axis=0)
    size = float(np.abs(rest.energy).max()) or 1.0
    falls = []
    free = np.argwhere(~boundary.clamped & (np.ptp(rest.state, axis=0) > 0))
    for node, component in setting.rng.permutation(free)[:6]:
        values = rest.state[:, node, component] + 0.1 * (other - rest.state)[:, node, component]
        aside = boundary.clamp([node], values[:, None], [component])
        fixed = system.relax(aside, start=rest.state, tolerance=TOLERANCE, throw=False)
        falls.append(float((rest.energy - fixed.energy).max()) / size)
    yield Check("minimum", "energy gained by holding a component elsewhere, relative", largest(falls), 1e-10)


def derivatives(part: SystemPart) -> Iterator[Check]:
    """The force on the stiffnesses, and the exact gradient of a loss, against finite differences."""
    setting = Setting(part)
    system, theta = setting.system, setting.system.stiffness
    h = STEP * float(np.abs(theta).mean())
    one = setting.inputs[:1]
    force = np.asarray(system.relax(setting.boundary(one), tolerance=TOLERANCE).stiffness_force)
    apparatus = setting.apparatus(one)
    gradient = apparatus.loss_gradient(setting.targets[:1])

    def loss(stiffness: np.ndarray) -> float:
        state = system.relax(setting.boundary(one), stiffness, tolerance=TOLERANCE).state
        return float(0.5 * ((setting.terminals[1].read(system, state) - setting.targets[:1]) ** 2).sum())

    for name, exact, value in (("force on the stiffnesses", force, setting.energy), ("gradient", gradient, loss)):
        size = float(np.linalg.norm(exact)) or 1.0
        yield Check("derivatives", f"{name} against finite differences", _error(setting, exact, value, h) / size,
                    FINITE_DIFFERENCES)  # fmt: skip


def _error(setting: Setting, exact: np.ndarray, value: Callable[[np.ndarray], float], h: float) -> float:
    theta, errors = setting.system.stiffness, []
    for direction in setting.directions:
        slope = (value(theta + h * direction) - value(theta - h * direction)) / (2 * h)
        errors.append(abs(slope - float(exact @ direction)))
    return largest(errors)


def batch(part: SystemPart) -> Iterator[Check]:
    """Samples of a batch do not know of each other; the same question has the same answer."""
    setting = Setting(part)
    system, boundary = setting.system, setting.boundary(setting.inputs)
    theta = system.stiffness.copy()
    together = system.relax(boundary, theta, tolerance=TOLERANCE)
    size = float(np.ptp(together.state)) or 1.0
    alone = [system.relax(boundary.sample(b), tolerance=TOLERANCE) for b in range(boundary.batch)]
    apart = largest(float(np.abs(together.state[b] - one.state[0]).max()) for b, one in enumerate(alone))
    yield Check("batch", "a batch against its samples one by one, relative", apart / size, SAME)
    force = np.mean([np.asarray(one.stiffness_force) for one in alone], axis=0)
    gap = float(np.abs(force - np.asarray(together.stiffness_force)).max(initial=0.0))
    strength = float(np.abs(force).max(initial=0.0)) or 1.0
    yield Check("batch", "force on the stiffnesses against its mean over samples", gap / strength, SAME)
    again = system.relax(boundary, theta, tolerance=TOLERANCE)
    drifts = (
        float(np.abs(other - one).max(initial=0.0)) / (float(np.abs(one).max(initial=0.0)) or 1.0)
        for one, other in ((together.state, again.state), (together.energy, again.energy))
    )
    yield Check("batch", "numbers that differ when relaxed again, relative", largest(drifts), ROUNDING)
    yield Check("batch", "arguments that were changed", float(not np.array_equal(theta, system.stiffness)), 0.0)


def bounds(part: SystemPart) -> Iterator[Check]:
    """Stiffnesses let go keep to their bounds, wherever their knobs are; those of no compliance stay."""
    setting = Setting(part)
    system, boundary = setting.system, setting.boundary(setting.inputs[:1])
    theta, (low, high) = system.stiffness, system.bounds
    force = np.asarray(system.relax(boundary, tolerance=TOLERANCE).stiffness_force)
    compliance = _compliance(theta, force) * (np.arange(len(theta)) % 2)
    size = float(np.abs(theta).max())
    for side, beyond in (("below", np.where(np.isfinite(low), low - size, theta)),
                         ("above", np.where(np.isfinite(high), high + size, 1.1 * theta))):  # fmt: skip
        knobs = Knobs(np.where(compliance > 0, beyond, theta), compliance)
        rest = system.relax(boundary, theta, knobs=knobs, tolerance=TOLERANCE, throw=False)
        outside = float(np.maximum(low - rest.stiffness, rest.stiffness - high).max(initial=0.0))
        yield Check("bounds", f"how far stiffnesses leave their bounds, knobs {side}", outside, 1e-12 * size)
        stayed = compliance == 0
        moved = float(np.abs((rest.stiffness - theta)[stayed]).max(initial=0.0))
        yield Check("bounds", f"how far stiffnesses of no compliance move, knobs {side}", moved, ROUNDING * size)


def learning(part: SystemPart) -> Iterator[Check]:
    """AEqprop on the system: held stiffnesses stay when let go, and its Lyapunov function never rises."""
    setting = Setting(part)
    if not relaxes_jointly(setting.system):
        return
    inputs, targets = setting.inputs[:1], setting.targets[:1]
    theta = setting.system.stiffness
    probe = setting.apparatus(inputs)
    force = np.asarray(probe.settle().stiffness_force)
    compliance, beta = _compliance(theta, force), _softness(setting)
    apparatus, drift, (rises, first, last) = _learn(setting, targets, compliance, beta)
    for _ in range(7):
        if apparatus.meter.unstable == 0:
            break
        compliance /= 4  # nothing is promised beyond the limit of convexity
        apparatus, drift, (rises, first, last) = _learn(setting, targets, compliance, beta)
    yield Check("learning", "how far held stiffnesses move when let go, relative", drift, 1e-8)
    yield Check("learning", "phases beyond the limit of convexity", float(apparatus.meter.unstable), 0.0)
    yield Check("learning", f"rises of the Lyapunov function in {STEPS} steps", rises, 0.0)
    yield Check("learning", "what they lowered it to, relative to before", last / first if first else 1.0, 0.9999)


def _learn(
    setting: Setting, targets: np.ndarray, compliance: float, beta: float
) -> tuple[Apparatus, float, tuple[float, float, float]]:
    """The apparatus after learning, how far held stiffnesses moved when let go before it, and what `_descend` says."""
    theta = setting.system.stiffness
    apparatus = setting.apparatus(setting.inputs[:1], compliance)
    apparatus.hold()
    apparatus.release()
    drift = float(np.abs(apparatus.stiffness - theta).max() / np.abs(theta).max())
    return apparatus, drift, _descend(setting, apparatus, targets, beta)


def _descend(setting: Setting, apparatus: Apparatus, targets: np.ndarray, beta: float) -> tuple[float, float, float]:
    """Number of rises, and the Lyapunov function before and after."""
    bench, system = Bench(apparatus), setting.system
    before = first = _level(setting, system, apparatus.stiffness, targets, beta)[0]
    rises = 0
    for _ in range(STEPS):
        bench.clamp(setting.inputs[:1])
        bench.nudge(targets, -beta / 2)
        bench.hold()
        bench.nudge(targets, beta / 2)
        bench.release()
        after, slack = _level(setting, system, apparatus.stiffness, targets, beta)
        rises += not after <= before + slack  # so that one that is no number counts
        before = after
    return float(rises), first, before


def _level(
    setting: Setting, system: System, stiffness: np.ndarray, targets: np.ndarray, beta: float
) -> tuple[float, float]:
    """(F(beta/2) - F(-beta/2))/beta at held stiffnesses, and its round-off."""
    probe = setting.apparatus(setting.inputs[:1])
    energies = []
    for b in (-beta / 2, beta / 2):
        probe.nudge(targets, b)
        rest = system.relax(probe.boundary, stiffness, tolerance=TOLERANCE)
        energies.append(float(rest.energy[0]))
    return (energies[1] - energies[0]) / beta, ROUND_OFF * max(map(abs, energies)) / beta


def _compliance(theta: np.ndarray, force: np.ndarray) -> float:
    """At which the force moves stiffnesses by a twentieth of their size."""
    return 0.05 * float(np.abs(theta).mean()) / (float(np.abs(force).max(initial=0.0)) or 1.0)


def _softness(setting: Setting) -> float:
    """A nudging strength: half the stiffness that the system opposes at its outputs."""
    probe = setting.apparatus(setting.inputs[:1])
    free = probe.read()
    probe.nudge(setting.targets[:1], 1.0)
    nudged = probe.read()
    moved = float(np.abs(nudged - free).max()) or 1e-300
    return 0.5 * float(np.abs(setting.targets[:1] - nudged).max()) / moved


ASPECTS: Mapping[str, Callable[[SystemPart], Iterator[Check]]] = {
    "law": law,
    "minimum": minimum,
    "derivatives": derivatives,
    "batch": batch,
    "bounds": bounds,
    "learning": learning,
}
