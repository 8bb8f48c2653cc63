"""What bonds do: vectors and variables of edges and of pairs, their forces and energies, to be called in kernels.

Frames have D + 1 entries a bond: periodic shift, or direction and offset.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

from collections.abc import Callable
from typing import Any, NamedTuple

import taichi as ti

from sandbox.physics.dynamics.kind import Kind
from sandbox.physics.laws.generate import in_kernel
from sandbox.physics.transverse import SHORTEST


class BondFunctions(NamedTuple):
    """Of edges and of the springs across pairs."""

    energy_of: Callable[..., Any]
    pair_energy: Callable[..., Any]
    strides_of: Callable[..., Any]
    pull_both: Callable[..., Any]
    pull_one: Callable[..., Any]
    pull_pairs_both: Callable[..., Any]
    pull_pairs_one: Callable[..., Any]


def bond_functions(kind: Kind) -> BondFunctions:
    """For one kind of material."""
    edge_terms = in_kernel(kind.law)
    n_parameters = len(kind.law.parameters)
    dim, width = kind.dim, kind.dim + 1
    projection, shifted = kind.projection, kind.shifted

    @ti.func
    def gap_between(x: ti.template(), i, j):
        gap = ti.Vector.zero(ti.f64, dim)
        for c in ti.static(range(dim)):
            gap[c] = x[j + c] - x[i + c]
        return gap

    @ti.func
    def gap_from(here, side, far, x: ti.template(), images: ti.template()):
        """From the first end of a bond to its second, of which one is in the part, and of the other there is an image.

        ``side``: which of the ends is here, at component ``here`` of ``x``; ``far``: component of the image.
        """
        sign = 1.0 - 2.0 * side
        gap = ti.Vector.zero(ti.f64, dim)
        for c in ti.static(range(dim)):
            gap[c] = sign * (images[far + c] - x[here + c])
        return gap

    @ti.func
    def variable(gap, frame: ti.template(), row, crossing: ti.template()):
        """Vector along which a bond pulls, and the variable of its law; ``gap``: from its first end to its second."""
        n = gap
        v = 0.0
        if ti.static(projection):
            v = frame[row * width + dim]
            for c in ti.static(range(dim)):
                n[c] = frame[row * width + c]
                v += n[c] * gap[c]
        else:
            square = 0.0
            for c in ti.static(range(dim)):
                if ti.static(crossing):
                    n[c] += frame[row * width + c]
                square += n[c] * n[c]
            v = ti.sqrt(square)
        return n, v

    @ti.func
    def per_length(tension, v):
        pull = tension
        if ti.static(not projection):
            pull = ti.select(v > SHORTEST, tension / v, 0.0)  # no length, no direction
        return pull

    @ti.func
    def row_of(e, rows: ti.template()):
        row = e
        if ti.static(not projection and shifted):
            row = rows[e]
        return row

    @ti.func
    def pull_of(v, e, parameters: ti.template(), strides):
        arguments = [parameters[q, e * strides[q]] for q in ti.static(range(n_parameters))]
        return per_length(edge_terms(v, *arguments)[1], v)

    @ti.func
    def energy_of(
        x: ti.template(), i, j, e, rows: ti.template(), frame: ti.template(), parameters: ti.template(), strides
    ):
        _, v = variable(gap_between(x, i, j), frame, row_of(e, rows), shifted)
        arguments = [parameters[q, e * strides[q]] for q in ti.static(range(n_parameters))]
        return edge_terms(v, *arguments)[0]

    @ti.func
    def pair_energy(x: ti.template(), i, j, b, q, pair_frame: ti.template(), pair_springs: ti.template()):
        _, v = variable(gap_between(x, i, j), pair_frame, q, True)
        off = v - pair_springs[b, 1, q]
        return 0.5 * pair_springs[b, 0, q] * off * off

    @ti.func
    def pair_force(gap, b, q, pair_frame: ti.template(), pair_springs: ti.template()):
        n, v = variable(gap, pair_frame, q, True)
        return n * per_length(pair_springs[b, 0, q] * (v - pair_springs[b, 1, q]), v)

    @ti.func
    def strides_of(strides: ti.template()):
        """Of the parameters, to be kept in registers."""
        return ti.Vector([strides[q] for q in ti.static(range(n_parameters))])

    @ti.func
    def pull_both(
        first,
        last,
        origin,
        x: ti.template(),
        ends: ti.template(),
        rows: ti.template(),
        frame: ti.template(),
        parameters: ti.template(),
        strides,
        force: ti.template(),
    ):
        """Add the forces of bonds on both of their ends.

        Bonds that follow each other often begin at the same node: its position and force stay in registers.
        """
        i = -1
        begin = ti.Vector.zero(ti.f64, dim)
        total = ti.Vector.zero(ti.f64, dim)
        for e in range(first, last):
            if origin + ends[2 * e] * dim != i:
                if i >= 0:
                    for c in ti.static(range(dim)):
                        force[i + c] = total[c]
                i = origin + ends[2 * e] * dim
                for c in ti.static(range(dim)):
                    begin[c] = x[i + c]
                    total[c] = force[i + c]
            j = origin + ends[2 * e + 1] * dim
            gap = ti.Vector.zero(ti.f64, dim)
            for c in ti.static(range(dim)):
                gap[c] = x[j + c] - begin[c]
            n, v = variable(gap, frame, row_of(e, rows), shifted)
            f = n * pull_of(v, e, parameters, strides)
            for c in ti.static(range(dim)):
                total[c] += f[c]
                force[j + c] = force[j + c] - f[c]  # in place it would be an atomic
        if i >= 0:
            for c in ti.static(range(dim)):
                force[i + c] = total[c]

    @ti.func
    def pull_one(
        first,
        last,
        side,  # which of the ends
        origin,
        image,  # where the images of the sample begin
        x: ti.template(),
        images: ti.template(),
        far: ti.template(),
        far_first,  # of the first bond
        ends: ti.template(),
        rows: ti.template(),
        frame: ti.template(),
        parameters: ti.template(),
        strides,
        force: ti.template(),
    ):
        """Add the forces of bonds on one of their ends; of the other there are images."""
        for e in range(first, last):
            here = origin + ends[2 * e + side] * dim
            there = image + far[far_first + e - first] * dim
            n, v = variable(gap_from(here, side, there, x, images), frame, row_of(e, rows), shifted)
            pull = (1.0 - 2.0 * side) * pull_of(v, e, parameters, strides)
            for c in ti.static(range(dim)):
                force[here + c] = force[here + c] + pull * n[c]

    @ti.func
    def pull_pairs_both(
        first,
        last,
        b,
        origin,
        x: ti.template(),
        pair_ends: ti.template(),
        pair_frame: ti.template(),
        pair_springs: ti.template(),
        force: ti.template(),
    ):
        """The same as :func:`pull_both` for the springs across pairs."""
        for q in range(first, last):
            i = origin + pair_ends[2 * q] * dim
            j = origin + pair_ends[2 * q + 1] * dim
            f = pair_force(gap_between(x, i, j), b, q, pair_frame, pair_springs)
            for c in ti.static(range(dim)):
                force[i + c] = force[i + c] + f[c]
                force[j + c] = force[j + c] - f[c]

    @ti.func
    def pull_pairs_one(
        first,
        last,
        side,
        b,
        origin,
        image,
        x: ti.template(),
        images: ti.template(),
        far: ti.template(),
        far_first,
        pair_ends: ti.template(),
        pair_frame: ti.template(),
        pair_springs: ti.template(),
        force: ti.template(),
    ):
        """The same as :func:`pull_one` for the springs across pairs."""
        for q in range(first, last):
            here = origin + pair_ends[2 * q + side] * dim
            there = image + far[far_first + q - first] * dim
            f = pair_force(gap_from(here, side, there, x, images), b, q, pair_frame, pair_springs)
            for c in ti.static(range(dim)):
                force[here + c] = force[here + c] + (1.0 - 2.0 * side) * f[c]

    return BondFunctions(
        energy_of,
        pair_energy,
        strides_of,
        pull_both,
        pull_one,
        pull_pairs_both,
        pull_pairs_one,
    )
