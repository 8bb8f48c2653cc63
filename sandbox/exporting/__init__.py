"""Results in formats that others open: networks as GraphML, positions and states as extended XYZ and VTK; films."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sandbox.errors import RunError
from sandbox.exporting.film import SUFFIXES, write_film
from sandbox.exporting.frames import Frame, Recording
from sandbox.exporting.graphml import write_graphml
from sandbox.exporting.vtk import write_vtk
from sandbox.exporting.xyz import write_xyz
from sandbox.physics.network import Network
from sandbox.results import Run, read_run, write_atomically

FORMATS = (".graphml", ".xyz", ".extxyz", ".vtu", ".vtk", *SUFFIXES)


def export(
    source: str | Path | Run | Network,
    to: str | Path,
    *,
    frame: int | None = None,
    positions: npt.ArrayLike | None = None,
    nodes: Mapping[str, npt.ArrayLike] | None = None,
    edges: Mapping[str, npt.ArrayLike] | None = None,
) -> Path:
    """Write a run, or a network with values on it, to a file that others open.

    Args:
        source: the folder of a run, a run, or a network.
        to: the file, replaced if there is one. Its name says the format: ``.graphml``; ``.xyz`` or ``.extxyz``;
            ``.vtu`` or ``.vtk``; for a film of a run ``.gif``, ``.mp4`` (with the extra ``film``) or ``.html``.
        frame: which moment of a run: 0 (untrained) or 1 (trained) of one that learned, the number of a recorded time of
            a motion; negative numbers count from the end. By default the last, but all of them for XYZ and films.
        positions: of a network given as source, where its nodes are, (N, D).
        nodes: of a network given as source, values by name, (N,) or (N, components).
        edges: of a network given as source, values by name, (E,).

    Returns:
        The file.

    Raises:
        RunError: for a format that is not there, a folder that is no complete run, values that do not fit, a frame that
            does not exist, or a file that cannot be written.
    """
    path = Path(to)
    form = path.suffix.lower()
    if form not in FORMATS:
        raise RunError(f"{path.name!r}: the name of the file says the format; it ends in one of {', '.join(FORMATS)}")
    if form in SUFFIXES:
        if isinstance(source, Network) or frame is not None:
            raise RunError("a film is made of all frames of a run; write one frame, or a network, to another format")
        run = source if isinstance(source, Run) else read_run(Path(source))
        write_atomically(path, lambda temporary: write_film(run, temporary, form))
        return path
    if isinstance(source, Network):
        where = source.positions if positions is None else np.asarray(positions, dtype=float)
        one = Frame(source, where, _arrays(nodes), _arrays(edges))
        frames = [one]
    else:
        if positions is not None or nodes is not None or edges is not None:
            raise RunError("positions, nodes and edges go with a network as source; a run has its own")
        recording = Recording(source.folder if isinstance(source, Run) else Path(source))
        one = recording.frame(-1 if frame is None else frame)
        frames = recording if frame is None else [one]
    if form == ".graphml":
        write_atomically(path, lambda temporary: write_graphml(one, temporary))
    elif form in (".xyz", ".extxyz"):
        write_atomically(path, lambda temporary: write_xyz(frames, temporary))
    else:
        write_atomically(path, lambda temporary: write_vtk(one, temporary, form[1:]))
    return path


def _arrays(values: Mapping[str, npt.ArrayLike] | None) -> dict[str, np.ndarray]:
    return {name: np.asarray(array) for name, array in (values or {}).items()}
