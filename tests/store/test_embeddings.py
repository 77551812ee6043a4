"""The cache file of vectors: it gives back what was put or nothing, whatever happens to its file."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from hashlib import shake_128
from pathlib import Path

import numpy as np
import pytest

from nearsense.errors import MissingExtra
from nearsense.store import embeddings
from nearsense.store.database import Database
from nearsense.store.embeddings import EmbeddingCache

WIDTH = 64
BOUND = 100_000_000


def keys_of(*numbers: int) -> list[bytes]:
    return [shake_128(b"key %d" % number).digest(16) for number in numbers]


def truth(keys: list[bytes]) -> np.ndarray:
    """The vector that belongs to each key, whoever asks."""
    return np.array([np.frombuffer(shake_128(key).digest(4 * WIDTH), np.uint32) for key in keys], np.float32)


def tokens_of(keys: list[bytes]) -> np.ndarray:
    return np.array([key[0] for key in keys])


def put(cache: EmbeddingCache, keys: list[bytes]) -> None:
    cache.put(keys, truth(keys), tokens_of(keys))


def found(cache: EmbeddingCache, keys: list[bytes]) -> int:
    """How many of the keys are known, once it is certain that none is answered wrongly."""
    known = cache.get(keys, WIDTH)
    there = [keys[row] for row in known.rows]
    assert (np.diff(known.rows) > 0).all()
    if there:
        np.testing.assert_array_equal(known.vectors, truth(there))
        np.testing.assert_array_equal(known.tokens, tokens_of(there))
    return len(there)


@pytest.fixture(params=[30, pytest.param(150, marks=pytest.mark.slow)], ids="{} places".format)
def places(request):
    """In how many places a file is damaged."""
    return request.param


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cache" / "embeddings.db"


@pytest.fixture
def cache(file):
    cache = EmbeddingCache(file, BOUND)
    yield cache
    cache.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A closed file with 500 vectors, and its keys."""
    path = tmp_path_factory.mktemp("filled") / "embeddings.db"
    cache, keys = EmbeddingCache(path, BOUND), keys_of(*range(500))
    for start in range(0, 500, 70):
        put(cache, keys[start : start + 70])
    cache.close()
    return path, keys


# What it promises


def test_what_was_put_comes_back_and_nothing_else(cache):
    keys = keys_of(*range(100))
    assert found(cache, keys) == 0
    put(cache, keys[::2])
    known = cache.get(keys[::-1], WIDTH)
    assert known.rows.tolist() == list(range(1, 100, 2))
    assert found(cache, keys) == 50
    assert found(cache, []) == 0


def test_more_than_one_question_holds_comes_back_in_order(cache):
    keys = keys_of(*range(20_000))
    put(cache, keys)
    assert found(cache, keys) == 20_000
    assert found(cache, keys[::-7]) == len(keys[::-7])


def test_it_survives_being_closed(cache, file):
    keys = keys_of(*range(10))
    put(cache, keys)
    cache.close()
    again = EmbeddingCache(file, BOUND)
    assert found(again, keys) == found(cache, keys) == 10
    again.close()


def test_a_known_key_keeps_what_it_has(cache):
    keys = keys_of(1, 2, 3)
    put(cache, keys[:2])
    cache.put(
        [*keys, keys[2]], np.vstack([np.zeros((2, WIDTH)), truth(keys[2:] * 2)]), tokens_of([*keys, keys[2]])
    )
    assert found(cache, keys) == 3


def test_keys_that_share_their_first_half_do_not_meet(cache):
    key, twin = b"12345678abcdefgh", b"12345678ABCDEFGH"
    put(cache, [key])
    assert found(cache, [twin]) == 0


def test_nothing_is_made_before_it_is_asked(file):
    EmbeddingCache(file, BOUND).close()
    assert not file.parent.exists()


def test_a_bound_of_zero_is_no_cache(file):
    cache = EmbeddingCache(file, 0)
    put(cache, keys_of(1))
    assert found(cache, keys_of(1)) == 0
    assert not file.parent.exists()


def test_nobody_else_may_read_it(cache, file):
    put(cache, keys_of(1))
    assert {path.stat().st_mode & 0o077 for path in file.parent.glob("embeddings.db*")} == {0}


# Its size


def test_the_file_keeps_its_bound_and_what_came_last(file):
    bound, keys = 3_000_000, keys_of(*range(40_000))
    cache = EmbeddingCache(file, bound)
    for start in range(0, len(keys), 1000):
        put(cache, keys[start : start + 1000])
        assert file.stat().st_size <= bound
        assert found(cache, keys[start : start + 1000]) == 1000
    assert 4_000 < found(cache, keys) < bound / (4 * WIDTH)
    cache.close()
    assert sum(path.stat().st_size for path in file.parent.iterdir()) <= bound


