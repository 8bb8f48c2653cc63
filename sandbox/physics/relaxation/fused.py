"""Method ``"fused"``: the whole minimization of each sample in one kernel launch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sandbox.physics.equilibrium import Equilibrium
from sandbox.physics.relaxation.plan import Plan, analyze
from sandbox.physics.relaxation.problem import Problem

MAX_FREE = 3000
"""Above this many free components the serial factorization of a sample loses to a sparse library."""


@dataclass(eq=False)
class Workspace:
    """A plan and the scratch memory of the largest batch seen with it."""

    plan: Plan
    frame: np.ndarray
    work: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        self.no_grip = np.zeros(len(self.plan.place) + len(self.frame))

    def scratch(self, batch: int, n_state: int) -> np.ndarray:
        size = n_state + 2 * self.plan.n_free + 3 * self.plan.n_slots
        if self.work.shape[0] < batch:
            self.work = np.empty((batch, size))
        return self.work[:batch]


def can_relax(problem: Problem) -> bool:
    """Whether the method applies: small enough, no box, and samples that do not share free stiffnesses."""
    shared = problem.knobs is not None and problem.batch > 1
    free = problem.boundary.clamped.size - int(problem.boundary.clamped.sum())
    return problem.material.box is None and not shared and free <= MAX_FREE


def relax(problem: Problem) -> Equilibrium:
    """Newton's method on the fused kernel; see :mod:`sandbox.physics.relaxation.fused_kernel`."""
    from sandbox.physics.relaxation import fused_sample as fk
    from sandbox.physics.relaxation.fused_kernel import fused_kernel

    material, workspace = problem.material, workspace_of(problem)
    plan, batch, n_edges = workspace.plan, problem.batch, len(problem.stiffness)
    kernel = fused_kernel(
        material.law,
        material.node_law,
        material.components,
        material.geometry == "projection",
        "quadratic" if problem.knobs is None else problem.knobs.coupling,
        batch > 1,
    )
    state = np.ascontiguousarray(problem.start.reshape(batch, -1)).copy()
    stiffness, pull = np.empty((batch, n_edges)), np.empty((batch, n_edges))
    report = np.empty((batch, fk.REPORT_SIZE))
    kernel(
        float(problem.knobs is not None),
        n_edges,
        problem.ends,
        workspace.frame,
        problem.stiffness[None],
        material.fixed_parameters,
        problem.knob_rows[None],
        material.node_parameter_rows,
        problem.outside,
        problem.pair_springs,
        workspace.no_grip,
        plan.place,
        plan.slots,
        plan.columns,
        never_empty(plan.rows),
        never_empty(plan.updates),
        problem.tolerance,
        problem.max_iterations,
        state,
        stiffness,
        pull,
        workspace.scratch(batch, state.shape[1]),
        report,
    )
    scale = report[:, fk.SCALE]
    residual = report[:, fk.RESIDUAL]
    return Equilibrium(
        state=state.reshape(problem.start.shape),
        stiffness=stiffness[0] if problem.knobs is not None else problem.stiffness,
        stiffness_force=pull.mean(axis=0) if batch > 1 else pull[0],
        energy=report[:, fk.ENERGY],
        residual=np.divide(residual, scale, out=residual.copy(), where=scale > 0),
        iterations=report[:, fk.EVALUATIONS].astype(int),
        status=report[:, fk.STATUS].astype(int),
        min_curvature=report[:, fk.PIVOT],
        indefinite=report[:, fk.INDEFINITE].astype(int),
        method="fused",
    )


def workspace_of(problem: Problem) -> Workspace:
    """The plan for the problem's pattern, made once for each."""
    material, boundary = problem.material, problem.boundary
    key = b"fused" + boundary.pattern
    workspace = material.caches.get(key)
    if not isinstance(workspace, Workspace):
        workspace = Workspace(analyze(problem.ends, boundary.clamped), material.frame(boundary.pairs))
        material.caches[key] = workspace
    return workspace


def never_empty(array: np.ndarray) -> np.ndarray:
    """The array, or one that is not empty: kernels do not take empty ones."""
    return array if len(array) else np.zeros(1, dtype=np.int32)
