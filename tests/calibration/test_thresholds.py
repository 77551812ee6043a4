"""From what is meant (this probable, this precise, this rare) to a score whose interval can be believed."""

from __future__ import annotations

import numpy as np
import pytest

from labelled import ORIGIN, sample, truth
from nearsense.calibration import Calibration, background_of, learn_calibration
from nearsense.calibration.calibration import ABROAD
from nearsense.calibration.threshold import at_least_precision
from nearsense.errors import InputError
from nearsense.records import Vectors
from turns import in_turn


@pytest.fixture(scope="module")
def calibration():
    return learn_calibration(*sample(5_000), ORIGIN)


def vectors_of(n=400, seed=0, cone=0.0):
    """n random directions; with a cone, all near one of them."""
    data = np.random.default_rng(seed).normal(size=(n, 24))
    data[:, 0] += cone * np.sqrt(24)
    data /= np.linalg.norm(data, axis=1, keepdims=True)
    return Vectors(data.astype(np.float32), "0" * 64, np.zeros(n, bool), "made")


def test_min_probability_is_the_score_at_which_the_probability_is_reached(calibration):
    found = calibration.threshold(min_probability=0.8)
    assert calibration.probability(found.score) == pytest.approx(0.8, abs=0.005)
    assert found.low <= found.score <= found.high


def test_precision_is_of_all_pairs_at_or_above_the_score(calibration):
    found = calibration.threshold(precision=0.9)
    scores, labels = sample(50_000, seed=5)
    taken = labels[scores >= found.score]
    assert taken.mean() == pytest.approx(0.9, abs=0.02)
    assert found.reached_low <= taken.mean() <= found.reached_high
    assert found.recall == pytest.approx(taken.sum() / labels.sum(), abs=0.03)
    assert found.score < calibration.threshold(min_probability=0.9).score


def test_a_rarer_prior_asks_for_a_higher_score(calibration):
    often, rarely = (calibration.threshold(precision=0.5, prior=prior).score for prior in (0.5, 0.05))
    assert rarely > often


def test_thirty_labels_give_a_threshold_whose_interval_holds_the_true_precision_nine_times_in_ten():
    inside = []
    grid = np.sort(sample(50_000, seed=5)[0])
    for seed in range(200):
        scores, labels = sample(30, seed)
        if labels.min() == labels.max():
            continue
        try:
            found = learn_calibration(scores, labels, ORIGIN).threshold(precision=0.85)
        except InputError:
            continue
        taken = grid[grid >= found.score]
        if len(taken):
            inside.append(found.reached_low <= truth(taken).mean() <= found.reached_high)
    assert len(inside) > 150
    assert np.mean(inside) >= 0.9


def test_the_chance_of_falling_short_is_told_and_is_about_how_often_that_happens():
    told, short = [], []
    scores, _ = sample(50_000, seed=5)
    for seed in range(100):
        own, labels = sample(50, seed)
        try:
            found = learn_calibration(own, labels, ORIGIN).threshold(precision=0.85)
        except InputError:
            continue
        taken = scores[scores >= found.score]
        if len(taken):
            told.append(found.falls_short)
            short.append(truth(taken).mean() < 0.85)
    assert len(told) > 60
    assert abs(np.mean(told) - np.mean(short)) < 0.15
    assert "may fall short in" in str(found)
    assert "of 10 cases" in str(found)


def test_a_proven_precision_is_what_the_labels_prove(calibration):
    found = calibration.threshold(precision=0.8, at_least=True)
    assert found == at_least_precision(calibration.labelled, 0.8)
    scores, _ = sample(50_000, seed=5)
    assert truth(scores[scores >= found.score]).mean() >= 0.8
    for asked in ({"min_probability": 0.8}, {"precision": 0.8, "prior": 0.1}, {"false_positives": 0.1}):
        with pytest.raises(InputError, match="how sure a precision shall be"):
            calibration.threshold(**asked, at_least=True)
    moved = calibration.adapted(scores[:100], share=0.5)
    with pytest.raises(InputError, match="nothing can be proven"):
        moved.threshold(precision=0.8, at_least=True)


def test_a_calibration_of_before_labels_were_kept_is_read_as_ever(calibration):
    known = calibration.to_dict()
    del known["labelled"]
    assert Calibration.from_dict(known).threshold(precision=0.8) == calibration.threshold(precision=0.8)


def test_what_no_score_reaches_is_said_with_the_best_there_is(calibration):
    with pytest.raises(InputError, match="no score reaches a precision of 100%") as error:
        calibration.threshold(precision=0.99999)
    assert "the best is" in error.value.why
    with pytest.raises(InputError, match="no score is"):
        calibration.threshold(min_probability=0.9999, prior=0.001)


def test_one_thing_is_asked_for_at_a_time(calibration):
    for asked in ({}, {"precision": 0.9, "min_probability": 0.9}):
        with pytest.raises(InputError, match="a threshold is asked for by"):
            calibration.threshold(**asked)
    with pytest.raises(InputError, match="precision=1"):
        calibration.threshold(precision=1.5)
    with pytest.raises(InputError, match="random pairs"):
        calibration.threshold(false_positives=1e-3)


