"""Children of test_together.py: writers count up under each other's eyes, readers add up what they see."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nearsense.records import Document
from nearsense.store import open_store

Say = Callable[[str], None]
SHARED = "shared"


def begin(folder: Path, writers: int) -> None:
    """A document for each writer and one for all of them; each says 0."""
    store = open_store(folder)
    with store.writing() as writer:
        names = [*map(str, range(writers)), SHARED]
        writer.insert([Document(name, "0") for name in names], _vectors(len(names)), np.zeros(len(names), bool))
    store.close()


def end(folder: Path) -> dict[str, int]:
    """What each document says."""
    store = open_store(folder)
    with store.reading() as reader:
        found = _numbers(reader)
    assert store.integrity() == []
    store.close()
    return found


def processes(say: Say, folder: str, writers: int, readers: int, seconds: float) -> None:
    """Each in a process of its own, with a store of its own."""
    path = Path(folder)
    begin(path, writers)
    until, children = time.monotonic() + seconds, []
    for number in range(writers + readers):
        children.append(os.fork())
        if children[-1] == 0:
            store = open_store(path)
            status = _person(say, store, number, writers, until)
            store.close()
            os._exit(status)
    assert sum(os.waitpid(child, 0)[1] for child in children) == 0
    say(f"END {end(path)!r}")


def threads(say: Say, folder: str, writers: int, readers: int, seconds: float) -> None:
    """All in one process, with one store."""
    path = Path(folder)
    begin(path, writers)
    store, until = open_store(path), time.monotonic() + seconds
    people = [
        threading.Thread(target=_person, args=(say, store, number, writers, until))
        for number in range(writers + readers)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    store.close()
    say(f"END {end(path)!r}")


def _person(say: Say, store, number: int, writers: int, until: float) -> int:
    try:
        if number < writers:
            _write(say, store, number, until)
        else:
            _read(say, store, writers, until)
    except BaseException:
        say("WRONG " + traceback.format_exc().replace("\n", " | "))
        return 1
    return 0


def _write(say: Say, store, number: int, until: float) -> None:
    waits, changes = [], []
    while (start := time.monotonic()) < until:
        with store.writing() as writer:
            waits.append(time.monotonic() - start)
            places = writer.positions([str(number), SHARED])
            told = {
                document.id: int(document.text) + 1
                for document in writer.documents(sorted(places.values())).values()
            }
            assert len(told) == 2
            writer.remove(sorted(places.values()))
            writer.insert([Document(id_, str(n)) for id_, n in told.items()], _vectors(2), np.zeros(2, bool))
        changes.append(time.monotonic() - start)
    p50, p99 = np.percentile(waits, [50, 99])
    say(f"WRITER {number} {len(waits)} {p50:.6f} {p99:.6f} {max(waits):.6f} {np.percentile(changes, 50):.6f}")


def _read(say: Say, store, writers: int, until: float) -> None:
    seen, last, times = 0, -1, []
    while (start := time.monotonic()) < until:
        with store.reading() as reader:
            first = _numbers(reader)
            sequence = reader.sequence()
            assert _numbers(reader) == first, "a snapshot has changed"
            assert reader.sequence() == sequence >= last, "time went back"
            assert reader.state().documents == writers + 1
        assert len(first) == writers + 1
        assert sum(first.values()) == 2 * first[SHARED] == 2 * (sequence - 1), f"not one moment: {first}"
        seen, last = seen + 1, sequence
        times.append(time.monotonic() - start)
    p50, p99 = np.percentile(times, [50, 99])
    say(f"READER {seen} {p50:.6f} {p99:.6f} {max(times):.6f}")


def _numbers(reader) -> dict[str, int]:
    return {document.id: int(document.text) for block in reader.blocks() for document in block.documents}


def _vectors(count: int) -> np.ndarray:
    return np.full((count, 4), 0.5, np.float32)
