"""How sure a figure is, and whether one model beats another on the same items. Not the figures themselves.

A statistic is a function from counts, shape (r, n), to figures, shape (r,). The counts come from the seed and n
alone, so two statistics of the same n and seed see the same resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int, same_length
from nearsense.errors import InputError
from nearsense.metrics.classification import weighted_average_precision, weighted_roc_auc
from nearsense.metrics.correlation import weighted_pearson, weighted_spearman
from nearsense.metrics.samples import numbers
from nearsense.records import parse
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.metrics.samples import Statistic
    from nearsense.vectors.rows import Float64

BLOCK = 2**17
"""Counts worked on at once: 1 MiB in float64, so that a statistic's passes stay in a core's cache."""


class Figure(StrEnum):
    """Figures of two columns that `bootstrap_pairs` knows by name."""

    PEARSON = "pearson"
    SPEARMAN = "spearman"
    AVERAGE_PRECISION = "average_precision"
    ROC_AUC = "roc_auc"


_STATISTICS = {
    Figure.PEARSON: weighted_pearson,
    Figure.SPEARMAN: weighted_spearman,
    Figure.AVERAGE_PRECISION: weighted_average_precision,
    Figure.ROC_AUC: weighted_roc_auc,
}


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies, as far as the items tell.

    Args:
        low: The lower end.
        high: The upper end.
    """

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the first of two models is, on the same items.

    Args:
        value: The first's figure less the second's.
        low: The lower end of the difference's interval.
        high: The upper end.
        p: Two-sided p-value of "they are equally good", in (0, 1].
    """

    value: float
    low: float
    high: float
    p: float


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


def weighted_share(right: Float64, among: Float64) -> Statistic:
    """The share of right ones among some of the items."""
    both = right * among

    def statistic(counts: Float64) -> Float64:
        with np.errstate(all="ignore"):
            share: Float64 = (counts @ both) / (counts @ among)
        return share

    return statistic


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of several figures of the same items."""
    return lambda counts: np.mean([statistic(counts) for statistic in statistics], axis=0)


