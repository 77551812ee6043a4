"""How good ranked lists are: nDCG, reciprocal rank, recall, precision, average precision. Not how they were found.

What goes in are relevance grades: for each query those of the documents that were returned, best hit first. 0 and
below means not relevant, as in trec_eval. What comes out is one figure per query, so that a mean can be taken and
queries can be resampled (`bootstrap_mean`). A single query goes in as a list of one.

Where `scores` stand beside the grades, equal scores are ties, and every figure is what it is on average over all
orders of the tied documents (McSherry and Najork, Computing information retrieval performance measures efficiently
in the presence of tied scores, ECIR 2008). A list that is cut must hold all documents that are tied at the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from nearsense.checks import positive_int, same_length
from nearsense.errors import InputError
from nearsense.metrics.resampling import flat, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.vectors.rows import Array, Float64

    Lists: TypeAlias = Sequence[ArrayLike] | NDArray[np.number]


def ndcg(grades: Lists, ideal: Lists, k: int | None = 10, *, scores: Lists | None = None) -> Float64:
    """Normalised discounted cumulative gain at k: the sum of grade / log2(rank + 1) over its best, in [0, 1].

    Linear gain and log2 discount, as in trec_eval and BEIR (Järvelin and Kekäläinen 2002).

    Args:
        grades: For each query the grades of its ranked documents, q lists or shape (q, depth).
        ideal: For each query all its grades in the data, found or not, in any order, q lists or shape (q, any).
        k: How many of the first ranks count; None for all.
        scores: For each query the scores of its ranked documents, never rising; equal ones are ties, counted by
            their expectation. None: the order is as it is.

    Returns:
        float64, shape (q,).

    Raises:
        InputError: k < 1, a grade is not finite, the number of queries differs, a query has no relevant document,
            its ranking holds better grades than `ideal`, or scores rise or are not as many as grades.

    Example:
        >>> ndcg([[3, 0, 2], [0, 0, 1]], [[3, 2], [1]]).round(4)
        array([0.9386, 0.5   ])
        >>> ndcg([[0, 0, 0, 1]], [[1]], scores=[[0.5, 0.5, 0.5, 0.5]]).round(4)
        array([0.6404])
    """
    best = np.sort(_table(ideal, "ideal", None), axis=1)[:, ::-1]
    table, ties = _grades_and_ties(grades, scores, k)
    same_length(table, best, "grades", "ideal")
    gained, highest = _discounted_sum(ties.mean(table)[:, :k]), _discounted_sum(best[:, :k])
    _refuse(highest <= 0.0, "query {} has no relevant document", "its nDCG is not defined")
    _refuse(
        gained > highest * (1.0 + 1e-9),
        "the ranking of query {} holds better grades than its ideal",
        "a document is ranked twice, or its grade is missing in ideal",
    )
    share: Float64 = np.minimum(gained / highest, 1.0)
    return share


def reciprocal_rank(grades: Lists, k: int | None = 10, *, scores: Lists | None = None) -> Float64:
    """1 / rank of the first relevant document within the first k, 0 where there is none; its mean is the MRR at k.

    Arguments and errors are those of `ndcg`. Returns float64, shape (q,).

    Example:
        >>> reciprocal_rank([[0, 1, 1], [2, 0], [0, 0]])
        array([0.5, 1. , 0. ])
        >>> reciprocal_rank([[0, 1]], scores=[[0.5, 0.5]])
        array([0.75])
    """
    table, ties = _grades_and_ties(grades, scores, k)
    relevant = (table > 0).astype(np.float64)
    among = ties.mean(relevant) * ties.size  # relevant ones of each rank's group
    first = (ties.start == np.where(among > 0, ties.start, np.inf).min(axis=1, initial=np.inf)[:, None]) & (
        among > 0
    )
    ranks = np.arange(1.0, table.shape[1] + 1)
    left = ties.size - (ranks - 1 - ties.start)  # of the group, from this rank on
    here = np.where(first, np.minimum(among / left, 1.0), 0.0)  # the first one stands here, if not before
    not_yet = np.cumprod(1.0 - here, axis=1)
    before = np.concatenate([np.ones((len(here), 1)), not_yet[:, :-1]], axis=1)[:, : here.shape[1]]
    expected: Float64 = (here * before / ranks)[:, :k].sum(axis=1)
    return expected


def precision_at(grades: Lists, k: int, *, scores: Lists | None = None) -> Float64:
    """Share of the first k ranks that hold a relevant document; a rank that was left empty holds none.

    Arguments and errors are those of `ndcg`. Returns float64, shape (q,).

    Example:
        >>> precision_at([[0, 1, 1], [1]], k=2)
        array([0.5, 0.5])
        >>> precision_at([[0, 1]], k=1, scores=[[0.5, 0.5]])
        array([0.5])
    """
    table, ties = _grades_and_ties(grades, scores, k)
    share: Float64 = ties.mean((table > 0).astype(np.float64))[:, :k].sum(axis=1) / positive_int(k, "k")
    return share


def recall(grades: Lists, relevant: ArrayLike, k: int | None, *, scores: Lists | None = None) -> Float64:
    """Share of a query's relevant documents that stand within the first k ranks.

    `relevant` says how many relevant documents each query has in the data, shape (q,), from 1; a ranking with more
    is an InputError. Other arguments and errors are those of `ndcg`. Returns float64, shape (q,).

    Example:
        >>> recall([[0, 1, 1], [1, 0]], relevant=[4, 1], k=3)
        array([0.5, 1. ])
        >>> recall([[0, 1]], relevant=[1], k=1, scores=[[0.5, 0.5]])
        array([0.5])
    """
    found, total, ties = _relevant_and_total(grades, relevant, k, scores)
    share: Float64 = ties.mean(found)[:, :k].sum(axis=1) / total
    return share


def ranked_average_precision(
    grades: Lists, relevant: ArrayLike, k: int | None = None, *, scores: Lists | None = None
) -> Float64:
    """Average precision of a ranking: the mean, over all relevant documents, of the precision at each one's rank.

    A relevant document that is not within the first k adds 0, as in trec_eval (map, map_cut); the mean over
    queries is MAP. sentence-transformers divides by min(k, relevant) instead: the same where k reaches `relevant`.

    Arguments and errors are those of `recall`. Returns float64, shape (q,).

    Example:
        >>> ranked_average_precision([[1, 0, 1], [0, 1, 0]], relevant=[2, 2]).round(4)
        array([0.8333, 0.25  ])
        >>> ranked_average_precision([[0, 0, 0, 1]], relevant=[1], scores=[[0, 0, 0, 0]]).round(4)
        array([0.5208])
    """
    found, total, ties = _relevant_and_total(grades, relevant, k, scores)
    ranks = np.arange(1.0, found.shape[1] + 1)
    share = ties.mean(found)  # the chance that the document of a rank is relevant
    above = np.cumsum(found, axis=1) - found
    above = np.take_along_axis(above, ties.start.astype(np.int64), axis=1)  # relevant ones before the group
    others = (share * ties.size - 1.0) / np.maximum(ties.size - 1.0, 1.0)  # of each other one of it, if this is
    precision = (above + 1.0 + (ranks - 1.0 - ties.start) * np.maximum(others, 0.0)) / ranks
    mean: Float64 = np.vecdot(share[:, :k], precision[:, :k]) / total
    return mean


def _relevant_and_total(
    grades: Lists, relevant: ArrayLike, k: int | None, scores: Lists | None
) -> tuple[Float64, Float64, _Ties]:
    table, ties = _grades_and_ties(grades, scores, k)
    found, total = (table > 0).astype(np.float64), numbers(relevant, "relevant")
    same_length(found, total, "grades", "relevant")
    _refuse(total <= 0.0, "query {} has no relevant document", "a share of none is not defined")
    _refuse(
        found.sum(axis=1) > total,
        "the ranking of query {} holds more relevant documents than it has",
        "a document is ranked twice, or relevant counts too few",
    )
    return found, total, ties


class _Ties(NamedTuple):
    """The groups of equal scores, by rank: shape (q, depth)."""

    group: NDArray[np.int64]  # its number, over all queries
    start: Float64  # how many ranks are before it
    size: Float64  # how many documents are in it

    def mean(self, table: Float64) -> Float64:
        """The mean of each rank's group."""
        if not table.size:
            return table
        sums = np.bincount(self.group.ravel(), table.ravel())
        means: Float64 = sums[self.group] / self.size
        return means