def test_what_was_used_on_a_later_day_outlives_what_was_not(file, monkeypatch):
    cache, old, new = EmbeddingCache(file, 3_000_000), keys_of(*range(6000)), keys_of(*range(6000, 11_000))
    monkeypatch.setattr(embeddings, "_today", lambda: 20_000)
    put(cache, old)
    monkeypatch.setattr(embeddings, "_today", lambda: 20_001)
    assert found(cache, old[:500]) == 500
    for start in range(0, len(new), 1000):
        put(cache, new[start : start + 1000])
    assert found(cache, new) == 5000
    assert found(cache, old[:500]) == 500
    assert found(cache, old[600:2600]) == 0
    cache.close()


def test_a_day_s_use_is_noted_once(cache, monkeypatch):
    put(cache, keys_of(1, 2))
    noted = []
    monkeypatch.setattr(embeddings, "_stamp", lambda db, slabs: noted.append(slabs))
    found(cache, keys_of(1, 2))
    assert noted == []
    monkeypatch.setattr(embeddings, "_today", lambda: 10**6)
    found(cache, keys_of(1, 2))
    assert len(noted) == 1


def test_a_bound_that_was_lowered_by_much_begins_anew(filled, file):
    file.parent.mkdir()
    shutil.copy(filled[0], file)
    large = keys_of(*range(10_000, 40_000))
    cache = EmbeddingCache(file, BOUND)
    put(cache, large)
    cache.close()
    small = EmbeddingCache(file, 1_000_000)
    put(small, filled[1])
    assert found(small, filled[1]) == 500
    assert file.stat().st_size <= 1_000_000
    small.close()


def test_a_bound_too_small_for_a_batch_keeps_what_fits(file):
    cache = EmbeddingCache(file, 400_000)
    keys = keys_of(*range(5000))
    put(cache, keys)
    assert 100 < found(cache, keys) < 1600
    assert file.stat().st_size <= 400_000
    cache.close()


# Damage


def attack(path: Path, keys: list[bytes], monkeypatch) -> int:
    """Use a file that something happened to, as a program would; says how many vectors had survived."""
    monkeypatch.setattr(embeddings, "PAUSE", 0.0)
    cache = EmbeddingCache(path, BOUND)
    survived = found(cache, keys)
    for _ in range(3):  # damage may show up only where the next change comes by
        put(cache, keys)
        if found(cache, keys) == len(keys):
            break
    assert found(cache, keys) == len(keys)
    cache.close()
    return survived


def test_flipped_bits_never_give_an_error_or_a_wrong_vector(filled, file, places, monkeypatch):
    content, chance = filled[0].read_bytes(), np.random.default_rng(5)
    file.parent.mkdir()
    for place in [*range(16, 32), *chance.integers(0, len(content), places).tolist()]:
        broken = bytearray(content)
        broken[place] ^= 1 << int(chance.integers(8))
        file.write_bytes(broken)
        attack(file, filled[1], monkeypatch)
        file.unlink(missing_ok=True)


def test_overwritten_blocks_never_give_an_error_or_a_wrong_vector(filled, file, places, monkeypatch):
    content, chance = filled[0].read_bytes(), np.random.default_rng(6)
    file.parent.mkdir()
    for block in chance.integers(0, len(content) // 512, places // 3):
        broken = bytearray(content)
        broken[block * 512 : (block + 1) * 512] = chance.bytes(512)
        file.write_bytes(broken)
        attack(file, filled[1], monkeypatch)
        file.unlink(missing_ok=True)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 99, 100, 511, 8191, 8192, 8193, 40_000, -8192, -1])
def test_a_file_cut_short_is_begun_anew(filled, file, monkeypatch, size):
    file.parent.mkdir()
    file.write_bytes(filled[0].read_bytes()[:size])
    attack(file, filled[1], monkeypatch)


def test_garbage_in_its_place_is_begun_anew(filled, file, monkeypatch):
    file.parent.mkdir()
    for garbage in (b"\0" * 50_000, b"SQLite format 3\0" * 4000, os.urandom(100_000), b"text\n" * 9):
        file.write_bytes(garbage)
        assert attack(file, filled[1], monkeypatch) == 0
        file.unlink()


