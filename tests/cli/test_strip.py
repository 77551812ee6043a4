"""Markup on the command line: noticed where many texts hold some, taken out where that is asked for."""

from __future__ import annotations

import json

import pytest

NOTICE = "hold tags or entities ("


def lines(done):
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "posts.jsonl"
    texts = ["<p>Where is my <b>parcel</b>?</p>", "Where is my parcel? https://example.org/a", "The tax is due"]
    path.write_text("".join(json.dumps({"id": str(row), "text": text}) + "\n" for row, text in enumerate(texts)))
    return path


def test_markup_in_many_texts_is_told_in_one_line_and_nothing_is_changed(run, file):
    done = run("rank", "parcel", file, "-k", 3, "--json")
    told = [line for line in done.err.splitlines() if NOTICE in line]
    assert len(told) == 1
    assert "posts.jsonl: 2 of 3 texts hold tags or entities (1), links (1); --strip html,urls" in told[0]
    assert "<p>Where is my <b>parcel</b>?</p>" in done.out.replace("\\u003c", "<").replace("\\u003e", ">")


def test_what_is_named_is_taken_out_before_texts_are_encoded(run, file):
    hits = lines(run("rank", "parcel", file, "-k", 3, "--strip", "html,urls"))
    scores = {hit["text"]: hit["score"] for hit in hits}
    assert set(scores) == {"Where is my parcel?", "The tax is due"}
    by_id = {hit["id"]: hit["score"] for hit in hits}
    assert by_id["0"] == pytest.approx(by_id["1"])
    done = run("rank", "parcel", file, "-k", 3, "--strip", "none")
    assert NOTICE not in done.err
    assert run("rank", "parcel", file, "-k", 3, "--strip", "html").err.count(NOTICE) == 0


def test_stored_vectors_are_those_of_the_texts_as_they_stood(run, file, tmp_path):
    stored = tmp_path / "vectors.jsonl"
    assert run("encode", file, "-o", stored).code == 0
    fresh, again = (lines(run("rank", "parcel", each, "--strip", "html")) for each in (file, stored))
    assert [(hit["text"], hit["score"]) for hit in again] == [(hit["text"], hit["score"]) for hit in fresh]


def test_a_kind_that_is_not_known_is_one_clear_error(run, file):
    done = run("cluster", file, "--strip", "tags")
    assert done.code == 2
    assert "use one of: html, urls, quotes" in done.err


def test_rows_of_clusters_are_the_files_own(run, file):
    done = run("cluster", file, "-k", 2, "--strip", "html,urls", "--id", "id")
    assert lines(done)[0]["text"] == "<p>Where is my <b>parcel</b>?</p>"


def test_a_collection_keeps_the_texts_without_it(run, file, tmp_path):
    collection = tmp_path / "posts.nearsense"
    assert run("index", "create", collection, file, "--strip", "html,urls").code == 0
    found = lines(run("search", collection, "parcel", "-k", 2))
    assert [hit["text"] for hit in found] == ["Where is my parcel?", "The tax is due"]
