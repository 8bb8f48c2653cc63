"""The bench: terminals, knobs and meters of one apparatus, and all that a controller can touch.

The point of agnostic learning is that the controller is ignorant. :class:`Bench` makes it so: no energy, no internal
state, no gradient, no network. A controller that does use more asks for a :class:`WhiteBox` by name, so that a reader
of its code sees who is agnostic and who is not.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sandbox import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.apparatus import Apparatus
    from sandbox.physics.boundary import Boundary
    from sandbox.physics.equilibrium import Equilibrium
    from sandbox.physics.system import System


class Bench:
    """The narrow port onto an apparatus.

    ========================  ==================================================================
    ``clamp(inputs)``         set the input terminals
    ``nudge(targets, beta)``  attach springs of stiffness beta to the outputs
    ``clamp_outputs(values)`` hold the outputs themselves
    ``read()``                the output terminals, at rest
    ``hold()``                homeostat: stiffnesses stay, knobs follow
    ``release()``             knobs stay, stiffnesses and state relax
    ``stiffness``             read; set: the set points of the servo that holds them
    ``knobs``                 read and set
    ``meter``                 what it has cost: relaxations, iterations, seconds
    ``notes``, ``rng``        the controller's own notebook, and its random numbers
    ========================  ==================================================================

    Args:
        apparatus: what the port leads to.
        rng: for controllers that draw at random.

    Attributes:
        notes: what a controller keeps from step to step. Parts are frozen, so this is the place; it begins empty.
        rng: random numbers of the controller.
    """

    __slots__ = ("__apparatus", "notes", "rng")

    def __init__(self, apparatus: Apparatus, rng: np.random.Generator | None = None) -> None:
        self.__apparatus = apparatus
        self.notes: dict[str, Any] = {}
        self.rng = np.random.default_rng(0) if rng is None else rng

    def clamp(self, inputs: npt.ArrayLike) -> None:
        """Set the inputs: (inputs,) for one sample, (B, inputs) for a batch that shares the stiffnesses."""
        self.__apparatus.clamp(inputs)

    def nudge(self, targets: npt.ArrayLike | None, beta: float) -> None:
        """Attach a spring of stiffness beta, of any sign, from each output to its target; ``None, 0`` removes them."""
        self.__apparatus.nudge(targets, beta)

    def clamp_outputs(self, values: npt.ArrayLike | None) -> None:
        """Hold the outputs themselves at values, as inputs are held; ``None``, or new inputs, let them go."""
        self.__apparatus.clamp_outputs(values)

    def read(self) -> np.ndarray:
        """Outputs (B, outputs). If something was changed since the last rest, the state relaxes first."""
        return self.__apparatus.shown()

    def hold(self) -> None:
        """Let the state relax while the knobs are adjusted so that every stiffness stays at its present value."""
        self.__apparatus.hold()

    def release(self) -> None:
        """Freeze the knobs and let the stiffnesses and the state relax together."""
        self.__apparatus.release()

    @property
    def stiffness(self) -> np.ndarray:
        """The stiffnesses, (P,). Set: what the servo is to hold them at, clipped to their bounds."""
        return self.__apparatus.stiffness.copy()

    @stiffness.setter
    def stiffness(self, values: npt.ArrayLike) -> None:
        self.__apparatus.write_stiffness(values)

    @property
    def knobs(self) -> np.ndarray:
        """The knobs, (P,), in the units of the stiffness."""
        return self.__apparatus.knobs.copy()

    @knobs.setter
    def knobs(self, values: npt.ArrayLike) -> None:
        self.__apparatus.knobs = np.broadcast_to(np.asarray(values, dtype=float), self.__apparatus.knobs.shape).copy()

    @property
    def meter(self) -> Mapping[str, float]:
        """Costs so far: relaxations, iterations, seconds; and counts of unstable phases and stiffnesses at bounds."""
        return MappingProxyType(dict(vars(self.__apparatus.meter)))

    def _repr_html_(self) -> str | None:
        return shown.form(self.__apparatus)

    def __repr__(self) -> str:
        a = self.__apparatus
        return f"{type(self).__name__}({len(a.inputs)} inputs, {len(a.outputs)} outputs, {len(a.stiffness)} knobs)"


def behind(bench: Bench) -> Apparatus:
    """The apparatus that a port leads to: for the experimenter's pictures, not for controllers."""
    return bench._Bench__apparatus  # type: ignore[attr-defined]


class WhiteBox(Bench):
    """The wide port, for controllers that know the physics: everything the bench has, and what lies behind it.

    No controller that is called agnostic uses it.
    """

    __slots__ = ("__open",)

    def __init__(self, apparatus: Apparatus, rng: np.random.Generator | None = None) -> None:
        super().__init__(apparatus, rng)
        self.__open = apparatus

    @property
    def system(self) -> System:
        return self.__open.system

    @property
    def boundary(self) -> Boundary:
        return self.__open.boundary

    @property
    def mobility(self) -> np.ndarray:
        """(P,) how far each stiffness yields to a small force, which serves as its learning rate.

        The compliance eps of quadratic knobs, ``eps*theta**2`` of log knobs: the metric in which AEqprop steps.
        """
        return self.__open.mobility

    def settle(self) -> Equilibrium:
        """The equilibrium at the present stiffnesses: state, energy and forces."""
        return self.__open.settle()

    def loss_gradient(self, targets: npt.ArrayLike) -> np.ndarray:
        """Exact gradient (P,) of the mean over samples of 1/2 |output - target|^2, at the present boundary."""
        return self.__open.loss_gradient(targets)
