"""Nudges that are too strong: whether the outputs come back from them, and a strength from which they do.

In a nonlinear system a nudge can throw the state into another basin. The contrast of two phases is then no derivative,
and a step follows no gradient. Seen at the outputs alone: a nudge is raised and lowered again, rung by rung. If the
state has jumped, the outputs read otherwise on the way down than on the way up; or they have gone in a leap, far beyond
what the rungs below let expect, and leap back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from sandbox.apparatus.apparatus import Apparatus
from sandbox.physics.equilibrium import NotConverged
from sandbox.physics.material import Material

RUNGS = (0.25, 0.5, 1.0)
"""Strengths of nudging on the way up, and back, in units of the one that is tried."""

APART = 1e-2
"""Difference of readings up and down, relative to how far the outputs move, from which on the state has jumped."""

ROUNDING = 1e-6
"""Difference of readings, relative to the largest, that passes for what relaxations leave."""

LEAP = 5.0
"""How far the outputs move per strength on a rung, relative to the most on those below, from which on the state has
jumped. A nudge against a stiffness, which softens it, comes to this where it takes away nine tenths."""

STIRRED = 1e-3
"""Part of the whole way that the outputs must have gone on the rungs below, for a leap to be one: a unit at the end of
its box may begin to move later."""

HALVINGS = 20
"""Of the strength, in search of one from which the outputs come back."""


@dataclass(frozen=True)
class Jump:
    """A state thrown into another basin.

    Attributes:
        beta: the strength of nudging.
        sample: which of those that were tried.
        moved: the farthest that an output moves.
        linear: how far it would move, were the response that of the lowest rung.
        back: whether it comes back.
        enough: a strength at which no sample jumps; ``None`` if none was found.
    """

    beta: float
    sample: int
    moved: float
    linear: float
    back: bool
    enough: float | None

    def __str__(self) -> str:
        times = f"{self.moved / self.linear:.3g} times the" if self.linear else "with no"
        how = "in a leap" if self.back else "and it does not come back"
        return f"a nudge of {self.beta:.3g} moves an output by {self.moved:.3g}, {times} linear response, {how}"


def find_jump(apparatus: Apparatus, inputs: np.ndarray, targets: np.ndarray, betas: Iterable[float]) -> Jump | None:
    """Nudge samples (B, inputs) to their targets (B, outputs), and off again; the first strength that is too much.

    The apparatus stands afterwards as before, and its meter does not count it. ``None`` too where a relaxation does not
    converge: a step that meets that is taken back.
    """
    system = apparatus.system
    if isinstance(system, Material) and system.is_linear and system.box is None:
        return None
    begin = apparatus._state
    with _aside(apparatus):

        def tried(beta: float) -> tuple[int, float, float, bool] | None:
            apparatus._state = begin  # not where a trial before has thrown it
            return _tried(apparatus, inputs, targets, beta)

        try:
            for beta in betas:
                found = tried(beta)
                if found is not None:
                    strengths = (beta * 0.5**n for n in range(1, HALVINGS + 1))
                    enough = next((b for b in strengths if tried(b) is None), None)
                    return Jump(beta, *found, enough)
        except NotConverged:
            return None
    return None


def _tried(
    apparatus: Apparatus, inputs: np.ndarray, targets: np.ndarray, beta: float
) -> tuple[int, float, float, bool] | None:
    """Of a sample that jumps: which, how far it moves, really and by linear response, and whether it comes back."""
    apparatus.clamp(inputs)
    levels = (0.0, *RUNGS)

    def read(share: float) -> np.ndarray:
        apparatus.nudge(targets if share else None, share * beta)
        return apparatus.read()

    up = np.array([read(share) for share in levels])
    down = np.array([read(share) for share in levels[-2::-1]])[::-1]
    apart = np.abs(up[:-1] - down).max(axis=(0, 2))
    moved = np.maximum(np.abs(up[-1] - up[0]).max(axis=1), apart)
    noise = ROUNDING * float(np.abs(up).max(initial=0.0))
    astray = apart > np.maximum(APART * moved, noise)
    steps = np.abs(np.diff(up, axis=0)).max(axis=2)
    slopes = steps / np.diff(levels)[:, None]
    below = np.maximum.accumulate(slopes, axis=0)[:-1]
    stirred = np.maximum.accumulate(steps, axis=0)[:-1] > np.maximum(STIRRED * moved, noise)
    jumped = astray | (stirred & (slopes[1:] > LEAP * below)).any(axis=0)
    if not jumped.any():
        return None
    sample = int(np.argmax(np.where(jumped, moved, -1.0)))
    return sample, float(moved[sample]), float(steps[0, sample] / RUNGS[0]), not astray[sample]


@contextmanager
def _aside(apparatus: Apparatus) -> Iterator[None]:
    """Let what is done inside leave no trace: the experimenter's own look."""
    names = ("_inputs", "_targets", "_beta", "_gripped", "_boundary", "_settled", "_state")
    before = {name: getattr(apparatus, name) for name in names}
    with apparatus.unmetered():
        try:
            apparatus.clamp_outputs(None)
            yield
        finally:
            for name, value in before.items():
                setattr(apparatus, name, value)
