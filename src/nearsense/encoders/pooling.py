"""Token vectors to one vector a text: mean, cls, max, last, ... Not how token vectors are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]
    Reduce = Callable[[Floats, Places, Places], Floats]


class Pooling(StrEnum):
    """What becomes of the vectors of a text's tokens."""

    MEAN = "mean"
    CLS = "cls"
    """The vector of the first token."""
    MAX = "max"
    """The largest value of each dimension."""
    LAST = "last"
    """The vector of the last token."""
    MEAN_SQRT = "mean_sqrt_len_tokens"
    """The sum, divided by the root of the number of tokens."""
    WEIGHTED_MEAN = "weightedmean"
    """The mean in which the n-th token counts n times (Muennighoff 2022, SGPT)."""


def pool(poolings: Sequence[Pooling], tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """One vector a text, float32, shape (m, p * h), by p ways that are put end to end.

    `tokens` is float32, shape (t, h), padding included; `begins` (ascending) and `lengths` (at least 1) are int64,
    shape (m,).
    """
    parts = [_POOLS[pooling](tokens, begins, lengths) for pooling in poolings]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def every_token(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """No pooling: the vectors of all tokens of all texts, end to end; shape (sum of lengths, h)."""
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found: Floats = tokens[np.repeat(begins, lengths) + within]
    return found


def _mean(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    totals = _reduce(np.add, tokens, begins, lengths)
    totals /= lengths[:, None]
    return totals


def _mean_sqrt(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    totals = _reduce(np.add, tokens, begins, lengths)
    totals /= np.sqrt(lengths)[:, None]
    return totals


def _weighted_mean(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    counts = np.zeros((len(tokens), 1), np.float32)
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    counts[np.repeat(begins, lengths) + within, 0] = within + 1
    totals = _reduce(np.add, tokens * counts, begins, lengths)
    totals /= (lengths * (lengths + 1) / 2)[:, None]
    return totals


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
    Pooling.MAX: partial(_reduce, np.maximum),
    Pooling.LAST: lambda tokens, begins, lengths: tokens[begins + lengths - 1],
    Pooling.MEAN_SQRT: _mean_sqrt,
    Pooling.WEIGHTED_MEAN: _weighted_mean,
}
