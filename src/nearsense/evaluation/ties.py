"""What scores cannot order: documents whose scores are the same but for rounding. Not what that is worth: metrics.

Nothing may depend on the order in which a file happens to hold its rows. So a search gives all documents that are
tied with the last that was asked for, and what is shown of a tie is chosen by the texts, the wrong ones first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["ROUNDING", "Found", "levelled", "whole_ties"]

ROUNDING = 1e-6
"""Scores no farther apart are tied, as a part of a ranking's largest: what float32 leaves of equal sums."""

CELLS = 1 << 22
"""Ids that are looked for at once where ties are long."""


class Found(NamedTuple):
    """The best rows of a corpus for each query, best first, and their scores: arrays of one length a query.

    All rows that are tied with the last one wanted are there too; in a tie the scores are equal.
    """

    ids: list[Ints]
    scores: list[Floats]


def levelled(scores: Floats) -> Floats:
    """Falling scores, those of a tie made equal.

    Args:
        scores: Shape (n,), best first.

    Example:
        >>> levelled(np.array([0.9, 0.5000001, 0.5, 0.1]))
        array([0.9      , 0.5000001, 0.5000001, 0.1      ])
    """
    if not len(scores):
        return scores
    new = np.append(True, scores[:-1] - scores[1:] > ROUNDING * np.abs(scores).max())
    level: Floats = scores[np.flatnonzero(new)[np.cumsum(new) - 1]]
    return level


def whole_ties(
    look: Callable[[Sequence[int], int], tuple[Ints, NDArray[np.floating]]], queries: int, corpus: int, k: int
) -> Found:
    """The k best for each query, and all that are tied with the last of them.

    Args:
        look: Finds so many of the best for some of the queries: ids, -1 where there are fewer, and their scores.
        queries: How many there are.
        corpus: How many rows there are.
        k: How many are wanted, from 1.
    """
    ids: list[Ints] = [np.zeros(0, np.int64)] * queries
    scores: list[Floats] = [np.zeros(0)] * queries
    waiting, depth = list(range(queries)), min(k + 1, corpus)
    while waiting:
        again: list[int] = []
        step = max(1, CELLS // depth)
        for begin in range(0, len(waiting), step):
            rows = waiting[begin : begin + step]
            for row, places, values in zip(rows, *look(rows, depth), strict=True):
                there = places >= 0
                level = levelled(values[there].astype(np.float64))
                kept = len(level) if len(level) <= k else int(np.count_nonzero(level >= level[k - 1]))
                if kept == depth < corpus:
                    again.append(row)  # the tie may go on
                ids[row], scores[row] = places[there][:kept], level[:kept]
        waiting, depth = again, min(4 * depth, corpus)
    return Found(ids, scores)
