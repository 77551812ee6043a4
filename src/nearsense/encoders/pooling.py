"""Token vectors to one vector a text: mean, cls, max, last. Not how token vectors are computed."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]

__all__ = ["Pooling", "pool"]


class Pooling(StrEnum):
    """What becomes of the vectors of a text's tokens."""

    MEAN = "mean"
    CLS = "cls"
    """The vector of the first token."""
    MAX = "max"
    """The largest value of each dimension."""
    LAST = "last"
    """The vector of the last token."""


def pool(pooling: Pooling, tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """One vector for each of m texts.

    Args:
        pooling: How.
        tokens: float32, shape (t, h): token vectors, padding included.
        begins: int64, shape (m,): where each text begins; in ascending order, texts do not overlap.
        lengths: int64, shape (m,): how many tokens it has, at least 1.

    Returns:
        float32, shape (m, h).

    Example:
        >>> tokens = np.array([[1, 4], [3, 2], [9, 9]], np.float32)
        >>> pool(Pooling.MEAN, tokens, np.array([0]), np.array([2])).tolist()
        [[2.0, 3.0]]
    """
    return _POOLS[pooling](tokens, begins, lengths)


def _mean(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    totals = _reduce(np.add, tokens, begins, lengths)
    totals /= lengths[:, None]
    return totals


def _max(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    return _reduce(np.maximum, tokens, begins, lengths)


def _reduce(operation: np.ufunc, tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """Reduce each text's tokens; reduceat takes the gaps between texts for segments too, and they are left out."""
    edges = np.stack([begins, begins + lengths], axis=1).ravel()
    if edges[-1] == len(tokens):
        edges = edges[:-1]
    reduced: Floats = operation.reduceat(tokens, edges, axis=0)[::2]
    return reduced


_POOLS: dict[Pooling, Callable[[Floats, Places, Places], Floats]] = {
    Pooling.MEAN: _mean,
    Pooling.CLS: lambda tokens, begins, lengths: tokens[begins],
    Pooling.MAX: _max,
    Pooling.LAST: lambda tokens, begins, lengths: tokens[begins + lengths - 1],
}
