"""A precision that labels prove: the bound is the textbook's, and holds although labels chose the threshold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labelled import sample, truth
from nearsense.calibration.threshold import Labelled, _allowed, _least_share, at_least_precision, labels_needed
from nearsense.errors import InputError
from nearsense.mining import nearest
from samples import some_of
from turns import in_turn

stats = pytest.importorskip("scipy.stats")


def judged(right, wrong_at=(), others=0):
    """Pairs from the highest score down: right but at some places, then others that are all wrong."""
    labels = np.ones(right, bool)
    labels[list(wrong_at)] = False
    labels = np.concatenate([labels, np.zeros(others, bool)])
    return Labelled(np.linspace(0.99, 0.1, len(labels)), labels)


@in_turn("wanted", [0.5, 0.8, 0.9, 0.95, 0.99])
@in_turn("doubt", [0.1, 0.05, 0.01])
def test_as_many_wrong_labels_are_allowed_as_the_binomial_distribution_says(wanted, doubt):
    counts = np.arange(1, 400)
    for count, most in zip(counts, _allowed(399, wanted, doubt)[1:], strict=True):
        assert stats.binom.cdf(most, count, 1 - wanted) <= doubt or most == -1
        assert stats.binom.cdf(most + 1, count, 1 - wanted) > doubt


@in_turn(("missed", "tried"), [(0, 45), (1, 77), (3, 60), (20, 400), (9, 10), (0, 1)])
def test_the_bound_is_that_of_clopper_and_pearson(missed, tried):
    exact = stats.beta.ppf(0.1, tried - missed, missed + 1)
    assert exact - 2e-6 <= _least_share(missed, tried, 0.1) <= exact


def test_forty_five_right_labels_prove_95_percent_and_forty_four_do_not():
    assert labels_needed(0.95) == 45
    found = at_least_precision(judged(45, others=15), 0.95)
    assert (found.labels, found.wrong, found.asked) == (45, 0, "at_least")
    assert 0.95 <= found.reached_low < 0.951
    with pytest.raises(InputError, match="59 labels are too few to prove a precision of 95%") as error:
        at_least_precision(judged(44, others=15), 0.95)
    assert "label 1 more pairs" in error.value.fix
    assert "44 score" in error.value.why


@pytest.mark.parametrize("place", [0, 7, 44])
def test_a_wrong_label_among_the_highest_takes_32_more(place):
    for right in (75, 76):
        with pytest.raises(InputError, match="too few"):
            at_least_precision(judged(right, [place], others=10), 0.95)
    with pytest.raises(InputError):  # the highest 45 are looked at first, and that is that
        at_least_precision(judged(77, [place], others=10), 0.95)


def test_a_wrong_label_further_down_ends_the_proof_there():
    found = at_least_precision(judged(70, [60], others=10), 0.95)
    assert (found.labels, found.wrong) == (60, 0)
    assert found.low <= found.score


def test_the_threshold_lies_half_way_up_a_proof_that_is_only_just_one_and_at_the_end_of_a_strong_one():
    scores = judged(50, others=10).scores
    close = at_least_precision(judged(50, others=10), 0.95)
    assert (scores >= close.low).sum() == 50
    assert (scores >= close.score).sum() == 25
    strong = at_least_precision(judged(100, [95], others=10), 0.95)
    assert strong.labels > 95
    assert (judged(100, others=10).scores >= strong.score).sum() == 95


def test_equal_scores_are_never_parted():
    scores = np.concatenate([np.full(30, 0.9), np.full(30, 0.8), np.full(20, 0.2)])
    found = at_least_precision(Labelled(scores, scores > 0.5), 0.95)
    assert found.labels == 60
    assert 0.8 < found.score <= 0.9
    for labels in (np.ones(60, bool), np.zeros(60, bool)):
        with pytest.raises(InputError):
            at_least_precision(Labelled(np.full(60, 0.5), labels), 0.95)


def test_where_the_highest_scores_are_wrong_more_labels_are_not_asked_for():
    with pytest.raises(InputError, match="for no score") as error:
        at_least_precision(Labelled(np.linspace(1, 0, 60), np.linspace(1, 0, 60) < 0.5), 0.95)
    assert "label" not in error.value.fix


@pytest.mark.parametrize("n", some_of([60, 150, 1_000], 60, 150))
@pytest.mark.parametrize("steep", [4.0, 9.0, 30.0])
def test_at_most_one_draw_in_ten_gives_a_threshold_that_falls_short(n, steep):
    """Where the true precision of all pairs above each score is known: of any kind of set."""
    grid = np.linspace(0, 1, 20_001)
    chance = np.clip(1 / (1 + np.exp(-steep * (grid - 0.3))), 0, 0.97)  # near 0.95 over wide stretches
    above = np.cumsum(chance[::-1])[::-1] / np.arange(len(grid), 0, -1)
    short = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        scores = rng.random(n)
        labels = rng.random(n) < np.interp(scores, grid, chance)
        try:
            found = at_least_precision(Labelled(scores, labels), 0.95)
        except InputError:
            continue
        short += np.interp(found.score, grid, above) < 0.95
    assert short <= 30 + 9


def test_of_draws_that_give_a_threshold_nine_in_ten_are_right():
    scores, _ = sample(100_000, seed=5)
    given, right = 0, 0
    for seed in range(200):
        own, labels = sample(100, seed)
        try:
            found = at_least_precision(Labelled(own, labels > 0), 0.8)
        except InputError:
            continue
        given += 1
        right += truth(scores[scores >= found.score]).mean() >= 0.8
    assert given > 50
    assert right >= 0.9 * given


def test_labels_that_were_spread_over_the_scores_prove_no_more_than_evenly_drawn_ones():
    """Low scores are common and mostly wrong; the labels are spread evenly over the scores all the same."""
    rng = np.random.default_rng(0)
    pool = rng.beta(1.2, 5, 200_000)
    chance = np.clip(0.9 + 0.4 * (pool - 0.3), 0, 1)  # 0.95 only from 0.425 on
    highest = np.sort(pool)[::-1]
    precision = np.cumsum(chance[np.argsort(-pool)]) / np.arange(1, len(pool) + 1)
    strata = np.clip((pool * 20).astype(int), 0, 19)
    members = [np.flatnonzero(strata == each) for each in range(20)]
    outcomes = {True: [], False: []}
    for seed in range(150):
        own = np.random.default_rng(seed)
        drawn = [own.choice(each, min(12, len(each)), replace=False) for each in members]
        rows, weights = (
            np.concatenate(drawn),
            np.concatenate([[len(a) / len(b)] * len(b) for a, b in zip(members, drawn, strict=True) if len(b)]),
        )
        labels = own.random(len(rows)) < chance[rows]
        for told in (True, False):
            try:
                found = at_least_precision(Labelled(pool[rows], labels, weights if told else None), 0.93)
            except InputError:
                continue
            place = int(np.searchsorted(-highest, -found.score, side="right")) - 1
            outcomes[told].append(precision[place] < 0.93)
    assert np.sum(outcomes[True]) <= 15 + 6
    assert len(outcomes[False]) > len(outcomes[True])  # who does not know of the spreading believes more


@pytest.mark.parametrize("weights", [None, np.array([1.0, 2.0, 3.0])])
def test_judged_pairs_survive_json(weights):
    before = Labelled(np.array([0.1, 0.5, 0.9]), np.array([False, True, True]), weights)
    after = Labelled.from_dict(json.loads(json.dumps(before.to_dict())))
    assert after.to_dict() == before.to_dict()


@in_turn(
    "known",
    [
        {"scores": [0.1], "labels": [0, 1]},
        {"scores": [float("nan")], "labels": [0]},
        {"scores": [0.1], "labels": [2]},
        {"scores": [0.1], "labels": [1], "weights": [0.0]},
        {"scores": [0.1], "labels": [1], "weights": []},
        {"scores": "ab", "labels": [1, 0]},
    ],
)
def test_damaged_labels_are_refused(known):
    with pytest.raises(ValueError, match=r"score|label|weight|number|convert|float"):
        Labelled.from_dict(known)


@pytest.mark.parametrize("n", some_of([50, 100], 50))
def test_nearest_requests_of_an_assistant_nine_in_ten_thresholds_keep_their_promise(data, encoder, n):
    rows = [row for row in data("clinc150/val") if row["label"] != "oos"]
    rows = rows[:: 1 if n == 100 else 2]
    vectors = encoder.encode([row["text"] for row in rows]).data
    found = nearest(vectors, 3)
    names = np.array([row["label"] for row in rows])
    scores, labels = found.scores.ravel().astype(float), (names[found.ids] == names[:, None]).ravel()
    kept = []
    for seed in range(200):
        drawn = np.random.default_rng(seed).choice(len(scores), n, replace=False)
        try:
            threshold = at_least_precision(Labelled(scores[drawn], labels[drawn]), 0.95)
        except InputError:
            continue
        kept.append(labels[scores >= threshold.score].mean() >= 0.95)
    assert n == 50 or len(kept) > 50
    assert np.mean(kept or [1]) >= 0.9
