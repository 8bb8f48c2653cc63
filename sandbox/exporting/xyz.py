"""Positions and node values as extended XYZ, which OVITO and ASE read; the file of choice for motion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from sandbox.exporting.frames import Frame, in_space, refuse_taken

NAMES = {"velocity": "velo"}
"""What readers call a column."""


def write_xyz(frames: Iterable[Frame], path: Path) -> None:
    """Write frames one after another; edges have no place in this format.

    Columns: ``species`` (X for every node), ``pos`` (3), ``role`` (``none`` for nodes without), and the values of the
    nodes, vectors as 3 columns. The comment line has ``pbc``, ``label``, in a motion ``Time``, and of periodic networks
    the ``Lattice``.
    Numbers are written so that they read back to the same bits.
    """
    with path.open("w", encoding="utf-8") as file:
        for frame in frames:
            _write(frame, file.write)


def _write(frame: Frame, write: Callable[[str], object]) -> None:
    names = [NAMES.get(name, name).replace(" ", "_") for name in frame.nodes]
    refuse_taken(names, ("species", "pos", "role"), "an XYZ file")
    values = {name: np.asarray(v) for name, v in zip(names, frame.nodes.values(), strict=True)}
    values = {name: in_space(v) if v.ndim == 2 and v.shape[1] <= 3 else v for name, v in values.items()}
    properties = ["species:S:1", "pos:R:3", "role:S:1"]
    properties += [f"{name}:R:{1 if v.ndim == 1 else v.shape[1]}" for name, v in values.items()]
    comment = [f"Properties={':'.join(properties)}", *_box(frame), f'label="{frame.label}"']
    if frame.time is not None:
        comment.append(f"Time={frame.time!r}")
    write(f"{frame.network.n_nodes}\n{' '.join(comment)}\n")
    table = np.column_stack([np.zeros((len(frame.positions), 0)), *values.values()])
    for point, role, row in zip(in_space(frame.positions).tolist(), frame.role_of_nodes(), table.tolist(), strict=True):
        write(" ".join(["X", *map(repr, point), role or "none", *map(repr, row)]) + "\n")


def _box(frame: Frame) -> list[str]:
    """``Lattice`` and ``pbc`` of a periodic network; directions without period get a lattice vector of length one."""
    cell = frame.network.cell
    if cell is None:
        return ['pbc="F F F"']
    full = np.eye(3)
    periodic = np.zeros(3, dtype=bool)
    periodic[: len(cell)] = np.any(cell != 0, axis=1)
    full[: len(cell)][periodic[: len(cell)]] = in_space(cell)[periodic[: len(cell)]]
    numbers = " ".join(repr(float(number)) for number in full.ravel())
    return [f'Lattice="{numbers}"', f'pbc="{" ".join("T" if p else "F" for p in periodic)}"']
