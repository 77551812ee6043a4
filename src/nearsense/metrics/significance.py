"""Whether one model beats another on the same items: paired tests. Not the interval of one: see resampling.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int, same_length
from nearsense.metrics.resampling import BLOCK, interval_of, resample_counts
from nearsense.metrics.samples import numbers
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.metrics.weighted import Statistic
    from nearsense.vectors.rows import Float64


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


def paired_bootstrap(
    first: Statistic,
    second: Statistic,
    n: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
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


def _all_flips(n: int) -> Iterator[Float64]:
    for part in blocks(2**n, max(1, BLOCK // n)):
        yield ((np.arange(part.start, part.stop)[:, None] >> np.arange(n)) & 1).astype(np.float64)


def _random_flips(n: int, resamples: int, seed: int) -> Iterator[Float64]:
    random = np.random.default_rng(seed)
    for part in blocks(resamples, max(1, BLOCK // n)):
        width = -(-n // 8)
        octets = np.frombuffer(random.bytes((part.stop - part.start) * width), np.uint8).reshape(-1, width)
        yield np.unpackbits(octets, axis=1, count=n).astype(np.float64)
