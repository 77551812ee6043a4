"""Questions without an answer are counted, grouped by meaning, and bounded."""

from __future__ import annotations

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.faq.answers import Unanswered
from turns import in_turn


def test_gaps_say_what_people_ask_for(encoder):
    faq = ns.FAQ(["How long does shipping take?", "How do I return a product?"], encoder=encoder)
    faq.answer_many(["Do you sell gift cards?", "gift cards", "Can I buy a gift card?", "Do you sell gift cards?"])
    faq.answer_many(["Tell me a joke", "How long does shipping take"])
    assert faq.unanswered == {
        "Do you sell gift cards?": 2,
        "gift cards": 1,
        "Can I buy a gift card?": 1,
        "Tell me a joke": 1,
    }
    cards, joke = faq.gaps()
    assert (cards.count, joke.count) == (4, 1)
    assert "gift card" in cards.label
    assert cards.questions[0] == ("Do you sell gift cards?", 2)
    assert "asked 4 times" in str(cards)
    assert joke.to_dict() == {
        "label": "Tell me a joke",
        "count": 1,
        "questions": [{"question": "Tell me a joke", "count": 1}],
    }


def test_every_member_is_near_its_label_and_in_one_group_only():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = Unanswered()
    for number, vector in enumerate(vectors):
        kept.add(str(number), vector)
    gaps = kept.gaps(0.7)
    assert sorted(int(text) for gap in gaps for text, _ in gap.questions) == list(range(300))
    for gap in gaps:
        for text, _ in gap.questions:
            assert vectors[int(text)] @ vectors[int(gap.label)] >= 0.7 - 1e-6
    assert [gap.count for gap in gaps] == sorted((gap.count for gap in gaps), reverse=True)


def test_the_longest_unheard_question_goes_first():
    kept, vector = Unanswered(most=2), np.ones(1, np.float32)
    for text in ("a", "b", "A", "c"):
        kept.add(text, vector)
    assert kept.counts() == {"a": 2, "c": 1}


def test_how_accents_are_composed_makes_no_other_question():
    kept, vector = Unanswered(), np.ones(1, np.float32)
    for text in ("caf\u00e9?", "cafe\u0301?", "CAFE\u0301?"):
        kept.add(text, vector)
    assert list(kept.counts().values()) == [3]


def test_what_is_kept_is_short_and_holds_no_batch():
    faq = ns.FAQ(["How long is it", "b c d"], encoder=HashEncoder(16))
    faq.answer_many([f"odd{n} thing" + " and on" * 10_000 for n in range(3)])
    assert [len(text) for text in faq.unanswered] == [1000] * 3
    kept, vectors = Unanswered(), np.ones((50, 4), np.float32)
    kept.add("a", vectors[3])
    vectors[:] = 0
    assert kept.gaps(0.5)[0].label == "a"
    assert all(vector.base is None and vector.sum() == 4 for _, _, vector in kept._kept.values())


@in_turn("score", ["x", float("nan"), 2, None, True])
def test_a_least_score_that_is_no_cosine_is_refused(score):
    with pytest.raises(ns.errors.InputError, match="min_score="):
        Unanswered().gaps(score)


def test_nothing_unanswered_has_no_gaps():
    assert Unanswered().gaps(0.5) == []