def test_a_damaged_log_never_gives_an_error_or_a_wrong_vector(file, tmp_path, monkeypatch):
    cache, keys, chance = EmbeddingCache(file, BOUND), keys_of(*range(500)), np.random.default_rng(7)
    put(cache, keys[:250])
    put(cache, keys[250:])
    parts = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    cache.close()
    log = parts["embeddings.db-wal"]
    assert len(log) > 100_000
    for number, place in enumerate([*range(0, 32, 5), *chance.integers(0, len(log), 40).tolist()]):
        broken = bytearray(log)
        broken[place] ^= 1 << int(chance.integers(8))
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in (parts | {"embeddings.db-wal": bytes(broken)}).items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(content)
        attack(folder / file.name, keys, monkeypatch)


def test_damage_while_it_is_open_is_no_obstacle(cache, file, monkeypatch):
    monkeypatch.setattr(embeddings, "PAUSE", 0.0)
    keys = keys_of(*range(500))
    for damage in (b"\xff", b"\0"):
        put(cache, keys)
        for path in file.parent.glob("embeddings.db*"):
            with path.open("r+b") as stream:
                stream.write(damage * path.stat().st_size)
        for _ in range(4):
            found(cache, keys)
            put(cache, keys)
        assert found(cache, keys) == 500


def test_a_file_that_vanishes_while_it_is_open_is_no_obstacle(cache, file):
    keys = keys_of(*range(50))
    put(cache, keys)
    shutil.rmtree(file.parent)
    for _ in range(2):
        found(cache, keys)
        put(cache, keys)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE vectors SET vectors = zeroblob(length(vectors))",
        "UPDATE vectors SET vectors = substr(vectors, 2)",
        "UPDATE entries SET place = place + 1",
        "UPDATE entries SET place = place + 1000000",
        "UPDATE entries SET tokens = tokens + 1",
        "UPDATE entries SET sum = sum + 1",
        "UPDATE entries SET sum = 9223372036854775807",
        "DELETE FROM vectors",
    ],
)
def test_a_wrong_row_under_a_right_page_checksum_is_found(filled, file, change, monkeypatch):
    file.parent.mkdir()
    shutil.copy(filled[0], file)
    database = Database(file)
    with database.connection() as connection:
        connection.run(change)
    database.close()
    assert attack(file, filled[1], monkeypatch) == 0


# Out of reach


def test_a_folder_in_its_place_is_left_alone(cache, file):
    file.mkdir(parents=True)
    put(cache, keys_of(1))
    assert found(cache, keys_of(1)) == 0
    assert file.is_dir()


def test_a_file_where_its_folder_should_be_is_left_alone(cache, file):
    file.parent.write_text("mine")
    put(cache, keys_of(1))
    assert found(cache, keys_of(1)) == 0
    assert file.parent.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize("folder", [True, False])
def test_what_may_not_be_written_is_no_obstacle(cache, file, folder):
    put(cache, keys_of(1))
    cache.close()
    (file.parent if folder else file).chmod(0o500)
    put(cache, keys_of(2))
    assert found(cache, keys_of(1, 2)) <= 1
    (file.parent if folder else file).chmod(0o700)


def test_a_database_of_another_program_is_not_touched(cache, file):
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE letters (text)")
        other.commit()
    before = file.read_bytes()
    put(cache, keys_of(1))
    assert found(cache, keys_of(1)) == 0
    assert file.read_bytes() == before


def test_a_newer_format_is_not_touched(filled, file):
    file.parent.mkdir()
    shutil.copy(filled[0], file)
    database = Database(file)
    with database.connection() as connection:
        connection.pragma("user_version", embeddings.FORMAT + 1)
    database.close()
    cache = EmbeddingCache(file, BOUND)
    put(cache, filled[1])
    assert found(cache, filled[1]) == 0
    assert file.exists()


def test_while_another_holds_the_lock_it_reads_and_does_not_wait_for_ever(cache, file, monkeypatch):
    monkeypatch.setattr(embeddings, "BUSY_MS", 50)
    put(cache, keys_of(1))
    database = Database(file)
    with database.connection() as connection, connection.writing():
        start = time.monotonic()
        put(cache, keys_of(2))
        put(cache, keys_of(3))
        assert time.monotonic() - start < 5
        assert found(cache, keys_of(1, 2, 3)) == 1
    monkeypatch.setattr(cache._file, "_resume", {})
    put(cache, keys_of(2))
    assert found(cache, keys_of(1, 2, 3)) == 2
    database.close()