def bootstrap(
    statistic: Statistic, n: int, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The percentile bootstrap interval of a figure (Efron and Tibshirani 1993, chapter 13).

    n items are drawn from the n with replacement, `resamples` times; the interval spans the middle of the figures.
    Resamples that leave the figure undefined are left out.

    Args:
        statistic: From counts, shape (r, n), to figures, shape (r,), such as `weighted_spearman(a, b)`.
        n: How many items it has.
        resamples: How many resamples, from 1. Memory does not grow with them.
        seed: The same seed and n give the same resamples.
        level: How much of the figures the interval spans, in (0, 1).

    Raises:
        InputError: An argument is out of its range, or no resample has a defined figure.

    Example:
        >>> interval = bootstrap(weighted_mean([0, 1, 1, 1, 0, 1, 1, 0]), n=8)
        >>> interval.low, interval.high
        (0.25, 0.875)
    """
    return interval_of(np.concatenate([statistic(block) for block in resample_counts(n, resamples, seed)]), level)


def bootstrap_mean(values: ArrayLike, *, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> Interval:
    """The `bootstrap` interval of a mean of numbers, shape (n,): of a figure per query, or of who was right.

    Other arguments and errors are those of `bootstrap`.

    Example:
        >>> bootstrap_mean([0.5, 0.5, 0.5])
        Interval(low=0.5, high=0.5)
    """
    return bootstrap(weighted_mean(values), np.size(values), resamples=resamples, seed=seed, level=level)


def bootstrap_pairs(
    figure: str, a: ArrayLike, b: ArrayLike, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The `bootstrap` interval of a figure of two columns, resampled together.

    Args:
        figure: `"pearson"`, `"spearman"`, `"average_precision"` or `"roc_auc"`.
        a: The first column, shape (n,); labels 0 or 1 for the last two figures.
        b: The second; scores for the last two.
        resamples: As in `bootstrap`.
        seed: As in `bootstrap`.
        level: As in `bootstrap`.

    Raises:
        InputError: As `bootstrap`, or as the figure itself.

    Example:
        >>> bootstrap_pairs("roc_auc", [0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.8])
        Interval(low=1.0, high=1.0)
    """
    statistic = _STATISTICS[parse(Figure, figure, name="figure")](a, b)
    return bootstrap(statistic, np.size(a), resamples=resamples, seed=seed, level=level)


def paired_bootstrap(
    first: Statistic, second: Statistic, n: int, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Difference:
    """Two models on the same items and the same resamples: the difference, its interval and a p-value.

    The p-value is twice the smaller share of resamples in which the difference lies on one side of 0 (0 itself on
    both), with one resample added, so that it agrees with the interval and is never 0 (Efron and Tibshirani 1993,
    chapter 15; why paired: Dror et al. 2018).

    Args:
        first: A statistic of the first model, such as `weighted_spearman(gold, scores)`.
        second: The same of the second.
        n: How many items both have.
        resamples: As in `bootstrap`.
        seed: As in `bootstrap`.
        level: As in `bootstrap`.

    Raises:
        InputError: As `bootstrap`.

    Example:
        >>> from nearsense.metrics import weighted_spearman
        >>> gold, good, bad = [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 7], [6, 5, 4, 3, 2, 0]
        >>> paired_bootstrap(weighted_spearman(gold, good), weighted_spearman(gold, bad), n=6).value
        2.0
    """
    once = np.ones((1, positive_int(n, "n")))
    differences = np.concatenate([first(block) - second(block) for block in resample_counts(n, resamples, seed)])
    interval = interval_of(differences, level)
    defined = differences[~np.isnan(differences)]
    rarer = min(np.count_nonzero(defined <= 0.0), np.count_nonzero(defined >= 0.0))
    p = min(1.0, 2.0 * (1 + rarer) / (1 + len(defined)))
    return Difference(float((first(once) - second(once))[0]), interval.low, interval.high, p)


def paired_permutation(x: ArrayLike, y: ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value of "the means of x and y are equal" for two models on the same items, by sign flips.

    Were the models equal, each item's difference could as well have the other sign (Dror et al. 2018). Exact, over
    all 2^n signs, where these are no more than `resamples`; else over random ones, with the given ones added.

    Args:
        x: The first model's figure of each item or query, shape (n,).
        y: The second's.
        resamples: How many assignments of signs, from 1.
        seed: The same seed gives the same signs.

    Raises:
        InputError: The lengths differ, a value is not finite, or resamples < 1.

    Example:
        >>> paired_permutation([0.9, 0.8, 0.7, 0.9, 0.6], [0.5, 0.6, 0.4, 0.8, 0.5])
        0.0625
    """
    left, right = numbers(x, "x"), numbers(y, "y")
    same_length(left, right, "x", "y")
    positive_int(resamples, "resamples")
    difference = left - right
    n, total = len(difference), float(difference.sum())
    exact = n < 63 and 2**n <= resamples
    far = 0
    floor = abs(total) - 1e-12 * float(np.abs(difference).sum())  # what rounding may take from an equal sum
    for flips in _all_flips(n) if exact else _random_flips(n, resamples, seed):
        far += int(np.count_nonzero(np.abs(total - 2.0 * (flips @ difference)) >= floor))
    return far / 2**n if exact else (1 + far) / (1 + resamples)


def resample_counts(n: int, resamples: int, seed: int = 0) -> Iterator[Float64]:
    """How often each of n items is drawn in each resample, in blocks: float64, shape (r, n), rows summing to n.

    Args:
        n: How many items there are, and how many each resample draws with replacement.
        resamples: How many resamples in all.
        seed: The same seed and n give the same counts.

    Raises:
        InputError: n or `resamples` is below 1.

    Example:
        >>> [block.sum(axis=1) for block in resample_counts(n=5, resamples=3)]
        [array([5., 5., 5.])]
    """
    random = np.random.default_rng(seed)
    for part in blocks(positive_int(resamples, "resamples"), max(1, BLOCK // positive_int(n, "n"))):
        counts = np.empty((part.stop - part.start, n))
        for row in counts:
            row[:] = np.bincount(random.integers(0, n, size=n), minlength=n)
        yield counts


def interval_of(figures: Float64, level: float) -> Interval:
    """The middle of the figures of resamples, those left out that are not defined."""
    if not 0.0 < level < 1.0:
        raise InputError(f"level={level!r} is not a share", why="it lies between 0 and 1", fix="level=0.95")
    defined = figures[~np.isnan(figures)]
    if not len(defined):
        raise InputError(
            f"the figure is not defined in any of {len(figures)} resamples",
            why="each is of one class, or constant on one side",
            fix="give more items",
        )
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(low), float(high))


def _all_flips(n: int) -> Iterator[Float64]:
    for part in blocks(2**n, max(1, BLOCK // n)):
        yield ((np.arange(part.start, part.stop)[:, None] >> np.arange(n)) & 1).astype(np.float64)


def _random_flips(n: int, resamples: int, seed: int) -> Iterator[Float64]:
    random = np.random.default_rng(seed)
    for part in blocks(resamples, max(1, BLOCK // n)):
        width = -(-n // 8)
        octets = np.frombuffer(random.bytes((part.stop - part.start) * width), np.uint8).reshape(-1, width)
        yield np.unpackbits(octets, axis=1, count=n).astype(np.float64)
