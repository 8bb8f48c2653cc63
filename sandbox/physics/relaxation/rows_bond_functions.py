"""Bonds of a network in the rows of its Hessian: their variables and stiffnesses, to be called in kernels.

A free stiffness is eliminated as in :mod:`sandbox.physics.edge_kernel`.

No ``from __future__ import annotations`` here: Taichi reads the annotations of its functions.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportOptionalCall=false, reportIndexIssue=false
# (annotations are Taichi's types; laws are functions that Taichi compiles)

from collections.abc import Callable
from typing import Any

import taichi as ti

from sandbox.physics.edge_kernel import LOCAL_STEPS
from sandbox.physics.knobs import Coupling
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.laws.law import EdgeLaw
from sandbox.physics.transverse import SHORTEST


def bond_functions(
    law: EdgeLaw, dim: int, projection: bool, coupling: Coupling | None
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Make ``stiffness_at`` and ``variable`` for one kind of material; no coupling: stiffnesses that are held."""
    edge_terms = in_kernel(law)
    n_fixed = len(law.fixed)
    free, log_knobs = coupling is not None, coupling == "log"
    plain = law.variable == "d"  # the variable is the difference of the ends
    local_steps = 1 if law.is_quadratic_in_stiffness and not log_knobs else LOCAL_STEPS

    @ti.func
    def value_of(phi: ti.f64) -> ti.f64:
        theta = phi
        if ti.static(log_knobs):
            theta = ti.exp(phi)
        return theta

    @ti.func
    def stiffness_at(v: ti.f64, e: ti.i32, held: ti.template(), fixed: ti.template(), knob: ti.template()):
        """The stiffness of an edge, the energy of its knob, and what its giving way takes off the curvature."""
        theta = held[e]
        energy = 0.0
        softer = 0.0
        eps = 0.0
        if ti.static(free):
            eps = knob[1, e]
        if eps > 0.0:
            others = [fixed[q, e] for q in ti.static(range(n_fixed))]
            phi = theta
            if ti.static(log_knobs):
                phi = ti.log(theta)
            phi = ti.min(ti.max(phi, knob[2, e]), knob[3, e])
            second = 1.0 / eps
            mixed = 0.0
            for _ in range(local_steps):
                theta = value_of(phi)
                m = edge_terms(v, theta, *others)
                first = 0.0  # typed before they are assigned: a derivative may be a whole number
                curve = 0.0
                first = m[3]
                curve = m[4]
                mixed = m[5]
                if ti.static(log_knobs):
                    first = m[3] * theta
                    curve = m[4] * theta * theta + m[3] * theta
                    mixed = m[5] * theta
                first += (phi - knob[0, e]) / eps
                second = 1.0 / eps + curve
                bend = second
                if bend < 0.1 / eps:  # not convex here: a bounded step downhill
                    bend = 1.0 / eps + ti.abs(curve)
                better = ti.min(ti.max(phi - first / bend, knob[2, e]), knob[3, e])
                moved = ti.abs(better - phi)
                phi = better
                if moved <= 4e-16 * (1.0 + ti.abs(phi)):
                    break
            theta = value_of(phi)
            if phi > knob[2, e] and phi < knob[3, e]:
                softer = mixed * mixed / ti.max(second, 1e-12 / eps)
            energy = 0.5 * (phi - knob[0, e]) ** 2 / eps
        return theta, energy, softer

    @ti.func
    def variable(e: ti.i32, mine: ti.template(), other: ti.template(), frame: ti.template()):
        """The variable of a bond, and its derivative in the components of the second end."""
        v = 0.0
        n = ti.Vector.zero(ti.f64, dim)
        if ti.static(plain):
            n[0] = 1.0
            v = other[0] - mine[0]
        elif ti.static(projection):
            v = frame[e, dim]
            for c in ti.static(range(dim)):
                n[c] = frame[e, c]
                v += n[c] * (other[c] - mine[c])
        else:
            for c in ti.static(range(dim)):
                n[c] = other[c] - mine[c] + frame[e, c]
            v = n.norm()
            n = n / ti.max(v, SHORTEST)
        return v, n

    return stiffness_at, variable
