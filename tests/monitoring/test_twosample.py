"""Tests by relabelling, beside scipy, scikit-learn and brute force; and that together they keep their promise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from drifting import around
from nearsense.monitoring.topics import difference_interval, topic_groups, wilson
from nearsense.monitoring.twosample import (
    MMD,
    Classifier,
    Groups,
    KolmogorovSmirnov,
    MeanGap,
    area_under_curve,
    column_of,
    population_stability_index,
    relabelled,
)


def labels_of(n, ones):
    return np.arange(n) < ones


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_the_gap_of_two_distributions_is_that_of_scipy_ties_included(random):
    values, labels = np.round(random.standard_normal(200), 1), random.random(200) < 0.3
    found = KolmogorovSmirnov(values).value(labels)
    assert found == pytest.approx(stats.ks_2samp(values[labels], values[~labels]).statistic)


@pytest.mark.parametrize(("gap", "close"), [(0.5, 0.09), (1.0, 0.02)], ids=["seen by chance", "hardly by chance"])
def test_the_p_value_of_a_gap_of_means_is_that_of_scipys_permutation_test(random, gap, close):
    values, labels = random.standard_normal(60), labels_of(60, 25)
    values[labels] += gap
    found = relabelled([MeanGap(values)], labels, 4000, seed=1)
    truth = stats.permutation_test(
        (values[labels], values[~labels]), lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=4000, rng=2
    )
    assert found.p[0] == pytest.approx(
        truth.pvalue, abs=close
    )  # four standard errors: where nothing speaks it ends early


def test_few_rows_have_the_p_value_of_all_their_relabellings(random):
    values = random.standard_normal(7)
    statistic, labels = MeanGap(values), labels_of(7, 3)
    every = np.zeros((7, 35), np.float32)
    for column, chosen in enumerate(combinations(range(7), 3)):
        every[list(chosen), column] = True
    truth = (statistic(every) >= statistic(column_of(labels)) - 1e-9).mean()
    assert relabelled([statistic], labels, 8000, seed=0).p[0] == pytest.approx(truth, abs=0.04)


def test_the_root_of_the_likelihood_ratio_is_scipys_g_test(random):
    rows = random.permutation(100)
    labels = random.random(100) < 0.4
    found = Groups([rows[:30]], np.arange(100)).parts(column_of(labels))[0, 0] ** 2
    table = [
        [labels[rows[:30]].sum(), labels[rows[30:]].sum()],
        [(~labels[rows[:30]]).sum(), (~labels[rows[30:]]).sum()],
    ]
    assert found == pytest.approx(stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")[0])


def test_the_discrepancy_seen_through_landmarks_is_that_of_the_whole_kernel(random):
    rows = np.concatenate([around(3, [40, 40, 40], seed=1), around(3, [80, 20, 20], seed=2)])
    labels = labels_of(240, 120)
    found = MMD(rows, np.arange(240), random)  # with fewer rows than landmarks each row is one
    kernel = np.exp((rows @ rows.T - 1.0) / found.width**2).astype(np.float64)
    np.fill_diagonal(kernel, 0.0)
    own, other = labels, ~labels
    truth = (
        kernel[np.ix_(own, own)].sum() / (120 * 119)
        + kernel[np.ix_(other, other)].sum() / (120 * 119)
        - 2 * kernel[np.ix_(own, other)].mean()
    )
    assert found.value(labels) == pytest.approx(truth, abs=1e-4)
    assert truth > 0.01


def test_the_area_under_the_curve_is_scikit_learns(random):
    scores, labels = np.round(random.standard_normal(90), 1), random.random(90) < 0.5
    assert area_under_curve(scores, labels)[0] == pytest.approx(roc_auc_score(labels, scores))


def test_a_classifier_tells_apart_what_differs_and_nothing_else(random):
    same = np.concatenate([around(2, [60, 60], seed=1), around(2, [60, 60], seed=2)])
    other = np.concatenate([around(2, [100, 20], seed=1), around(2, [20, 100], seed=2)])
    labels = labels_of(240, 120)
    areas = [
        area_under_curve(Classifier(rows, np.arange(240), random).scores(labels), labels)[0]
        for rows in (same, other)
    ]
    assert areas[0] < 0.6 < 0.75 < areas[1]


def test_the_stability_index_is_the_sum_of_its_formula():
    reference = np.repeat(np.arange(10.0), 100)
    now = np.concatenate([np.repeat(np.arange(5.0), 150), np.repeat(np.arange(5.0, 10.0), 50)])
    shares = np.repeat([0.15, 0.05], 5)
    truth = ((shares - 0.1) * np.log(shares / 0.1)).sum()
    assert population_stability_index(now, reference) == pytest.approx(truth, rel=0.02)


def test_intervals_of_shares_are_scipys_and_newcombes():
    assert wilson(3, 40) == pytest.approx(tuple(stats.binomtest(3, 40).proportion_ci(method="wilson")))
    assert difference_interval(56, 70, 48, 80) == pytest.approx(
        (0.0524, 0.3339), abs=1e-4
    )  # Newcombe 1998, table II
    assert difference_interval(0, 10, 0, 10) == pytest.approx((-0.2775, 0.2775), abs=1e-4)


def test_groups_are_made_without_looking_at_sides_and_hold_what_belongs_together(random):
    rows = around(4, [50, 50, 50, 50], spread=0.05)
    truth = np.repeat(np.arange(4), 50)
    groups = topic_groups(rows, random)
    pure = [group for group in groups if len(set(truth[group].tolist())) == 1]
    assert len(pure) >= 3
    assert all(3 <= len(group) < 200 for group in groups)


def test_all_tests_together_speak_falsely_as_often_as_was_asked():
    """100 pairs of samples of one distribution at a level of 10 %: of 10 that are due between 3 and 20 come."""
    alarms = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        rows, values = random.standard_normal((60, 8)).astype(np.float32), random.standard_normal(60)
        labels, every = labels_of(60, 30), np.arange(60)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        tests = [
            MMD(rows, every, random),
            Classifier(rows, every, random),
            Groups(topic_groups(rows, random), every),
            KolmogorovSmirnov(values),
            MeanGap((values > 0.5).astype(float)),
        ]
        alarms += relabelled(tests, labels, 250, seed).adjusted.min() <= 0.1
    assert 3 <= alarms <= 20


def test_adjusted_p_values_are_those_of_the_step_down_procedure(random):
    values = random.standard_normal((3, 80)) + np.array([[0.9], [0.3], [0.0]]) * labels_of(80, 40)
    labels = labels_of(80, 40)
    found = relabelled([MeanGap(each) for each in values], labels, 2000, seed=3)
    assert (found.adjusted >= found.p - 1e-12).all()
    assert (found.adjusted <= np.minimum(3 * found.p + 0.02, 1.0)).all(), "never above Bonferroni's"
    order = np.argsort(found.p)
    assert (np.diff(found.adjusted[order]) >= 0).all()
