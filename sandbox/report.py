"""How a run tells what it is doing: one small protocol, one implementation for terminals."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from sandbox.errors import printable


class Reporter(Protocol):
    """Told of progress. Silent by default."""

    def start(self, what: str, total: int) -> None:
        """Something of a known number of steps begins."""

    def advance(self, done: int, figures: Mapping[str, float]) -> None:
        """So many steps are done, and this is how it stands."""

    def warn(self, message: str) -> None:
        """Something the user should know."""


class Silent:
    """Says nothing."""

    def start(self, what: str, total: int) -> None: ...

    def advance(self, done: int, figures: Mapping[str, float]) -> None: ...

    def warn(self, message: str) -> None: ...


class Terminal:
    """A progress bar with the time left and the live figures; use as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[figures]}"),
            console=self.console,
            transient=True,
        )
        self.task = None

    def __enter__(self) -> Self:
        self.progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.__exit__(kind, error, trace)

    def start(self, what: str, total: int) -> None:
        if self.task is not None:
            self.progress.remove_task(self.task)
        self.task = self.progress.add_task(what, total=total, figures="")

    def advance(self, done: int, figures: Mapping[str, float]) -> None:
        if self.task is not None:
            text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            self.progress.update(self.task, completed=done, figures=text)

    def warn(self, message: str) -> None:
        self.console.print("warning:", style="yellow", end=" ", highlight=False)
        self.console.print(printable(message), highlight=False, markup=False)
