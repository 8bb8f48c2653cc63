"""The page of a workload: tables as markdown, and the figure of cost against size."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks.timing import Cell, Outcome
from benchmarks.workload import Workload
from sandbox.plot.style import CATEGORICAL, DASHES, PAGE, Picture, new_figure, style

ALWAYS = ("matter-sandbox", "taichi", "numpy", "scipy")
MARKERS = "os^Dv*XPphd"


def write(workload: Workload, outcomes: Sequence[Outcome], command: str, threads: int, folder: Path) -> Path:
    """Write ``<key>.md`` (and ``<key>.png``) into a folder; the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = workload.key.lower()
    lines = [f"# {workload.key}: {workload.title}", "", workload.text.strip(), "", f"`{command}`", ""]
    lines += [f"{machine()}; {threads} thread{'s' if threads > 1 else ''}.", "", versions(workload), ""]
    if workload.figure and len(outcomes) > 1:
        draw(workload, outcomes).savefig(folder / f"{stem}.png")
        lines += [f"![cost against size]({stem}.png)", ""]
    for outcome in outcomes:
        for phase in dict.fromkeys(cell.phase for cell in outcome.cells):
            cells = [cell for cell in outcome.cells if cell.phase == phase]
            lines += [f"## {outcome.case.size:,} nodes, {workload.phases[phase]}", ""]
            lines += table(workload, outcome, cells, phase)
        if outcome.case.notes:
            lines += [*outcome.case.notes, ""]
        if outcome.skipped:
            lines += ["Left out: " + "; ".join(f"{name}: {why}" for name, why in outcome.skipped) + ".", ""]
    page = folder / f"{stem}.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


def table(workload: Workload, outcome: Outcome, cells: Sequence[Cell], phase: str) -> list[str]:
    """A row per contestant, fastest first."""
    unit, scale = workload.unit
    others = [cell.median for cell in cells if not cell.ours and not cell.gave_up]
    best = min(others, default=np.nan)
    floor = outcome.case.floors.get(phase)
    best_process = min((_process(cell) for cell in cells if not cell.ours and not cell.gave_up), default=np.nan)
    heads = [unit, "spread", "process time"]
    heads += ["peer/this"] if others else []
    heads += [workload.error]
    heads += ["peer/this, process time"] if others else []
    rounds = max(len(cell.seconds) for cell in cells)
    several = any(len(cell.seconds) < rounds for cell in cells)
    heads += ["this/floor"] if floor else []
    heads += ["rounds"] if several else []
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for cell in sorted(cells, key=lambda cell: cell.median):
        differs = " **differs**" if not agrees(workload, cell) else ""
        row = [
            _number(cell.median * scale),
            f"{cell.spread:.0%}",
            _number(_process(cell) * scale),
            *([f"{best / cell.median:.2f}"] if others else []),
            f"{cell.error:.0e}{differs}",
            *([f"{best_process / _process(cell):.2f}"] if others else []),
        ]
        row += [_number(cell.median / floor)] if floor else []
        row += [str(len(cell.seconds))] if several else []
        if cell.gave_up:
            row = [f"gave up after {_number(cell.median * scale)}", *([""] * (len(row) - 1))]
        name = f"**{cell.name}**" if cell.ours else cell.name
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    lines += [
        "",
        f"Medians of {rounds} rounds; spread: half the distance of the quartiles.",
    ]
    if others:
        lines[-1] += (
            " peer/this: time of the best peer over the time of the row; by process time, other work counts less."
        )
    lines[-1] += f" Floor: {_number(floor * scale)} {unit}." if floor else ""
    return [*lines, ""]


def agrees(workload: Workload, cell: Cell) -> bool:
    """Whether a contestant reached the answer of the reference."""
    return cell.gave_up or bool(cell.error <= workload.agreement)


def draw(workload: Workload, outcomes: Sequence[Outcome]) -> Picture:
    """Cost against size, a panel per phase."""
    unit, scale = workload.unit
    names = list(dict.fromkeys(cell.name for outcome in outcomes for cell in outcome.cells))
    phases = list(dict.fromkeys(cell.phase for outcome in outcomes for cell in outcome.cells))
    colours = [*CATEGORICAL, "0.55"]
    with style():
        figure = new_figure(PAGE, 3.0)
        axes = figure.subplots(1, len(phases), squeeze=False)[0]
        for axis, phase in zip(axes, phases, strict=True):
            for number, name in enumerate(names):
                cells = [c for o in outcomes for c in o.cells if c.name == name and c.phase == phase and not c.gave_up]
                axis.loglog(
                    [cell.size for cell in cells],
                    [cell.median * scale for cell in cells],
                    color=colours[number % len(colours)],
                    linestyle=DASHES[number % len(DASHES)],
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=4,
                    label=name,
                )
            axis.set(xlabel="nodes", ylabel=f"time, {unit}", title=workload.phases[phase])
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center")
    return figure


def machine() -> str:
    """Processor, cores and memory; nothing that tells where it is."""
    model = platform.machine()
    if Path("/proc/cpuinfo").exists():
        entries = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in entries.items()}
        model = f"{fields.get('model name', model)} (family {fields.get('cpu family')}, model {fields.get('model')})"
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    return f"{model}, {os.cpu_count()} cores{memory}"


def versions(workload: Workload) -> str:
    """Versions of Python and of every distribution that takes part and is installed."""
    found = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    wanted = dict.fromkeys([*ALWAYS, *(package for c in workload.contestants for package in c.packages)])
    for name in wanted:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found) + "."


def _process(cell: Cell) -> float:
    return float(np.median(cell.cpu))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
