"""The engine that many share: a collection in a schema of a PostgreSQL database, its vectors compared by pgvector.

Here the parts are joined: connections and tries (store/postgres.py), tables (store/postgres_tables.py), and how
they are ranked. There is no snapshot and no derived file: the server has one moment for each transaction.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearsense._progress import Progress
from nearsense.collection.engine import Answer, Batch, Engine, Facts, Moment, Question, require_new
from nearsense.collection.model import CollectionModel, read_as, require_same_recipe
from nearsense.collection.postgres_building import build
from nearsense.collection.postgres_index import AUTO, Built, due, kind_of
from nearsense.collection.postgres_ranking import PostgresRanked, known_filter, number_of
from nearsense.collection.ranking import ranked
from nearsense.collection.reembedding import reembed
from nearsense.collection.upkeep import Background
from nearsense.errors import StoreError
from nearsense.filters import Filter
from nearsense.filters.sql import condition, fields_of, with_nul, without_nul
from nearsense.lexical import terms
from nearsense.records import Document, Vectors
from nearsense.reports import Info, Reembedding, Verification
from nearsense.store.postgres import Postgres, parse_address, require_vector
from nearsense.store.postgres_tables import (
    Known,
    Names,
    PostgresReader,
    PostgresState,
    PostgresWriter,
    Row,
    made,
    migrate,
    schema_of,
)
from nearsense.store.tables import document_sum, vector_sums
from nearsense.text import content_hash

if TYPE_CHECKING:
    from nearsense.store.tables import Block

T = TypeVar("T")


class PostgresEngine(Engine):
    """A collection at an address; one that is missing is made with its first facts where `create` allows it."""

    def __init__(self, url: str, model: CollectionModel, *, create: bool) -> None:
        self.place = parse_address(url)
        super().__init__(self.place.name, model)
        self.server, self._known = Postgres(self.place), Known()
        try:
            with self.server.alone() as connection:
                self.names = Names(schema_of(self.place.collection), require_vector(connection, self.name))
                if create and not made(connection, self.names):
                    model.facts()  # a model that cannot be loaded leaves no empty collection behind
                migrate(connection, self.names, self.name, create=create)
            facts = self.read(lambda reader: reader.state().facts)
            if "fingerprint" not in facts:
                facts = self._begun(model.facts())
            model.require(facts)
        except BaseException:
            self.server.close()
            raise
        self._background = Background(self._build_if_due)

    def _begun(self, facts: Facts) -> Facts:
        """The first facts, or those that somebody else gave it meanwhile."""

        def begin(writer: PostgresWriter) -> int:
            if "fingerprint" not in writer.before.facts:
                writer.make_vectors(writer.before.vectors, facts["dimension"])
                writer.set_facts(facts)
            return 0

        self.change(begin)
        return self.read(lambda reader: reader.state().facts)

    def address(self) -> str | None:
        return self.place.url

    def close(self) -> None:
        """Give everything back; a build that is going on is given up."""
        self._background.close()
        self.server.close()

    # -- one moment, one change

    def read(self, action: Callable[[PostgresReader], T]) -> T:
        """What an action makes of one moment; it may be asked more than once."""
        return self.server.read(lambda cursor: action(self._reader(cursor)))

    def change(self, action: Callable[[PostgresWriter], int]) -> int:
        """Change something, once: a try whose acknowledgement was lost is known by its key."""
        key = uuid.uuid4()

        def once(cursor: Any, tried: int) -> int:
            writer = self.writer(cursor)
            done = writer.done_before(key) if tried else None
            if done is None:
                done = action(writer)
                writer.finish(key, done)
            return done

        return self.server.write(once)

    @contextlib.contextmanager
    def reading(self) -> Iterator[tuple[PostgresReader, PostgresState]]:
        """One moment, for what is read bit by bit."""
        with self.server.reading() as cursor:
            reader = self._reader(cursor)
            yield reader, reader.state()

    def writer(self, cursor: Any) -> PostgresWriter:
        """A change in a transaction that has just begun, when it is one's turn."""
        return PostgresWriter(cursor, self.names, with_nul, self._known)

    def _reader(self, cursor: Any) -> PostgresReader:
        return PostgresReader(cursor, self.names, with_nul, self._known)

    # -- in

    def set_facts(self, facts: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
        def replace(writer: PostgresWriter) -> int:
            require_same_recipe(writer.before.facts, recipe, self.name)
            writer.set_facts(facts)
            return 0

        self.change(replace)

    def write(self, batches: Iterable[Batch], recipe: Mapping[str, Any], *, replace: bool) -> None:
        for batch in batches:
            rows = [_row(*each) for each in zip(batch.documents, batch.metadata, strict=True)]

            def put(writer: PostgresWriter, batch: Batch = batch, rows: list[Row] = rows) -> int:
                require_same_recipe(writer.before.facts, recipe, self.name)
                there = writer.positions(document.id for document in batch.documents)
                if not replace:
                    require_new(batch.documents, there, self.name)
                elif there:
                    writer.remove("position = ANY(%s)", [[*there.values()]])
                writer.insert(rows, batch.vectors.data, batch.vectors.truncated)
                return len(rows)

            self.change(put)
        self._schedule()

    def delete(self, ids: Sequence[str] = (), where: Filter | None = None) -> int:
        def remove(writer: PostgresWriter) -> int:
            if where is None:
                return writer.remove("position = ANY(%s)", [[*writer.positions(ids).values()]])
            parameters: list[Any] = []
            known_filter(writer, where)
            return writer.remove(condition(where, "fields", parameters), parameters)

        return self.change(remove)

    # -- out

    def facts(self) -> Facts:
        return self.read(lambda reader: _facts(reader.state()))

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        def find(reader: PostgresReader) -> dict[str, Document]:
            found = reader.documents([*reader.positions(ids).values()])
            return {document.id: document for document in found.values()}

        return self.read(find)

    def stored(self, ids: Sequence[str] | None = None) -> Iterator[tuple[list[Document], Vectors]]:
        with self.reading() as (reader, state):
            yield from _parts(reader, state, ids)

    @contextlib.contextmanager
    def moment(self) -> Iterator[Moment]:
        with self.reading() as (reader, state):
            yield Moment(state.documents, lambda: _parts(reader, state))

    def contents(self) -> Iterator[tuple[str, bytes, str]]:
        with self.reading() as (reader, _):
            yield from reader.contents()

    def ranked(self, question: Question) -> Answer:
        def answer(reader: PostgresReader) -> Answer:
            state = reader.state()
            if question.vectors is not None:
                require_same_recipe(state.facts, question.recipe, self.name)
            where = known_filter(reader, question.where)
            return ranked(PostgresRanked(reader, state, where, question.exact), question, _facts(state))

        return self.read(answer)

    def count(self, where: Filter | None = None) -> int:
        def count(reader: PostgresReader) -> int:
            if known_filter(reader, where) is None:
                return reader.state().documents
            parameters: list[Any] = []
            test = condition(where, "fields", parameters) if where else "TRUE"
            return int(reader.value(f"SELECT count(*) FROM $S.documents WHERE {test}", parameters))

        return self.read(count)

    def sample(self, size: int) -> Vectors:
        def sample(reader: PostgresReader) -> Vectors:
            state = reader.state()
            data = reader.vectors(reader.evenly(size, state.documents), state.vectors)
            data = data.reshape(-1, state.facts["dimension"])
            return _made(state.facts, data, np.zeros(len(data), bool))

        return self.read(sample)

    def info(self) -> Info:
        def describe(reader: PostgresReader) -> Info:
            state = reader.state()
            truncated = reader.value(f"SELECT count(*) FROM $S.vectors_{state.vectors} WHERE truncated")
            size = reader.value(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s AND relkind = 'r'",
                [self.names.schema.strip('"')],
            )
            built = Built.of(state)
            own = {"index": built.kind, "why": built.why, "recall": built.recall} if built else {}
            usual: Facts = {"index": None, "why": None, "recall": None, "pending": 0}
            fields = tuple(sorted(reader.fields()))
            return self._info(
                _facts(state), truncated=truncated, fields=fields, size=int(size), **{**usual, **own}
            )

        return self.read(describe)

    # -- upkeep

    def build(self, index: str | None, *, if_needed: bool, progress: Progress) -> None:
        if index is not None:
            chosen = None if index == AUTO else kind_of(index)

            def choose(writer: PostgresWriter) -> int:
                writer.set_facts({"index": chosen})
                return 0

            self.change(choose)
        if not if_needed or due(self.read(PostgresReader.state)):
            build(self, wait=True, progress=progress)

    def compact(self, progress: Progress) -> None:
        state = self.read(PostgresReader.state)
        with self.server.alone() as connection:
            for table in ("documents", f"vectors_{state.vectors}", "fields", "words", "facts", "commits"):
                connection.execute(self.names(f"VACUUM (FULL, ANALYZE) $S.{table}"))
            self.tidy(connection, state)

    def tidy(self, connection: Any, state: PostgresState) -> None:
        """Drop what a reembed has left, where nobody reads it any more; else the next one does."""
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE %s",
            [self.names.schema.strip('"'), r"vectors\_%"],
        ).fetchall()
        connection.execute("SET lock_timeout = '2s'")
        for (table,) in tables:
            if int(table.removeprefix("vectors_")) < state.vectors:
                with contextlib.suppress(self.server.busy):
                    connection.execute(self.names(f"DROP TABLE IF EXISTS $S.{table}"))

    def verify(self) -> Verification:
        findings: list[str] = []
        documents = 0
        with self.reading() as (reader, state):
            for block in reader.blocks(state.vectors):
                documents += len(block.documents)
                findings += _damaged(reader, block)
            rows = reader.value("SELECT count(*) FROM $S.documents")
        if not documents == rows == state.documents:
            counted = f"{state.documents:,} documents were counted as they came in"
            findings.append(f"{counted}, {rows:,} are there, {documents:,} of them with a vector")
        return Verification(documents, tuple(findings), ())

    def reembed(self, model: CollectionModel, progress: Progress) -> Reembedding:
        report = reembed(self, _Going(self, model.facts()["dimension"]), model, progress)
        with self.server.alone() as connection:
            self.tidy(connection, self.read(PostgresReader.state))
        self._schedule()
        return report

    def _schedule(self) -> None:
        """Have an index made in the background, where one is due."""
        if due(self.read(PostgresReader.state)):
            self._background.ask()

    def _build_if_due(self) -> None:
        stopping = self._background.stopping
        try:
            if due(self.read(PostgresReader.state)):
                build(self, wait=False, progress=False, stopping=stopping)
        except StoreError:
            if not stopping():  # else it was given up, and begins anew when somebody writes or builds
                raise

    def backup(self, target: Path) -> Path:
        fix = f"pg_dump -n '{self.names.schema}', or: nearsense index copy '{self.name}' {target}"
        self._refuse("be copied into a folder", "its server keeps it, and backs up what it keeps", fix)


