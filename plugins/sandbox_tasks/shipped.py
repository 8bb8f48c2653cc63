"""Data sets that scikit-learn ships as files, read without importing it: that would take longer than a small scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.errors import SandboxError


def shipped(file: str, names: Sequence[str], header: int = 0) -> Mapping[str, Any]:
    """``data`` (S, F), ``target`` (S,) whole numbers, and ``feature_names``.

    Args:
        file: in scikit-learn's folder of data; a sample a line, features first and the class last, commas between.
        names: of the features.
        header: lines to skip.

    Raises:
        SandboxError: if the file is not there, or has another number of columns.
    """
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise SandboxError(f"{file} comes with scikit-learn, which is not installed: pip install scikit-learn")
    path = Path(found.submodule_search_locations[0]) / "datasets" / "data" / file
    if not path.is_file():
        raise SandboxError(f"this version of scikit-learn has no {path}, its file of that data set; install 1.9")
    table = np.loadtxt(path, delimiter=",", skiprows=header, ndmin=2)
    if table.shape[1] != len(names) + 1:
        raise SandboxError(f"{path} has {table.shape[1]} columns; expected {len(names)} features and a class")
    return {"data": np.ascontiguousarray(table[:, :-1]), "target": table[:, -1].astype(int), "feature_names": names}
