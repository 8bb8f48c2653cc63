"""Checks of what the plots are given: every error names the argument, the shape it has and the shape expected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sandbox.physics.network import Network


def array_of(name: str, value: npt.ArrayLike, shape: tuple[int | str, ...], meaning: str = "") -> np.ndarray:
    """The value as a float array of the given shape; a letter in the shape stands for any size.

    Infinite entries become NaN, which plots show as missing.

    Raises:
        ValueError: if the value is not numeric or has another shape.
    """
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not an array of numbers ({error}); expected shape {_text(shape)}") from None
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or got == want for got, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}; expected {_text(shape)}{meaning and ', ' + meaning}")
    array[~np.isfinite(array)] = np.nan
    return array


def per_node(name: str, value: npt.ArrayLike, network: Network) -> np.ndarray:
    """One number per node, (N,)."""
    return array_of(name, value, (network.n_nodes,), "one value per node")


def per_edge(name: str, value: npt.ArrayLike, network: Network) -> np.ndarray:
    """One number per edge, (E,)."""
    return array_of(name, value, (network.n_edges,), "one value per edge")


def places(name: str, value: npt.ArrayLike | None, network: Network) -> np.ndarray:
    """Positions of all nodes, (N, D); the reference positions where none are given."""
    if value is None:
        return network.positions
    return array_of(name, value, (network.n_nodes, network.dimension), "a position per node")


def role_nodes(roles: Mapping[str, npt.ArrayLike] | None, network: Network) -> dict[str, np.ndarray]:
    """Node indices by role, from indices or masks; roles without nodes are left out.

    Raises:
        ValueError: for anything but node indices of this network.
    """
    found: dict[str, np.ndarray] = {}
    for name, nodes in (roles or {}).items():
        array = np.atleast_1d(np.asarray(nodes))
        if array.dtype == bool:
            if array.shape != (network.n_nodes,):
                raise ValueError(f"roles[{name!r}] is a mask of shape {array.shape}; expected ({network.n_nodes},)")
            array = np.flatnonzero(array)
        if array.size == 0:
            continue
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise ValueError(
                f"roles[{name!r}] has shape {array.shape} and type {array.dtype}; expected node indices, shape (n,)"
            )
        outside = array[(array < 0) | (array >= network.n_nodes)]
        if len(outside):
            raise ValueError(f"roles[{name!r}] names node {outside[0]}; expected 0 to {network.n_nodes - 1}")
        found[str(name)] = array
    return found


def _text(shape: tuple[int | str, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
