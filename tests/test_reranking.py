"""The second stage against brute force: every pair scored, then sorted."""

from __future__ import annotations

import random

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder, WordCross
from nearsense.records import Hit, Metric, Origin, Ranking, Results
from nearsense.reranking import rerank, rerank_many, staged
from turns import in_turn

WORDS = ["the", "a", "dog", "cat", "house", "tree", "water", "rain", "king", "queen", "bread", "stone", "fire"]
MODES = ("dense", "lexical", "hybrid")
QUERY = "the dog and the king"


def made(n: int, seed: int = 0) -> list[ns.Document]:
    chance = random.Random(seed)
    return [
        ns.Document(f"d{i}", " ".join(chance.choices(WORDS, k=chance.randrange(1, 9))), {"even": i % 2 == 0})
        for i in range(n)
    ]


CORPUS = made(80)


def order(query, documents, judge=WordCross.judge):
    """All documents by the cross-encoder's score of each pair, one by one; ties as they came."""
    return sorted(documents, key=lambda each: -judge(query, each.text))


@pytest.fixture
def cross() -> WordCross:
    return WordCross()


@pytest.fixture
def collection(tmp_path):
    with ns.open(tmp_path / "c.nearsense", model=HashEncoder()) as there:
        there.add(CORPUS)
        yield there


class Never(HashEncoder):
    """An encoder that must not be asked."""

    def encode(self, texts, **options):
        raise AssertionError("something was encoded")


# -- rerank


def test_texts_come_in_the_order_of_all_pairs_scores(cross):
    found = rerank(QUERY, CORPUS, cross=cross)
    assert [hit.id for hit in found] == [each.id for each in order(QUERY, CORPUS)]
    assert [hit.score for hit in found] == pytest.approx([WordCross.judge(QUERY, hit.text) for hit in found])
    assert [hit.rank for hit in found] == list(range(1, len(CORPUS) + 1))
    assert {hit.retrieval_score for hit in found} == {None}
    assert [hit.id for hit in rerank(QUERY, CORPUS, cross=cross, k=5)] == [hit.id for hit in found[:5]]


def test_strings_get_their_positions_as_ids(cross):
    assert [hit.id for hit in rerank("dog", iter(["a cat", "a dog", "dog"]), cross=cross)] == ["2", "1", "0"]


def test_a_real_cross_encoder_gives_the_order_of_its_own_scores(tmp_path):
    hubs = pytest.importorskip("hubs", reason="needs the extra 'test' (with torch)")
    from nearsense.encoders import load_cross

    model = load_cross(str(hubs.transformer(tmp_path / "judge", "bert", head=True)), precision="f32")
    alone = {each.text: float(model.score([(QUERY, each.text)])[0]) for each in CORPUS}
    found = rerank(QUERY, CORPUS, cross=str(tmp_path / "judge"))
    assert len({hit.score for hit in found}) > len(CORPUS) // 2
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    exact = rerank(QUERY, CORPUS, cross=model)
    np.testing.assert_allclose([hit.score for hit in exact], [alone[hit.text] for hit in exact], atol=1e-5)
    np.testing.assert_allclose(
        [hit.score for hit in exact], sorted(alone[d.text] for d in CORPUS)[::-1], atol=1e-5
    )
    assert (exact.origin.model, exact.origin.fingerprint) == (model.name, model.fingerprint)


def test_hits_keep_who_they_are_and_what_the_search_gave_them(cross):
    first = ns.search(QUERY, CORPUS, k=20, encoder=HashEncoder())
    found = rerank(QUERY, first, cross=cross)
    before = {hit.id: hit for hit in first}
    assert [hit.id for hit in found] == [hit.id for hit in order(QUERY, first)]
    for hit in found:
        assert hit.retrieval_score == before[hit.id].score
        assert (hit.text, hit.metadata, hit.probability) == (before[hit.id].text, before[hit.id].metadata, None)
    assert found.query == QUERY
    assert found.origin == Origin(
        "words", WordCross.fingerprint, Ranking.CROSS, retrieved_by="hash", retrieval_metric=Metric.COSINE
    )


