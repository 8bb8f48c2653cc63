"""Relaxation: from a boundary to a minimum of the energy.

Methods, by size and kind (``"auto"`` picks the first that applies, and the equilibrium says which it was):

- ``"sweeps"``: exact coordinate descent, for quadratic laws with a box on the state;
- ``"fused"``: Newton with the exact Hessian, one kernel launch for the whole batch, up to thousands of components;
- ``"multigrid"``: Newton by conjugate gradients with a multigrid preconditioner, for one large sample;
- ``"newton"``: Newton with a sparse factorization, or conjugate gradients beyond its size; for large batches, also
  such whose samples share free stiffnesses, and where multigrid does not serve;
- ``"fire"``: damped dynamics, for rough landscapes and as an independent check;
- ``"petsc"``: Newton with PETSc's solvers, if petsc4py is there; never picked by itself.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from sandbox.errors import SandboxError
from sandbox.physics import holding
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium, NotConverged
from sandbox.physics.knobs import Knobs
from sandbox.physics.material import Material
from sandbox.physics.not_finite import marked
from sandbox.physics.relaxation import fire, fused, multigrid, newton, petsc, sweeps, taming
from sandbox.physics.relaxation.problem import Problem, pose
from sandbox.physics.relaxation.verdict import audited
from sandbox.physics.system import MAX_ITERATIONS, TOLERANCE
from sandbox.suggestions import did_you_mean

METHODS: dict[str, ModuleType] = {
    "fused": fused,
    "multigrid": multigrid,
    "newton": newton,
    "sweeps": sweeps,
    "fire": fire,
    "petsc": petsc,
}


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
    """Relax a material; see :meth:`sandbox.physics.system.System.relax`.

    ``max_iterations`` bounds the evaluations of Newton's methods; sweeps and FIRE, whose iterations are cheaper and
    more numerous, take a hundred times as many.
    """
    if not 0 <= tolerance < 1:
        raise SandboxError(f"the tolerance is {tolerance}; expected a part of the forces at a node, from 0 to below 1")
    if isinstance(max_iterations, bool) or not isinstance(max_iterations, (int, np.integer)) or max_iterations < 1:
        raise SandboxError(f"max_iterations is {max_iterations!r}; expected a whole number, at least 1")
    problem = pose(material, boundary, stiffness, knobs, start, tolerance, max_iterations)
    holding.check(problem)
    result = audited(taming.relax(problem, _method(method, problem).relax), tolerance)
    result = marked(problem, result).of(material, boundary)
    if throw and not result.converged.all():
        raise NotConverged(result)
    return result


def _method(name: str, problem: Problem) -> ModuleType:
    if name == "auto":
        if multigrid.suits(problem):
            return multigrid
        for method in METHODS.values():
            if method.can_relax(problem):
                return method
        raise SandboxError(
            f"no relaxation method applies to {problem.material!r} with a box on its state: coordinate sweeps need an "
            "energy that is quadratic in the state; remove the box, or add a node law that confines the state"
        )
    if name not in METHODS:
        hint = did_you_mean(name, METHODS)
        raise SandboxError(f"there is no relaxation method {name!r}; {hint}methods: auto, {', '.join(METHODS)}")
    method = METHODS[name]
    if not method.can_relax(problem):
        raise SandboxError(
            f"the method {name!r} does not apply to {problem.material!r} with {problem.batch} sample(s)"
            f"{' and free stiffnesses' if problem.knobs is not None else ''}; use method='auto'"
        )
    return method
