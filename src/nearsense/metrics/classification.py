"""How well scores tell two classes apart: average precision, ROC, best thresholds. Not if they are calibrated.

An item is predicted positive where its score >= the threshold, so equal scores always stand or fall together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense.checks import same_length
from nearsense.errors import InputError
from nearsense.metrics.correlation import ranks
from nearsense.metrics.samples import both_classes, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.vectors.rows import Float64


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
    steps = _steps(labels, scores)
    precision = steps.hits / (steps.hits + steps.alarms)
    return float(np.diff(steps.hits, prepend=0.0) @ precision / steps.hits[-1])


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    positive, sample = _items(labels, scores)
    n, m = len(positive), int(positive.sum())
    return float((ranks(sample)[positive].sum() - m * (m + 1) / 2) / (m * (n - m)))


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Precision and recall with each distinct score as the threshold.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> curve = precision_recall_curve([0, 1, 1], [0.1, 0.4, 0.8])
        >>> curve.thresholds, curve.recall
        (array([0.1, 0.4, 0.8]), array([1. , 1. , 0.5, 0. ]))
    """
    steps = _steps(labels, scores)
    precision = np.append((steps.hits / (steps.hits + steps.alarms))[::-1], 1.0)
    recall = np.append((steps.hits / steps.hits[-1])[::-1], 0.0)
    return Curve(precision, recall, steps.scores[::-1].copy())


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
    steps = _steps(labels, scores)
    values = 2.0 * steps.hits / (steps.hits + steps.alarms + steps.hits[-1])
    return _best(steps, values, int(values.argmax()), scores)


def best_accuracy(labels: ArrayLike, scores: ArrayLike) -> BestThreshold:
    """The best accuracy = (tp + tn) / n that a threshold reaches, and that threshold, placed as in `best_f1`.

    Where nothing beats calling every item negative, the threshold lies just above the highest score.

    Arguments and errors are those of `average_precision`.

    Example:
        >>> best_accuracy([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.8])
        BestThreshold(value=1.0, threshold=0.4, precision=1.0, recall=1.0)
    """
    steps = _steps(labels, scores)
    negatives = steps.alarms[-1]
    values = (steps.hits + negatives - steps.alarms) / (steps.hits[-1] + negatives)
    none = negatives / (steps.hits[-1] + negatives)
    if none >= values.max():
        above = np.nextafter(_kind(scores).type(steps.scores[0]), np.inf)
        return BestThreshold(float(none), float(above), precision=0.0, recall=0.0)
    return _best(steps, values, int(values.argmax()), scores)


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
    steps = _steps(labels, scores)
    needed = ceil(accepted * steps.hits[-1] - 1e-9)  # 0.07 * 100 is a little above 7
    step = int(np.searchsorted(steps.hits, max(1, needed)))
    return float(steps.alarms[step] / steps.alarms[-1])


class _Steps(NamedTuple):
    """Each distinct score as the threshold, highest first, and how many items of either class it lets pass."""

    scores: Float64
    hits: Float64
    alarms: Float64


def _steps(labels: ArrayLike, scores: ArrayLike) -> _Steps:
    positive, sample = _items(labels, scores)
    order = np.argsort(-sample, kind="stable")
    sample = sample[order]
    last = np.append(np.flatnonzero(np.diff(sample)), len(sample) - 1)
    hits = np.cumsum(positive[order], dtype=np.float64)[last]
    return _Steps(sample[last], hits, last + 1.0 - hits)


def _best(steps: _Steps, values: Float64, step: int, scores: ArrayLike) -> BestThreshold:
    hits = steps.hits[step]
    return BestThreshold(
        value=float(values[step]),
        threshold=_midway(steps.scores[step : step + 2].astype(_kind(scores))),
        precision=float(hits / (hits + steps.alarms[step])),
        recall=float(hits / steps.hits[-1]),
    )


def _midway(neighbours: NDArray[np.floating]) -> float:
    """The middle of a score and the next lower one, in the scores' own precision; never down to the lower one."""
    upper, lower = neighbours[0], neighbours[-1]
    middle = upper / 2 + lower / 2
    return float(middle if middle > lower else upper)


def _kind(scores: ArrayLike) -> np.dtype[np.floating]:
    kind = np.asarray(scores).dtype
    return kind if kind.kind == "f" else np.dtype(np.float64)


def _items(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Float64]:
    positive, sample = both_classes(labels), numbers(scores, "scores")
    same_length(positive, sample, "labels", "scores")
    return positive, sample
