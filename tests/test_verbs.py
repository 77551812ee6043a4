"""The verbs against numpy on the same vectors."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

import nearsense as ns
from nearsense.lexical import jaccard
from turns import in_turn

CORPUS = ["a cat sleeps", "stock prices fell", "the kitten naps", "rain is expected", "shares lost value"]


@pytest.fixture(scope="module")
def vectors(encoder):
    return encoder.encode(CORPUS)


def test_compare_is_the_cosine_of_the_two_vectors(encoder, vectors):
    found = ns.compare(CORPUS[0], CORPUS[2])
    assert found.score == pytest.approx(float(vectors.data[0] @ vectors.data[2]), abs=2e-3)
    assert (found.origin.model, found.origin.fingerprint) == ("all-MiniLM-L6-v2", encoder.fingerprint)
    assert found.reading is ns.types.Reading.of_probability(found.probability)


def test_compare_is_symmetric_and_one_for_a_text_with_itself(encoder):
    assert ns.compare("a cat", "a dog").score == pytest.approx(ns.compare("a dog", "a cat").score, abs=1e-6)
    assert ns.compare("a cat", "a cat").score == pytest.approx(1, abs=1e-6)


def test_search_finds_what_brute_force_finds(encoder, vectors):
    queries = ["pets at rest", "finance"]
    found = ns.search_many(queries, CORPUS, k=3)
    scores = encoder.encode(queries).data @ vectors.data.T
    for hits, row in zip(found, scores, strict=True):
        assert [int(hit.id) for hit in hits] == np.argsort(-row)[:3].tolist()
        assert [hit.rank for hit in hits] == [1, 2, 3]
        np.testing.assert_allclose([hit.score for hit in hits], np.sort(row)[::-1][:3], atol=1e-5)


def test_documents_keep_their_ids_and_metadata(encoder):
    documents = [ns.Document(f"t{i}", text, {"row": i}) for i, text in enumerate(CORPUS)]
    best = ns.search("a sleeping cat", documents, k=1)[0]
    assert (best.id, best.text, best.metadata) == ("t0", CORPUS[0], {"row": 0})


def test_rank_returns_every_candidate_best_first():
    hits = ns.rank("weather", CORPUS)
    assert sorted(hit.text for hit in hits) == sorted(CORPUS)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].text == "rain is expected"
    assert ns.rank("weather", []) == []
    assert len(ns.rank("weather", CORPUS, k=2)) == 2


def test_a_bound_on_the_score_is_the_same_in_all_verbs(encoder, vectors):
    class Length(ns.CrossEncoder):
        name, fingerprint, max_tokens = "length", "1", 512

        def score(self, pairs, **options):
            return [len(text) for _, text in pairs]

    query = "a sleeping cat"
    scores = encoder.encode([query]).data @ vectors.data.T
    bound = float(np.sort(scores[0])[-2]) - 1e-3
    for hits in (
        ns.search(query, CORPUS, min_score=bound),
        ns.search_many([query], CORPUS, min_score=bound)[0],
        ns.search_vectors([query], vectors, min_score=bound)[0],
        ns.rank(query, CORPUS, min_score=bound),
    ):
        assert len(hits) == 2
        assert all(hit.score >= bound for hit in hits)
    longest = max(map(len, CORPUS))
    for hits in (
        ns.rerank(query, CORPUS, encoder=Length(), min_score=longest),
        ns.rerank_many([query], [CORPUS], encoder=Length(), min_score=longest)[0],
        ns.search(query, CORPUS, rerank=Length(), min_score=longest),
    ):
        assert {len(hit.text) for hit in hits} == {longest}
    for verb in (ns.search, ns.rank, lambda *texts, **how: ns.rerank(*texts, encoder=Length(), **how)):
        with pytest.raises(ns.errors.InputError, match="min_score='high' is no number"):
            verb(query, CORPUS, min_score="high")


def test_vectors_can_be_searched_with_plain_strings_as_documents(vectors):
    hits = ns.search_vectors(["a kitten"], vectors, documents=iter(CORPUS), k=10**12)[0]
    assert hits[0].text in (CORPUS[0], CORPUS[2])
    assert len(hits) == len(CORPUS)


def test_k_may_be_larger_than_the_corpus():
    assert len(ns.search("cat", CORPUS, k=99)) == len(CORPUS)


def test_equal_texts_are_found_in_the_order_of_the_corpus():
    assert [hit.id for hit in ns.search("cat", ["cat", "dog", "cat", "cat"], k=3)] == ["0", "2", "3"]


def test_the_matrix_holds_every_pair(vectors):
    found = ns.matrix(CORPUS)
    np.testing.assert_allclose(found.scores, vectors.data @ vectors.data.T, atol=2e-3)
    np.testing.assert_array_equal(found.scores, found.scores.T)
    assert found.labels == tuple(CORPUS)


def test_a_matrix_that_does_not_fit_is_refused_with_its_size():
    with pytest.raises(ns.errors.TooLargeError, match=r"200,000 x 200,000 scores takes 149\.0 GiB"):
        ns.matrix(["same text"] * 200_000)


def test_stored_vectors_of_another_model_are_refused(tmp_path, vectors):
    from samples import tiny_bert

    other = ns.load(str(tiny_bert(tmp_path / "other")))
    with pytest.raises(ns.errors.ModelMismatch, match="all-MiniLM-L6-v2"):
        ns.search_vectors(["x"], vectors, encoder=other)


@in_turn(
    ("call", "words"),
    [
        (lambda: ns.compare("", "x"), "left text 0 is empty"),
        (lambda: ns.compare("x", "\n"), "right text 0 is empty"),
        (lambda: ns.compare_pairs(["ab"]), "item 0 is no pair"),
        (lambda: ns.search(" ", CORPUS), "query 0 is empty"),
        (lambda: ns.search("x", ["a", ""]), "text 1 is empty"),
        (lambda: ns.search("x", CORPUS, k=0), "k=0"),
        (lambda: ns.search("x", [None]), "text 0 is None"),
        (lambda: ns.matrix(["a", ""]), "text 1 is empty"),
        (lambda: ns.compare_pairs([("a", "b"), ("c", None)]), "right text 1 is None"),
        (lambda: ns.compare_pairs([None]), "item 0 is no pair"),
        (lambda: ns.search("x", CORPUS, k="3"), "k"),
        (lambda: ns.search_many(["x", 7], CORPUS), "query 1 is of type int"),
        (lambda: ns.matrix(7), "texts are of type int"),
        (lambda: ns.search("x", {"a": 1}), "texts are a dict"),
        (lambda: ns.search("x", pandas.DataFrame({"text": CORPUS})), "texts are a DataFrame"),
        (lambda: ns.search("x", pandas.Series(["a", pandas.NA], dtype=object)), "text of row 1 is missing"),
        (lambda: ns.compare(pandas.Series(["a"]), "b"), "left text 0 is of type Series"),
        (lambda: ns.search_vectors("x", np.eye(3)), "not Vectors"),
        (lambda: ns.compare("a", "b", encoder=5), "encoder=5"),
        (lambda: ns.load("  "), "no model is named"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_named(call, words):
    with pytest.raises(ns.errors.InputError, match=words):
        call()


def test_a_bad_query_is_refused_before_the_corpus_is_encoded():
    class Never:
        name = fingerprint = "never"

        def encode(self, texts, **options):
            raise AssertionError

    with pytest.raises(ns.errors.InputError, match="query 0 is empty"):
        ns.search("", CORPUS, encoder=Never())


def test_nothing_compared_with_nothing_is_nothing():
    assert ns.compare_pairs([]) == []
    assert ns.search("x", [], k=3) == []
    assert ns.matrix([]).scores.shape == (0, 0)


def test_jaccard_is_the_intersection_over_the_union():
    from sklearn.metrics import jaccard_score

    found = jaccard("one two three", ["two three four"])
    assert found[0] == pytest.approx(jaccard_score([1, 1, 1, 0], [0, 1, 1, 1]))
    assert jaccard("", ["", "a"]).tolist() == [0, 0]
