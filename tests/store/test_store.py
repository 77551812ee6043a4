"""The store: what it takes, what it refuses, what one sees of another's change. Not crashes: durability/."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from durability.forks import Forks
from nearsense.errors import CollectionNotFound, DamagedCollection, StoreError
from nearsense.records import Document
from nearsense.store import database, lock, open_store, tables
from nearsense.store.generations import Generation
from nearsense.store.lock import one_at_a_time
from nearsense.store.sqlite import CommitMark
from nearsense.store.tables import document_sum, vector_sums
from store.children import add, ids, tickets, until
from turns import in_turn


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "c")
    yield opened
    opened.close()


# What folder it takes


def test_a_missing_folder_is_made_only_when_asked(tmp_path):
    with pytest.raises(CollectionNotFound, match="there is no collection"):
        open_store(tmp_path / "a" / "b", create=False)
    assert not (tmp_path / "a").exists()
    open_store(tmp_path / "a" / "b").close()
    open_store(tmp_path / "a" / "b", create=False).close()


def test_an_empty_folder_becomes_a_collection(tmp_path):
    open_store(tmp_path).close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["collection.db", "lock", "mark"]


def test_a_file_and_a_folder_with_other_files_are_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(CollectionNotFound):
            open_store(path)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_a_database_of_another_program_is_refused_and_not_changed(tmp_path):
    file = tmp_path / "collection.db"
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE theirs (a)")
        other.commit()
    before = file.read_bytes()
    with pytest.raises(CollectionNotFound, match="no collection"):
        open_store(tmp_path)
    assert file.read_bytes() == before
    assert not (tmp_path / "mark").exists()


def test_a_file_that_is_no_database_is_refused_and_not_changed(tmp_path):
    (tmp_path / "collection.db").write_text("hello " * 1000)
    with pytest.raises(DamagedCollection, match="not a database"):
        open_store(tmp_path)
    assert (tmp_path / "collection.db").read_text() == "hello " * 1000


def test_a_newer_schema_is_refused_with_both_numbers(tmp_path, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, "CREATE TABLE more (a INTEGER) STRICT"))
        open_store(tmp_path).close()
    with pytest.raises(StoreError, match=r"has schema (\d+), this nearsense knows (?!\1)\d"):
        open_store(tmp_path)


def test_an_older_schema_gets_what_is_missing_and_keeps_what_is_there(tmp_path, monkeypatch):
    with contextlib.closing(open_store(tmp_path)) as store:
        add(store, "1", "2")
    monkeypatch.setattr(
        tables,
        "MIGRATIONS",
        (
            *tables.MIGRATIONS,
            "CREATE TABLE more (a INTEGER) STRICT; INSERT INTO more SELECT position FROM documents",
        ),
    )
    with contextlib.closing(open_store(tmp_path)) as store, store._database.connection() as connection:
        assert connection.rows("SELECT a FROM more") == [(0,), (1,)]
        assert ids(store) == ["1", "2"]


def test_a_file_that_a_kill_has_left_empty_still_gets_its_checksums(tmp_path):
    (tmp_path / "collection.db").touch()
    with contextlib.closing(open_store(tmp_path)) as store:
        add(store, "1")
    header = (tmp_path / "collection.db").read_bytes()[:100]
    assert int.from_bytes(header[16:18], "big") == database.PAGE_BYTES
    assert header[20] == database.CHECKSUM_BYTES


def test_paths_may_hold_any_characters(tmp_path):
    path = tmp_path / "ünï cødé" / "тикеты 😀 ?#%20&=;'\""
    with contextlib.closing(open_store(path)) as store:
        add(store, "1")
    with contextlib.closing(open_store(path, create=False)) as store:
        assert ids(store) == ["1"]
        (tmp_path / "кopie").mkdir()
        store.backup(tmp_path / "кopie")


def test_a_path_that_sqlite_cannot_name_is_a_clean_error(tmp_path):
    with pytest.raises(StoreError, match="UTF-8"):
        open_store(tmp_path / os.fsdecode(b"\xff"))


@in_turn("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_a_network_file_system_is_refused_unless_asked_for(tmp_path, monkeypatch, kind):
    mounts = tmp_path / "mountinfo"
    point = str(tmp_path.resolve()).replace(" ", r"\040")
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"36 22 0:42 / {point} rw,noatime shared:7 master:1 - {kind} server:/share rw,vers=4\n"
    )
    assert lock.file_system(tmp_path / "c" / "d", mounts) == kind
    assert lock.file_system(tmp_path.parent, mounts) == "ext4"
    monkeypatch.setattr(lock.require_local, "__defaults__", (mounts,))
    with pytest.raises(StoreError, match=kind):
        open_store(tmp_path / "c")
    open_store(tmp_path / "c", network=True).close()


def test_mount_points_with_spaces_and_over_each_other_are_understood(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 a rw\n2 1 8:1 / /data\\040of\\134me rw - nfs b rw\n3 1 8:2 / /x rw - nfs c rw\n"
        "4 3 8:3 / /x rw - xfs d rw\n"
    )
    found = [lock.file_system(Path(path), mounts) for path in ("/data of\\me/c", "/data/c", "/x/c", "/xy")]
    assert found == ["nfs", "ext4", "xfs", "ext4"]
    assert lock.file_system(Path("/x"), tmp_path / "missing") is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written_is_a_clean_error(forks, tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(0o755)
    with contextlib.closing(open_store(tmp_path / "c")) as store:
        add(store, "1")
    said = forks.run("store.children:without_permission", folder=str(tmp_path / "c")).ended_well().said
    assert said == ["StoreError", "StoreError"]
    said = forks.run("store.children:without_permission", folder=str(tmp_path / "new")).ended_well().said
    assert said == ["StoreError", "CollectionNotFound"]
    (tmp_path / "c").chmod(0)
    said = forks.run("store.children:without_permission", folder=str(tmp_path / "c")).ended_well().said
    assert said == ["StoreError", "StoreError"]


def test_a_closed_store_says_so(tmp_path):
    store = open_store(tmp_path / "c")
    store.close()
    store.close()
    for use in (lambda: ids(store), lambda: add(store, "1"), store.vacuum, store.checkpoint, store.integrity):
        with pytest.raises(StoreError, match="is closed"):
            use()


# The mark


def test_a_database_behind_its_mark_has_lost_commits_and_losses_can_be_accepted(tmp_path):
    with contextlib.closing(open_store(tmp_path)) as store:
        add(store, "1")
        old = tmp_path.with_name("old")
        old.mkdir()
        store.backup(old)
        add(store, "1b")
        add(store, "2")
    shutil.copy(old / "collection.db", tmp_path / "collection.db")
    with pytest.raises(DamagedCollection, match="3 commits were acknowledged, 2 are there"):
        open_store(tmp_path)


def test_a_log_that_is_readable_only_up_to_its_first_tables_is_not_begun_anew(tmp_path):
    """What a flipped bit at the start of a long log leaves: tables, and nothing in them."""
    with contextlib.closing(open_store(tmp_path)) as store:
        add(store, "1")
    with (
        contextlib.closing(database.Database(tmp_path / "collection.db")) as opened,
        opened.connection() as connection,
    ):
        connection.run("DELETE FROM state")
        connection.run("DELETE FROM documents")
    with pytest.raises(DamagedCollection, match="no first state"):
        open_store(tmp_path)


@pytest.mark.parametrize("left", [None, b""])
def test_a_database_that_is_gone_is_not_begun_anew(tmp_path, left):
    with contextlib.closing(open_store(tmp_path)) as store:
        add(store, "1")
    (tmp_path / "collection.db").unlink() if left is None else (tmp_path / "collection.db").write_bytes(left)
    for create in (True, False):
        with pytest.raises(DamagedCollection, match="has lost commits"):
            open_store(tmp_path, create=create)


def test_either_copy_of_the_mark_is_enough(tmp_path):
    mark = CommitMark(tmp_path / "mark", b"i" * 16)
    assert mark.read() is None
    mark.reset(5)
    mark.write(6)
    mark.write(7)
    whole = (tmp_path / "mark").read_bytes()
    assert mark.read() == 7
    for copy, left in ((0, 7), (512, 6)):
        for bit in range(28 * 8):
            flipped = bytearray(whole)
            flipped[copy + bit // 8] ^= 1 << bit % 8
            (tmp_path / "mark").write_bytes(flipped)
            assert mark.read() == left
    (tmp_path / "mark").write_bytes(whole[:400])
    assert mark.read() == 6
    assert CommitMark(tmp_path / "mark", b"j" * 16).read() is None
    mark.reset(2)
    assert mark.read() == 2


def test_a_mark_that_is_missing_is_made_again(tmp_path):
    with contextlib.closing(open_store(tmp_path)) as store:
        add(store, "1")
    (tmp_path / "mark").unlink()
    with contextlib.closing(open_store(tmp_path)) as store:
        assert ids(store) == ["1"]
        add(store, "2")
        assert store._mark.read() == 2


# Changes


def test_what_was_written_comes_back_as_it_was(store):
    texts = ["a\0b", "\0", "é😀\u200b\r\n", '"\\', "x" * 1_000_000, "\ufffe", "1"]
    documents = [Document(f"id {text[:9]}", text, {"key\0": [text[:9], None, 1.5, True]}) for text in texts]
    vectors = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    with store.writing() as writer:
        writer.insert(documents, vectors, np.array([0, 1, 0, 0, 0, 0, 0], bool))
    with store.reading() as reader:
        assert reader.documents(list(range(7))) == dict(enumerate(documents))
        assert reader.positions([document.id for document in documents]) == {
            document.id: position for position, document in enumerate(documents)
        }
        assert np.array_equal(reader.vectors([6, 0, 3]), vectors[[6, 0, 3]])
        assert [len(block.documents) for block in reader.blocks(size=3)] == [3, 3, 1]
        assert reader.documents([]) == reader.positions([]) == {}
        assert len(reader.vectors([])) == 0
        assert reader.positions(["no such id"]) == reader.documents([99]) == {}
        assert reader.truncated() == 1
        assert reader.state().facts == {}
    assert store.integrity() == []


def test_positions_are_given_once_and_removals_are_remembered_until_a_generation(store):
    add(store, "1", "2", "3")
    with store.writing() as writer:
        writer.remove([1])
        writer.insert([Document("2", "new")], np.ones((1, 4), np.float32) / 2, np.zeros(1, bool))
    with store.reading() as reader:
        assert reader.positions(["1", "2", "3"]) == {"1": 0, "2": 3, "3": 2}
        assert (reader.removals(0), reader.removals(1), reader.removals(2)) == ([1], [1], [])
        state = reader.state()
        assert (state.sequence, state.position, state.documents) == (2, 4, 3)
    with store.writing() as writer:
        writer.set_generation(Generation("g", 2, 4, {"file": {"bytes": 1}}))
        writer.set_facts({"model": "m", "made": None})
    with store.reading() as reader:
        assert reader.removals(0) == []
        assert reader.generation() == Generation("g", 2, 4, {"file": {"bytes": 1}})
        assert reader.state().facts == {"model": "m", "made": None}


def test_a_change_that_fails_leaves_nothing(store):
    add(store, "1")
    with contextlib.suppress(RuntimeError), store.writing() as writer:
        writer.insert([Document("2", "x")], np.ones((1, 4), np.float32), np.zeros(1, bool))
        raise RuntimeError
    with pytest.raises(StoreError, match="UNIQUE"):
        add(store, "3", "1")
    assert ids(store) == ["1"]
    add(store, "2")
    assert ids(store) == ["1", "2"]


def test_a_reader_sees_the_moment_at_which_it_began(store):
    add(store, "1")
    with store.reading() as before:
        add(store, "2")
        with store.reading() as after:
            assert (before.sequence(), after.sequence()) == (1, 2)
            assert [len(list(reader.contents())) for reader in (before, after)] == [1, 2]
            store.checkpoint()
            assert before.state().documents == 1
    assert len(ids(store)) == 2


def test_nobody_sees_a_change_before_it_is_whole_and_nobody_waits_for_it(store):
    with store.writing() as writer:
        writer.insert([Document("1", "x")], np.ones((1, 4), np.float32), np.zeros(1, bool))
        assert writer.positions(["1"]) == {"1": 0}
        assert ids(store) == []
    assert ids(store) == ["1"]


def test_compaction_waits_for_readers_of_what_it_wipes_out_and_says_so(store):
    add(store, "secret", text="THE DELETED TEXT " * 100)
    store._database.close()
    store._database = database.Database(store.file, busy_ms=50)
    with store.reading() as reader:
        with store.writing() as writer:
            writer.remove([0])
        with pytest.raises(StoreError, match="is held by another process"):
            store.vacuum()
        assert len(list(reader.contents())) == 1
    store.vacuum()
    for file in store.folder.iterdir():
        assert b"THE DELETED TEXT" not in file.read_bytes()


def test_a_backup_is_one_moment_even_while_another_process_writes(tmp_path):
    with contextlib.closing(open_store(tmp_path / "c")) as store:
        add(store, *(str(number) for number in range(3000)), text="x" * 5000)
        script = (
            "import sys; from pathlib import Path; from store.children import add\n"
            "from nearsense.store import open_store\n"
            "store = open_store(Path(sys.argv[1])); n = 0\n"
            "while not (Path(sys.argv[1]).parent / 'stop').exists():\n"
            "    add(store, f'a{n}', f'b{n}'); n += 1\n"
            "    n == 1 and print('begun', flush=True)\n"
            "print(n)"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True, env=environment
        ) as other:
            assert other.stdout.readline() == "begun\n"
            (tmp_path / "b").mkdir()
            try:
                store.backup(tmp_path / "b")
            finally:
                (tmp_path / "stop").touch()
            assert int(other.stdout.readline()) > 1
        with store.reading() as reader:
            last = reader.sequence()
    with contextlib.closing(open_store(tmp_path / "b")) as copy, copy.reading() as reader:
        state = reader.state()
        assert state.documents == len(list(reader.contents())) == 3000 + 2 * (state.sequence - 2)
        assert state.sequence <= last + 1  # the copy's own first commit: it has no derived files
        assert copy.integrity() == []
    assert sorted(each.name for each in (tmp_path / "b").iterdir()) == ["collection.db", "lock", "mark"]


# Sums


def test_every_single_bit_of_a_vector_and_its_place_are_in_its_sum():
    draw = np.random.default_rng(1)
    for width in (1, 2, 7, 384):
        vectors = draw.standard_normal((1, width)).astype(np.float32)
        here = np.array([12345])
        right = vector_sums(vectors, here)
        bits = np.repeat(vectors, width * 32, axis=0).view(np.uint32)
        bits[np.arange(width * 32), np.arange(width * 32) // 32] ^= np.uint32(1) << np.arange(
            width * 32, dtype=np.uint32
        ) % np.uint32(32)
        assert not (vector_sums(bits.view(np.float32), np.repeat(here, width * 32)) == right).any()
        assert not (
            vector_sums(np.repeat(vectors, 64, axis=0), here ^ (1 << np.arange(63).repeat(2)[:64])) == right
        ).any()


def test_random_damage_and_swapped_rows_do_not_pass():
    draw = np.random.default_rng(2)
    vectors = draw.standard_normal((2000, 32)).astype(np.float32)
    places = np.arange(2000)
    right = vector_sums(vectors, places)
    assert np.array_equal(vector_sums(vectors[500:700], places[500:700]), right[500:700])
    damaged = vectors.view(np.uint32).copy()
    for row in range(2000):
        columns = draw.integers(0, 32, draw.integers(1, 6))
        damaged[row, columns] ^= draw.integers(1, 2**32, len(columns), dtype=np.uint32)
    changed = (damaged != vectors.view(np.uint32)).any(axis=1)
    assert not (vector_sums(damaged.view(np.float32), places) == right)[changed].any()
    assert not (vector_sums(np.roll(vectors, 1, axis=0), places) == right).any()


def test_every_part_of_a_document_is_in_its_sum():
    right = document_sum(1, "id", "text", "{}")
    for other in (
        (2, "id", "text", "{}"),
        (1, "ie", "text", "{}"),
        (1, "id", "texu", "{}"),
        (1, "id", "text", "[]"),
    ):
        assert document_sum(*other) != right


def test_a_row_that_was_changed_behind_the_pages_sums_is_noticed(store):
    add(store, "1", "2")
    with store._database.connection() as connection:
        connection.run("UPDATE documents SET text = 'other' WHERE position = 0")
        connection.run("UPDATE vectors SET vector = zeroblob(16) WHERE position = 1")
    with store.reading() as reader:
        for ask in (lambda: reader.documents([0]), lambda: reader.vectors([1]), lambda: list(reader.blocks())):
            with pytest.raises(DamagedCollection, match="checksum"):
                ask()
        assert reader.documents([1])[1].text == "text"
    with store._database.connection() as connection:
        connection.run("DELETE FROM vectors WHERE position = 1")
    with store.reading() as reader, pytest.raises(DamagedCollection, match="missing"):
        reader.vectors([1])


# Whose turn it is: on Linux in the order of arrival; what holds everywhere is in test_locks.py


def test_threads_get_their_turn_in_the_order_of_arrival(tmp_path):
    order, threads = [], []

    def wait(person: int) -> None:
        with one_at_a_time(tmp_path / "lock"):
            order.append(person)

    with one_at_a_time(tmp_path / "lock"):
        for person in range(20):
            before = tickets(tmp_path / "lock")
            threads.append(threading.Thread(target=wait, args=(person,)))
            threads[-1].start()
            until(lambda before=before: tickets(tmp_path / "lock") > before)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == list(range(20))


@pytest.mark.parametrize("killed", [None, 0, 4, 9])
def test_processes_get_their_turn_in_the_order_of_arrival_and_the_dead_are_passed_over(forks, tmp_path, killed):
    said = forks.run("store.children:queue", file=str(tmp_path / "lock"), people=10, killed=killed, limit=20)
    assert [int(line) for line in said.ended_well().said] == [each for each in range(10) if each != killed]


def test_many_processes_may_make_the_same_collection_at_once(forks, tmp_path):
    said = forks.run("store.children:hundred_openings", folder=str(tmp_path / "c"), people=16).ended_well().said
    assert said == ["0"]
    with contextlib.closing(open_store(tmp_path / "c", create=False)) as store:
        assert sorted(ids(store), key=int) == [str(person) for person in range(16)]


# Forks


def test_a_forked_child_goes_on_with_the_store_even_when_its_parent_closes_it(forks, tmp_path):
    said = forks.run("store.children:fork_while_open", folder=str(tmp_path / "c")).ended_well().said
    assert said == ["child sees ['parent']", "['parent', 'child 0', 'child 1', 'child 2']"]


def test_a_child_that_was_forked_in_the_middle_of_a_change_is_told_so_and_harms_nothing(forks, tmp_path):
    said = forks.run("store.children:fork_while_writing", folder=str(tmp_path / "c")).ended_well().said
    assert sum("forked while its parent was" in line for line in said) == 1
    assert sum("spawn" in line for line in said) == 2
    assert said[-1] == "['1', '2']"


def test_a_thousand_metadata_forms_survive(store):
    forms = [{"n": number, "x": [number / 7, str(number), {"deep": None}]} for number in range(1000)]
    with store.writing() as writer:
        writer.insert(
            [Document(str(n), "t", form) for n, form in enumerate(forms)],
            np.ones((1000, 2), np.float32),
            np.zeros(1000, bool),
        )
    with store.reading() as reader:
        assert [json.loads(row[2]) for row in reader.contents()] == forms