def test_hits_in_a_plain_list_come_from_nobody_known(cross):
    found = rerank("dog", [Hit(1, "x", 0.5, None, "a dog")], cross=cross)
    assert (found[0].retrieval_score, found.origin.retrieved_by) == (0.5, None)


def test_ties_keep_the_order_they_came_in(cross):
    texts = ["a cat", "a dog", "the rain", "one dog", "a cat", "my dog"]
    assert [hit.id for hit in rerank("dog", texts, cross=cross)] == ["1", "3", "5", "0", "2", "4"]


def test_a_pair_that_occurs_again_is_read_once(cross):
    found = rerank("dog", ["dog", "cat", "dog"], cross=cross)
    assert [hit.id for hit in found] == ["0", "2", "1"]
    assert cross.read == [("dog", "dog"), ("dog", "cat")]


def test_many_queries_are_one_batch_and_each_is_as_if_alone(cross):
    queries = ["the dog", "rain", "king and queen"]
    lists = [CORPUS[:30], [], CORPUS[20:]]
    found = rerank_many(queries, lists, cross=cross, k=7)
    assert cross.calls == 1
    alone = [rerank(query, each, cross=WordCross(), k=7) for query, each in zip(queries, lists, strict=True)]
    assert found == alone
    assert [each.query for each in found] == queries


def test_nothing_in_order_is_nothing(cross):
    found = rerank("dog", [], cross=cross)
    assert (found, cross.calls, found.origin.metric) == ([], 0, Ranking.CROSS)
    assert rerank_many([], [], cross=cross) == []


def test_hits_that_were_reranked_can_be_reranked(cross):
    once = rerank("dog", CORPUS, cross=cross)
    again = rerank("king", once, cross=cross)
    assert {hit.id: hit.retrieval_score for hit in again} == {hit.id: hit.score for hit in once}
    assert (again.origin.retrieved_by, again.origin.retrieval_metric) == ("words", Ranking.CROSS)


BARE = Results([Hit(1, "41", 0.5, None, None)], Origin("m", "f"), "q")


@in_turn(
    ("call", "words"),
    [
        (lambda: rerank("dog", BARE, cross=WordCross()), "hit '41' has no text"),
        (lambda: rerank("dog", [Hit(1, "7", 0.5, None, " ")], cross=WordCross()), "hit '7' has no text"),
        (lambda: rerank("dog", [Hit(1, "7", 0.5, None, "x"), "y"], cross=WordCross()), "item 1 is of type str"),
        (lambda: rerank("dog", ["a", ""], cross=WordCross()), "text 1 is empty"),
        (lambda: rerank("dog", ["a", None], cross=WordCross()), "text 1 is None"),
        (lambda: rerank("dog", 7, cross=WordCross()), "texts are of type int"),
        (lambda: rerank("dog", {"a": 1}, cross=WordCross()), "texts are a dict"),
        (lambda: rerank(" ", ["a"], cross=WordCross()), "query 0 is empty"),
        (lambda: rerank(None, ["a"], cross=WordCross()), "query 0 is None"),
        (lambda: rerank("dog", ["a"], cross=WordCross(), k=0), "k=0"),
        (lambda: rerank("dog", ["a"], cross=5), "5 is no CrossEncoder"),
        (lambda: rerank("dog", ["a"], cross=None), "None is no CrossEncoder"),
        (lambda: rerank("dog", ["a"], encoder=WordCross(), cross=WordCross()), "encoder and cross given"),
        (lambda: rerank_many(["dog"], [["a"]], encoder=WordCross(), cross=WordCross()), "encoder and cross given"),
        (lambda: rerank_many(None, [["a"]], encoder=WordCross()), "queries are None"),
        (lambda: rerank_many(["dog", "cat"], [["a"]], cross=WordCross()), "2 queries, 1 lists"),
        (lambda: ns.search("dog", ["a"], rerank=5), "5 is no CrossEncoder"),
        (lambda: ns.search("dog", ["a"], candidates=20), "candidates=20 without rerank"),
        (lambda: ns.search("dog", ["a"], rerank=WordCross(), candidates=0), "candidates=0"),
        (lambda: ns.search("dog", ["a"], rerank=WordCross(), k=0), "k=0"),
    ],
)
def test_what_cannot_be_put_in_order_is_refused_and_named(call, words):
    with pytest.raises(ns.errors.InputError, match=words):
        call()