def test_false_positives_are_the_share_of_random_pairs_at_or_above_the_score():
    vectors = vectors_of()
    found = background_of(vectors)
    every = (vectors.data @ vectors.data.T)[np.triu_indices(len(vectors), 1)]
    for rate in (1e-1, 1e-2, 1e-3):
        score, low, high = found.score_at(rate)
        assert (every >= score).mean() == pytest.approx(rate, rel=0.1)
        assert low < score < high
        assert found.false_positives(score) == pytest.approx(rate, rel=1e-6)


def test_the_interval_of_a_false_positive_rate_holds_what_other_texts_of_the_corpus_score():
    large = vectors_of(3_000, seed=1)
    every = (large.data @ large.data.T)[np.triu_indices(3_000, 1)]
    wanted = np.quantile(every, 1 - 1e-2)
    inside = []
    for seed in range(60):
        rows = np.random.default_rng(seed).choice(3_000, 150, replace=False)
        _, low, high = background_of(large.take(rows)).score_at(1e-2)
        inside.append(low <= wanted <= high)
    assert np.mean(inside) >= 0.9


def test_a_rate_that_the_corpus_is_too_small_for_is_refused():
    with pytest.raises(InputError, match="cannot be told from 400 texts"):
        background_of(vectors_of()).score_at(1e-7)
    with pytest.raises(InputError, match="no share"):
        background_of(vectors_of()).score_at(0)


def test_the_rarest_rate_that_is_named_can_be_asked_for():
    found = background_of(vectors_of(60))
    assert found.score_at(found.rarest)[0] <= found.scores[-1]


def test_fewer_than_fifty_different_texts_tell_nothing():
    assert background_of(vectors_of(49)) is None
    assert background_of(vectors_of(60).take([0] * 60)) is None


def test_a_corpus_is_at_home_with_itself_and_far_from_a_narrow_one():
    home, other, narrow = (
        background_of(vectors_of(seed=seed, cone=cone)) for seed, cone in ((0, 0), (1, 0), (2, 1))
    )
    assert home.distance(home) == 0
    assert other.distance(home) < 0.3 < ABROAD < narrow.distance(home)


def test_far_from_home_intervals_are_wider_and_probabilities_the_same():
    calibration = learn_calibration(*sample(500), ORIGIN, background=background_of(vectors_of()))
    abroad = calibration.at(background_of(vectors_of(seed=2, cone=1)))
    assert abroad.probability(0.7) == calibration.probability(0.7)
    (low, high), (wider_low, wider_high) = calibration.interval(0.7), abroad.interval(0.7)
    assert wider_low < low - 0.1
    assert wider_high > high + 0.1


def test_a_calibration_survives_its_file_and_knows_its_thresholds_again(tmp_path):
    calibration = learn_calibration(*sample(300), ORIGIN, task="mine", background=background_of(vectors_of()))
    calibration.save(tmp_path / "mine.json")
    from nearsense.calibration import load_calibration

    again = load_calibration(tmp_path / "mine.json")
    assert again.to_dict() == calibration.to_dict()
    proven = {"precision": 0.8, "at_least": True}
    for asked in ({"precision": 0.8}, {"min_probability": 0.7}, {"false_positives": 1e-2}, proven):
        assert again.threshold(**asked) == calibration.threshold(**asked)
    assert "mine" in str(again)


@in_turn("content", ["{}", "[]", "no json", '{"nearsense calibration": 2}', '{"nearsense calibration": 1}'])
def test_a_file_that_holds_no_calibration_is_refused(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    from nearsense.calibration import load_calibration

    with pytest.raises(InputError, match="no calibration"):
        load_calibration(tmp_path / "x.json")
    with pytest.raises(InputError, match="cannot be read"):
        load_calibration(tmp_path / "missing.json")


def test_every_number_of_a_damaged_file_is_checked():
    known = learn_calibration(*sample(300), ORIGIN, background=background_of(vectors_of())).to_dict()
    nan = float("nan")
    changes = [{"reference": []}, {"share": 2}, {"prior": 0}, {"metric": "x"}, {"reference": [nan]}, {"seen": "x"}]
    changes += [{"guard": {"number": nan}}, {"distance": nan}, {"strangeness": "x"}]
    changes += [{"curve": known["curve"] | each} for each in ({"centre": nan}, {"knots": [nan]}, {"scale": nan})]
    changes += [{"curve": known["curve"] | {"form": "isotonic", "knots": []}}]
    changes += [{"figures": known["figures"] | {"labels": "many"}}, {"figures": known["figures"] | {"ece": "x"}}]
    changes += [{"labelled": {"scores": [0.1], "labels": []}}, {"labelled": 3}]
    changes += [{"background": known["background"] | {"rates": [0.5]}}]
    for change in changes:
        with pytest.raises(InputError, match=r"no calibration|share|prior"):
            Calibration.from_dict(known | change)
