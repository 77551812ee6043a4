"""The cache of vectors: one SQLite file, so that no text is encoded twice. Not an authority: it may vanish.

Vectors lie side by side in slabs of up to `SLAB`, in the order of their arrival: what came together is read
together. A key's first half finds its entry; the entry's checksum covers the vector, the key's second half and the
count of tokens, so that nothing else can be taken for it. Texts are nowhere in the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from nearsense._folder import Folder, make_folders
from nearsense._forks import lock
from nearsense.errors import DamagedCollection, StoreError
from nearsense.store.database import PAGE_BYTES, Connection, Database
from nearsense.store.lock import try_alone
from nearsense.store.tables import vector_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

SLAB = 32
"""Vectors in one row of the file: more are faster to read together, and slower to read alone."""
CHUNK = 8192
"""Keys in one question: bounds the memory, and how long a change keeps others waiting."""
ROOM = 0.75
"""What a clearing leaves of the bound; so it is seldom."""
APPLICATION_ID = 0x4E656563
"""How the file is told from other databases: "Neec"."""
FORMAT = 1
ENTRY_BYTES = 40
"""What an entry takes in the file, at most."""
PAUSE = 30.0
"""Seconds without a try after one that failed."""
BUSY_MS = 1000
"""How long to wait for others."""
ENDS = ("-wal", "-shm", "-journal")
"""What SQLite adds to the name of the file for what lies beside it."""

_TABLES = """
CREATE TABLE entries (
    key INTEGER PRIMARY KEY,         -- the first half of the key
    place INTEGER NOT NULL,          -- slab * SLAB + row
    tokens INTEGER NOT NULL,         -- of a text that was cut at the model's limit, else 0
    sum INTEGER NOT NULL             -- sums.vector_sums, at the position: the key's second half + tokens
) STRICT;
CREATE TABLE slabs (
    slab INTEGER PRIMARY KEY,
    used INTEGER NOT NULL,           -- the day, counted from 1970
    bytes INTEGER NOT NULL
) STRICT;
-- float32. Beside the slabs: to note that one was used rewrites no vector.
CREATE TABLE vectors (slab INTEGER PRIMARY KEY, vectors BLOB NOT NULL) STRICT;
"""
_LISTED = "(SELECT value FROM json_each(?))"


class Known(NamedTuple):
    """Of m known keys which they are, ascending, (m,), their vectors (m, d) and tokens (m,) as they were put."""

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    tokens: NDArray[np.int64]


class EmbeddingCache:
    """Vectors by key, in a file of bounded size. Safe to use from several threads and processes; never fails.

    Beyond `max_bytes` the least recently used vectors leave first; 0 is no cache. A log of 50 MB may lie beside.
    `asked` counts the keys that were asked for, `known` those that were known.

    Example:
        >>> import tempfile
        >>> cache = EmbeddingCache(Path(tempfile.mkdtemp(), "embeddings.db"), max_bytes=10_000_000)
        >>> cache.put([b"a key, 16 bytes."], np.ones((1, 4), np.float32), np.array([0]))
        >>> known = cache.get([b"another, 16 too.", b"a key, 16 bytes."], dimension=4)
        >>> known.rows, known.vectors
        (array([1]), array([[1., 1., 1., 1.]], dtype=float32))
        >>> cache.close()
    """

    def __init__(self, file: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._file = Disposable(file, _TABLES, (APPLICATION_ID, FORMAT), max_bytes)
        self.asked = self.known = 0  # keys
        self._counting = lock()

    def __reduce__(self) -> tuple[object, ...]:
        return EmbeddingCache, (self._file.file, self.max_bytes)

    def get(self, keys: Sequence[bytes], dimension: int) -> Known:
        """What is known of some keys of 16 bytes, with vectors of a length."""
        parts = []
        for start in range(0, len(keys), CHUNK):
            found = self._known(_halves(keys[start : start + CHUNK]), dimension)
            parts.append(found._replace(rows=found.rows + start))
        found = parts[0] if len(parts) == 1 else _joined(parts, dimension)
        with self._counting:
            self.asked, self.known = self.asked + len(keys), self.known + len(found.rows)
        return found

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32], tokens: NDArray[np.int64]) -> None:
        """Keep vectors (n, d) by n keys of 16 bytes; a key that is known keeps what it has.

        tokens, shape (n,), is how many the text has where it was cut, else 0.
        """
        fit = int(self.max_bytes * (1 - ROOM)) // (4 * vectors.shape[1] + ENTRY_BYTES)
        step = min(CHUNK, fit)
        for start in range(0, len(keys), step) if step else ():
            part = slice(start, start + step)
            batch = _Batch.of(_halves(keys[part]), vectors[part], tokens[part])
            self._file.attempt("put", lambda db, batch=batch: _keep(db, batch, self.max_bytes))  # type: ignore[misc]

    def close(self) -> None:
        """Give the file back; the next question opens it again."""
        self._file.close()

    def _known(self, halves: NDArray[np.int64], dimension: int) -> Known:
        found = self._file.attempt("get", lambda db: _find(db, halves, dimension))
        if found is None:
            return _joined([], dimension)
        known, stale = found
        if stale:
            self._file.attempt("put", lambda db: _stamp(db, stale))
        return known


class _Batch(NamedTuple):
    """n different keys in halves, int64, shape (n, 2), with their vectors and tokens."""

    halves: NDArray[np.int64]
    vectors: NDArray[np.float32]
    tokens: NDArray[np.int64]

    @classmethod
    def of(cls, halves: NDArray[np.int64], vectors: NDArray[np.float32], tokens: NDArray[np.int64]) -> _Batch:
        return cls(halves, np.asarray(vectors, np.float32), np.asarray(tokens, np.int64)).take(
            np.sort(np.unique(halves[:, 0], return_index=True)[1])
        )

    def take(self, rows: NDArray[np.int64]) -> _Batch:
        whole = len(rows) == len(self.tokens)
        return self if whole else _Batch(self.halves[rows], self.vectors[rows], self.tokens[rows])


def _find(db: Connection, halves: NDArray[np.int64], dimension: int) -> tuple[Known, list[int]]:
    """What is known, and the slabs whose day of use is not today."""
    sql = (
        "SELECT j.key, e.place, e.tokens, e.sum FROM json_each(?) AS j CROSS JOIN entries AS e ON e.key = j.value"
    )
    with db.reading(), _sound():
        entries = np.array(db.rows(sql, (json.dumps(halves[:, 0].tolist()),)), np.int64).reshape(-1, 4)
        rows, places, tokens, sums = entries.T
        order = np.argsort(places, kind="stable")
        slabs, starts = np.unique(places[order] // SLAB, return_index=True)
        listed = (json.dumps(slabs.tolist()),)
        vectors = np.empty((len(rows), dimension), np.float32)
        blobs = db.each(f"SELECT vectors FROM vectors WHERE slab IN {_LISTED} ORDER BY slab", listed)
        groups = np.split(order, starts[1:]) if len(slabs) else []
        for (blob,), wanted in zip(blobs, groups, strict=True):
            vectors[wanted] = np.frombuffer(blob, np.float32).reshape(-1, dimension)[places[wanted] % SLAB]
        if (vector_sums(vectors, halves[rows, 1] + tokens) != sums).any():
            raise ValueError("a checksum does not fit")
        today = (*listed, _today())
        stale = [
            slab for (slab,) in db.rows(f"SELECT slab FROM slabs WHERE slab IN {_LISTED} AND used <> ?", today)
        ]
    return Known(rows, vectors, tokens), stale


def _stamp(db: Connection, slabs: list[int]) -> None:
    """Note that slabs were used today."""
    with db.writing():
        db.run(f"UPDATE slabs SET used = ? WHERE slab IN {_LISTED}", (_today(), json.dumps(slabs)))


def _keep(db: Connection, batch: _Batch, max_bytes: int) -> None:
    """Add what is not known yet, at the end."""
    sql = "SELECT j.key FROM json_each(?) AS j CROSS JOIN entries AS e ON e.key = j.value"
    with db.writing():
        known = [row for (row,) in db.rows(sql, (json.dumps(batch.halves[:, 0].tolist()),))]
        new = batch.take(np.delete(np.arange(len(batch.tokens)), known))
        if not len(new.tokens):
            return
        _make_room(db, new.vectors.nbytes + ENTRY_BYTES * len(new.tokens), max_bytes)
        first = (db.value("SELECT max(slab) FROM slabs") or 0) + 1
        blobs = [new.vectors[start : start + SLAB].tobytes() for start in range(0, len(new.vectors), SLAB)]
        db.run_many("INSERT INTO vectors VALUES (?, ?)", enumerate(blobs, first))
        sizes = ((slab, _today(), len(blob)) for slab, blob in enumerate(blobs, first))
        db.run_many("INSERT INTO slabs VALUES (?, ?, ?)", sizes)
        places = first * SLAB + np.arange(len(new.tokens))
        sums = vector_sums(new.vectors, new.halves[:, 1] + new.tokens)
        entries = np.column_stack([new.halves[:, 0], places, new.tokens, sums])
        entries = entries[np.argsort(entries[:, 0])]  # in the order of the table: each page is visited once
        db.run_many("INSERT INTO entries VALUES (?, ?, ?, ?)", entries.tolist())


def _make_room(db: Connection, incoming: int, max_bytes: int) -> None:
    """Where the bound would be passed, drop the slabs that were used least recently: many at a time."""
    used = (db.pragma("page_count") - db.pragma("freelist_count")) * PAGE_BYTES
    if used + incoming <= max_bytes:
        return
    share = (used + incoming - ROOM * max_bytes) / used
    slabs = np.array(db.rows("SELECT slab, bytes FROM slabs ORDER BY used, slab"), np.int64).reshape(-1, 2)
    ends = np.cumsum(slabs[:, 1])
    count = int(np.searchsorted(ends, share * ends[-1])) + 1 if len(ends) else 0
    oldest = (json.dumps(slabs[:count, 0].tolist()),)
    db.pragma("secure_delete", False)  # nothing here needs to be wiped, and that would write every page of it
    db.run(f"DELETE FROM entries WHERE place / {SLAB} IN {_LISTED}", oldest)
    for table in ("vectors", "slabs"):
        db.run(f"DELETE FROM {table} WHERE slab IN {_LISTED}", oldest)


@contextlib.contextmanager
def _sound() -> Iterator[None]:
    """What rows of the right form cannot lead to is damage."""
    try:
        yield
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise DamagedCollection("the cache of vectors is damaged", why=str(error)) from None


def _halves(keys: Sequence[bytes]) -> NDArray[np.int64]:
    return np.frombuffer(b"".join(keys), np.int64).reshape(-1, 2)


def _joined(parts: list[Known], dimension: int) -> Known:
    nothing = Known(np.empty(0, np.int64), np.empty((0, dimension), np.float32), np.empty(0, np.int64))
    return Known(*map(np.concatenate, zip(nothing, *parts, strict=True)))


def _today() -> int:
    return int(time.time() // 86_400)


class Disposable:
    """A file that is opened with the first attempt, deleted when it is damaged, and left alone when it fails.

    `mark` is its application id and the version of its tables: a healthy file with another one is not touched.
    A file of more than twice `max_bytes` is begun anew; 0 is no file at all.
    """

    def __init__(self, file: Path, tables: str, mark: tuple[int, int], max_bytes: int) -> None:
        self.file = Path(os.path.realpath(file.parent)) / file.name
        self._tables, self._mark, self._max_bytes = tables, mark, max_bytes
        self._opening = lock()
        self._database: Database | None = None
        self._inode = 0
        self._resume: dict[str, float] = {}
        self._never = max_bytes <= 0

    def attempt(self, kind: str, work: Callable[[Connection], T]) -> T | None:
        """Do some work with the file; None where that cannot be, and then none of its kind for `PAUSE` seconds."""
        if self._never or time.monotonic() < self._resume.get(kind, 0.0):
            return None
        database = None
        try:
            database, inode = self._opened()
            try:
                with database.connection() as connection:
                    return work(connection)
            except DamagedCollection:
                self._forget(database)
                self._delete(inode)
        except ImportError:  # no SQLite here, or a system without locks on files
            self._never = True
        except (StoreError, OSError):
            self._resume[kind] = time.monotonic() + PAUSE
            self._forget(database)
        return None

    def close(self) -> None:
        """Give the file back; the next attempt opens it again."""
        self._forget(self._database)

    def _opened(self) -> tuple[Database, int]:
        if not self._opening.acquire(timeout=BUSY_MS / 1000):
            raise StoreError(f"{self.file} is being opened by another thread")
        try:
            if self._database is None:
                self._database, self._inode = self._open()
            return self._database, self._inode
        finally:
            self._opening.release()

    def _forget(self, database: Database | None) -> None:
        if database is None:
            return
        if self._database is database:
            self._database = None
        with contextlib.suppress(StoreError):
            database.close()

    def _open(self) -> tuple[Database, int]:
        """The database and the number of its file; what is damaged there is begun anew."""
        make_folders(self.file.parent)
        with self._alone():
            if self.file.exists() and self.file.stat().st_size > 2 * self._max_bytes + (1 << 20):
                self._unlink()  # the bound was lowered; a file of SQLite does not shrink by itself
            try:
                return self._prepared()
            except DamagedCollection:
                self._unlink()
            return self._prepared()

    def _prepared(self) -> tuple[Database, int]:
        # For nobody else's eyes: vectors tell what texts are about.
        with Folder(self.file.parent, private=True) as folder:
            os.close(folder.open(self.file.name, os.O_RDWR | os.O_CREAT))
            folder.require(*(self.file.name + end for end in ENDS))
        database = Database(self.file, synchronous="off", busy_ms=BUSY_MS)
        try:
            with database.connection() as db:
                self._require_mark(db)
        except BaseException:
            database.close()
            raise
        return database, self.file.stat().st_ino

    def _require_mark(self, db: Connection) -> None:
        """Make the tables in an empty file; leave another program's, or a newer nearsense's, alone."""
        found = (db.pragma("application_id"), db.pragma("user_version"))
        if found == self._mark:
            return
        if found != (0, 0) or db.value("SELECT count(*) FROM sqlite_schema"):
            raise StoreError(f"{self.file} is of another program or version")
        with db.writing():
            db.run(self._tables)
            db.pragma("application_id", self._mark[0])
            db.pragma("user_version", self._mark[1])

    def _delete(self, inode: int) -> None:
        """Delete a damaged file, unless somebody else has begun a new one already."""
        with self._alone():
            if self.file.exists() and self.file.stat().st_ino == inode:
                self._unlink()

    def _unlink(self) -> None:
        for end in ("", *ENDS):
            self.file.with_name(self.file.name + end).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else opens or deletes the file meanwhile."""
        patience = time.monotonic() + BUSY_MS / 1000
        while time.monotonic() < patience:
            with try_alone(self.file.with_suffix(".lock"), private=True) as mine:
                if mine:
                    yield
                    return
            time.sleep(0.01)
        raise StoreError(f"{self.file} is being opened by another process")
