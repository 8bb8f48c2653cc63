"""Method ``"petsc"``: Newton whose linear systems PETSc solves, by conjugate gradients with algebraic multigrid.

For networks beyond one machine's memory PETSc is what takes over (docs/scale.md); here, in one process, it is the same
method in small, and a check by a library that shares no code with ours. It is never picked by ``"auto"``, and needs
petsc4py. Preconditioners are a choice: ``PETSC_OPTIONS="-sandbox_pc_type hypre"``, say, for a PETSc built with hypre.

Sources: Balay et al., PETSc/TAO Users Manual, ANL-21/39; the multigrid is its GAMG, smoothed aggregation (Vanek, Mandel
and Brezina, Computing 56 (1996) 179) with the rigid motions of the nodes as near-null space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from sandbox.errors import SandboxError
from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.landscape import Hessians, Landscape, Point
from sandbox.physics.relaxation import newton
from sandbox.physics.relaxation.criteria import HIGH_CONTRAST
from sandbox.physics.relaxation.directions import Directions
from sandbox.physics.relaxation.iterative import (
    FARTHEST,
    FORCING,
    Forcing,
    judge_probe,
    majorant,
    probe,
    telling,
    truncated,
)
from sandbox.physics.rigid_motions import rigid_basis

if TYPE_CHECKING:
    from sandbox.physics.relaxation.problem import Problem

PREFIX = "sandbox_"
"""Of this method's options among PETSc's."""

MAX_PRODUCTS = 2_000
"""With the Hessian in one solve, after which our own conjugate gradients go on."""


def can_relax(problem: Problem) -> bool:
    """Whether the method applies: no box on the state, and no free stiffnesses that samples share."""
    held = problem.knobs is None or not problem.knobs.compliance.any()
    return problem.material.box is None and (held or problem.batch == 1)


def relax(problem: Problem) -> Equilibrium:
    """Relax the samples one by one.

    Raises:
        SandboxError: if there is no petsc4py.
    """
    petsc = library()
    parts = [newton.part(problem, n, n + 1) for n in range(problem.batch)]
    return newton.joined([_Descent(part, petsc).run() for part in parts])


def library() -> Any:
    """PETSc, initialized with signals left to the sandbox.

    Raises:
        SandboxError: naming the extra, if it is not there or not built for this Python and NumPy.
    """
    try:
        import petsc4py  # pyright: ignore[reportMissingImports]

        # A .petscrc of the working folder, which may be a stranger's, could have it load a library.
        petsc4py.init(["sandbox", "-no_signal_handler", "-skip_petscrc"])
        from petsc4py import PETSc  # pyright: ignore[reportMissingImports]
    except (ImportError, ValueError) as error:  # ValueError: built for another NumPy
        raise SandboxError(
            f"the method 'petsc' needs petsc4py, which cannot be imported here ({error}); install the extra: "
            "pip install 'matter-sandbox[petsc]', which builds PETSc from source, or see docs/scale.md; "
            "method='auto' does without"
        ) from error
    if np.dtype(PETSc.ScalarType) != np.float64:
        raise SandboxError(f"the method 'petsc' needs a PETSc of real double numbers; this one has {PETSc.ScalarType}")
    return PETSc


class _Descent(newton.Descent):
    method = "petsc"

    def __init__(self, problem: Problem, petsc: Any) -> None:
        landscape = Landscape(problem)
        quadratic = problem.material.is_linear and (problem.knobs is None or not problem.knobs.compliance.any())
        self._multigrid = Multigrid(petsc, problem, landscape, quadratic)
        super().__init__(problem, landscape, self._multigrid, coupled=False)

    def run(self) -> Equilibrium:
        try:
            return super().run()
        finally:
            self._multigrid.free()


class Multigrid:
    """Newton directions of one sample by PETSc.

    The Hessian H is PETSc's matrix, and the multigrid is made of H with its negative blocks lifted to zero. Where
    PETSc says that H is indefinite, and at stationary points, our own conjugate gradients look for the direction of
    negative curvature with the same two.

    PETSc's objects are destroyed by hand: petsc4py leaves what Python collects until it is told, on all processes at
    once.
    """

    def __init__(self, petsc: Any, problem: Problem, landscape: Landscape, quadratic: bool) -> None:
        self._petsc, self._landscape, self._quadratic = petsc, landscape, quadratic
        self._rows = Rows(problem, landscape)
        self._kept: tuple[Hessians, Any] | None = None
        self._forcing = Forcing(FORCING[1])
        self._right, self._x = (petsc.Vec().createSeq(self._rows.size) for _ in range(2))

    def free(self) -> None:
        """Destroy what PETSc holds."""
        self._drop()
        for vector in (self._right, self._x):
            vector.destroy()

    def _drop(self) -> None:
        if self._kept is not None:
            solver, self._kept = self._kept[1], None
            matrices = solver.getOperators()
            for thing in (solver, *matrices):
                thing.destroy()

    def find(self, point: Point, small: np.ndarray, allowed: np.ndarray, coarse: np.ndarray) -> Directions:
        if self._kept is None or not self._quadratic:
            hessian = self._landscape.hessians(point)
            self._drop()
            self._kept = hessian, self._solver(hessian)
        hessian, solver = self._kept
        found, stiff = Directions.none(point), hessian.stiff
        matrix, cycle = self._operator(solver.getOperators()[0].mult), self._operator(solver.getPC().apply)
        least = allowed.min(axis=0, initial=np.inf)
        if small[0]:
            solution = probe(matrix, cycle, len(point.gradient), stiff, hessian.excess is None)
            judge_probe(found, solution, small, solution.direction, stiff)
            found.lowest = solution.lowest
            uneven = self._landscape.contrast(point, stiff) > HIGH_CONTRAST
            if (coarse[0] or uneven) and not solution.negative[0]:
                goal = telling(self._landscape, point, least)
                left = truncated(matrix, cycle, point.gradient, goal, stiff)
                found.move, found.left = -left.x, small & ~left.negative
            return found
        size = np.linalg.norm(point.gradient, axis=0)
        goal = np.maximum(0.1 * least, FARTHEST * size)
        if not self._quadratic:
            goal = np.maximum(goal, self._forcing.tolerance(size))
        solver.setTolerances(rtol=1e-300, atol=float(goal[0]), divtol=1e300, max_it=MAX_PRODUCTS)
        self._right.setArray(self._rows.filled(point.gradient))
        self._x.set(0.0)
        solver.solve(self._right, self._x)
        if solver.getConvergedReason() > 0:
            found.move, found.lowest[:] = -self._rows.values(self._x), np.inf
            return found
        solution = truncated(matrix, cycle, point.gradient, goal, stiff)
        found.move, found.lowest, found.indefinite = -solution.x, solution.lowest, solution.negative
        return found

    def _solver(self, hessian: Hessians) -> Any:
        petsc, rows = self._petsc, self._rows
        unit = float(hessian.stiff.max())
        true = rows.matrix(petsc, hessian.values, unit)
        lifted = true if hessian.excess is None else rows.matrix(petsc, majorant(hessian), unit)
        basis = [petsc.Vec().createWithArray(v, comm=petsc.COMM_SELF) for v in orthonormal(rows.motions)]
        soft = petsc.NullSpace().create(vectors=basis, comm=petsc.COMM_SELF)
        lifted.setNearNullSpace(soft)
        for thing in (soft, *basis):
            thing.destroy()
        solver = petsc.KSP().create(petsc.COMM_SELF)
        solver.setOptionsPrefix(PREFIX)
        solver.setType("cg")
        solver.setNormType(petsc.KSP.NormType.UNPRECONDITIONED)
        solver.getPC().setType("gamg")
        solver.setOperators(true, lifted)
        solver.setFromOptions()
        solver.setUp()
        return solver

    def _operator(self, apply: Any) -> Any:
        """A map between PETSc's vectors as one of arrays (F, 1)."""
        rows = self._rows

        def on_arrays(values: np.ndarray) -> np.ndarray:
            self._right.setArray(rows.filled(values))
            apply(self._right, self._x)
            return rows.values(self._x)

        return on_arrays


