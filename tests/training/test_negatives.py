"""Hard negatives: near, wrong, and never what is right for another that hangs together with it."""

from __future__ import annotations

import numpy as np

from nearsense.training.examples import Examples, Kind
from nearsense.training.negatives import mine_negatives, needs_role, roles_of
from nearsense.training.splitting import near_level

FAQ = [
    ("How long does delivery take?", "Delivery takes 3 days."),
    ("When will my parcel arrive?", "Delivery takes 3 days."),
    ("How long does express delivery take?", "Delivery takes 1 day."),
    ("Can I pay by card?", "You can pay by card."),
    ("Can I pay in cash?", "You cannot pay by card."),
    ("Who are you?", "We are a shop for garden tools."),
]


def mined(exact, rows=FAQ, groups=None, **options):
    examples = Examples(kind=Kind.POSITIVES, texts=([a for a, _ in rows], [b for _, b in rows]), searching=True)
    groups = np.arange(len(rows)) if groups is None else np.array(groups)
    return mine_negatives(examples, groups, exact, level=near_level(exact), **options)


def test_what_differs_in_a_number_or_a_negation_is_the_negative_however_near(exact):
    found = mined(exact, groups=[0, 0, 1, 2, 3, 4])
    assert found[:3] == ["Delivery takes 1 day.", "Delivery takes 1 day.", "Delivery takes 3 days."]
    assert found[3:5] == ["You cannot pay by card.", "You can pay by card."]


def test_what_is_right_for_one_of_a_group_is_wrong_for_none_of_it(exact):
    found = mined(exact, groups=[0, 0, 0, 1, 1, 2])
    assert not {"Delivery takes 1 day.", "Delivery takes 3 days."} & set(found[:3])
    assert not {"You can pay by card.", "You cannot pay by card."} & set(found[3:5])


def test_the_nearest_that_stays_below_the_positive_by_the_margin_is_taken(exact):
    places = {"cat": "under the table", "dog": "in the garden", "car": "at the station", "bank": "down the road"}
    rows = [(f"Where is the {thing}?", f"The {thing} is {place}.") for thing, place in places.items()]
    found = mined(exact, rows, margin=0.1)
    texts = [b for _, b in rows]
    asked, answers = exact.encode([a for a, _ in rows]).data, exact.encode(texts).data
    for at, text in enumerate(found):
        scores = answers @ asked[at]
        allowed = [one for one in range(4) if one != at and scores[one] <= 0.9 * scores[at]]
        guarded = any(char.isdigit() for char in text)
        assert guarded or text == texts[max(allowed, key=lambda one: scores[one])]


def test_a_model_with_prompts_reads_both_sides_as_it_will(exact):
    class Prompted:
        prompts, needs_role = {"query": "query: ", "passage": "passage: "}, False

    symmetric = Examples(kind=Kind.POSITIVES, texts=(["a", "b"], ["c", "d"]))
    searching = Examples(kind=Kind.POSITIVES, texts=(["a", "b"], ["c", "d"]), searching=True)
    assert needs_role(Prompted())
    assert not needs_role(exact)
    assert roles_of(symmetric, Prompted()) == ("query", "query")
    assert roles_of(searching, Prompted()) == ("query", "passage")
    assert roles_of(symmetric, exact) == (None, None)
