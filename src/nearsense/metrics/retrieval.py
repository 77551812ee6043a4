"""How good ranked lists are: nDCG, reciprocal rank, recall, precision, average precision. Not how they were found.

What goes in are relevance grades: for each query those of the documents that were returned, best hit first. 0 and
below means not relevant, as in trec_eval. What comes out is one figure per query, so that a mean can be taken and
queries can be resampled (`bootstrap_mean`). A single query goes in as a list of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nearsense.errors import InputError
from nearsense.metrics.rows import from_one
from nearsense.metrics.samples import flat, numbers, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.metrics.rows import Array, Float64

    Lists: TypeAlias = Sequence[ArrayLike] | NDArray[np.number]


def ndcg(grades: Lists, ideal: Lists, k: int | None = 10) -> Float64:
    """Normalised discounted cumulative gain at k: the sum of grade / log2(rank + 1) over its best, in [0, 1].

    Linear gain and log2 discount, as in trec_eval and BEIR (Järvelin and Kekäläinen 2002).

    Args:
        grades: For each query the grades of its ranked documents, q lists or shape (q, depth).
        ideal: For each query all its grades in the data, found or not, in any order, q lists or shape (q, any).
        k: How many of the first ranks count; None for all.

    Returns:
        float64, shape (q,).

    Raises:
        InputError: k < 1, a grade is not finite, the number of queries differs, a query has no relevant document,
            or its ranking holds better grades than `ideal`.

    Example:
        >>> ndcg([[3, 0, 2], [0, 0, 1]], [[3, 2], [1]]).round(4)
        array([0.9386, 0.5   ])
    """
    best = np.sort(_table(ideal, "ideal", None), axis=1)[:, ::-1]
    table = _table(grades, "grades", k)
    same_length(table, best, "grades", "ideal")
    gained, highest = _discounted(table), _discounted(best[:, :k])
    _refuse(highest <= 0.0, "query {} has no relevant document", "its nDCG is not defined")
    _refuse(
        gained > highest * (1.0 + 1e-9),
        "the ranking of query {} holds better grades than its ideal",
        "a document is ranked twice, or its grade is missing in ideal",
    )
    share: Float64 = np.minimum(gained / highest, 1.0)
    return share


def reciprocal_rank(grades: Lists, k: int | None = 10) -> Float64:
    """1 / rank of the first relevant document within the first k, 0 where there is none; its mean is the MRR at k.

    Args:
        grades: As in `ndcg`.
        k: How many of the first ranks count; None for all.

    Returns:
        float64, shape (q,).

    Raises:
        InputError: k < 1, or a grade is not finite.

    Example:
        >>> reciprocal_rank([[0, 1, 1], [2, 0], [0, 0]])
        array([0.5, 1. , 0. ])
    """
    relevant = _table(grades, "grades", k) > 0
    if not relevant.shape[1]:
        return np.zeros(len(relevant))
    reciprocal: Float64 = relevant.any(axis=1) / (relevant.argmax(axis=1) + 1.0)
    return reciprocal


def precision_at(grades: Lists, k: int) -> Float64:
    """Share of the first k ranks that hold a relevant document; a rank that was left empty holds none.

    Args:
        grades: As in `ndcg`.
        k: How many of the first ranks count.

    Returns:
        float64, shape (q,).

    Raises:
        InputError: k < 1, or a grade is not finite.

    Example:
        >>> precision_at([[0, 1, 1], [1]], k=2)
        array([0.5, 0.5])
    """
    share: Float64 = (_table(grades, "grades", k) > 0).sum(axis=1) / from_one(k, "k")
    return share


def recall(grades: Lists, relevant: ArrayLike, k: int | None) -> Float64:
    """Share of a query's relevant documents that stand within the first k ranks.

    Args:
        grades: As in `ndcg`.
        relevant: How many relevant documents each query has in the data, shape (q,), from 1.
        k: How many of the first ranks count; None for all.

    Returns:
        float64, shape (q,).

    Raises:
        InputError: k < 1, a grade is not finite, the number of queries differs, or a query has no relevant
            document, or fewer than were found.

    Example:
        >>> recall([[0, 1, 1], [1, 0]], relevant=[4, 1], k=3)
        array([0.5, 1. ])
    """
    found, total = _found(grades, relevant, k)
    share: Float64 = found.sum(axis=1) / total
    return share


def ranked_average_precision(grades: Lists, relevant: ArrayLike, k: int | None = None) -> Float64:
    """Average precision of a ranking: the mean, over all relevant documents, of the precision at each one's rank.

    A relevant document that is not within the first k adds 0, as in trec_eval (map, map_cut); the mean over
    queries is MAP. sentence-transformers divides by min(k, relevant) instead: the same where k reaches `relevant`.

    Arguments and errors are those of `recall`. Returns float64, shape (q,).

    Example:
        >>> ranked_average_precision([[1, 0, 1], [0, 1, 0]], relevant=[2, 2]).round(4)
        array([0.8333, 0.25  ])
    """
    found, total = _found(grades, relevant, k)
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    mean: Float64 = np.vecdot(found, precision) / total
    return mean


def _found(grades: Lists, relevant: ArrayLike, k: int | None) -> tuple[Float64, Float64]:
    found, total = (_table(grades, "grades", k) > 0).astype(np.float64), numbers(relevant, "relevant")
    same_length(found, total, "grades", "relevant")
    _refuse(total <= 0.0, "query {} has no relevant document", "a share of none is not defined")
    _refuse(
        found.sum(axis=1) > total,
        "the ranking of query {} holds more relevant documents than it has",
        "a document is ranked twice, or relevant counts too few",
    )
    return found, total


def _discounted(table: Float64) -> Float64:
    gained: Float64 = table @ (1.0 / np.log2(np.arange(2, table.shape[1] + 2)))
    return gained


def _table(grades: Lists, name: str, k: int | None) -> Float64:
    """The first k grades of each query as one matrix, 0 where there is none; negative grades are 0 too."""
    if k is not None:
        from_one(k, "k")
    lists = [_row(row, f"{name}[{i}]")[:k] for i, row in enumerate(grades)]
    if not lists:
        raise InputError(f"{name} holds no query", why="nothing can be measured on none", fix="give at least one")
    lengths = np.array([len(row) for row in lists])
    table = np.zeros((len(lists), lengths.max()))
    table[np.arange(lengths.max()) < lengths[:, None]] = np.concatenate(lists)
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        raise InputError(
            f"{name}[{bad[0, 0]}][{bad[0, 1]}] is {table[tuple(bad[0])]}",
            why="a grade must be a finite number",
            fix="give 0 where a document is not relevant",
        )
    return np.maximum(table, 0.0)


def _row(row: ArrayLike, name: str) -> Array:
    if np.isscalar(row):
        raise InputError(
            f"{name} must be a list of grades, got {row!r}",
            why="each query has a list of its own",
            fix="for a single query: [grades]",
        )
    values = flat(row, name, empty=True)
    if values.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold numbers, got {values.dtype}", fix="give 0 where it is not relevant")
    return values


def _refuse(bad: NDArray[np.bool_], what: str, why: str) -> None:
    if bad.any():
        raise InputError(what.format(np.flatnonzero(bad)[0]), why=why, fix="leave that query out, or correct it")
