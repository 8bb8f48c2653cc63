"""The exact gradient of a cost of the equilibrium state: the adjoint method, the yardstick of every controller."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from sandbox.errors import NetworkError
from sandbox.physics.boundary import Boundary
from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.landscape import Landscape, Point
from sandbox.physics.material import Material
from sandbox.physics.relaxation.criteria import PIVOT_FLOOR
from sandbox.physics.relaxation.factor import Factor
from sandbox.physics.relaxation.krylov import Operator, block_jacobi, conjugate_gradients
from sandbox.physics.system import check_sensitivity

ITERATIVE_TOLERANCE = 1e-12  # of the cost gradient, where conjugate gradients solve for the adjoint state
MAX_PRODUCTS = 50_000


def adjoint_gradient(
    material: Material, equilibrium: Equilibrium, boundary: Boundary, cost_gradient: np.ndarray
) -> np.ndarray:
    """Gradient (E,) of the batch-mean cost with respect to the stiffnesses, held at those of the equilibrium.

    At equilibrium ``dE/ds = 0`` for every stiffness theta, so the state follows it by ``H ds/dtheta = -d2E/ds dtheta``
    and the cost by ``-lambda . d2E/ds dtheta`` with ``H lambda = dC/ds``: one linear solve for all stiffnesses.

    Args:
        equilibrium: minima of B samples under ``boundary``, springs included.
        cost_gradient: dC/ds of each sample, (B, N, D), in cost per unit of state; ignored on clamped components.

    Raises:
        BoundaryError: for a cost gradient of the wrong shape.
        NotConverged: if a sample is not at a minimum; there is no gradient to speak of.
        NetworkError: if the Hessian is singular.
    """
    from sandbox.physics import edge_kernel as ek
    from sandbox.physics.relaxation.problem import pose

    pull = check_sensitivity(equilibrium, cost_gradient)
    problem = pose(material, boundary, equilibrium.stiffness, None, equilibrium.state, 0.0, 1)
    landscape = Landscape(problem)
    batch, maps = problem.batch, landscape.assembly
    states = problem.start.reshape(batch, -1)
    right = np.ascontiguousarray(pull.reshape(batch, -1)[:, maps.free].T)
    total = np.zeros(len(problem.stiffness))
    if maps.n_free == 0:
        return total
    linear = _linear_solver(landscape, states, material.components) if material.is_linear else None
    fit = batch if linear else maps.samples_at_once
    for first in range(0, batch, fit):
        samples = np.arange(first, min(first + fit, batch))
        point = landscape.at(states[samples], samples)
        solve = linear or _solver(landscape, point, material.components)
        adjoint = solve(np.ascontiguousarray(right[:, samples]))
        total -= np.sum(point.pulls[ek.MIXED] * landscape.changes(point, adjoint), axis=0)
    return total / batch


def _linear_solver(landscape: Landscape, states: np.ndarray, dim: int) -> Operator:
    """One Hessian for all samples."""
    return _solver(landscape, landscape.at(states[:1], np.zeros(1, dtype=int)), dim)


def _solver(landscape: Landscape, point: Point, dim: int) -> Operator:
    """Solves with the Hessians at a point, for right-hand sides (F, A), or any number of them for one Hessian."""
    maps, hessians = landscape.assembly, landscape.hessians(point)
    if maps.direct:
        factor = Factor(maps, hessians.values, PIVOT_FLOOR * hessians.stiff)
        flat = factor.bad & ~factor.unstable
        if flat.any():
            raise NetworkError(
                f"the Hessian is singular at the equilibrium of sample {int(np.argmax(flat))}: some move of the free "
                "nodes costs no energy, so the response to the stiffnesses is not defined; look for floppy parts"
            )
        return factor.solve
    matrix = csr_array(maps.block_diagonal(hessians.values))
    jacobi = block_jacobi(maps, hessians.values, dim)

    def solve(right: np.ndarray) -> np.ndarray:
        goal = ITERATIVE_TOLERANCE * np.linalg.norm(right, axis=0)
        stiff = hessians.stiff[:, :1]
        solution = conjugate_gradients(matrix.__matmul__, jacobi.__matmul__, right, goal, stiff, MAX_PRODUCTS)
        if not solution.solved.all():
            raise NetworkError(
                "conjugate gradients did not solve for the adjoint state: the Hessian is singular, indefinite or too "
                "badly conditioned; look for floppy parts and extreme contrasts of stiffness"
            )
        return solution.x

    return solve
