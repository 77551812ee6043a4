"""Pearson, Spearman and the ranks under it, plain and of resamples. Not how sure they are: see resampling.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import same_length
from nearsense.errors import InputError
from nearsense.metrics.samples import numbers, running_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.metrics.samples import Statistic
    from nearsense.vectors.rows import Float64


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's correlation: cov(x, y) / (sd(x) sd(y)), how nearly `y` is a straight line in `x`, in [-1, 1].

    Args:
        x: Numbers, shape (n,), n >= 2.
        y: As many.

    Raises:
        InputError: The lengths differ or are below 2, a value is not finite, or one side is constant.

    Example:
        >>> round(pearson([1, 2, 3, 4], [1, 3, 2, 5]), 4)
        0.8315
    """
    left, right = numbers(x, "x"), numbers(y, "y")
    return _correlation(left, right)


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of the average ranks, in [-1, 1]; how sentence similarity is judged.

    Args:
        x: Numbers, shape (n,), n >= 2.
        y: As many.

    Raises:
        InputError: The lengths differ or are below 2, a value is NaN, or one side is constant.

    Example:
        >>> round(spearman([1, 2, 3, 4], [1, 3, 3, 9]), 4)
        0.9487
    """
    left, right = numbers(x, "x", infinite=True), numbers(y, "y", infinite=True)
    return _correlation(ranks(left), ranks(right))


def ranks(x: ArrayLike) -> Float64:
    """The rank of each value from 1, smallest first; equal values share the mean of their ranks.

    Args:
        x: Numbers, shape (n,).

    Returns:
        float64, shape (n,).

    Raises:
        InputError: A value is NaN, or the shape is not (n,).

    Example:
        >>> ranks([10, 20, 20, 5])
        array([2. , 3.5, 3.5, 1. ])
    """
    _, group, size = np.unique(numbers(x, "x", empty=True, infinite=True), return_inverse=True, return_counts=True)
    mean_rank: Float64 = np.cumsum(size) - (size - 1) / 2.0
    return mean_rank[group]


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
    x, y = map(_centre_and_scale, _columns(a, b))
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)

    def statistic(counts: Float64) -> Float64:
        n, sum_x, sum_y, square_x, square_y, product = (counts @ moments).T
        spread_x, spread_y = square_x - sum_x**2 / n, square_y - sum_y**2 / n
        with np.errstate(all="ignore"):
            figures: Float64 = (product - sum_x * sum_y / n) / np.sqrt(spread_x * spread_y)
        cancelled = (spread_x <= 1e-6 * square_x) | (spread_y <= 1e-6 * square_y)
        for row in np.flatnonzero(cancelled):
            figures[row] = _pearson_of_items(x, y, counts[row])
        return np.clip(figures, -1.0, 1.0)

    return statistic


def weighted_spearman(a: ArrayLike, b: ArrayLike) -> Statistic:
    """Spearman's rank correlation of each resample: Pearson's of its mid-ranks, which running sums of counts give.

    Arguments and errors are those of `weighted_pearson`.

    Example:
        >>> weighted_spearman([1, 2, 3, 4], [1, 3, 3, 9])(np.array([[1, 1, 1, 1], [1, 2, 0, 1]])).round(4)
        array([0.9487, 1.    ])
    """
    x, y = _columns(a, b)
    left, right = _Order(x), _Order(y)

    def statistic(counts: Float64) -> Float64:
        ranks, spread = left.ranks(counts)
        others, other_spread = right.ranks(counts)
        ranks *= counts
        with np.errstate(all="ignore"):
            figures: Float64 = np.vecdot(ranks, others) / np.sqrt(spread) / np.sqrt(other_spread)
        return np.clip(figures, -1.0, 1.0)

    return statistic


def _correlation(x: Float64, y: Float64) -> float:
    same_length(x, y, "x", "y")
    if len(x) < 2:
        raise InputError(f"a correlation needs at least 2 pairs, got {len(x)}", fix="give more pairs")
    return float(np.clip(_centre_at_unit_length(x, "x") @ _centre_at_unit_length(y, "y"), -1.0, 1.0))


def _centre_at_unit_length(sample: Float64, name: str) -> Float64:
    """The sample less its mean, at length 1; scaled first, so that no square overflows or vanishes."""
    if sample.min() == sample.max():
        raise InputError(
            f"all {len(sample)} values of {name} are the same",
            why="the correlation with a constant is not defined",
            fix="use values that vary",
        )
    sample = sample / np.abs(sample).max()
    sample -= sample.mean()
    sample -= sample.mean()  # what the first mean's own rounding left over
    sample /= np.abs(sample).max()
    sample /= np.sqrt(np.vecdot(sample, sample))
    return sample


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
        sums = running_sums(counts.take(self._order, axis=1))
        n = sums[:, -1]
        if len(self._edges) < sums.shape[1]:
            sums = sums.take(self._edges, axis=1)
        middle = sums[:, :-1] + sums[:, 1:]
        middle -= n[:, None]
        sizes = np.diff(sums, axis=1)
        spread = (n**3 - np.vecdot(sizes * sizes, sizes)) / 3.0
        return middle.take(self._group, axis=1), spread


def _centre_and_scale(sample: Float64) -> Float64:
    """Centred, the largest at 1, so that squares neither overflow nor cancel without need."""
    sample = sample / (np.abs(sample).max() or 1.0)
    sample -= sample.mean()
    largest: Float64 = sample / (np.abs(sample).max() or 1.0)
    return largest


def _pearson_of_items(x: Float64, y: Float64, counts: Float64) -> float:
    """Pearson's of one resample item by item: where sums of squares cancel."""
    times = counts.astype(np.int64)
    try:
        return pearson(np.repeat(x, times), np.repeat(y, times))
    except InputError:
        return float("nan")


def _columns(a: ArrayLike, b: ArrayLike) -> tuple[Float64, Float64]:
    x, y = numbers(a, "a"), numbers(b, "b")
    same_length(x, y, "a", "b")
    return x, y
