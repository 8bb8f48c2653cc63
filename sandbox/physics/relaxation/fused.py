"""Method ``"fused"``: the whole minimization of each sample in one kernel launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    ends: np.ndarray  # (2*bonds,) first component of each end
    frame: np.ndarray
    width: int  # see fused_edges.width
    samples: int = 0
    memory: tuple[np.ndarray, ...] = ()

    def __post_init__(self) -> None:
        self.no_grip = np.zeros(len(self.plan.place) + len(self.frame))

    def scratch(self, batch: int) -> tuple[np.ndarray, ...]:
        """Factors, records of bonds and the rest that ``batch`` samples need, one sample after another in each."""
        from sandbox.physics.relaxation.fused_sample import memory

        if batch > self.samples:
            plan, bonds = self.plan, len(self.frame)
            sizes = (plan.n_slots + 1 + plan.n_kept, bonds * self.width, memory(len(plan.place), plan.n_free))
            self.samples, self.memory = batch, tuple(np.zeros(batch * size) for size in sizes)
        return tuple(array[: batch * (len(array) // self.samples)] for array in self.memory)


def can_relax(problem: Problem) -> bool:
    """Whether the method applies: small enough, no box, and samples that do not share free stiffnesses."""
    shared = problem.knobs is not None and problem.batch > 1
    free = problem.boundary.clamped.size - int(problem.boundary.clamped.sum())
    return problem.material.box is None and not shared and free <= MAX_FREE


def relax(problem: Problem) -> Equilibrium:
    """Newton's method on the fused kernel; see :mod:`sandbox.physics.relaxation.fused_kernel`."""
    from sandbox.physics.launch import direct
    from sandbox.physics.relaxation import fused_sample as fk
    from sandbox.physics.relaxation.fused_edges import PULL, STIFFNESS
    from sandbox.physics.relaxation.fused_kernel import fused_kernel

    material = problem.material
    workspace = workspace_of(problem, (problem.boundary.spring_stiffness != 0).ravel())
    plan, batch, n_edges = workspace.plan, problem.batch, len(problem.stiffness)
    kernel = direct(
        fused_kernel(
            material.law,
            material.node_law,
            material.components,
            material.geometry == "projection",
            "quadratic" if problem.knobs is None else problem.knobs.coupling,
            batch > 1,
        )
    )
    state = np.ascontiguousarray(problem.start.reshape(batch, -1)).copy()
    report = np.empty((batch, fk.REPORT_SIZE))
    scratch = workspace.scratch(batch)
    kernel(
        float(problem.knobs is not None),
        n_edges,
        workspace.ends,
        workspace.frame.ravel(),
        problem.stiffness,
        material.fixed_parameters.ravel(),
        problem.knob_rows.T.ravel(),
        material.node_parameter_rows.ravel(),
        problem.outside.ravel(),
        loaded([problem], 0.0),
        problem.pair_springs.ravel(),
        workspace.no_grip,
        plan.place,
        plan.seats.ravel(),
        plan.slots.ravel(),
        plan.columns,
        never_empty(plan.entries),
        plan.starts,
        never_empty(plan.updates),
        never_empty(plan.forwards),
        never_empty(plan.backwards),
        never_empty(plan.bond_part),
        never_empty(plan.part),
        problem.tolerance,
        problem.max_iterations,
        batch,
        state.reshape(-1),
        *scratch,
        report.reshape(-1),
    )
    bonds = scratch[1].reshape(batch, -1, workspace.width)[:, :n_edges]
    stiffness, pull = bonds[:, :, STIFFNESS], bonds[:, :, PULL]
    error = report[:, fk.STATE_ERROR]
    return Equilibrium(
        state=state.reshape(problem.start.shape),
        stiffness=stiffness[0].copy() if problem.knobs is not None else problem.stiffness,
        stiffness_force=pull.mean(axis=0),
        energy=report[:, fk.ENERGY],
        residual=report[:, fk.RESIDUAL],
        iterations=report[:, fk.EVALUATIONS].astype(int),
        status=report[:, fk.STATUS].astype(int),
        curvature_bound=report[:, fk.PIVOT],
        indefinite=report[:, fk.INDEFINITE].astype(int),
        method="fused",
        state_error=np.where(error < 0, np.nan, error),
    )


def workspace_of(problem: Problem, last: np.ndarray) -> Workspace:
    """The plan for the problem's pattern, made once for each.

    Args:
        last: (N*D,) mask of components to eliminate last: those that a nudge acts on.
    """
    from sandbox.physics.relaxation.fused_edges import width

    material, boundary = problem.material, problem.boundary
    key = b"fused" + boundary.pattern + np.packbits(last).tobytes()
    workspace = material.caches.get(key)
    if not isinstance(workspace, Workspace):
        plan = analyze(problem.ends, boundary.clamped, last)
        dim = material.components
        ends = (problem.ends * dim).ravel().astype(np.int32)
        workspace = Workspace(plan, ends, material.frame(boundary.pairs), width(dim, material.geometry == "projection"))
        material.caches[key] = workspace
    return workspace


def loaded(problems: Sequence[Problem], springs: np.ndarray | float) -> np.ndarray:
    """Components that forces, springs (those of the boundaries, or these (N*D,)) or a node law act on."""
    acting = np.any([(problem.outside[:, :2] != 0).any(axis=(0, 1)) for problem in problems], axis=0) | (springs != 0)
    if problems[0].material.node_law is not None:
        acting[:] = True
    return never_empty(np.flatnonzero(acting).astype(np.int32))


def never_empty(array: np.ndarray) -> np.ndarray:
    """The array, or one that is not empty: kernels do not take empty ones."""
    return array.ravel() if len(array) else np.zeros(1, dtype=array.dtype)
