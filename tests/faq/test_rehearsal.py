"""What a FAQ learns of itself, beside brute force, scikit-learn and what is then measured."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from faq_shop import WORDINGS, shop
from nearsense.faq.certainty import (
    BestScores,
    Scale,
    entry_probabilities,
    features,
    fit_curve,
    general_curves,
    rehearse,
    strangers_of,
)
from nearsense.faq.nearness import (
    GONE,
    MIXTURES,
    WORDED,
    AnswerVectors,
    Nearness,
    Phrasebook,
    Questions,
    WordVectors,
    outsiders,
    spread_of,
    top_two,
)
from nearsense.metrics import normalize
from turns import in_turn


def unit(rng, *shape):
    return normalize(rng.normal(size=shape).astype(np.float32))


@pytest.fixture
def book():
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(6), [1, 3, 2, 5, 1, 4])
    topics = unit(rng, 6, 24)
    entries, starts = np.array([0, 1, 3, 4, 5]), np.array([0, 3, 4, 6, 7])
    answers = AnswerVectors(entries, unit(rng, 5, 24), unit(rng, 9, 24), starts)
    return Phrasebook(normalize(topics[owner] + 0.7 * unit(rng, 16, 24)), owner, answers)


def slowly(book, question, kind, leave=(), mixture=MIXTURES[0]):
    """Each entry's score by the definition, without some rows."""
    scores, (whole, part) = [], mixture
    for entry in range(int(book.owner[-1]) + 1):
        rows = [row for row in np.flatnonzero(book.owner == entry) if row not in leave]
        if not rows:
            scores.append(GONE)
            continue
        own = book.phrasings[rows].astype(float)
        nearest = (own @ question).max()
        middle = own.sum(0) @ question / np.linalg.norm(own.sum(0))
        score = {
            Nearness.NEAREST: nearest,
            Nearness.CENTROID: middle,
            Nearness.MIX: (nearest + middle) / 2,
        }[kind]
        if book.answers is not None and entry in book.answers.entries:
            at = book.answers.entries.tolist().index(entry)
            ends = [*book.answers.starts.tolist(), len(book.answers.sentences)]
            nearest = max(each @ question for each in book.answers.sentences[ends[at] : ends[at + 1]])
            score = score * (1 - whole - part) + whole * (book.answers.wholes[at] @ question) + part * nearest
        scores.append(score)
    return np.array(scores)


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("kind", Nearness)
def test_scores_are_those_of_the_definition(book, kind, mixture):
    questions = unit(np.random.default_rng(1), 5, 24)
    near = book.near(kind, mixture)
    for some in (questions, questions[:1]):
        found = near.scored(Questions(some)).scores
        truth = [slowly(book, question, kind, mixture=mixture) for question in some]
        assert np.allclose(found, truth, atol=1e-5)


@pytest.mark.parametrize("kind", Nearness)
def test_a_phrasing_left_out_is_as_if_it_had_never_been(book, kind):
    found = book.near(kind).without(np.arange(16)).scores
    truth = [slowly(book, book.phrasings[row], kind, leave=(row,)) for row in range(16)]
    assert np.allclose(found, truth, atol=1e-5)


@pytest.fixture
def worded():
    """Five entries of one phrasing and their words, and seven questions with theirs."""
    rng = np.random.default_rng(7)

    def words(counts):
        return WordVectors(unit(rng, sum(counts), 12), np.cumsum([0, *counts[:-1]]))

    book = Phrasebook(unit(rng, 5, 24), np.arange(5), None, words([3, 1, 4, 2, 5]), words([2, 1, 3, 2, 1]))
    return book, Questions(unit(rng, 7, 24), words([2, 1, 3, 1, 5, 4, 2]))


def word_by_word(book, vector, words):
    """Each entry's score, and the nearness of the most foreign word, by the definition."""
    ends, scores, least = [*book.words.starts.tolist(), len(book.words.vectors)], [], []
    for entry in range(5):
        own = book.words.vectors[ends[entry] : ends[entry + 1]]
        nearest = [max(float(word @ each) for each in own) for word in words]
        cosine = float(book.phrasings[entry] @ vector)
        scores.append((1 - WORDED) * cosine + WORDED * sum(nearest) / len(nearest))
        least.append(min(nearest))
    return scores, least


