"""A collection, as a program uses it: what goes in comes out, what is wrong is said, nothing is mixed up."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.collection import snapshot, upkeep

PETS = [
    ns.Document("cat", "the cat sleeps", {"year": 2001, "tags": ["home", "small"]}),
    ns.Document("dog", "the dog runs", {"year": 2002, "tags": ["home"]}),
    ns.Document("owl", "an owl flies at night", {"year": 2003}),
]


@pytest.fixture
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def pets(tmp_path: Path, encoder: HashEncoder):
    with ns.open(tmp_path / "pets.nearsense", encoder=encoder) as collection:
        collection.add(PETS)
        yield collection


# -- in and out


def test_what_was_added_is_there_after_reopening(tmp_path, encoder, pets):
    pets.close()
    with ns.open(tmp_path / "pets.nearsense", encoder=encoder) as again:
        assert again.get(["owl", "fox", "cat"]) == [PETS[2], None, PETS[0]]
        assert len(again) == again.count() == 3


def test_a_hit_carries_text_and_metadata_and_where_it_comes_from(pets, encoder):
    hits = pets.search("the dog runs", k=1)
    assert (hits[0].id, hits[0].text) == ("dog", "the dog runs")
    assert hits[0].metadata == dict(PETS[1].metadata)
    assert hits[0].score == pytest.approx(1, abs=1e-6)
    assert (hits.query, hits.origin.model, hits.origin.fingerprint) == (
        "the dog runs",
        "hash",
        encoder.fingerprint,
    )


def test_the_origin_says_what_the_scores_are(pets):
    metrics = [pets.search("dog", mode=mode).origin.metric for mode in ("dense", "lexical", "hybrid")]
    assert metrics == ["cosine", "bm25", "reciprocal rank fusion"]


def test_upsert_replaces_and_add_refuses(pets):
    with pytest.raises(ns.errors.InputError, match=r"'dog' is in .* already") as caught:
        pets.add([ns.Document("fox", "a fox"), ns.Document("dog", "another dog")])
    assert "upsert" in caught.value.fix
    assert pets.get("fox") == [None]
    assert pets.upsert([ns.Document("dog", "another dog")]) == 1
    assert pets.get("dog")[0].text == "another dog"
    assert pets.count() == 3


def test_what_was_deleted_is_never_found(pets):
    assert pets.delete(["dog", "fox"]) == 1
    assert pets.count() == 2
    for mode in ("dense", "lexical", "hybrid"):
        assert "dog" not in [hit.id for hit in pets.search("the dog runs", mode=mode)]
    pets.build()
    assert [hit.id for hit in pets.search("the dog runs", mode="lexical")] == ["cat"]


def test_delete_by_filter_and_count_by_filter_agree(pets):
    assert pets.count({"year": {"<": 2003}}) == 2
    assert pets.delete(where={"year": {"<": 2003}}) == 2
    assert [hit.id for hit in pets.search("the cat")] == ["owl"]


def test_delete_wants_ids_or_a_filter(pets):
    for wrong in ({}, {"ids": ["cat"], "where": {"year": 2001}}):
        with pytest.raises(ns.errors.InputError, match="ids or a filter"):
            pets.delete(**wrong)


def test_a_filter_that_lets_everything_pass_deletes_nothing(pets):
    for where in ({}, {"not": {"or": []}}, {"or": [{"year": 2001}, {"not": {"year": 2001}}]}):
        with pytest.raises(ns.errors.InputError, match="everything pass"):
            pets.delete(where=where)
    assert pets.count() == 3


def test_lists_match_when_any_of_their_items_does(pets):
    assert sorted(hit.id for hit in pets.search("the", where={"tags": "home"})) == ["cat", "dog"]


def test_a_filter_by_a_field_that_nobody_has_names_those_there_are(pets):
    with pytest.raises(ns.errors.InputError) as caught:
        pets.search("dog", where={"yaer": 2001})
    assert "year" in caught.value.fix


def test_min_score_leaves_out_what_scores_less(pets):
    every = pets.search("the dog sleeps")
    floor = every[1].score
    assert [hit.id for hit in pets.search("the dog sleeps", min_score=floor)] == [hit.id for hit in every[:2]]


def test_similar_leaves_the_document_itself_out(pets):
    hits = pets.similar("cat", k=2)
    assert [hit.rank for hit in hits] == [1, 2]
    assert "cat" not in [hit.id for hit in hits]
    with pytest.raises(ns.errors.InputError, match="no document 'fox'"):
        pets.similar("fox")


def test_an_empty_collection_answers_with_nothing(tmp_path, encoder):
    with ns.open(tmp_path / "empty", encoder=encoder) as empty:
        for mode in ("dense", "lexical", "hybrid"):
            assert empty.search("anything", mode=mode) == []
        assert empty.search_many([]) == []
        assert empty.count() == 0
        empty.build()
        assert empty.search("anything", where={"year": 2000}) == []
        assert empty.verify().ok


def test_many_queries_get_what_each_alone_gets(pets):
    queries = ["the dog", "night", "sleeps"]
    for mode in ("dense", "lexical", "hybrid"):
        together = pets.search_many(queries, k=2, mode=mode)
        assert [[hit.id for hit in hits] for hits in together] == [
            [hit.id for hit in pets.search(query, k=2, mode=mode)] for query in queries
        ]


def test_metadata_come_back_as_they_were(tmp_path, encoder):
    odd = {"big": 2**70, "nested": {"a": [1, None, {"b": "ä"}]}, "none": None, "": "no name", "😀": 1.5}
    with ns.open(tmp_path / "odd", encoder=encoder) as odds:
        odds.add([ns.Document("1", "text \0 with NUL and 😀", odd)])
        odds.build()
        assert odds.get("1") == [ns.Document("1", "text \0 with NUL and 😀", odd)]
        assert odds.search("text", where={"big": 2**70})[0].metadata == odd
        assert odds.search("text", where={"big": 2**70 + 1}) == []


def test_asking_for_more_than_there_is_gives_all(pets):
    for mode in ("dense", "lexical", "hybrid"):
        assert len(pets.search("the dog runs at night", k=10**9, mode=mode)) == 3
    assert len(pets.similar("cat", k=10**9)) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pets: pets.search("dog", min_score="0.5"),
        lambda pets: pets.search("dog", k=0),
        lambda pets: pets.search(" "),
        lambda pets: pets.search("dog", mode="sparse"),
        lambda pets: pets.nearest(None),
        lambda pets: pets.nearest("abc"),
        lambda pets: pets.nearest(np.ones(16)),
        lambda pets: pets.nearest(np.ones((1, 16), complex)),
        lambda pets: pets.nearest(np.full((1, 16), 1e300)),
        lambda pets: pets.get(None),
        lambda pets: pets.get([7]),
        lambda pets: pets.add(["x"], vectors="abc"),
        lambda pets: pets.add([ns.Document("deep", "x", {"a": json.loads("[" * 200 + "]" * 200)})]),
        lambda pets: pets.backup(pets.path / "generations" / "copy"),
        lambda pets: ns.open(None),
        lambda pets: ns.open("a\0b"),
        lambda pets: ns.open("x" * 300),
    ],
)
def test_wrong_use_is_an_error_that_says_what_to_do(pets, wrong):
    with pytest.raises(ns.errors.NearsenseError) as caught:
        wrong(pets)
    assert caught.value.fix or caught.value.why
    assert pets.count() == 3


# -- sync


def test_sync_encodes_only_what_changed(pets, encoder):
    before = encoder.encoded
    relabelled = ns.Document("dog", "the dog runs", {"year": 1999})
    report = pets.sync([PETS[0], relabelled, ns.Document("fox", "a fox")])
    assert (report.added, report.changed, report.removed, report.unchanged) == (1, 1, 1, 1)
    assert report.encoded == encoder.encoded - before == 1
    assert [each and each.id for each in pets.get(["cat", "dog", "owl", "fox"])] == ["cat", "dog", None, "fox"]
    assert pets.get("dog")[0].metadata == {"year": 1999}


def test_a_dry_run_changes_nothing(pets):
    report = pets.sync([PETS[0]], dry_run=True)
    assert (report.removed, report.applied, pets.count()) == (2, False, 3)


def test_sync_keeps_what_the_source_lacks_if_asked(pets):
    assert pets.sync([ns.Document("fox", "a fox")], remove=False).removed == 0
    assert pets.count() == 4


def test_sync_with_nothing_is_refused(pets):
    with pytest.raises(ns.errors.InputError, match="no documents"):
        pets.sync([])
    assert pets.count() == 3


def test_sync_sees_that_true_became_1(tmp_path, encoder):
    with ns.open(tmp_path / "c", encoder=encoder) as collection:
        collection.add([ns.Document("a", "text", {"f": True, "g": {"x": 1, "y": 2}})])
        assert collection.sync([ns.Document("a", "text", {"g": {"y": 2, "x": 1}, "f": True})]).unchanged == 1
        assert collection.sync([ns.Document("a", "text", {"f": 1, "g": {"x": 1, "y": 2}})]).changed == 1
        assert collection.get("a")[0].metadata["f"] is not True


def test_fields_that_a_row_of_a_file_lacks_are_not_there(tmp_path, pets):
    (tmp_path / "new.jsonl").write_text('{"id": "1", "text": "a", "x": 1}\n{"id": "2", "text": "b", "y": 2}\n')
    pets.sync(tmp_path / "new.jsonl")
    assert [each.metadata for each in pets.get(["1", "2"])] == [{"x": 1}, {"y": 2}]
    assert pets.count({"y": {"exists": True}}) == 1


def test_sync_follows_a_file(tmp_path, pets):
    file = tmp_path / "pets.jsonl"
    rows = [{"id": each.id, "text": each.text, **each.metadata} for each in PETS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert pets.sync(file).unchanged == 3


def test_numbers_of_a_csv_can_be_compared_as_numbers(tmp_path, pets):
    file = tmp_path / "pets.csv"
    file.write_text("id,text,year,zip,price\na,one pet,1999,01067,\nb,two pets,2020,10115,2.50\n")
    pets.sync(file)
    assert pets.get("b")[0].metadata == {"year": 2020, "zip": "10115", "price": 2.5}
    assert [hit.id for hit in pets.search("pet", where={"year": {">=": 2000}})] == ["b"]
    assert [hit.id for hit in pets.search("pet", where={"zip": "01067"})] == ["a"]


# -- texts that are too long


def test_all_texts_that_were_cut_are_one_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("nearsense.collection.collection.BATCH", 2)
    documents = [ns.Document(str(number), f"{number} " * (400 if number % 2 else 4)) for number in range(6)]
    with ns.open(tmp_path / "c") as collection:
        with pytest.warns(ns.errors.TruncationWarning, match="3 of 6 texts exceed 256 tokens") as caught:
            collection.add(documents)
        assert len(caught) == 1
        assert collection.info().truncated == 3


def test_a_text_that_is_refused_for_its_length_is_named_and_nothing_is_added(tmp_path):
    with ns.open(tmp_path / "c", long="error") as collection:
        with pytest.raises(ns.errors.TextTooLong, match="document 'long' has"):
            collection.add([ns.Document("short", "a text"), ns.Document("long", "word " * 400)])
        assert collection.count() == 0


def test_a_text_stays_known_as_cut_when_its_metadata_change(tmp_path):
    with ns.open(tmp_path / "c", long="head") as collection:
        collection.add([ns.Document("long", "word " * 400, {"a": 1})])
        assert collection.sync([ns.Document("long", "word " * 400, {"a": 2})]).encoded == 0
        assert collection.info().truncated == 1


def test_a_collection_goes_on_reading_long_texts_as_it_began(tmp_path):
    text = "parrot " * 300 + "the secret is a violin " * 100
    with ns.open(tmp_path / "c", long="chunk") as collection:
        collection.add([ns.Document("a", text)])
    with ns.open(tmp_path / "c") as collection:
        collection.add([ns.Document("b", text)])
        assert [hit.score for hit in collection.search("violin")] == pytest.approx(
            [collection.search("violin", k=1)[0].score] * 2, abs=1e-3
        )
        report = collection.reembed("all-MiniLM-L6-v2", long="head")
        assert report.documents == 2
        assert collection.info().truncated == 2
    with pytest.raises(ns.errors.InputError, match="does not read long texts in windows"):
        ns.open(tmp_path / "c", long="chunk")


def test_options_beside_an_encoder_are_refused(tmp_path, encoder):
    with pytest.raises(ns.errors.InputError, match="precision given beside an Encoder"):
        ns.open(tmp_path / "c", encoder, precision="f32")


# -- what cannot be kept


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (ns.Document("", "text"), "document 1 has the id ''"),
        (ns.Document("x" * 513, "text"), "513 bytes"),
        (ns.Document("ä" * 257, "text"), "514 bytes"),
        (ns.Document("a\0b", "text"), "NUL"),
        (ns.Document("a\ud800", "text"), "lone surrogate"),
        (ns.Document("a", "\ud800"), "lone surrogate"),
        (ns.Document("a", " "), "empty"),
        (ns.Document("a", "text", {"x": float("nan")}), "field 'x' of document 'a' is nan"),
        (ns.Document("a", "text", {"x": {1, 2}}), "field 'x' of document 'a' is a set"),
        (ns.Document("a", "text", {"x": "\udfff"}), "field 'x' of document 'a' holds half of a character"),
        (ns.Document("a", "text", {1: "x"}), "field of document 'a' is named by 1"),  # type: ignore[dict-item]
    ],
)
def test_a_document_that_cannot_be_kept_is_named_and_nothing_is_added(pets, document, message):
    with pytest.raises(ns.errors.InputError, match=message):
        pets.add([ns.Document("fine", "fine"), document])
    assert pets.count() == 3


def test_ids_of_512_bytes_are_fine(pets):
    assert pets.add([ns.Document("ä" * 256, "text")]) == 1


def test_duplicate_ids_in_a_batch_are_named(pets):
    with pytest.raises(ns.errors.InputError, match="documents 0 and 1 share the id 'x'"):
        pets.upsert([ns.Document("x", "a"), ns.Document("x", "b")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.__setitem__((1, 0), np.nan), "'b' holds (nan|inf)"),
        (lambda rows: rows.__setitem__((1, 0), np.inf), "'b' holds (nan|inf)"),
        (lambda rows: rows.__setitem__(1, 0), "'b' has length zero"),
    ],
)
def test_vectors_that_have_no_similarity_are_refused(pets, change, message):
    rows = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)
    change(rows)
    with pytest.raises(ns.errors.InputError, match=message):
        pets.add([ns.Document("a", "a"), ns.Document("b", "b")], vectors=rows)
    assert pets.count() == 3


def test_vectors_of_another_shape_are_refused(pets):
    with pytest.raises(ns.errors.InputError, match=r"\(1, 3\) where \(1, 16\)"):
        pets.add([ns.Document("a", "a")], vectors=np.ones((1, 3), np.float32))


def test_given_vectors_get_unit_length(pets):
    rows = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32) * 7
    pets.add([ns.Document("a", "a"), ns.Document("b", "b")], vectors=rows)
    assert pets.nearest(rows[:1], k=1)[0][0].score == pytest.approx(1, abs=1e-6)


# -- one model


def test_another_model_is_refused_at_every_door(tmp_path, encoder, pets):
    other = HashEncoder(name="other")
    with pytest.raises(ns.errors.ModelMismatch, match=r"hash \(.*other \(") as caught:
        ns.open(tmp_path / "pets.nearsense", encoder=other)
    assert "reembed" in caught.value.fix
    with pytest.raises(ns.errors.ModelMismatch, match="two models"):
        pets.add([ns.Document("a", "a")], vectors=other.encode(["a"]))
    with pytest.raises(ns.errors.ModelMismatch, match="two models"):
        pets.nearest(other.encode(["a"]))


def test_reembed_goes_over_to_another_model_in_one_step(tmp_path, encoder, pets):
    watcher = ns.open(tmp_path / "pets.nearsense", encoder=encoder)
    watcher.search("dog")
    other = HashEncoder(32, name="other")
    report = pets.reembed(other)
    assert (report.documents, report.before, report.after) == (3, "hash", "other")
    assert pets.info().dimension == 32
    assert pets.search("the dog runs", k=1)[0].score == pytest.approx(1, abs=1e-6)
    assert pets.verify().ok
    with pytest.raises(ns.errors.ModelMismatch, match="while it was in use"):
        watcher.search("dog")
    watcher.close()
    with ns.open(tmp_path / "pets.nearsense", encoder=other) as again:
        assert again.search("an owl", k=1)[0].id == "owl"


def test_who_slept_while_the_model_went_and_came_back_finds_what_is_there(tmp_path, encoder, pets):
    with ns.open(tmp_path / "pets.nearsense", encoder=encoder) as sleeper:
        sleeper.search("dog")
        pets.delete("dog")
        pets.build()  # forgets what was removed before it
        pets.reembed(HashEncoder(8))
        pets.reembed(encoder)
        for mode in ("dense", "lexical", "hybrid"):
            assert "dog" not in [hit.id for hit in sleeper.search("the dog runs", mode=mode)]
        assert sleeper.count({"year": {">": 0}}) == 2
        assert sleeper.delete(where={"year": 2001}) == 1
        assert sleeper.verify().ok


def test_an_interrupted_reembed_changes_nothing_and_goes_on(tmp_path, encoder, monkeypatch):
    from nearsense.collection import reembedding

    class Tired(HashEncoder):
        rest = 2

        def encode(self, texts, **options):
            if self.rest == 0:
                raise KeyboardInterrupt
            self.rest -= 1
            return super().encode(texts, **options)

    monkeypatch.setattr(reembedding, "BATCH", 2)
    documents = [ns.Document(str(number), f"text {number}") for number in range(9)]
    with ns.open(tmp_path / "c", encoder=encoder) as collection:
        collection.add(documents)
        tired = Tired(name="tired")
        with pytest.raises(KeyboardInterrupt):
            collection.reembed(tired)
        assert collection.search("text 3", k=1)[0].id == "3"
        tired.rest, done = -1, tired.encoded
        collection.reembed(tired)
        assert done == 4
        assert tired.encoded - done == 5


class Slow(HashEncoder):
    """Waits in the middle, as long as the test likes."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.begun, self.go = threading.Event(), threading.Event()

    def encode(self, texts, **options):
        self.begun.set()
        assert self.go.wait(20)
        return super().encode(texts, **options)


