"""A collection's tables in PostgreSQL: a schema of its own, one moment that is read, one change. No ranking.

As on a disk (tables.py): positions are given once, a changed document gets a new one, rows have checksums. Writers
queue for the row of `state`. Vectors lie in a table of their own with a number; another model's are written into
the next one, and taken into use by that number. Texts are kept without NUL (filters/sql.py).
"""

from __future__ import annotations

import json
import re
import struct
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.errors import CollectionNotFound, InputError, StoreError
from nearsense.records import Document
from nearsense.store.tables import Block, document_sum, vector_sums
from nearsense.text import is_encodable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from psycopg import Connection, Cursor

CHUNK = 10_000
"""Ids or positions in one question."""
BLOCK = 2048
"""Documents that are read together with their vectors."""
KEPT = "1 day"
"""How long a change is known by its key: far longer than anybody tries again."""
LONGEST = 16_000
"""Numbers of a vector that pgvector holds."""
PLAIN = 1900
"""Numbers of a vector up to which a row fits into a page, where it is read without a detour."""


@dataclass(frozen=True, slots=True)
class Names:
    """The schema of a collection and that of pgvector, as SQL says them."""

    schema: str
    vector: str

    def __call__(self, sql: str) -> str:
        """SQL in which $S stands for the collection's schema, $V for pgvector's."""
        return sql.replace("$S", self.schema).replace("$V", self.vector)


def schema_of(collection: str) -> str:
    """The schema in which a collection lies, quoted; the name has letters, digits, - and _ only."""
    return f'"nearsense_{collection}"'


def quoted(name: str) -> str:
    """A name as SQL says it.

    Example:
        >>> quoted("ann"), quoted("Ann Li")
        ('ann', '"Ann Li"')
    """
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else '"{}"'.format(name.replace('"', '""'))


@dataclass(frozen=True, slots=True)
class PostgresState:
    """What is true at one moment: the facts, how many documents and terms, where the vectors are, and the next."""

    identity: bytes
    sequence: int
    position: int
    documents: int
    terms: int
    vectors: int
    next: int | None
    facts: dict[str, Any]


Known = dict[tuple[bytes, int], dict[str, Any]]
"""The facts at a change, by the collection's identity and the number of the change: the last that was seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What is written of a document beside its vector: its metadata as JSON and as fields, and its words."""

    document: Document
    metadata: str
    text: str
    fields: Mapping[str, list[Any]]
    hash: bytes
    words: Mapping[int, int]
    """How often it holds each term, by the term's number, ascending."""


