"""Token vectors to one vector: how much each token counts. Not the product itself: that is the graph's."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pooling", "token_weights"]


class Pooling(StrEnum):
    """Which tokens make the vector of a text."""

    MEAN = "mean"
    """All, alike."""
    CLS = "cls"
    """The first."""
    LAST = "last"
    """The last."""


def token_weights(pooling: Pooling, position: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.float32]:
    """The weight of each token in the mean that becomes its text's vector.

    Args:
        pooling: Which tokens count.
        position: int64, shape (t,): each token's place in its text, from 0.
        length: int64, shape (t,): how many tokens its text has.

    Returns:
        float32, shape (t,): the weights of a text add up to 1.

    Example:
        >>> token_weights(Pooling.MEAN, np.arange(4), np.full(4, 4)).tolist()
        [0.25, 0.25, 0.25, 0.25]
    """
    weights: NDArray[Any]
    if pooling is Pooling.MEAN:
        weights = 1 / length
    elif pooling is Pooling.CLS:
        weights = position == 0
    else:
        weights = position == length - 1
    return weights.astype(np.float32)
