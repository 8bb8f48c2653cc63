"""Linear solvers for symmetric positive definite matrices, as packages offer them, with one face.

Each is made from a matrix (set-up: analysis and factorization, or a hierarchy), ``solve``s, and takes another matrix of
the same pattern with ``renew``, keeping what it can.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix, diags_array, tril
from scipy.sparse.linalg import cg, splu

from benchmarks.timing import module

ACCURACY = 1e-10
"""Relative residual that iterative solvers stop at."""


class Solver(Protocol):
    """A solver made from a matrix."""

    def __init__(self, matrix: csc_array) -> None: ...

    def renew(self, matrix: csc_array) -> None: ...

    def solve(self, right: np.ndarray) -> np.ndarray: ...


class _Fresh:
    """A solver that keeps nothing from one matrix to the next."""

    def __init__(self, matrix: csc_array) -> None:
        self.set_up(matrix)

    def renew(self, matrix: csc_array) -> None:
        self.set_up(matrix)

    def set_up(self, matrix: csc_array) -> None:
        raise NotImplementedError


class SuperLU(_Fresh):
    """SciPy's SuperLU with the ordering and pivoting for symmetric matrices."""

    def set_up(self, matrix: csc_array) -> None:
        options = {"SymmetricMode": True}
        self.factor = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)

    def solve(self, right: np.ndarray) -> np.ndarray:
        return self.factor.solve(right)


class Jacobi(_Fresh):
    """SciPy's conjugate gradients, preconditioned by the diagonal."""

    def set_up(self, matrix: csc_array) -> None:
        self.matrix, self.inverse = csr_array(matrix), diags_array(1.0 / matrix.diagonal()).tocsr()

    def solve(self, right: np.ndarray) -> np.ndarray:
        x, failed = cg(self.matrix, right, rtol=ACCURACY, atol=0.0, M=self.inverse, maxiter=100_000)
        if failed:
            raise RuntimeError(f"conjugate gradients did not converge: {failed}")
        return x


class Pyamg(_Fresh):
    """pyamg's smoothed aggregation as a preconditioner of conjugate gradients."""

    def set_up(self, matrix: csc_array) -> None:
        self.levels = module("pyamg").smoothed_aggregation_solver(csr_matrix(matrix), max_coarse=500)

    def solve(self, right: np.ndarray) -> np.ndarray:
        return self.levels.solve(right, tol=ACCURACY, accel="cg", maxiter=200)


class Cholespy(_Fresh):
    """CHOLMOD's simplicial factorization as cholespy packs it, one right-hand side."""

    def set_up(self, matrix: csc_array) -> None:
        cholespy = module("cholespy")
        kind = cholespy.MatrixType.CSC
        self.factor = cholespy.CholeskySolverD(matrix.shape[0], matrix.indptr, matrix.indices, matrix.data, kind)

    def solve(self, right: np.ndarray) -> np.ndarray:
        x = np.zeros_like(right)
        self.factor.solve(right, x)
        return x


class Cholmod:
    """SuiteSparse's CHOLMOD through scikit-sparse: supernodal where that pays, analysis kept."""

    def __init__(self, matrix: csc_array) -> None:
        self.factor: Any = module("sksparse.cholmod").cholesky(csc_matrix(matrix))

    def renew(self, matrix: csc_array) -> None:
        self.factor.cholesky_inplace(csc_matrix(matrix))

    def solve(self, right: np.ndarray) -> np.ndarray:
        return self.factor(right)


class Pardiso:
    """MKL's Pardiso through pypardiso, as symmetric positive definite: analysis kept, factorization renewed."""

    def __init__(self, matrix: csc_array) -> None:
        pypardiso = module("pypardiso")
        module("pypardiso.pardiso_wrapper")
        self.solver: Any = pypardiso.PyPardisoSolver(mtype=2)
        self._take(matrix)
        self._call(12)

    def renew(self, matrix: csc_array) -> None:
        self._take(matrix)
        self._call(22)

    def solve(self, right: np.ndarray) -> np.ndarray:
        self.solver.set_phase(33)
        return self.solver._call_pardiso(self.upper, right)

    def _take(self, matrix: csc_array) -> None:
        # The lower triangle by columns is the upper one by rows.
        lower = csc_array(tril(matrix, format="csc"))
        lower.sort_indices()
        self.upper = csr_matrix((lower.data, lower.indices, lower.indptr), shape=lower.shape)

    def _call(self, phase: int) -> None:
        self.solver.set_phase(phase)
        self.solver._call_pardiso(self.upper, np.zeros(self.upper.shape[0]))

    def __del__(self) -> None:
        if hasattr(self, "solver"):
            self.solver.free_memory(everything=True)


class TaichiLLT:
    """Taichi's SparseSolver, LLT in AMD order; the matrix is built by its own kernel, which counts."""

    def __init__(self, matrix: csc_array) -> None:
        from sandbox.physics import runtime

        runtime.start()
        self.ti: Any = module("taichi")
        self.solver = self.ti.linalg.SparseSolver(dtype=self.ti.f64, solver_type="LLT", ordering="AMD")
        self.built = self._build(matrix)
        self.solver.analyze_pattern(self.built)
        self.solver.factorize(self.built)

    def renew(self, matrix: csc_array) -> None:
        self.built = self._build(matrix)
        self.solver.factorize(self.built)

    def solve(self, right: np.ndarray) -> np.ndarray:
        b = self.ti.ndarray(self.ti.f64, len(right))
        b.from_numpy(right)
        return self.solver.solve(b).to_numpy()

    def _build(self, matrix: csc_array) -> Any:
        from benchmarks.taichi_fill import fill

        builder = self.ti.linalg.SparseMatrixBuilder(*matrix.shape, max_num_triplets=matrix.nnz, dtype=self.ti.f64)
        entries = matrix.tocoo()
        fill(entries.row.astype(np.int32), entries.col.astype(np.int32), entries.data, builder)
        return builder.build()
