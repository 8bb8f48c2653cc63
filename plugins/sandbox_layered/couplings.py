"""A connection during a relaxation: what each layer receives through it, its stiffnesses held or free.

A free stiffness is at its own minimum whenever it is used, ``theta = clip(u - eps*dE/dtheta)``, dE/dtheta being the
mean over the samples: the sweeps then alternate between exact minimizations over stiffnesses and over layers, and the
joint energy can only fall. Source of the joint minimization: Scellier et al. 2022, arXiv:2205.15021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sandbox_layered.connections import Wiring
from sandbox_layered.energies import ConnectionEnergy, Load
from sandbox_layered.stiffnesses import per_bias, per_unit


@dataclass(frozen=True, eq=False)
class Springs:
    """Knobs of n stiffnesses: values u (n,), compliances eps (n,), bounds, where there are any, and the compliance
    that all share, where it is one and known.
    """

    values: np.ndarray
    compliance: np.ndarray
    bounds: tuple[float, float] | None = None
    common: float | None = None

    def rest(self, force: np.ndarray, out: np.ndarray) -> np.ndarray:
        """``clip(u - eps*force)``, where the stiffnesses are at rest, written to ``out`` (which may be ``force``)."""
        np.multiply(force, self.compliance, out=out)
        np.subtract(self.values, out, out=out)
        return self.confine(out)

    def confine(self, stiffness: np.ndarray) -> np.ndarray:
        """The stiffnesses (n,) put within their bounds, in place."""
        return stiffness if self.bounds is None else np.clip(stiffness, *self.bounds, out=stiffness)

    def yielding(self, stiffness: np.ndarray) -> np.ndarray:
        """Compliances, 0 for stiffnesses at a bound."""
        if self.bounds is None:
            return self.compliance
        low, high = self.bounds
        return np.where((stiffness > low) & (stiffness < high), self.compliance, 0.0)


class Coupling(Protocol):
    """What layers receive through a connection, at states pre (B, pre units) and post (B, post units)."""

    def refresh(self, pre: np.ndarray, post: np.ndarray) -> None:
        """Bring free stiffnesses to their minimum at these states; called before what follows."""
        ...

    def to_post(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        """(B, post units), biases included; the caller must not write to it."""
        ...

    def to_pre(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        """(B, pre units)."""
        ...

    def loads(self) -> tuple[Load, Load]:
        """Stiffness given to the units before and after."""
        ...

    def bend(
        self, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Changes of what (pre, post) receive less their loads, as the states change and free stiffnesses follow."""
        ...


