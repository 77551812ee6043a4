"""The cache of vectors: one SQLite file, so that no text is encoded twice. Not an authority: it may vanish.

Vectors lie side by side in slabs of up to `SLAB`, in the order of their arrival: what came together is read
together. A key's first half finds its entry; the entry's checksum covers the vector, the key's second half and the
count of tokens, so that nothing else can be taken for it. Texts are nowhere in the file.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense.errors import DamagedCollection
from nearsense.store.database import PAGE_BYTES, Connection
from nearsense.store.expendable import Expendable
from nearsense.store.sums import vector_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EmbeddingCache"]

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
    """Which of the keys are known, their vectors and counts of tokens; see `EmbeddingCache.get`."""

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    tokens: NDArray[np.int64]


class EmbeddingCache:
    """Vectors by key, in a file of bounded size. Safe to use from several threads and processes; never fails.

    Args:
        file: The database file; it and its folder are made with the first question.
        max_bytes: How large it may grow; the least recently used vectors leave it first. 0 is no cache. A log of
            some 50 MB may lie beside it.

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
        self._file = Expendable(file, _TABLES, (APPLICATION_ID, FORMAT), max_bytes)

    def __reduce__(self) -> tuple[object, ...]:
        return EmbeddingCache, (self._file.file, self.max_bytes)

    def get(self, keys: Sequence[bytes], dimension: int) -> Known:
        """What is known of some keys.

        Args:
            keys: n keys of 16 bytes.
            dimension: Length of a vector.

        Returns:
            Of the m keys that are known `rows`, int64, shape (m,), ascending: which they are; `vectors`, float32,
            shape (m, dimension); `tokens`, int64, shape (m,): as they were put.
        """
        parts = []
        for start in range(0, len(keys), CHUNK):
            found = self._known(_halves(keys[start : start + CHUNK]), dimension)
            parts.append(found._replace(rows=found.rows + start))
        return parts[0] if len(parts) == 1 else _joined(parts, dimension)

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32], tokens: NDArray[np.int64]) -> None:
        """Keep vectors; a key that is known keeps what it has.

        Args:
            keys: n keys of 16 bytes.
            vectors: float32, shape (n, d).
            tokens: int64, shape (n,): how many tokens the text has where it was cut, else 0.
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
