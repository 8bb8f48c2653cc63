"""Being asked to stop: SIGINT and SIGTERM wait for the end of a step, so that the state can be saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ASKING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A run that was stopped by a signal.

    Attributes:
        signal: its number.
        advice: how to go on; empty where nothing was kept.
    """

    def __init__(self, number: int, advice: str = "") -> None:
        self.signal, self.advice = number, advice
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}" + (f"; {advice}" if advice else ""))


class Interrupts:
    """Listens for signals while it is entered, and only in the main thread, for others hear none.

    Outside :meth:`waiting` a signal raises at once. Inside it is noted, and a second one raises. Handlers that are
    not Python's own are left alone.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._patient = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in ASKING:
                handler = signal.getsignal(number)
                if handler in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = handler
                    signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within, the first signal waits for the next pause."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False
        if self.asked:  # too late for a pause
            raise self.interrupted()

    def interrupted(self, advice: str = "") -> Interrupted:
        """What to raise when the run stops because it was asked to."""
        return Interrupted(self.asked, advice)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = bool(self.asked), number
        if again or not self._patient:
            raise self.interrupted()
