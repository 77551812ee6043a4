"""Several rankings of the same things into one, by places alone. Not a mixture of scores, which share no scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RRF_CONSTANT", "reciprocal_rank_fusion"]

RRF_CONSTANT = 60
"""As in the paper: a first place counts for little more than a tenth."""

_DIGITS = 12
"""Sums that differ by less are equal but for rounding: 1/3 + 1/4 and 1/2 + 1/12."""


def reciprocal_rank_fusion(
    rankings: Sequence[NDArray[np.int64]], k: int, *, constant: int = RRF_CONSTANT
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k best by the sum over all rankings of 1 / (constant + place), places from 1.

    Cormack, Clarke and Büttcher: Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods, SIGIR 2009. What a ranking does not hold gets nothing from it. The order of rankings does not matter.

    Args:
        rankings: Ids, best first, each at most once; ids below 0 mark places that are not taken.
        k: How many, from 1.
        constant: From 1; 60 in the paper. The larger, the less a first place counts for more than a tenth.

    Returns:
        Ids and scores, best first, of the same length, at most k; the lower id first among equals.

    Raises:
        InputError: k or `constant` is below 1, or a ranking holds an id twice.

    Example:
        >>> ids, scores = reciprocal_rank_fusion([np.array([7, 3, 5]), np.array([3, 9])], k=2)
        >>> ids, scores.round(4)
        (array([3, 7]), array([0.0325, 0.0164]))
    """
    k, constant = positive_int(k, "k"), positive_int(constant, "constant")
    ids = [np.asarray(ranking, np.int64) for ranking in rankings]
    for number, ranking in enumerate(ids):
        if len(np.unique(ranking[ranking >= 0])) < np.count_nonzero(ranking >= 0):
            raise InputError(f"ranking {number} holds an id twice", fix="keep the better place of each")
    everything = np.concatenate([*ids, np.zeros(0, np.int64)])
    places = np.concatenate([*(np.arange(1, len(ranking) + 1) for ranking in ids), np.zeros(0, np.int64)])
    order = np.lexsort((places, everything))  # the same places add up to the same number, in whatever rankings
    order = order[everything[order] >= 0]
    known, who = np.unique(everything[order], return_inverse=True)
    scores = np.bincount(who, 1.0 / (constant + places[order]), len(known)).astype(np.float64)
    best = np.lexsort((known, -scores.round(_DIGITS)))[:k]
    return known[best], scores[best]
