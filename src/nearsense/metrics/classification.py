"""How well scores tell two classes apart, and how far probabilities of the one can be believed.

An item is predicted positive where its score >= the threshold, so equal scores always stand or fall together. Each
figure of scores is computed of resamples, `weighted_...`; the plain one is that of each item drawn once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int, same_length
from nearsense.errors import InputError
from nearsense.metrics.resampling import (
    classes,
    figure_of_items,
    labels_and_scores,
    probabilities_of,
    running_sums,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.metrics.resampling import Statistic
    from nearsense.vectors.rows import Array, Float64

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall at every threshold, thresholds ascending; a last point (1, 0) has none.

    Args:
        precision: Share of the predicted that are positive, float64, shape (t + 1,).
        recall: Share of the positives that are predicted, float64, shape (t + 1,).
        thresholds: The distinct scores, float64, shape (t,).
    """

    precision: Float64
    recall: Float64
    thresholds: Float64


@dataclass(frozen=True, slots=True)
class BestThreshold:
    """The best value of a figure over all thresholds, and where it is reached.

    Args:
        value: The figure, in [0, 1].
        threshold: Predict positive where score >= this.
        precision: Share of the predicted that are positive; 0 where nothing is predicted.
        recall: Share of the positives that are predicted.
    """

    value: float
    threshold: float
    precision: float
    recall: float


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Average precision: the sum over thresholds of (recall gained) x precision, not interpolated; in (0, 1].

    Args:
        labels: 0 or 1, shape (n,), both present.
        scores: Higher means rather 1, shape (n,).

    Raises:
        InputError: A label is not 0 or 1, all are the same, a score is not finite, or the lengths differ.

    Example:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
        0.8333
    """
    return figure_of_items(weighted_average_precision(labels, scores), scores)


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    return figure_of_items(weighted_roc_auc(labels, scores), scores)


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Precision and recall with each distinct score as the threshold.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> curve = precision_recall_curve([0, 1, 1], [0.1, 0.4, 0.8])
        >>> curve.thresholds, curve.recall
        (array([0.1, 0.4, 0.8]), array([1. , 1. , 0.5, 0. ]))
    """
    steps = _Steps(labels, scores)
    hits, alarms = steps.passed_once()
    precision, recall = hits / (hits + alarms), hits / hits[-1]
    return Curve(np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0), steps.scores[::-1].copy())


def best_f1(labels: ArrayLike, scores: ArrayLike) -> BestThreshold:
    """The best F1 = 2 tp / (2 tp + fp + fn) that a threshold reaches, and that threshold.

    The threshold lies midway between the last score that is taken and the next one below, as
    sentence-transformers' BinaryClassificationEvaluator places it; where no lower score is left, on the last one
    itself. Of thresholds with the same value the highest is taken.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> best_f1([0, 0, 1, 1], [0.25, 0.75, 0.5, 1.0])
        BestThreshold(value=0.8, threshold=0.375, precision=0.6666666666666666, recall=1.0)
    """
    steps = _Steps(labels, scores)
    hits, alarms = steps.passed_once()
    return _best(steps, 2.0 * hits / (hits + alarms + hits[-1]), scores)


def best_accuracy(labels: ArrayLike, scores: ArrayLike) -> BestThreshold:
    """The best accuracy = (tp + tn) / n that a threshold reaches, and that threshold, placed as in `best_f1`.

    Where nothing beats calling every item negative, the threshold lies just above the highest score.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> best_accuracy([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.8])
        BestThreshold(value=1.0, threshold=0.4, precision=1.0, recall=1.0)
    """
    steps = _Steps(labels, scores)
    hits, alarms = steps.passed_once()
    n, negatives = hits[-1] + alarms[-1], alarms[-1]
    values = (hits + negatives - alarms) / n
    if negatives / n >= values.max():
        above = np.nextafter(_kind(scores).type(steps.scores[0]), np.inf)
        return BestThreshold(float(negatives / n), float(above), precision=0.0, recall=0.0)
    return _best(steps, values, scores)


def false_accept_rate(labels: ArrayLike, scores: ArrayLike, accepted: float = 0.95) -> float:
    """Share of the negatives that pass at the highest threshold that still accepts this share of the positives.

    Also known as the false-positive rate at 95 % true-positive rate, FPR95; lower is better.

    Args:
        labels: 0 or 1, shape (n,), both present.
        scores: Higher means rather 1, shape (n,).
        accepted: Share of the positives that must pass, in (0, 1].

    Raises:
        InputError: As `average_precision`, or `accepted` is not in (0, 1].

    Example:
        >>> false_accept_rate([0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.6, 0.8])
        0.25
    """
    if not 0.0 < accepted <= 1.0:
        raise InputError(f"accepted={accepted!r} is not a share", why="it lies in (0, 1]", fix="accepted=0.95")
    return figure_of_items(weighted_false_accepts(labels, scores, accepted), scores)


def weighted_roc_auc(labels: ArrayLike, scores: ArrayLike) -> Statistic:
    """The area under the ROC curve of each resample.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> weighted_roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])(np.array([[1, 1, 1, 1], [1, 0, 1, 1]]))
        array([0.75, 1.  ])
    """
    negative, positive, scores_of = _split(labels, scores)
    below = np.searchsorted(scores_of[negative], scores_of[positive], side="left")
    not_above = np.searchsorted(scores_of[negative], scores_of[positive], side="right")

    def statistic(counts: Float64) -> Float64:
        weights, sums = counts.take(positive, axis=1), running_sums(counts.take(negative, axis=1))
        beaten = sums.take(below, axis=1)
        beaten += sums.take(not_above, axis=1)
        with np.errstate(all="ignore"):
            figures: Float64 = np.vecdot(weights, beaten) / (2.0 * weights.sum(axis=1) * sums[:, -1])
        return figures

    return statistic


