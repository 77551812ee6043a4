"""A collection goes over to an adapter of its model: nothing is encoded, and it is what encoding had made."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nearsense as ns
from collection.test_recipe import Ways
from nearsense.encoders.adapted import AdaptedEncoder, VectorMap
from nearsense.kinds import MapKind
from nearsense.records import Long

DOCUMENTS = [ns.Document(str(number), f"note {number} of topic {number % 7}") for number in range(60)]
WEIGHT = (np.eye(16) + np.random.default_rng(1).normal(0, 0.3, (16, 16))).astype(np.float32)


def adapted(parent, seed_weight=WEIGHT):
    return AdaptedEncoder(parent, VectorMap(MapKind.LINEAR, {"weight": seed_weight}), name="mine")


def vectors_in(collection):
    found = {
        each.id: row
        for some, rows in collection._engine.stored()
        for each, row in zip(some, rows.data, strict=True)
    }
    return np.array([found[each.id] for each in DOCUMENTS])


@pytest.fixture(params=["memory", "disk"])
def place(request, tmp_path):
    return ":memory:" if request.param == "memory" else tmp_path / "c"


@pytest.mark.parametrize("long", [Long.WARN, Long.CHUNK])
def test_vectors_are_mapped_not_made_and_equal_those_of_encoding_anew(place, long, monkeypatch):
    monkeypatch.setenv("NEARSENSE_CACHE_MB", "0")
    parent = Ways(long, prompt="text: ")
    with ns.open(place, parent) as collection, ns.open(":memory:", adapted(parent)) as anew:
        collection.add(DOCUMENTS)
        anew.add(DOCUMENTS)
        before = collection.info()
        parent.encoded = 0
        model = Ways(Long.WARN, prompt="text: ")
        told = []
        report = collection.reembed(adapted(model), progress=lambda done, total: told.append((done, total)))
        assert (model.encoded, parent.encoded) == (0, 0)
        assert (report.documents, report.before, report.after) == (60, "ways", "mine")
        assert told[-1] == (60, 60)
        assert np.array_equal(vectors_in(collection), vectors_in(anew)), "to the last bit"
        after = collection.info()
        assert (after.fingerprint, after.truncated) == (anew.info().fingerprint, before.truncated)
        assert collection.search("note 7 of topic 0", k=1)[0].score == pytest.approx(1, abs=1e-6)
        collection.add([ns.Document("late", "note 70 of topic 0")])
        assert collection.search("note 70 of topic 0", k=1)[0].id == "late"
        assert collection.verify().ok


def test_the_way_back_to_the_parent_encodes_and_so_does_a_parent_that_reads_otherwise(place, monkeypatch):
    monkeypatch.setenv("NEARSENSE_CACHE_MB", "0")
    parent = Ways()
    with ns.open(place, parent) as collection:
        collection.add(DOCUMENTS)
        there = vectors_in(collection)
        collection.reembed(adapted(parent))
        parent.encoded = 0
        assert collection.reembed(parent).documents == 60
        assert parent.encoded == 60
        np.testing.assert_allclose(vectors_in(collection), there, atol=1e-6)
        for other in (Ways(limit=128), Ways(prompt="x: ")):
            collection.reembed(adapted(other))
            assert other.encoded == 60
            collection.reembed(parent)


def test_an_adapter_of_another_model_encodes(place, monkeypatch):
    monkeypatch.setenv("NEARSENSE_CACHE_MB", "0")
    other = Ways(fingerprint="e" * 64)
    with ns.open(place, Ways()) as collection:
        collection.add(DOCUMENTS)
        collection.reembed(adapted(other))
        assert other.encoded == 60


def test_long_chunk_is_kept_only_where_nothing_else_was_said(place):
    with ns.open(place, Ways(Long.CHUNK)) as collection:
        collection.add(DOCUMENTS)
        collection.reembed(adapted(Ways(Long.HEAD)))
        assert not collection._engine.facts()["windows"]


def test_vectors_that_were_given_are_mapped_as_they_are(place):
    given = np.random.default_rng(2).normal(size=(60, 16)).astype(np.float32)
    given /= np.linalg.norm(given, axis=1, keepdims=True)
    with ns.open(place, Ways()) as collection:
        collection.add(DOCUMENTS, vectors=given)
        collection.reembed(adapted(Ways()))
        expected = given.astype(np.float64) @ WEIGHT.T.astype(np.float64)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(vectors_in(collection), expected, atol=1e-6)


def test_what_others_add_and_delete_meanwhile_is_there_in_the_end(tmp_path, monkeypatch):
    from nearsense.collection import reembedding

    monkeypatch.setattr(reembedding, "BATCH", 7)
    with ns.open(tmp_path / "c", Ways()) as collection, ns.open(tmp_path / "c", Ways()) as other:
        collection.add(DOCUMENTS)
        changes = []

        def meanwhile(done, _):
            if len(changes) < 3:
                changes.append(done)
                other.delete([str(len(changes))])
                other.upsert([ns.Document(f"new {len(changes)}", "a new note"), ns.Document("50", "another text")])

        collection.reembed(adapted(Ways()), progress=meanwhile)
        assert len(changes) == 3
        assert collection.count() == 60
        expected = adapted(Ways()).encode(["another text"], role="passage").data[0]
        (_, vectors), *_ = collection._engine.stored(["50"])
        np.testing.assert_allclose(vectors.data[0], expected, atol=1e-6)
        assert collection.search("another text", k=1)[0].id == "50"


def test_two_who_go_over_to_one_adapter_at_once_both_arrive(tmp_path):
    with ns.open(tmp_path / "c", Ways()) as one, ns.open(tmp_path / "c", Ways()) as other:
        one.add(DOCUMENTS)
        reports, begun = [], []

        def meanwhile(done, total):
            if not begun:
                begun.append(True)
                thread = threading.Thread(target=lambda: reports.append(other.reembed(adapted(Ways()))))
                thread.start()
                thread.join(20)

        reports.append(one.reembed(adapted(Ways()), progress=meanwhile))
        assert sorted(report.documents for report in reports) == [0, 60]
        assert one.info().model == other.info().model == "mine"
