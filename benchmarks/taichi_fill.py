"""The kernel that hands a matrix to Taichi's builder. No future annotations here: Taichi reads them."""

import taichi as ti


@ti.kernel
def fill(
    rows: ti.types.ndarray(),  # type: ignore[valid-type]
    columns: ti.types.ndarray(),  # type: ignore[valid-type]
    values: ti.types.ndarray(),  # type: ignore[valid-type]
    builder: ti.types.sparse_matrix_builder(),  # type: ignore[valid-type]
):
    for entry in range(rows.shape[0]):
        builder[rows[entry], columns[entry]] += values[entry]
