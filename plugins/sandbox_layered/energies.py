"""The energy of a connection: what sets a Hopfield-like network apart from a resistive one.

Both are linear in the weights and quadratic in the states, and both hold the product of the two states; so the best
state of a layer among its neighbours is in both (what it receives)/(its stiffness).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sandbox_layered.connections import Wiring

Load = np.ndarray | float


class ConnectionEnergy(Protocol):
    """Energy of a connection of weights w between layers at states pre and post."""

    own: float
    """Stiffness that every unit has by itself: energy ``own/2*s**2``."""

    def loads(self, wiring: Wiring, w: np.ndarray) -> tuple[Load, Load]:
        """Stiffness that the connection gives to the units before, (pre units,), and after, (post units,)."""
        ...

    def force(
        self,
        wiring: Wiring,
        pre: np.ndarray,
        unfolded: np.ndarray,
        post: np.ndarray,
        out: np.ndarray,
        scale: float = 1.0,
        onto: np.ndarray | None = None,
    ) -> None:
        """Write ``scale*dE/dw``, (weights,), mean over the samples, plus ``onto``, to ``out``."""
        ...

    def force_change(
        self, wiring: Wiring, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """(weights,) change of dE/dw, mean over the samples, to first order in changes of (pre, post)."""
        ...


class Product:
    """``-pre w post``, each unit with the energy ``s**2/2``: a Hopfield-like network."""

    own = 1.0

    def loads(self, wiring: Wiring, w: np.ndarray) -> tuple[Load, Load]:
        return 0.0, 0.0

    def force(
        self,
        wiring: Wiring,
        pre: np.ndarray,
        unfolded: np.ndarray,
        post: np.ndarray,
        out: np.ndarray,
        scale: float = 1.0,
        onto: np.ndarray | None = None,
    ) -> None:
        # The factor goes on the states, of which there are fewer than weights.
        wiring.outer(unfolded, post * (-scale / len(post)), out, onto)

    def force_change(
        self, wiring: Wiring, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        return _product_change(wiring, states, changes) / -len(states[0])


class Difference:
    """``w/2*(pre - post)**2``: conductors between every two units; for dense wiring only."""

    own = 0.0

    def loads(self, wiring: Wiring, w: np.ndarray) -> tuple[Load, Load]:
        table = w.reshape(wiring.fans)
        return table.sum(axis=1), table.sum(axis=0)

    def force(
        self,
        wiring: Wiring,
        pre: np.ndarray,
        unfolded: np.ndarray,
        post: np.ndarray,
        out: np.ndarray,
        scale: float = 1.0,
        onto: np.ndarray | None = None,
    ) -> None:
        wiring.outer(unfolded, post * (-scale / len(post)), out, onto)
        table = out.reshape(wiring.fans)
        table += (pre**2).mean(axis=0)[:, None] * (scale / 2)
        table += (post**2).mean(axis=0) * (scale / 2)

    def force_change(
        self, wiring: Wiring, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        (pre, post), (pre_change, post_change) = states, changes
        squares = (pre * pre_change).mean(axis=0)[:, None] + (post * post_change).mean(axis=0)
        return squares.ravel() - _product_change(wiring, states, changes) / len(pre)


def _product_change(
    wiring: Wiring, states: tuple[np.ndarray, np.ndarray], changes: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """(weights,): sum over samples of the change of pre times post."""
    (pre, post), (pre_change, post_change) = states, changes
    change = wiring.outer(wiring.unfold(pre_change), post, np.empty(wiring.weights))
    return change + wiring.outer(wiring.unfold(pre), post_change, np.empty(wiring.weights))
