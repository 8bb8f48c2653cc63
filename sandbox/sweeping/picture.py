"""The picture of a sweep: a figure of merit over one or two of its axes."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sandbox.files import write_atomically
from sandbox.pictures import DPI
from sandbox.plot.sweeps import MOST_LINES, draw_grid, draw_spread
from sandbox.sweeping.axes import SEED

PICTURE = "sweep.png"
TOLD = ("test accuracy", "train accuracy", "test loss", "train loss", "energy", "final energy")
"""Figures of merit, the most telling first."""


def draw(data: xr.Dataset, folder: Path) -> list[Path]:
    """Draw the dataset of a sweep into its folder; nothing where no figure of merit is a number."""
    made = figure(data)
    if made is None:
        return []
    path = folder / PICTURE
    write_atomically(path, lambda temporary: made.savefig(temporary, dpi=DPI, format="png"))
    return [path]


def figure(data: xr.Dataset, merit: str | None = None) -> Any:
    """A picture of a figure of merit, by default the most telling.

    Seeds are repetitions. The numeric axis with most values goes across, the others make lines; two axes with too many
    values for that make a grid of medians.

    Returns:
        None where there is nothing to draw, or more axes than one picture shows.
    """
    axes = [axis for axis in data.attrs["axes"] if axis != SEED]
    name = merit or next((n for n in (*TOLD, *_numbers(data)) if n in data), None)
    if name is None or not data.attrs["axes"]:
        return None
    title = data.attrs["title"] or data.attrs["scene"]
    if not axes:
        series = {name: data[name].to_numpy()[:, None]}
        return draw_spread(_labels(data, SEED), series, xlabel=SEED, ylabel=name, title=title)
    values = data[name].expand_dims(SEED) if SEED not in data[name].dims else data[name]
    across = max(axes, key=lambda a: (data[a].dtype.kind in "if", data.sizes[a]))
    others = [a for a in axes if a != across]
    lines = int(np.prod([data.sizes[a] for a in others]))
    if lines <= MOST_LINES:
        series = {}
        for places in product(*(range(data.sizes[a]) for a in others)):
            chosen = dict(zip(others, places, strict=True))
            rows = values.isel(chosen).transpose(across, SEED).to_numpy()
            series[", ".join(f"{a} = {_labels(data, a)[i]}" for a, i in chosen.items()) or name] = rows
        return draw_spread(_labels(data, across), series, xlabel=across, ylabel=name, title=title)
    if len(others) == 1:
        median = values.median(SEED).transpose(across, others[0]).to_numpy()
        count = values.sizes[SEED]
        return draw_grid(
            _labels(data, across),
            _labels(data, others[0]),
            median,
            xlabel=across,
            ylabel=others[0],
            label=f"{name}, median of {count} seeds" if count > 1 else name,
            title=title,
        )
    return None


def _labels(data: xr.Dataset, axis: str) -> list[Any]:
    return data[axis].to_numpy().tolist()


def _numbers(data: xr.Dataset) -> list[str]:
    """Figures of merit that are numbers: variables over the axes of the sweep alone."""
    axes = set(data.attrs["axes"])
    return [
        str(n) for n, v in data.data_vars.items() if set(v.dims) == axes and v.dtype.kind in "if" and n != "seconds"
    ]
