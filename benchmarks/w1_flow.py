"""W1: pressures of a linear flow network, cold and again with other conductances."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

import sandbox
from benchmarks import solvers
from benchmarks.graphs import Flow, flow
from benchmarks.timing import Case, Contestant, Phase
from benchmarks.workload import Workload
from sandbox.physics.laws import CONDUCTANCE

TOLERANCE = 1e-10
"""On the force, relative to the largest flow."""


def _project(case: Case) -> Mapping[str, Phase]:
    data: Flow = case.data[0]
    n = data.network.n_nodes
    clamped = np.flatnonzero(data.clamped)
    boundary = sandbox.Boundary.free(n, 1).clamp(clamped, data.values[clamped])

    def material() -> sandbox.Material:
        return sandbox.Material(data.network, CONDUCTANCE, {"k": data.k})

    def solve(matter: sandbox.Material, k: np.ndarray) -> np.ndarray:
        rest = matter.relax(boundary, k, tolerance=TOLERANCE)
        return rest.state[0, ~data.clamped, 0]

    kept = material()

    def again() -> np.ndarray:
        solve(kept, data.k)
        return solve(kept, data.k_new)

    again()
    return {"cold": Phase(lambda: solve(material(), data.k)), "again": Phase(again, units=2)}


def _peer(kind: type[solvers.Solver]) -> Callable[[Case], Mapping[str, Phase]]:
    def prepare(case: Case) -> Mapping[str, Phase]:
        _, (matrix, right), (other, other_right) = case.data
        made = kind(matrix)

        def again() -> np.ndarray:
            made.renew(matrix)
            made.solve(right)
            made.renew(other)
            return made.solve(other_right)

        return {"cold": Phase(lambda: kind(matrix).solve(right)), "again": Phase(again, units=2)}

    return prepare


def case(size: int, quick: bool) -> Case:
    data = flow(size)
    systems = {"cold": data.system(data.k), "again": data.system(data.k_new)}

    def residual(phase: str, x: np.ndarray) -> float:
        matrix, right = systems[phase]
        return float(np.linalg.norm(matrix @ x - right) / np.linalg.norm(right))

    began = time.perf_counter()
    data.system(data.k)
    took = time.perf_counter() - began
    notes = [
        f"{data.network.n_edges:,} edges. The peers are handed their matrix; making it from the edges with SciPy, "
        f"which they are spared, takes {took:.2g} s."
    ]
    return Case(data.network.n_nodes, 1.0, (data, *systems.values()), error=residual, notes=notes)


def contestant(name: str, kind: type[solvers.Solver], package: str, largest: float = np.inf) -> Contestant:
    return Contestant(name, _peer(kind), (package,), largest=largest)


WORKLOAD = Workload(
    key="W1",
    title="linear flow network",
    text="""
A jittered grid, triangulated, conductances lognormal(0, 0.5), the left column at 1 and the right one at 0; float64.
*Cold*: everything from the start, set-up and solve; this project makes a material of the network and relaxes it.
*Again*: the same graph with other conductances, all drawn anew, keeping what can be kept (Pardiso and Taichi's solver
the symbolic analysis; the others set up afresh). Residuals are relative to the right-hand side; direct solvers leave
what rounding leaves.
""",
    sizes=(1_000, 10_000, 100_000, 1_000_000),
    quick=(100, 400),
    case=case,
    contestants=(
        Contestant("this project", _project, ("matter-sandbox",), ours=True),
        contestant("SuperLU", solvers.SuperLU, "scipy"),
        contestant("CG + Jacobi", solvers.Jacobi, "scipy"),
        contestant("pyamg + CG", solvers.Pyamg, "pyamg"),
        contestant("cholespy", solvers.Cholespy, "cholespy"),
        contestant("Pardiso", solvers.Pardiso, "pypardiso"),
        contestant("Taichi SparseSolver LLT", solvers.TaichiLLT, "taichi", largest=200_000),
    ),
    phases={"cold": "cold", "again": "again"},
    agreement=1e-9,
    unit=("s", 1.0),
    error="residual",
    figure=True,
)