def test_a_document_that_is_being_encoded_while_the_model_changes_is_encoded_again(tmp_path):
    slow, other = Slow("slow"), HashEncoder(name="other")
    slow.go.set()
    with ns.open(tmp_path / "c", encoder=slow) as collection:
        collection.add([ns.Document("a", "a text")])
        slow.begun.clear()
        slow.go.clear()
        thread = threading.Thread(target=lambda: collection.add([ns.Document("late", "a late text")]))
        thread.start()
        assert slow.begun.wait(20)
        collection.reembed(other)
        slow.go.set()
        thread.join()
        assert collection.get("late") == [ns.Document("late", "a late text")]
        assert collection.search("a late text", k=1)[0].score == pytest.approx(1, abs=1e-6)


def test_a_question_that_is_being_encoded_while_the_model_changes_is_encoded_again(tmp_path):
    slow, other, found = Slow("slow"), HashEncoder(name="other"), []
    slow.go.set()
    with ns.open(tmp_path / "c", encoder=slow) as collection:
        collection.add([ns.Document("a", "a text"), ns.Document("b", "something else")])
        slow.begun.clear()
        slow.go.clear()
        thread = threading.Thread(target=lambda: found.append(collection.search("a text", k=1)))
        thread.start()
        assert slow.begun.wait(20)
        collection.reembed(other)
        slow.go.set()
        thread.join()
        assert found[0][0].score == pytest.approx(1, abs=1e-6)
        assert found[0].origin.model == "other"