class Rows:
    """Where the free components are in PETSc's matrix: whole nodes, clamped components among them as unit rows.

    Attributes:
        size: n*D.
        place: (F,) row of each free component.
        motions: (K, n*D) rigid motions of all the nodes, or shifts of the values of a flow network.
    """

    def __init__(self, problem: Problem, landscape: Landscape) -> None:
        self._assembly, self._dim = landscape.assembly, problem.material.components
        node, component = np.divmod(self._assembly.free, self._dim)
        nodes, slot = np.unique(node, return_inverse=True)
        self.place = slot * self._dim + component
        self.size = len(nodes) * self._dim
        self._idle = np.setdiff1d(np.arange(self.size), self.place)
        self.motions = np.ones((1, self.size))
        if self._dim > 1:
            basis = rigid_basis(problem.material.network.positions[nodes], np.zeros(len(nodes), dtype=int))
            self.motions = basis.reshape(len(basis), self.size)
        self.motions[:, self._idle] = 0.0

    def matrix(self, petsc: Any, values: np.ndarray, unit: float) -> Any:
        """The Hessian (entries, 1), with ``unit`` on the diagonal of clamped components."""
        maps = self._assembly
        column = np.repeat(np.arange(maps.n_free), np.diff(maps.indptr))
        rows = np.concatenate([self.place[maps.indices], self._idle])
        columns = np.concatenate([self.place[column], self._idle])
        entries = np.concatenate([values[:, 0], np.full(len(self._idle), unit)])
        whole = csr_array(coo_array((entries, (rows, columns)), shape=(self.size, self.size)))
        whole.sort_indices()
        csr = whole.indptr.astype(petsc.IntType), whole.indices.astype(petsc.IntType), whole.data
        matrix = petsc.Mat().createAIJ((self.size, self.size), bsize=self._dim, csr=csr, comm=petsc.COMM_SELF)
        matrix.setOption(petsc.Mat.Option.SYMMETRIC, True)
        return matrix

    def filled(self, values: np.ndarray) -> np.ndarray:
        """(n*D,) the values (F, 1) of the free components in their rows, zero in the others."""
        array = np.zeros(self.size)
        array[self.place] = values[:, 0]
        return array

    def values(self, vector: Any) -> np.ndarray:
        """(F, 1) values of the free components in a vector."""
        return vector.getArray(readonly=True)[self.place, None]


def orthonormal(motions: np.ndarray) -> list[np.ndarray]:
    """Motions (K, n*D) made orthonormal; those that depend on the others, but for round-off, are left out."""
    kept: list[np.ndarray] = []
    for motion in motions:
        left = motion.copy()
        for _ in range(2):
            for other in kept:
                left -= (left @ other) * other
        if np.linalg.norm(left) > 1e-10 * np.linalg.norm(motion):
            kept.append(left / np.linalg.norm(left))
    return kept