def test_words_are_compared_as_defined(worded):
    book, questions = worded
    ends = [*questions.words.starts.tolist(), len(questions.words.vectors)]
    near = book.near(Nearness.NEAREST)
    truth = [
        word_by_word(book, questions.vectors[row], questions.words.vectors[ends[row] : ends[row + 1]])
        for row in range(7)
    ]
    for rows in (slice(0, 7), slice(3, 4), slice(2, 5), np.array([6, 0, 6]), np.array([1])):
        found = near.scored(questions.take(rows))
        picked = np.arange(7)[rows]
        assert np.allclose(found.scores, [truth[row][0] for row in picked], atol=1e-5)
        assert np.allclose(found.least, [truth[row][1] for row in picked], atol=1e-5)


def test_an_own_question_is_compared_by_its_own_words_with_the_others(worded):
    book, _ = worded
    found = book.near(Nearness.NEAREST).without(np.array([4, 2])).scores
    for row, scores in zip((4, 2), found, strict=True):
        asked = book.asked.take(np.array([row])).vectors
        truth = np.array(word_by_word(book, book.phrasings[row], asked)[0])
        truth[row] = GONE
        assert np.allclose(scores, truth, atol=1e-5)


def test_top_two_are_those_of_sorting():
    scores = np.random.default_rng(2).normal(size=(50, 9)).astype(np.float32)
    best, first, second = top_two(scores.copy())
    order = np.sort(scores, axis=1)
    assert (best == scores.argmax(1)).all()
    assert (first == order[:, -1]).all()
    assert (second == order[:, -2]).all()


def test_a_curve_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    from nearsense.faq.certainty import UNITS

    rng = np.random.default_rng(3)
    x = features(rng.uniform(0, 1, 400), rng.uniform(-0.5, 0.4, 400), Scale(0.2, 0.9, 3.0))
    y = (rng.uniform(size=400) < 1 / (1 + np.exp(-6 * (x[:, 1] - 0.3)))).astype(float)
    weights = rng.uniform(0.2, 2, 400)
    found, _ = fit_curve(x, y, weights, np.zeros(len(UNITS)), strength=2.0)
    truth = LogisticRegression(C=1 / 2.0, fit_intercept=False, tol=1e-10, max_iter=1000)
    truth.fit(x / UNITS, y, sample_weight=weights)
    assert np.allclose(found, truth.coef_[0], atol=1e-4)


def test_spread_is_one_minus_the_mean_cosine_of_different_texts():
    vectors = unit(np.random.default_rng(4), 12, 5)
    cosines = vectors @ vectors.T
    assert spread_of(vectors) == pytest.approx(1 - cosines[~np.eye(12, dtype=bool)].mean(), abs=1e-5)


def test_the_shares_of_entries_add_up_and_the_best_has_most():
    for scores, right in (([0.9, 0.8, 0.1], 0.2), ([0.5, 0.5], 0.1), ([0.4], 0.3), ([0.9, 0.2, 0.1], 0.99)):
        shares = entry_probabilities(np.array(scores), right, 1.0)
        assert shares.sum() == pytest.approx(1)
        assert shares.argmax() == 0
        assert (np.diff(shares) <= 1e-12).all()


def test_a_higher_score_and_a_wider_margin_are_surer():
    grid = np.linspace(0.2, 1, 60)
    scale, curves = Scale(0.14, 0.9, 1.0), general_curves()
    for second in (0.1, 0.2):
        p = curves.best(features(grid, np.full(60, second), scale), 0.5)
        assert (np.diff(p) > 0).all()
    p = curves.best(features(np.full(60, 0.6), np.linspace(0.6, 0.0, 60), scale), 0.5)
    assert (np.diff(p) > 0).all()


def test_the_prior_shifts_the_odds_that_the_faq_knows():
    x = features(np.array([0.5]), np.array([0.3]), Scale(0.14, 0.9, 1.0))
    half, tenth = (general_curves().probabilities(x, prior)[0][0] for prior in (0.5, 0.1))
    assert tenth / (1 - tenth) == pytest.approx(half / (1 - half) / 9)