def test_two_who_go_over_to_different_models_do_not_mix_them(tmp_path, encoder, monkeypatch):
    from nearsense.collection import reembedding

    monkeypatch.setattr(reembedding, "BATCH", 2)
    documents = [ns.Document(str(number), f"text {number}") for number in range(7)]
    with ns.open(tmp_path / "c", encoder=encoder) as first, ns.open(tmp_path / "c", model=encoder) as second:
        first.add(documents)

        class Interrupted(HashEncoder):
            calls = 0

            def encode(self, texts, **options):
                self.calls += 1
                if self.calls == 2:
                    second.reembed(HashEncoder(name="third"))
                return super().encode(texts, **options)

        with pytest.raises(ns.errors.ModelMismatch, match=r"on its way|went over"):
            first.reembed(Interrupted(name="second"))
        assert second.info().model == "third"
        assert [hits[0].score for hits in second.search_many([each.text for each in documents], k=1)] == (
            pytest.approx([1.0] * 7, abs=1e-6)
        )


def test_the_role_is_kept(tmp_path, encoder):
    asked = []

    class Prompted(HashEncoder):
        def encode(self, texts, *, role=None, **options):
            asked.append(role)
            return super().encode(texts)

    with ns.open(tmp_path / "c", encoder=Prompted(), role="query") as faq:
        faq.add(["how?"])
    with ns.open(tmp_path / "c", encoder=Prompted()) as faq:
        faq.add([ns.Document("b", "why?")])
        faq.search("who?")
        assert faq.info().role == "query"
    assert asked == ["query", "query", "query"]
    with pytest.raises(ns.errors.InputError, match="role='document'"):
        ns.open(tmp_path / "d", encoder=encoder, role="document")


