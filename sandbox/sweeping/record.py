"""What a sweep leaves behind: a tidy table with a row for each run, and one dataset over the axes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sandbox.files import write_atomically, write_text
from sandbox.results import DATA, open_run
from sandbox.sweeping.axes import Axis
from sandbox.sweeping.plan import RUNS, Case, value_text
from sandbox.sweeping.worker import Outcome

TABLE = "table.csv"
OUTCOME = "outcome"
"""Variable that says of each run whether it is complete, or why it failed. (A run has a ``state``: its network's.)"""
MOST = 50_000_000
"""Numbers in the dataset; what is larger, all runs together, is left to their folders."""

Outcomes = Mapping[str, Outcome]


def write_table(folder: Path, keys: Iterable[str], cases: Iterable[Case], outcomes: Outcomes) -> None:
    """Write the table: values of the keys, state, how often it was taken up again, figures of merit, folder, error.

    Raises:
        RunError: if it cannot be written.
    """
    figures = list(dict.fromkeys(name for o in outcomes.values() for name in o.figures))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*keys, "state", "resumed", *figures, "folder", "error"])
    for case in cases:
        ended = outcomes.get(case.name)
        end = ["not run", 0] if ended is None else [ended.state, ended.resumed]
        merit = [ended.figures.get(name, "") if ended else "" for name in figures]
        error = ended.error if ended else ""
        rows.writerow([*(value_text(v) for v in case.values.values()), *end, *merit, f"{RUNS}/{case.name}", error])
    write_text(folder / TABLE, text.getvalue())


def combine(folder: Path, axes: Sequence[Axis], cases: Sequence[Case], outcomes: Outcomes) -> xr.Dataset:
    """One dataset over the axes of the sweep: every figure of merit, and every variable that the runs recorded.

    A figure has its name in the summary of a run, ``"test accuracy"``, and a variable its name in the data of a run,
    ``"test_accuracy"``. Where a run failed, and where an axis of its own (epoch, node) is shorter than that of others,
    there is NaN. Variables that have more than :data:`MOST` numbers together are left out and named in the attribute
    ``left_out``, the largest first; and so are those whose shapes differ from run to run along an axis without labels.

    Raises:
        RunError: if a run that is complete was changed since.
    """
    import pandas as pd

    done = [c for c in cases if c.name in outcomes and not outcomes[c.name].error]
    pieces, left_out = [], []
    for case in done:
        data = open_run(folder / RUNS / case.name)
        if not pieces:
            left_out = _too_large(data, len(cases))
        data = data.drop_vars([n for n in left_out if n in data], errors="ignore").drop_encoding()
        pieces.append(data.assign(_figures(data, outcomes[case.name].figures)))
    uneven = _uneven(pieces)
    pieces = [piece.drop_vars(uneven, errors="ignore") for piece in pieces]
    left_out += uneven
    coordinates = {a.key: labels(a.values) for a in axes}
    if not axes:
        whole = pieces[0]
    else:
        names = sorted({str(n) for piece in pieces for n in piece.data_vars})
        shaped = [_with_all(piece, names) for piece in pieces]
        runs = pd.MultiIndex.from_tuples(
            [tuple(coordinates[a.key][i] for a, i in zip(axes, c.place, strict=True)) for c in done],
            names=list(coordinates),
        )
        whole = xr.concat(
            shaped, "run", data_vars="all", coords="different", compat="equals", join="outer", combine_attrs="drop"
        )
        whole = whole.assign_coords(xr.Coordinates.from_pandas_multiindex(runs, "run")).unstack("run")
        whole = whole.reindex(coordinates).transpose(*coordinates, ...)
        for name, variable in whole.data_vars.items():
            if variable.dtype == object:
                whole[name] = variable.fillna("").astype(str)
        for name, variable in whole.variables.items():
            variable.attrs = next((dict(p[name].attrs) for p in pieces if name in p.variables), {})
    grid = np.full([len(a.values) for a in axes], "not run", dtype=object)
    for case in cases:
        if case.name in outcomes:
            grid[case.place] = outcomes[case.name].error or "complete"
    whole[OUTCOME] = (tuple(coordinates), grid.astype(str), {"long_name": "complete, or why the run failed"})
    scene = cases[0].scene
    whole.attrs = {"scene": scene.name, "title": scene.title, "axes": list(coordinates), "left_out": left_out}
    return whole


def along(cases: Sequence[Case], outcomes: Outcomes) -> xr.Dataset:
    """A dataset over ``trial``: values of keys, figures of merit that are numbers, and outcomes."""
    ended = [outcomes[case.name] for case in cases]
    columns = {key: labels([case.values[key] for case in cases]) for key in cases[0].values}
    for name in dict.fromkeys(name for o in ended for name, v in o.figures.items() if isinstance(v, (int, float))):
        columns[name] = [o.figures.get(name, np.nan) for o in ended]
    columns[OUTCOME] = [o.error or "complete" for o in ended]
    return xr.Dataset({name: ("trial", values) for name, values in columns.items()})


def labels(values: Sequence[Any]) -> list[Any]:
    """Values of a key as labels: numbers, truths and texts as they are, everything else as text."""
    kinds = {type(v) for v in values}
    same = len(kinds) == 1 and kinds <= {int, float, str, bool}
    return list(values) if same else [value_text(v) for v in values]


def write_data(folder: Path, data: xr.Dataset) -> None:
    """Write the dataset.

    Raises:
        RunError: if it cannot be written.
    """
    compact = {n: {"zlib": True, "complevel": 3} for n, v in data.data_vars.items() if v.size > 64 and v.dtype != str}
    compact = {n: settings for n, settings in compact.items() if data[n].dtype.kind in "biuf"}
    content = data.to_netcdf(engine="h5netcdf", encoding=compact)
    write_atomically(folder / DATA, lambda path: path.write_bytes(content))


def _figures(data: xr.Dataset, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of merit as variables; one that has the name of something recorded gets another."""
    return {(f"{name} (figure)" if name in data.variables else name): value for name, value in figures.items()}


def _too_large(data: xr.Dataset, runs: int) -> list[str]:
    total, out = 0, []
    for name, variable in sorted(data.data_vars.items(), key=lambda item: item[1].size):
        total += variable.size * runs
        if total > MOST:
            out.insert(0, str(name))
    return out


def _uneven(pieces: Sequence[xr.Dataset]) -> list[str]:
    """Variables along dimensions without labels whose size is not the same in all runs."""
    sizes: dict[Any, set[int]] = {}
    for piece in pieces:
        for dimension, size in piece.sizes.items():
            if dimension not in piece.indexes:
                sizes.setdefault(dimension, set()).add(size)
    odd = {dimension for dimension, found in sizes.items() if len(found) > 1}
    return sorted({str(n) for piece in pieces for n, v in piece.data_vars.items() if odd & set(v.dims)})


def _with_all(piece: xr.Dataset, names: list[str]) -> xr.Dataset:
    """A figure that a run does not have, say an event that did not happen, is NaN."""
    return piece.assign({name: np.nan for name in names if name not in piece})
