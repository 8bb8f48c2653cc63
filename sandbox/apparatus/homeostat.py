"""What holds stiffnesses where they are: a servo that sees only them; and whether what is held is a minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from sandbox.errors import SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.knobs import Coupling, Knobs
from sandbox.physics.system import System

Homeostat = Literal["ideal", "integral"]

INTEGRAL_GAIN = 0.7
"""Part of the drift that the integral homeostat takes back at a time. The response of a stiffness to its knob is
1/(1 - rho) >= 1, rho < 1 measuring how near the joint energy is to losing convexity; when drift grows the gain is
halved."""

INTEGRAL_ROUNDS = 2000

LOOK_TOLERANCE = 1e-6
"""On the force when the curvature of the joint energy is looked at. The state has come to rest before, to this, or to
the tolerance of relaxations if that is wider."""

INWARD = 1e-3 * LOOK_TOLERANCE
"""How far inside its bounds a stiffness at a bound is looked at, in units of the largest stiffness. The joint energy
has a kink there, and rounding would decide on which side of it the look falls."""


class Unsettled(SandboxError):  # noqa: N818 (it names an outcome, as NotConverged does)
    """An integral homeostat that did not come to rest."""


def hold_by_integral_control(
    relax: Callable[[np.ndarray], Equilibrium],
    wanted: np.ndarray,
    knobs: np.ndarray,
    coupling: Coupling,
    tolerance: float,
) -> Equilibrium:
    """Move each knob by the drift it must cancel, using readings of the stiffnesses only.

    A stiffness that its knob presses against a bound does not drift; its knob is left where it is.

    Args:
        relax: puts the knobs, (P,), where they are to be, and lets stiffnesses and state relax together.
        wanted: (P,), where the stiffnesses are to be held.
        knobs: (P,), where the knobs are.
        coupling: of knobs and stiffnesses.
        tolerance: of the drift, relative to the largest stiffness.

    Returns:
        The rest under the knobs that hold the stiffnesses, which were the last that were put.

    Raises:
        Unsettled: if they drift still after :data:`INTEGRAL_ROUNDS`.
    """
    gain, last = INTEGRAL_GAIN, np.inf
    for _ in range(INTEGRAL_ROUNDS):
        rest = relax(knobs)
        drift = rest.stiffness - wanted
        size = float(np.abs(drift).max(initial=0.0))
        if size <= tolerance * float(np.abs(wanted).max(initial=0.0)):
            return rest
        if size > last:
            gain /= 2
        last = size
        knobs = knobs * (wanted / rest.stiffness) ** gain if coupling == "log" else knobs - gain * drift
    raise Unsettled(
        f"the integral homeostat did not settle in {INTEGRAL_ROUNDS} rounds (drift {last:.2e}); "
        "lower the compliance, or use homeostat = 'ideal'"
    )


def look(
    system: System,
    boundary: Boundary,
    rest: Equilibrium,
    stiffness: np.ndarray,
    knobs: Knobs,
    bounds: tuple[np.ndarray, np.ndarray] | None,
    tolerance: float,
) -> Equilibrium:
    """One look, no iteration, at the joint energy of a state at rest and the stiffnesses that are held there.

    An ideal servo can also hold what would slip away from its knobs; descent is promised for minima only.

    Args:
        stiffness, knobs: (P,) stiffnesses, and the knobs that hold them.
        bounds: lowest and highest stiffnesses, (P,) each; ``None`` if there are none.
        tolerance: of the relaxation that ended at the rest.

    Returns:
        Converged where they are at a minimum.
    """
    if bounds is not None:
        low, high = bounds
        size = INWARD * float(np.abs(stiffness).max(initial=0.0))
        inward = size * ((stiffness <= low).astype(float) - (stiffness >= high))
        knobs = replace(knobs, values=knobs.values + inward) if inward.any() else knobs
    return system.relax(
        boundary,
        stiffness,
        knobs=knobs,
        start=rest.state,
        tolerance=max(LOOK_TOLERANCE, tolerance),
        max_iterations=1,
        throw=False,
    )