class PostgresReader:
    """One moment of a collection, through a cursor whose transaction shows it."""

    def __init__(self, cursor: Cursor[Any], names: Names, unpack: Callable[[str], str], known: Known) -> None:
        self.cursor, self.names, self._unpack, self._known = cursor, names, unpack, known

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor[Any]:
        """Do what a statement says."""
        return self.cursor.execute(self.names(sql), parameters or None)

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first value of the first row."""
        row = self.run(sql, parameters).fetchone()
        return None if row is None else row[0]

    def state(self, *, lock: bool = False) -> PostgresState:
        """What is true now; with `lock` until the end of this change, when it is one's turn."""
        columns = "identity, sequence, position, documents, terms, vectors, next"
        durable = "CASE current_setting('synchronous_commit') WHEN 'off' THEN "
        durable += "set_config('synchronous_commit', 'on', true) END"
        sql = f"SELECT {columns}{f', {durable}' * lock} FROM $S.state{' FOR UPDATE' * lock}"
        row = self.run(sql).fetchone()
        at = row[:2]  # type: ignore[index]
        facts = self._known.get(at)
        if facts is None:
            facts = {name: json.loads(value) for name, value in self.run("SELECT name, value FROM $S.facts")}
            self._known.clear()
            self._known[at] = facts
        identity, sequence, position, documents, terms, vectors, next_ = row[:7]  # type: ignore[index]
        return PostgresState(identity, sequence, position, documents, terms, vectors, next_, dict(facts))

    def positions(self, ids: Iterable[str]) -> dict[str, int]:
        """Where some ids are; what is not there is left out."""
        wanted = [each for each in ids if "\0" not in each and is_encodable(each)]
        return dict(self._chunked("SELECT id, position FROM $S.documents WHERE id = ANY(%s)", wanted))

    def documents(self, positions: Sequence[int]) -> dict[int, Document]:
        """The documents at some positions."""
        sql = "SELECT position, id, text, metadata FROM $S.documents WHERE position = ANY(%s)"
        return {row[0]: self._document(*row[1:4]) for row in self._chunked(sql, positions)}

    def vectors(self, positions: Sequence[int], table: int) -> NDArray[np.float32]:
        """The vectors at some positions, ascending, all of which exist; shape (n, d)."""
        sql = f"SELECT $V.vector_send(vector) FROM $S.vectors_{table} WHERE position = ANY(%s) ORDER BY position"
        return _as_array([row[0] for row in self._chunked(sql, positions)])

    def block(self, positions: Sequence[int]) -> Block:
        """The documents with their vectors at some positions; what is not there is left out."""
        where = "d.position = ANY(%s) ORDER BY d.position"
        return self.block_where(where, [list(positions)], self.state().vectors)

    def block_where(self, where: str, parameters: Sequence[Any], table: int) -> Block:
        """Documents with their vectors, by a condition that says their order, too."""
        sql = (
            "SELECT d.position, id, text, metadata, $V.vector_send(v.vector), v.sum, v.truncated"
            f" FROM $S.documents AS d JOIN $S.vectors_{table} AS v USING (position) WHERE {where}"
        )
        rows = self.run(sql, parameters).fetchall()
        positions = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        sums = np.fromiter((row[5] for row in rows), np.int64, len(rows))
        cut = np.fromiter((row[6] for row in rows), np.bool_, len(rows))
        documents = [self._document(*row[1:4]) for row in rows]
        return Block(positions, documents, _as_array([row[4] for row in rows]), sums, cut)

    def blocks(self, table: int, ids: Sequence[str] | None = None) -> Iterator[Block]:
        """Everything, or what has some ids, in the order of positions, some at a time."""
        if ids is not None:
            wanted = sorted(self.positions(ids).values())
            for start in range(0, len(wanted), BLOCK):
                chunk = wanted[start : start + BLOCK]
                yield self.block_where("d.position = ANY(%s) ORDER BY d.position", [chunk], table)
            return
        after, beyond = -1, "d.position > %s ORDER BY d.position LIMIT %s"
        while len((block := self.block_where(beyond, [after, BLOCK], table)).sums):
            yield block
            after = int(block.positions[-1])

    def contents(self) -> Iterator[tuple[str, bytes, str]]:
        """(id, content hash, metadata as JSON) of every document."""
        after = -1
        sql = (
            "SELECT position, id, hash, metadata FROM $S.documents WHERE position > %s ORDER BY position LIMIT %s"
        )
        while rows := self.run(sql, [after, CHUNK]).fetchall():
            yield from (row[1:] for row in rows)
            after = rows[-1][0]

    def fields(self) -> list[str]:
        """The names of all metadata fields of documents."""
        return [
            self._unpack(row[0]) for row in self.run("SELECT name FROM $S.fields WHERE documents > 0").fetchall()
        ]

    def evenly(self, size: int, documents: int) -> list[int]:
        """The positions of at most so many documents, evenly over all."""
        places = np.unique(np.linspace(0, max(documents - 1, 0), min(size, documents)).astype(np.int64))
        ranked = "(SELECT position, row_number() OVER (ORDER BY position) - 1 AS place FROM $S.documents)"
        sql = f"SELECT position FROM {ranked} AS ranked WHERE place = ANY(%s) ORDER BY position"
        return [row[0] for row in self.run(sql, [places.tolist()]).fetchall()]

    def without_next(self, limit: int, after: int = -1) -> tuple[list[int], list[str]]:
        """Positions and texts of some documents beyond a position that have no vector of the next model yet."""
        next_, unless = self.state().next, ""
        if next_ is not None:
            unless = f" AND NOT EXISTS (SELECT FROM $S.vectors_{next_} AS v WHERE v.position = d.position)"
        sql = (
            f"SELECT position, text FROM $S.documents AS d WHERE position > %s{unless} ORDER BY position LIMIT %s"
        )
        rows = self.run(sql, [after, limit]).fetchall()
        return [row[0] for row in rows], [self._unpack(row[1]) for row in rows]

    def old_and_new(self, limit: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors of some documents under the model in use and under the next, each of shape (n, d)."""
        state = self.state()
        if state.next is None:
            return np.empty((0, 1), np.float32), np.empty((0, 1), np.float32)
        there = self.run(f"SELECT position FROM $S.vectors_{state.next} ORDER BY position").fetchall()
        some = [row[0] for row in there[:: max(1, len(there) // limit)]][:limit]
        return self.vectors(some, state.vectors), self.vectors(some, state.next)

    def _chunked(self, sql: str, items: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, len(items), CHUNK):
            yield from self.run(sql, [list(items[start : start + CHUNK])]).fetchall()

    def _document(self, id_: str, text: str, metadata: str) -> Document:
        return Document(id_, self._unpack(text), json.loads(metadata))


class PostgresWriter(PostgresReader):
    """One change, in one's turn: all of it is kept, or nothing."""

    def __init__(self, cursor: Cursor[Any], names: Names, unpack: Callable[[str], str], known: Known) -> None:
        super().__init__(cursor, names, unpack, known)
        self.before = self.state(lock=True)
        self._documents, self._terms, self._position = 0, 0, self.before.position
        self._fields: Counter[str] = Counter()
        self._words: Counter[int] = Counter()

    def done_before(self, key: uuid.UUID) -> int | None:
        """What came of the change with this key, where an earlier try of it was kept after all."""
        found = self.value("SELECT result FROM $S.commits WHERE key = %s", [key])
        return None if found is None else int(found)

    def finish(self, key: uuid.UUID, result: int) -> None:
        """Write down what this change has done."""
        for name, count in self._fields.items():
            if count:
                self.run(
                    "INSERT INTO $S.fields AS f VALUES (%s, %s)"
                    " ON CONFLICT (md5(name)) DO UPDATE SET documents = f.documents + excluded.documents",
                    [name, count],
                )
        if changed := {number: count for number, count in sorted(self._words.items()) if count}:
            self.run(
                "INSERT INTO $S.words AS w SELECT * FROM unnest(%s::bigint[], %s::bigint[])"
                " ON CONFLICT (number) DO UPDATE SET documents = w.documents + excluded.documents",
                [[*changed], [*changed.values()]],
            )
            if gone := [number for number, count in changed.items() if count < 0]:
                self.run("DELETE FROM $S.words WHERE documents = 0 AND number = ANY(%s)", [gone])
        self.run(
            "UPDATE $S.state SET sequence = sequence + 1, position = %s,"
            " documents = documents + %s, terms = terms + %s",
            [self._position, self._documents, self._terms],
        )
        self.run("INSERT INTO $S.commits VALUES (%s, %s)", [key, result])
        if self.before.sequence % 100 == 0:
            self.run(f"DELETE FROM $S.commits WHERE at < now() - interval '{KEPT}'")

    def insert(self, rows: Sequence[Row], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]) -> None:
        """Add documents whose ids are free; vectors: shape (n, d)."""
        positions = np.arange(self._position, self._position + len(rows))
        self._copy("documents", (_document_row(at, row) for at, row in zip(positions.tolist(), rows, strict=True)))
        self.insert_vectors(self.before.vectors, positions, vectors, truncated)
        self._position += len(rows)
        self._documents += len(rows)
        self._terms += sum(sum(row.words.values()) for row in rows)
        for row in rows:
            self._fields.update(row.fields.keys())
            self._words.update(row.words.keys())

    def insert_vectors(
        self,
        table: int,
        positions: NDArray[np.int64],
        vectors: NDArray[np.float32],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Add vectors, shape (n, d), to a table of them."""
        if len(positions):
            self._copy(f"vectors_{table}", [_vector_rows(positions, vectors, truncated)])

    def insert_next(
        self, positions: Sequence[int], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]
    ) -> None:
        """Add vectors of the next model, of documents that are still there and have none."""
        table = self._next(vectors.shape[1])
        sql = (
            "SELECT position FROM $S.documents AS d WHERE position = ANY(%s)"
            f" AND NOT EXISTS (SELECT FROM $S.vectors_{table} AS v WHERE v.position = d.position)"
        )
        wanted = {row[0] for row in self.run(sql, [list(positions)]).fetchall()}
        keep = np.array([position in wanted for position in positions], bool)
        self.insert_vectors(table, np.asarray(positions, np.int64)[keep], vectors[keep], truncated[keep])

    def remove(self, positions: Sequence[int]) -> int:
        """Remove the documents at some positions; how many there were."""
        return self.remove_where("position = ANY(%s)", [list(positions)])

    def remove_where(self, where: str, parameters: Sequence[Any]) -> int:
        """Remove documents by a condition; how many there were."""
        gone = self.run(
            f"DELETE FROM $S.documents WHERE {where}"
            " RETURNING position, length, ARRAY(SELECT jsonb_object_keys(fields)), terms",
            parameters,
        ).fetchall()
        positions = [row[0] for row in gone]
        for table in (each for each in (self.before.vectors, self.before.next) if each is not None):
            self.run(f"DELETE FROM $S.vectors_{table} WHERE position = ANY(%s)", [positions])
        self._documents -= len(gone)
        self._terms -= sum(row[1] for row in gone)
        for row in gone:
            self._fields.subtract(row[2])
            self._words.subtract(row[3])
        return len(gone)

    def begin(self, facts: Mapping[str, Any]) -> None:
        """The first facts, and a table for vectors of their dimension."""
        self.make_vectors(self.before.vectors, facts["dimension"])
        self.set_facts(facts)

    def set_facts(self, facts: Mapping[str, Any]) -> None:
        """Replace some facts."""
        self._known = {}  # no other moment sees them before this change is kept
        for name, value in facts.items():
            self.run(
                "INSERT INTO $S.facts VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                [name, json.dumps(value)],
            )

    def drop_next(self) -> None:
        """Forget the vectors of the next model."""
        if (table := self.state().next) is not None:
            self.run(f"DROP TABLE $S.vectors_{table}")
            self.run("UPDATE $S.state SET next = NULL")

    def swap_next(self, dimension: int) -> None:
        """From now on the next model's vectors are in use; the other table is left, to be dropped later."""
        self._next(dimension)
        self.run("UPDATE $S.state SET vectors = next, next = NULL")

    def make_vectors(self, table: int, dimension: int) -> None:
        """An empty table of vectors."""
        for sql in vectors_table(table, dimension):
            self.run(sql)

    def _next(self, dimension: int) -> int:
        """The table for the vectors of the next model, made where there is none."""
        if (table := self.state().next) is None:
            table = self.before.vectors + 1
            self.make_vectors(table, dimension)
            self.run("UPDATE $S.state SET next = %s", [table])
        return table

    def _copy(self, table: str, rows: Iterable[bytes]) -> None:
        sql = self.names(f"COPY $S.{table} FROM STDIN (FORMAT BINARY)")
        with self.cursor.copy(sql) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            for row in rows:
                copy.write(row)
            copy.write(b"\xff\xff")


def _as_array(sent: Sequence[bytes]) -> NDArray[np.float32]:
    """Vectors as pgvector sends them: two short numbers, and floats, big end first."""
    if not sent:
        return np.empty((0, 0), np.float32)
    width = len(sent[0]) // 4
    return np.frombuffer(b"".join(sent), ">f4").reshape(len(sent), width)[:, 1:].astype(np.float32)


def _vector_rows(
    positions: NDArray[np.int64], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]
) -> bytes:
    """Rows of a table of vectors, as COPY takes them: each value behind its length."""
    count, dimension = vectors.shape
    layout = [("columns", ">i2"), ("l0", ">i4"), ("position", ">i8"), ("l1", ">i4"), ("dimension", ">i4")]
    layout += [("vector", ">f4", (dimension,)), ("l2", ">i4"), ("truncated", "u1"), ("l3", ">i4"), ("sum", ">i8")]  # type: ignore[list-item]
    rows = np.zeros(count, np.dtype(layout))
    rows["columns"], rows["l0"], rows["l1"], rows["l2"], rows["l3"] = 4, 8, 4 + 4 * dimension, 1, 8
    rows["position"], rows["truncated"], rows["vector"] = positions, truncated, vectors
    rows["dimension"] = dimension << 16  # a short number, and one that is not used
    rows["sum"] = vector_sums(np.ascontiguousarray(vectors), positions)
    return rows.tobytes()


