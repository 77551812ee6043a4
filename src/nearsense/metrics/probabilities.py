"""How far probabilities can be believed: calibration error, Brier score, log loss. Not how scores become them.

A probability is that of label 1; its calibration is compared with the share of labels that are 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int, same_length
from nearsense.errors import InputError
from nearsense.metrics.samples import classes, probable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.vectors.rows import Float64

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """A reliability diagram: what was said and what came true, bin by bin; bins without an item are left out.

    Args:
        lower: Where each bin begins; only the first bin holds its own lower edge. float64, shape (b,).
        upper: Where it ends, included.
        mean_probability: The mean probability of its items.
        share: The share of them with label 1.
        counts: How many they are, int64.
        low: The mean of the lower ends of their intervals, where these were given.
        high: The mean of the upper ends.
    """

    lower: Float64
    upper: Float64
    mean_probability: Float64
    share: Float64
    counts: NDArray[np.int64]
    low: Float64 | None = None
    high: Float64 | None = None

    def held(self, least: int = 10) -> list[bool | None]:
        """For each bin whether its share lies in its interval; None where `least` items are not there to tell.

        Raises:
            InputError: No intervals were given.
        """
        if self.low is None or self.high is None:
            raise InputError("no intervals were given", fix="reliability(..., intervals=(low, high))")
        inside = (self.low <= self.share) & (self.share <= self.high)
        return [bool(each) if n >= least else None for each, n in zip(inside, self.counts.tolist(), strict=True)]

    def coverage(self, least: int = 10) -> float:
        """The share of bins of `least` items and more whose interval holds their share; NaN where there are none.

        Errors are those of `held`.

        Example:
            >>> said, low, high = [0.2] * 10 + [0.8] * 10, [0.0] * 10 + [0.7] * 10, [0.3] * 10 + [0.9] * 10
            >>> reliability([0] * 10 + [1] * 10, said, intervals=(low, high)).coverage()
            0.5
        """
        known = [each for each in self.held(least) if each is not None]
        return sum(known) / len(known) if known else float("nan")


def reliability(
    labels: ArrayLike,
    probabilities: ArrayLike,
    bins: int = 15,
    *,
    equal_mass: bool = False,
    intervals: tuple[ArrayLike, ArrayLike] | None = None,
) -> Bins:
    """Said and true, bin by bin: the points of a reliability diagram.

    Args:
        labels: 0 or 1, shape (n,).
        probabilities: That the label is 1, shape (n,), in [0, 1].
        bins: How many, from 1.
        equal_mass: False cuts [0, 1] into bins of equal width; True at the quantiles of the probabilities, so that
            each bin holds about as many items. Equal probabilities always share a bin.
        intervals: The lower and the upper ends between which each probability was said to lie, shape (n,) each.

    Raises:
        InputError: A label is not 0 or 1, a probability not in [0, 1], the lengths differ, or bins < 1.

    Example:
        >>> found = reliability([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.8], bins=2)
        >>> found.mean_probability, found.share, found.counts
        (array([0.2, 0.7]), array([0., 1.]), array([2, 2]))
    """
    positive, said = _items(labels, probabilities)
    edges = np.linspace(0.0, 1.0, positive_int(bins, "bins") + 1)
    if equal_mass:
        edges = np.quantile(said, edges)
    place = np.searchsorted(edges[1:-1], said)
    counts = np.bincount(place, minlength=bins)
    kept = np.flatnonzero(counts)
    size = counts[kept]
    ends = [] if intervals is None else [_ends(each, positive) for each in intervals]
    mean = [np.bincount(place, weights=each, minlength=bins)[kept] / size for each in (said, positive, *ends)]
    low, high = mean[2:] if ends else (None, None)
    return Bins(edges[kept], edges[kept + 1], mean[0], mean[1], size.astype(np.int64), low, high)


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 15, *, equal_mass: bool = False
) -> float:
    """Expected calibration error: the mean over items of their bin's |share of ones - mean probability|.

    Naeini et al. 2015, with the 15 bins of equal width of Guo et al. 2017; equal mass is the adaptive binning of
    Nguyen and O'Connor 2015. The probability is that of label 1, not that of the likelier one.

    Arguments and errors are those of `reliability`.

    Example:
        >>> round(expected_calibration_error([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.8], bins=2), 4)
        0.25
    """
    found = reliability(labels, probabilities, bins, equal_mass=equal_mass)
    return float(np.abs(found.share - found.mean_probability) @ found.counts / found.counts.sum())


def brier_score(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The mean of (probability - label)^2, in [0, 1]; lower is better (Brier 1950, the form for one event).

    Arguments and errors are those of `reliability`.

    Example:
        >>> round(brier_score([0, 1], [0.2, 0.6]), 4)
        0.1
    """
    positive, said = _items(labels, probabilities)
    return float(np.mean((said - positive) ** 2))


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The mean of -log(probability of the label that came), natural logarithm, >= 0; lower is better.

    Probabilities are clipped to [2.2e-16, 1 - 2.2e-16], so that a single certain error does not make it infinite.

    Arguments and errors are those of `reliability`.

    Example:
        >>> round(log_loss([0, 1], [0.5, 0.5]), 4)
        0.6931
    """
    positive, said = _items(labels, probabilities)
    said = np.clip(said, _EPS, 1.0 - _EPS)
    return float(-np.mean(np.log(np.where(positive, said, 1.0 - said))))


def _ends(ends: ArrayLike, positive: NDArray[np.bool_]) -> Float64:
    found = probable(ends)
    same_length(positive, found, "labels", "intervals")
    return found


def _items(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.bool_], Float64]:
    positive, said = classes(labels), probable(probabilities)
    same_length(positive, said, "labels", "probabilities")
    return positive, said
