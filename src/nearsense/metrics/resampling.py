"""How sure a figure is: bootstrap intervals. Not the figures: see weighted.py; not two models: significance.py.

A statistic is a function from counts, shape (r, n), to figures, shape (r,). The counts come from the seed and n
alone, so two statistics of the same n and seed see the same resamples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.metrics.weighted import (
    weighted_average_precision,
    weighted_mean,
    weighted_pearson,
    weighted_roc_auc,
    weighted_spearman,
)
from nearsense.types import parse
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.metrics.weighted import Statistic
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
    """The `bootstrap` interval of a mean: of a figure per query, or of whether each item was right.

    Args:
        values: Numbers, shape (n,).
        resamples: As in `bootstrap`.
        seed: As in `bootstrap`.
        level: As in `bootstrap`.

    Raises:
        InputError: As `bootstrap`, or a value is not finite.

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
