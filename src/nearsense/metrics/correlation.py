"""Pearson, Spearman and the ranks under it. Not whether a correlation is significant: see the evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

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
    left, right = _samples(x, y)
    return _correlation(_finite(left, "x"), _finite(right, "y"))


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
    left, right = _samples(x, y)
    return _correlation(_ranks(left, "x"), _ranks(right, "y"))


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
    return _ranks(_sample(x, "x"), "x")


def _ranks(sample: Float64, name: str) -> Float64:
    nowhere = np.flatnonzero(np.isnan(sample))
    if len(nowhere):
        raise InputError(f"{name}[{nowhere[0]}] is nan", why="it has no place in an order", fix="leave it out")
    _, group, size = np.unique(sample, return_inverse=True, return_counts=True)
    mean_rank: Float64 = np.cumsum(size) - (size - 1) / 2.0
    return mean_rank[group]


def _correlation(x: Float64, y: Float64) -> float:
    return float(np.clip(_centred(x, "x") @ _centred(y, "y"), -1.0, 1.0))


def _centred(sample: Float64, name: str) -> Float64:
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


def _finite(sample: Float64, name: str) -> Float64:
    bad = np.flatnonzero(~np.isfinite(sample))
    if len(bad):
        raise InputError(f"{name}[{bad[0]}] is {sample[bad[0]]}", why="it has no mean", fix="leave it out")
    return sample


def _sample(x: ArrayLike, name: str) -> Float64:
    try:
        sample = np.asarray(x)
    except ValueError:
        raise InputError(
            f"{name} must be a list of numbers, got lists of different lengths",
            fix=f"give {name} as numbers of shape (n,)",
        ) from None
    if sample.ndim != 1 or sample.dtype.kind not in "fiub":
        raise InputError(
            f"{name} must be a list of numbers, got {sample.dtype} of shape {sample.shape}",
            fix=f"give {name} as numbers of shape (n,)",
        )
    return sample.astype(np.float64)


def _samples(x: ArrayLike, y: ArrayLike) -> tuple[Float64, Float64]:
    left, right = _sample(x, "x"), _sample(y, "y")
    if len(left) != len(right):
        raise InputError(
            f"x has {len(left)} values and y has {len(right)}",
            why="they are compared pair by pair",
            fix="give as many of both",
        )
    if len(left) < 2:
        raise InputError(f"a correlation needs at least 2 pairs, got {len(left)}", fix="give more pairs")
    return left, right