@pytest.mark.parametrize("scores", [np.zeros((2, 1)), np.array([0.5]), np.array([0.5, np.nan])])
def test_a_cross_encoder_that_gives_no_number_a_pair_is_broken(scores):
    class Broken(WordCross):
        def score(self, pairs, **options):
            return scores

    with pytest.raises(ns.errors.BrokenModel, match="words gives no finite score for each of 2 pairs"):
        rerank("dog", ["a", "b"], cross=Broken())


def test_a_model_that_is_not_here_is_an_error_and_nothing_is_searched(tmp_path):
    encoder = HashEncoder()
    collection = ns.open(tmp_path / "c.nearsense", model=encoder)
    collection.add(CORPUS[:3])
    for call in (
        lambda: ns.search("dog", ["a dog"], encoder=Never(), rerank="nobody/has-this"),
        lambda: ns.search_many(["dog"], ["a dog"], encoder=Never(), rerank="nobody/has-this"),
        lambda: rerank("dog", ["a dog"], cross="nobody/has-this"),
        lambda: collection.search("dog", rerank="nobody/has-this"),
        lambda: collection.search("dog", rerank="nobody/has-this", mode="lexical"),
    ):
        with pytest.raises(ns.errors.ModelNotFound, match="has-this") as caught:
            call()
        assert caught.value.fix
    assert encoder.encoded == 3
    collection.close()


def test_an_encoder_is_no_cross_encoder():
    with pytest.raises(ns.errors.UnsupportedModel, match="is no cross-encoder"):
        rerank("dog", ["a dog"], cross="all-MiniLM-L6-v2")


# -- search


def test_search_puts_the_best_candidates_in_order(cross):
    encoder = HashEncoder()
    candidates = ns.search(QUERY, CORPUS, k=25, encoder=encoder)
    found = ns.search(QUERY, CORPUS, k=5, encoder=encoder, rerank=cross, candidates=25)
    assert [hit.id for hit in found] == [hit.id for hit in order(QUERY, candidates)[:5]]
    assert len(cross.read) == len({hit.text for hit in candidates})
    queries = [QUERY, "rain and wind"]
    many = ns.search_many(queries, CORPUS, k=5, encoder=encoder, rerank=cross, candidates=25)
    assert many == [ns.search(q, CORPUS, k=5, encoder=encoder, rerank=cross, candidates=25) for q in queries]


# -- collections


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("candidates", [12, 100])
def test_a_collection_reranks_what_each_mode_finds(collection, cross, mode, candidates):
    first = collection.search(QUERY, k=candidates, mode=mode)
    found = collection.search(QUERY, k=6, mode=mode, rerank=cross, candidates=candidates)
    assert [hit.id for hit in found] == [hit.id for hit in order(QUERY, first)[:6]]
    scores = {hit.id: hit.score for hit in first}
    assert [hit.retrieval_score for hit in found] == [scores[hit.id] for hit in found]
    assert [hit.score for hit in found] == pytest.approx([WordCross.judge(QUERY, hit.text) for hit in found])
    assert [hit.metadata for hit in found] == [collection.get(hit.id)[0].metadata for hit in found]
    assert (found.origin.metric, found.origin.retrieved_by) == (Ranking.CROSS, "hash")
    assert found.origin.retrieval_metric is first.origin.metric


def test_with_all_documents_as_candidates_the_order_is_that_of_all_pairs(collection, cross):
    found = collection.search(QUERY, k=10, rerank=cross)
    best = [WordCross.judge(QUERY, each.text) for each in order(QUERY, CORPUS)[:10]]
    assert [hit.score for hit in found] == pytest.approx(best)


