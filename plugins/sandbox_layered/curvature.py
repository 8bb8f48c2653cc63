"""The lowest curvature of the joint energy of states and stiffnesses, by Lanczos."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal

from sandbox_layered.sweeps import States, Sweeper

MAX_PRODUCTS = 30

SETTLED = 1e-2
"""Change of the Ritz value, relative to the largest one, below which it is taken: a sign is wanted, not digits."""


def lowest_curvature(sweeper: Sweeper, states: States) -> tuple[float, States]:
    """An upper bound of the lowest eigenvalue of the Hessian of the energy with free stiffnesses eliminated.

    Units that are clamped or at an end of their box do not move, nor do stiffnesses at a bound. The bound is a Ritz
    value, from a start that is the same every time.

    Returns:
        The bound, infinite if nothing can move; and the direction that has this curvature, by layer, of length 1.
    """
    masks = [here.inside(s) for here, s in zip(sweeper.imposed, states, strict=True)]
    size = sum(int(mask.sum()) for mask in masks)
    if size == 0:
        return np.inf, [np.zeros_like(s) for s in states]
    most = min(MAX_PRODUCTS, size)
    basis, diagonal, beside = np.empty((most, size)), [], []
    vector = np.random.default_rng(0).standard_normal(size)
    basis[0] = vector / np.linalg.norm(vector)
    sweeper.refresh(states)
    values, vectors = np.array([np.inf]), np.ones((1, 1))
    last = np.inf
    for count in range(1, most + 1):
        image = _flat(_hessian(sweeper, states, _by_layer(basis[count - 1], masks)), masks)
        diagonal.append(basis[count - 1] @ image)
        image -= (basis[:count] @ image) @ basis[:count]
        rest = float(np.linalg.norm(image))
        values, vectors = eigh_tridiagonal(diagonal, beside)
        reach = np.abs(values).max()
        if count == most or rest <= 1e-12 * reach or abs(last - values[0]) <= SETTLED * reach:
            break
        last = values[0]
        beside.append(rest)
        basis[count] = image / rest
    return float(values[0]), _by_layer(vectors[:, 0] @ basis[: len(diagonal)], masks)


def _hessian(sweeper: Sweeper, states: States, direction: States) -> States:
    """The Hessian times a direction."""
    image = [(sweeper.own + here.stiffness) * d for here, d in zip(sweeper.imposed, direction, strict=True)]
    for layer, coupling in enumerate(sweeper.couplings):
        before, after = coupling.bend((states[layer], states[layer + 1]), (direction[layer], direction[layer + 1]))
        image[layer] -= before
        image[layer + 1] -= after
    return image


def _flat(parts: States, masks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([part[mask] for part, mask in zip(parts, masks, strict=True)])


def _by_layer(flat: np.ndarray, masks: list[np.ndarray]) -> States:
    parts, first = [], 0
    for mask in masks:
        part, count = np.zeros(mask.shape), int(mask.sum())
        part[mask] = flat[first : first + count]
        parts.append(part)
        first += count
    return parts
