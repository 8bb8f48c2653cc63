"""Colours for coordinates: those of one colour do not act on each other, and may be moved in any order or at once."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array


def colour(pattern: csr_array) -> np.ndarray:
    """(F,) colour of each row of a symmetric pattern (F, F): 0, 1, ..., no two that are joined sharing one.

    Jones and Plassmann, SIAM J. Sci. Comput. 14 (1993) 654: in each round the rows that come before all their
    neighbours without a colour, rows of many neighbours first, take one. Rounds are vectorized; their number grows
    slowly with F. Each takes the lowest colour that none of its neighbours has. Deterministic.
    """
    coo = pattern.tocoo()
    other = coo.row != coo.col
    row, column = coo.row[other], coo.col[other]
    size = len(pattern.indptr) - 1
    degree = np.bincount(row, minlength=size)
    rank = np.empty(size, dtype=np.int64)
    rank[np.lexsort((np.random.default_rng(0).permutation(size), -degree))] = np.arange(size)
    colours = np.full(size, -1)
    while (colours < 0).any():
        waiting = (colours[row] < 0) & (colours[column] < 0)
        first = np.full(size, size)
        np.minimum.at(first, row[waiting], rank[column[waiting]])
        chosen = (colours < 0) & (rank < first)
        colours[chosen] = _lowest_free(row, colours[column], chosen)
    return colours


def _lowest_free(row: np.ndarray, neighbour: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """For each chosen row the lowest colour that does not appear among its neighbours."""
    seen = chosen[row] & (neighbour >= 0)
    width = int(neighbour.max(initial=-1)) + 2
    place = np.cumsum(chosen) - 1
    used = np.zeros((int(chosen.sum()), width), dtype=bool)
    used[place[row[seen]], neighbour[seen]] = True
    return np.argmin(used, axis=1)