def _grades_and_ties(grades: Lists, scores: Lists | None, k: int | None) -> tuple[Float64, _Ties]:
    """The grades as one matrix, and the ties in it; without scores no more than k of them, and none is tied."""
    table = _table(grades, "grades", k, cut=scores is None)
    places = np.broadcast_to(np.arange(float(table.shape[1])), table.shape)
    if scores is None:
        return table, _Ties(np.arange(table.size).reshape(table.shape), places, np.ones(table.shape))
    rows = [_row(row, f"scores[{i}]").astype(np.float64) for i, row in enumerate(scores)]
    lengths = [len(_row(row, "grades")) for row in grades]
    same_length(table, np.empty(len(rows)), "grades", "scores")
    new = np.ones(table.shape, np.bool_)
    for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        if len(row) != length or not np.all(row[1:] <= row[:-1]):
            what = f"scores[{number}] rise, or are not as many as its {length} grades"
            why = "a ranking has its best score first, and a score for each grade"
            raise InputError(what, why=why, fix="put grades and scores in the order of falling scores")
        new[number, 1:length] = row[1:] != row[:-1]
    group = np.cumsum(new).reshape(table.shape) - 1
    sizes = np.bincount(group.ravel()) if group.size else np.zeros(0, np.int64)
    return table, _Ties(group, places[new][group], sizes[group].astype(np.float64))


