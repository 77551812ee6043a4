"""BM25: against the formula worked out text by text, and against a fresh index of the living texts, to the bit."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from nearsense.errors import InputError
from nearsense.lexical import GrowingPostings, Postings, Segment, bm25, terms
from turns import in_turn

VOCABULARY = ["the", "of", "red", "car", "wine", "house", "tree", "cloud", "river", "stone", "猫", "3"]
texts_of = st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=12).map(" ".join), min_size=1, max_size=40)
queries = st.lists(st.sampled_from([*VOCABULARY, "unknown"]), max_size=6).map(" ".join)
parameters = st.sampled_from([(1.2, 0.75), (0.9, 0.4), (2.0, 1.0), (1.5, 0.0)])


def by_the_formula(query, texts, k1=1.2, b=0.75):
    """The truth: each text on its own, in double precision."""
    bags = [Counter(terms(text)) for text in texts]
    mean = sum(bag.total() for bag in bags) / max(len(bags), 1)
    scores = []
    for bag in bags:
        score = 0.0
        for term in terms(query):
            df = sum(term in other for other in bags)
            if term in bag:
                idf = log(1 + (len(bags) - df + 0.5) / (df + 0.5))
                score += idf * bag[term] / (bag[term] + k1 * (1 - b + b * bag.total() / mean))
        scores.append(score)
    return np.array(scores)


def segmented(texts, alive, cuts):
    """Texts in several segments, the last of them growing: it holds texts that came later than the reader."""
    edges = sorted({0, len(texts), *cuts})
    parts = [slice(a, b) for a, b in pairwise(edges)]
    built = [Segment(Postings.build(texts[part]), alive[part]) for part in parts[:-1]]
    growing = GrowingPostings()
    growing.extend([*texts[parts[-1]], "red wine", "the house"])
    last = growing.first(parts[-1].stop - parts[-1].start)
    return [*built, Segment(last, alive[parts[-1]])]


def ranking(neighbours):
    count = int(neighbours.counts[0])
    assert (neighbours.ids[0, count:] == -1).all()
    assert (neighbours.scores[0, count:] == -np.inf).all()
    return neighbours.ids[0, :count], neighbours.scores[0, :count]


@settings(deadline=None)
@given(texts_of, queries, st.integers(1, 12), parameters, st.data())
def test_segments_filters_and_deletions_give_what_the_formula_gives(texts, query, k, parameters, data):
    n = len(texts)
    masks = st.lists(st.booleans(), min_size=n, max_size=n).map(lambda values: np.array(values, np.bool_))
    alive, allowed = data.draw(masks), data.draw(st.none() | masks)
    cuts = data.draw(st.lists(st.integers(0, n), max_size=3))
    k1, b = parameters
    ids, scores = ranking(bm25(query, segmented(texts, alive, cuts), k, allowed=allowed, k1=k1, b=b))

    living = np.flatnonzero(alive)
    truth = np.zeros(n)
    truth[living] = by_the_formula(query, [texts[row] for row in living], k1, b)
    if allowed is not None:
        truth[~allowed] = 0.0
    np.testing.assert_allclose(scores, np.sort(truth[truth > 0])[::-1][:k], rtol=2e-6)
    np.testing.assert_allclose(scores, truth[ids], rtol=2e-6)
    assert all(a > b or (a == b and i < j) for (a, b), (i, j) in zip(pairwise(scores), pairwise(ids), strict=True))


@settings(deadline=None)
@given(texts_of, queries, st.integers(1, 12), st.data())
def test_segments_and_deletions_change_no_bit_of_a_fresh_index(texts, query, k, data):
    n = len(texts)
    alive = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), np.bool_)
    cuts = data.draw(st.lists(st.integers(0, n), max_size=3))
    ids, scores = ranking(bm25(query, segmented(texts, alive, cuts), k))
    living = np.flatnonzero(alive)
    fresh_ids, fresh_scores = ranking(bm25(query, [Segment(Postings.build([texts[row] for row in living]))], k))
    assert np.array_equal(ids, living[fresh_ids])
    assert np.array_equal(scores, fresh_scores)


@pytest.fixture(scope="module")
def many():
    """20,000 texts with words as frequent as in a language: the r-th has a share near 1 / r."""
    rng = np.random.default_rng(5)
    share = 1.0 / np.arange(1, 3_001)
    drawn = rng.choice(3_000, (20_000, 11), p=share / share.sum())
    texts = [" ".join(f"w{word}" for word in row[: 3 + number % 9]) for number, row in enumerate(drawn)]
    counts = CountVectorizer(analyzer=terms).fit(texts)
    return texts, counts.vocabulary_, counts.transform(texts).tocsc().astype(np.float64)


@pytest.mark.parametrize("k", [1, 10, 300])
@pytest.mark.parametrize(
    "query", ["w0 w1 w2 w900", "w0 w3 w50 w51 w2000", "w0 w1 w2 w3", "w2999 w2998", "w7 w7 w0"]
)
def test_common_terms_are_passed_over_only_where_that_changes_nothing(many, query, k):
    texts, columns, bags = many
    lengths, alive = bags.sum(axis=1).A1, np.arange(len(texts)) % 10 > 0
    norms = 1.2 * (0.25 + 0.75 * lengths / lengths[alive].mean())
    truth = np.zeros(len(texts))
    for term in terms(query):
        column = bags[:, [columns[term]]].toarray()[:, 0]
        df = np.count_nonzero(column[alive])
        truth += np.log(1 + (alive.sum() - df + 0.5) / (df + 0.5)) * column / (column + norms)
    truth[~alive] = 0.0
    cut = 15_000
    parts = [Segment(Postings.build(texts[part]), alive[part]) for part in (slice(cut), slice(cut, None))]
    ids, scores = ranking(bm25(query, parts, k))
    np.testing.assert_allclose(scores, np.sort(truth[truth > 0])[::-1][:k], rtol=2e-6)
    np.testing.assert_allclose(scores, truth[ids], rtol=2e-6)


@pytest.mark.parametrize("segments", [[], [Segment(Postings.build([]))], [Segment(Postings.build(["", "?"]))]])
def test_nothing_is_found_where_there_is_nothing(segments):
    found = bm25("red wine", segments, 2)
    assert found.ids.tolist() == [[-1, -1]]
    assert found.counts.tolist() == [0]


def test_nothing_is_found_where_everything_is_deleted():
    found = bm25("red", [Segment(Postings.build(["red", "car"]), np.zeros(2, np.bool_))], 1)
    assert found.counts.tolist() == [0]


def test_a_term_that_every_text_holds_still_counts():
    found = bm25("red", [Segment(Postings.build(["red", "red red"]))], 2)
    assert found.ids.tolist() == [[1, 0]]
    assert (found.scores > 0).all()


def test_more_are_asked_for_than_exist():
    found = bm25("red", [Segment(Postings.build(["red", "car"]))], 5)
    assert found.ids.tolist() == [[0, -1, -1, -1, -1]]


@in_turn(
    "wrong",
    [{"k": 0}, {"k1": -1.0}, {"b": 1.5}, {"k1": float("nan")}, {"allowed": np.ones(3, np.bool_)}],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError):
        bm25("red", [Segment(Postings.build(["red", "car"]))], **{"k": 1, **wrong})


@pytest.mark.parametrize("alive", [np.ones(3, np.bool_), np.ones(2, np.int8)], ids=["shape", "type"])
def test_a_mask_of_another_shape_or_type_is_refused(alive):
    with pytest.raises(InputError, match="alive is"):
        Segment(Postings.build(["red", "car"]), alive)
