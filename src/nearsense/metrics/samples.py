"""What figures are measured on: numbers, labels and probabilities, checked once. Not the figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nearsense.checks import same_length
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.vectors.rows import Array, Float64

    Statistic: TypeAlias = Callable[[Float64], Float64]
    """From how often each item was drawn, shape (r, n), to a figure of each resample, shape (r,)."""


def numbers(x: ArrayLike, name: str, *, empty: bool = False, infinite: bool = False) -> Float64:
    """Numbers of shape (n,), in float64: finite ones, n >= 1, where nothing else is allowed; never NaN."""
    sample = flat(x, name, empty=empty)
    if sample.dtype.kind not in "fiub":
        raise InputError(
            f"{name} must be numbers, got {sample.dtype}", fix=f"give {name} as numbers of shape (n,)"
        )
    sample = sample.astype(np.float64)
    bad = np.flatnonzero(np.isnan(sample) if infinite else ~np.isfinite(sample))
    if len(bad):
        raise InputError(
            f"{name}[{bad[0]}] is {sample[bad[0]]}",
            why=f"{name} must be {'' if infinite else 'finite '}numbers",
            fix="leave that item out",
        )
    return sample


def classes(labels: ArrayLike) -> NDArray[np.bool_]:
    """Labels 0 and 1, or False and True, of shape (n,): where they are 1."""
    sample = numbers(labels, "labels")
    bad = np.flatnonzero((sample != 0) & (sample != 1))
    if len(bad):
        raise InputError(
            f"labels[{bad[0]}] is {sample[bad[0]]:g}",
            why="a label is 1 (the same) or 0 (not the same)",
            fix="cut graded labels in two first, for example labels >= 3",
        )
    positive: NDArray[np.bool_] = sample == 1
    return positive


def labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Float64]:
    """Where labels are 1, both classes present, and as many finite scores."""
    positive, sample = classes(labels), numbers(scores, "scores")
    if positive.all() or not positive.any():
        raise InputError(
            f"all {len(positive)} labels are {int(positive[0])}",
            why="this figure tells two classes apart",
            fix=f"add items with label {1 - int(positive[0])}",
        )
    same_length(positive, sample, "labels", "scores")
    return positive, sample


def probable(probabilities: ArrayLike) -> Float64:
    """Probabilities of shape (n,), each in [0, 1]."""
    sample = numbers(probabilities, "probabilities")
    bad = np.flatnonzero((sample < 0) | (sample > 1))
    if len(bad):
        raise InputError(
            f"probabilities[{bad[0]}] is {sample[bad[0]]:g}",
            why="a probability lies in [0, 1]",
            fix="turn scores into probabilities first",
        )
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
