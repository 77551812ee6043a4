"""Pairs and triplets: scores against what is true of them. Not rankings nor labels: see rankings.py, labels.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.datasets import GradedPairs, LabelledPairs, Triplets
from nearsense.evaluation.results import Mistake
from nearsense.evaluation.ties import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.evaluation.systems import Scorer
    from nearsense.metrics.resampling import Statistic

    Floats = NDArray[np.float64]

__all__ = ["Outcome", "graded", "labelled", "triplets", "worst"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a system did on a data set.

    Args:
        n: How many items are resampled.
        figures: From how often each item was drawn, to each figure; the main one first.
        mistakes: The worst errors, of which so many are wanted.
        scores: The raw score of each item.
        labels: What is true of it.
        thresholds: Those of the figures that need one.
        centred: Figures whose resamples are off on one side, so that intervals are moved to the figure.
        values: The main figure of each query, where it is a mean of these.
        standing: Of each relevant document of a search the share of the corpus that is farther from the query.
    """

    n: int
    figures: Mapping[str, Statistic]
    mistakes: Callable[[int], tuple[Mistake, ...]]
    scores: Floats = field(default_factory=lambda: np.zeros(0))
    labels: Floats = field(default_factory=lambda: np.zeros(0))
    thresholds: Mapping[str, float] = field(default_factory=dict)
    centred: frozenset[str] = frozenset()
    values: Floats = field(default_factory=lambda: np.zeros(0))
    standing: Floats = field(default_factory=lambda: np.zeros(0))


def graded(data: GradedPairs, system: Scorer) -> Outcome:
    """How well scores follow those of the data: Spearman and Pearson."""
    from nearsense.metrics import weighted_pearson, weighted_spearman

    truth = np.array(data.scores, np.float64)
    scores = system.pairs(*_sides(data.pairs))

    def mistakes(count: int) -> tuple[Mistake, ...]:
        fitted = np.clip(_fitted(scores, truth), *(data.scale or (-np.inf, np.inf)))
        return tuple(
            Mistake(f"{fitted[row]:.2f}", f"{truth[row]:g}", data.pairs[row], float(scores[row]), float(off))
            for row, off in worst(np.abs(fitted - truth), count, data.pairs.__getitem__)
        )

    figures = {"spearman": weighted_spearman(truth, scores), "pearson": weighted_pearson(truth, scores)}
    return Outcome(len(data), figures, mistakes, scores, truth)


def labelled(data: LabelledPairs, system: Scorer) -> Outcome:
    """How well scores part the same from the different."""
    from nearsense.metrics.classification import (
        best_accuracy,
        best_f1,
        weighted_average_precision,
        weighted_best_accuracy,
        weighted_best_f1,
        weighted_roc_auc,
    )

    truth = np.array(data.labels, np.float64)
    scores = system.pairs(*_sides(data.pairs))
    f1, accuracy = best_f1(truth, scores), best_accuracy(truth, scores)

    def mistakes(count: int) -> tuple[Mistake, ...]:
        over = scores - f1.threshold
        return tuple(
            Mistake(
                data.words[int(over[row] >= 0)],
                data.words[int(truth[row])],
                data.pairs[row],
                float(scores[row]),
                float(off),
            )
            for row, off in worst(np.where(truth > 0, -over, over), count, data.pairs.__getitem__)
            if off > 0 or (off == 0 and not truth[row])
        )

    figures = {
        "average_precision": weighted_average_precision(truth, scores),
        "roc_auc": weighted_roc_auc(truth, scores),
        "best_f1": weighted_best_f1(truth, scores),
        "best_accuracy": weighted_best_accuracy(truth, scores),
    }
    thresholds = {"best_f1": f1.threshold, "best_accuracy": accuracy.threshold}
    return Outcome(len(data), figures, mistakes, scores, truth, thresholds)


def triplets(data: Triplets, system: Scorer) -> Outcome:
    """How often the anchor is nearer to the positive than to the negative; as near to both counts half."""
    from nearsense.metrics import weighted_mean

    anchors, positives, negatives = ([each[place] for each in data.triplets] for place in range(3))
    scores = system.pairs(anchors + anchors, positives + negatives)
    near, far = scores[: len(data)], scores[len(data) :]
    gaps = far - near

    def mistakes(count: int) -> tuple[Mistake, ...]:
        return tuple(
            Mistake("the negative is nearer", "the positive is nearer", data.triplets[row], float(gap), float(gap))
            for row, gap in worst(gaps, count, data.triplets.__getitem__)
            if gap >= 0
        )

    labels = np.repeat([1.0, 0.0], len(data))
    tied = np.abs(gaps) <= ROUNDING * np.maximum(np.abs(near), np.abs(far))
    nearer = np.where(tied, 0.5, (gaps < 0).astype(float))
    return Outcome(len(data), {"accuracy": weighted_mean(nearer)}, mistakes, scores, labels)


def worst(sizes: Floats, count: int, key: Callable[[int], Any]) -> list[tuple[int, float]]:
    """The rows with the largest sizes, largest first, and their sizes; equal ones by what they hold."""
    if not count or not len(sizes):
        return []
    rounded = np.round(sizes, 9)
    least = np.partition(rounded, -count)[-count] if count < len(sizes) else -np.inf
    rows = sorted(np.flatnonzero(rounded >= least).tolist(), key=lambda row: (-rounded[row], key(row)))
    return [(row, float(sizes[row])) for row in rows[:count]]


def _sides(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [a for a, _ in pairs], [b for _, b in pairs]


def _fitted(scores: Floats, truth: Floats) -> Floats:
    """Scores on the scale of the truth, by the straight line of least squares."""
    centred = scores - scores.mean()
    spread = float(centred @ centred)
    slope = float(centred @ (truth - truth.mean())) / spread if spread else 0.0
    fitted: Floats = truth.mean() + slope * centred
    return fitted
