"""The engine that many share: a collection in a schema of a PostgreSQL database, its vectors compared by pgvector.

Here the parts are joined: connections and tries (store/postgres.py), tables (store/postgres_tables.py), and how
they are ranked. There is no snapshot and no derived file: the server has one moment for each transaction.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nearsense._progress import Progress
from nearsense.collection.engine import Answer, Batch, Facts, Moment, Question
from nearsense.collection.lasting import LastingEngine
from nearsense.collection.model import CollectionModel, read_as, require_same_recipe
from nearsense.collection.postgres_building import build
from nearsense.collection.postgres_index import AUTO, Built, due, kind_of
from nearsense.collection.postgres_ranking import PostgresRanked, known_filter, number_of
from nearsense.collection.ranking import ranked
from nearsense.collection.upkeep import Background
from nearsense.errors import StoreError
from nearsense.filters import Filter
from nearsense.filters.sql import condition, fields_of, with_nul, without_nul
from nearsense.lexical import terms
from nearsense.records import Document, Vectors
from nearsense.reports import Info, Reembedding, Verification
from nearsense.store.postgres import PATIENCE, Postgres, parse_address, require_vector
from nearsense.store.postgres_tables import (
    Known,
    Names,
    PostgresReader,
    PostgresState,
    PostgresWriter,
    Row,
    made,
    migrate,
    require_dimension,
    schema_of,
)
from nearsense.store.tables import document_sum, vector_sums
from nearsense.text import content_hash

if TYPE_CHECKING:
    from nearsense.store.tables import Block

T = TypeVar("T")


class PostgresEngine(LastingEngine):
    """A collection at an address; one that is missing is made with its first facts where `create` allows it."""

    def __init__(self, url: str, model: CollectionModel, *, create: bool) -> None:
        self.place = parse_address(url)
        super().__init__(self.place.name, model)
        self.server, self._known = Postgres(self.place), Known()
        try:
            self.names = self.server.alone(lambda connection: self._prepared(connection, create=create))
            self.begin()
        except BaseException:
            self.server.close()
            raise
        self._background = Background(self._build_if_due)

    def _prepared(self, connection: Any, *, create: bool) -> Names:
        """The schema, with its tables as they have to be."""
        names = Names(schema_of(self.place.collection), require_vector(connection, self.name))
        if create and not made(connection, names):
            require_dimension(self.model.facts()["dimension"])  # what cannot be kept leaves no empty one behind
        migrate(connection, names, self.name, create=create)
        return names

    def address(self) -> str | None:
        return self.place.url

    def close(self) -> None:
        """Give everything back; a build that is going on is given up."""
        self._background.close()
        self.server.close()

    # -- one moment, one change

    def read(self, action: Callable[[PostgresReader], T]) -> T:
        return self.server.read(lambda cursor: action(self._reader(cursor)))

    def change(self, action: Callable[[PostgresWriter], int]) -> int:
        key = uuid.uuid4()  # by which a try is known whose acknowledgement was lost

        def once(cursor: Any, tried: int) -> int:
            writer = PostgresWriter(cursor, self.names, with_nul, self._known)
            done = writer.done_before(key) if tried else None
            if done is None:
                done = action(writer)
                writer.finish(key, done)
            return done

        return self.server.write(once)

    def prepared(self, batch: Batch) -> Callable[[PostgresWriter], object]:
        rows = [_row(*each) for each in zip(batch.documents, batch.metadata, strict=True)]
        return lambda writer: writer.insert(rows, batch.vectors.data, batch.vectors.truncated)

    @contextlib.contextmanager
    def reading(self) -> Iterator[tuple[PostgresReader, PostgresState]]:
        """One moment, for what is read bit by bit."""
        with self.server.reading() as cursor:
            reader = self._reader(cursor)
            yield reader, reader.state()

    def _reader(self, cursor: Any) -> PostgresReader:
        return PostgresReader(cursor, self.names, with_nul, self._known)

    # -- in

    def delete(self, ids: Sequence[str] = (), where: Filter | None = None) -> int:
        def remove(writer: PostgresWriter) -> int:
            if where is None:
                return writer.remove([*writer.positions(ids).values()])
            parameters: list[Any] = []
            known_filter(writer, where)
            return writer.remove_where(condition(where, "fields", parameters), parameters)

        return self.change(remove)

    # -- out

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
        def rewrite(connection: Any) -> None:
            vectors = self._tidied(connection)
            for table in ("documents", *vectors, "fields", "words", "facts", "commits"):
                connection.execute(self.names(f"VACUUM (FULL, ANALYZE) $S.{table}"))

        self.server.alone(rewrite, patience=PATIENCE)

    def _tidied(self, connection: Any) -> list[str]:
        """The tables of vectors; what a reembed has left is dropped, or by the next one where it is still read."""
        used, left = self.read(PostgresReader.state).vectors, []
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename ~ '^vectors_[0-9]+$'",
            [self.names.schema.strip('"')],
        ).fetchall()
        connection.execute("SET lock_timeout = '2s'")
        for (table,) in tables:
            try:
                if int(table.removeprefix("vectors_")) >= used:
                    left.append(table)
                else:
                    connection.execute(self.names(f"DROP TABLE IF EXISTS $S.{table}"))
            except self.server.busy:
                left.append(table)
        connection.execute("RESET lock_timeout")
        return left

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
        report = super().reembed(model, progress)
        self.server.alone(self._tidied, patience=PATIENCE)
        self.schedule_build()
        return report

    def schedule_build(self) -> None:
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
