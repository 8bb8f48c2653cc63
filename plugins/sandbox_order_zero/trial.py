"""What every method of trial and error does: put the stiffnesses somewhere, and see what the loss is."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sandbox.bench import Bench
from sandbox.errors import SandboxError
from sandbox.parts import Controller


class Trial(Controller):
    """Base of the methods that set the stiffnesses and read the outputs, on the narrow bench.

    A method works on coordinates x (P,): the stiffnesses, or their logarithms. Where it put them it reads back, for
    they are clipped at their bounds, which it is not told.
    """

    log: bool = Field(False, description="try and step on the logarithms of the stiffnesses, which must be positive")

    def where(self, bench: Bench) -> np.ndarray:
        """The coordinates (P,) at which the stiffnesses are.

        Raises:
            SandboxError: for a logarithm of a stiffness that is not positive.
        """
        stiffness = bench.stiffness
        if not self.log:
            return stiffness
        if not (stiffness > 0).all():
            raise SandboxError(
                f"log = true needs positive stiffnesses, and stiffness {int(np.argmin(stiffness))} is "
                f"{stiffness.min():g}; give the system a minimum above 0, or use log = false"
            )
        return np.log(stiffness)

    def put(self, bench: Bench, x: np.ndarray) -> np.ndarray:
        """Set the stiffnesses to coordinates x (P,), and return where they went."""
        bench.stiffness = np.exp(x) if self.log else x
        return self.where(bench)

    def loss(self, bench: Bench, targets: np.ndarray) -> float:
        """Mean over the samples of 1/2 |output - target|^2; a relaxation for each of them."""
        return 0.5 * float(((bench.read() - targets) ** 2).sum(axis=1).mean())
