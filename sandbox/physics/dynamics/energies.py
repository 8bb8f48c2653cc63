"""Energies of all samples at a recorded step, where parts of the nodes are moved in parallel.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable

import taichi as ti

from sandbox.physics.dynamics.arrays import indices, matrix, tensor, vector
from sandbox.physics.dynamics.bond_functions import BondFunctions
from sandbox.physics.dynamics.kind import Kind
from sandbox.physics.dynamics.node_functions import NodeFunctions

POTENTIAL, KINETIC = 0, 1


@ti.func
def accumulate(total, lost, value):
    """Compensated summation: the change of a large energy stays visible."""
    add = value - lost
    new = total + add
    return new, (new - total) - add


def energies_kernel(kind: Kind, bonds: BondFunctions, nodes: NodeFunctions) -> Callable[..., None]:
    """The kernel for one kind of system."""
    energy_of, pair_energy, strides_of, node_energy = (
        bonds.energy_of,
        bonds.pair_energy,
        bonds.strides_of,
        nodes.node_energy,
    )
    dim, pairs, outside, has_node_law = kind.dim, kind.pairs, kind.outside, kind.node_law is not None

    @ti.kernel
    def measure(
        n_edges: ti.i32,
        ends: indices,
        rows: indices,
        frame: vector,
        parameters: matrix,
        strides: indices,
        pair_ends: indices,
        pair_frame: vector,
        pair_springs: tensor,
        coefficients: matrix,
        node_parameters: matrix,
        springs: vector,
        loads: matrix,
        x: vector,
        seen: vector,
        store: vector,  # (B*E,)
        energies: vector,  # (B*2,), out
    ):
        n_state = coefficients.shape[1]
        batch = energies.shape[0] // 2
        for t in range(batch * n_edges):
            b = t // n_edges
            e = t - b * n_edges
            i = b * n_state + ends[2 * e] * dim
            j = b * n_state + ends[2 * e + 1] * dim
            store[t] = energy_of(x, i, j, e, rows, frame, parameters, strides_of(strides))
        for b in range(batch):
            origin = b * n_state
            total = 0.0
            lost = 0.0
            for e in range(n_edges):
                total, lost = accumulate(total, lost, store[b * n_edges + e])
            if ti.static(pairs):
                for q in range(pair_ends.shape[0] // 2):
                    i = origin + pair_ends[2 * q] * dim
                    j = origin + pair_ends[2 * q + 1] * dim
                    total, lost = accumulate(total, lost, pair_energy(x, i, j, b, q, pair_frame, pair_springs))
            if ti.static(has_node_law or outside):
                for k in range(n_state):
                    g = origin + k
                    total, lost = accumulate(total, lost, node_energy(x[g], k, g, node_parameters, springs, loads))
            energies[2 * b + POTENTIAL] = total
            total = 0.0
            lost = 0.0
            for k in range(n_state):
                v = seen[origin + k]
                total, lost = accumulate(total, lost, 0.5 * coefficients[3, k] * v * v)
            energies[2 * b + KINETIC] = total

    return measure
