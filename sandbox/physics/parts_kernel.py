"""Connected parts of large networks, in one pass over the edges.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false
# (annotations of Taichi kernels are values, not types)

import taichi as ti

_ints = ti.types.ndarray(dtype=ti.i32, ndim=1)
_pairs = ti.types.ndarray(dtype=ti.i32, ndim=2)


@ti.func
def root_of(node: ti.i32, parent: ti.template()) -> ti.i32:
    """The lowest node known to be in the same part; the way there is halved for the next time."""
    i = node
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@ti.kernel
def parts(
    edges: _pairs,  # (E, 2)
    label: _ints,  # (N,) part of each node, numbered in the order of their first nodes, out
):
    """Union by lowest node, so that every node's parent comes before it."""
    ti.loop_config(serialize=True)
    for _ in range(1):
        for i in range(label.shape[0]):
            label[i] = i
        for e in range(edges.shape[0]):
            a = root_of(edges[e, 0], label)
            b = root_of(edges[e, 1], label)
            label[ti.max(a, b)] = ti.min(a, b)
        count = 0
        for i in range(label.shape[0]):
            if label[i] == i:
                label[i] = count
                count += 1
            else:
                label[i] = label[label[i]]
