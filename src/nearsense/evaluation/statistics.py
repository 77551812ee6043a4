"""Figures of resamples that metrics does not have: with a threshold, and of partitions. Not their intervals.

As in metrics.weighted, each function is given the items once and returns a function from counts, shape (r, n), to
the figure of each resample, shape (r,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.metrics.weighted import Statistic

    Floats = NDArray[np.float64]

__all__ = [
    "mean_of",
    "weighted_adjusted_rand",
    "weighted_best_accuracy",
    "weighted_best_f1",
    "weighted_false_accepts",
    "weighted_share",
    "weighted_v_measure",
]


class _Steps(NamedTuple):
    """Positives and negatives from the highest score down, and where a score ends that several share."""

    order: NDArray[np.int64]
    positive: Floats
    ends: NDArray[np.int64]

    def passed(self, counts: Floats) -> tuple[Floats, Floats]:
        """How many positives and negatives each threshold lets pass, shape (r, thresholds)."""
        drawn = counts.take(self.order, axis=1)
        all_ = np.cumsum(drawn, axis=1)
        drawn *= self.positive
        hits = np.cumsum(drawn, axis=1, out=drawn)
        if len(self.ends) < hits.shape[1]:
            hits, all_ = hits.take(self.ends, axis=1), all_.take(self.ends, axis=1)
        return hits, all_ - hits


def _steps(labels: Floats, scores: Floats) -> _Steps:
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    ends = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    return _Steps(order, labels[order].astype(np.float64), ends)


def weighted_best_f1(labels: Floats, scores: Floats) -> Statistic:
    """The best F1 that a threshold reaches; it is chosen anew for each resample.

    Example:
        >>> weighted_best_f1(np.array([0, 0, 1, 1]), np.array([0.25, 0.75, 0.5, 1.0]))(np.ones((1, 4)))
        array([0.8])
    """
    steps = _steps(labels, scores)

    def statistic(counts: Floats) -> Floats:
        hits, alarms = steps.passed(counts)
        positives = hits[:, -1:].copy()
        alarms += hits
        alarms += positives
        with np.errstate(all="ignore"):
            best: Floats = (2.0 * hits / alarms).max(axis=1)
        return best

    return statistic


def weighted_best_accuracy(labels: Floats, scores: Floats) -> Statistic:
    """The best accuracy that a threshold reaches; it is chosen anew for each resample.

    Example:
        >>> weighted_best_accuracy(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.8]))(np.ones((1, 4)))
        array([1.])
    """
    steps = _steps(labels, scores)

    def statistic(counts: Floats) -> Floats:
        hits, alarms = steps.passed(counts)
        negatives = alarms[:, -1]
        best = np.maximum((hits - alarms).max(axis=1), 0.0)
        accuracy: Floats = (best + negatives) / counts.sum(axis=1)
        return accuracy

    return statistic


def weighted_false_accepts(labels: Floats, scores: Floats, accepted: float = 0.95) -> Statistic:
    """The share of negatives that pass where a share of the positives does; the threshold is of each resample.

    Example:
        >>> labels, scores = np.array([0, 0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.7, 0.6, 0.8])
        >>> weighted_false_accepts(labels, scores)(np.ones((1, 6)))
        array([0.25])
    """
    steps = _steps(labels, scores)

    def statistic(counts: Floats) -> Floats:
        hits, alarms = steps.passed(counts)
        needed = np.maximum(np.ceil(accepted * hits[:, -1] - 1e-9), 1.0)
        first = (hits < needed[:, None]).sum(axis=1)
        rows = np.arange(len(hits))
        with np.errstate(all="ignore"):
            share: Floats = alarms[rows, np.minimum(first, hits.shape[1] - 1)] / alarms[:, -1]
        return np.where(hits[:, -1] > 0, share, np.nan)

    return statistic


def weighted_share(right: Floats, among: Floats) -> Statistic:
    """The share of right ones among some of the items.

    Example:
        >>> weighted_share(np.array([1, 0, 1]), np.array([1, 1, 0]))(np.ones((1, 3)))
        array([0.5])
    """
    both = right * among

    def statistic(counts: Floats) -> Floats:
        with np.errstate(all="ignore"):
            share: Floats = (counts @ both) / (counts @ among)
        return share

    return statistic


class _Groups:
    """Two partitions: sums of counts over cells, rows and columns of their contingency table."""

    def __init__(self, true: Sequence[object], predicted: NDArray[np.int64]) -> None:
        _, rows = np.unique(np.asarray(true), return_inverse=True)
        width = int(predicted.max()) + 1
        self._parts = [self._sums(keys) for keys in (rows * width + predicted, rows, predicted)]

    @staticmethod
    def _sums(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        return order, np.append(0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1)

    def __call__(self, counts: Floats) -> list[Floats]:
        return [np.add.reduceat(counts.take(order, axis=1), starts, axis=1) for order, starts in self._parts]


def _information(sizes: Floats, n: Floats) -> Floats:
    """The entropy of each row's shares, in nats."""
    shares = sizes / n[:, None]
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropy: Floats = -np.vecdot(shares, logs)
    return entropy


def weighted_v_measure(true: Sequence[object], predicted: NDArray[np.int64]) -> Statistic:
    """The V-measure of two partitions.

    Example:
        >>> weighted_v_measure([0, 0, 1, 1], np.array([0, 0, 1, 2]))(np.ones((1, 4))).round(4)
        array([0.8])
    """
    groups = _Groups(true, predicted)

    def statistic(counts: Floats) -> Floats:
        n = counts.sum(axis=1)
        both, left, right = (_information(sizes, n) for sizes in groups(counts))
        shared = left + right - both
        with np.errstate(all="ignore"):
            homogeneity = np.where(left > 0, shared / left, 1.0)
            completeness = np.where(right > 0, shared / right, 1.0)
            total = homogeneity + completeness
            v: Floats = np.where(total > 0, 2.0 * homogeneity * completeness / total, 0.0)
        return v

    return statistic


def weighted_adjusted_rand(true: Sequence[object], predicted: NDArray[np.int64]) -> Statistic:
    """The adjusted Rand index of two partitions.

    Example:
        >>> weighted_adjusted_rand(["a", "a", "b", "b"], np.array([0, 0, 1, 2]))(np.ones((1, 4))).round(4)
        array([0.5714])
    """
    groups = _Groups(true, predicted)

    def statistic(counts: Floats) -> Floats:
        n = counts.sum(axis=1)
        together, left, right = ((sizes * (sizes - 1.0)).sum(axis=1) / 2.0 for sizes in groups(counts))
        chance, most = left * right / (n * (n - 1.0) / 2.0), (left + right) / 2.0
        with np.errstate(all="ignore"):
            rand: Floats = np.where(most == chance, 1.0, (together - chance) / (most - chance))
        return rand

    return statistic


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """The mean of several figures of the same items.

    Example:
        >>> from nearsense.metrics import weighted_mean
        >>> mean_of([weighted_mean([0.0, 1.0]), weighted_mean([1.0, 2.0])])(np.ones((1, 2)))
        array([1.])
    """
    return lambda counts: np.mean([statistic(counts) for statistic in statistics], axis=0)
