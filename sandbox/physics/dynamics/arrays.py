"""Arrays, as kernels take them: of floats by their dimensions, and rows of whole numbers."""

import taichi as ti

vector = ti.types.ndarray(dtype=ti.f64, ndim=1)
matrix = ti.types.ndarray(dtype=ti.f64, ndim=2)
tensor = ti.types.ndarray(dtype=ti.f64, ndim=3)
indices = ti.types.ndarray(dtype=ti.i32, ndim=1)
words = ti.types.ndarray(dtype=ti.u32, ndim=1)
steps = ti.types.ndarray(dtype=ti.i64, ndim=1)
