"""On real pairs: true at home, true at another prior, and what is shipped is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from nearsense.calibration import Task, learn_calibration, shipped_calibration
from nearsense.metrics import expected_calibration_error
from nearsense.records import Origin


@pytest.fixture(scope="module")
def quora(quora_vectors):
    """Scores by 384 and by 128 dimensions, and labels."""
    rows, left, right = quora_vectors
    labels = np.array([int(row["label"]) for row in rows])

    def cosine(a, b):
        return ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).astype(float)

    return cosine(left, right), cosine(left[:, :128], right[:, :128]), labels


@pytest.fixture(scope="module")
def halves(quora):
    order = np.random.default_rng(0).permutation(len(quora[2]))
    return order[:5_000], order[5_000:]


@pytest.fixture(scope="module")
def origin(encoder):
    return Origin(encoder.name, encoder.fingerprint)


@pytest.mark.slow
def test_half_of_the_quora_pairs_predicts_the_other_half(quora, halves, origin):
    scores, _, labels = quora
    seen, unseen = halves
    calibration = learn_calibration(scores[seen], labels[seen], origin)
    assert expected_calibration_error(labels[unseen], calibration.probability(scores[unseen])) <= 0.02


@pytest.mark.slow
def test_with_five_percent_same_pairs_and_that_prior_the_error_stays_below_five_points(quora, halves, origin):
    scores, _, labels = quora
    seen, unseen = halves
    calibration = learn_calibration(scores[seen], labels[seen], origin)
    same = unseen[labels[unseen] == 1][:130]
    chosen = np.r_[unseen[labels[unseen] == 0], same]
    share = len(same) / len(chosen)
    assert share == pytest.approx(0.05, abs=0.005)
    error = expected_calibration_error(labels[chosen], calibration.probability(scores[chosen], prior=share))
    assert error <= 0.05


@pytest.mark.slow
def test_one_probability_means_the_same_precision_in_two_models(quora, halves, origin):
    seen, unseen = halves
    *models, labels = quora
    precisions = []
    for scores in models:
        sure = learn_calibration(scores[seen], labels[seen], origin).probability(scores[unseen]) >= 0.9
        precisions.append(labels[unseen][sure].mean())
    assert abs(precisions[0] - precisions[1]) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("precision", [0.8, 0.9])
def test_thirty_real_labels_give_a_threshold_whose_interval_holds_nine_times_in_ten(quora, origin, precision):
    from nearsense.errors import InputError

    scores, _, labels = quora
    rng, inside = np.random.default_rng(4), []
    for _ in range(200):
        chosen = rng.choice(len(labels), 30, replace=False)
        try:
            found = learn_calibration(scores[chosen], labels[chosen], origin).threshold(precision=precision)
        except InputError:
            continue
        taken = scores >= found.score
        if taken.any():
            inside.append(found.reached_low <= labels[taken].mean() <= found.reached_high)
    assert len(inside) > 100
    assert np.mean(inside) >= 0.9


@pytest.mark.slow
def test_at_home_nothing_is_lost(quora, origin):
    scores, _, labels = quora
    calibration = shipped_calibration(origin, Task.QUESTION)
    assert calibration.figures.labels == len(labels)
    assert expected_calibration_error(labels, calibration.here(scores=scores).probability(scores)) <= 0.03


@pytest.mark.parametrize("step", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_the_shipped_paraphrase_curve_is_true_of_pairs_it_never_saw(data, encoder, origin, step):
    rows = data("stsb/en-dev")[::step]
    left, right = (encoder.encode([row[side] for row in rows]).data for side in "ab")
    labels = np.array([row["score"] >= 4 for row in rows]).astype(int)
    probabilities = shipped_calibration(origin, Task.PARAPHRASE).probability(
        (left * right).sum(1), prior=labels.mean()
    )
    assert expected_calibration_error(labels, probabilities) < 0.05


@pytest.mark.parametrize("task", list(Task))
def test_every_task_is_shipped_for_the_default_model_and_says_of_what_it_is_made(origin, task):
    calibration = shipped_calibration(origin, task)
    assert calibration.task == task
    assert calibration.prior is None
    assert (
        str(calibration.figures.labels) in calibration.made_from.replace(",", "") or ";" in calibration.made_from
    )
    assert calibration.figures.ece < 0.08  # of sets whose family was left out
    assert calibration.population is not None


def test_other_weights_have_no_shipped_calibration():
    assert shipped_calibration(Origin("all-MiniLM-L6-v2", "1" * 64), Task.QUESTION) is None
