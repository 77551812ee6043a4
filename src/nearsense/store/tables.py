"""The tables of a collection: the schema, a checksum a row, one snapshot that is read, one change.

A vector's sum is the multilinear hash of its 64-bit words with odd weights, modulo 2**64 (Carter and Wegman 1979;
Lemire and Kaser 2014), its position among them: every change within one word changes it, and a row in another
row's place does not pass. It is one integer product, at the speed of memory, so that vectors are checked whenever
they are read. Positions are given once: a changed document gets a new one.
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import DamagedCollection, StoreError
from nearsense.records import Document
from nearsense.store.database import Connection
from nearsense.store.generations import Generation, crash_point

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 10_000
"""Ids or positions in one question; the list travels as one JSON text."""
_LISTED = "(SELECT value FROM json_each(?))"
_WHOLE_ROWS = (
    "SELECT d.position, id, text, metadata, d.sum, v.vector, v.sum, v.truncated"
    " FROM documents AS d LEFT JOIN vectors AS v USING (position)"
)


@dataclass(frozen=True, slots=True)
class State:
    """What is true at one commit: its number, the next position, how many documents there are, and the facts."""

    sequence: int
    position: int
    documents: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """n documents in the order of their positions, all checked: vectors (n, d), sums, whose text was cut."""

    positions: NDArray[np.int64]
    documents: list[Document]
    vectors: NDArray[np.float32]
    sums: NDArray[np.int64]
    truncated: NDArray[np.bool_]


class SQLiteReader:
    """One snapshot of a collection, positions its rows' numbers. Whatever is damaged raises DamagedCollection."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._db, self._folder = connection, folder
        self._sequence: int | None = None

    def sequence(self) -> int:
        """The number of the last commit."""
        if self._sequence is None:
            self._sequence = int(self._db.value("SELECT value FROM state WHERE name = 'sequence'"))
        return self._sequence

    def count(self) -> int:
        """How many documents there are."""
        return int(self._db.value("SELECT value FROM state WHERE name = 'documents'"))

    def state(self) -> State:
        """What is true at this snapshot."""
        facts = dict(self._db.each("SELECT name, value FROM state"))
        sequence, position, documents = (int(facts.pop(name)) for name in ("sequence", "position", "documents"))
        facts.pop("identity")
        return State(sequence, position, documents, {name: json.loads(value) for name, value in facts.items()})

    def generation(self) -> Generation | None:
        """The derived files in use."""
        rows = self._db.rows("SELECT name, sequence, position, manifest FROM generations")
        if not rows:
            return None
        name, sequence, position, manifest = rows[0]
        return Generation(name, sequence, position, json.loads(manifest))

    def documents(self, positions: Sequence[int]) -> dict[int, Document]:
        """The documents at some positions; what is not there is left out."""
        sql = f"SELECT position, id, text, metadata, sum FROM documents WHERE position IN {_LISTED}"
        return {row[0]: self._document(row) for row in self._chunked(sql, positions)}

    def positions(self, ids: Iterable[str]) -> dict[str, int]:
        """Where some ids are; what is not there is left out."""
        sql = f"SELECT id, position FROM documents WHERE id IN {_LISTED}"
        return dict(self._chunked(sql, list(ids)))

    def vectors(self, positions: Sequence[int]) -> NDArray[np.float32]:
        """The vectors at some positions, all of which exist; shape (n, d)."""
        sql = f"SELECT position, vector, sum FROM vectors WHERE position IN {_LISTED}"
        found = {position: (vector, total) for position, vector, total in self._chunked(sql, positions)}
        try:
            rows = [found[position] for position in positions]
        except KeyError as missing:
            raise self._damaged(f"the vector at position {missing} is missing") from None
        return self._checked(np.asarray(positions, np.int64), rows)[0]

    def block(self, positions: Sequence[int]) -> Block:
        """The documents with their vectors at some positions; what is not there is left out."""
        sql = f"{_WHOLE_ROWS} WHERE d.position IN {_LISTED}"
        return self._block(sorted(self._chunked(sql, positions)))

    def blocks(self, after: int = -1, size: int = 4096) -> Iterator[Block]:
        """Everything beyond a position, in order."""
        sql = f"{_WHOLE_ROWS} WHERE d.position > ? ORDER BY d.position LIMIT ?"
        while rows := self._db.rows(sql, (after, size)):
            yield self._block(rows)
            after = rows[-1][0]

    def contents(self) -> Iterator[tuple[str, bytes, str]]:
        """(id, content hash, metadata as JSON) of every document; what a sync compares."""
        return self._db.each("SELECT id, hash, metadata FROM documents")

    def ids(self) -> list[tuple[int, str]]:
        """(position, id) of every document, ascending, read from the index of ids alone."""
        return sorted(self._db.rows("SELECT position, id FROM documents INDEXED BY sqlite_autoindex_documents_1"))

    def removals(self, after: int) -> list[int]:
        """The positions that were removed after a commit."""
        return [row[0] for row in self._db.each("SELECT position FROM removals WHERE sequence > ?", (after,))]

    def without_next(self, limit: int, after: int = -1) -> tuple[list[int], list[str]]:
        """Positions and texts of some documents beyond a position that have no vector of the next model yet."""
        rows = self._db.rows(
            "SELECT d.position, text FROM documents AS d LEFT JOIN next_vectors AS v USING (position)"
            " WHERE v.position IS NULL AND d.position > ? ORDER BY d.position LIMIT ?",
            (after, limit),
        )
        return [row[0] for row in rows], [row[1] for row in rows]

    def old_and_new(self, limit: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors of some documents under the model in use and under the next, each of shape (n, d)."""
        step = max(1, int(self._db.value("SELECT count(*) FROM next_vectors")) // limit)
        rows = self._db.rows(
            "SELECT position, v.vector, v.sum, n.vector, n.sum FROM vectors AS v JOIN next_vectors AS n"
            " USING (position) WHERE position % ? = 0 LIMIT ?",
            (step, limit),
        )
        positions = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        old, new = (self._checked(positions, [row[first : first + 2] for row in rows])[0] for first in (1, 3))
        return old, new

    def pending(self) -> tuple[int, int]:
        """(changes that the derived files lack, documents that they hold)."""
        rows = self._db.rows("SELECT position, manifest ->> 'rows' FROM generations")
        position, held = rows[0] if rows else (0, 0)
        added = "SELECT value - ? FROM state WHERE name = 'position'"
        return self._db.value(added, (position,)) + self._db.value("SELECT count(*) FROM removals"), held

    def truncated(self) -> int:
        """How many texts were cut at the model's limit."""
        return int(self._db.value("SELECT count(*) FROM vectors WHERE truncated = 1"))

    def _chunked(self, sql: str, items: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, len(items), CHUNK):
            yield from self._db.rows(sql, (json.dumps(items[start : start + CHUNK]),))

    def _block(self, rows: Sequence[Any]) -> Block:
        positions = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        vectors, sums = self._checked(positions, [row[5:7] for row in rows])
        truncated = np.fromiter((row[7] for row in rows), np.bool_, len(rows))
        return Block(positions, [self._document(row) for row in rows], vectors, sums, truncated)

    def _document(self, row: Sequence[Any]) -> Document:
        position, id_, text, metadata, total = row[:5]
        if document_sum(position, id_, text, metadata) != total:
            raise self._damaged(f"the checksum of document {id_!r} does not fit")
        return Document(id_, text, json.loads(metadata))

    def _checked(
        self, positions: NDArray[np.int64], rows: Sequence[tuple[bytes, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Blobs as one array, and their sums, which are as they were written."""
        lengths = {len(vector) if vector is not None else 0 for vector, _ in rows}
        if len(lengths) > 1 or 0 in lengths:
            raise self._damaged(f"a vector between positions {positions[0]} and {positions[-1]} is missing or cut")
        vectors = np.frombuffer(b"".join(vector for vector, _ in rows), np.float32)
        vectors = vectors.reshape(len(rows), -1) if rows else vectors.reshape(0, 0)
        expected = np.fromiter((total for _, total in rows), np.int64, len(rows))
        sums = vector_sums(vectors, positions)
        if (wrong := np.flatnonzero(sums != expected)).size:
            raise self._damaged(f"the checksum of the vector at position {positions[wrong[0]]} does not fit")
        return vectors, sums

    def _damaged(self, why: str) -> DamagedCollection:
        return DamagedCollection(
            f"{self._folder} is damaged",
            why=why,
            fix=f"restore a backup; nearsense index verify {self._folder} tells what is affected",
        )


class SQLiteWriter(SQLiteReader):
    """One change of a collection: all of it is kept, or nothing."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        super().__init__(connection, folder)
        self.next = self.sequence() + 1

    def insert(
        self,
        documents: Sequence[Document],
        vectors: NDArray[np.float32],
        truncated: NDArray[np.bool_],
        metadata: Sequence[str] | None = None,
    ) -> None:
        """Add documents whose ids are free; vectors: shape (n, d); metadata: as JSON, where it is at hand."""
        from nearsense.text import as_json, content_hash

        crash_point("rows.before")
        first = int(self._db.value("SELECT value FROM state WHERE name = 'position'"))
        positions = range(first, first + len(documents))
        rows = []
        written = [as_json(document.metadata) for document in documents] if metadata is None else metadata
        for position, document, fields in zip(positions, documents, written, strict=True):
            total = document_sum(position, document.id, document.text, fields)
            rows.append((position, document.id, document.text, fields, content_hash(document.text), total))
        self._db.run_many("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._db.run_many("INSERT INTO vectors VALUES (?, ?, ?, ?)", _vector_rows(positions, vectors, truncated))
        self._add("position", len(documents))
        self._add("documents", len(documents))
        crash_point("rows.after")

    def remove(self, positions: Sequence[int]) -> None:
        """Remove the documents at some positions."""
        self._db.run_many("INSERT INTO removals VALUES (?, ?)", ((position, self.next) for position in positions))
        for table in ("documents", "vectors", "next_vectors"):
            self._db.run_many(f"DELETE FROM {table} WHERE position = ?", ((each,) for each in positions))
        self._add("documents", -len(positions))

    def set_generation(self, generation: Generation | None) -> None:
        """From now on these derived files are in use, or none; the log before them is not needed any more."""
        self._db.run("DELETE FROM generations")
        if generation is not None:
            row = (generation.name, generation.sequence, generation.position, json.dumps(generation.manifest))
            self._db.run("INSERT INTO generations VALUES (?, ?, ?, ?)", row)
            self._db.run("DELETE FROM removals WHERE sequence <= ?", (generation.sequence,))

    def begin(self, facts: Mapping[str, Any]) -> None:
        """The first facts."""
        self.set_facts(facts)

    def set_facts(self, facts: Mapping[str, Any]) -> None:
        """Replace some facts."""
        self._db.run_many(
            "INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            ((name, json.dumps(value)) for name, value in facts.items()),
        )

    def insert_next(
        self, positions: Sequence[int], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]
    ) -> None:
        """Keep vectors of the next model beside those in use, of documents that were not removed meanwhile."""
        there = "WHERE EXISTS (SELECT 1 FROM documents WHERE position = ?1)"
        rows = _vector_rows(positions, vectors, truncated)
        self._db.run_many(f"INSERT OR REPLACE INTO next_vectors SELECT ?1, ?2, ?3, ?4 {there}", rows)

    def drop_next(self) -> None:
        """Forget the vectors of the next model."""
        self._db.run("DELETE FROM next_vectors")

    def swap_next(self, dimension: int) -> None:
        """The next model's vectors take the place of those in use; every document has one."""
        self._db.run("DROP TABLE vectors")
        self._db.run("ALTER TABLE next_vectors RENAME TO vectors")
        self._db.run(
            "CREATE TABLE next_vectors (position INTEGER PRIMARY KEY, vector BLOB NOT NULL,"
            " truncated INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT"
        )
        self.set_generation(None)

    def _add(self, name: str, number: int) -> None:
        self._db.run("UPDATE state SET value = value + ? WHERE name = ?", (number, name))


def _vector_rows(
    positions: Sequence[int], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]
) -> Iterator[tuple[int, bytes, int, int]]:
    sums = vector_sums(vectors, np.asarray(positions, np.int64)).tolist()
    width, content = vectors.shape[1] * 4, memoryview(vectors.tobytes())
    for row, (position, cut, total) in enumerate(zip(positions, truncated.tolist(), sums, strict=True)):
        yield position, bytes(content[row * width : (row + 1) * width]), int(cut), total


def document_sum(position: int, id_: str, text: str, metadata: str) -> int:
    """CRC-32 of all that a document's row says.

    Example:
        >>> document_sum(0, "1", "hello", "{}") != document_sum(1, "1", "hello", "{}")
        True
    """
    return zlib.crc32(f"{position}\0{id_}\0{text}\0{metadata}".encode())


def vector_sums(vectors: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """One sum a row, int64 of shape (n,), of float32 vectors of shape (n, d) and where each belongs, int64 (n,).

    Example:
        >>> a = np.ones((1, 4), np.float32)
        >>> bool(vector_sums(a, np.array([7])) == vector_sums(a, np.array([8])))
        False
    """
    if vectors.shape[1] % 2:
        vectors = np.pad(vectors, ((0, 0), (0, 1)))
    words = np.ascontiguousarray(vectors).view(np.uint64)
    weights = _weights(words.shape[1] + 1)
    sums = words @ weights[1:]
    sums += positions.astype(np.uint64) * weights[0]
    return sums.view(np.int64)


@functools.lru_cache
def _weights(count: int) -> NDArray[np.uint64]:
    """Odd 64-bit numbers, the same for ever: splitmix64 (Steele, Lea and Flood 2014) of 1, 2, 3, ..."""
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (z ^ (z >> np.uint64(31))) | np.uint64(1)


APPLICATION_ID = 0x4E656172
"""How `file` and SQLite tell a collection from other databases: "Near"."""

MIGRATIONS = (
    """
    -- What is true of the collection as a whole: one row a fact.
    CREATE TABLE state (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

    -- A position is given once and never again; a changed document gets a new one.
    CREATE TABLE documents (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        metadata TEXT NOT NULL,          -- JSON object
        hash BLOB NOT NULL,              -- of the text, as the embedding cache knows it
        sum INTEGER NOT NULL             -- sums.document_sum
    ) STRICT;

    -- float32, little-endian, unit length. Beside the documents: to fetch a text reads no vector.
    CREATE TABLE vectors (
        position INTEGER PRIMARY KEY,
        vector BLOB NOT NULL,
        truncated INTEGER NOT NULL,      -- 1: the text was cut at the model's limit
        sum INTEGER NOT NULL             -- sums.vector_sums
    ) STRICT;

    -- The vectors of another model, while `reembed` makes them.
    CREATE TABLE next_vectors (
        position INTEGER PRIMARY KEY, vector BLOB NOT NULL, truncated INTEGER NOT NULL, sum INTEGER NOT NULL
    ) STRICT;

    -- The change log: what was removed since the last generation. What was added needs none: positions only grow.
    CREATE TABLE removals (position INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
    CREATE INDEX removals_by_sequence ON removals (sequence);

    -- The derived files that are in use: at most one row.
    CREATE TABLE generations (
        name TEXT PRIMARY KEY,           -- of the folder
        sequence INTEGER NOT NULL,       -- of the last commit it holds
        position INTEGER NOT NULL,       -- it holds the positions below
        manifest TEXT NOT NULL           -- JSON: files with their sizes and SHA-256, and what was built
    ) STRICT;
    """,
    """
    -- A generation says from now on of which vectors it was made (manifest: recipe), and so does what `reembed`
    -- has begun (state: next). Of older ones nobody knows: they are made again.
    DELETE FROM generations;
    DELETE FROM next_vectors;
    DELETE FROM state WHERE name = 'next';
    INSERT OR IGNORE INTO state SELECT 'windows', 'false' FROM state WHERE name = 'fingerprint';
    """,
)


def is_newest(connection: Connection) -> bool:
    """Whether a file is a collection with the newest schema, ready to be used."""
    known = (connection.pragma(name) for name in ("application_id", "user_version", "journal_mode"))
    return (*known,) == (APPLICATION_ID, len(MIGRATIONS), "wal")


def migrate(connection: Connection, path: str) -> None:
    """Bring a file to the newest schema; nothing where it has it."""
    if connection.pragma("user_version") == len(MIGRATIONS):
        return
    crash_point("migration.before")
    with connection.writing():
        done = connection.pragma("user_version")
        if done > len(MIGRATIONS):
            raise StoreError(
                f"{path} has schema {done}, this nearsense knows {len(MIGRATIONS)}",
                why="a newer nearsense made it",
                fix="pip install --upgrade nearsense",
            )
        for number, script in enumerate(MIGRATIONS[done:], done + 1):
            connection.run(script)
            connection.pragma("user_version", number)
        connection.pragma("application_id", APPLICATION_ID)
    crash_point("migration.after")
