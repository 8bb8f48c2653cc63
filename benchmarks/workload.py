"""What a workload says about itself; one module each, ``benchmarks.w1_flow`` and so on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.timing import Case, Contestant


@dataclass(frozen=True)
class Workload:
    """A workload and those who do it.

    Attributes:
        key: ``"W1"``, as on the command line.
        title: one line.
        text: what is done, to which accuracy, and what each contestant is handed; markdown.
        sizes, quick: numbers of nodes, and those of the quick form.
        case: makes the case of a size, in the quick form or not.
        contestants: the first is the reference for the answers.
        phases: what each phase is, for the headings.
        error, agreement: what the error of an answer is called, and the largest that counts as the same answer.
        unit: of the figures, and how many make a second.
        figure: whether cost against size is drawn.
    """

    key: str
    title: str
    text: str
    sizes: Sequence[int]
    quick: Sequence[int]
    case: Callable[[int, bool], Case]
    contestants: Sequence[Contestant]
    phases: Mapping[str, str]
    agreement: float
    unit: tuple[str, float]
    error: str = "difference"
    figure: bool = False
