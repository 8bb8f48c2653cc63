"""Events: what a run met that its reader should know, counted, with the steps at which it happened.

Nothing here stops a run unless the log is strict. What cannot be gone on from is an error, not an event: a number that
is not finite, an evaluation or most steps of an epoch that do not converge, a motion whose energy explodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sandbox.errors import SandboxError


class Kind(StrEnum):
    """What can happen; :attr:`advice` is a likely mend."""

    CONVEXITY = "loss of convexity"
    SATURATION = "bound saturation"
    RUNAWAY = "knob runaway"
    SKIPPED = "step not converged"
    JUMP = "thrown by the nudge"
    MISSED = "stop loss missed"
    TIME_STEP = "time step too long"

    @property
    def advice(self) -> str:
        return _ADVICE[self]


_ADVICE = {
    Kind.CONVEXITY: "the joint energy of state and stiffness was not convex, so descent is not promised; lower the "
    "compliance or the nudging",
    Kind.SATURATION: "stiffnesses came to rest at their bounds, where they no longer learn; widen the bounds, or lower "
    "the compliance",
    Kind.RUNAWAY: "a knob went far beyond the stiffnesses it works on; lower the compliance",
    Kind.SKIPPED: "a relaxation did not converge, and its step was taken back; raise bench.tolerance, or lower the "
    "compliance or the nudging",
    Kind.JUMP: "the nudge throws the state into another basin, so the steps follow no gradient; lower controller.beta "
    "as far as said, and raise bench.compliance by as much",
    Kind.MISSED: "the epochs ended before the training loss was below training.stop_loss; train longer if the loss "
    "still falls, or try another seed, compliance or nudging",
    Kind.TIME_STEP: "small motions are not stable at this dynamics.time_step; take a fifth of the stable one or less",
}

VERDICTS = frozenset({Kind.MISSED})
"""Kinds that are about how a run ended. They end a strict run with an error too, but what it computed is kept first."""

MAX_ENTRIES = 1000
"""Entries kept of each kind: the first ones. Counts go on."""


class StrictError(SandboxError):
    """An event in a strict run."""


@dataclass
class Event:
    """Something that happened in the steps from ``step`` to ``last_step`` (replayed steps are seen together).

    Attributes:
        step: the first of them. Training steps are counted from 1; 0 is outside training.
        count: how often: phases, stiffnesses that came to a bound (less those that left one), knobs or steps, by kind.
        detail: where, or how much.
        size: of what may go on from step to step, the largest so far, which is also what the detail is of.
    """

    kind: str
    step: int
    last_step: int
    count: int
    detail: str = ""
    size: float | None = None


class Events:
    """The events of one apparatus.

    Args:
        strict: whether the first event is an error.

    Attributes:
        step: the training step that is being done; whoever trains sets it.
        counts: by kind.
        entries: the first :data:`MAX_ENTRIES` of each kind.
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.step = 0
        self.counts: dict[str, int] = {}
        self.entries: list[Event] = []
        self._kept: dict[str, int] = {}
        self._last: dict[str, Event] = {}

    def add(
        self,
        kind: Kind,
        count: int = 1,
        detail: str = "",
        *,
        last_step: int | None = None,
        size: float | None = None,
    ) -> None:
        """Take note. What has a size, and was there in the step before, goes on: it is the same event.

        Raises:
            StrictError: if the log is strict.
        """
        event = Event(kind.value, self.step, self.step if last_step is None else last_step, int(count), detail, size)
        self.counts[event.kind] = self.counts.get(event.kind, 0) + event.count
        kept, last = self._kept.get(event.kind, 0), self._last.get(event.kind)
        if last is not None and (last.step, last.last_step, last.detail) == (event.step, event.last_step, detail):
            last.count += event.count
        elif last is not None and last.size is not None and size is not None and event.step <= last.last_step + 1:
            last.count, last.last_step = last.count + event.count, max(last.last_step, event.last_step)
            if size > last.size:
                last.size, last.detail = size, detail
        elif kept < MAX_ENTRIES:
            self.entries.append(event)
            self._kept[event.kind], self._last[event.kind] = kept + 1, event
        if self.strict and kind not in VERDICTS:
            where = f"in step {self.step}"
            raise StrictError(
                f"{kind.value} {where}{f' ({detail})' if detail else ''}, and the run is strict: {kind.advice}; "
                "without --strict it is recorded, and the run goes on"
            )

    def lines(self) -> list[str]:
        """A line for each kind that happened: how often, when first, what was the largest, and what may help."""
        return [
            f"{kind}: {count} time(s), {_when([e for e in self.entries if e.kind == kind])}; {Kind(kind).advice}"
            for kind, count in sorted(self.counts.items())
        ]

    def record(self) -> dict[str, Any]:
        """Counts and entries as plain data, for a file or a checkpoint."""
        return {"strict": self.strict, "counts": dict(self.counts), "events": [asdict(e) for e in self.entries]}

    def restore(self, record: Mapping[str, Any]) -> None:
        """Go on from a record."""
        self.strict, self.counts = bool(record["strict"]), {str(k): int(v) for k, v in record["counts"].items()}
        self.entries, self._kept, self._last = [], {}, {}
        for entry in record["events"]:
            event = Event(**entry)
            self.entries.append(event)
            self._kept[event.kind] = self._kept.get(event.kind, 0) + 1
            self._last[event.kind] = event


def judge(kinds: Iterable[str]) -> None:
    """See that a strict run that is complete has no events about how it ended.

    Raises:
        StrictError: for the first of :data:`VERDICTS` among its kinds.
    """
    for kind in kinds:
        if kind in VERDICTS:
            raise StrictError(f"{kind}, and the run is strict; what it computed is kept. {Kind(kind).advice}")


def _when(events: list[Event]) -> str:
    """When the events of a kind began and, of those with a size, which was the largest."""
    largest = max((e for e in events if e.size is not None), key=lambda e: e.size or 0.0, default=None)
    return f"first in step {events[0].step}" + (f", the largest: {largest.detail}" if largest else "")
