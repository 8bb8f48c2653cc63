"""Where a relaxation or a motion left the finite numbers: sample, iteration, node and edge, by name.

The methods of relaxation keep to finite states: a trial step that leads to infinity or NaN is shortened. What is looked
at here is where a sample ended: a law, its derivatives, what is imposed, and the result itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sandbox.physics.equilibrium import Equilibrium, Fault, Status

if TYPE_CHECKING:
    from sandbox.physics.relaxation.problem import Problem

_EDGE_TERMS = ("energy", "tension", "curvature", "force on the stiffness", "curvature in the stiffness", "cross term")
_NODE_TERMS = ("energy of the node law", "force of the node law", "curvature of the node law")


def marked(problem: Problem, result: Equilibrium) -> Equilibrium:
    """The result; where a number in it or at its end is not finite, with that sample's status and place.

    A sample can end without converging because the curvature of an edge is infinite where energy and force are not;
    and it can converge while the force on a stiffness is infinite.
    """
    sound = result.converged.all()
    with np.errstate(over="ignore", invalid="ignore"):
        if sound and np.isfinite(result.state.sum() + result.energy.sum() + result.stiffness_force.sum()):
            return result
    suspects = np.flatnonzero(~result.converged) if not sound else np.arange(problem.batch)
    status, first = result.status.copy(), None
    for sample in suspects:
        fault = _at(problem, result, int(sample))
        if fault is None and result.status[sample] == Status.NOT_FINITE:
            fault = Fault(int(sample), int(result.iterations[sample]), "the sum of the energies")
        if fault is not None:
            status[sample] = Status.NOT_FINITE
            first = first or fault
    return result if first is None else replace(result, status=status, fault=first)


def _at(problem: Problem, result: Equilibrium, sample: int) -> Fault | None:
    """The first number that is not finite at the end of a sample."""
    material, boundary = problem.material, problem.boundary
    iteration, state = int(result.iterations[sample]), result.state[sample]

    def fault(what: str, value: float, *, node: int | None = None, edge: int | None = None) -> Fault:
        ends = () if edge is None else tuple(int(n) for n in material.network.edges[edge])
        return Fault(sample, iteration, what, float(value), node, edge, ends)

    bad = np.argwhere(~np.isfinite(state))
    if len(bad):
        return fault("the state", state[tuple(bad[0])], node=int(bad[0, 0]))
    with np.errstate(all="ignore"):
        theta = result.stiffness if problem.knobs is not None else problem.stiffness
        for edge in np.flatnonzero(~np.isfinite(theta))[:1]:
            return fault("the stiffness", float(theta[edge]), edge=int(edge))
        terms = material.law.on_numpy(
            material.measure_edges(state), theta, *(material.parameters[name] for name in material.law.fixed)
        )
        for what, values in zip(_EDGE_TERMS, terms, strict=True):
            for edge in np.flatnonzero(~np.isfinite(values))[:1]:
                return fault(f"the {what}", values[edge], edge=int(edge))
        if material.node_law is not None:
            parameters = material.node_parameters.values()
            for what, values in zip(_NODE_TERMS, material.node_law.on_numpy(state, *parameters), strict=True):
                for node in np.argwhere(~np.isfinite(values))[:1, 0]:
                    return fault(f"the {what}", values[node].sum(), node=int(node))
        stretch = state - boundary.spring_targets[sample]
        pulls = {
            "the work of the external force": boundary.forces[sample] * state,
            "the energy of the spring": 0.5 * boundary.spring_stiffness * stretch**2,
        }
        for what, values in pulls.items():
            for node in np.argwhere(~np.isfinite(values))[:1, 0]:
                return fault(what, values[node].sum(), node=int(node))
    return None


def suspect_edge(edges: np.ndarray, broken: np.ndarray, node: int) -> int | None:
    """Of the edges (E, 2) at a node that left the finite numbers, the one whose other end did so first.

    Args:
        broken: (N,) step at which each node left them, 0 for those that did not.
    """
    at = np.flatnonzero((edges == node).any(axis=1))
    if len(at) == 0:
        return None
    other = edges[at].sum(axis=1) - node
    when = np.where(broken[other] > 0, broken[other], np.iinfo(np.int64).max)
    return int(at[np.argmin(when)])
