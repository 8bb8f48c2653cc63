"""One frame as VTK through meshio: nodes as points, edges as lines, for ParaView, PyVista and VisIt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sandbox.errors import RunError
from sandbox.exporting.frames import Frame, in_space


def write_vtk(frame: Frame, path: Path, file_format: str) -> None:
    """Write a frame; ``file_format`` is ``"vtu"`` or ``"vtk"``.

    Points are where the nodes are. Point data: the values of the nodes, ``displacement`` from the reference where the
    state is positions, and 0 or 1 for ``role_NAME`` and ``group_NAME``. Cell data: the values of the edges, and in
    periodic networks ``crosses``, 1 for edges that cross the boundary of the box, which are drawn right across it.

    Raises:
        RunError: if meshio, an optional package, is not installed.
    """
    try:
        import meshio
    except ImportError as error:
        raise RunError("VTK files need the package meshio: pip install 'matter-sandbox[export]'") from error
    network, points = frame.network, in_space(frame.positions)
    of_points: dict[str, Any] = {_name(name): _data(v) for name, v in frame.nodes.items()}
    if frame.positions is not network.positions:
        of_points["displacement"] = points - in_space(network.positions)
    for kind, members in (("role", frame.roles), ("group", network.groups)):
        for name, nodes in members.items():
            of_points[_name(f"{kind}_{name}")] = np.isin(np.arange(network.n_nodes), nodes).astype(np.int32)
    of_lines: dict[str, Any] = {_name(name): [_data(v)] for name, v in frame.edges.items()}
    if network.cell is not None:
        of_lines["crosses"] = [np.any(network.shifts != 0, axis=1).astype(np.int32)]
    cells: list[Any] = [("line", network.edges)]
    if not network.n_edges:
        cells = [("vertex", np.arange(network.n_nodes)[:, None])]
    meshio.Mesh(points, cells, of_points, of_lines if network.n_edges else {}).write(path, file_format=file_format)


def _data(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    return in_space(array) if array.ndim == 2 and array.shape[1] == 2 else np.ascontiguousarray(array)


def _name(text: str) -> str:
    """The legacy format knows no blanks in names."""
    return text.replace(" ", "_")