def _document_row(position: int, row: Row) -> bytes:
    """A row of the documents, as COPY takes it."""
    document, terms, counts = row.document, [*row.words], [*row.words.values()]
    fields = json.dumps(row.fields, ensure_ascii=False, separators=(",", ":")).encode()
    values = (
        struct.pack(">q", position),
        document.id.encode(),
        row.text.encode(),
        row.metadata.encode(),
        b"\1" + fields,
        row.hash,
        struct.pack(">q", document_sum(position, document.id, document.text, row.metadata)),
        struct.pack(">i", sum(counts)),
        _array(terms, 20, ">i8"),
        _array(counts, 23, ">i4"),
    )
    return struct.pack(">h", len(values)) + b"".join(struct.pack(">i", len(each)) + each for each in values)


def _array(numbers: Sequence[int], kind: int, layout: str) -> bytes:
    """An array of whole numbers as PostgreSQL sends it; `kind` is the number of their type."""
    if not numbers:
        return struct.pack(">iii", 0, 0, kind)
    items = np.zeros(len(numbers), np.dtype([("length", ">i4"), ("number", layout)]))
    items["length"], items["number"] = np.dtype(layout).itemsize, numbers
    return struct.pack(">iiiii", 1, 0, kind, len(numbers), 1) + items.tobytes()


