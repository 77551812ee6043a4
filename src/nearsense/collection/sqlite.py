"""The engine that lasts: a collection in a folder, one SQLite file and the files that are derived from it.

Here the parts are joined: the store, the latest snapshot, and who keeps the derived files in order. A damaged one
is done without, and made again.
"""

from __future__ import annotations

import contextlib
import logging
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nearsense._forks import lock
from nearsense._progress import Progress
from nearsense.collection import upkeep
from nearsense.collection.engine import Answer, Batch, Engine, Facts, Moment, Question, require_new
from nearsense.collection.model import CollectionModel, read_as, require_same_recipe
from nearsense.collection.reembedding import reembed
from nearsense.collection.snapshot import Snapshot, answer, limit, refreshed
from nearsense.errors import NearsenseError
from nearsense.filters import Filter
from nearsense.records import Document, Vectors
from nearsense.reports import Info, Reembedding, Verification
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


class SQLiteEngine(Engine):
    """A collection in a folder; one that is missing is made with its first facts where `create` allows it."""

    def __init__(
        self, path: Path, model: CollectionModel, *, create: bool, network: bool, accept_losses: bool
    ) -> None:
        super().__init__(str(path), model)
        if create and not is_collection(path):
            model.facts()  # a model that cannot be loaded leaves no empty collection behind
        self.store = open_store(path, create=create, network=network, accept_losses=accept_losses)
        try:
            with self.store.reading() as reader:
                facts = reader.state().facts
            if "fingerprint" not in facts:
                facts = model.facts()
                with self.store.writing() as writer:
                    facts = writer.state().facts if "fingerprint" in writer.state().facts else facts
                    writer.set_facts(facts)
            model.require(facts)
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

    # -- in

    def set_facts(self, facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        with self._changing(recipe) as writer:
            writer.set_facts(dict(facts))

    def write(self, batches: Iterable[Batch], recipe: Mapping[str, Any], *, replace: bool) -> None:
        for batch in batches:
            with self._changing(recipe) as writer:
                there = writer.positions(document.id for document in batch.documents)
                if not replace:
                    require_new(batch.documents, there, self.name)
                elif there:
                    writer.remove(sorted(there.values()))
                writer.insert(batch.documents, batch.vectors.data, batch.vectors.truncated, batch.metadata)
        self.schedule_build()

    def delete(self, ids: Sequence[str] = (), where: Filter | None = None) -> int:
        def delete() -> int:
            with self.store.writing() as writer:
                if where is None:
                    gone = sorted(writer.positions(ids).values())
                else:
                    snapshot = self._snapshot_of(writer)
                    gone = snapshot.positions(where).tolist()
                writer.remove(gone)
            return len(gone)

        count = delete() if where is None else self.with_recovery(delete)
        self.schedule_build()
        return count

    @contextlib.contextmanager
    def _changing(self, recipe: Mapping[str, Any]) -> Iterator[SQLiteWriter]:
        with self.store.writing() as writer:
            require_same_recipe(writer.state().facts, recipe, self.name)
            yield writer

    # -- out

    def facts(self) -> Facts:
        with self.store.reading() as reader:
            state = reader.state()
        return {**state.facts, "documents": state.documents}

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        with self.store.reading() as reader:
            found = reader.documents([*reader.positions(ids).values()])
        return {document.id: document for document in found.values()}

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
            with self.store.reading() as reader:
                return reader.count()

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
            with self.store.writing() as writer:
                writer.set_facts({"index": chosen})
        if not if_needed or self.overdue():
            upkeep.build(self.store, progress=progress)

    def compact(self, progress: Progress) -> None:
        upkeep.build(self.store, progress=progress)
        self.store.vacuum()

    def verify(self) -> Verification:
        return upkeep.verify(self.store)

    def backup(self, target: Path) -> Path:
        return upkeep.backup(self.store, target)

    def reembed(self, model: CollectionModel, progress: Progress) -> Reembedding:
        return reembed(self, self.store, model, progress)

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
        with self.store.reading() as reader:
            used = reader.generation()
        return used is not None and used.name == generation

    def _build_if_large(self, documents: Callable[[SQLiteReader], int]) -> bool:
        """Make derived files before so many documents are read from the database, if they can be made."""
        with self.store.reading() as reader:
            large = documents(reader) > LARGE
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
