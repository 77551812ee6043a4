"""How well two columns agree: numbers by their correlation, groupings by V-measure and adjusted Rand index.

Each for resamples, `weighted_...`, and for the items themselves. A group's name does not count, only who is in it
with whom; noise, say -1, is a group like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import same_length
from nearsense.errors import InputError
from nearsense.metrics.resampling import figure_of_items, flat, numbers, running_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.metrics.resampling import Statistic
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
    return _correlation(numbers(x, "x"), numbers(y, "y"))


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of the average ranks, in [-1, 1]; how sentence similarity is judged.

    Arguments and errors are those of `pearson`, but that values may be infinite.

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


@dataclass(frozen=True, slots=True)
class VMeasure:
    """Homogeneity, completeness, and their harmonic mean; each in [0, 1].

    Args:
        v: 2 homogeneity completeness / (homogeneity + completeness).
        homogeneity: 1 where no predicted group mixes true ones.
        completeness: 1 where no true group is split.
    """

    v: float
    homogeneity: float
    completeness: float


def v_measure(true: ArrayLike, predicted: ArrayLike) -> VMeasure:
    """The V-measure (Rosenberg and Hirschberg 2007): how much of one grouping's entropy the other explains.

    Args:
        true: The right group of each item, shape (n,): numbers or strings.
        predicted: The group it was put in, shape (n,).

    Raises:
        InputError: The lengths differ, there are no items, or the groups of one side cannot be told apart (NaN,
            mixed kinds).

    Example:
        >>> v_measure([0, 0, 1, 1], [0, 0, 1, 2])
        VMeasure(v=0.8, homogeneity=1.0, completeness=0.6666666666666666)
    """
    groups = _Groups(true, predicted)
    return VMeasure(*(float(each[0]) for each in groups.v_measure(np.ones((1, groups.n)))))


def adjusted_rand(true: ArrayLike, predicted: ArrayLike) -> float:
    """The adjusted Rand index (Hubert and Arabie 1985): agreement on pairs of items; 1 is perfect, chance is 0.

    Arguments and errors are those of `v_measure`.

    Example:
        >>> round(adjusted_rand(["a", "a", "b", "b"], [0, 0, 1, 2]), 4)
        0.5714
    """
    return figure_of_items(weighted_adjusted_rand(true, predicted), true)


def weighted_v_measure(true: ArrayLike, predicted: ArrayLike) -> Statistic:
    """The V-measure of two partitions, of resamples."""
    groups = _Groups(true, predicted)
    return lambda counts: groups.v_measure(counts)[0]


def weighted_adjusted_rand(true: ArrayLike, predicted: ArrayLike) -> Statistic:
    """The adjusted Rand index of two partitions, of resamples."""
    groups = _Groups(true, predicted)

    def statistic(counts: Float64) -> Float64:
        n = counts.sum(axis=1)
        together, left, right = ((sizes * (sizes - 1.0)).sum(axis=1) / 2.0 for sizes in groups.sizes(counts))
        with np.errstate(all="ignore"):
            chance, most = left * right / (n * (n - 1.0) / 2.0), (left + right) / 2.0
            rand: Float64 = (together - chance) / (most - chance)
        return np.where((together == left) & (together == right), 1.0, rand)

    return statistic


class _Groups:
    """Two partitions of n items: the cells of their contingency table that occur, its rows and its columns."""

    def __init__(self, true: ArrayLike, predicted: ArrayLike) -> None:
        rows, columns = _group_numbers(true, "true"), _group_numbers(predicted, "predicted")
        same_length(rows, columns, "true", "predicted")
        self.n, width = len(rows), int(columns.max()) + 1
        self._sums = [_Sums(keys) for keys in (rows * width + columns, rows, columns)]
        self._row, self._column = np.divmod(self._sums[0].keys, width)

    def sizes(self, counts: Float64) -> list[Float64]:
        """How many of each resample are in each cell, row and column."""
        return [sums(counts) for sums in self._sums]

    def v_measure(self, counts: Float64) -> tuple[Float64, Float64, Float64]:
        """V-measure, homogeneity and completeness of each resample, shape (r,) each."""
        n, (both, left, right) = counts.sum(axis=1)[:, None], self.sizes(counts)
        mixed = _entropy(both / n, both, right.take(self._column, axis=1))
        split = _entropy(both / n, both, left.take(self._row, axis=1))
        homogeneity = _explained_share(mixed, _entropy(left / n, left, n))
        completeness = _explained_share(split, _entropy(right / n, right, n))
        total = homogeneity + completeness
        v: Float64 = 2.0 * homogeneity * completeness / np.where(total > 0, total, 1.0)
        return v, homogeneity, completeness


class _Sums:
    """Sums of counts over the items of each group."""

    def __init__(self, groups: NDArray[np.int64]) -> None:
        self.keys, which = np.unique(groups, return_inverse=True)
        self._order = np.argsort(which, kind="stable")
        self._starts = np.searchsorted(which[self._order], np.arange(len(self.keys)))

    def __call__(self, counts: Float64) -> Float64:
        return np.add.reduceat(counts.take(self._order, axis=1), self._starts, axis=1)


def _entropy(shares: Float64, part: Float64, whole: Float64) -> Float64:
    """Minus the sum of each share's times the logarithm of part / whole, in nats; what is empty adds nothing."""
    entropy: Float64 = -np.vecdot(shares, np.log(np.where(part > 0, part, 1.0) / np.where(part > 0, whole, 1.0)))
    return entropy


def _group_numbers(x: ArrayLike, name: str) -> NDArray[np.int64]:
    """Each item's group as a number from 0."""
    names = flat(x, name)
    if names.dtype.kind == "f" and np.isnan(names).any():
        what = f"{name}[{np.flatnonzero(np.isnan(names))[0]}] is nan"
        raise InputError(what, why="it names no group", fix="give noise a number of its own, or leave it out")
    try:
        return np.unique(names, return_inverse=True)[1]
    except TypeError:
        why = "they cannot be told apart"
        raise InputError(f"{name} mixes kinds of names", why=why, fix="use numbers, or strings") from None


def _explained_share(left: Float64, entropy: Float64) -> Float64:
    """What part of an entropy is not left over; all of it where there is none."""
    return np.where(entropy > 0, np.clip(1.0 - left / np.where(entropy > 0, entropy, 1.0), 0.0, 1.0), 1.0)


def _correlation(x: Float64, y: Float64) -> float:
    same_length(x, y, "x", "y")
    if len(x) < 2:
        raise InputError(f"a correlation needs at least 2 pairs, got {len(x)}", fix="give more pairs")
    return float(np.clip(_centre_at_unit_length(x, "x") @ _centre_at_unit_length(y, "y"), -1.0, 1.0))


def _centre_at_unit_length(sample: Float64, name: str) -> Float64:
    """The sample less its mean, at length 1; scaled first, so that no square overflows or vanishes."""
    if sample.min() == sample.max():
        why = "the correlation with a constant is not defined"
        raise InputError(f"all {len(sample)} values of {name} are the same", why=why, fix="use values that vary")
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
