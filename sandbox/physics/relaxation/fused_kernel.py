"""The fused relaxation: a whole Newton minimization per sample in one kernel launch.

For networks of up to some thousands of free components. Each sample is relaxed by one thread, samples in parallel.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (Annotations of kernels are Taichi's types.)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics import runtime
from sandbox.physics.knobs import Coupling
from sandbox.physics.laws.law import EdgeLaw, NodeLaw
from sandbox.physics.relaxation.fused_sample import sample_function

_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
_matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
_tensor = ti.types.ndarray(dtype=ti.f64, ndim=3)
_indices = ti.types.ndarray(dtype=ti.i32, ndim=1)
_index_table = ti.types.ndarray(dtype=ti.i32, ndim=2)


@lru_cache(maxsize=64)
def fused_kernel(
    law: EdgeLaw, node_law: NodeLaw | None, dim: int, projection: bool, coupling: Coupling, parallel: bool
) -> Callable[..., None]:
    """The kernel for one kind of material; compiled at its first call, cached by law and never by network."""
    runtime.start()
    relax_sample = sample_function(law, node_law, dim, projection, coupling)

    # Arguments as in relax_sample, with one row of held and knob, and as many samples outside as states.
    @ti.kernel
    def relax(
        free: ti.f64,
        n_edges: ti.i32,
        ends: _index_table,
        frame: _matrix,
        held: _matrix,
        fixed: _matrix,
        knob: _tensor,
        node_parameters: _matrix,
        outside: _tensor,
        pair_springs: _tensor,
        grip: _vector,
        place: _indices,
        slots: _index_table,
        columns: _indices,
        rows: _indices,
        updates: _indices,
        tolerance: ti.f64,
        max_evaluations: ti.i32,
        state: _matrix,
        stiffness: _matrix,
        pull: _matrix,
        work: _matrix,
        report: _matrix,
    ):
        if ti.static(not parallel):
            ti.loop_config(serialize=True)
        else:
            ti.loop_config(block_dim=1)
        for b in range(state.shape[0]):
            relax_sample(
                b, b, 0, free, 0.0,
                n_edges, ends, frame, held, fixed, knob, node_parameters, outside, pair_springs, grip,
                place, slots, columns, rows, updates, tolerance, max_evaluations,
                state, stiffness, pull, work, report,
            )  # fmt: skip

    return relax
