"""Figures of resamples, many at once, from how often each item was drawn. Not the drawing: see resampling.py.

Each function is given the items once and returns a statistic: a function of counts, shape (r, n), row i saying how
often resample i drew each item, to that figure of each resample, float64, shape (r,). It equals the figure of the
items written out that often, ties included, but nothing is written out or sorted again. Where a resample leaves it
undefined (one class, a constant side) it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nearsense.checks import same_length
from nearsense.errors import InputError
from nearsense.metrics.correlation import pearson
from nearsense.metrics.samples import both_classes, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.vectors.rows import Array, Float64

    Statistic: TypeAlias = Callable[[Float64], Float64]


def weighted_mean(values: ArrayLike) -> Statistic:
    """The mean of each resample.

    Args:
        values: Numbers, shape (n,): a figure of each query, or whether each item was right.

    Raises:
        InputError: A value is not finite, or there are none.

    Example:
        >>> weighted_mean([1.0, 2.0, 6.0])(np.array([[1, 1, 1], [0, 3, 0]]))
        array([3., 2.])
    """
    sample = numbers(values, "values")
    return lambda counts: counts @ sample / counts.sum(axis=1)


def weighted_pearson(a: ArrayLike, b: ArrayLike) -> Statistic:
    """Pearson's correlation of each resample.

    Args:
        a: Numbers, shape (n,).
        b: As many.

    Raises:
        InputError: The lengths differ, or a value is not finite.

    Example:
        >>> weighted_pearson([1, 2, 3, 4], [1, 3, 2, 5])(np.array([[1, 1, 1, 1], [2, 0, 0, 2]])).round(4)
        array([0.8315, 1.    ])
    """
    x, y = _pairs(a, b)
    x, y = _scaled(x), _scaled(y)
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)

    def statistic(counts: Float64) -> Float64:
        n, sum_x, sum_y, square_x, square_y, product = (counts @ moments).T
        spread_x, spread_y = square_x - sum_x**2 / n, square_y - sum_y**2 / n
        with np.errstate(all="ignore"):
            figures: Float64 = (product - sum_x * sum_y / n) / np.sqrt(spread_x * spread_y)
        cancelled = (spread_x <= 1e-6 * square_x) | (spread_y <= 1e-6 * square_y)
        for row in np.flatnonzero(cancelled):
            figures[row] = _written_out(x, y, counts[row])
        return np.clip(figures, -1.0, 1.0)

    return statistic


def weighted_spearman(a: ArrayLike, b: ArrayLike) -> Statistic:
    """Spearman's rank correlation of each resample: Pearson's of its mid-ranks, which running sums of counts give.

    Arguments and errors are those of `weighted_pearson`.

    Example:
        >>> weighted_spearman([1, 2, 3, 4], [1, 3, 3, 9])(np.array([[1, 1, 1, 1], [1, 2, 0, 1]])).round(4)
        array([0.9487, 1.    ])
    """
    x, y = _pairs(a, b)
    left, right = _Order(x), _Order(y)

    def statistic(counts: Float64) -> Float64:
        ranks, spread = left.ranks(counts)
        others, other_spread = right.ranks(counts)
        ranks *= counts
        with np.errstate(all="ignore"):
            figures: Float64 = np.vecdot(ranks, others) / np.sqrt(spread) / np.sqrt(other_spread)
        return np.clip(figures, -1.0, 1.0)

    return statistic


def weighted_roc_auc(labels: ArrayLike, scores: ArrayLike) -> Statistic:
    """The area under the ROC curve of each resample.

    Args:
        labels: 0 or 1, shape (n,), both present.
        scores: Higher means rather 1, shape (n,).

    Raises:
        InputError: A label is not 0 or 1, all are the same, a score is not finite, or the lengths differ.

    Example:
        >>> weighted_roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])(np.array([[1, 1, 1, 1], [1, 0, 1, 1]]))
        array([0.75, 1.  ])
    """
    negative, positive, scores_of = _split(labels, scores)
    below = np.searchsorted(scores_of[negative], scores_of[positive], side="left")
    not_above = np.searchsorted(scores_of[negative], scores_of[positive], side="right")

    def statistic(counts: Float64) -> Float64:
        weights, sums = counts.take(positive, axis=1), _running(counts.take(negative, axis=1))
        beaten = sums.take(below, axis=1)
        beaten += sums.take(not_above, axis=1)
        with np.errstate(all="ignore"):
            figures: Float64 = np.vecdot(weights, beaten) / (2.0 * weights.sum(axis=1) * sums[:, -1])
        return figures

    return statistic


def weighted_average_precision(labels: ArrayLike, scores: ArrayLike) -> Statistic:
    """Average precision of each resample.

    Arguments and errors are those of `weighted_roc_auc`. Without a negative it is 1, without a positive NaN.

    Example:
        >>> weighted_average_precision([0, 1, 1], [0.4, 0.3, 0.8])(np.array([[1, 1, 1], [2, 1, 0]])).round(4)
        array([0.8333, 0.3333])
    """
    negative, positive, scores_of = _split(labels, scores)
    negative, positive = negative[::-1], positive[::-1]  # highest score first
    hits_to = np.searchsorted(-scores_of[positive], -scores_of[positive], side="right")
    alarms_to = np.searchsorted(-scores_of[negative], -scores_of[positive], side="right")

    def statistic(counts: Float64) -> Float64:
        weights = counts.take(positive, axis=1)
        hits, alarms = _running(weights), _running(counts.take(negative, axis=1))
        precision = hits.take(hits_to, axis=1)
        predicted = alarms.take(alarms_to, axis=1)
        predicted += precision
        precision /= np.maximum(predicted, 1.0, out=predicted)  # nothing drawn so far: its weight is 0 too
        with np.errstate(all="ignore"):
            figures: Float64 = np.vecdot(weights, precision) / hits[:, -1]
        return figures

    return statistic


class _Order:
    """A sample in ascending order; from counts, its mid-ranks."""

    def __init__(self, sample: Float64) -> None:
        _, self._group, sizes = np.unique(sample, return_inverse=True, return_counts=True)
        self._order = np.argsort(sample, kind="stable")
        self._edges = np.append(0, np.cumsum(sizes))

    def ranks(self, counts: Float64) -> tuple[Float64, Float64]:
        """Twice each item's mid-rank less the mean one, (r, n), and the sum of their squares, (r,).

        An item's doubled, centred rank is how many lie below its group less how many lie above; the sum of squares
        over a resample of n is (n^3 - the sum of t^3) / 3 with t the sizes of its groups (Kendall 1948, for ties).
        """
        sums = _running(counts.take(self._order, axis=1))
        n = sums[:, -1]
        if len(self._edges) < sums.shape[1]:
            sums = sums.take(self._edges, axis=1)
        middle = sums[:, :-1] + sums[:, 1:]
        middle -= n[:, None]
        sizes = np.diff(sums, axis=1)
        spread = (n**3 - np.vecdot(sizes * sizes, sizes)) / 3.0
        return middle.take(self._group, axis=1), spread


def _running(counts: Float64) -> Float64:
    """Running sums along each row, from 0: shape (r, n + 1)."""
    sums = np.zeros((counts.shape[0], counts.shape[1] + 1))
    np.cumsum(counts, axis=1, out=sums[:, 1:])
    return sums


def _scaled(sample: Float64) -> Float64:
    """Centred, the largest at 1, so that squares neither overflow nor cancel without need."""
    sample = sample / (np.abs(sample).max() or 1.0)
    sample -= sample.mean()
    largest: Float64 = sample / (np.abs(sample).max() or 1.0)
    return largest


def _written_out(x: Float64, y: Float64, counts: Float64) -> float:
    """Pearson's of one resample item by item: where sums of squares cancel."""
    times = counts.astype(np.int64)
    try:
        return pearson(np.repeat(x, times), np.repeat(y, times))
    except InputError:
        return float("nan")


def _split(labels: ArrayLike, scores: ArrayLike) -> tuple[Array, Array, Float64]:
    """The negatives, the positives, each in ascending order of score, and all scores."""
    positive, sample = both_classes(labels), numbers(scores, "scores")
    same_length(positive, sample, "labels", "scores")
    order = np.argsort(sample, kind="stable")
    return order[~positive[order]], order[positive[order]], sample


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[Float64, Float64]:
    x, y = numbers(a, "a"), numbers(b, "b")
    same_length(x, y, "a", "b")
    return x, y