class Held:
    """Stiffnesses that stay.

    Args:
        wiring, energy: of the connection.
        w, b: its weights and biases.
        still: whether the layer before is clamped as a whole, so that what it sends is computed once.
    """

    def __init__(self, wiring: Wiring, energy: ConnectionEnergy, w: np.ndarray, b: np.ndarray, still: bool) -> None:
        self.wiring, self.energy, self.w, self.still = wiring, energy, w, still
        self.bias = per_unit(b, wiring)
        self._sent: np.ndarray | None = None
        self._received: np.ndarray | None = None
        self._unfolded: np.ndarray | None = None
        self._loads: tuple[Load, Load] | None = None

    def refresh(self, pre: np.ndarray, post: np.ndarray) -> None:
        pass

    def unfolded(self, pre: np.ndarray) -> np.ndarray:
        """The states before as the wiring takes them."""
        if not self.still:
            return self.wiring.unfold(pre)
        if self._unfolded is None:
            self._unfolded = self.wiring.unfold(pre)
        return self._unfolded

    def sent(self, pre: np.ndarray) -> np.ndarray:
        """(B, post units) through the weights, biases not included."""
        if not self.still:
            return self.wiring.forward(self.w, self.unfolded(pre))
        if self._sent is None:
            self._sent = self.wiring.forward(self.w, self.unfolded(pre))
        return self._sent

    def to_post(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        if not self.still:
            return self.sent(pre) + self.bias
        if self._received is None:
            self._received = self.sent(pre) + self.bias
        return self._received

    def to_pre(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        return self.wiring.backward(self.w, post)

    def loads(self) -> tuple[Load, Load]:
        if self._loads is None:
            self._loads = self.energy.loads(self.wiring, self.w)
        return self._loads

    def bend(
        self, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._net(self.w, *changes)

    def _net(self, w: np.ndarray, pre: np.ndarray, post: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What both layers receive through weights w, less the loads times their states."""
        before, after = self.energy.loads(self.wiring, w)
        return (
            self.wiring.backward(w, post) - before * pre,
            self.wiring.forward(w, self.wiring.unfold(pre)) - after * post,
        )


class Free(Held):
    """Free stiffnesses, computed anew at every refresh: for any wiring, any compliances and bounds."""

    def __init__(
        self, wiring: Wiring, energy: ConnectionEnergy, weights: Springs, biases: Springs, still: bool
    ) -> None:
        super().__init__(wiring, energy, np.empty(wiring.weights), biases.values, still)
        self.weights, self.biases = weights, biases

    def refresh(self, pre: np.ndarray, post: np.ndarray) -> None:
        self.energy.force(self.wiring, pre, self.unfolded(pre), post, self.w)
        self.weights.rest(self.w, self.w)
        self._sent = self._received = self._loads = None
        self.bias = per_unit(self._biases(post), self.wiring)

    def bend(
        self, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        pre, post = super().bend(states, changes)
        yielded = self.energy.force_change(self.wiring, states, changes) * -self.weights.yielding(self.w)
        pre_more, post_more = self._net(yielded, *states)
        return pre + pre_more, post + post_more + self._bias_change(states[1], changes[1])

    def _bias_change(self, post: np.ndarray, change: np.ndarray) -> np.ndarray | float:
        yielding = self.biases.yielding(self._biases(post))
        return per_unit(per_bias(change, self.wiring) * yielding if len(yielding) else yielding, self.wiring)

    def _biases(self, post: np.ndarray) -> np.ndarray:
        """Biases at rest; of length 0 where there are none."""
        if len(self.biases.values) == 0:
            return self.biases.values
        force = -per_bias(post, self.wiring)
        return self.biases.rest(force, force)


class FreeByOverlaps(Free):
    """Free weights of one compliance, dense, products only, no bound active: never computed.

    ``w = u + (eps/B) pre^T post`` acts on a state through the (B, B) overlaps of the samples: ``pre w = pre u +
    (eps/B) (pre pre^T) post``. Exact, and as cheap as held weights.
    """

    def __init__(
        self, wiring: Wiring, energy: ConnectionEnergy, weights: Springs, biases: Springs, still: bool
    ) -> None:
        Held.__init__(self, wiring, energy, weights.values, biases.values, still)  # the knobs stand in for the weights
        self.weights, self.biases = weights, biases
        self.compliance = weights.common or 0.0
        self._overlap: np.ndarray | None = None

    def refresh(self, pre: np.ndarray, post: np.ndarray) -> None:
        self.bias = per_unit(self._biases(post), self.wiring)

    def to_post(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        return self.sent(pre) + self._overlaps(pre) @ post + self.bias

    def to_pre(self, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        return self.wiring.backward(self.w, post) + self._scaled(post, post) @ pre

    def bend(
        self, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        (pre, post), (dpre, dpost) = states, changes
        to_pre = (
            self.wiring.backward(self.w, dpost)
            + (self._scaled(dpost, post) + self._scaled(post, dpost)) @ pre
            + self._scaled(post, post) @ dpre
        )
        to_post = self._overlaps(pre) @ dpost
        if not self.still:
            to_post += self.wiring.forward(self.w, dpre) + (self._scaled(dpre, pre) + self._scaled(pre, dpre)) @ post
        return to_pre, to_post + self._bias_change(post, dpost)

    def beyond_bounds(self, pre: np.ndarray, post: np.ndarray) -> bool:
        """Whether the weights would rest outside their bounds."""
        if self.weights.bounds is None:
            return False
        at_rest = np.empty_like(self.w)
        self.energy.force(self.wiring, pre, self.unfolded(pre), post, at_rest)
        at_rest = self.weights.values - self.weights.compliance * at_rest
        low, high = self.weights.bounds
        return bool(((at_rest < low) | (at_rest > high)).any())

    def _overlaps(self, pre: np.ndarray) -> np.ndarray:
        if not self.still:
            return self._scaled(pre, pre)
        if self._overlap is None:
            self._overlap = self._scaled(pre, pre)
        return self._overlap

    def _scaled(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return (left @ right.T) * (self.compliance / len(left))
