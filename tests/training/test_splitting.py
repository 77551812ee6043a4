"""What is held out: no text and no near-duplicate on two sides, of each class its share."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

import nearsense as ns
from nearsense.training.examples import Examples, Kind
from nearsense.training.splitting import apart_from, groups_of, near_level, split
from nearsense.wording import normal_form
from training.made import classes


def pairs_of(*rows):
    return Examples(kind=Kind.POSITIVES, texts=([a for a, _ in rows], [b for _, b in rows]))


def sides(examples, part):
    """The texts of each side, as they are compared."""
    return [
        {normal_form(text) for row in rows for text in examples.rows()[row]} for rows in (part.train, *part.held)
    ]


def test_no_text_stands_on_two_sides_however_rows_share_them(encoder):
    rng = np.random.default_rng(0)
    things, ways = (
        "cat bank train sea king loaf lamp moon field law",
        "old closed late deep dead stale on full wide",
    )
    words = [f"The {thing} is {way}." for thing in things.split() for way in [*ways.split(), "harsh"]]
    rows = [(words[at], words[other]) for at, other in rng.integers(0, 100, (45, 2)) if at != other]
    rows += [(rows[0][0].upper(), "Something else entirely"), (rows[1][1].replace(".", " !"), "One more of these")]
    examples = pairs_of(*rows)
    part = split(examples, encoder, [0.1, 0.1], seed=1)
    assert sorted(np.concatenate([part.train, *part.held]).tolist()) == list(range(len(examples)))
    train, dev, test = sides(examples, part)
    assert dev
    assert test
    assert not train & dev
    assert not train & test
    assert not dev & test


def test_near_duplicates_hang_together_by_their_vectors(exact):
    texts = [
        "How do I reset my password?",
        "How can I reset my password?",
        "Where is my parcel?",
        "I want a refund.",
    ]
    examples = Examples(kind=Kind.CLASSES, texts=(texts,), truth=["a", "a", "b", "c"])
    vectors = exact.encode(texts).data
    level = near_level(exact)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > level > cosines[0, 2]
    groups = groups_of(examples, vectors, level)
    assert groups[0] == groups[1]
    assert len(set(groups.tolist())) == 3
    assert len(set(groups_of(examples, vectors, 2.0).tolist())) == 4, "from no score on, only wording counts"


def test_of_each_class_its_share_is_held_out_and_two_are_kept(encoder):
    sizes = {"many": 40, "some": 20, "few": 4, "pair": 2}
    labels = [name for name, count in sizes.items() for _ in range(count)]
    examples = Examples(
        kind=Kind.CLASSES, texts=([f"text {at} of {name}" for at, name in enumerate(labels)],), truth=labels
    )
    part = split(examples, encoder, [0.1, 0.1], level=2.0)
    for rows in part.held:
        count = Counter(labels[row] for row in rows)
        assert 2 <= count["many"] <= 4
        assert count["pair"] == 0
    kept = Counter(labels[row] for row in part.train)
    assert set(kept) == set(sizes)
    assert min(kept.values()) >= 2


def test_the_parts_follow_from_the_seed(encoder):
    examples = classes(80)
    first, again, other = (split(examples, encoder, seed=seed, level=2.0).held[0].tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 8


def test_what_hangs_together_in_one_piece_is_said_or_refused(encoder):
    chain = [f"number {at} and {at * 7919}" for at in range(31)]
    with pytest.raises(ns.errors.InputError, match="hang together"):
        split(pairs_of(*pairwise(chain)), encoder)
    alike = Examples(
        kind=Kind.CLASSES, texts=([f"Order {at} is late" for at in range(40)],), truth=["a", "b"] * 20
    )
    part = split(alike, encoder, level=0.5)
    assert len(part.held[0]) == 4
    assert "Nearly all texts are near each other" in part.notes[0]


def test_what_stands_in_examples_of_your_own_is_left_out_of_training(encoder):
    examples = Examples(
        kind=Kind.CLASSES,
        texts=(["Where is my parcel?", "I want a refund.", "Close my account"],),
        truth=list("abc"),
    )
    held = Examples(kind=Kind.CLASSES, texts=(["where is my parcel", "What is the weather?"],), truth=list("ab"))
    rows, notes = apart_from(examples, held, encoder, level=near_level(encoder))
    assert rows.tolist() == [1, 2]
    assert notes[0].startswith("1 examples were left out")