def vectors_table(number: int, dimension: int) -> list[str]:
    """What makes a table of vectors: float32, of unit length."""
    require_dimension(dimension)
    table = f"$S.vectors_{number}"
    columns = f"vector $V.vector({dimension}) NOT NULL, truncated boolean NOT NULL, sum bigint NOT NULL"
    storage = "PLAIN" if dimension <= PLAIN else "EXTERNAL"
    return [
        f"CREATE TABLE {table} (position bigint PRIMARY KEY, {columns})",
        f"ALTER TABLE {table} ALTER vector SET STORAGE {storage}",
    ]


def require_dimension(dimension: int) -> None:
    """Refuse vectors that are too long for pgvector."""
    if dimension > LONGEST:
        what = f"vectors of dimension {dimension:,} cannot be kept in PostgreSQL"
        why = f"pgvector holds {LONGEST:,} numbers at most"
        raise InputError(
            what, why=why, fix="keep fewer numbers of each: dimensions=4000; or keep them in a folder"
        )


MIGRATIONS = (
    """
    -- What is true of the collection as a whole, one row. Who writes locks it: one at a time.
    CREATE TABLE $S.state (
        alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
        identity bytea NOT NULL,
        sequence bigint NOT NULL DEFAULT 0,   -- of the last change
        position bigint NOT NULL DEFAULT 0,   -- the next one that is given
        documents bigint NOT NULL DEFAULT 0,
        terms bigint NOT NULL DEFAULT 0,      -- in all texts
        vectors integer NOT NULL DEFAULT 1,   -- the table vectors_N that is in use
        next integer                          -- the one that reembed fills
    );
    CREATE TABLE $S.facts (name text PRIMARY KEY, value text NOT NULL);  -- JSON

    -- A position is given once and never again; a changed document gets a new one.
    CREATE TABLE $S.documents (
        position bigint PRIMARY KEY,
        id text COLLATE "C" NOT NULL UNIQUE,
        text text NOT NULL,                   -- without NUL: filters/sql.py
        metadata text NOT NULL,               -- JSON object, as given
        fields jsonb NOT NULL,                -- the same for filters: each field's values
        hash bytea NOT NULL,                  -- of the text, as the embedding cache knows it
        sum bigint NOT NULL,                  -- tables.document_sum
        length integer NOT NULL,              -- terms
        terms bigint[] NOT NULL,              -- the numbers of the different ones
        counts integer[] NOT NULL             -- and how often each is there
    );
    CREATE INDEX documents_fields ON $S.documents USING gin (fields jsonb_path_ops);
    CREATE INDEX documents_terms ON $S.documents USING gin (terms);

    -- How many documents hold each term, by its number: a search begins with the rarest.
    CREATE TABLE $S.words (number bigint PRIMARY KEY, documents bigint NOT NULL) WITH (fillfactor = 70);

    -- Which metadata fields there are, and in how many documents.
    CREATE TABLE $S.fields (name text COLLATE "C" NOT NULL, documents bigint NOT NULL);
    CREATE UNIQUE INDEX fields_name ON $S.fields (md5(name));

    -- Changes by their keys: who lost the acknowledgement finds out here whether a change was kept.
    CREATE TABLE $S.commits (key uuid PRIMARY KEY, result bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());

    -- What was asked, where that is logged: lines as JSON, and the key of their digests.
    CREATE TABLE $S.queries (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line bytea NOT NULL);
    CREATE TABLE $S.log (key bytea NOT NULL);
    """,
)
"""Never change one that stands here: add another at the end."""


