"""An evolution strategy: covariance matrix adaptation, by the package cma."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from pydantic import Field

from sandbox.bench import Bench
from sandbox.errors import SandboxError
from sandbox_order_zero.trial import Trial


class CMAES(Trial):
    """CMA-ES: one generation a step, each candidate tried on the step's batch; the stiffnesses end at the mean.

    Hansen, Ostermeier, Evolutionary Computation 9, 159 (2001), in the implementation of the package ``cma``. A step
    reads ``population`` losses. Candidates beyond a bound are tried where the bound clips them, and pay for the
    distance: its mean square in standard deviations of the search, times the spread between the quartiles of the
    losses of the generation (after Hansen, Niederberger, Guzzella, Koumoutsakos, IEEE Transactions on Evolutionary
    Computation 13, 180 (2009)). Losses of different samples are never compared, but what one sample
    taught the search is kept for the next: batches (``training.batch``) of all samples suit it best.

    A search of the package cannot be saved as plain data. A checkpoint keeps what it was told, a number for every
    relaxation of a sample's batch, and a run that is resumed tells it again.

    Raises:
        SandboxError: in the first step, if the package ``cma`` is not installed.
    """

    sigma: float = Field(0.1, gt=0, description="initial s.d. of the search, of stiffnesses or of their logarithms")
    population: int | None = Field(None, ge=4, description="candidates in a generation; 4 + 3 log P by default")
    diagonal_above: int = Field(200, ge=0, description="number of stiffnesses above which covariances are left out")

    def step(self, bench: Bench, inputs: np.ndarray, targets: np.ndarray) -> None:
        bench.clamp(inputs)
        bench.nudge(None, 0.0)
        if "search" not in bench.notes:
            start = self.where(bench)
            bench.notes |= {"start": start, "rng at the start": bench.rng.bit_generator.state, "told": array("d")}
            bench.notes["search"] = self._search(start, bench.rng)
        search = bench.notes["search"]
        candidates = search.ask()
        losses, outside = [], []
        for x in candidates:
            placed = self.put(bench, x)
            losses.append(self.loss(bench, targets))
            outside.append((((x - placed) / search.stds) ** 2).mean())
        lower, upper = np.percentile(losses, [25, 75])
        told = (np.array(losses) + (upper - lower) * np.array(outside)).tolist()
        search.tell(candidates, told)
        bench.notes["told"].extend(told)
        self.put(bench, search.mean)

    def saved(self, bench: Bench) -> dict[str, Any]:
        """Where the search started, the random numbers' state then, and all that it was told since."""
        notes = bench.notes
        return {k: notes[k] for k in ("start", "rng at the start") if k in notes} | {
            "told": np.array(notes.get("told", ()))
        }

    def restore(self, bench: Bench, saved: dict[str, Any]) -> None:
        """Tell a new search what the old one was told: its own arithmetic over again, and no relaxation."""
        if "start" not in saved:
            return
        now = bench.rng.bit_generator.state
        bench.rng.bit_generator.state = saved["rng at the start"]
        search = self._search(saved["start"], bench.rng)
        bench.notes |= {**saved, "told": array("d", saved["told"].tolist()), "search": search}
        for told in saved["told"].reshape(-1, search.popsize):
            search.tell(search.ask(), told.tolist())
        if bench.rng.bit_generator.state != now:
            raise SandboxError("this version of the package cma does not search as the one that the run began with")

    def _search(self, start: np.ndarray, rng: np.random.Generator) -> Any:
        try:
            import cma
        except ImportError as error:
            raise SandboxError(
                "the controller cma_es needs the package cma: pip install 'matter-sandbox[order-zero]'"
            ) from error
        options = {
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # leaves NumPy's global generator alone
            "CMA_diagonal": len(start) > self.diagonal_above,
            "verbose": -9,
            "verb_disp": 0,
            "verb_log": 0,
        }
        if self.population is not None:
            options["popsize"] = self.population
        return cma.CMAEvolutionStrategy(start, self.sigma, options)
