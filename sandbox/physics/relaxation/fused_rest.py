"""Criteria of rest of one sample, as Taichi functions: its forces node by node, and the error of its state.

No ``from __future__ import annotations`` here: Taichi reads the annotations of its functions.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportIndexIssue=false
# pyright: reportOptionalCall=false
# (Annotations are Taichi's types, and laws are functions that Taichi compiles.)

from collections.abc import Callable
from functools import lru_cache

import taichi as ti

from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import NodeLaw
from sandbox.physics.relaxation import fused_edges as fe
from sandbox.physics.relaxation.criteria import FORCE_NOISE, REST_SCALE
from sandbox.physics.relaxation.fused_edges import larger
from sandbox.physics.state_error import UNIFORM


def memory(n_free: int) -> int:
    """Return how many numbers of a sample's memory the functions need: four for each free component, and two more."""
    return 4 * n_free + 2


@lru_cache(maxsize=64)
def rest_functions(
    node_law: NodeLaw | None, dim: int, projection: bool
) -> tuple[Callable[..., tuple[int, float]], Callable[..., tuple[float, float]]]:
    """Make ``at_rest`` and ``state_error`` for one kind of material, to be called in kernels.

    Both work in the same memory: force at play (F + 1,) and rounding (F + 1,) of each free component, then for each
    connected part (F,) its longest variable and (F,) its largest coordinate.
    """
    node_terms = in_kernel(node_law) if node_law is not None else None
    n_node = len(node_law.parameters) if node_law is not None else 0
    has_node_law = node_law is not None
    size = fe.width(dim, projection)

    @ti.func
    def at_rest(
        at: ti.i32,
        node_force: ti.i32,
        node_curvature: ti.i32,
        gradient: ti.i32,
        rest: ti.i32,
        bonds: ti.i32,
        of_node: ti.i32,
        n_free: ti.i32,
        n_state: ti.i32,
        n_bonds: ti.i32,
        n_edges: ti.i32,
        tolerance: ti.f64,
        ends: ti.template(),
        frame: ti.template(),
        seats: ti.template(),
        bond_part: ti.template(),
        place: ti.template(),
        loaded: ti.template(),
        node_parameters: ti.template(),
        outside: ti.template(),
        record: ti.template(),
        work: ti.template(),
    ):
        """Whether every force is none, and the largest one relative to the forces that meet at its node."""
        play = rest
        noise = play + n_free + 1
        reach = noise + n_free + 1
        far = reach + n_free
        for f in range(4 * n_free + 2):
            work[rest + f] = 0.0
        for e in range(n_bonds):
            p = bond_part[e]
            if p >= 0:
                v = 0.0
                coordinates = 0.0
                furthest = 0.0
                for c in ti.static(range(dim)):
                    first = work[at + ends[2 * e] + c]
                    second = work[at + ends[2 * e + 1] + c]
                    coordinates += ti.abs(first) + ti.abs(second)
                    furthest = larger(ti.abs(first), furthest)
                    furthest = larger(ti.abs(second), furthest)
                    if ti.static(projection):
                        v += frame[e * (dim + 1) + c] * (second - first)
                    else:
                        v += (second - first + frame[e * (dim + 1) + c]) ** 2
                if ti.static(projection):  # noqa: SIM108 (decided when the kernel is compiled)
                    v = ti.abs(v + frame[e * (dim + 1) + dim])
                else:
                    v = ti.sqrt(v)
                tension = ti.abs(record[bonds + e * size + fe.TENSION])
                curvature = ti.abs(record[bonds + e * size + fe.ALONG])
                force = 0.0
                if e < n_edges:
                    force = larger(tension, REST_SCALE * curvature * v)
                lost = tension + curvature * coordinates
                for k in ti.static(range(2 * dim)):
                    seat = seats[e * 2 * dim + k]
                    work[play + seat] = work[play + seat] + force
                    work[noise + seat] = work[noise + seat] + lost
                work[reach + p] = larger(v, work[reach + p])
                work[far + p] = larger(furthest, work[far + p])
        for q in range(loaded.shape[0]):
            i = loaded[q]
            f = place[i]
            if f >= 0:
                value = work[at + i]
                force = ti.abs(outside[of_node + i])
                if ti.static(has_node_law):
                    node_args = [node_parameters[a * n_state + i] for a in ti.static(range(n_node))]
                    force += ti.abs(node_terms(value, *node_args)[1])
                work[play + f] = work[play + f] + force
                lost = ti.abs(work[node_force + i]) + ti.abs(work[node_curvature + i] * value)
                work[noise + f] = work[noise + f] + lost
        small = 1
        relative = 0.0
        for f in range(n_free):
            size_of = ti.abs(work[gradient + f])
            if not (size_of <= FORCE_NOISE * work[noise + f]):
                if not (size_of <= tolerance * work[play + f]):
                    small = 0
                relative = larger(size_of / larger(work[play + f], 1e-300), relative)
        return small, relative

    @ti.func
    def state_error(
        at: ti.i32,
        step: ti.i32,
        rest: ti.i32,
        n_free: ti.i32,
        n_state: ti.i32,
        place: ti.template(),
        part: ti.template(),
        work: ti.template(),
    ):
        """The largest component of the step that is left, and the most that one is of the longest variable around.

        Where all variables are round-off, it is compared with the coordinates.
        """
        reach = rest + 2 * n_free + 2
        far = reach + n_free
        error = 0.0
        ratio = 0.0
        for i in range(n_state):
            f = place[i]
            if f >= 0:
                p = part[f]
                coordinate = larger(ti.abs(work[at + i]), work[far + p])
                longest = work[reach + p]
                if longest <= UNIFORM * coordinate:
                    longest = coordinate
                size_of = ti.abs(work[step + f])
                error = larger(size_of, error)
                ratio = larger(size_of / larger(longest, 1e-300), ratio)
        return error, ratio

    return at_rest, state_error