def migrate(connection: Connection[Any], names: Names, name: str, *, create: bool) -> bool:
    """Bring the tables of a collection to the newest schema, in one transaction; whether it was made just now.

    Where nothing has to be done nothing is written: a replica is opened, too.

    Raises:
        CollectionNotFound: It is missing and shall not be made.
        StoreError: A newer nearsense made it.
    """
    there = _version(connection, names)
    if there == len(MIGRATIONS):
        return False
    if there is None and not create:
        fix = f"make one: nearsense index create '{name}'"
        raise CollectionNotFound(f"there is no collection at {name}", fix=fix)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [names.schema])
        done = _version(connection, names)
        if done is None:
            _require_place(connection, names, name)
            connection.execute(names("CREATE TABLE $S.version (number integer NOT NULL)"))
            connection.execute(names("INSERT INTO $S.version VALUES (0)"))
        if (done or 0) > len(MIGRATIONS):
            raise StoreError(
                f"{name} has schema {done}, this nearsense knows {len(MIGRATIONS)}",
                why="a newer nearsense made it",
                fix="pip install --upgrade nearsense",
            )
        for script in MIGRATIONS[done or 0 :]:
            connection.execute(names(script))
        connection.execute(names("UPDATE $S.version SET number = %s"), [len(MIGRATIONS)])
        if done is None:
            sql = names("INSERT INTO $S.state (identity) VALUES (%s)")
            connection.execute(sql, [uuid.uuid4().bytes])
            connection.execute(names("INSERT INTO $S.log VALUES (%s)"), [uuid.uuid4().bytes + uuid.uuid4().bytes])
    return done is None


