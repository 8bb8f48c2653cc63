"""Trial and error: methods that read the loss and nothing else."""

from __future__ import annotations

import sandbox
from sandbox_order_zero.evolution import CMAES
from sandbox_order_zero.finite_differences import FiniteDifferences
from sandbox_order_zero.spsa import SPSA


@sandbox.hookimpl
def register_controllers(register: sandbox.Register) -> None:
    register("spsa", SPSA)
    register("finite_differences", FiniteDifferences)
    register("cma_es", CMAES)
