"""Locks, by the kernel's queue and by filelock, which other systems take: one at a time, the dead hold nothing."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from durability.forks import Forks
from nearsense.errors import InputError
from nearsense.store import open_store
from nearsense.store.lock import one_at_a_time, try_alone
from store.children import ids

KINDS = ["queue", "filelock"]
PEOPLE, ROUNDS = 6, 25


@pytest.fixture(scope="module")
def forks():
    with Forks() as server:
        yield server


@pytest.fixture(params=KINDS, autouse=True)
def kind(request, monkeypatch):
    monkeypatch.setenv("NEARSENSE_LOCKS", request.param)
    return request.param


def test_threads_have_it_one_at_a_time(tmp_path):
    inside, seen = [], []

    def work() -> None:
        for _ in range(ROUNDS):
            with one_at_a_time(tmp_path / "lock"):
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * PEOPLE * ROUNDS


def test_processes_have_it_one_at_a_time(forks, tmp_path, kind):
    where = {"file": str(tmp_path / "lock"), "people": PEOPLE, "rounds": ROUNDS, "kind": kind}
    said = forks.run("store.children:count_together", **where, limit=60).ended_well().said
    assert said == [str(PEOPLE * ROUNDS)]


@pytest.mark.parametrize("lock", ["one_at_a_time", "try_alone"])
def test_who_dies_holding_it_keeps_nobody_waiting(forks, tmp_path, kind, lock):
    where = {"file": str(tmp_path / "lock"), "lock": lock, "kind": kind}
    assert forks.run("store.children:die_holding", **where, limit=30).ended_well().said == ["held", "mine"]


def test_only_one_is_alone(tmp_path):
    with try_alone(tmp_path / "b") as first, try_alone(tmp_path / "b") as second:
        assert (first, second) == (True, False)
    with try_alone(tmp_path / "b") as again:
        assert again


def test_who_waits_to_be_alone_gets_it_next(tmp_path):
    order = []

    def wait() -> None:
        with try_alone(tmp_path / "b", wait=True) as mine:
            order.append(mine)

    thread = threading.Thread(target=wait)
    with try_alone(tmp_path / "b"):
        thread.start()
        thread.join(0.1)
        assert order == []
    thread.join(10)
    assert order == [True]


def test_an_error_inside_gives_it_back(tmp_path):
    for _ in range(3):
        with contextlib.suppress(RuntimeError), one_at_a_time(tmp_path / "lock"):
            raise RuntimeError
        with contextlib.suppress(RuntimeError), try_alone(tmp_path / "b") as mine:
            assert mine
            raise RuntimeError


def test_a_forked_child_that_leaves_does_not_give_back_its_parents_turn(forks, tmp_path, kind):
    where = {"file": str(tmp_path / "lock"), "kind": kind}
    assert forks.run("store.children:fork_inside", **where, limit=30).ended_well().said == ["refused", "mine"]


def test_a_collection_is_made_by_many_processes_at_once(forks, tmp_path, kind):
    where = {"folder": str(tmp_path / "c"), "people": 8, "kind": kind}
    assert forks.run("store.children:hundred_openings", **where).ended_well().said == ["0"]
    with contextlib.closing(open_store(tmp_path / "c", create=False)) as store:
        assert sorted(ids(store), key=int) == [str(person) for person in range(8)]


def test_a_kind_that_is_not_known_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("NEARSENSE_LOCKS", "none")
    with pytest.raises(InputError, match="NEARSENSE_LOCKS='none' is not known"):
        open_store(tmp_path / "c")


BARE = """
import importlib, os, pathlib, pkgutil, shutil, subprocess, sys, tempfile
import filelock, openvino  # what they ask of the system is their affair
kept = sys.modules.get("fcntl")
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("register_at_fork", "pwrite", "pread", "fdatasync", "fchmod", "geteuid", "getuid", "sysconf", "chown",
             "sched_getaffinity", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY"):
    if hasattr(os, name):
        delattr(os, name)
os.supports_dir_fd, os.supports_effective_ids = set(), set()
import nearsense as ns
for module in pkgutil.walk_packages(ns.__path__, "nearsense."):
    if "integrations" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from fakes import HashEncoder
from nearsense import _folder
from nearsense.store import lock
from nearsense.store.embeddings import EmbeddingCache
assert lock.kind() == "filelock" and not _folder.HELD
place = pathlib.Path(sys.argv[1])
with ns.open(place / "c", HashEncoder()) as notes:
    notes.add([ns.Document(str(n), f"text {n}", {"n": n}) for n in range(50)])
    notes.build()
    notes.upsert([ns.Document("7", "other words")])
    notes.delete("9")
    notes.compact()
    with ns.open(place / "c", HashEncoder()) as other:
        other.delete("8")
    print(len(notes), notes.search("other words", k=1)[0].id, notes.verify().ok)
    notes.backup(place / "b")
with ns.open(place / "b", HashEncoder()) as copy:
    print(len(copy), copy.export(place / "all.jsonl", vectors=False), copy.info().documents)
import numpy as np
cache = EmbeddingCache(place / "cache" / "embeddings.db", max_bytes=1_000_000)
cache.put([b"a key, 16 bytes."], np.ones((1, 4), np.float32), np.array([0]))
print(len(cache.get([b"a key, 16 bytes."], 4).rows))
cache.close()
"""


@pytest.mark.parametrize("kind", ["queue"], indirect=True)
def test_every_module_and_a_collection_do_without_what_only_posix_has(tmp_path, monkeypatch):
    """As on Windows: no fcntl, no open folders, no permissions. What filelock itself needs, it has."""
    monkeypatch.delenv("NEARSENSE_LOCKS")
    (tmp_path / "bare.py").write_text(BARE)
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "bare.py", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert (done.stdout.split("\n"), done.stderr) == (["48 7 True", "48 48 48", "1", ""], "")
