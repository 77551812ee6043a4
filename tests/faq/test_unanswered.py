"""Questions without an answer are counted, grouped by meaning, and bounded."""

from __future__ import annotations

import numpy as np

import nearsense as ns
from nearsense.faq.unanswered import Unanswered


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


def test_nothing_unanswered_has_no_gaps():
    assert Unanswered().gaps(0.5) == []
