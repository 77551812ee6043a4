"""What every engine of collections has to do, through `ns.open` alone: the same cases for each, and a model.

A new engine is another entry of ENGINES. Crashes, files and what only lasts on a disk are tested elsewhere.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import nearsense as ns
import pgserver
from nearsense.filters import GrowingColumns, matches
from nearsense.lexical import GrowingPostings, Postings, Segment, bm25, reciprocal_rank_fusion

SHARED = Path("/dev/shm")
ENGINES: dict[str, Callable[[Path], str]] = {
    "folder": lambda place: str(place / "c.nearsense"),
    "memory": lambda place: ":memory:",
    "postgres": lambda place: pgserver.shared().url(),
}
MODES = ("dense", "lexical", "hybrid")


@functools.cache
def direction(word: str, dimension: int) -> Any:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return np.random.default_rng(seed).normal(size=dimension)


class Words(ns.Encoder):
    """Each word has a direction of its own, and a text is their mean; queries and passages are read alike."""

    max_tokens = 32

    def __init__(self, dimension: int = 16, name: str = "words") -> None:
        self.dimension, self.name, self.fingerprint = dimension, name, f"{name}-{dimension}"
        self.encoded = 0

    def encode(self, texts: str | Iterable[str], **options: Any) -> ns.Vectors:
        listed = [texts] if isinstance(texts, str) else list(texts)
        self.encoded += len(listed)
        rows = [sum(direction(word, self.dimension) for word in text.lower().split() or [text]) for text in listed]
        data = np.array(rows, float).reshape(len(listed), self.dimension)
        data /= np.linalg.norm(data, axis=1, keepdims=True)
        return ns.Vectors(np.float32(data), self.fingerprint, np.zeros(len(listed), bool), self.name)


PETS = [
    ns.Document("cat", "the cat sleeps", {"year": 2001, "tags": ["home", "small"], "price": 1.5}),
    ns.Document("dog", "the dog runs", {"year": 2002, "tags": ["home"], "wild": False}),
    ns.Document("owl", "an owl flies at night", {"year": 2003, "wild": True, "note": None}),
    ns.Document("bat", "a bat flies at night", {"year": "old", "nested": {"a": {"b": 1}}}),
    ns.Document("ünïcödé 😀", "der Vogel singt 🐦 früh", {"ключ": "значение", "year": 2003}),
]
IDS = [pet.id for pet in PETS]


@pytest.fixture(params=ENGINES)
def address(request):
    place = Path(tempfile.mkdtemp(dir=SHARED if SHARED.is_dir() else None))
    yield ENGINES[request.param](place)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def empty(address):
    with ns.open(address, encoder=Words()) as collection:
        yield collection


@pytest.fixture
def pets(empty):
    assert empty.add(PETS) == len(PETS)
    return empty


def ids(hits: Iterable[ns.types.Hit]) -> list[str]:
    return [hit.id for hit in hits]


# -- in and out


def test_what_was_added_comes_back_as_it_was(pets):
    assert pets.get(IDS) == PETS
    assert pets.get(["owl", "fox", "owl"]) == [PETS[2], None, PETS[2]]
    assert pets.get("dog") == [PETS[1]]
    assert pets.get([]) == []
    assert len(pets) == pets.count() == len(PETS)


def test_strings_get_their_position_as_id(empty):
    assert empty.add(["one", "two"]) == 2
    assert [each.text for each in empty.get(["0", "1"])] == ["one", "two"]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"n": 0},
        {"n": -1},
        {"n": 2**70},
        {"n": 1.5},
        {"n": 1e308},
        {"n": True},
        {"n": None},
        {"n": ""},
        {"n": "\0 and 😀"},
        {"n": []},
        {"n": [1, "a", None, [2]]},
        {"n": {"deep": {"er": [1]}}},
        {"": "no name"},
        {"a.b": 1, "a": {"b": 2}},
        {"id": 1, "text": 2},
    ],
    ids=str,
)
def test_metadata_of_every_kind_come_back_with_their_types(empty, metadata):
    empty.add([ns.Document("a", "text", metadata)])
    for found in (empty.get("a")[0].metadata, empty.search("text")[0].metadata):
        assert json.dumps(found) == json.dumps(metadata)
        assert type(found.get("n")) is type(metadata.get("n"))


def test_what_a_caller_changes_later_changes_nothing(empty):
    given = {"tags": ["a"]}
    empty.add([ns.Document("a", "text", given)])
    given["tags"].append("b")
    empty.get("a")[0].metadata["tags"].append("c")
    empty.search("text")[0].metadata["tags"].append("d")
    assert empty.get("a")[0].metadata == {"tags": ["a"]}


def test_add_refuses_what_is_there_and_adds_nothing(pets):
    with pytest.raises(ns.errors.InputError, match=r"'dog' is in .* already") as caught:
        pets.add([ns.Document("fox", "a fox"), ns.Document("dog", "another dog")])
    assert "upsert" in caught.value.fix
    assert pets.get("fox") == [None]


def test_upsert_replaces_text_vector_and_metadata(pets):
    assert pets.upsert([ns.Document("dog", "a whale swims"), ns.Document("fox", "a fox")]) == 2
    assert pets.get("dog") == [ns.Document("dog", "a whale swims")]
    assert pets.count() == len(PETS) + 1
    for mode in MODES:
        assert ids(pets.search("a whale swims", k=1, mode=mode)) == ["dog"]
        assert "dog" not in ids(pets.search("runs", mode="lexical"))
    assert "dog" not in ids(pets.search("dog", where={"year": 2002}))


@pytest.mark.parametrize("gone", ["dog", ["dog"], ["dog", "fox"], ["dog", "dog"], ("dog",), {"dog": 1}], ids=str)
def test_what_was_deleted_is_never_found(address, gone):
    with ns.open(address, encoder=Words()) as pets:
        pets.add(PETS)
        assert pets.delete(gone) == 1
        assert pets.get("dog") == [None]
        assert pets.count() == len(PETS) - 1
        for mode in MODES:
            assert "dog" not in ids(pets.search("the dog runs", k=9, mode=mode))
        assert "dog" not in ids(pets.similar("cat", k=9))


def test_an_id_can_be_used_again(pets):
    pets.delete("dog")
    pets.add([ns.Document("dog", "a new dog barks")])
    assert ids(pets.search("a new dog barks", k=1)) == ["dog"]
    assert pets.count() == len(PETS)


def test_deleting_by_a_filter_is_what_counting_by_it_says(pets):
    assert pets.count({"year": 2003}) == 2
    assert pets.delete(where={"year": 2003}) == 2
    assert pets.get(["owl", "ünïcödé 😀"]) == [None, None]
    assert pets.delete(where={"year": 2003}) == 0


def test_everything_can_be_deleted_and_it_goes_on(pets):
    assert pets.delete(IDS) == len(PETS)
    assert (len(pets), pets.search("dog"), pets.search("dog", mode="hybrid")) == (0, [], [])
    assert pets.add(["anew"]) == 1
    assert ids(pets.search("anew")) == ["0"]


def test_nothing_at_all_is_fine(pets):
    assert (pets.add([]), pets.upsert([]), pets.delete([])) == (0, 0, 0)
    assert pets.search_many([]) == []
    assert pets.nearest(np.empty((0, 16), np.float32)) == []


def test_given_vectors_are_used_and_get_unit_length(empty):
    rows = np.random.default_rng(0).normal(size=(3, 16)) * 7
    assert empty.add(["a", "b", "c"], vectors=rows) == 3
    found = empty.nearest(rows, k=1)
    assert [ids(hits) for hits in found] == [["0"], ["1"], ["2"]]
    assert [hits[0].score for hits in found] == pytest.approx([1] * 3, abs=1e-6)


def test_many_batches_and_progress(address, monkeypatch):
    monkeypatch.setattr("nearsense.collection.collection.BATCH", 4)
    told = []
    with ns.open(address, encoder=Words()) as collection:
        collection.add([f"text {n}" for n in range(10)], progress=lambda done, total: told.append((done, total)))
        assert told == [(4, 10), (8, 10), (10, 10)]
        assert collection.count() == 10
        collection.upsert(
            [f"other {n}" for n in range(10)], vectors=Words().encode([f"other {n}" for n in range(10)])
        )
        assert [each.text for each in collection.get(["3", "9"])] == ["other 3", "other 9"]


# -- searching


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pet", PETS, ids=IDS)
def test_each_text_finds_itself_first(pets, pet, mode):
    hit = pets.search(pet.text, k=1, mode=mode)[0]
    assert (hit.rank, hit.id, hit.text, hit.metadata) == (1, pet.id, pet.text, pet.metadata)
    if mode == "dense":
        assert hit.score == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("k", [1, 2, 4, 5, 6, 10**9])
def test_k_hits_are_the_first_of_all(pets, mode, k):
    every = pets.search("the dog flies at night", k=99, mode=mode)
    found = pets.search("the dog flies at night", k=k, mode=mode)
    assert ids(found) == ids(every)[:k]
    assert [hit.rank for hit in found] == [*range(1, len(found) + 1)]
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


@pytest.mark.parametrize("mode", MODES)
def test_many_queries_get_what_each_alone_gets(pets, mode):
    queries = ["the dog", "night", "sleeps", "the dog"]
    together = pets.search_many(queries, k=3, mode=mode)
    assert [ids(hits) for hits in together] == [ids(pets.search(query, k=3, mode=mode)) for query in queries]
    assert [hits.query for hits in together] == queries


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_collection_answers_with_nothing(empty, mode):
    assert empty.search("anything", mode=mode) == []
    assert empty.search("anything", mode=mode, where={"year": 2000}) == []


@pytest.mark.parametrize("mode", MODES)
def test_among_equals_the_one_written_like_the_query_is_first(empty, mode):
    empty.add([ns.Document("a", "Red car"), ns.Document("b", "red car"), ns.Document("c", "RED CAR")])
    assert ids(empty.search("red car", mode=mode))[0] == "b"
    assert ids(empty.search("RED CAR", mode=mode, k=1)) == ["c"]


def test_else_equals_come_in_the_order_in_which_they_came(empty):
    empty.add([ns.Document(name, "same text") for name in "dbca"])
    empty.upsert([ns.Document("b", "same text")])
    assert ids(empty.search("other words")) == ["d", "c", "a", "b"]


def test_the_origin_says_model_and_metric(pets):
    found = [pets.search("dog", mode=mode).origin for mode in MODES]
    assert [each.metric for each in found] == ["cosine", "bm25", "reciprocal rank fusion"]
    assert {(each.model, each.fingerprint) for each in found} == {("words", "words-16")}


def test_lexical_hits_share_a_word(pets):
    assert sorted(ids(pets.search("night flies", mode="lexical"))) == ["bat", "owl"]
    assert pets.search("nothing of this", mode="lexical") == []


def test_hybrid_scores_are_those_of_places(pets):
    assert pets.search("the dog runs", mode="hybrid")[0].score == pytest.approx(2 / 61)


@pytest.mark.parametrize("mode", MODES)
def test_min_score_leaves_out_what_scores_less(pets, mode):
    every = pets.search("the owl flies", k=9, mode=mode)
    least = every[1].score
    assert ids(pets.search("the owl flies", k=9, mode=mode, min_score=least)) == ids(
        hit for hit in every if hit.score >= least
    )
    assert pets.search("the owl flies", mode=mode, min_score=1e9) == []


EVERY_VERB = {
    "search": lambda pets, least: pets.search("the owl flies", k=9, min_score=least),
    "search_many": lambda pets, least: pets.search_many(["the owl flies"], k=9, min_score=least)[0],
    "nearest": lambda pets, least: pets.nearest(Words().encode("the owl flies"), k=9, min_score=least)[0],
    "similar": lambda pets, least: pets.similar("owl", k=9, min_score=least),
}


@pytest.mark.parametrize("verb", EVERY_VERB)
def test_a_least_score_is_any_number_and_means_the_same_to_every_verb(pets, verb):
    ask, every = EVERY_VERB[verb], EVERY_VERB[verb](pets, None)
    for least in (np.float32(0.1), np.float64(0.1), np.int64(0), Fraction(1, 10), 0, -(10**400), 10**400):
        assert ids(ask(pets, least)) == [hit.id for hit in every if hit.score >= least]
    assert ask(pets, 10**400) == []
    for wrong in (True, float("nan"), np.float32("nan"), "x", [0.1]):
        with pytest.raises(ns.errors.InputError, match="min_score"):
            ask(pets, wrong)


@pytest.mark.parametrize("verb", EVERY_VERB)
def test_no_hit_scores_less_than_the_least_by_a_hair(pets, verb):
    ask, every = EVERY_VERB[verb], EVERY_VERB[verb](pets, None)
    for hit in every:
        for least in (hit.score, np.nextafter(hit.score, 2), np.nextafter(hit.score, -2)):
            assert ids(ask(pets, least)) == [each.id for each in every if each.score >= least]


def test_exact_finds_the_same(pets):
    assert ids(pets.search("the dog", exact=True)) == ids(pets.search("the dog"))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, IDS),
        ({}, IDS),
        ({"year": 2001}, ["cat"]),
        ({"year": "old"}, ["bat"]),
        ({"year": {">=": 2002}}, ["dog", "owl", "ünïcödé 😀"]),
        ({"year": {">": 2001, "<": 2003}}, ["dog"]),
        ({"year": {"in": [2001, "old"]}}, ["cat", "bat"]),
        ({"not": {"year": 2003}}, ["cat", "dog", "bat"]),
        ({"tags": "home"}, ["cat", "dog"]),
        ({"tags": {"exists": True}}, ["cat", "dog"]),
        ({"wild": True}, ["owl"]),
        ({"wild": False}, ["dog"]),
        ({"price": {"<=": 1.5}}, ["cat"]),
        ({"nested.a.b": 1}, ["bat"]),
        ({"ключ": "значение"}, ["ünïcödé 😀"]),
        ({"or": [{"wild": True}, {"tags": "small"}]}, ["cat", "owl"]),
        ({"and": [{"tags": "home"}, {"year": {"<": 2002}}]}, ["cat"]),
        ({"year": 1}, []),
    ],
    ids=str,
)
def test_filters_let_pass_what_they_say(pets, where, expected):
    assert pets.count(where) == len(expected)
    for mode in ("dense", "hybrid"):
        assert sorted(ids(pets.search("the cat flies", k=9, where=where, mode=mode))) == sorted(expected)
    assert {*ids(pets.search("the cat flies", k=9, where=where, mode="lexical"))} <= {*expected}
    assert sorted(ids(pets.nearest(Words().encode("cat"), k=9, where=where)[0])) == sorted(expected)
    assert sorted(ids(pets.similar("cat", k=9, where=where))) == sorted({*expected} - {"cat"})


def test_where_k_fit_k_are_found(empty):
    empty.add([ns.Document(str(n), f"text number {n}", {"even": n % 2 == 0}) for n in range(200)])
    assert len(empty.search("text number 7", k=100, where={"even": True})) == 100


def test_a_field_that_nobody_has_is_named_with_those_there_are(pets):
    for ask in (
        lambda: pets.search("dog", where={"yaer": 1}),
        lambda: pets.count({"yaer": 1}),
        lambda: pets.delete(where={"yaer": 1}),
    ):
        with pytest.raises(ns.errors.InputError, match="yaer") as caught:
            ask()
        assert "year" in caught.value.fix


@pytest.mark.parametrize("part", [GrowingColumns, GrowingPostings])
@pytest.mark.parametrize("works", [False, True])
def test_a_search_that_breaks_off_while_it_gets_ready_leaves_the_next_one_right(pets, monkeypatch, part, works):
    if pets.info().path.startswith("postgresql:"):
        pytest.skip("nothing of it is kept in this process")
    real, asked = part.extend, {"k": 9, "mode": "lexical", "where": {"year": 2003}}

    def broken(growing: Any, items: Iterable[Any]) -> None:
        real(growing, [*items][: 9 if works else 2])
        raise KeyboardInterrupt

    for _ in range(2):
        monkeypatch.setattr(part, "extend", broken)
        with pytest.raises(KeyboardInterrupt):
            pets.search("owl vogel", **asked)
        monkeypatch.setattr(part, "extend", real)
        assert {*ids(pets.search("owl vogel", **asked))} == {"owl", "ünïcödé 😀"}
        pets.upsert([PETS[2], PETS[0]])
        assert pets.count({"year": 2003}) == 2


@pytest.mark.parametrize("searched", [False, True])
@pytest.mark.parametrize("built", [False, True])
def test_fields_are_those_of_documents_that_live(pets, searched, built):
    pets.add([ns.Document("fox", "a fox", {"x": 1, "deep": {"er": 1}}), ns.Document("elk", "an elk", {"x": 2})])
    for act, left in (
        (lambda: pets.upsert([ns.Document("fox", "a fox")]), {"x"}),
        (lambda: pets.delete("elk"), set()),
        (lambda: pets.add([ns.Document("elk", "an elk", {"x": 3})]), {"x"}),
    ):
        if built:
            pets.build()
        if searched:
            assert ids(pets.search("fox", k=9, where={"x": {"exists": True}})) != []
        act()
        assert {"x", "deep.er"} & {*pets.info().fields} == left
        assert "year" in pets.info().fields
        for name in ("x", "deep.er"):
            if name in left:
                assert pets.count({name: {"exists": True}}) == 1
            else:
                with pytest.raises(ns.errors.InputError, match=f'no document has a field "?{name}') as caught:
                    pets.count({name: 1})
                assert "year" in caught.value.why
                with pytest.raises(ns.errors.InputError, match=name):
                    pets.search("fox", where={"not": {name: 1}})
        if not left:
            searched = False


@pytest.mark.parametrize("k", [1, 2, 9])
def test_similar_leaves_the_document_itself_out(pets, k):
    hits = pets.similar("owl", k=k)
    assert ids(hits)[0] == "bat"
    assert len(hits) == min(k, len(PETS) - 1)
    assert [hit.rank for hit in hits] == [*range(1, len(hits) + 1)]
    assert "owl" not in ids(hits)


def test_nearest_takes_vectors_and_gives_texts(pets):
    rows = Words().encode(["the cat sleeps", "the dog runs"])
    for given in (rows, rows.data, rows.data.astype(np.float64) * 3):
        assert [ids(hits) for hits in pets.nearest(given, k=1)] == [["cat"], ["dog"]]
    assert pets.nearest(rows, k=1)[0][0].text == "the cat sleeps"
    assert ids(pets.search_vectors(rows, k=1)[0]) == ["cat"]  # as it was called before


def test_rerank_puts_the_candidates_in_order(pets):
    class Longest(ns.CrossEncoder):
        name, max_tokens, fingerprint = "longest", 64, "longest"

        def score(self, pairs, **options):
            return np.array([len(text) for _, text in pairs], np.float32)

    hits = pets.search("the cat", k=2, rerank=Longest())
    assert ids(hits) == sorted(IDS, key=lambda id_: -len(pets.get(id_)[0].text))[:2]
    assert hits[0].retrieval_score is not None


def test_a_calibration_is_kept_with_it_and_gives_probabilities(pets):
    pairs = [(f"word {n}", f"word {n} more", True) for n in range(20)] + [
        (f"thing {n}", f"other {n + 7} words", False) for n in range(20)
    ]
    assert pets.calibration is None
    pets.calibration = ns.calibrate(pairs, encoder=Words(), task="passage")
    assert pets.search("the dog runs", k=1)[0].probability is not None
    assert pets.nearest(Words().encode("dog"))[0][0].probability is not None
    with pytest.raises(ns.errors.ModelMismatch):
        pets.calibration = ns.calibrate(pairs, encoder=Words(name="other"), task="passage")
    pets.calibration = None
    assert pets.calibration is None


# -- what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pets: pets.search(" "),
        lambda pets: pets.search(None),
        lambda pets: pets.search("dog", k=0),
        lambda pets: pets.search("dog", k=1.5),
        lambda pets: pets.search("dog", k=True),
        lambda pets: pets.search("dog", min_score="0.5"),
        lambda pets: pets.search("dog", min_score=float("nan")),
        lambda pets: pets.search("dog", mode="sparse"),
        lambda pets: pets.search("dog", where={"year": {"~": 1}}),
        lambda pets: pets.search("dog", where="year=1"),
        lambda pets: pets.search("dog", candidates=5),
        lambda pets: pets.search("dog", min_probability=2),
        lambda pets: pets.search("dog", prior=1),
        lambda pets: pets.similar("fox"),
        lambda pets: pets.similar(7),
        lambda pets: pets.similar([]),
        lambda pets: pets.similar(["cat", "dog"]),
        lambda pets: pets.similar("cat", k=0),
        lambda pets: pets.nearest(None),
        lambda pets: pets.nearest("abc"),
        lambda pets: pets.nearest(np.ones(16)),
        lambda pets: pets.nearest(np.ones((1, 3))),
        lambda pets: pets.nearest(np.zeros((1, 16))),
        lambda pets: pets.nearest(np.full((1, 16), np.nan)),
        lambda pets: pets.nearest(Words(name="other").encode("dog")),
        lambda pets: pets.get(None),
        lambda pets: pets.get([7]),
        lambda pets: pets.delete(),
        lambda pets: pets.delete(["cat"], where={"year": 2001}),
        lambda pets: pets.delete(where={}),
        lambda pets: pets.delete([7]),
        lambda pets: pets.add([" "]),
        lambda pets: pets.add([None]),
        lambda pets: pets.add(["\ud800"]),
        lambda pets: pets.add([ns.Document("", "text")]),
        lambda pets: pets.add([ns.Document("x" * 513, "text")]),
        lambda pets: pets.add([ns.Document("a\0b", "text")]),
        lambda pets: pets.add([ns.Document("a", "one"), ns.Document("a", "two")]),
        lambda pets: pets.upsert([ns.Document("a", "one"), ns.Document("a", "two")]),
        lambda pets: pets.add([ns.Document("a", "text", {"x": float("nan")})]),
        lambda pets: pets.add([ns.Document("a", "text", {"x": {1, 2}})]),
        lambda pets: pets.add(["x"], vectors="abc"),
        lambda pets: pets.add(["x"], vectors=np.ones((2, 16))),
        lambda pets: pets.add(["x"], vectors=np.zeros((1, 16))),
        lambda pets: pets.add(["x"], vectors=Words(name="other").encode("x")),
        lambda pets: pets.sync([]),
        lambda pets: pets.build(index="tree"),
        lambda pets: pets.reembed(),
        lambda pets: pets.reembed(Words(), model=Words()),
        lambda pets: pets.reembed(Words),
        lambda pets: pets.search("cat", rerank=ns.CrossEncoder),
        lambda pets: pets.export(5),
        lambda pets: pets.export(None),
        lambda pets: setattr(pets, "calibration", 0.5),
    ],
)
def test_wrong_use_is_an_error_that_says_what_to_do_and_changes_nothing(pets, wrong):
    with pytest.raises(ns.errors.NearsenseError) as caught:
        wrong(pets)
    assert caught.value.fix or caught.value.why
    assert pets.get(IDS) == PETS
    assert pets.count() == len(PETS)


def test_a_closed_collection_says_so(pets):
    pets.close()
    pets.close()
    for ask in (pets.count, lambda: pets.get("cat"), lambda: pets.search("dog"), lambda: pets.add(["x"])):
        with pytest.raises(ns.errors.StoreError, match="is closed"):
            ask()


@pytest.mark.parametrize(
    "upkeep",
    [
        lambda pets, place: pets.build(),
        lambda pets, place: pets.build(index="exact"),
        lambda pets, place: pets.build(if_needed=True),
        lambda pets, place: pets.backup(place / "copy"),
        lambda pets, place: pets.compact(),
        lambda pets, place: pets.verify(),
        lambda pets, place: pets.export(place / "all.jsonl"),
        lambda pets, place: pets.export(place / "all.csv", vectors=False),
        lambda pets, place: pets.export(place / "all.unknown"),
        lambda pets, place: pets.reembed(Words(8)),
        lambda pets, place: pets.info(),
        lambda pets, place: pets.delete("cat"),
    ],
)
def test_a_closed_collection_has_no_upkeep(pets, tmp_path, upkeep):
    pets.close()
    with pytest.raises(ns.errors.StoreError, match="is closed"):
        upkeep(pets, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_create_false_makes_none(address):
    with pytest.raises(ns.errors.CollectionNotFound):
        ns.open(address, encoder=Words(), create=False)


def test_a_class_is_no_encoder_yet(address):
    with pytest.raises(ns.errors.InputError, match="Words is a class") as caught:
        ns.open(address, Words)
    assert "Words()" in caught.value.fix
    assert not Path(address).exists()


@pytest.mark.parametrize(
    "wrong", [{"role": "document"}, {"precision": "f32"}, {"model": Words()}], ids=lambda wrong: next(iter(wrong))
)
def test_options_that_fit_no_encoder_are_refused(address, wrong):
    with pytest.raises(ns.errors.InputError):
        ns.open(address, encoder=Words(), **wrong)


def test_the_model_can_be_given_by_its_former_name(address):
    with ns.open(address, model=Words()) as collection:
        assert collection.info().model == "words"


# -- the whole of it


def test_info_says_what_there_is(pets):
    info = pets.info()
    assert (info.documents, info.model, info.fingerprint, info.dimension) == (5, "words", "words-16", 16)
    assert (info.role, info.truncated, info.recall) == ("passage", 0, None)
    assert {"year", "tags", "nested.a.b", "ключ"} <= {*info.fields}
    assert info.path in repr(pets)


def test_sync_changes_what_changed_and_encodes_no_more(address):
    encoder = Words()
    with ns.open(address, encoder=encoder) as pets:
        pets.add(PETS)
        before = encoder.encoded
        source = [PETS[0], ns.Document("dog", "the dog runs", {"year": 1}), ns.Document("owl", "an old owl")]
        source.append(ns.Document("fox", "a fox"))
        dry = pets.sync(source, dry_run=True)
        assert (dry.applied, pets.get(IDS)) == (False, PETS)
        report = pets.sync(source)
        assert (report.added, report.changed, report.removed, report.unchanged, report.encoded) == (1, 2, 2, 1, 2)
        assert encoder.encoded - before == 2
        assert pets.get(["cat", "dog", "owl", "fox", "bat"]) == [*source, None]
        assert ids(pets.search("an old owl", k=1)) == ["owl"]
        assert pets.sync(source).unchanged == 4
        assert pets.sync([ns.Document("new", "new")], remove=False).removed == 0
        assert pets.count() == 5


def test_sync_tells_true_from_1(empty):
    empty.add([ns.Document("a", "text", {"f": True})])
    assert empty.sync([ns.Document("a", "text", {"f": 1})]).changed == 1
    assert empty.get("a")[0].metadata["f"] is not True


@pytest.mark.parametrize("name", ["all.jsonl", "all.npy", "all.parquet"])
def test_an_export_is_read_back_with_vectors(pets, tmp_path, name):
    from nearsense.files import documents, read_table

    pets.delete("bat")  # whose year is no number: a column has one type
    assert pets.export(tmp_path / name) == 4
    table = read_table(str(tmp_path / name))
    assert [each.id for each in documents(table).items] == ["cat", "dog", "owl", "ünïcödé 😀"]
    assert table.vectors.fingerprint == "words-16"
    assert np.allclose(table.vectors.data[1], Words().encode("the dog runs").data[0])


def test_an_export_as_a_table_has_every_field(pets, tmp_path):
    assert pets.export(tmp_path / "all.csv", vectors=False) == 5
    head = (tmp_path / "all.csv").read_text("utf-8").splitlines()[0]
    assert head.split(",")[:3] == ["id", "text", "year"]
    assert "ключ" in head


def test_another_model_takes_the_place_of_the_first(pets):
    pets.delete("bat")
    report = pets.reembed(Words(8, "other"))
    assert (report.documents, report.before, report.after) == (4, "words", "other")
    assert (pets.info().model, pets.info().dimension) == ("other", 8)
    for pet in (*PETS[:3], PETS[4]):
        assert pets.search(pet.text, k=1)[0].score == pytest.approx(1, abs=1e-6)
        assert pets.get(pet.id) == [pet]
    with pytest.raises(ns.errors.ModelMismatch, match="two models"):
        pets.nearest(Words().encode("dog"))
    assert pets.add([ns.Document("new", "a new one")]) == 1
    assert ids(pets.similar("new", k=9)) != []
    assert pets.reembed(encoder=Words(8, "other")).documents == 0


@pytest.mark.parametrize("verb", ["add", "upsert"])
def test_a_write_that_meets_another_model_goes_on_with_it(address, monkeypatch, verb):
    monkeypatch.setattr("nearsense.collection.collection.BATCH", 4)
    documents, told = [ns.Document(str(n), f"text {n}") for n in range(10)], []

    class Changing(Words):
        def encode(self, texts: str | Iterable[str], **options: Any) -> ns.Vectors:
            if self.encoded == 4:
                collection.reembed(Words(8, "other"))
            return super().encode(texts, **options)

    with ns.open(address, Changing()) as collection:
        assert getattr(collection, verb)(documents, progress=lambda done, total: told.append((done, total))) == 10
        assert told == [(4, 10), (8, 10), (10, 10)]
        assert collection.get([str(n) for n in range(10)]) == documents
        assert collection.info().model == "other"
        for document in documents:
            assert collection.search(document.text, k=1)[0].score == pytest.approx(1, abs=1e-6)


def test_a_write_of_given_vectors_that_meets_another_model_is_refused(address):
    with ns.open(address, Words()) as collection:
        collection.add(["a text"])

        def progress(done: int, total: int) -> None:
            if done < total:
                collection.reembed(Words(8, "other"))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nearsense.collection.collection.BATCH", 2)
            texts = [ns.Document(f"n{n}", f"text {n}") for n in range(5)]
            vectors = Words().encode([document.text for document in texts])
            with pytest.raises(ns.errors.ModelMismatch, match="went over from words to other") as caught:
                collection.add(texts, vectors=vectors, progress=progress)
        assert caught.value.fix == ("try again" if address == ":memory:" else "open it again")
        assert collection.get(["n0", "n1", "n2"]) == [*texts[:2], None]


def test_going_over_to_another_model_counts_every_document(empty):
    empty.add([f"text {n % 40}" for n in range(120)])
    told = []
    empty.reembed(Words(8), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (120, 120)
    assert told == sorted(told)


def test_upkeep_leaves_every_answer_as_it_was(pets):
    pets.delete("bat")
    asked = [("the dog", mode) for mode in MODES]
    before = [ids(pets.search(query, mode=mode)) for query, mode in asked]
    for act in (pets.build, lambda: pets.build(if_needed=True), pets.compact, pets.verify):
        act()
        assert [ids(pets.search(query, mode=mode)) for query, mode in asked] == before
    assert pets.verify().ok
    assert pets.verify().documents == 4


def test_a_backup_is_a_collection_or_is_refused(pets, tmp_path):
    if fix := {":": "export", "p": "pg_dump"}.get(pets.info().path[0]):
        with pytest.raises(ns.errors.InputError, match="cannot be copied") as caught:
            pets.backup(tmp_path / "copy")
        assert fix in caught.value.fix
        assert not [*tmp_path.iterdir()]
    else:
        with ns.open(pets.backup(tmp_path / "copy"), encoder=Words()) as copy:
            assert copy.get(IDS) == PETS


def test_a_collection_in_memory_is_nobody_elses():
    with ns.open(":memory:", encoder=Words()) as one, ns.open(":memory:", encoder=Words()) as other:
        one.add(["a text"])
        assert (len(one), len(other)) == (1, 0)
    assert not Path(":memory:").exists()


def test_a_path_named_like_memory_is_memory():
    with ns.open(Path(":memory:"), Words()) as one, ns.open(one.path, Words()) as other:
        one.add(["a text"])
        assert (one.info().path, len(one), len(other)) == (":memory:", 1, 0)
    assert not Path(":memory:").exists()


def test_many_deletions_give_their_memory_back(empty):
    for start in range(0, 3000, 500):
        empty.upsert([ns.Document(str(n % 700), f"text {n}", {"n": n}) for n in range(start, start + 500)])
    empty.delete([str(n) for n in range(600)])
    assert len(empty) == 100
    left = [document.metadata["n"] for document in empty.get([str(n) for n in range(600, 700)])]
    assert sorted(hit.metadata["n"] for hit in empty.search("text", k=200)) == sorted(left)


def test_threads_add_delete_and_search_together(empty):
    errors: list[BaseException] = []
    empty.add([ns.Document("anchor", "the anchor stays", {"n": -1})])

    def write(name: int) -> None:
        for step in range(10):
            empty.add([ns.Document(f"{name}-{step}", f"text {name} {step}", {"n": step})])
            if step % 2:
                empty.delete(f"{name}-{step}")

    def read() -> None:
        for _ in range(15):
            assert ids(empty.search("the anchor stays", k=1)) == ["anchor"]
            empty.search("text", k=5, mode="hybrid", where={"n": {"<": 5}})

    def guarded(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)

    works: list[Callable[[], None]] = [*(functools.partial(write, name) for name in range(3)), read, read]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert empty.count() == 1 + 3 * 5


# -- whatever is done, all engines answer as a dict and brute force would

NAMES = st.sampled_from([f"id{number}" for number in range(8)])
WORDS = ["bike", "blue", "car", "of", "rain", "red", "the", "wine"]
TEXTS = st.sets(st.sampled_from(WORDS), min_size=1, max_size=5).map(sorted).map(" ".join)
"""Other texts have other scores, or brute force would have to know which of them are written like a query."""
FIELDS = st.fixed_dictionaries({}, optional={"year": st.integers(2000, 2003), "tag": st.sampled_from("ab")})
BATCHES = st.lists(
    st.builds(ns.Document, NAMES, TEXTS, FIELDS), min_size=1, max_size=6, unique_by=lambda each: each.id
)
FILTERS = st.one_of(
    st.none(),
    st.builds(lambda year: {"year": {">=": year}}, st.integers(2000, 2003)),
    st.builds(lambda tag: {"not": {"tag": tag}}, st.sampled_from("ab")),
)


class EveryEngine(RuleBasedStateMachine):
    """One collection of each engine, and a dict in the order in which documents came."""

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(dir=SHARED if SHARED.is_dir() else None))
        self.encoder = Words()
        self.collections = [ns.open(address(self.place), encoder=self.encoder) for address in ENGINES.values()]
        self.truth: dict[str, ns.Document] = {}

    def each(self, act: Callable[[ns.Collection], Any]) -> Any:
        """What all collections give, which is the same."""
        first, *others = [act(collection) for collection in self.collections]
        assert all(other == first for other in others)
        return first

    def place_all(self, batch: list[ns.Document]) -> None:
        for document in batch:
            self.truth.pop(document.id, None)
            self.truth[document.id] = document

    @rule(batch=BATCHES)
    def add(self, batch: list[ns.Document]) -> None:
        if any(document.id in self.truth for document in batch):
            for collection in self.collections:
                with pytest.raises(ns.errors.InputError, match="already"):
                    collection.add(batch)
        else:
            assert self.each(lambda collection: collection.add(batch)) == len(batch)
            self.place_all(batch)

    @rule(batch=BATCHES)
    def upsert(self, batch: list[ns.Document]) -> None:
        assert self.each(lambda collection: collection.upsert(batch)) == len(batch)
        self.place_all(batch)

    @rule(gone=st.lists(NAMES, max_size=4))
    def delete(self, gone: list[str]) -> None:
        there = {id_ for id_ in gone if id_ in self.truth}
        assert self.each(lambda collection: collection.delete(gone)) == len(there)
        for id_ in there:
            del self.truth[id_]

    @rule(where=FILTERS.filter(bool))
    def delete_where(self, where: dict[str, Any]) -> None:
        if self.knows(where):
            gone = [id_ for id_, document in self.truth.items() if matches(where, document.metadata)]
            assert self.each(lambda collection: collection.delete(where=where)) == len(gone)
            for id_ in gone:
                del self.truth[id_]

    @rule(batch=BATCHES)
    def sync(self, batch: list[ns.Document]) -> None:
        old, wanted = dict(self.truth), {document.id: document for document in batch}
        report = self.each(lambda collection: collection.sync(batch))
        assert report.unchanged == sum(old.get(id_) == document for id_, document in wanted.items())
        assert report.removed == len(old.keys() - wanted.keys())
        for id_ in old.keys() - wanted.keys():
            del self.truth[id_]
        changed = [each for each in batch if old.get(each.id) != each]
        relabelled = [each for each in changed if each.id in old and old[each.id].text == each.text]
        relabelled.sort(key=lambda each: [*old].index(each.id))  # as they came in
        new = [each for each in changed if each.id not in old]
        self.place_all(
            [*relabelled, *new, *(each for each in changed if each not in relabelled and each not in new)]
        )

    @rule()
    def tidy(self) -> None:
        for collection in self.collections:
            collection.compact()

    @rule(dimension=st.sampled_from([8, 16]))
    def reembed(self, dimension: int) -> None:
        self.encoder = Words(dimension)
        self.each(lambda collection: collection.reembed(self.encoder).documents)

    @rule(query=TEXTS, where=FILTERS, k=st.integers(1, 6))
    def search(self, query: str, where: Any, k: int) -> None:
        if not self.knows(where):
            return
        for mode in MODES:
            expected = self.expected(query, where, k, mode)
            for collection in self.collections:
                hits = collection.search(query, k, where=where, mode=mode)
                assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=2e-6)
                for hit, (id_, score) in zip(hits, expected, strict=True):
                    tied = [other for other, value in expected if abs(value - score) < 2e-6]
                    assert hit.id == id_ or hit.id in tied or score == pytest.approx(hits[-1].score, abs=2e-6)
                    assert hit.text == self.truth[hit.id].text
            self.each(lambda collection, mode=mode: ids(collection.search(query, k, where=where, mode=mode)))
        assert self.each(lambda collection: collection.count(where)) == sum(
            matches(where, document.metadata) for document in self.truth.values()
        )

    @invariant()
    def holds_what_it_should(self) -> None:
        asked = [f"id{number}" for number in range(8)]
        assert self.each(lambda collection: collection.get(asked)) == [self.truth.get(id_) for id_ in asked]
        assert self.each(len) == len(self.truth)

    def knows(self, where: dict[str, Any] | None) -> bool:
        """Whether a document has the filter's field; one that none has is refused, which is tested above."""
        fields = {name for document in self.truth.values() for name in document.metadata}
        return all({"not": "tag"}.get(name, name) in fields for name in where or {})

    def expected(self, query: str, where: Any, k: int, mode: str) -> list[tuple[str, float]]:
        """The hits by brute force: all cosines, BM25 over just these texts, places of both."""
        known = list(self.truth.values())
        if not known:
            return []
        allowed = np.array([matches(where, document.metadata) for document in known], bool)

        def dense(k: int) -> list[tuple[int, float]]:
            rows = self.encoder.encode(document.text for document in known).data.astype(float)
            scores = np.float32(rows @ self.encoder.encode(query).data[0].astype(float))
            order = [row for row in np.argsort(-scores, kind="stable").tolist() if allowed[row]]
            return [(row, float(scores[row])) for row in order[:k]]

        def lexical(k: int) -> list[tuple[int, float]]:
            segment = Segment(Postings.build([document.text for document in known]))
            found = bm25(query, [segment], k, allowed=allowed)
            count = int(found.counts[0])
            return list(zip(found.ids[0][:count].tolist(), found.scores[0][:count].tolist(), strict=True))

        if mode == "hybrid":
            sides = [np.array([row for row, _ in side(100)], np.int64) for side in (dense, lexical)]
            rows, scores = reciprocal_rank_fusion(sides, k)
            best = list(zip(rows.tolist(), scores.tolist(), strict=True))
        else:
            best = dense(k) if mode == "dense" else lexical(k)
        return [(known[row].id, score) for row, score in best]

    def teardown(self) -> None:
        for collection in getattr(self, "collections", []):
            assert collection.verify().ok
            collection.close()
        shutil.rmtree(self.place, ignore_errors=True)


TestEveryEngine = EveryEngine.TestCase
TestEveryEngine.settings = settings(
    max_examples=settings.default.max_examples // 2,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
