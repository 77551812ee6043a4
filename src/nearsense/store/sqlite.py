"""The store that lasts: one SQLite file is the only authority, everything else can be made from it.

    database.py   the file, its pages checked          locks.py   whose turn it is to write
    schema.py     the tables                           mark.py    how far the log had come
    sums.py       a checksum a row                     place.py   not on a network

Readers never wait and see one snapshot; writers take turns in the order of their arrival. Positions are given
once: a changed document gets a new one, so that who knows positions 0 to n only has to ask for what came after.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense._folder import Folder, flush, make_folders
from nearsense.errors import CollectionNotFound, DamagedCollection, StoreError
from nearsense.records import Document
from nearsense.store.base import Block, Generation, State
from nearsense.store.database import PAGE_BYTES, Connection, Database
from nearsense.store.generations import BUILDER, GENERATIONS
from nearsense.store.locks import one_at_a_time
from nearsense.store.mark import Mark
from nearsense.store.place import require_local, unwritable
from nearsense.store.points import reach
from nearsense.store.schema import APPLICATION_ID, is_newest, migrate
from nearsense.store.sums import document_sum, vector_sums
from nearsense.store.waiting import reader_of, waiting

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DATABASE", "SQLiteReader", "SQLiteStore", "SQLiteWriter"]

DATABASE, MARK, LOCK = "collection.db", "mark", "lock"
FILES = (DATABASE, *(f"{DATABASE}-{end}" for end in ("journal", "wal", "shm")), MARK, LOCK, BUILDER)
"""Every file that lies in the folder itself; none of them may be a link."""
CHUNK = 10_000
"""Ids or positions in one question; the list travels as one JSON text."""
_LISTED = "(SELECT value FROM json_each(?))"


class SQLiteReader:
    """One snapshot of a collection; see `Reader` in base.py."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._db, self._folder = connection, folder

    def sequence(self) -> int:
        """The number of the last commit."""
        return int(self._db.value("SELECT value FROM state WHERE name = 'sequence'"))

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
        """The documents at some positions."""
        sql = f"SELECT position, id, text, metadata, sum FROM documents WHERE position IN {_LISTED}"
        return {row[0]: self._document(row) for row in self._chunked(sql, positions)}

    def positions(self, ids: Iterable[str]) -> dict[str, int]:
        """Where some ids are."""
        sql = f"SELECT id, position FROM documents WHERE id IN {_LISTED}"
        return dict(self._chunked(sql, list(ids)))

    def vectors(self, positions: Sequence[int]) -> NDArray[np.float32]:
        """The vectors at some positions."""
        sql = f"SELECT position, vector, sum FROM vectors WHERE position IN {_LISTED}"
        found = {position: (vector, total) for position, vector, total in self._chunked(sql, positions)}
        try:
            rows = [found[position] for position in positions]
        except KeyError as missing:
            raise self._damaged(f"the vector at position {missing} is missing") from None
        return self._checked(np.asarray(positions, np.int64), rows)[0]

    def blocks(self, after: int = -1, size: int = 4096) -> Iterator[Block]:
        """Everything beyond a position, in order."""
        sql = (
            "SELECT d.position, id, text, metadata, d.sum, v.vector, v.sum"
            " FROM documents AS d LEFT JOIN vectors AS v USING (position)"
            " WHERE d.position > ? ORDER BY d.position LIMIT ?"
        )
        while rows := self._db.rows(sql, (after, size)):
            positions = np.fromiter((row[0] for row in rows), np.int64, len(rows))
            vectors, sums = self._checked(positions, [row[5:7] for row in rows])
            yield Block(positions, [self._document(row) for row in rows], vectors, sums)
            after = rows[-1][0]

    def contents(self) -> Iterator[tuple[str, int, bytes, str]]:
        """(id, position, content hash, metadata as JSON) of every document."""
        return self._db.each("SELECT id, position, hash, metadata FROM documents")

    def ids(self) -> list[tuple[int, str]]:
        """(position, id) of every document, ascending, read from the index of ids alone."""
        return sorted(self._db.rows("SELECT position, id FROM documents INDEXED BY sqlite_autoindex_documents_1"))

    def removals(self, after: int) -> list[int]:
        """The positions that were removed after a commit."""
        return [row[0] for row in self._db.each("SELECT position FROM removals WHERE sequence > ?", (after,))]

    def without_next(self, limit: int) -> tuple[list[int], list[str]]:
        """Positions and texts of some documents that have no vector of the next model yet."""
        rows = self._db.rows(
            "SELECT d.position, text FROM documents AS d LEFT JOIN next_vectors AS v USING (position)"
            " WHERE v.position IS NULL ORDER BY d.position LIMIT ?",
            (limit,),
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

    def truncated_at(self, positions: Sequence[int]) -> NDArray[np.bool_]:
        """Which texts at some positions were cut at the model's limit; shape (n,)."""
        sql = f"SELECT position FROM vectors WHERE truncated = 1 AND position IN {_LISTED}"
        return np.isin(positions, [row[0] for row in self._chunked(sql, positions)])

    def truncated_rows(self) -> NDArray[np.bool_]:
        """Which texts were cut at the model's limit; shape (n,), in the order of positions."""
        rows = self._db.rows("SELECT truncated FROM vectors ORDER BY position")
        return np.fromiter((row[0] for row in rows), np.bool_, len(rows))

    def truncated(self) -> int:
        """How many texts were cut at the model's limit."""
        return int(self._db.value("SELECT count(*) FROM vectors WHERE truncated = 1"))

    def _chunked(self, sql: str, items: Sequence[Any]) -> Iterator[Any]:
        for start in range(0, len(items), CHUNK):
            yield from self._db.rows(sql, (json.dumps(items[start : start + CHUNK]),))

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
    """One change of a collection; see `Writer` in base.py."""

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
        """Add documents whose ids are free."""
        from nearsense.text import as_json, content_hash

        reach("rows.before")
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
        reach("rows.after")

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

    def set_facts(self, facts: dict[str, Any]) -> None:
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

    def swap_next(self) -> None:
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


class SQLiteStore:
    """A folder with one authoritative database file; see `Store` in base.py.

    Args:
        folder: Of the collection.
        create: Make it where it is missing.
        network: It may lie on a network file system.
        accept_losses: Go on from what is there, though the mark says that there was more.

    Raises:
        CollectionNotFound: It is missing and shall not be made, or the folder holds something else.
        DamagedCollection: The log has lost commits, or the file is damaged.
        StoreError: The file system is a network's, a newer nearsense made it, or it cannot be opened.
    """

    readonly = False

    def __init__(
        self, folder: Path, *, create: bool = True, network: bool = False, accept_losses: bool = False
    ) -> None:
        self._accept_losses = accept_losses
        folder = Path(os.path.realpath(folder))  # wherever the program goes, and whatever its links lead to later
        self.folder, self.file = folder, folder / DATABASE
        _require_collection(folder, create)
        if not network:
            require_local(folder)
        if not self._is_ready():
            with self._turn():
                self._make_ready()
        self._inode = self._file_there()

    def _is_ready(self) -> bool:
        """Open it without waiting for who writes; False where something has to be done, or looked at again."""
        there = self._file_there()
        if there is None or not self.file.stat().st_size or not (self.folder / MARK).exists():
            return False
        database = Database(self.file)
        try:
            with database.connection() as connection:
                if is_newest(connection):
                    identity = connection.value("SELECT value FROM state WHERE name = 'identity'") or b""
                    self._database, self._mark = database, Mark(self.folder / MARK, bytes(identity))
                    marked = self._mark.read()
                    if marked is not None and marked <= SQLiteReader(connection, self.folder).sequence():
                        return True
        except BaseException:
            database.close()
            raise
        database.close()
        return False

    def _make_ready(self) -> None:
        """Make it, bring it to the newest schema, and see whether it has lost anything; in one's turn."""
        if self._file_there() is None:
            if (self.folder / MARK).exists():
                raise self._lost("the database file is gone, the mark of its commits is still there")
            _make_file(self.folder)
        self._database = Database(self.file)
        try:
            with self._database.connection() as connection:
                self._check_application(connection)
                connection.pragma("journal_mode", "wal")
                migrate(connection, str(self.folder))
                self._mark = Mark(self.folder / MARK, self._identity(connection))
                self._check_mark(connection)
        except BaseException:
            self._database.close()
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[SQLiteReader]:
        """A snapshot of now."""
        with self._lent() as connection, connection.reading():
            yield SQLiteReader(connection, self.folder)

    @contextlib.contextmanager
    def writing(self) -> Iterator[SQLiteWriter]:
        """A change, when it is one's turn."""
        self._require_same_file()
        with self._turn(), self._lent() as connection:
            _require_own(self.folder)
            with connection.writing():
                writer = SQLiteWriter(connection, self.folder)
                yield writer
                writer._add("sequence", 1)
                reach("commit.before")
            reach("commit.after")
            reach("mark.before")
            with contextlib.suppress(StoreError):  # the change is kept: to call it failed would be a lie
                self._mark.write(writer.next)
            reach("mark.after")

    def require_ready(self) -> None:
        """Refuse to begin a change where the folder is no longer the one that was opened."""
        self._require_same_file()

    def backup(self, folder: Path) -> None:
        """Write a consistent copy into an empty folder, and open it, which checks it and gives it a mark.

        Its derived files are left behind: they can be made from it.
        """
        with self._lent() as connection:
            _make_file(folder)
            connection.backup_to(folder / DATABASE)
        copy = SQLiteStore(folder, create=False, network=True)
        try:
            with copy.writing() as writer:
                writer.set_generation(None)
        finally:
            copy.close()
        with Folder(folder) as opened:
            for name in opened.names():
                with opened.file(name, "rb") as file:
                    flush(file.fileno())
            opened.sync()

    def vacuum(self) -> None:
        """Rewrite the database without anything that was deleted, the log and free pages included.

        Raises:
            StoreError: A reader holds on to the log for longer than one waits.
        """
        self._require_same_file()
        with self._turn(), self._lent() as connection:
            _require_own(self.folder)
            reach("compact.before-vacuum")
            connection.run("VACUUM")
            with waiting(self.file, lambda: reader_of(self.file.with_name(f"{self.file.name}-shm"))):
                connection.checkpoint(truncate=True)
            reach("compact.after-vacuum")

    def checkpoint(self) -> None:
        """Bring the log into the database file, as far as readers allow."""
        with self._lent() as connection:
            connection.checkpoint()

    def integrity(self) -> list[str]:
        """What SQLite itself finds wrong with the file, page checksums included; empty where nothing is."""
        with self._lent() as connection:
            found = [str(row[0]) for row in connection.rows("PRAGMA integrity_check(20)")]
        return [] if found == ["ok"] else found

    def damaged_pages(self) -> list[int]:
        """The numbers, from 1, of the pages in the database file that are not what was written."""
        with self._lent() as connection, Folder(self.folder) as folder, folder.file(DATABASE, "rb") as file:

            def damaged(number: int) -> bool:
                file.seek((number - 1) * PAGE_BYTES)
                return not connection.value("SELECT verify_checksum(?)", (file.read(PAGE_BYTES),))

            found = list(range(1, file.seek(0, os.SEEK_END) // PAGE_BYTES + 1))
            for _ in range(3):  # others may be writing the page that is read
                found = list(filter(damaged, found))
                time.sleep(0.01 if found else 0)
            return found

    def close(self) -> None:
        """Close every connection; the last one of all processes tidies the log away."""
        self._database.close()

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Connection]:
        """A connection to the file that was opened, if it is still the one that is there."""
        self._require_same_file()
        with self._database.connection() as connection:
            yield connection

    def _file_there(self) -> tuple[int, int] | None:
        try:
            there = self.file.lstat()
        except OSError:
            return None
        return there.st_dev, there.st_ino

    def _require_same_file(self) -> None:
        """Refuse to go on where the folder was replaced, say by a backup: changes would go into nowhere."""
        there = self._file_there()
        if there != self._inode:
            raise StoreError(
                f"{self.folder} was {'replaced' if there else 'removed'} while it was open",
                why="what is open here is no longer what lies there",
                fix="open it again" if there else "restore a backup",
            )

    def _turn(self) -> contextlib.AbstractContextManager[None]:
        return one_at_a_time(self.folder / LOCK)

    def _check_application(self, connection: Connection) -> None:
        known = connection.pragma("application_id")
        tables = connection.value("SELECT count(*) FROM sqlite_schema")
        if known == APPLICATION_ID:
            return
        if tables or known:
            raise CollectionNotFound(
                f"{self.file} is no collection",
                why="it is a database of another program",
                fix="choose another path",
            )
        if (self.folder / MARK).exists():
            raise self._lost("the database file is empty, the mark of its commits is still there")

    def _identity(self, connection: Connection) -> bytes:
        """The collection's own 16 bytes; a new collection draws them, and gets the rest of its first state."""
        known = connection.value("SELECT value FROM state WHERE name = 'identity'")
        if known is None:
            if (self.folder / MARK).exists():
                raise self._lost("the database has no first state, the mark of its commits is still there")
            known = secrets.token_bytes(16)
            first = [("identity", known), ("sequence", 0), ("position", 0), ("documents", 0)]
            with connection.writing():
                connection.run_many("INSERT INTO state VALUES (?, ?)", first)
        return bytes(known)

    def _check_mark(self, connection: Connection) -> None:
        marked, sequence = self._mark.read(), SQLiteReader(connection, self.folder).sequence()
        if marked is None or (marked > sequence and self._accept_losses):
            self._mark.reset(sequence)
        elif marked > sequence:
            on = f", or go on without them: nearsense index verify {self.folder} --accept-losses"
            raise self._lost(f"{marked:,} commits were acknowledged, {sequence:,} are there", on)

    def _lost(self, why: str, otherwise: str = "") -> DamagedCollection:
        return DamagedCollection(f"{self.folder} has lost commits", why=why, fix=f"restore a backup{otherwise}")


def _vector_rows(
    positions: Sequence[int], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]
) -> Iterator[tuple[int, bytes, int, int]]:
    sums = vector_sums(vectors, np.asarray(positions, np.int64)).tolist()
    width, content = vectors.shape[1] * 4, memoryview(vectors.tobytes())
    for row, (position, cut, total) in enumerate(zip(positions, truncated.tolist(), sums, strict=True)):
        yield position, bytes(content[row * width : (row + 1) * width]), int(cut), total


def _require_collection(folder: Path, create: bool) -> None:
    """There is a collection in the folder, or a new one can be put there."""
    try:
        _require_room(folder, create)
    except OSError as error:
        raise unwritable(folder, error) from None


def _make_file(folder: Path) -> None:
    """An empty database file, for those whom the folder is for."""
    try:
        with Folder(folder) as opened:
            os.close(opened.open(DATABASE, os.O_RDWR | os.O_CREAT))
    except OSError as error:
        raise unwritable(folder / DATABASE, error) from None


def _require_own(folder: Path) -> None:
    """No name of the collection's own is a link, or stands for a file that has a second name elsewhere."""
    try:
        with Folder(folder) as opened:
            opened.require(*FILES, folders=(GENERATIONS,), alone=True)
    except OSError as error:
        raise unwritable(folder, error) from None


def _require_room(folder: Path, create: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise CollectionNotFound(
            f"{folder} is a file", why="a collection is a folder", fix="choose another path for the collection"
        )
    strangers = False
    if folder.exists():
        with Folder(folder) as opened:
            strangers = any(name not in FILES or name in (MARK, BUILDER) for name in opened.names())
        _require_own(folder)
    if (folder / DATABASE).is_file() or (folder / MARK).is_file():  # looked at last: others may be making it now
        return
    if create and strangers:
        raise CollectionNotFound(
            f"{folder} holds other files, and no collection", why="they could be mixed up", fix="choose a new path"
        )
    if not create:
        raise CollectionNotFound(
            f"there is no collection at {folder}", fix=f"make one: nearsense index create {folder}"
        )
    make_folders(folder)
    with Folder(folder.parent) as above:
        above.sync()