def _discounted_sum(table: Float64) -> Float64:
    gained: Float64 = table @ (1.0 / np.log2(np.arange(2, table.shape[1] + 2)))
    return gained


def _table(grades: Lists, name: str, k: int | None, *, cut: bool = True) -> Float64:
    """The first k grades of each query as one matrix, 0 where there is none; negative grades are 0 too."""
    if k is not None:
        positive_int(k, "k")
    lists = [_row(row, f"{name}[{i}]")[: k if cut else None] for i, row in enumerate(grades)]
    if not lists:
        raise InputError(f"{name} holds no query", why="nothing can be measured on none", fix="give at least one")
    lengths = np.array([len(row) for row in lists])
    table = np.zeros((len(lists), lengths.max()))
    table[np.arange(lengths.max()) < lengths[:, None]] = np.concatenate(lists)
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        what = f"{name}[{bad[0, 0]}][{bad[0, 1]}] is {table[tuple(bad[0])]}"
        why = "a grade must be a finite number"
        raise InputError(what, why=why, fix="give 0 where a document is not relevant")
    return np.maximum(table, 0.0)


def _row(row: ArrayLike, name: str) -> Array:
    if np.isscalar(row):
        what = f"{name} must be a list of grades, got {row!r}"
        raise InputError(what, why="each query has a list of its own", fix="for a single query: [grades]")
    values = flat(row, name, empty=True)
    if values.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold numbers, got {values.dtype}", fix="give 0 where it is not relevant")
    return values


def _refuse(bad: NDArray[np.bool_], what: str, why: str) -> None:
    if bad.any():
        raise InputError(what.format(np.flatnonzero(bad)[0]), why=why, fix="leave that query out, or correct it")
