"""What a collection's upkeep does with its log: nothing is copied or exported, and compact keeps its promise."""

from __future__ import annotations

import pytest

import nearsense as ns
from fakes import HashEncoder


@pytest.fixture
def notes(tmp_path):
    with ns.open(tmp_path / "notes", HashEncoder(), log=True) as made:
        made.add(["one two", "three four"])
        made.search("a question about one")
        made.log.flush()
        yield made


def held(folder, text):
    return [file.name for file in folder.rglob("*") if file.is_file() and text in file.read_bytes()]


def test_a_backup_and_an_export_hold_no_query(notes, tmp_path):
    notes.backup(tmp_path / "copy")
    notes.export(tmp_path / "all.jsonl")
    assert held(tmp_path / "copy", b"question about") == []
    assert b"question" not in (tmp_path / "all.jsonl").read_bytes()
    assert not (tmp_path / "copy.queries").exists()


def test_the_log_holds_no_text_of_a_document_so_compact_keeps_its_promise(notes, tmp_path):
    notes.search("one", k=2)
    notes.similar("0")
    faq = ns.FAQ(notes, encoder=HashEncoder(), log=notes.log)
    faq.answer("two")
    other = ns.FAQ(notes, encoder=HashEncoder(), log=notes.path)
    other.answer("two")
    other.log.flush()
    notes.delete("0")
    notes.compact()
    notes.log.flush()
    assert held(tmp_path, b"one two") == []
    assert len(list(notes.log)) == 4


def test_a_damaged_log_is_no_finding_of_the_collection(notes):
    (notes.log.path / "00000001.log").write_bytes(b"\0" * 1000)
    assert notes.verify().ok


def test_info_says_that_a_collection_is_logged_and_counts_no_byte_of_the_log(notes):
    assert notes.info().log is None, "this handle was opened so, the collection was not told"
    before = notes.info().size
    notes.search_many([f"question {number}" for number in range(500)])
    notes.log.flush()
    assert notes.info().size == before
    notes.set_log(True)
    assert notes.info().log == "on"
    notes.set_log("hashed")
    assert notes.info().log == "hashed"
    assert notes.info().to_dict()["log"] == "hashed"


def test_after_a_change_of_the_model_entries_say_which_model_answered(notes):
    first = notes.search("one").origin.fingerprint
    other = HashEncoder(name="other")
    notes.reembed(other)
    notes.search("one")
    assert [entry.model for entry in notes.log][1:] == [first, other.fingerprint]


def test_set_log_holds_for_this_handle_at_once(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder()) as made:
        made.add(["one"])
        made.search("before")
        made.set_log(True)
        made.search("meanwhile")
        made.set_log(False)
        made.search("after")
        assert made.log is None
    assert [entry.query for entry in ns.querylog.open_log(tmp_path / "c")] == ["meanwhile"]


def test_a_collection_that_may_not_be_written_can_be_logged_all_the_same(notes, tmp_path, monkeypatch):
    from nearsense.store import readonly

    monkeypatch.setattr(readonly, "only_readable", lambda folder: True)
    with ns.open(tmp_path / "notes", HashEncoder(), log=True) as still:
        still.search("read only")
        with pytest.raises(ns.errors.StoreError):
            still.set_log(True)
        assert [entry.query for entry in still.log][-1] == "read only"


def test_no_log_goes_into_the_folder_of_a_collection(notes, tmp_path):
    with pytest.raises(ns.errors.InputError, match="lies within the collection"):
        ns.querylog.open_log(tmp_path / "notes" / "log")
    with pytest.raises(ns.errors.StoreError, match="is no query log"):
        ns.querylog.open_log(tmp_path)
    assert ns.querylog.open_log(tmp_path / "notes").path == notes.log.path
