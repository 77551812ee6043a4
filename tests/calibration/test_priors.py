"""The prior is part of a probability: stated, or used to move a curve."""

from __future__ import annotations

import numpy as np
import pytest

from labelled import ORIGIN, sample
from nearsense.calibration import learn_calibration
from nearsense.calibration.curve import logit, shift_to_share, sigmoid
from nearsense.errors import InputError
from nearsense.metrics import expected_calibration_error
from samples import some_of


@pytest.fixture(scope="module")
def calibration():
    return learn_calibration(*sample(5_000), ORIGIN)


def mixed(share, n=4_000, seed=3):
    """Pairs of which a given share means the same."""
    scores, labels = sample(60_000, seed)
    same, other = scores[labels == 1], scores[labels == 0]
    count = round(n * share)
    return np.r_[same[:count], other[: n - count]], np.r_[np.ones(count, int), np.zeros(n - count, int)]


def test_another_prior_shifts_the_log_odds_by_just_that(calibration):
    at = np.linspace(-0.5, 1, 20)
    shift = logit(calibration.probability(at, prior=0.05)) - logit(calibration.probability(at, prior=0.5))
    assert shift == pytest.approx(np.full(20, float(logit(0.05))), abs=1e-9)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.8])
def test_with_the_new_prior_stated_probabilities_stay_true(calibration, share):
    scores, labels = mixed(share)
    assert expected_calibration_error(labels, calibration.probability(scores, prior=share)) < 0.03


@pytest.mark.parametrize("share", some_of([0.2, 0.8], 0.2))
def test_thresholds_of_a_moved_curve_are_those_of_the_new_place(calibration, share):
    scores, labels = mixed(share, 20_000)
    found = calibration.adapted(scores, share=share).threshold(precision=0.85)
    taken = labels[scores >= found.score]
    assert taken.mean() == pytest.approx(0.85, abs=0.03)
    assert found.recall == pytest.approx(taken.sum() / labels.sum(), abs=0.05)


def test_moving_to_a_known_share_makes_the_mean_probability_that_share(calibration):
    scores, _ = mixed(0.3)
    odds = calibration.log_ratio(scores)
    shift = shift_to_share(lambda shift: sigmoid(odds + shift), 0.3)
    assert sigmoid(odds + shift).mean() == pytest.approx(0.3, abs=1e-9)


def test_a_curve_from_elsewhere_moves_home_without_a_label(calibration):
    scores, labels = mixed(0.4)
    away = np.clip(scores - 0.25, -1, 1)
    before = expected_calibration_error(labels, calibration.probability(away, prior=0.4))
    moved = calibration.adapted(away, share=0.4)
    after = expected_calibration_error(labels, moved.probability(away))
    assert before > 0.2
    assert after < 0.04
    assert moved.prior == 0.4
    assert "unlabelled" in moved.made_from


@pytest.mark.parametrize("prior", [0, 1, -0.1, float("nan"), "half", True])
def test_a_prior_that_is_no_share_is_refused(calibration, prior):
    with pytest.raises(InputError, match="prior"):
        calibration.probability(0.5, prior=prior)


def test_a_score_that_is_no_cosine_is_refused(calibration):
    with pytest.raises(InputError, match=r"1\.5, outside"):
        calibration.probability(1.5)
    with pytest.raises(InputError, match="nan"):
        calibration.probability(np.array([0.1, np.nan]))
    assert calibration.probability(np.float32(1.0000001)) < 1
