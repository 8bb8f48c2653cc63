"""Starts for laws that grow out of all bounds: minima of the same energy with its curvature capped.

The exponential of a diode is infinite some hundred thermal voltages from rest, and a Newton step takes off one at a
time. With every curvature capped at a multiple of the network's stiffness at rest, the energy is finite everywhere and
Newton's method quick. The cap is raised until no edge is beyond its own: the minimum is then the true one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sandbox.physics.equilibrium import Equilibrium, Status
from sandbox.physics.laws.capped import ABOVE, BELOW, UNCAPPED, CappedLaw
from sandbox.physics.relaxation.problem import Problem

RAISE = 1e3
"""Times the cap before: a contrast that Newton's method takes in a few steps."""

MAX_RAISES = 12
"""Stages at most; the last allows curvatures of 1e36 times that at rest."""

BISECTIONS = 60
"""Halvings that find where a curvature reaches the cap: to the last digit."""

MIN_ITERATIONS = 100
"""Evaluations that must have been allowed for a relaxation that ran out of them to be tried again: who asks for a few
wants no more.
"""


def relax(problem: Problem, method: Callable[[Problem], Equilibrium]) -> Equilibrium:
    """Relax by a method; samples that fail for a law that is not quadratic are tried again from a tamed start."""
    result = method(problem)
    failed = _worth_another(problem, result)
    if not failed.any():
        return result
    start = _tamed(problem, method)
    if start is None:
        return result
    start[~failed] = result.state[~failed]
    again = method(replace(problem, start=start))
    if again.converged.sum() <= result.converged.sum():
        return result
    return replace(again, iterations=result.iterations + again.iterations)


def _worth_another(problem: Problem, result: Equilibrium) -> np.ndarray:
    law = problem.material.law
    if law.is_quadratic or problem.material.box is not None:
        return np.zeros(problem.batch, dtype=bool)
    failed = (result.status == Status.NOT_FINITE) | (result.status == Status.STALLED)
    if problem.max_iterations >= MIN_ITERATIONS:
        failed |= result.status == Status.OUT_OF_ITERATIONS
    return failed


def _tamed(problem: Problem, method: Callable[[Problem], Equilibrium]) -> np.ndarray | None:
    """The minimum of the energy with capped curvatures, (B, N, D); None where there is no scale to cap them at."""
    material = problem.material
    capped = CappedLaw.of(material.law)
    at_rest = material.measure_edges(material.rest_state()[None])[0]
    with np.errstate(all="ignore"):
        curvature = _curvature(problem, at_rest)
    tame = curvature[np.isfinite(curvature) & (curvature > 0)]
    if len(tame) == 0:
        return None
    cap, state = float(tame.max()), problem.start.copy()
    far = 2.0 * float(np.abs(material.measure_edges(state) - at_rest).max(initial=0.0)) + np.abs(at_rest)
    for _ in range(MAX_RAISES):
        cap *= RAISE
        below, above = (_reach(problem, at_rest, side * far, cap) for side in (-1.0, 1.0))
        parameters = {material.law.stiffness: problem.stiffness, BELOW: below, ABOVE: above}
        softer = material.with_law(capped, parameters)
        found = method(replace(problem, material=softer, knobs=None, start=state))
        if not np.isfinite(found.state).all():
            return None
        state = found.state
        v = softer.measure_edges(state)
        if bool(((v >= below) & (v <= above)).all()):
            break
    return state


def _curvature(problem: Problem, v: np.ndarray) -> np.ndarray:
    material = problem.material
    return material.law.on_numpy(v, problem.stiffness, *(material.parameters[n] for n in material.law.fixed))[2]


def _reach(problem: Problem, at_rest: np.ndarray, far: np.ndarray, cap: float) -> np.ndarray:
    """(E,) where, on the way from rest to ``far`` beyond it, the curvature of each edge reaches the cap."""
    near, beyond = np.zeros_like(far), far.copy()
    with np.errstate(all="ignore"):
        wild = ~(_curvature(problem, at_rest + far) <= cap)
        for _ in range(BISECTIONS):
            middle = 0.5 * (near + beyond)
            calm = _curvature(problem, at_rest + middle) <= cap
            near, beyond = np.where(calm, middle, near), np.where(calm, beyond, middle)
    return np.where(wild, at_rest + near, np.copysign(UNCAPPED, far))
