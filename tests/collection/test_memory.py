"""The collection in memory: interrupted, forked, and asked beside its writers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import numpy as np
import pytest

import nearsense as ns
from fakes import HashEncoder
from nearsense.collection.snapshot import Tail

OLD = [ns.Document(str(n), f"old {n}", {"x": n}) for n in range(40)]
NEW = [ns.Document(str(n), f"new {n}", {"x": n, "y": 1}) for n in range(20, 60)]
WHAT_FAILS = {
    "before the tail grows": ("extend", False),
    "after the tail grew": ("extend", True),
    "while columns grow": ("_grown", False),
    "while words grow": ("postings", False),
}


@pytest.fixture
def docs():
    with ns.open(":memory:", HashEncoder()) as collection:
        collection.add(OLD)
        yield collection


def require_whole(collection, *possible):
    """It holds one of some lists of documents, and every way to ask says so."""
    ids = [str(n) for n in range(80)]
    found = {document.id: document for document in collection.get(ids) if document}
    assert found in [{document.id: document for document in each} for each in possible]
    assert len(collection) == len(found)
    for mode in ("dense", "lexical", "hybrid"):
        for document in list(found.values())[::7]:
            asked = {"k": 1, "where": {"x": document.metadata["x"]}, "mode": mode}
            assert [hit.text for hit in collection.search(document.text, **asked)] == [document.text]
    assert sorted(hit.id for hit in collection.search("old", k=99)) == sorted(found)


def after(old, new):
    replaced = {document.id for document in new}
    return [document for document in old if document.id not in replaced] + new


@pytest.mark.parametrize("where", WHAT_FAILS)
def test_what_breaks_off_in_a_write_or_a_search_leaves_all_or_nothing(docs, monkeypatch, where):
    name, works_first = WHAT_FAILS[where]
    real = getattr(Tail, name)

    def broken(tail, *given):
        if works_first:
            real(tail, *given)
        elif name == "extend":
            tail._texts.extend(["half"])
        else:
            with tail._guard:
                tail._whole = False
                tail._texts, tail._metadata = [], []
                raise KeyboardInterrupt
        raise KeyboardInterrupt

    for _ in range(2):
        monkeypatch.setattr(Tail, name, broken)
        with pytest.raises(KeyboardInterrupt):
            docs.upsert(NEW) and docs.search("old", where={"x": 1}, mode="hybrid")
        monkeypatch.setattr(Tail, name, real)
        require_whole(docs, OLD, after(OLD, NEW))
    docs.upsert(NEW)
    require_whole(docs, after(OLD, NEW))
    assert docs.delete(where={"y": 1}) == len(NEW)
    require_whole(docs, OLD[:20])


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # some come while memory is freed
def test_interrupted_at_any_moment_it_holds_all_of_a_batch_or_nothing(docs):
    vectors = HashEncoder().encode([document.text for document in NEW])
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for step in range(50):
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + step * 0.00006)
                docs.upsert(NEW, vectors=vectors)
                docs.search("new", where={"x": 1}, mode="lexical")
                docs.delete([document.id for document in NEW[20:]])
                docs.compact()
                signal.setitimer(signal.ITIMER_REAL, 0)
            require_whole(docs, OLD, after(OLD, NEW), after(OLD, NEW[:20]))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_beside_a_writer_finds_the_collection_whole():
    vectors = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    documents = [ns.Document(str(n), f"text {n}", {"x": n}) for n in range(2000)]
    with ns.open(":memory:", HashEncoder()) as docs:
        docs.add(documents, vectors=vectors)
        done = threading.Event()

        def write():
            while not done.is_set():
                docs.upsert(documents, vectors=vectors)

        writer = threading.Thread(target=write)
        writer.start()
        for n in range(12):
            child = os.fork()
            if child == 0:
                ok = False
                with contextlib.suppress(BaseException):
                    ok = docs.nearest(vectors[n : n + 1], k=1)[0][0].id == str(n) and len(docs) == 2000
                    ok = ok and docs.search(f"text {n}", k=1, where={"x": n}, mode="lexical")[0].id == str(n)
                os._exit(not ok)
            assert os.waitpid(child, 0)[1] == 0
        done.set()
        writer.join()
        assert len(docs) == 2000
