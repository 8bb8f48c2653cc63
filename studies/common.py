"""What the studies share: their command line, and the page and picture that they leave behind.

A study is a function from its options to a :class:`Finding`. :func:`conduct` parses the command line, runs it, writes
``NAME.md`` and ``NAME.png`` and fails if a bar was missed::

    def measure(options: argparse.Namespace) -> Finding: ...

    def main(argv: list[str] | None = None) -> None:
        conduct("order_one", measure, argv)
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure

PAGES = Path(__file__).resolve().parent.parent / "docs" / "studies"
"""Where the full form of a study writes."""

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


class BarMissed(Exception):  # noqa: N818 (it names an outcome, as StopIteration does)
    """A measured figure lies outside its bar. The message has one line for each."""


@dataclass(frozen=True)
class Bar:
    """A measured figure and the range it has to lie in, both ends included."""

    what: str
    measured: float
    low: float = -math.inf
    high: float = math.inf

    @property
    def met(self) -> bool:
        """Whether it does; a figure that is not a number does not."""
        return self.low <= self.measured <= self.high

    def wanted(self) -> str:
        """The range in words."""
        if self.low == self.high:
            return f"{self.low:g}"
        if self.low == -math.inf:
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if self.high == math.inf else f"{self.low:g} to {self.high:g}"


@dataclass
class Finding:
    """What a study found.

    Attributes:
        title: heading of the page.
        text: what was done and what the table says, in Markdown.
        header: names of the columns.
        rows: cells of the table, as text or numbers (numbers are written with three digits).
        figure: the picture.
        caption: what the picture shows.
        bars: what had to be met.
        notes: Markdown that follows the table.
    """

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    figure: Figure
    caption: str
    bars: Sequence[Bar]
    notes: str = ""


def options_of(
    name: str, argv: Sequence[str] | None, add: Callable[[argparse.ArgumentParser], Any] | None = None
) -> argparse.Namespace:
    """The parsed options ``seed``, ``quick``, ``out``, ``workers``, and what ``add`` puts beside them."""
    parser = argparse.ArgumentParser(prog=f"python -m studies.{name}")
    parser.add_argument("--seed", type=int, default=0, help="of every random draw (default 0)")
    parser.add_argument("--quick", action="store_true", help="a small form, in seconds, with the same bars")
    parser.add_argument("--out", type=Path, help="folder for page and picture (default docs/studies; --quick: none)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    if add is not None:
        add(parser)
    return parser.parse_args(argv)


def conduct(
    name: str,
    measure: Callable[[argparse.Namespace], Finding],
    argv: Sequence[str] | None = None,
    add: Callable[[argparse.ArgumentParser], Any] | None = None,
) -> None:
    """Run a study from its command line, record it, and hold it to its bars.

    Args:
        name: of the module; page and picture are called after it.
        measure: the study.
        argv: arguments, those of the process by default.
        add: adds arguments of the study's own to the parser.

    Raises:
        BarMissed: after page and picture have been written.
    """
    options = options_of(name, argv, add)
    began, used = time.perf_counter(), _processor_time()
    finding = measure(options)
    seconds = time.perf_counter() - began, _processor_time() - used
    text = page(name, finding, command(name, options), seconds, options.workers)
    print(text)
    out = options.out or (None if options.quick else PAGES)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.md").write_text(text, encoding="utf-8")
        finding.figure.savefig(out / f"{name}.png")
    missed = [bar for bar in finding.bars if not bar.met]
    if missed:
        raise BarMissed("\n".join(f"{name}: {b.what}: {b.measured:.4g}, wanted {b.wanted()}" for b in missed))


def command(name: str, options: argparse.Namespace) -> str:
    """The command line that repeats a study; where it writes is left out."""
    words = [f"python -m studies.{name}"]
    for key, value in vars(options).items():
        flag = "--" + key.replace("_", "-")
        if key == "out" or value is None or value is False or (key == "workers" and value == 1):
            continue
        words.append(flag if value is True else f"{flag} {value}")
    return " ".join(words)


def page(name: str, finding: Finding, repeat: str, seconds: tuple[float, float], workers: int = 1) -> str:
    """The page of a study, in Markdown; ``seconds`` are by the clock and of the processor."""
    processes = "one process" if workers == 1 else f"{workers} processes"
    lines = [f"# {finding.title}", "", finding.text.strip(), "", f"![{finding.title}]({name}.png)", ""]
    lines += [finding.caption, "", *table(finding.header, finding.rows), ""]
    if finding.notes:
        lines += [finding.notes.strip(), ""]
    if finding.bars:
        rows = [(b.what, b.measured, b.wanted(), "yes" if b.met else "**no**") for b in finding.bars]
        lines += ["## Bars", "", *table(("what", "measured", "bar", "met"), rows), ""]
    lines += [
        f"    {repeat}",
        "",
        f"It took {seconds[1]:.0f} s of processor time, {seconds[0]:.0f} s by the clock, in {processes}.",
    ]
    return "\n".join(lines) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table; columns of numbers are set to the right."""
    rows = [list(row) for row in rows]
    right = [bool(rows) and all(isinstance(row[i], (int, float)) for row in rows) for i in range(len(header))]
    return [
        "| " + " | ".join(header) + " |",
        "| " + " | ".join("---:" if r else "---" for r in right) + " |",
        *("| " + " | ".join(_cell(value) for value in row) + " |" for row in rows),
    ]


def spread_over(workers: int, work: Callable[[Job], Outcome], jobs: Sequence[Job]) -> list[Outcome]:
    """``work`` done on every job, in this process or in several (spawned: the runtime does not survive a fork)."""
    if workers == 1:
        return [work(job) for job in jobs]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, jobs))


def _processor_time() -> float:
    """Of this process and of those that it has waited for, in seconds."""
    return sum(os.times()[:4])


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:d}" if isinstance(value, int) else f"{value:#.3g}".removesuffix(".")
