"""What a search is for, and optuna, which proposes what to try next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.errors import SweepError
from sandbox.seeds import stream
from sandbox.sweeping.axes import Axis, Between
from sandbox.sweeping.worker import Outcome

if TYPE_CHECKING:
    import optuna

Parameters = dict[str, Any]
"""Of a trial, by key: the value itself in an interval, the place among the values of an axis."""


@dataclass(frozen=True)
class Goal:
    """A figure of merit, by its name in the summary of a run, and whether it is to be small."""

    merit: str
    least: bool

    def of(self, ended: Outcome) -> float:
        """The figure of a run; NaN if it failed.

        Raises:
            SweepError: if runs have no such figure.
        """
        value = math.nan if ended.error else ended.figures.get(self.merit)
        if not isinstance(value, (int, float)):
            there = ", ".join(name for name, v in ended.figures.items() if isinstance(v, (int, float)))
            raise SweepError(f"the runs have no figure of merit {self.merit!r}; they have: {there}")
        return float(value)


def goal_of(minimize: str | None, maximize: str | None) -> Goal:
    """The goal.

    Raises:
        SweepError: unless it is one.
    """
    merit = minimize if minimize is not None else maximize
    if merit is None or (minimize is not None and maximize is not None):
        raise SweepError("say what the search is for: either minimize or maximize, with the name of a figure of merit")
    return Goal(merit.replace("_", " "), minimize is not None)


class Study:
    """Optuna's study, in memory: asked what to try, and told how it went.

    A parameter is the value itself for an interval, and the place among the values for an axis.
    """

    def __init__(self, spaces: list[Axis | Between], goal: Goal, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.keys, self.goal, self.seed = [s.key for s in spaces], goal, seed
        self._spaces = {s.key: _distribution(s) for s in spaces}
        self._study = optuna.create_study(direction="minimize" if goal.least else "maximize")
        self._asked: list[optuna.Trial] = []
        self.told: dict[str, float] = {}

    @property
    def best(self) -> float:
        return self._study.best_value

    def ask(self, given: Parameters | None = None) -> Parameters:
        """What to try next, or what was tried before."""
        from optuna.samplers import TPESampler

        if given is not None:
            self._study.enqueue_trial(given)
        draw = stream(self.seed, "search", len(self._asked)).integers(2**32)
        self._study.sampler = TPESampler(seed=int(draw))
        self._asked.append(self._study.ask(self._spaces))
        return self._asked[-1].params

    def tell(self, name: str, ended: Outcome) -> None:
        """How the trial of this name went."""
        from optuna.trial import TrialState

        value = self.goal.of(ended)
        if math.isfinite(value):
            self._study.tell(self._asked[int(name)], value)
            self.told[name] = value
        else:
            self._study.tell(self._asked[int(name)], state=TrialState.FAIL)


def _distribution(space: Axis | Between) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(space, Between):
        return FloatDistribution(space.low, space.high, log=space.spacing == "log")
    if all(type(v) in (int, float) for v in space.values):  # their order says something
        return IntDistribution(0, len(space.values) - 1)
    return CategoricalDistribution(range(len(space.values)))
