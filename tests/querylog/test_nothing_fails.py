"""A log that cannot be kept fails nobody: the answer comes, one warning says so, and what is lost is counted."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.store import querylog


@pytest.fixture
def notes(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder(), log=True) as made:
        made.add(["one two", "three"])
        yield made


def answers(notes, count=3):
    """Searches that all have to answer, each written at once."""
    for number in range(count):
        assert notes.search(f"one {number}")[0].id == "0"
        notes.log.flush()


def warned(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_full_disk_fails_no_search(notes, monkeypatch, caplog):
    real = os.write

    def full(descriptor, data):
        if b'"query"' in data or b'"lost"' in data:
            raise OSError(28, os.strerror(28))
        return real(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(querylog.os, "write", full)
        answers(notes)
    assert len(warned(caplog)) == 1
    assert "No space left" in warned(caplog)[0]
    answers(notes, 1)
    assert [entry.query for entry in notes.log] == ["one 0"]
    assert notes.log.lost == notes.log.missing() == 3
    assert notes.log.missing(until="1h") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="another system's full device")
def test_a_device_that_is_really_full_fails_no_search(notes, tmp_path, caplog):
    answers(notes, 1)
    segment = notes.log.path / "00000001.log"
    segment.unlink()
    segment.symlink_to("/dev/full")  # no link is followed; nor would anything fit behind it
    answers(notes)
    assert len(warned(caplog)) == 1
    assert notes.log.lost == 3


@pytest.mark.parametrize("kind", ["a file", "a folder of others", "a link to a folder"])
def test_where_something_else_lies_in_its_place_no_search_fails_and_it_stays(notes, tmp_path, caplog, kind):
    place = tmp_path / "c.queries"
    if kind == "a file":
        place.write_text("mine")
    elif kind == "a folder of others":
        place.mkdir()
        (place / "mine.txt").write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "mine.txt").write_text("mine")
        place.symlink_to(tmp_path / "elsewhere")
    answers(notes)
    assert len(warned(caplog)) == 1
    assert [file.read_text() for file in tmp_path.rglob("mine.txt")] in ([], ["mine"])
    assert not list(tmp_path.rglob("*.log"))


@pytest.mark.parametrize("damage", [b"", b"\0" * 5000, b"{not json", "half a lüne".encode()[:-3]])
def test_a_broken_log_fails_no_search_and_what_is_whole_in_it_is_read(notes, caplog, damage):
    answers(notes, 2)
    file = notes.log.path / "00000001.log"
    file.write_bytes(file.read_bytes() + damage)
    answers(notes, 1)
    assert [entry.query for entry in notes.log] == ["one 0", "one 1", "one 0"]
    assert notes.log.lost == 0
    assert len(warned(caplog)) == bool(damage)


def test_a_torn_line_is_left_out_and_told(notes, caplog):
    answers(notes, 3)
    file = notes.log.path / "00000001.log"
    file.write_bytes(file.read_bytes()[:-100])
    assert [entry.query for entry in notes.log] == ["one 0", "one 1"]
    assert notes.log.damaged == 1
    assert "a line is not what was written" in warned(caplog)[0]
    list(notes.log)
    assert len(warned(caplog)) == 1, "it is told once"


def test_the_folder_may_be_removed_while_it_is_used(notes, caplog):
    import shutil

    answers(notes, 1)
    shutil.rmtree(notes.log.path)
    answers(notes, 2)
    assert [entry.query for entry in notes.log] == ["one 0", "one 1"]
    assert warned(caplog) == []


def test_a_search_does_not_wait_for_a_log_that_is_stuck(notes, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def stuck(self, lines):
        begun.set()
        go.wait(30)

    monkeypatch.setattr(querylog.LogFolder, "append", stuck)
    notes.search("one")
    assert begun.wait(30)
    begin = time.monotonic()
    for _ in range(20):
        notes.search("one")
    assert time.monotonic() - begin < 5
    go.set()


def test_a_thread_that_cannot_be_started_fails_no_search(notes, monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    notes.search("one")
    monkeypatch.undo()
    assert [entry.query for entry in notes.log] == ["one"]


def test_a_closed_log_takes_no_choice_and_says_so_and_can_still_be_read(notes):
    hits = notes.search("one")
    notes.close()
    with pytest.raises(ns.errors.StoreError, match="is closed"):
        notes.log.choose(hits, hits[0])
    assert [entry.query for entry in notes.log] == ["one"]


def test_a_log_of_no_megabytes_is_no_log(tmp_path, monkeypatch):
    monkeypatch.setenv("NEARSENSE_LOG_MB", "0")
    with ns.open(tmp_path / "c", HashEncoder(), log=True) as made:
        made.add(["one"])
        made.search("one")
        assert list(made.log) == []
    assert not made.log.path.exists()


@pytest.mark.parametrize("huge", [10**5000, "x" * 10_000], ids=["number", "text"])
def test_a_filter_that_is_too_large_is_not_kept_and_the_query_is(tmp_path, huge):
    with ns.open(tmp_path / "c", HashEncoder(), log=True) as made:
        made.add([ns.Document("a", "one", {"size": 1})])
        made.search("one", where={"size": {"in": [huge, 1]}})
        made.log.flush()
        assert made.log.lost == 0
        (entry,) = made.log
        assert entry.query == "one"
        assert entry.where == {"…": "too long to be kept"}
