"""Verdicts held against what was asked: no sample is called converged with a residual above the tolerance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sandbox.physics.equilibrium import Equilibrium, Status

ROUNDING = 1e-9
"""Relative: by how much a residual may exceed the tolerance because the two were compared in another order."""


def audited(result: Equilibrium, tolerance: float) -> Equilibrium:
    """Return the result; a sample that is called converged with a residual above the tolerance is called imprecise."""
    broken = result.converged & ~(result.residual <= (1.0 + ROUNDING) * tolerance)
    if not broken.any():
        return result
    return replace(result, status=np.where(broken, Status.IMPRECISE, result.status))
