"""A writer is stopped in the middle of a change: who needs no turn does not wait, who needs one says for whom."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import nearsense as ns
from fakes import HashEncoder
from samples import some_of
from turns import in_turn

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="locks of other systems know no holder"
)

STOPPED = """
import os, signal, sys
from pathlib import Path
from nearsense.store import open_store
from nearsense.store.lock import try_alone
path, what = Path(sys.argv[1]), sys.argv[2]
store = open_store(path)
turns = {"write": store.writing, "read": store.reading}
with turns[what]() if what in turns else try_alone(path / what) as turn:
    what == "read" and turn.ids()
    print("in", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def collection(tmp_path):
    with ns.open(tmp_path / "c", HashEncoder(), create=True) as made:
        made.add([ns.Document(str(number), f"text {number}", {"n": number}) for number in range(50)])
        yield made


@contextlib.contextmanager
def stopped(path, what="write"):
    """A process that is stopped in the middle of a change."""
    child = subprocess.Popen([sys.executable, "-c", STOPPED, str(path), what], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "in\n"
        while ") T" not in Path(f"/proc/{child.pid}/stat").read_text():
            time.sleep(0.01)
        yield child
    finally:
        child.send_signal(signal.SIGCONT)
        child.wait(20)
        child.stdout.close()


def test_a_stopped_writer_keeps_no_reader_and_no_opener_waiting(collection, tmp_path, caplog):
    with stopped(collection.path):
        begun = time.monotonic()
        assert collection.search("text 7", k=1)[0].id == "7"
        assert collection.similar("7", k=2)
        assert collection.get("8")[0].text == "text 8"
        assert collection.count({"n": {"<": 5}}) == 5
        assert collection.info().documents == 50
        assert collection.verify().ok
        assert collection.export(tmp_path / "e.jsonl") == 50
        assert collection.backup(tmp_path / "b").is_dir()
        assert collection.sync([ns.Document("0", "text 0")], dry_run=True).removed == 49
        collection.build(if_needed=True)
        with ns.open(collection.path, HashEncoder()) as other:
            assert other.search("text 7", k=1)[0].id == "7"
            other.similar("7")
        assert time.monotonic() - begun < 10
    assert not caplog.records


@in_turn(
    "arguments",
    [
        ["index", "search", "C", "text 7", "--mode", "lexical"],
        ["index", "info", "C"],
        ["index", "verify", "C"],
        ["index", "similar", "C", "1"],
        ["index", "export", "C", "OUT.csv", "--no-vectors"],
        ["index", "backup", "C", "OUT"],
    ],
)
def test_commands_that_only_read_do_not_wait_for_a_stopped_writer(run, tmp_path, arguments):
    with ns.open(tmp_path / "c") as collection:
        collection.add(["text 7", "text 8"], vectors=HashEncoder(384).encode(["text 7", "text 8"]).data)
    names = {"C": str(tmp_path / "c"), "OUT": str(tmp_path / "out"), "OUT.csv": str(tmp_path / "out.csv")}
    with stopped(tmp_path / "c"):
        done = run(*(names.get(each, each) for each in arguments))
    assert done.code == 0, done.err
    assert "waiting" not in done.err


WRITES = {
    "add": lambda collection, path: collection.add([ns.Document("new", "new")]),
    "upsert": lambda collection, path: collection.upsert([ns.Document("1", "new")]),
    "delete": lambda collection, path: collection.delete("1"),
    "sync": lambda collection, path: collection.sync([ns.Document("1", "new")]),
    "build": lambda collection, path: collection.build(),
    "compact": lambda collection, path: collection.compact(),
    "reembed": lambda collection, path: collection.reembed(HashEncoder(8)),
    "calibration": lambda collection, path: setattr(collection, "calibration", None),
    "kind": lambda collection, path: collection.build(index="exact"),
}


@pytest.mark.parametrize("write", some_of(WRITES, "add", "build", "reembed"))
def test_who_waits_for_a_stopped_writer_says_for_whom(collection, tmp_path, caplog, write):
    write = WRITES[write]
    done = []
    with stopped(collection.path) as child:
        thread = threading.Thread(target=lambda: done.append(write(collection, tmp_path)))
        thread.start()
        begun = time.monotonic()
        while not caplog.records and time.monotonic() - begun < 10:
            time.sleep(0.02)
        assert time.monotonic() - begun < 3  # a second of waiting, and what was done before
        message = caplog.records[0].getMessage()
        assert f"waiting for process {child.pid} (" in message
        assert "which is stopped" in message
        assert str(collection.path / "lock") in message
        assert not done
    thread.join(30)
    assert done
    assert collection.verify().ok


def test_who_waits_for_a_stopped_reader_says_for_whom(collection, caplog):
    done = []
    with stopped(collection.path, "read") as child:
        thread = threading.Thread(target=lambda: done.append(collection.compact()))
        thread.start()
        begun = time.monotonic()
        while not caplog.records and time.monotonic() - begun < 10:
            time.sleep(0.02)
        message = caplog.records[0].getMessage()
        assert f"waiting for process {child.pid} (" in message
        assert "which is stopped" in message
        assert not done
    thread.join(30)
    assert done
    assert collection.verify().ok


def test_who_waits_for_a_stopped_builder_says_for_whom(collection, caplog):
    with stopped(collection.path, "builder.lock") as child:
        thread = threading.Thread(target=collection.build)
        thread.start()
        begun = time.monotonic()
        while not caplog.records and time.monotonic() - begun < 10:
            time.sleep(0.02)
        assert f"process {child.pid} (" in caplog.records[0].getMessage()
        assert "builder.lock" in caplog.records[0].getMessage()
    thread.join(30)
    assert collection.info().index == "exact"


@pytest.mark.parametrize("verb", some_of(["add C IN", "delete C 0", "build C"], "add C IN"))
def test_a_command_that_waits_for_a_stopped_writer_says_so_on_stderr(tmp_path, verb):
    with ns.open(tmp_path / "c") as collection:
        collection.add(["text 7", "text 8"], vectors=HashEncoder(384).encode(["text 7", "text 8"]).data)
    (tmp_path / "in.jsonl").write_text('{"id": "new", "text": "a new one"}\n')
    names = {"C": str(tmp_path / "c"), "IN": str(tmp_path / "in.jsonl")}
    with stopped(tmp_path / "c") as child:
        command = [sys.executable, "-m", "nearsense", "index", *(names.get(each, each) for each in verb.split())]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.set_blocking(run.stderr.fileno(), True)
        said = run.stderr.readline()
        while said and "waiting" not in said:
            said = run.stderr.readline()
        assert f"waiting for process {child.pid} (" in said
        assert run.poll() is None
    _, rest = run.communicate(timeout=60)
    assert run.returncode == 0, rest


def test_closing_does_not_wait_for_ever_for_a_build_that_waits(tmp_path, monkeypatch, caplog):
    from nearsense.collection import snapshot, upkeep

    monkeypatch.setattr(upkeep, "REST", 0.01)
    monkeypatch.setattr(snapshot, "MINIMUM", 10)
    monkeypatch.setattr(upkeep, "PATIENCE", 0.5)
    collection = ns.open(tmp_path / "c", HashEncoder())
    with caplog.at_level(logging.CRITICAL, "nearsense"):
        with stopped(tmp_path / "c"):
            other = ns.open(tmp_path / "c", HashEncoder())
            monkeypatch.setattr(type(other._engine), "overdue", lambda self: True)
            other._engine._background.ask()
            time.sleep(1)
            begun = time.monotonic()
            other.close()
            assert time.monotonic() - begun < 5
        collection.close()


def test_a_lock_that_threads_of_one_process_want_says_so(collection, caplog):
    with collection._engine.store.writing():
        thread = threading.Thread(target=lambda: collection.delete("1"))
        thread.start()
        while not caplog.records:
            time.sleep(0.02)
        assert "another thread of this process" in caplog.records[0].getMessage()
    thread.join(30)
    assert collection.count() == 49