def weighted_average_precision(labels: ArrayLike, scores: ArrayLike) -> Statistic:
    """Average precision of each resample.

    Arguments and errors are those of `average_precision`. Without a negative it is 1, without a positive NaN.

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
        hits, alarms = running_sums(weights), running_sums(counts.take(negative, axis=1))
        precision = hits.take(hits_to, axis=1)
        predicted = alarms.take(alarms_to, axis=1)
        predicted += precision
        precision /= np.maximum(predicted, 1.0, out=predicted)  # nothing drawn so far: its weight is 0 too
        with np.errstate(all="ignore"):
            figures: Float64 = np.vecdot(weights, precision) / hits[:, -1]
        return figures

    return statistic


def weighted_best_f1(labels: ArrayLike, scores: ArrayLike) -> Statistic:
    """The best F1 that a threshold reaches; it is chosen anew for each resample."""
    steps = _Steps(labels, scores)

    def statistic(counts: Float64) -> Float64:
        hits, alarms = steps.passed(counts)
        positives = hits[:, -1:].copy()
        alarms += hits
        alarms += positives
        with np.errstate(all="ignore"):
            best: Float64 = (2.0 * hits / alarms).max(axis=1)
        return best

    return statistic


def weighted_best_accuracy(labels: ArrayLike, scores: ArrayLike) -> Statistic:
    """The best accuracy that a threshold reaches; it is chosen anew for each resample."""
    steps = _Steps(labels, scores)

    def statistic(counts: Float64) -> Float64:
        hits, alarms = steps.passed(counts)
        best = np.maximum((hits - alarms).max(axis=1), 0.0)
        accuracy: Float64 = (best + alarms[:, -1]) / counts.sum(axis=1)
        return accuracy

    return statistic


def weighted_false_accepts(labels: ArrayLike, scores: ArrayLike, accepted: float = 0.95) -> Statistic:
    """The share of negatives that pass where a share of the positives does; the threshold is of each resample."""
    steps = _Steps(labels, scores)

    def statistic(counts: Float64) -> Float64:
        hits, alarms = steps.passed(counts)
        needed = np.maximum(np.ceil(accepted * hits[:, -1] - 1e-9), 1.0)  # 0.07 * 100 is a little above 7
        first = (hits < needed[:, None]).sum(axis=1)
        with np.errstate(all="ignore"):
            passed: Float64 = alarms[np.arange(len(hits)), np.minimum(first, hits.shape[1] - 1)] / alarms[:, -1]
        return np.where(hits[:, -1] > 0, passed, np.nan)

    return statistic


class _Steps:
    """Each distinct score as the threshold, highest first, and how many items of either class it lets pass."""

    def __init__(self, labels: ArrayLike, scores: ArrayLike) -> None:
        positive, sample = labels_and_scores(labels, scores)
        self._order = np.argsort(-sample, kind="stable")
        falling = sample[self._order]
        self._ends = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
        self._positive, self.scores = positive[self._order].astype(np.float64), falling[self._ends]

    def passed(self, counts: Float64) -> tuple[Float64, Float64]:
        """How many positives and negatives each threshold lets pass in each resample, shape (r, thresholds)."""
        drawn = counts.take(self._order, axis=1)
        both = np.cumsum(drawn, axis=1)
        drawn *= self._positive
        hits = np.cumsum(drawn, axis=1, out=drawn)
        if len(self._ends) < hits.shape[1]:
            hits, both = hits.take(self._ends, axis=1), both.take(self._ends, axis=1)
        return hits, both - hits

    def passed_once(self) -> tuple[Float64, Float64]:
        """The same of the items themselves, shape (thresholds,)."""
        hits, alarms = self.passed(np.ones((1, len(self._order))))
        return hits[0], alarms[0]


def _best(steps: _Steps, values: Float64, scores: ArrayLike) -> BestThreshold:
    """The first threshold of the highest value."""
    step, (hits, alarms) = int(values.argmax()), steps.passed_once()
    return BestThreshold(
        value=float(values[step]),
        threshold=_midway(steps.scores[step : step + 2].astype(_kind(scores))),
        precision=float(hits[step] / (hits[step] + alarms[step])),
        recall=float(hits[step] / hits[-1]),
    )


def _midway(neighbours: NDArray[np.floating]) -> float:
    """The middle of a score and the next lower one, in the scores' own precision; never down to the lower one."""
    upper, lower = neighbours[0], neighbours[-1]
    middle = upper / 2 + lower / 2
    return float(middle if middle > lower else upper)


def _kind(scores: ArrayLike) -> np.dtype[np.floating]:
    kind = np.asarray(scores).dtype
    return kind if kind.kind == "f" else np.dtype(np.float64)


def _split(labels: ArrayLike, scores: ArrayLike) -> tuple[Array, Array, Float64]:
    """The negatives, the positives, each in ascending order of score, and all scores."""
    positive, sample = labels_and_scores(labels, scores)
    order = np.argsort(sample, kind="stable")
    return order[~positive[order]], order[positive[order]], sample


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
    found = probabilities_of(ends)
    same_length(positive, found, "labels", "intervals")
    return found


def _items(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.bool_], Float64]:
    positive, said = classes(labels), probabilities_of(probabilities)
    same_length(positive, said, "labels", "probabilities")
    return positive, said