# -- derived files


def test_past_a_size_of_changes_the_index_is_made_in_the_background(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(snapshot, "MINIMUM", 50)
    monkeypatch.setattr(upkeep, "REST", 0.05)
    with ns.open(tmp_path / "c", encoder=encoder) as collection:
        collection.add([ns.Document(str(number), f"text {number}") for number in range(60)])
        deadline = time.monotonic() + 20
        while collection.info().pending and time.monotonic() < deadline:
            time.sleep(0.05)
        info = collection.info()
        assert (info.pending, info.index, info.recall) == (0, "exact", 1.0)


def test_build_if_needed_waits_for_enough_changes(pets):
    pets.build(if_needed=True)
    assert pets.info().index is None
    pets.build()
    assert pets.info().index == "exact"


@pytest.mark.parametrize("kind", ["flat-ip", "flat-l2", "ivf-flat", "hnsw", "ivf-pq", "pq-fast", "ivf-pq-fast"])
def test_every_kind_of_index_can_be_asked_for_and_is_kept(tmp_path, encoder, kind):
    vectors = np.random.default_rng(3).normal(size=(600, 16)).astype(np.float32)
    with ns.open(tmp_path / "c", encoder=encoder) as collection:
        collection.add([ns.Document(str(row), f"text {row}") for row in range(600)], vectors=vectors)
        collection.build(index=kind)
        assert collection.info().index == kind
        found = collection.nearest(vectors[:50], k=1)
        assert np.mean([hits[0].id == str(row) for row, hits in enumerate(found)]) > 0.9
        collection.compact()
        assert collection.info().index == kind
        collection.build(index="auto")
        assert collection.info().index == "exact"
        with pytest.raises(ns.errors.InputError, match="index='tree'"):
            collection.build(index="tree")


def test_damaged_derived_files_are_done_without_and_made_again(tmp_path, encoder, pets, caplog):
    pets.build()
    pets.close()
    for file in (tmp_path / "pets.nearsense" / "generations").rglob("*"):
        if file.is_file():
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
    with ns.open(tmp_path / "pets.nearsense", encoder=encoder) as again:
        for mode in ("dense", "lexical", "hybrid"):
            assert again.search("the dog runs", k=1, mode=mode, where={"year": 2002})[0].id == "dog"
        verification = again.verify()
        assert verification.ok
        assert again.verify().healed == ()
    assert "made again" in caplog.text


def test_verify_names_every_document_that_is_damaged(tmp_path, encoder):
    path = tmp_path / "c"
    with ns.open(path, encoder=encoder) as collection:
        collection.add([ns.Document(f"id{number}", f"zebra{number} " * 60) for number in range(200)])
    content = bytearray((path / "collection.db").read_bytes())
    for number in (20, 150):
        content[content.index(f"zebra{number} ".encode())] ^= 1
    (path / "collection.db").write_bytes(content)
    with ns.open(path, encoder=encoder) as collection:
        found = collection.verify()
    assert not found.ok
    text = "\n".join(found.findings)
    assert "'id20'" in text
    assert "'id150'" in text
    assert 150 < found.documents < 200


def test_one_damaged_page_is_one_finding_that_names_it_and_all_that_it_costs(tmp_path, encoder):
    path = tmp_path / "c"
    with ns.open(path, encoder=encoder) as collection:
        collection.add(
            [ns.Document(f"id{number}", f"zebra{number} " * (number % 90)) for number in range(1, 400, 2)]
        )
        collection.delete([f"id{number}" for number in range(1, 400, 10)])
    whole, costly = (path / "collection.db").read_bytes(), 0
    for page in range(len(whole) // 8192):
        content = bytearray(whole)
        content[page * 8192 + 8100] ^= 1
        (path / "collection.db").write_bytes(content)
        try:
            collection = ns.open(path, encoder=encoder)
        except ns.errors.DamagedCollection:  # one of the pages that are read to open it
            continue
        with collection:
            found = collection.verify()
            (finding,) = found.findings
            assert f"page {page + 1} of the database cannot be read" in finding
            if "cannot be told" in finding:
                continue
            lost = set()
            for number in range(400):
                with collection._engine.store.reading() as reader:
                    try:
                        place = list(reader.positions([f"id{number}"]).values())
                        reader.documents(place)
                        reader.vectors(place)
                    except ns.errors.DamagedCollection:
                        lost.add(f"'id{number}'")
        assert set(re.findall(r"'id\d+'", finding)) == lost
        assert found.documents == 160 - len(lost)
        costly += len(lost) > 1
    (path / "collection.db").write_bytes(whole)
    assert costly > 3


# -- upkeep


def test_a_backup_is_a_collection(tmp_path, encoder, pets):
    pets.build()
    target = pets.backup(tmp_path / "copy.nearsense")
    pets.delete(["cat", "dog", "owl"])
    with ns.open(target, encoder=encoder) as copy:
        assert copy.count() == 3
        assert copy.search("the dog runs", k=1)[0].id == "dog"
        assert copy.verify().ok
        copy.add([ns.Document("new", "new")])
    with pytest.raises(ns.errors.InputError, match="there already"):
        pets.backup(target)


def test_compact_leaves_no_byte_of_what_was_deleted(tmp_path, pets):
    secret = "xylophonequartz"
    pets.add([ns.Document("secretid77", f"the {secret} plays", {"note": secret + "meta"})])
    pets.build()
    pets.search(secret, mode="lexical")
    pets.delete("secretid77")
    pets.compact()
    for file in (tmp_path / "pets.nearsense").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert secret.encode() not in content, file
            assert b"secretid77" not in content, file


@pytest.mark.parametrize("name", ["all.jsonl", "all.npy", "all.parquet", "all.jsonl.gz"])
def test_an_export_is_read_back_with_its_vectors(tmp_path, pets, name):
    assert pets.export(tmp_path / name) == 3
    from nearsense.files import documents, read_table

    table = read_table(str(tmp_path / name))
    assert [each.id for each in documents(table).items] == ["cat", "dog", "owl"]
    assert documents(table).items[1].metadata["year"] == 2002
    assert table.vectors is not None
    assert table.vectors.fingerprint == pets.info().fingerprint


def test_metadata_called_like_a_column_of_an_export_get_a_longer_name(tmp_path, encoder):
    with ns.open(tmp_path / "c", encoder=encoder) as collection:
        collection.add([ns.Document("1", "said", {"text": "other", "id": 7})])
        for vectors in (True, False):
            collection.export(tmp_path / "all.jsonl", vectors=vectors)
            row = json.loads((tmp_path / "all.jsonl").read_text())
            assert (row["id"], row["text"], row["metadata.text"], row["metadata.id"]) == ("1", "said", "other", 7)


def test_commits_that_a_log_has_lost_are_reported_and_can_be_given_up(tmp_path, encoder):
    import shutil

    path = tmp_path / "c"
    with ns.open(path, encoder=encoder) as collection:
        collection.add([ns.Document("1", "kept")])
        copy = collection.backup(tmp_path / "copy")
        collection.add([ns.Document("2", "acknowledged"), ns.Document("3", "too")])
        collection.delete("3")
    shutil.copy(copy / "collection.db", path / "collection.db")
    with pytest.raises(ns.errors.DamagedCollection, match="lost commits") as caught:
        ns.open(path, encoder=encoder)
    assert "--accept-losses" in caught.value.fix
    with ns.open(path, encoder=encoder, accept_losses=True) as collection:
        assert collection.count() == 1
    with ns.open(path, encoder=encoder) as collection:
        assert collection.verify().ok


def test_an_export_for_faiss_is_read_by_faiss(tmp_path, pets, encoder):
    faiss = pytest.importorskip("faiss")
    pets.export(tmp_path / "all.faiss")
    index = faiss.read_index(str(tmp_path / "all.faiss"))
    scores, rows = index.search(encoder.encode(["the dog runs"]).data, 1)
    ids = [json.loads(line)["id"] for line in (tmp_path / "all.faiss.ids.jsonl").read_text().splitlines()]
    assert (ids[rows[0][0]], scores[0][0]) == ("dog", pytest.approx(1, abs=1e-6))


@pytest.mark.parametrize("name", ["all.jsonl", "all.npy", "all.faiss", "deeper/all.csv"])
def test_nothing_is_written_into_the_folder_of_a_collection(tmp_path, pets, name):
    with ns.open(tmp_path / "other", create=True) as other:
        other.add(["a text"])
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "link").symlink_to(tmp_path / "other")
    for folder in (pets.info().path, tmp_path / "other", tmp_path / "link"):
        with pytest.raises(ns.errors.InputError, match=r"within the collection .*, where nothing else may lie"):
            pets.export(f"{folder}/{name}", vectors=not name.endswith("csv"))
        with pytest.raises(ns.errors.InputError, match="within the collection"):
            pets.backup(f"{folder}/backup")
    (tmp_path / "link").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_an_export_without_vectors_is_a_table(tmp_path, pets):
    pets.export(tmp_path / "all.csv", vectors=False)
    assert (tmp_path / "all.csv").read_text().splitlines()[0].startswith("id,text,year")


def test_info_says_what_there_is(pets):
    info = pets.info()
    assert (info.documents, info.model, info.dimension, info.role) == (3, "hash", 16, "passage")
    assert info.fields == ("tags", "year")
    assert "hash" in str(info)


def test_an_export_as_a_table_has_every_field_of_any_document(tmp_path, pets):
    pets.export(tmp_path / "all.csv", vectors=False)
    rows = (tmp_path / "all.csv").read_text().splitlines()
    assert rows[0] == "id,text,year,tags"
    assert rows[3] == "owl,an owl flies at night,2003,"


def test_where_codes_fail_every_vector_is_looked_at(tmp_path, encoder, monkeypatch):
    from nearsense import index

    monkeypatch.setattr(index, "recall", lambda *_, **__: 0.5)
    monkeypatch.setattr(index, "choose", lambda *_: index.Choice(index.Kind.PQ_FAST, "codes"))
    rng = np.random.default_rng(0)
    with ns.open(tmp_path / "c", encoder=encoder) as collection:
        collection.add([f"text {row}" for row in range(3000)], vectors=rng.normal(size=(3000, 16)))
        collection.build()
        info = collection.info()
        assert (info.index, info.recall) == ("exact", 1.0)
        assert "50%" in info.why


# -- where it lies


def test_a_program_may_go_elsewhere_after_opening(tmp_path, encoder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ns.open("near.here", encoder=encoder) as collection:
        (tmp_path / "else").mkdir()
        monkeypatch.chdir(tmp_path / "else")
        collection.add(PETS)
        collection.build()
        assert collection.search("the dog runs", k=1)[0].id == "dog"
    assert not list((tmp_path / "else").iterdir())


def test_a_folder_that_was_replaced_while_open_takes_no_more(tmp_path, encoder, pets):
    import shutil

    copy = pets.backup(tmp_path / "copy")
    shutil.rmtree(pets.path)
    with pytest.raises(ns.errors.StoreError, match="removed while it was open"):
        pets.add(["lost"])
    shutil.copytree(copy, pets.path)
    for change in (lambda: pets.add(["lost"]), lambda: pets.search("dog"), lambda: pets.delete("dog")):
        with pytest.raises(ns.errors.StoreError, match="replaced while it was open"):
            change()
    with ns.open(pets.path, encoder=encoder) as restored:
        assert restored.count() == 3
        assert restored.verify().ok


# -- several at once


def test_two_handles_see_each_others_changes_at_once(tmp_path, encoder, pets):
    with ns.open(tmp_path / "pets.nearsense", encoder=encoder) as other:
        other.search("dog")
        pets.add([ns.Document("fox", "a fox")])
        assert other.search("a fox", k=1)[0].id == "fox"
        other.delete("fox")
        assert "fox" not in [hit.id for hit in pets.search("a fox")]
        other.build()
        assert pets.search("the cat sleeps", k=1)[0].id == "cat"
        assert pets.info().pending == 0


def test_threads_add_delete_build_and_search_together(tmp_path, encoder):
    errors: list[BaseException] = []

    def guarded(action):
        def run():
            try:
                action()
            except BaseException as error:
                errors.append(error)

        return threading.Thread(target=run)

    with ns.open(tmp_path / "c", encoder=encoder) as collection:
        collection.add([ns.Document("anchor", "the anchor stays", {"n": -1})])

        def write(number):
            for step in range(15):
                collection.add([ns.Document(f"{number}-{step}", f"text {number} {step}", {"n": step})])
                if step % 3 == 0:
                    collection.delete(f"{number}-{step}")

        def read():
            for _ in range(40):
                assert collection.search("the anchor stays", k=1)[0].id == "anchor"
                collection.search("text", k=5, mode="hybrid", where={"n": {"<": 5}})

        def build():
            for _ in range(5):
                collection.build()

        threads = [guarded(lambda n=n: write(n)) for n in range(3)] + [guarded(read) for _ in range(3)]
        threads.append(guarded(build))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert collection.count() == 1 + 3 * 10
        assert collection.verify().ok


def test_a_closed_collection_says_so(pets):
    pets.close()
    with pytest.raises(ns.errors.StoreError, match="is closed"):
        pets.count()
    pets.close()


def test_create_false_does_not_make_one(tmp_path, encoder):
    with pytest.raises(ns.errors.CollectionNotFound, match="no collection at"):
        ns.open(tmp_path / "nothing", encoder=encoder, create=False)
    assert not (tmp_path / "nothing").exists()
