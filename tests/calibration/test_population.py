"""A curve for pairs that nobody labelled: wide alone, narrower with what is known of them, true of new sets."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nearsense as ns
from nearsense.calibration import (
    Calibration,
    Population,
    Scale,
    Task,
    population_of,
    shipped_calibration,
    traits_of,
)
from nearsense.calibration.curve import sigmoid
from nearsense.metrics import expected_calibration_error as ece
from nearsense.records import Origin
from turns import in_turn

SCALE = Scale(0.05, 0.95)


def drawn_set(rng, n=600):
    """A set as one may meet it: how scores lie, and which of them mean the same, differs from set to set."""
    near, far = rng.normal(rng.normal(0.85, 0.02), 0.1, n), rng.normal(rng.normal(0.55, 0.05), 0.22, n)
    nearness = np.where(rng.random(n) < rng.uniform(0.3, 0.6), near, far)
    slope, even = np.exp(rng.normal(np.log(11), 0.15)), rng.normal(0.82, 0.05)
    labels = (rng.random(n) < sigmoid(slope * (nearness - even))).astype(float)
    return SCALE.random + SCALE.unit * nearness, labels


@pytest.fixture(scope="module")
def population():
    rng = np.random.default_rng(0)
    sets = [drawn_set(rng) for _ in range(8)]
    traits = np.array([traits_of(SCALE.nearness(scores), labels) for scores, labels in sets])
    floor = (0.03, 0.1, 0.2, 0.03)
    return population_of(traits, list("abcdefgh"), share=(-0.5, 0.6), floor=floor, spread=1.0, drawn_floor=floor)


def inside(likely, scores, labels):
    """The share of bins of probability in whose stated interval the truth lies, and the mean width."""
    odds, spread = likely.curve.log_odds(scores), likely.curve.spread(scores)
    told, low, high = (sigmoid(odds + sign * 1.96 * spread) for sign in (0, -1, 1))
    place = np.minimum((told * 15).astype(int), 14)
    bins = [place == each for each in range(15) if (place == each).sum() >= 20]
    held = [low[each].mean() <= labels[each].mean() <= high[each].mean() for each in bins]
    return np.mean(held), (high - low).mean()


WAYS = {
    "a pair alone": lambda scores, labels: {},
    "all scores": lambda scores, labels: {"scores": scores, "random_spread": 0.12},
    "thirty labels": lambda scores, labels: {"labelled": (scores[:30], labels[:30])},
    "a hundred labels": lambda scores, labels: {"labelled": (scores[:100], labels[:100])},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_interval_holds_the_truth_of_sets_that_were_never_seen(population, way):
    rng = np.random.default_rng(7)
    found = []
    for _ in range(15):
        scores, labels = drawn_set(rng, 3_000)
        found.append(inside(population.likely(SCALE, **WAYS[way](scores, labels)), scores, labels))
    assert np.mean([held for held, _ in found]) > 0.8


def test_the_more_is_known_the_narrower_is_the_interval(population):
    rng = np.random.default_rng(8)
    widths = []
    for _ in range(8):
        scores, labels = drawn_set(rng, 1_000)
        widths.append(
            [inside(population.likely(SCALE, **of(scores, labels)), scores, labels)[1] for of in WAYS.values()]
        )
    alone, looked, thirty, hundred = np.mean(widths, axis=0)
    assert alone > looked > thirty > hundred


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_others_that_are_random_pairs_of_the_corpus_are_told_from_chosen_ones(population, share):
    rng = np.random.default_rng(9)
    n = 2_000
    labels = (rng.random(n) < share).astype(float)
    near = np.where(labels == 1, rng.normal(0.85, 0.1, n), rng.normal(0.0, 0.12, n))
    scores = SCALE.random + SCALE.unit * np.clip(near, -0.5, 1)
    likely = population.likely(SCALE, scores=scores, random_spread=0.12 * SCALE.unit)
    assert likely.drawn > 0.9
    assert likely.share == pytest.approx(share, abs=0.05)
    assert ece(labels.astype(int), sigmoid(likely.curve.log_odds(scores))) < 0.05
    chosen, _ = drawn_set(rng, n)
    assert population.likely(SCALE, scores=chosen, random_spread=0.12 * SCALE.unit).drawn < 0.1


def test_a_share_that_is_known_is_kept_and_narrows(population):
    scores, labels = drawn_set(np.random.default_rng(10), 2_000)
    share = float(labels.mean())
    known, unknown = (population.likely(SCALE, scores=scores, share=each) for each in (share, None))
    assert known.share == pytest.approx(share, abs=0.02)
    assert inside(known, scores, labels)[1] < inside(unknown, scores, labels)[1]


def test_fewer_than_fifty_pairs_are_not_looked_at(population):
    scores, _ = drawn_set(np.random.default_rng(11), 49)
    few, none = population.likely(SCALE, scores=scores), population.likely(SCALE)
    assert few.curve.weights == pytest.approx(none.curve.weights)


def test_another_model_with_the_same_nearness_gives_the_same_probabilities(population):
    other = Scale(0.77, 0.23)
    near = np.linspace(-0.2, 1, 30)
    one, two = (
        population.likely(scale).curve.log_odds(scale.random + scale.unit * near) for scale in (SCALE, other)
    )
    assert one == pytest.approx(two, abs=1e-9)


def test_a_population_and_a_calibration_with_one_survive_their_json(population):
    again = Population.from_dict(json.loads(json.dumps(population.to_dict())))
    assert again.likely(SCALE).curve.weights == pytest.approx(population.likely(SCALE).curve.weights)
    known = shipped_calibration(Origin("all-MiniLM-L6-v2", ns.load().fingerprint), Task.REQUEST)
    there = Calibration.from_dict(json.loads(json.dumps(known.to_dict())))
    scores = np.linspace(0, 1, 80)
    assert there.here(scores=scores).probability(0.7) == pytest.approx(known.here(scores=scores).probability(0.7))


# Through the verbs


@in_turn(
    ("a", "b"),
    [
        ("Where is my parcel?", "Where is my parcel?"),
        ("Where is my parcel?", "where is my parcel"),
        ("Where is  my parcel?", "Where is my parcel ?"),
        ("ﬁne", "fine"),
        ("THE ORDER HAS NOT COME", "The order has not come."),
    ],
)
@in_turn("task", list(Task))
def test_equal_texts_are_the_same_by_rule_and_the_result_says_so(a, b, task):
    found = ns.compare(a, b, calibration=task.value)
    assert found.probability >= 0.999
    assert found.interval[0] >= 0.99
    assert found.because == ("the same text",) == tuple(found.to_dict()["because"])


@pytest.mark.filterwarnings("ignore::nearsense.LanguageWarning", "ignore::nearsense.UnknownTextWarning")
def test_what_changed_a_probability_is_told():
    differs, unread = (
        ns.compare(*pair)
        for pair in (
            ("How to enable two-factor login", "How to disable two-factor login"),
            ("Order shipped 🚀", "Order shipped 🐌"),
        )
    )
    assert "what differs" in differs.because
    assert "not read by the model" in unread.because
    language = ns.compare("我的包裹在哪里", "我想退货")
    assert language.probability is None
    assert language.because == ("language",)
    many = ns.compare_pairs([(f"I like {n} cats", f"I am fond of {n} cats") for n in range(60)])
    assert many[0].because[-1] == "how these 60 pairs score"
    assert ns.compare("It is raining.", "Rain is falling.").because == ()


def test_tasks_mean_different_things_and_say_so():
    pair = ("move 50 euros to my savings account", "transfer money into savings please")
    same, request = (ns.compare(*pair, calibration=each) for each in ("paraphrase", "request"))
    assert request.probability > same.probability
    assert (same.origin.calibration, request.origin.calibration) == ("paraphrase", "request")
