"""A difference that the guard names lowers the probability by what was measured, and never touches the score."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from labelled import ORIGIN
from nearsense.calibration import Task, learn_calibration, shipped_calibration
from nearsense.calibration.curve import logit, sigmoid
from nearsense.metrics import expected_calibration_error, log_loss
from nearsense.records import Origin
from turns import in_turn

CAUGHT = [
    ("Transfer money from Alice to Bob", "Transfer money from Bob to Alice", "roles"),
    ("The drug increases blood pressure", "The drug decreases blood pressure", "antonym"),
    ("It's an exchange or return", "It's not an exchange or return", "negation"),
    ("How to enable two-factor authentication", "How to disable two-factor authentication", "antonym"),
    ("It costs 15 dollars in 2021", "It costs 51 dollars in 2012", "number"),
]


def flagged(n=6_000, seed=0):
    """Scores, kinds and labels; a number costs 3 in the log-odds, a name 1, and such scores say half as much."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    which = rng.integers(0, 6, n)
    kinds = [["number"] if each == 0 else ["name"] if each == 1 else [] for each in which]
    ratio = 9.0 * (scores - 0.6)
    shift = np.select([which == 0, which == 1], [-3.0 - 0.5 * ratio, -1.0 - 0.5 * ratio], 0.0)
    return scores, kinds, (rng.random(n) < sigmoid(ratio + shift)).astype(int)


def test_what_a_difference_says_is_learnt_from_labels():
    scores, kinds, labels = flagged()
    calibration = learn_calibration(scores, labels, ORIGIN, kinds=kinds)
    found = calibration.guard
    assert found["number"] < found["name"] - 1 < -1
    assert found["slope"] < 0.8
    unseen, other, truth = flagged(seed=1)
    prior = float(labels.mean())
    with_guard = calibration.probability(unseen, prior=prior, shift=calibration.guarded(unseen, other))
    without = calibration.probability(unseen, prior=prior)
    assert expected_calibration_error(truth, with_guard) < 0.04
    assert log_loss(truth, with_guard) < log_loss(truth, without) - 0.02


def test_a_difference_never_makes_a_pair_more_probable():
    scores, kinds, labels = flagged(300)
    upside_down = np.array([1 if kind else label for kind, label in zip(kinds, labels, strict=True)])
    calibration = learn_calibration(scores, upside_down, ORIGIN, kinds=kinds)
    at = np.linspace(-1, 1, 50)
    assert (calibration.guarded(at, [["name"]] * 50) <= 0).all()
    assert (calibration.guarded(at, [["unheard of"]] * 50) <= 0).all()
    assert (calibration.guarded(at, [[]] * 50) >= 0).all()


def test_of_several_differences_the_worst_speaks():
    scores, kinds, labels = flagged()
    calibration = learn_calibration(scores, labels, ORIGIN, kinds=kinds)
    both, number, name = calibration.guarded([0.9] * 3, [["name", "number"], ["number"], ["name"]])
    assert both == number < name


@in_turn(("a", "b", "kind"), CAUGHT)
def test_near_misses_are_named_and_less_probable_and_keep_their_score(encoder, a, b, kind):
    found = ns.compare(a, b)
    assert any(each.startswith(f"{kind}: ") for each in found.differs), found.differs
    vectors = encoder.encode([a, b]).data
    assert found.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=2e-3)
    unguarded = shipped_calibration(found.origin, Task.PARAPHRASE).probability(min(found.score, 1.0), prior=0.5)
    assert found.probability < unguarded - 0.01
    assert logit(found.probability) < logit(unguarded) - 0.5
    assert f"differs: {found.differs[0]}" in str(found)


def test_texts_that_say_the_same_are_not_flagged_and_say_so():
    found = ns.compare("It is raining.", "Rain is falling.")
    assert found.differs == ()
    assert found.to_dict()["differs"] == []


@pytest.mark.slow
def test_the_guard_makes_shipped_probabilities_truer_of_question_pairs(quora_vectors, encoder):
    from nearsense.guard import differences_many

    rows, left, right = quora_vectors
    labels = np.array([int(row["label"]) for row in rows])
    scores = (left * right).sum(1).astype(float)
    calibration = shipped_calibration(Origin(encoder.name, encoder.fingerprint), Task.QUESTION)
    seen = differences_many([row["a"] for row in rows], [row["b"] for row in rows])
    kinds = [[each.kind for each in found] for found in seen]
    guarded = calibration.probability(scores, prior=0.5, shift=calibration.guarded(scores, kinds))
    differs = np.array([bool(each) for each in kinds])
    assert log_loss(labels, guarded) < log_loss(labels, calibration.probability(scores, prior=0.5)) - 0.008
    assert guarded[differs].mean() == pytest.approx(labels[differs].mean(), abs=0.03)
    assert guarded[~differs].mean() == pytest.approx(labels[~differs].mean(), abs=0.03)


@pytest.mark.parametrize("task", [Task.PARAPHRASE, Task.QUESTION])
def test_near_identical_texts_with_a_hard_difference_never_read_as_probably_the_same(encoder, task):
    calibration = shipped_calibration(Origin(encoder.name, encoder.fingerprint), task)
    hard = [
        "antonym",
        "cause",
        "code",
        "colour",
        "comparison",
        "condition",
        "date",
        "negation",
        "number",
        "order",
        "ordinal",
        "roles",
        "side",
        "unit",
        "something-new",
    ]
    for score in (0.8, 0.9, 0.95, 0.98, 0.999):
        shifts = calibration.guarded([score] * len(hard), [[kind] for kind in hard])
        found = calibration.probability(np.full(len(hard), score), prior=0.5, shift=shifts)
        assert (found < 0.7).all(), dict(zip(hard, found.round(2), strict=True))


@in_turn(
    ("a", "b"),
    [
        ("Store the vaccine at 5 °C", "Store the vaccine at 5 °F"),
        ("Canon HF100 camcorder", "Canon HF10 camcorder"),
        ("Nespresso milk frother, black", "Nespresso milk frother, silver"),
        ("The gym is on the second floor", "The gym is on the third floor"),
        ("Men's chinos W34 L32", "Men's chinos W32 L34"),
        ("The left earbud is broken", "The right earbud is broken"),
    ],
)
def test_other_products_are_at_most_as_likely_as_not_the_same(encoder, a, b):
    assert ns.compare(a, b).probability < 0.5
