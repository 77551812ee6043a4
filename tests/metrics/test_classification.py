"""Two classes and a score: against scikit-learn and sentence-transformers, ties included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers.sentence_transformer.evaluation import BinaryClassificationEvaluator
from sklearn import metrics as sklearn

from nearsense import metrics
from nearsense.errors import InputError
from turns import in_turn

FIGURES = [
    metrics.average_precision,
    metrics.roc_auc,
    metrics.precision_recall_curve,
    metrics.best_f1,
    metrics.best_accuracy,
    metrics.false_accept_rate,
]
every_figure = in_turn("figure", FIGURES)


@st.composite
def samples(draw):
    """Both classes, and scores with many ties."""
    n = draw(st.integers(2, 60))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda x: 0 < sum(x) < len(x)))
    scores = draw(st.lists(st.integers(-4, 12), min_size=n, max_size=n))
    return np.array(labels), np.array(scores) / 8


def normal(n=1000, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(int)
    return labels, (rng.standard_normal(n) + labels).astype(dtype)


@settings(deadline=None)
@given(samples())
def test_average_precision_and_roc_auc_are_scikit_learns(sample):
    assert metrics.average_precision(*sample) == pytest.approx(sklearn.average_precision_score(*sample), abs=1e-12)
    assert metrics.roc_auc(*sample) == pytest.approx(sklearn.roc_auc_score(*sample), abs=1e-12)


@settings(deadline=None)
@given(samples())
def test_the_curve_is_scikit_learns(sample):
    curve = metrics.precision_recall_curve(*sample)
    for ours, theirs in zip(
        (curve.precision, curve.recall, curve.thresholds), sklearn.precision_recall_curve(*sample), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@in_turn("dtype", [np.float16, np.float32, np.float64])
@in_turn("seed", range(5))
def test_the_best_thresholds_are_those_of_sentence_transformers(seed, dtype):
    labels, scores = normal(seed=seed, dtype=dtype)
    f1, precision, recall, threshold = BinaryClassificationEvaluator.find_best_f1_and_threshold(
        scores, labels, True
    )
    found = metrics.best_f1(labels, scores)
    assert (found.value, found.precision, found.recall) == pytest.approx((f1, precision, recall), abs=1e-12)
    assert found.threshold == threshold
    accuracy, threshold = BinaryClassificationEvaluator.find_best_acc_and_threshold(scores, labels, True)
    found = metrics.best_accuracy(labels, scores)
    assert (found.value, found.threshold) == (accuracy, threshold)


@given(samples())
def test_no_threshold_is_better_and_the_given_one_reaches_the_value(sample):
    labels, scores = sample
    thresholds = [*np.unique(scores), np.inf]
    for best, truth in (
        (metrics.best_f1, lambda said: sklearn.f1_score(labels, said)),
        (metrics.best_accuracy, lambda said: sklearn.accuracy_score(labels, said)),
    ):
        found = best(labels, scores)
        said = scores >= found.threshold
        assert found.value == pytest.approx(max(truth(scores >= threshold) for threshold in thresholds), abs=1e-12)
        assert found.value == pytest.approx(truth(said), abs=1e-12)
        assert found.precision == pytest.approx(sklearn.precision_score(labels, said, zero_division=0), abs=1e-12)
        assert found.recall == pytest.approx(sklearn.recall_score(labels, said), abs=1e-12)


def test_the_middle_of_two_neighbouring_numbers_does_not_take_the_lower_one():
    upper = np.nextafter(np.float32(0.5), np.float32(1))
    scores = np.array([upper, 0.5], dtype=np.float32)
    assert np.float32(metrics.best_f1([1, 0], scores).threshold) == upper


def test_the_threshold_of_huge_scores_is_finite():
    assert metrics.best_f1([1, 1, 0], [1.7e308, 1.6e308, 1.5e308]).threshold == pytest.approx(1.55e308)


def test_where_no_item_should_be_accepted_the_threshold_is_above_all_scores():
    found = metrics.best_accuracy([0, 0, 1], [0.9, 0.8, 0.1])
    assert found.threshold > 0.9
    assert (found.value, found.precision, found.recall) == (2 / 3, 0.0, 0.0)


@settings(deadline=None)
@given(samples(), st.sampled_from([0.05, 0.5, 0.95, 1.0]))
def test_the_false_accept_rate_is_the_one_of_scikit_learns_roc_curve(sample, accepted):
    false, true, _ = sklearn.roc_curve(*sample, drop_intermediate=False)
    expected = false[np.flatnonzero(true >= accepted - 1e-9)[0]]
    assert metrics.false_accept_rate(*sample, accepted=accepted) == pytest.approx(expected, abs=1e-12)


@every_figure
@in_turn(
    ("labels", "scores", "what"),
    [
        ([1, 1, 1], [1, 2, 3], "all 3 labels are 1"),
        ([0, 0], [1, 2], "all 2 labels are 0"),
        ([0, 1], [1, 2, 3], "labels has 2 items and scores has 3"),
        ([0, 1], [1, float("nan")], r"scores\[1\] is nan"),
        ([0, 2], [1, 2], r"labels\[1\] is 2"),
        ([0, 0.5], [1, 2], r"labels\[1\] is 0.5"),
        (["0", "1"], [1, 2], "labels must be numbers"),
        ([], [], "labels is empty"),
        ([[0, 1]], [1, 2], "labels must have shape"),
        ([[0], [1, 2]], [1, 2], "the items of labels differ in length"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_a_reason(figure, labels, scores, what):
    with pytest.raises(InputError, match=what):
        figure(labels, scores)


@pytest.mark.parametrize("accepted", [0.0, 1.1, float("nan")])
def test_a_share_is_a_share(accepted):
    with pytest.raises(InputError, match="accepted"):
        metrics.false_accept_rate([0, 1], [1, 2], accepted)


def test_true_and_false_are_labels():
    assert metrics.roc_auc(np.array([False, True]), [0, 1]) == 1.0
