"""What laws of nodes, external forces and springs to targets do, to be called in kernels.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from typing import Any, NamedTuple

import taichi as ti

from sandbox.physics.dynamics.kind import Kind
from sandbox.physics.laws.generate import in_kernel


class NodeFunctions(NamedTuple):
    """Of one component of a node."""

    node_force: Callable[..., Any]
    node_energy: Callable[..., Any]


def node_functions(kind: Kind) -> NodeFunctions:
    """For one kind of material and boundary."""
    node_terms: Any = in_kernel(kind.node_law) if kind.node_law is not None else None
    n_node_parameters = len(kind.node_law.parameters) if kind.node_law is not None else 0
    has_node_law = node_terms is not None
    outside = kind.outside

    @ti.func
    def node_force(value, k, g, node_parameters: ti.template(), springs: ti.template(), loads: ti.template()):
        f = 0.0
        if ti.static(has_node_law):
            arguments = [node_parameters[q, k] for q in ti.static(range(n_node_parameters))]
            f -= node_terms(value, *arguments)[1]
        if ti.static(outside):
            f += loads[0, g] - springs[k] * (value - loads[1, g])
        return f

    @ti.func
    def node_energy(value, k, g, node_parameters: ti.template(), springs: ti.template(), loads: ti.template()):
        e = 0.0
        if ti.static(has_node_law):
            arguments = [node_parameters[q, k] for q in ti.static(range(n_node_parameters))]
            e += node_terms(value, *arguments)[0]
        if ti.static(outside):
            off = value - loads[1, g]
            e += 0.5 * springs[k] * off * off - loads[0, g] * value
        return e

    return NodeFunctions(node_force, node_energy)
