"""How a node moves in a step, and clamped ones with their walls.

A step at n takes the force at the position x_n, completes the velocity v_n (the last half kick of the step before), and
goes on to x_{n+1}: half kick, half drift, friction and noise, half drift (BAOAB; Leimkuhler & Matthews, Appl. Math.
Res. Express 2013, 34). Without friction this is velocity Verlet.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from typing import Any

import taichi as ti

from sandbox.physics.dynamics.arrays import indices, tensor, vector
from sandbox.physics.dynamics.kind import Kind
from sandbox.physics.dynamics.node_functions import NodeFunctions
from sandbox.physics.randomness import four_normals

HUGE = 1e300


def mover(kind: Kind, nodes: NodeFunctions) -> Callable[..., Any]:
    """The function that moves one node by one step, to be called in kernels."""
    node_force = nodes.node_force
    dim, driven, friction, noise = kind.dim, kind.driven, kind.bath != "none", kind.bath == "langevin"

    @ti.func
    def move(
        n: ti.i64,
        b,
        i,
        force,  # vector, exerted by the bonds
        settle,
        advance,
        keep,
        time_step: ti.f64,
        seed: ti.u64,
        x: ti.template(),
        velocity: ti.template(),
        seen: ti.template(),
        coefficients: ti.template(),
        held: ti.template(),
        drive: ti.template(),
        waves: ti.template(),
        heat: ti.template(),
        names: ti.template(),
        node_parameters: ti.template(),
        springs: ti.template(),
        loads: ti.template(),
        broken: ti.template(),
        alarm: ti.template(),
    ):
        """Complete the velocity of node i of sample b at step n, and move it to step n + 1."""
        n_state = drive.shape[0]
        random = ti.Vector.zero(ti.f64, 4)
        if ti.static(noise):  # noqa: SIM102 (a static branch, then one at run time)
            if advance:
                random = four_normals(seed, n, names[b], ti.cast(i, ti.u32))
        finite = 1
        for c in ti.static(range(dim)):
            k = i * dim + c
            g = b * n_state + k
            value = x[g]
            kick = coefficients[0, k] * (force[c] + node_force(value, k, g, node_parameters, springs, loads))
            v = velocity[g]
            if settle:
                v += kick
            wave = -1
            if ti.static(driven):
                wave = drive[k]
                if wave >= 0:
                    angle = waves[b, wave, dim] * (ti.cast(n, ti.f64) * time_step) + waves[b, wave, dim + 1]
                    v = waves[b, wave, c] * waves[b, wave, dim] * ti.cos(angle)
            if keep:
                seen[g] = v
            if advance:
                v += kick
                if ti.static(friction):
                    half = 0.5 * time_step
                    value += half * v
                    v *= coefficients[1, k]
                    if ti.static(noise):
                        v += coefficients[2, k] * heat[b] * random[c]
                    value += half * v
                else:
                    value += time_step * v
                if ti.static(driven):  # noqa: SIM102
                    if wave >= 0:
                        angle = waves[b, wave, dim] * (ti.cast(n + 1, ti.f64) * time_step) + waves[b, wave, dim + 1]
                        value = held[g] + waves[b, wave, c] * ti.sin(angle)
                x[g] = value
                if not (ti.abs(value) < HUGE):
                    finite = 0
            velocity[g] = v
        if finite == 0:  # noqa: SIM102 (Taichi evaluates both sides of `and`)
            if broken[b * (n_state // dim) + i] == 0:
                broken[b * (n_state // dim) + i] = n + 1
                alarm[0] = 1

    return move


def walls_kernel(kind: Kind) -> Callable[..., None]:
    """The kernel that puts clamped components that move where they are at a step."""
    dim = kind.dim

    @ti.kernel
    def set_walls(n: ti.i64, time_step: ti.f64, held: vector, drive: indices, waves: tensor, x: vector):
        n_state = drive.shape[0]
        for g in range(x.shape[0]):
            b = g // n_state
            wave = drive[g - b * n_state]
            if wave >= 0:
                angle = waves[b, wave, dim] * (ti.cast(n, ti.f64) * time_step) + waves[b, wave, dim + 1]
                x[g] = held[g] + waves[b, wave, g % dim] * ti.sin(angle)

    return set_walls