@pytest.mark.parametrize("mode", MODES)
def test_searching_for_many_is_searching_for_each(collection, cross, mode):
    queries = [QUERY, "rain and wind", "nothing of these"]
    found = collection.search_many(queries, k=4, mode=mode, rerank=cross, candidates=20)
    assert cross.calls == 1
    assert found == [collection.search(query, k=4, mode=mode, rerank=cross, candidates=20) for query in queries]
    assert [hits.query for hits in found] == queries


def test_fewer_candidates_than_hits_are_as_many_as_hits(collection, cross):
    found = collection.search(QUERY, k=15, rerank=cross, candidates=3)
    assert len(found) == 15
    assert {hit.id for hit in found} == {hit.id for hit in collection.search(QUERY, k=15)}


@pytest.mark.parametrize("mode", MODES)
def test_what_was_deleted_is_never_read(collection, cross, mode):
    gone = {hit.id for hit in collection.search(QUERY, k=10, mode=mode)}
    texts = {each.text for each in CORPUS if each.id in gone} - {e.text for e in CORPUS if e.id not in gone}
    collection.delete(gone)
    found = collection.search(QUERY, k=80, mode=mode, rerank=cross)
    assert not gone & {hit.id for hit in found}
    assert not texts & {text for _, text in cross.read}


@pytest.mark.parametrize("mode", MODES)
def test_filters_hold_before_anything_is_read(collection, cross, mode):
    found = collection.search(QUERY, k=80, mode=mode, where={"even": True}, rerank=cross)
    assert found
    assert all(hit.metadata["even"] for hit in found)
    assert {text for _, text in cross.read} <= {each.text for each in CORPUS if each.metadata["even"]}


def test_the_least_score_is_the_cross_encoders(collection, cross):
    found = collection.search(QUERY, k=80, rerank=cross, min_score=0.6)
    assert {hit.id for hit in found} == {
        each.id for each in CORPUS if np.float32(WordCross.judge(QUERY, each.text)) >= 0.6
    }
    assert any(hit.retrieval_score < 0.6 for hit in found)


def test_candidates_without_a_cross_encoder_are_refused(collection):
    with pytest.raises(ns.errors.InputError, match="candidates=20 without rerank"):
        collection.search(QUERY, candidates=20)
    with pytest.raises(ns.errors.InputError, match="min_score='x'"):
        collection.search(QUERY, min_score="x", rerank=WordCross())
    assert collection.search(QUERY, candidates=100) == collection.search(QUERY)


def test_a_search_without_a_cross_encoder_is_what_it_was(collection):
    hits = collection.search(QUERY, k=3)
    assert {hit.retrieval_score for hit in hits} == {None}
    assert set(hits.origin.to_dict()) == {
        *("model", "fingerprint", "metric", "version"),
        *("calibration", "prior"),
    }
    assert (staged(None, 3).depth, staged(None, 3, min_score=0.5).floor) == (3, 0.5)


def test_progress_counts_pairs(collection):
    class Told(WordCross):
        def score(self, pairs, *, progress=False, **options):
            self.progress = progress
            return super().score(pairs)

    told, seen = Told(), []

    def progress(done, total):
        seen.append((done, total))

    collection.search_many([QUERY], rerank=told, progress=progress)
    assert told.progress is progress


# -- as JSON


def test_the_dictionaries_say_whose_each_score_is(collection, cross):
    hits = collection.search(QUERY, k=3, rerank=cross, mode="lexical")
    assert hits.origin.to_dict() | {"version": ""} == {
        "model": "words",
        "fingerprint": WordCross.fingerprint,
        "metric": "cross-encoder",
        "version": "",
        "calibration": None,
        "prior": None,
        "retrieved_by": "hash",
        "retrieval_metric": "bm25",
    }
    for hit, row in zip(hits, hits.to_dicts(), strict=True):
        assert (row["score"], row["retrieval_score"]) == (hit.score, hit.retrieval_score)
