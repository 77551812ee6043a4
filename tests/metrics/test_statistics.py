"""Figures of resamples against the same figures of the items written out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, f1_score, v_measure_score

from nearsense import metrics
from nearsense.metrics.agreement import weighted_adjusted_rand, weighted_v_measure
from nearsense.metrics.classification import weighted_best_accuracy, weighted_best_f1, weighted_false_accepts
from nearsense.metrics.resampling import weighted_share

RANDOM = np.random.default_rng(5)
N = 60
LABELS = RANDOM.integers(0, 2, N).astype(float)
SCORES = np.round(RANDOM.normal(LABELS, 1.0), 1)  # with ties
COUNTS = np.stack([np.bincount(RANDOM.integers(0, N, N), minlength=N) for _ in range(20)]).astype(float)
WRITTEN = [np.repeat(np.arange(N), counts.astype(int)) for counts in COUNTS]


@pytest.mark.parametrize(
    ("weighted", "figure"),
    [
        (weighted_best_f1, lambda labels, scores: metrics.best_f1(labels, scores).value),
        (weighted_best_accuracy, lambda labels, scores: metrics.best_accuracy(labels, scores).value),
        (weighted_false_accepts, metrics.false_accept_rate),
    ],
)
def test_a_figure_with_a_threshold_is_that_of_the_items_written_out(weighted, figure):
    expected = [figure(LABELS[rows], SCORES[rows]) for rows in WRITTEN]
    assert weighted(LABELS, SCORES)(COUNTS) == pytest.approx(expected, abs=1e-12)


def test_the_best_f1_is_the_best_of_all_thresholds():
    best = max(f1_score(LABELS, threshold <= SCORES) for threshold in np.unique(SCORES))
    assert weighted_best_f1(LABELS, SCORES)(np.ones((1, N)))[0] == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(
    ("weighted", "figure"), [(weighted_v_measure, v_measure_score), (weighted_adjusted_rand, adjusted_rand_score)]
)
def test_a_figure_of_partitions_is_that_of_the_items_written_out(weighted, figure):
    true, predicted = RANDOM.choice(list("abcd"), N), RANDOM.integers(0, 5, N)
    expected = [figure(true[rows], predicted[rows]) for rows in WRITTEN]
    assert weighted(true.tolist(), predicted)(COUNTS) == pytest.approx(expected, abs=1e-12)


def test_a_share_counts_only_those_it_is_among():
    expected = [SCORES[rows][LABELS[rows] > 0].mean() for rows in WRITTEN]
    assert weighted_share(SCORES, LABELS)(COUNTS) == pytest.approx(expected, abs=1e-12)
