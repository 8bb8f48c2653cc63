"""How a run tells what it is doing: one small protocol, implemented for terminals and for notebooks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Any, Protocol, Self, TextIO, cast

from sandbox.errors import printable


class Reporter(Protocol):
    """Told of progress. By default a bar in a notebook, and nothing elsewhere."""

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


class _Patient:
    """A stream on which nothing fails: a run does not end because nobody can be told how it stands."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Terminal:
    """A progress bar with the time left and the live figures; use as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self.console = Console(file=None if sys.stderr is None else cast(IO[str], _Patient(sys.stderr)), stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", style="dim", markup=False),
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
        self.task = self.progress.add_task(printable(what), total=total, figures="")

    def advance(self, done: int, figures: Mapping[str, float]) -> None:
        if self.task is not None:
            text = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
            self.progress.update(self.task, completed=done, figures=printable(text))

    def warn(self, message: str) -> None:
        self.console.print("warning:", style="yellow", end=" ", highlight=False)
        self.console.print(printable(message), highlight=False, markup=False)


class Notebook:
    """A progress bar with the time left and the live figures under a cell; it goes away when the run ends.

    Needs tqdm, and draws a widget where there is ipywidgets; both come with the extra ``jupyter``.
    """

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._bars, self._bar = tqdm, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close(ended=kind is None)

    def start(self, what: str, total: int) -> None:
        self._close(ended=True)
        self._bar: Any = self._bars(total=total, desc=what, leave=False, dynamic_ncols=True)

    def advance(self, done: int, figures: Mapping[str, float]) -> None:
        if self._bar is not None:
            text = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(done - self._bar.n)

    def warn(self, message: str) -> None:
        self._bars.write(f"warning: {printable(message)}")

    def _close(self, ended: bool) -> None:
        if self._bar is not None:
            if ended:  # a bar that is not full stays, in red: that is for runs that were cut short
                self._bar.total = self._bar.n
            self._bar.close()
            self._bar = None


@contextmanager
def telling(reporter: Reporter | None) -> Iterator[Reporter]:
    """The reporter that was given; if none was, a bar in a notebook that can show one, and silence elsewhere."""
    if reporter is not None:
        yield reporter
        return
    bar = _bar_of_notebook()
    if bar is None:
        yield Silent()
        return
    with bar:
        yield bar


def _bar_of_notebook() -> Notebook | None:
    if "ipykernel" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    if not hasattr(get_ipython(), "kernel"):
        return None
    try:
        return Notebook()
    except ImportError:
        return None