class _Going:
    """The store as another model needs it (`reembedding.Store`). A step that breaks is done when called again."""

    def __init__(self, engine: PostgresEngine, dimension: int) -> None:
        self._engine, self._dimension = engine, dimension

    @contextlib.contextmanager
    def reading(self) -> Iterator[PostgresReader]:
        with self._engine.reading() as (reader, _):
            yield reader

    @contextlib.contextmanager
    def writing(self) -> Iterator[PostgresWriter]:
        with self._engine.server.writing() as cursor:
            writer = self._engine.writer(cursor)
            writer.dimension = self._dimension
            yield writer
            writer.finish(uuid.uuid4(), 0)


def _row(document: Document, metadata: str) -> Row:
    """What is written of a document beside its vector."""
    found = Counter(map(number_of, terms(document.text)))
    words = dict(sorted(found.items()))
    text = without_nul(document.text)
    return Row(document, metadata, text, fields_of(document.metadata), content_hash(document.text), words)


def _parts(
    reader: PostgresReader, state: PostgresState, ids: Sequence[str] | None = None
) -> Iterator[tuple[list[Document], Vectors]]:
    """Documents with their vectors, some at a time."""
    for block in reader.blocks(state.vectors, ids):
        if len(block.sums):
            yield block.documents, _made(state.facts, block.vectors, block.truncated)


def _facts(state: PostgresState) -> Facts:
    return {**state.facts, "documents": state.documents}


def _made(facts: Facts, data: Any, truncated: Any) -> Vectors:
    return Vectors(data, facts["fingerprint"], truncated, facts["model"], read_as(facts))


def _damaged(reader: PostgresReader, block: Block) -> list[str]:
    """A line for each document that is not what was written."""
    if not len(block.sums):
        return []
    positions = block.positions.tolist()
    rows = reader.run(
        "SELECT position, metadata, sum FROM $S.documents WHERE position = ANY(%s) ORDER BY position", [positions]
    ).fetchall()
    sums = vector_sums(block.vectors, block.positions)
    lengths = np.abs(np.linalg.norm(block.vectors, axis=1) - 1) < 1e-3
    found = []
    for place, (document, (at, metadata, total)) in enumerate(zip(block.documents, rows, strict=True)):
        if document_sum(at, document.id, document.text, metadata) != total:
            found.append(f"document {document.id!r}: its checksum does not fit")
        elif sums[place] != block.sums[place] or not lengths[place]:
            found.append(f"document {document.id!r}: the checksum of its vector does not fit")
    return found
