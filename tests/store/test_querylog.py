"""What a log does on the disk: nothing is torn or grows without end, what is forgotten is gone, nobody waits."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from nearsense._folder import Folder
from nearsense.errors import StoreError
from nearsense.store import querylog
from nearsense.store.lock import try_alone
from nearsense.store.querylog import LogFolder, Passing

FOLDERS = pytest.mark.skipif(not hasattr(os, "fork"), reason="another system")


@pytest.fixture
def folder(tmp_path):
    return LogFolder(tmp_path / "log", max_bytes=1_000_000)


def passing(folder):
    return Passing(folder, lambda item: [str(item).encode()], lambda count: b"lost %d" % count)


def everything(folder):
    """All bytes that lie in the folder."""
    return b"".join(each.read_bytes() for each in sorted(folder.path.iterdir()))


# -- what is written


def test_lines_come_back_as_they_were_written_in_their_order(folder):
    folder.append([b"one", "zwei ü".encode()])
    folder.append([b""])
    folder.append([b"three"])
    assert list(LogFolder(folder.path, 1).lines()) == [b"one", "zwei ü".encode(), b"", b"three"]
    assert folder.damaged == 0


def test_a_torn_end_is_left_out_and_counted_and_the_next_line_is_whole(folder):
    folder.append([b"one", b"two"])
    file = folder.path / "00000001.log"
    whole = file.read_bytes()
    for cut in range(whole.index(b"\n") + 2, len(whole)):
        file.write_bytes(whole[:cut])
        folder.append([b"three"])
        kept = cut == len(whole) - 1  # all but its end
        assert list(folder.lines()) == [b"one", *([b"two"] if kept else []), b"three"]
        assert folder.damaged == (not kept)


def test_a_line_with_a_flipped_bit_is_left_out_and_counted(folder):
    folder.append([b"one", b"two", b"three"])
    file = folder.path / "00000001.log"
    file.write_bytes(file.read_bytes().replace(b"two", b"twp"))
    assert list(folder.lines()) == [b"one", b"three"]
    assert folder.damaged == 1


def test_a_log_stays_below_its_bound_and_the_oldest_lines_go_first(tmp_path):
    folder = LogFolder(tmp_path / "log", max_bytes=8_000)
    for start in range(0, 2000, 7):
        folder.append([b"line %06d" % number for number in range(start, start + 7)])
        assert folder.size() <= 8_000
    numbers = [int(line.split()[1]) for line in folder.lines()]
    assert numbers == list(range(numbers[0], 2002))
    assert len(numbers) >= 8_000 * 7 // 8 // 22 - 50, "no more is thrown away than has to be"
    assert len(list(folder.path.glob("*.log"))) <= 8


def test_a_batch_larger_than_a_segment_goes_into_several(tmp_path):
    folder = LogFolder(tmp_path / "log", max_bytes=80_000)
    folder.append([b"x" * 100 for _ in range(600)])
    assert len(list(folder.lines())) == 600
    assert max(each.stat().st_size for each in folder.path.glob("*.log")) <= 10_000


def test_a_log_of_no_size_writes_nothing(tmp_path):
    folder = LogFolder(tmp_path / "log", max_bytes=0)
    folder.append([b"one"])
    assert not folder.path.exists()


def test_the_key_is_drawn_once_and_kept(folder):
    assert len(folder.key()) == 32
    assert LogFolder(folder.path, 1).key() == folder.key()
    assert LogFolder(folder.path.with_name("other"), 1).key() != folder.key()


@pytest.mark.parametrize("strange", ["notes.txt", "00000001.log.bak", "keys"])
def test_a_folder_that_holds_anything_else_is_no_log_and_stays_as_it_is(folder, strange):
    folder.path.mkdir()
    (folder.path / strange).write_text("mine")
    for use in (lambda: folder.append([b"one"]), folder.require_mine, folder.key):
        with pytest.raises(StoreError, match="is no query log"):
            use()
    assert [each.name for each in folder.path.iterdir()] == [strange]


def test_what_a_file_manager_leaves_in_a_log_does_not_end_it(folder):
    folder.key()
    folder.append([b"one"])
    (folder.path / ".DS_Store").write_text("where the window was")
    other = LogFolder(folder.path, 1_000_000)
    other.append([b"two"])
    assert list(other.lines()) == [b"one", b"two"]


def test_a_file_where_the_folder_should_be_is_refused_and_stays(folder):
    folder.path.write_text("mine")
    with pytest.raises(StoreError, match="is no query log"):
        folder.append([b"one"])
    assert folder.path.read_text() == "mine"


@pytest.mark.parametrize("name", ["00000001.log", "key", "lock"])
def test_a_link_in_the_folder_is_not_followed(folder, tmp_path, name):
    target = tmp_path / "target"
    target.write_text("theirs")
    folder.path.mkdir()
    (folder.path / name).symlink_to(target)
    with pytest.raises(StoreError):
        folder.append([folder.key()])
    assert target.read_text() == "theirs"


# -- forgetting


def test_what_is_forgotten_is_in_no_file_any_more_and_all_else_is(tmp_path):
    folder = LogFolder(tmp_path / "log", max_bytes=80_000)
    folder.append([b"secret %04d" % n if n % 3 == 0 else b"public %04d" % n for n in range(900)])
    assert folder.blank(lambda line: line.startswith(b"secret")) == 300
    assert b"secret" not in everything(folder)
    assert list(folder.lines()) == [b"public %04d" % n for n in range(900) if n % 3]
    assert folder.damaged == 0


def test_forgetting_takes_torn_lines_along_since_nobody_knows_what_they_say(folder):
    folder.append([b"one", b"secret"])
    file = folder.path / "00000001.log"
    file.write_bytes(file.read_bytes()[:-4])
    assert folder.blank(lambda line: False) == 0
    assert b"sec" not in everything(folder)


def test_lines_that_are_written_while_others_are_forgotten_stay(folder):
    writers = [
        threading.Thread(target=lambda: [folder.append([b"keep"] * 5) for _ in range(60)]) for _ in range(3)
    ]
    folder.append([b"secret"] * 50)
    for each in writers:
        each.start()
    gone = sum(folder.blank(lambda line: line == b"secret") for _ in range(20))
    for each in writers:
        each.join()
    assert gone == 50
    assert list(folder.lines()) == [b"keep"] * 900


# -- in passing


def test_what_was_put_is_written_within_a_second_without_being_asked(folder):
    log = passing(folder)
    begin = time.monotonic()
    log.put("one")
    while not list(folder.lines()):
        assert time.monotonic() < begin + 5
        time.sleep(0.01)
    assert list(folder.lines()) == [b"one"]
    assert querylog.EVERY < 1


def test_the_thread_ends_when_nothing_comes_and_begins_again(folder, monkeypatch):
    monkeypatch.setattr(querylog, "EVERY", 0.01)
    monkeypatch.setattr(querylog, "IDLE", 0.01)
    log = passing(folder)
    for number in range(5):
        log.put(number)
        thread = log._thread
        if thread is not None:
            thread.join(5)
    log.flush()
    assert [int(line) for line in folder.lines()] == [0, 1, 2, 3, 4]
    assert log._thread is None or not log._thread.is_alive()


def test_what_does_not_fit_is_counted_and_said_and_nobody_waits(folder, monkeypatch, caplog):
    monkeypatch.setattr(querylog, "MOST", 10)
    monkeypatch.setattr(querylog, "EVERY", 60.0)
    log = passing(folder)
    for number in range(25):
        log.put(number)
    assert log.lost == 15
    log.flush()
    log.put("after")
    log.flush()
    assert list(folder.lines()) == [*(b"%d" % n for n in range(10)), b"lost 15", b"after"]
    assert len(caplog.records) == 1
    assert log.lost == 15


def test_one_call_may_be_larger_than_what_may_wait(folder, monkeypatch):
    monkeypatch.setattr(querylog, "MOST", 10)
    log = Passing(folder, lambda item: [b"line"] * item, lambda count: b"lost %d" % count)
    log.put(500, 500)
    log.put(3, 3)
    log.flush()
    assert list(folder.lines()) == [b"line"] * 500 + [b"lost 3"]


def test_one_that_cannot_be_written_is_no_harm_to_the_others(folder, caplog):
    def encode(item):
        if item == "bad":
            raise ValueError("no line")
        return [item.encode()]

    log = Passing(folder, encode, lambda count: b"lost %d" % count)
    for item in ("one", "bad", "two", "bad"):
        log.put(item)
    log.flush()
    assert list(folder.lines()) == [b"one", b"two"]
    assert log.lost == 2
    assert len(caplog.records) == 1


def test_a_full_disk_loses_what_does_not_fit_says_so_once_and_goes_on_later(folder, monkeypatch, caplog):
    log, real, full = passing(folder), os.write, True

    def write(descriptor, data):
        if full and b"two" in data:
            real(descriptor, data[:5])
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    log.put("one")
    log.flush()
    monkeypatch.setattr(querylog.os, "write", write)
    for _ in range(3):
        log.put("two")
        log.flush()
    assert list(folder.lines()) == [b"one"]
    assert folder.damaged == 0, "what was half written was taken back"
    full = False
    log.put("three")
    log.flush()
    assert list(folder.lines()) == [b"one", b"three", b"lost 3"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text


@FOLDERS
def test_a_folder_that_may_not_be_written_fails_nobody_and_can_be_read(caplog):
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = LogFolder(Path(place, "log"), 1000)
        folder.append([b"one"])
        for each in (folder.path, *folder.path.iterdir()):
            each.chmod(0o555)
        child = os.fork()
        if not child:
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            log = passing(folder)
            log.put("two")
            log.close()
            os._exit(0 if (log.lost, list(folder.lines()), len(caplog.records)) == (1, [b"one"], 1) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        folder.path.chmod(0o700)


def test_a_place_where_no_folder_can_be_made_fails_nobody(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    log = passing(LogFolder(tmp_path / "file" / "log", 1000))
    for _ in range(3):
        log.put("one")
        log.flush()
    log.close()
    assert log.lost == 3
    assert len(caplog.records) == 1


def test_while_somebody_else_does_not_end_their_turn_what_was_put_waits_and_is_kept(folder, monkeypatch, caplog):
    monkeypatch.setattr(querylog, "PATIENCE", 0.02)
    log = passing(folder)
    folder.append([b"first"])
    with try_alone(folder.path / "lock", private=True) as mine:
        assert mine
        log.put("one")
        log.flush()
        log.put("two")
        log.flush()
    log.flush()
    assert list(folder.lines()) == [b"first", b"one", b"two"]
    assert (log.lost, log._waiting, caplog.records) == (0, 0, [])


def test_closing_does_not_wait_for_ever(folder, monkeypatch, caplog):
    monkeypatch.setattr(querylog, "PATIENCE", 0.02)
    log = passing(folder)
    folder.append([b"first"])
    with try_alone(folder.path / "lock", private=True):
        log.put("one")
        log.close()
    assert log.lost == 1
    assert "is held by somebody else" in caplog.text


def test_reading_does_not_wait_for_ever_either(folder, monkeypatch):
    monkeypatch.setattr(querylog, "PATIENCE", 0.02)
    folder.append([b"first"])
    with try_alone(folder.path / "lock", private=True):
        assert list(folder.lines()) == [b"first"]


def write_some(path, name, count):
    """A process of its own: four threads that write."""
    log = passing(LogFolder(path, 10_000_000))

    def some(thread):
        for number in range(count):
            log.put(f"{name} {thread} {number}")
            if number % 50 == 0:
                log.flush()

    threads = [threading.Thread(target=some, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if name % 2:
        log.close()  # the others rely on what happens at their end


def test_eight_processes_of_four_threads_lose_nothing_and_tear_nothing(tmp_path):
    spawn = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
    spawn.set_forkserver_preload(["nearsense.store.querylog"])
    path, count = tmp_path / "log", 150
    writers = [spawn.Process(target=write_some, args=(path, name, count)) for name in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join(60)
    assert [each.exitcode for each in writers] == [0] * 8
    folder = LogFolder(path, 10_000_000)
    found = [tuple(map(int, line.split())) for line in folder.lines()]
    assert folder.damaged == 0
    assert len(found) == len(set(found)) == 8 * 4 * count
    for name in range(8):
        for thread in range(4):
            own = [number for process, of, number in found if (process, of) == (name, thread)]
            assert own == list(range(count)), "each thread's lines keep their order"


@FOLDERS
def test_a_forked_child_writes_what_it_was_asked_and_not_again_what_its_parent_was(folder):
    log = passing(folder)
    log.put("parent before")
    child = os.fork()
    if not child:
        log.put("child")
        log.close()
        os._exit(0)
    os.waitpid(child, 0)
    log.put("parent after")
    log.flush()
    assert sorted(folder.lines()) == [b"child", b"parent after", b"parent before"]


@FOLDERS
def test_a_fork_in_the_middle_of_writing_leaves_no_lock_behind(folder, monkeypatch):
    log, real = passing(folder), querylog._append

    def slow(*args):
        time.sleep(0.2)
        return real(*args)

    monkeypatch.setattr(querylog, "_append", slow)
    log.put("parent")
    writer = threading.Thread(target=log.flush)
    writer.start()
    time.sleep(0.05)
    child = os.fork()
    if not child:
        log.put("child")
        log.close()
        os._exit(log.lost)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writer.join()
    assert sorted(folder.lines()) == [b"child", b"parent"]


def test_what_waits_is_written_when_the_program_ends(folder):
    code = f"""
from pathlib import Path
from nearsense.store.querylog import LogFolder, Passing
log = Passing(LogFolder(Path({str(folder.path)!r}), 10**6), lambda item: [item.encode()], lambda count: b"lost")
log.put("one")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert list(folder.lines()) == [b"one"]


def test_a_reader_beside_a_writer_sees_whole_lines_only(folder):
    log, stop = passing(folder), threading.Event()

    def write():
        while not stop.is_set():
            log.put("x" * 500)
            log.flush()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(30):
        assert set(folder.lines()) <= {b"x" * 500}
        assert folder.damaged == 0
    stop.set()
    writer.join()


def test_a_folder_is_made_for_its_owner_alone_and_so_are_its_files(folder):
    old = os.umask(0)
    try:
        folder.append([b"one"])
        folder.key()
    finally:
        os.umask(old)
    with Folder(folder.path) as opened:
        assert {opened.status(name).st_mode & 0o777 for name in opened.names()} == {0o600}
    assert folder.path.stat().st_mode & 0o777 == 0o700
