"""What the start of Taichi does to kernels that are not ours.

No ``from __future__ import annotations`` here: Taichi reads the annotations of kernels.
"""

# pyright: reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportCallIssue=false
# (annotations of Taichi kernels are values, not types)

import numpy as np
import pytest
import taichi as ti

from sandbox.physics import runtime

runtime.start()
_vector = ti.types.ndarray(dtype=ti.f64, ndim=1)


@ti.data_oriented
class Scale:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    @ti.func
    def of(self, x):
        return self.factor * x

    @ti.kernel
    def on(self, x: _vector):
        for i in x:
            x[i] = self.of(x[i])


class Bare:
    @ti.kernel
    def on(self, x: _vector):
        for i in x:
            x[i] = 1.0


@ti.kernel
def _wrong(x: _vector):
    for i in x:
        x[i] = x[i].nowhere


def test_kernels_in_classes_are_told_from_others() -> None:
    x = np.ones(3)
    Scale(3.0).on(x)
    np.testing.assert_array_equal(x, 3.0)
    with pytest.raises(ti.TaichiSyntaxError, match="decorate class Bare"):
        Bare().on(x)


def test_errors_show_where_in_a_kernel_they_arose() -> None:
    with pytest.raises(ti.TaichiCompilationError, match=r"x\[i\] = x\[i\].nowhere\n *\^+"):
        _wrong(np.ones(3))
