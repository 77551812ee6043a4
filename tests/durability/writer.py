"""What children do to a store: write batches, and look. Run by forks.py; the truth is computed by truth.py."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

from durability.truth import Batch, Script, Truth
from nearsense.store import generations, open_store

Say = Callable[[str], None]


def apply(store, batch: Batch) -> None:
    """One batch as one commit."""
    with store.writing() as writer:
        gone = writer.positions([*batch.removed, *(document.id for document in batch.documents)])
        if gone:
            writer.remove(sorted(gone.values()))
        if batch.documents:
            writer.insert(batch.documents, batch.vectors, np.zeros(len(batch.documents), bool))


def look(store) -> Truth:
    """All that a store says it holds; every way to ask must say the same."""
    with store.reading() as reader:
        state = reader.state()
        rows, seen = {}, []
        for block in reader.blocks(size=64):
            seen += block.positions.tolist()
            for document, vector in zip(block.documents, block.vectors, strict=True):
                rows[document.id] = (document.text, dict(document.metadata), vector.tobytes())
        assert len(seen) == state.documents == len(rows) == len(list(reader.contents())), "the counts differ"
        assert seen == [position for position, _ in reader.ids()]
        assert not seen or seen[-1] < state.position
        assert sorted(reader.positions(rows).values()) == seen, "the ids lead elsewhere"
        assert sorted(reader.documents(seen)) == seen
        if seen:
            assert reader.vectors(seen).tobytes() == b"".join(row[2] for row in rows.values())
        assert not set(reader.removals(0)) & set(seen)
    return Truth(rows)


def same(found: Truth, expected: Truth) -> bool:
    """Documents, vectors and what a search would answer."""
    if found.rows != expected.rows:
        return False
    query = np.linspace(-1, 1, 16).astype(np.float32)
    return found.best(query, 5) == expected.best(query, 5)


def write(
    say: Say,
    folder: str,
    seed: int,
    batches: int,
    *,
    point: str | None = None,
    nth: int = 1,
    compact_every: int = 0,
    checkpoint_every: int = 0,
    migration: str | None = None,
    close: bool = True,
    kill_at_end: bool = False,
) -> None:
    """Write the batches that are not there yet, saying each that is acknowledged; die at a point if told so."""
    die_at(point, nth)
    if migration:
        from nearsense.store import tables

        tables.MIGRATIONS = (*tables.MIGRATIONS, migration)
    script = Script(seed)
    store = open_store(Path(folder))
    with store.reading() as reader:
        done = reader.sequence()
    say(f"open {done}")
    for number in range(done + 1, done + batches + 1):
        apply(store, script.batch(number))
        say(f"kept {number}")
        if compact_every and number % compact_every == 0:
            store.vacuum()
        if checkpoint_every and number % checkpoint_every == 0:
            store.checkpoint()
    if kill_at_end:
        os.kill(os.getpid(), signal.SIGKILL)
    if close:
        store.close()
    say("closed")


def die_at(point: str | None, nth: int) -> None:
    """Kill this process when it reaches a point for the n-th time."""
    if point is None:
        return
    assert point in generations.CRASH_POINTS
    left = [nth]

    def watcher(reached: str) -> None:
        left[0] -= reached == point
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    generations.watch_crash_points(watcher)


def acknowledged(said: list[str]) -> int:
    """The highest batch that was said to be kept (or found at the start)."""
    return max((int(line.split()[1]) for line in said if line.startswith(("open ", "kept "))), default=0)


def extra_rows(say: Say, folder: str) -> None:
    """The schema's number and how many rows the second migration of test_kill.py has made."""
    from nearsense.store.database import Database

    with Database(Path(folder) / "collection.db").connection() as connection:
        say(str(connection.pragma("user_version")))
        say(str(connection.value("SELECT count(*) FROM extra")))
