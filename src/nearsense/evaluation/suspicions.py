"""Whether what a data set says is true looks turned round. Not what its figures are worth: a word beside them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, sqrt
from typing import TYPE_CHECKING

import numpy as np

from nearsense.datasets import Dataset, LabelledPairs, Task
from nearsense.evaluation.results import Kind
from nearsense.metrics import ranks, roc_auc

if TYPE_CHECKING:
    from nearsense.evaluation.judging import Outcome
    from nearsense.evaluation.results import SystemResult

FAR = 0.35
"""Of a chance of one half that the right one is nearer, what lies far below; of a correlation 2 x 0.35 - 1."""

SURELY = 2.0  # standard deviations below one half that are no accident


def suspicions(data: Dataset, results: Sequence[SystemResult], outcomes: Sequence[Outcome]) -> list[str]:
    """What is to be said where every model, and words too, find the right ones to be the farther ones.

    Example:
        >>> pairs = LabelledPairs(pairs=[("a", "b")] * 3, labels=[True, True, False])
        >>> suspicions(pairs, [], [])
        []
    """
    found = [
        (each, _nearer(data.task, outcome))
        for each, outcome in zip(results, outcomes, strict=True)
        if each.kind in (Kind.MODEL, Kind.BASELINE)
    ]
    models = [(each, share, off) for each, (share, off) in found if each.kind is Kind.MODEL and not isnan(share)]
    if not models or not all(share <= FAR and share + SURELY * off < 0.5 for _, share, off in models):
        return []
    if any(share > 0.6 for _, (share, _) in found if not isnan(share)):
        return []
    first, share, _ = models[0]
    what, figure, fix = _SAID[data.task]
    value = 2 * share - 1 if data.task is Task.GRADED else share
    column = f"column {data.truth!r}" if data.truth else "what is said to be true"
    if isinstance(data, LabelledPairs):
        fix = f"--positive {data.words[0]} (positive={data.words[0]!r}) if {data.words[0]!r} means the same"
    looks = f"{column[0].upper()}{column[1:]} looks turned round: {what}"
    return [f"{looks} ({figure} {value:.2f} of {first.name}). Fix: {fix}."]


_SAID = {
    Task.GRADED: (
        "pairs of high scores are far from each other",
        "Spearman",
        "turn the scores round if they are distances: score = greatest - score",
    ),
    Task.LABELLED: ("pairs that mean the same are farther from each other than others", "ROC AUC", ""),
    Task.TRIPLETS: (
        "the negative is nearer to the anchor",
        "accuracy",
        "change the columns round: --columns anchor,positive,negative",
    ),
    Task.RERANK: (
        "right candidates are farther from the query than wrong ones",
        "ROC AUC",
        "write 1 for right candidates and 0 for wrong ones",
    ),
    Task.RETRIEVAL: (
        "relevant documents are farther from the query than others",
        "ROC AUC",
        "give relevant documents grades above 0, and others 0 or none",
    ),
}


def _nearer(task: Task, outcome: Outcome) -> tuple[float, float]:
    """The chance that a right one is nearer than a wrong one, and its standard deviation if that were a half."""
    if task is Task.GRADED:
        if not np.ptp(outcome.scores):
            return float("nan"), 0.0
        correlation = float(np.corrcoef(ranks(outcome.scores), ranks(outcome.labels))[0, 1])
        return (1.0 + correlation) / 2.0, 0.5 / sqrt(max(len(outcome.scores) - 1, 1))
    if task is Task.TRIPLETS:
        near, far = np.split(outcome.scores, 2)
        return float(np.mean(np.where(near == far, 0.5, near > far))), 0.5 / sqrt(len(near))
    if task in (Task.LABELLED, Task.RERANK):
        right = int(outcome.labels.sum())
        wrong = len(outcome.labels) - right
        return roc_auc(outcome.labels, outcome.scores), sqrt((right + wrong + 1) / (12.0 * right * wrong))
    if task is Task.RETRIEVAL and len(outcome.standing):
        return float(outcome.standing.mean()), sqrt(1.0 / (12.0 * len(outcome.standing)))
    return float("nan"), 0.0
