"""What is forgotten is in no file any more; what a hashed log keeps, and what it does not."""

from __future__ import annotations

import json

import pytest

import nearsense as ns
from fakes import HashEncoder

SECRET = "the diagnosis of Ann Miller"


def on_disk(collection):
    return b"".join(each.read_bytes() for each in sorted(collection.log.path.iterdir()))


@pytest.fixture(params=[True, "hashed"])
def notes(tmp_path, request):
    with ns.open(tmp_path / "c", HashEncoder(), log=request.param) as made:
        made.add([ns.Document("a", "one two", {"owner": "Ann Miller"}), ns.Document("b", "three")])
        yield made


def test_a_forgotten_query_leaves_no_byte_of_it_wherever_and_however_it_was_asked(notes):
    for asked in (SECRET, SECRET.upper(), f"  {SECRET}!", "something else", SECRET):
        hits = notes.search(asked)
        notes.log.choose(hits, "a")
    digest = notes.log.digest(SECRET).encode()
    notes.log.flush()
    assert digest in on_disk(notes)
    assert notes.log.forget(SECRET) == 4
    assert b"miller" not in on_disk(notes).lower()
    assert digest not in on_disk(notes)
    assert [entry.chosen for entry in notes.log] == ["a"]
    assert notes.log.forget(SECRET) == 0


def test_forgetting_what_was_never_asked_changes_nothing(notes):
    assert notes.log.forget(SECRET) == 0
    assert not notes.log.path.exists()
    notes.search("one")
    before = list(notes.log)
    assert notes.log.forget(SECRET) == 0
    assert list(notes.log) == before


@pytest.mark.parametrize("said", [b"bytes", 5, "half \ud800"], ids=["bytes", "number", "half a character"])
def test_what_is_no_text_is_refused(notes, said):
    for use in (notes.log.forget, lambda query: notes.log.choose(query, "a")):
        with pytest.raises(ns.errors.InputError):
            use(said)


def test_what_waits_to_be_written_is_forgotten_too(notes):
    notes.search(SECRET)
    assert notes.log.forget(SECRET) == 1
    assert list(notes.log) == []


def test_all_segments_are_looked_through(tmp_path, monkeypatch):
    monkeypatch.setenv("NEARSENSE_LOG_MB", "1")
    with ns.open(tmp_path / "c", HashEncoder(), log=True) as made:
        made.add(["one"])
        for number in range(4):
            made.search_many([SECRET, *(f"word {number} {row} " + "x" * 400 for row in range(150))])
        made.log.flush()
        assert len(list(made.log.path.glob("*.log"))) > 2
        assert made.log.forget(SECRET) == 4
        assert b"Miller" not in on_disk(made)
        assert len(list(made.log)) == 600


def test_a_hashed_log_holds_no_word_of_what_was_asked_and_of_no_filter_value(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder(), log="hashed") as made:
        made.add([ns.Document("a", "one two", {"owner": "Ann Miller", "year": 1984, "open": True})])
        made.search(SECRET, where={"owner": "Ann Miller", "year": {">": 1983}, "open": True})
        made.nearest(HashEncoder().encode([SECRET]))
        entry, vector = made.log
    held = on_disk(made).lower()
    assert not any(word in held for word in (b"miller", b"diagnosis", b"1984", b"1983"))
    assert (entry.query, vector.query) == (None, None)
    assert entry.where.keys() == {"owner", "year", "open"}
    assert entry.where["open"] is True
    assert entry.where["owner"].startswith("#")
    assert entry.ids == ("a",)


def test_a_digest_is_keyed_so_that_another_log_has_another(tmp_path):
    digests = []
    for name in "ab":
        with ns.open(tmp_path / name, HashEncoder(), log="hashed") as made:
            made.add(["one"])
            made.search_many([SECRET, SECRET.title()])
            digests.append([entry.digest for entry in made.log])
    assert digests[0][0] == digests[0][1] != digests[1][0]


def test_a_key_that_is_removed_is_drawn_anew_also_for_who_has_the_log_open(notes):
    notes.search(SECRET)
    before = notes.log.digest(SECRET)
    notes.log.flush()
    (notes.log.path / "key").unlink()
    notes.search(SECRET)
    digests = [entry.digest for entry in notes.log]
    assert digests == [before, ns.querylog.open_log(notes.path).digest(SECRET)]
    assert digests[0] != digests[1]


def test_without_its_key_a_digest_of_the_past_says_nothing_any_more(notes):
    notes.search(SECRET)
    notes.close()
    (notes.log.path / "key").unlink()
    log = ns.querylog.open_log(notes.path)
    (entry,) = log
    assert log.digest(SECRET) != entry.digest
    assert log.forget(SECRET) == 0


# -- out


@pytest.mark.parametrize("name", ["log.jsonl", "log.json", "log.csv", "log.tsv", "log.parquet", "log.jsonl.gz"])
def test_an_export_holds_every_entry_and_reads_as_it_was(notes, tmp_path, name):
    notes.search("one two", where={"owner": "Ann Miller"})
    notes.log.choose("one two", "a")
    notes.search("three")
    entries = list(notes.log)
    assert notes.log.export(tmp_path / name) == 2
    from nearsense.files import read_table

    columns = read_table(tmp_path / name).columns
    assert list(columns) == list(ns.types.LoggedQuery.__slots__)
    for row, entry in enumerate(entries):
        wanted = entry.to_dict()
        got = {field: column[row] for field, column in columns.items()}
        if name.endswith((".csv", ".tsv")):
            got = {field: json.loads(got[field] or "null") if field in PARSED else got[field] for field in got}
            got = {field: None if value == "" else value for field, value in got.items()}
        elif name.endswith(".parquet"):
            got["where"] = json.loads(got["where"] or "null")
        assert got == wanted


PARSED = {"where", "k", "ids", "scores", "probabilities", "answered", "latency"}


def test_an_export_of_what_got_no_answer_holds_only_that(notes, tmp_path):
    notes.search("one")
    notes.search("one", min_score=2.0)
    assert notes.log.export(tmp_path / "log.jsonl", unanswered=True) == 1
    assert notes.log.export(tmp_path / "log.jsonl", until="1h") == 0


def test_an_export_names_a_format_that_it_cannot_write(notes, tmp_path):
    with pytest.raises(ns.errors.FileError):
        notes.log.export(tmp_path / "log.docx")
    with pytest.raises(ns.errors.InputError, match="in the log itself"):
        notes.log.export(notes.log.path / "log.csv")
    with pytest.raises(ns.errors.InputError, match="is no time"):
        notes.log.export(tmp_path / "log.csv", since="yesterday")
    assert not list(tmp_path.glob("log.*"))