def test_the_threshold_has_the_precision_that_it_states_on_its_own_questions(encoder):
    rng = np.random.default_rng(5)
    words = [f"thing{i}" for i in range(400)]
    items = [
        {"id": str(n), "question": " ".join(rng.permutation(words[n * 8 : n * 8 + 8])[:5].tolist())}
        for n in np.repeat(np.arange(50), 20).tolist()
    ]
    faq = ns.FAQ(items, encoder=HashEncoder(64), precision=0.9)
    parts = faq.rehearsal
    p, right, weight = [], [], []
    for asked, share in ((parts.known, 0.5), (parts.akin, 0.25), (parts.outside, 0.25)):
        p.append(parts.curves.best(asked.features(parts.scale), 0.5))
        right.append(asked.right)
        weight.append(np.full(len(asked), share / len(asked)))
    p, right, weight = map(np.concatenate, (p, right, weight))
    above = p >= faq.threshold.probability
    assert (weight * right)[above].sum() / weight[above].sum() == pytest.approx(faq.threshold.precision, abs=0.03)
    assert faq.threshold.precision >= 0.9
    low, high = faq.threshold.interval
    assert low < faq.threshold.precision < high


CONTRADICTING = [("x", "0"), ("x", "1"), ("x", None)] * 50


def test_a_faq_that_nothing_is_answered_rightly_by_stays_silent():
    items = ["How do I return it", "How long is shipping", "which cards"]
    faq = ns.FAQ(items, encoder=HashEncoder(16), labelled=CONTRADICTING, prior=1e-6)
    parts = faq.rehearsal
    asked = [part.features(parts.scale) for part in (parts.known, parts.akin, parts.outside)]
    assert faq.threshold.probability > max(parts.curves.best(x, 1e-6).max() for x in asked)
    assert faq.threshold.probability >= 0.9
    assert (faq.threshold.answered, faq.threshold.interval) == (0.0, (0.0, 1.0))
    assert "since none of the questions" in str(faq.threshold)
    assert not faq.answer("How would I return it")


def test_labels_that_contradict_each_other_are_not_answered():
    asked = {"How do I return it": "a", "How long is shipping": "b", "which cards": "c"}
    items = [{"question": question, "answer": answer} for question, answer in asked.items()]
    faq = ns.FAQ(items, encoder=HashEncoder(16), labelled=CONTRADICTING)
    assert faq.threshold.probability >= 0.25
    assert not faq.answer("x")


@in_turn("prior", [1e-6, 1e-4, 0.01, 0.5])
def test_a_threshold_is_never_below_one_in_four(encoder, prior):
    faq = ns.FAQ(["How long does shipping take?", "How can I pay?"], encoder=encoder, prior=prior)
    assert 0.25 <= faq.threshold.probability <= 1


def test_outsiders_that_a_faq_knows_do_not_count_as_strangers(encoder):
    own = [*outsiders()[:10], "How do I return a product?"]
    parts = ns.FAQ(own, encoder=encoder).rehearsal
    assert len(parts.outside) <= len(outsiders()) - 10
    assert parts.outside.first.max() < 0.6
    first = np.array([0.1, 0.12, 0.14, 0.13, 0.9], np.float32)
    kept, scale = strangers_of(BestScores(first, first - 0.05, first < 0), 0.9, 1.0)
    assert len(kept) == 4
    assert scale.outside == pytest.approx(first[:4].mean())


def test_the_nearness_is_chosen_by_what_finds_left_out_phrasings():
    rng = np.random.default_rng(6)
    topics = unit(rng, 20, 32)
    owner = np.repeat(np.arange(20), 12)
    rows = normalize(topics[owner] + 1.2 * unit(rng, 240, 32))
    found = rehearse(Phrasebook(rows, owner), Questions(unit(rng, 30, 32)), 0.9)
    assert found.near.nearness is max(found.accuracy, key=lambda kind: round(found.accuracy[kind], 2))
    brute = np.mean(
        [
            slowly(Phrasebook(rows, owner), rows[i], kind, (i,)).argmax() == owner[i]
            for kind in [found.near.nearness]
            for i in range(240)
        ]
    )
    assert found.accuracy[found.near.nearness] == pytest.approx(brute)


def test_a_faq_that_corrects_its_curves_keeps_the_one_for_asking_back(encoder):
    items = [{**entry, "phrasings": [WORDINGS[1][row]]} for row, entry in enumerate(shop(WORDINGS[0]))]
    curves, general = ns.FAQ(items, encoder=encoder).rehearsal.curves, general_curves(2.0)
    assert np.array_equal(curves.listed, general.listed)
    assert not np.array_equal(curves.known, general.known)
    assert curves.known_covariance.shape == curves.right_covariance.shape == (8, 8)
