"""How sure a figure is, and whether one model beats another on the same items; and what figures are measured on.

A statistic is a function from counts, shape (r, n), to figures, shape (r,). The counts come from the seed and n
alone, so two statistics of the same n and seed see the same resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nearsense.checks import positive_int, same_length
from nearsense.errors import InputError
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.vectors.rows import Array, Float64

    Statistic: TypeAlias = Callable[[Float64], Float64]
    """From how often each item was drawn, shape (r, n), to a figure of each resample, shape (r,)."""

BLOCK = 2**17  # counts worked on at once: 1 MiB in float64, so that a statistic's passes stay in a core's cache


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


def paired_bootstrap(
    first: Statistic, second: Statistic, n: int, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Difference:
    """Two models on the same items and the same resamples: the difference, its interval and a p-value.

    The p-value is twice the smaller share of resamples in which the difference lies on one side of 0 (0 itself on
    both), with one resample added, so that it agrees with the interval and is never 0 (Efron and Tibshirani 1993,
    chapter 15; why paired: Dror et al. 2018).

    `first` is a statistic of the first model, such as `weighted_spearman(gold, scores)`, and `second` the same of
    the second, on n items. Other arguments and errors are those of `bootstrap`.

    Example:
        >>> from nearsense.metrics import weighted_spearman
        >>> gold, good, bad = [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 7], [6, 5, 4, 3, 2, 0]
        >>> paired_bootstrap(weighted_spearman(gold, good), weighted_spearman(gold, bad), n=6).value
        2.0
    """
    once = np.ones((1, positive_int(n, "n")))
    differences = np.concatenate([first(block) - second(block) for block in resample_counts(n, resamples, seed)])
    interval = interval_of(differences, level)
    p = p_of_equality(differences[~np.isnan(differences)])
    return Difference(float((first(once) - second(once))[0]), interval.low, interval.high, p)


def p_of_equality(differences: Float64) -> float:
    """Two-sided p-value of "the difference is 0", from that of each resample: see `paired_bootstrap`."""
    rarer = min(np.count_nonzero(differences <= 0.0), np.count_nonzero(differences >= 0.0))
    return min(1.0, 2.0 * (1 + rarer) / (1 + len(differences)))


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
        what = f"the figure is not defined in any of {len(figures)} resamples"
        raise InputError(what, why="each is of one class, or constant on one side", fix="give more items")
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


def numbers(x: ArrayLike, name: str, *, empty: bool = False, infinite: bool = False) -> Float64:
    """Numbers of shape (n,), in float64: finite ones, n >= 1, where nothing else is allowed; never NaN."""
    sample = flat(x, name, empty=empty)
    if sample.dtype.kind not in "fiub":
        what = f"{name} must be numbers, got {sample.dtype}"
        raise InputError(what, fix=f"give {name} as numbers of shape (n,)")
    sample = sample.astype(np.float64)
    bad = np.flatnonzero(np.isnan(sample) if infinite else ~np.isfinite(sample))
    if len(bad):
        why = f"{name} must be {'' if infinite else 'finite '}numbers"
        raise InputError(f"{name}[{bad[0]}] is {sample[bad[0]]}", why=why, fix="leave that item out")
    return sample


def classes(labels: ArrayLike) -> NDArray[np.bool_]:
    """Labels 0 and 1, or False and True, of shape (n,): where they are 1."""
    sample = numbers(labels, "labels")
    bad = np.flatnonzero((sample != 0) & (sample != 1))
    if len(bad):
        what = f"labels[{bad[0]}] is {sample[bad[0]]:g}"
        why = "a label is 1 (the same) or 0 (not the same)"
        raise InputError(what, why=why, fix="cut graded labels in two first, for example labels >= 3")
    positive: NDArray[np.bool_] = sample == 1
    return positive


def labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Float64]:
    """Where labels are 1, both classes present, and as many finite scores."""
    positive, sample = classes(labels), numbers(scores, "scores")
    if positive.all() or not positive.any():
        what = f"all {len(positive)} labels are {int(positive[0])}"
        why = "this figure tells two classes apart"
        raise InputError(what, why=why, fix=f"add items with label {1 - int(positive[0])}")
    same_length(positive, sample, "labels", "scores")
    return positive, sample


def probabilities_of(probabilities: ArrayLike) -> Float64:
    """Probabilities of shape (n,), each in [0, 1]."""
    sample = numbers(probabilities, "probabilities")
    bad = np.flatnonzero((sample < 0) | (sample > 1))
    if len(bad):
        what = f"probabilities[{bad[0]}] is {sample[bad[0]]:g}"
        raise InputError(what, why="a probability lies in [0, 1]", fix="turn scores into probabilities first")
    return sample


def flat(x: ArrayLike, name: str, *, empty: bool = False) -> Array:
    """An array of shape (n,) of any kind of value; n >= 1 where it may not be empty."""
    try:
        sample = np.asarray(x)
    except ValueError:
        raise InputError(f"the items of {name} differ in length", fix=f"give {name} in shape (n,)") from None
    if sample.ndim != 1:
        raise InputError(f"{name} must have shape (n,), got {sample.shape}", fix=f"give {name} as one flat list")
    if not len(sample) and not empty:
        raise InputError(f"{name} is empty", why="nothing can be measured on no items", fix="give at least one")
    return sample


def figure_of_items(statistic: Statistic, items: ArrayLike) -> float:
    """The figure of the items themselves: each drawn once."""
    return float(statistic(np.ones((1, np.size(items))))[0])


def running_sums(counts: Float64) -> Float64:
    """Running sums along each row, from 0: shape (r, n + 1)."""
    sums = np.zeros((counts.shape[0], counts.shape[1] + 1))
    np.cumsum(counts, axis=1, out=sums[:, 1:])
    return sums
