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
_indices = ti.types.ndarray(dtype=ti.i32, ndim=1)


@lru_cache(maxsize=64)
def fused_kernel(
    law: EdgeLaw, node_law: NodeLaw | None, dim: int, projection: bool, coupling: Coupling, parallel: bool
) -> Callable[..., None]:
    """The kernel for one kind of material; compiled at its first call, cached by law and never by network."""
    runtime.start()
    spread = runtime.SPREAD if parallel else 1
    relax_sample = sample_function(law, node_law, dim, projection, coupling)

    # Arguments as in relax_sample, all flat, with one row of held and knob, and as many samples outside as states.
    @ti.kernel
    def relax(
        free: ti.f64,
        n_edges: ti.i32,
        ends: _indices,
        frame: _vector,
        held: _vector,
        fixed: _vector,
        knob: _vector,
        node_parameters: _vector,
        outside: _vector,
        loaded: _indices,
        pair_springs: _vector,
        grip: _vector,
        place: _indices,
        seats: _indices,
        slots: _indices,
        columns: _indices,
        entries: _indices,
        starts: _indices,
        updates: _indices,
        forwards: _indices,
        backwards: _indices,
        bond_part: _indices,
        part: _indices,
        tolerance: ti.f64,
        max_evaluations: ti.i32,
        batch: ti.i32,
        state: _vector,
        lower: _vector,
        record: _vector,
        work: _vector,
        report: _vector,
    ):
        if ti.static(not parallel):
            ti.loop_config(serialize=True)
        for turn in range(batch * spread):
            if turn % spread != 0:
                continue
            b = 0  # of a sample that is known to be the first, offsets vanish from the machine code
            if ti.static(parallel):
                b = turn // spread
            relax_sample(
                batch, b, b, 0, free, 0.0, 0, 0, columns.shape[0] - 1,
                n_edges, ends, frame, held, fixed, knob, node_parameters, outside, loaded, pair_springs, grip,
                place, seats, slots, columns, entries, starts, updates, forwards, backwards, bond_part, part,
                tolerance, max_evaluations, state, lower, record, work, report,
            )  # fmt: skip

    return relax