def _require_place(connection: Connection[Any], names: Names, name: str) -> None:
    """Make the schema, if no owner of the database has made it.

    Raises:
        StoreError: That may not be, or the database has another encoding than UTF8.
    """
    user, database, encoding, may, there = connection.execute(
        "SELECT current_user, current_database(), current_setting('server_encoding'),"
        " has_database_privilege(current_database(), 'CREATE'),"
        " EXISTS (SELECT FROM pg_namespace WHERE nspname = %s)",
        [names.schema.strip('"')],
    ).fetchone()  # type: ignore[misc]
    role, database = quoted(user), quoted(database)
    if encoding != "UTF8":
        why, fix = f"its database is in {encoding}", "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        raise StoreError(f"{name} cannot hold texts of all languages", why=why, fix=f"make another: {fix}")
    if not (there or may):
        why = f"{role} may not make a schema in its database"
        fix = f"let an owner type: GRANT CREATE ON DATABASE {database} TO {role}"
        raise StoreError(
            f"{name} cannot be made", why=why, fix=f"{fix}; or: CREATE SCHEMA {names.schema} AUTHORIZATION {role}"
        )
    if not there:
        connection.execute(f"CREATE SCHEMA {names.schema}")


def made(connection: Connection[Any], names: Names) -> bool:
    """Whether there is a collection, of whatever schema."""
    return _version(connection, names) is not None


def _version(connection: Connection[Any], names: Names) -> int | None:
    """The schema that the tables have; None where there are none."""
    schema = names.schema.strip('"')
    there = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'version')", [schema]
    ).fetchone()
    if not (there and there[0]):
        return None
    row = connection.execute(names("SELECT number FROM $S.version")).fetchone()
    return None if row is None else int(row[0])


def alone(connection: Connection[Any], names: Names, *, wait: bool) -> bool:
    """Whether this connection is the only one that builds, until it ends; it is asked again and again.

    Who waits in the server would hold up who builds there: building waits for every statement that has begun.
    """
    while True:
        sql = "SELECT pg_try_advisory_lock(hashtextextended(%s, 1))"
        row = connection.execute(sql, [names.schema]).fetchone()
        if (row and row[0]) or not wait:
            return bool(row and row[0])
        time.sleep(0.2)