def test_after_a_failure_it_is_not_tried_again_at_once(cache, file, monkeypatch):
    file.mkdir(parents=True)
    put(cache, keys_of(1))
    file.rmdir()
    put(cache, keys_of(1))
    assert not file.exists()
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 31)
    put(cache, keys_of(1))
    assert found(cache, keys_of(1)) == 1


def test_without_sqlite_there_is_no_cache(cache, monkeypatch):
    def missing(*_, **__):
        raise MissingExtra("SQLite is not here")

    monkeypatch.setattr(embeddings, "Database", missing)
    put(cache, keys_of(1))
    monkeypatch.undo()
    assert found(cache, keys_of(1)) == 0


def python(code: str, *arguments: object) -> subprocess.Popen:
    setup = (
        "import sys; sys.path[:0] = [sys.argv[1]]\nfrom test_embeddings import *\n"
        "embeddings.BUSY_MS, file = 60_000, Path(sys.argv[2])  # a busy machine is no failure\n"
    )
    words = [sys.executable, "-c", setup + code, str(Path(__file__).parent), *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def all_well(*children: subprocess.Popen) -> bool:
    """Whether all of them end without an error."""
    for child in children:
        child.communicate(timeout=120)
    return not any(child.returncode for child in children)


def test_a_full_disk_is_no_obstacle(file):
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
cache = EmbeddingCache(file, BOUND)
keys = keys_of(*range(3000))
for start in range(0, 3000, 300):
    cache._file._resume.clear()
    put(cache, keys[start : start + 300])
    cache._file._resume.clear()
    found(cache, keys)
cache.close()
print(file.stat().st_size)
"""
    child = python(code, file)
    assert int(child.communicate(timeout=60)[0]) <= 300_000
    assert child.returncode == 0


# Others at the same time


def test_processes_that_write_at_once_lose_nothing_and_mix_nothing_up(file):
    code = """
cache, first = EmbeddingCache(file, BOUND), int(sys.argv[3])
for start in range(first, first + 3000, 100):
    put(cache, keys_of(*range(start, start + 150)))
    assert found(cache, keys_of(*range(first, start + 150))) == start + 150 - first
cache.close()
"""
    children = [python(code, file, first) for first in (0, 1500, 0)]
    assert all_well(*children)
    cache = EmbeddingCache(file, BOUND)
    assert found(cache, keys_of(*range(4500))) == 4500
    cache.close()


def test_processes_that_meet_a_damaged_file_at_once_begin_one_anew(file, filled):
    code = """
embeddings.PAUSE, cache, keys = 0.0, EmbeddingCache(file, BOUND), keys_of(*range(500))
for _ in range(20):
    found(cache, keys)
    put(cache, keys)
assert found(cache, keys) == 500
cache.close()
"""
    content = bytearray(filled[0].read_bytes())
    content[9000:] = os.urandom(len(content) - 9000)
    file.parent.mkdir()
    file.write_bytes(content)
    children = [python(code, file) for _ in range(3)]
    assert all_well(*children)


def test_threads_share_it(cache, monkeypatch):
    monkeypatch.setattr(embeddings, "BUSY_MS", 60_000)

    def work(first: int) -> None:
        try:
            for start in range(first, first + 600, 50):
                put(cache, keys_of(*range(start, start + 80)))
                assert found(cache, keys_of(*range(first, start + 80))) == start + 80 - first
        except BaseException as error:
            failed.append(error)

    failed: list[BaseException] = []
    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 300, 300, 600)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert found(cache, keys_of(*range(1200))) == 1200


def test_forked_children_go_on_with_it(file):
    code = """
cache = EmbeddingCache(file, BOUND)
put(cache, keys_of(*range(100)))
for child in (1, 2):
    if not os.fork():
        put(cache, keys_of(*range(100 * child, 100 * child + 100)))
        os._exit(found(cache, keys_of(*range(100))) != 100)
assert [os.wait()[1] for _ in (1, 2)] == [0, 0]
assert found(cache, keys_of(*range(300))) == 300
cache.close()
"""
    assert all_well(python(code, file))


def test_a_process_that_is_killed_leaves_nothing_wrong(file):
    code = """
cache = EmbeddingCache(file, BOUND)
print("ready", flush=True)
for start in range(0, 10**6, 200):
    put(cache, keys_of(*range(start, start + 200)))
"""
    for wait in (0.05, 0.2, 0.35):
        child = python(code, file)
        assert child.stdout.readline() == "ready\n"
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        cache = EmbeddingCache(file, BOUND)
        assert found(cache, keys_of(*range(20_000))) % 200 == 0
        cache.close()
