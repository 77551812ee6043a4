"""The engine that lasts: a collection in a folder, one SQLite file and the files that are derived from it.

Here the parts are joined: the store, the latest snapshot, and who keeps the derived files in order. A damaged one
is done without, and made again.
"""

from __future__ import annotations

import contextlib
import logging
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from nearsense._forks import lock
from nearsense._progress import Progress
from nearsense.collection import upkeep
from nearsense.collection.engine import Answer, Batch, Facts, Moment, Question
from nearsense.collection.lasting import LastingEngine
from nearsense.collection.model import CollectionModel, read_as
from nearsense.collection.snapshot import Snapshot, answer, limit, refreshed
from nearsense.errors import NearsenseError
from nearsense.filters import Filter
from nearsense.records import Document, Vectors
from nearsense.reports import Info, Verification
from nearsense.store import is_collection, open_store
from nearsense.store.generations import GENERATIONS, DamagedGeneration
from nearsense.store.tables import Block, SQLiteReader, SQLiteWriter

T = TypeVar("T")
log = logging.getLogger("nearsense")

RETRIES = 3
LARGE = 100_000
"""Documents beyond which a search makes missing derived files first, instead of reading everything."""
CHUNK = 4096
"""Documents that are read together with their vectors."""


class SQLiteEngine(LastingEngine):
    """A collection in a folder; one that is missing is made with its first facts where `create` allows it."""

    def __init__(
        self, path: Path, model: CollectionModel, *, create: bool, network: bool, accept_losses: bool
    ) -> None:
        super().__init__(str(path), model)
        if create and not is_collection(path):
            model.facts()  # a model that cannot be loaded leaves no empty collection behind
        self.store = open_store(path, create=create, network=network, accept_losses=accept_losses)
        try:
            self.begin()
        except BaseException:
            self.store.close()
            raise
        self._snapshot: Snapshot | None = None
        self._distrusted: str | None = None
        self._guard = lock()
        self._background = upkeep.Background(self._build_if_needed)

    def address(self) -> str | None:
        return str(self.store.folder)

    def close(self) -> None:
        """Give everything back; a build that is going on is given up."""
        self._background.close()
        self.store.close()

    # -- one moment, one change

    def read(self, action: Callable[[SQLiteReader], T]) -> T:
        with self.store.reading() as reader:
            return action(reader)

    def change(self, action: Callable[[SQLiteWriter], int]) -> int:
        with self.store.writing() as writer:
            return action(writer)

    def prepared(self, batch: Batch) -> Callable[[SQLiteWriter], object]:
        how = batch.vectors.data, batch.vectors.truncated, batch.metadata
        return lambda writer: writer.insert(batch.documents, *how)

    # -- in

    def delete(self, ids: Sequence[str] = (), where: Filter | None = None) -> int:
        def remove(writer: SQLiteWriter) -> int:
            if where is None:
                gone = sorted(writer.positions(ids).values())
            else:
                gone = self._snapshot_of(writer).positions(where).tolist()
            writer.remove(gone)
            return len(gone)

        def delete() -> int:
            return self.change(remove)

        count = delete() if where is None else self.with_recovery(delete)
        self.schedule_build()
        return count

    # -- out

    def stored(self, ids: Sequence[str] | None = None) -> Iterator[tuple[list[Document], Vectors]]:
        with self.store.reading() as reader:
            blocks = reader.blocks(size=CHUNK) if ids is None else _blocks_of(reader, ids)
            yield from _with_vectors(blocks, reader.state().facts)

    @contextlib.contextmanager
    def moment(self) -> Iterator[Moment]:
        with self.store.reading() as reader:
            facts = reader.state().facts
            yield Moment(reader.count(), lambda: _with_vectors(reader.blocks(size=CHUNK), facts))

    def contents(self) -> Iterator[tuple[str, bytes, str]]:
        with self.store.reading() as reader:
            yield from reader.contents()

    def ranked(self, question: Question) -> Answer:
        return self.with_recovery(lambda: self._ranked(question))

    def count(self, where: Filter | None = None) -> int:
        if where is None:
            return self.read(SQLiteReader.count)

        def count() -> int:
            with self.snapshot() as (_, snapshot):
                return len(snapshot.positions(where))

        return self.with_recovery(count)

    def sample(self, size: int) -> Vectors:
        def sample() -> Vectors:
            with self.snapshot() as (_, snapshot):
                return snapshot.sample(size)

        return self.with_recovery(sample)

    def info(self) -> Info:
        return self.with_recovery(self._described)

    def _ranked(self, question: Question) -> Answer:
        with self.snapshot() as (reader, snapshot):
            return answer(snapshot, question, self.name, reader.documents)

    def _described(self) -> Info:
        with self.snapshot() as (reader, snapshot):
            truncated, fields = reader.truncated(), tuple(sorted(snapshot.fields()))
        built = snapshot.frozen.generation.manifest["index"] if snapshot.frozen else {}
        own = {"index": built.get("kind"), "why": built.get("why"), "recall": built.get("recall")}
        size = sum(map(_size, self.store.folder.rglob("*")))
        return self._info(
            snapshot.facts, truncated=truncated, fields=fields, pending=snapshot.changes, size=size, **own
        )

    # -- upkeep

    def build(self, index: str | None, *, if_needed: bool, progress: Progress) -> None:
        if index is not None:
            from nearsense.index import parse_kind

            chosen = None if index == "auto" else parse_kind(index)

            def choose(writer: SQLiteWriter) -> int:
                writer.set_facts({"index": chosen})
                return 0

            self.change(choose)
        if not if_needed or self.overdue():
            upkeep.build(self.store, progress=progress)

    def compact(self, progress: Progress) -> None:
        upkeep.build(self.store, progress=progress)
        self.store.vacuum()

    def verify(self) -> Verification:
        return upkeep.verify(self.store)

    def backup(self, target: Path) -> Path:
        return upkeep.backup(self.store, target)

    def overdue(self) -> bool:
        """Whether so much changed that derived files should be made."""
        with self.store.reading() as reader:
            (changes, rows), generation = reader.pending(), reader.generation()
        return changes > limit(rows) or (generation is not None and generation.name == self._distrusted)

    def schedule_build(self, *, now: bool = False) -> None:
        """Have the derived files made in the background, if it is time; where nothing may be written, never."""
        if not self.store.readonly and (now or self.overdue()):
            self._background.ask()

    def _build_if_needed(self) -> None:
        if self.overdue():
            with contextlib.suppress(upkeep.Cancelled):
                upkeep.build(self.store, wait=False, cancelled=self._background.stopping)

    # -- the snapshot

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[tuple[SQLiteReader, Snapshot]]:
        """A reader and the snapshot of just what it sees."""
        while True:
            with self.store.reading() as reader:
                snapshot = self._snapshot_of(reader)
                if snapshot.state.sequence == reader.sequence():
                    if snapshot.is_overdue:
                        self.schedule_build(now=True)
                    yield reader, snapshot
                    return

    def _snapshot_of(self, reader: SQLiteReader) -> Snapshot:
        """The snapshot of what a reader sees, or a later one, which another thread has made."""
        with self._guard:
            known = self._snapshot
            if known is None or known.state.sequence < reader.sequence() or not known.tail.whole:
                generations = self.store.folder / GENERATIONS
                self._snapshot = known = refreshed(reader, known, generations, self._distrusted)
            return known

    def with_recovery(self, action: Callable[[], T]) -> T:
        """Do it; where derived files are damaged, do without them, and have them made again."""
        if self._snapshot is None:
            self._build_if_large(lambda reader: reader.pending()[0])
        for _ in range(RETRIES):
            try:
                return action()
            except DamagedGeneration as error:
                with self._guard:
                    self._snapshot = None
                if self._is_in_use(error.generation):  # else it was replaced by a newer one in the middle of this
                    done = "it is done without" if self.store.readonly else "the index is made again"
                    log.warning("%s (%s); %s", error.what, error.why, done)
                    self._distrusted = error.generation
                    if not self._build_if_large(SQLiteReader.count):
                        self.schedule_build(now=True)
        return action()

    def _is_in_use(self, generation: str) -> bool:
        used = self.read(SQLiteReader.generation)
        return used is not None and used.name == generation

    def _build_if_large(self, documents: Callable[[SQLiteReader], int]) -> bool:
        """Make derived files before so many documents are read from the database, if they can be made."""
        large = self.read(documents) > LARGE
        if large:
            with contextlib.suppress(NearsenseError):
                upkeep.build(self.store)
        return large


def _blocks_of(reader: SQLiteReader, ids: Sequence[str]) -> Iterator[Block]:
    positions = sorted(reader.positions(ids).values())
    for start in range(0, len(positions), CHUNK):
        yield reader.block(positions[start : start + CHUNK])


def _with_vectors(blocks: Iterable[Block], facts: Facts) -> Iterator[tuple[list[Document], Vectors]]:
    made_by = facts["model"], read_as(facts)
    for block in blocks:
        yield block.documents, Vectors(block.vectors, facts["fingerprint"], block.truncated, *made_by)


def _size(file: Path) -> int:
    """The bytes of a file; 0 of what is none, or has just gone."""
    try:
        found = file.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
