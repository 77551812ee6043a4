"""A curve never falls, finds the truth again, and predicts as well as what scikit-learn fits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from labelled import ORIGIN, sample, truth
from nearsense.calibration import Calibration, Curve, Form, learn_calibration
from nearsense.calibration.fitting import fit
from nearsense.errors import InputError
from nearsense.metrics import expected_calibration_error, log_loss
from turns import in_turn


def bent(n, seed=0):
    """Labels of a curve that no straight line in the log-odds follows."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    probability = 0.7 / (1 + np.exp(-25 * (scores - 0.4)))
    return scores, (rng.random(n) < probability).astype(int)


@in_turn("make", [sample, bent])
@in_turn("n", [30, 60, 150, 1_000])
def test_a_higher_score_never_means_a_lower_probability(make, n):
    for seed in range(5):
        calibration = learn_calibration(*make(n, seed), ORIGIN)
        probabilities = calibration.probability(np.linspace(-1, 1, 2_001))
        assert (np.diff(probabilities) >= 0).all()
        assert ((probabilities > 0) & (probabilities < 1)).all()


def test_ten_thousand_labels_find_the_truth_again():
    calibration = learn_calibration(*sample(10_000), ORIGIN)
    scores = np.linspace(0.1, 0.99, 90)
    assert np.abs(calibration.probability(scores) - truth(scores)).max() < 0.05


def test_a_straight_curve_is_the_one_that_scikit_learn_fits():
    scores, labels = sample(5_000)
    found = fit(scores, labels.astype(float))
    theirs = LogisticRegression(C=1e8, tol=1e-8).fit(scores[:, None], labels)
    from nearsense.calibration.fitting import _fitted

    ours = _fitted(Form.LOGISTIC, scores, labels.astype(float))
    at = np.linspace(0, 1, 21)
    assert np.abs(ours.log_odds(at) - theirs.decision_function(at[:, None])).max() < 0.05
    assert set(found.losses) == set(Form)


def test_where_the_truth_is_bent_the_curve_bends_and_beats_the_steps_of_isotonic_regression():
    scores, labels = bent(4_000)
    unseen, wanted = bent(20_000, seed=1)
    calibration = learn_calibration(scores, labels, ORIGIN)
    steps = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    straight = LogisticRegression(C=1e6).fit(scores[:, None], labels)
    ours = log_loss(wanted, calibration.probability(unseen))
    assert calibration.curve.form is Form.ISOTONIC
    assert ours < log_loss(wanted, straight.predict_proba(unseen[:, None])[:, 1]) - 0.01
    assert ours < log_loss(wanted, np.clip(steps.predict(unseen), 1e-3, 1 - 1e-3)) + 0.002


def test_the_form_with_the_least_cross_validated_loss_is_taken():
    for make in (sample, bent):
        found = learn_calibration(*make(1_000), ORIGIN)
        assert found.figures.forms[found.curve.form] == min(found.figures.forms.values())


def test_the_figures_are_of_labels_that_were_not_seen():
    scores, labels = sample(400)
    found = learn_calibration(scores, labels, ORIGIN)
    seen = log_loss(labels, found.probability(scores))
    assert found.figures.log_loss > seen


def test_scores_of_any_range_are_calibrated_without_beta():
    scores, labels = sample(500)
    found = fit(scores * 20 - 8, labels.astype(float), bounded=False)
    assert Form.BETA not in found.losses
    near = fit(scores, labels.astype(float), bounded=False)
    assert found.losses == pytest.approx(near.losses, abs=1e-6)


def test_fifty_labels_of_a_clean_split_do_not_claim_certainty():
    scores = np.r_[np.linspace(0.0, 0.3, 25), np.linspace(0.7, 1.0, 25)]
    found = learn_calibration(scores, np.arange(50) >= 25, ORIGIN)
    assert 0.9 < found.probability(0.9) < 1.0
    low, high = found.interval(0.5)
    assert low < 0.2 < 0.8 < high


@pytest.mark.slow
def test_the_interval_holds_the_truth_nineteen_times_in_twenty_and_narrows_with_labels():
    at = np.array([0.3, 0.5, 0.7, 0.9])
    widths = []
    for n in (50, 200, 2_000):
        inside = []
        for seed in range(60):
            calibration = learn_calibration(*sample(n, seed), ORIGIN)
            prior = calibration.share
            low, high = calibration.interval(at, prior=prior)
            inside.append((low <= truth(at)) & (truth(at) <= high))
            widths.append((n, float((high - low).mean())))
        assert np.mean(inside) > 0.85
    means = [np.mean([width for count, width in widths if count == n]) for n in (50, 200, 2_000)]
    assert means[0] > 1.5 * means[1] > 2 * means[2]


def test_a_curve_survives_being_written_and_refuses_what_is_none():
    curve = learn_calibration(*sample(500), ORIGIN).curve
    again = Curve.from_dict(curve.to_dict())
    at = np.linspace(-1, 1, 50)
    assert (again.log_odds(at) == curve.log_odds(at)).all()
    for change in ({"weights": [0.0, -1.0]}, {"scale": 0.0}, {"covariance": [[1.0]]}, {"form": "round"}):
        with pytest.raises(ValueError, match=r"."):
            Curve.from_dict(curve.to_dict() | change)


@in_turn(
    ("scores", "labels", "words"),
    [
        ([0.1, 0.5, 0.9], [0, 1, 1], "3 labels are too few"),
        (np.linspace(0, 1, 40), np.ones(40), "all 40 labels are 1"),
        (np.linspace(0, 1, 40), np.zeros(40), "all 40 labels are 0"),
        (np.linspace(0, 1, 40), np.arange(40) % 3, "label 2 is 2"),
        (np.r_[np.linspace(0, 1, 39), np.nan], np.arange(40) % 2, "score 39 is nan"),
        (np.linspace(0, 1, 40), np.arange(39) % 2, "40 scores, 39 labels"),
        (np.full(40, 0.7), np.arange(40) % 2, "all 40 scores are 0.7"),
    ],
)
def test_labels_that_teach_nothing_are_one_clear_line(scores, labels, words):
    with pytest.raises(InputError, match=words):
        learn_calibration(scores, labels, ORIGIN)


def test_scores_that_differ_by_a_rounding_make_no_cliff():
    scores = 0.7 + np.arange(40) * 1e-7
    calibration = learn_calibration(scores, np.arange(40) % 2, ORIGIN)
    assert 0.1 < calibration.probability(0.69) < calibration.probability(0.71) < 0.9


def test_ten_thousand_pairs_take_less_than_two_seconds():
    import time

    scores, labels = sample(10_000)
    began = time.thread_time()
    learn_calibration(scores, labels, ORIGIN)
    assert time.thread_time() - began < 2


def test_the_calibration_error_on_unseen_pairs_is_small():
    calibration = learn_calibration(*sample(5_000), ORIGIN)
    scores, labels = sample(20_000, seed=9)
    assert expected_calibration_error(labels, calibration.probability(scores)) < 0.02
    assert isinstance(calibration, Calibration)
