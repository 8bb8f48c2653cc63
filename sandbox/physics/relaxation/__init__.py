"""Relaxation: from a boundary to a minimum of the energy.

Methods, by size and kind (``"auto"`` picks the first that applies, and the equilibrium says which it was):

- ``"sweeps"``: exact coordinate descent, for quadratic laws with a box on the state;
- ``"fused"``: Newton with the exact Hessian, one kernel launch for the whole batch, up to thousands of components;
- ``"newton"``: Newton with a sparse factorization, or conjugate gradients beyond its size; also for batches whose
  samples share free stiffnesses;
- ``"fire"``: damped dynamics, for rough landscapes and as an independent check.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

import numpy as np

from sandbox.errors import SandboxError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, NotConverged
from sandbox.physics.knobs import Knobs
from sandbox.physics.material import Material
from sandbox.physics.relaxation import fused
from sandbox.physics.relaxation.problem import Problem, pose
from sandbox.physics.system import MAX_ITERATIONS, TOLERANCE


def relax(
    material: Material,
    boundary: Boundary,
    stiffness: np.ndarray | None = None,
    *,
    knobs: Knobs | None = None,
    start: np.ndarray | None = None,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    method: str = "auto",
    throw: bool = True,
) -> Equilibrium:
    """Relax a material; see :meth:`sandbox.physics.system.System.relax`."""
    problem = pose(material, boundary, stiffness, knobs, start, tolerance, max_iterations)
    result = fused.relax(problem)
    if throw and not result.converged.all():
        raise NotConverged(result)
    return result
