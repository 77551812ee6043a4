"""One SQLite file with a checksum on each page, opened safely. Not what is in its tables: see tables.py.

The only file that knows apsw. Every failure of SQLite leaves here as an error of nearsense that says what to do.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearsense._forks import lock, on_fork
from nearsense.errors import DamagedCollection, DiskFull, MissingExtra, StoreError
from nearsense.store.lock import FULL

if TYPE_CHECKING:
    import apsw

PAGE_BYTES = 8192
CHECKSUM_BYTES = 8
"""At the end of each page, kept by SQLite's own checksum VFS: a flipped bit is an error, not an answer."""
BUSY_MS = 30_000
CHECKPOINT_PAGES = 4096
_RETIRED: list[apsw.Connection] = []
"""Connections that a fork carried over: to close them here would drop the locks of the process that owns them."""


class Connection:
    """One connection; not shared between threads while it is in use."""

    def __init__(
        self, file: Path, *, readonly: bool, synchronous: str, busy_ms: int = BUSY_MS, still: bool = False
    ) -> None:
        import apsw

        flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE
        flags |= apsw.SQLITE_OPEN_NOFOLLOW  # no part of the path may be a link
        self._file, self._pid, self._busy_ms = file, os.getpid(), busy_ms
        if _torn:
            raise _carried_over(file)
        with self._translated():
            name = f"{file.as_uri()}?immutable=1" if still else str(file)
            self._db = apsw.Connection(name, flags=flags | apsw.SQLITE_OPEN_URI * still, vfs=_checked_vfs())
            self._db.set_busy_timeout(busy_ms)
            if not readonly and not self._db.pragma("page_count"):
                # Also what a kill has left empty. What holds something may be another program's.
                self._db.reserve_bytes(reserve=CHECKSUM_BYTES)
                self._db.pragma("page_size", PAGE_BYTES)
                self._db.pragma("journal_mode", "wal")
            if not readonly:
                self._db.pragma("synchronous", synchronous)
                for name in ("fullfsync", "checkpoint_fullfsync"):  # macOS: past the disk's own cache
                    self._db.pragma(name, synchronous == "full")
                self._db.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
                self._db.pragma("journal_size_limit", 4 * CHECKPOINT_PAGES * PAGE_BYTES)
                self._db.pragma("secure_delete", True)
            self._db.pragma("cache_size", -16_000)

    def rows(self, sql: str, bindings: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        if os.getpid() != self._pid:
            raise _carried_over(self._file)
        try:
            return list(self._db.execute(sql, tuple(bindings)))
        except Exception as error:
            raise self._translation(error) from None

    def each(self, sql: str, bindings: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a query, as they are read."""
        with self._translated():
            yield from self._db.execute(sql, tuple(bindings))

    def value(self, sql: str, bindings: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None where there is no row."""
        rows = self.rows(sql, bindings)
        return rows[0][0] if rows else None

    def run(self, sql: str, bindings: Sequence[Any] = ()) -> None:
        """Execute for the effect."""
        self.rows(sql, bindings)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute once for each row."""
        with self._translated():
            self._db.executemany(sql, rows)

    def pragma(self, name: str, value: Any = None) -> Any:
        """Read, or set, a pragma."""
        with self._translated():
            return self._db.pragma(name) if value is None else self._db.pragma(name, value)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """One snapshot: what others commit meanwhile is not seen."""
        self.rows("BEGIN")
        try:
            self.rows("SELECT 1 FROM sqlite_schema LIMIT 0")  # BEGIN alone would take it at the first question
            yield
        finally:
            self._leave("ROLLBACK")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing; durable when it returns."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            self._leave("ROLLBACK")
            raise

    def backup_to(self, file: Path) -> None:
        """A consistent copy into an empty file, while others read and write."""
        target = Connection(file, readonly=False, synchronous="full")
        try:
            # In one snapshot: otherwise each commit of another process would start the copy anew.
            with self.reading(), target._translated(), target._db.backup("main", self._db, "main") as backup:
                while not backup.done:
                    backup.step(1024)
        finally:
            target.close()

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Move what the log holds into the database file, as readers allow; all of it to `truncate` the log."""
        import apsw

        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        with self._translated():
            try:
                self._db.wal_checkpoint(mode=mode)
            except apsw.BusyError:
                if truncate:
                    raise

    def close(self) -> None:
        """Give the file back; after a fork the connection belongs to the parent and is left alone."""
        if os.getpid() != self._pid:
            _RETIRED.append(self._db)
            return
        with self._translated():
            self._db.close()

    def _leave(self, sql: str) -> None:
        """End a transaction; SQLite may have ended it by itself (a full disk does that)."""
        if os.getpid() == self._pid and not self._db.get_autocommit():
            self.run(sql)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        if os.getpid() != self._pid:
            raise _carried_over(self._file)
        try:
            yield
        except Exception as error:
            raise self._translation(error) from None

    def _translation(self, error: Exception) -> Exception:
        """A failure of SQLite as an error of nearsense; any other error as it is."""
        import apsw

        if isinstance(error, apsw.FullError):
            return _full(self._file, str(error))
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
            return _damaged(self._file, str(error))
        if isinstance(error, UnicodeDecodeError):
            return _damaged(self._file, f"a text is no UTF-8: {error.reason}")
        if isinstance(error, apsw.IOError):
            return self._io(error)
        if isinstance(error, apsw.BusyError):
            return StoreError(
                f"{self._file} is held by another process for more than {self._busy_ms / 1000:g} seconds",
                why="somebody else is in the middle of a change, or stopped there",
                fix="try again, or look for a process that hangs",
            )
        if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError)):
            done = "written" if isinstance(error, apsw.ReadOnlyError) else "opened"
            fix = "check the path and its permissions"
            return StoreError(f"{self._file} cannot be {done}", why=str(error), fix=fix)
        if isinstance(error, (apsw.Error, UnicodeEncodeError)):
            return StoreError(
                f"SQLite refuses what it was asked about {str(self._file)!r}",
                why=str(error),
                fix="a path must be readable as UTF-8; anything else is a mistake of nearsense, please report it",
            )
        return error

    def _io(self, error: apsw.IOError) -> StoreError:
        import apsw

        extended = getattr(error, "extendedresult", 0)
        if extended in (apsw.SQLITE_IOERR_DATA, apsw.SQLITE_IOERR_CORRUPTFS):
            return _damaged(self._file, "the checksum of a page does not fit")
        if extended == apsw.SQLITE_IOERR_SHORT_READ:
            return _damaged(self._file, "the file ends too early")
        number = self._db.system_errno if hasattr(self, "_db") else 0
        if number in FULL:
            return _full(self._file, os.strerror(number))
        why = os.strerror(number) if number else str(error)
        return StoreError(f"{self._file} cannot be read or written", why=why, fix="check the disk")


class Database:
    """A SQLite file and a pool of connections to it, each used by one thread at a time.

    synchronous: "full", and what is committed survives a power cut, or "off" for what can be made again. A file
    that is `still`, which nobody changes meanwhile, is read without locks and without its log.
    """

    def __init__(
        self,
        file: Path,
        *,
        readonly: bool = False,
        synchronous: str = "full",
        busy_ms: int = BUSY_MS,
        still: bool = False,
    ) -> None:
        self.file, self.still = file, still
        self._options = {"readonly": readonly, "synchronous": synchronous, "busy_ms": busy_ms, "still": still}
        self._guard, self._used, self._closed = lock(), 0, False
        self._idle = [Connection(file, **self._options)]  # type: ignore[arg-type]
        _OPEN.add(self)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow a connection; threads get different ones."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._give(connection)

    def close(self) -> None:
        """Close every idle connection; those in use are closed as they come back."""
        with self._guard:
            self._closed, idle, self._idle = True, self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._guard:
            if self._closed:
                raise StoreError(f"{self.file.parent} is closed", fix="open it again: ns.open(...)")
            self._used += 1
            if self._idle:
                return self._idle.pop()
        try:
            return Connection(self.file, **self._options)  # type: ignore[arg-type]
        except BaseException:
            with self._guard:
                self._used -= 1
            raise

    def _give(self, connection: Connection) -> None:
        with self._guard:
            self._used -= 1
            if not self._closed and connection._pid == os.getpid():
                self._idle.append(connection)
                return
        connection.close()


# SQLite's locks belong to a process: a child that goes on with its parent's connections, or opens new ones beside
# them, believes in locks that it has not, and loses commits. So nothing is carried over: idle connections are
# closed before a fork, and a child that was forked while one was in use is told so when it asks for a collection.

_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()
_held: list[Database] = []
_torn = False


def _before_fork() -> None:
    for database in list(_OPEN):
        database._guard.acquire()
        _held.append(database)
        while database._idle:
            with contextlib.suppress(StoreError):
                database._idle.pop().close()


def _after_fork() -> None:
    while _held:
        _held.pop()._guard.release()


def _after_fork_in_child() -> None:
    global _torn
    _torn = _torn or any(database._used for database in _held)
    _after_fork()


on_fork(before=_before_fork, in_parent=_after_fork, in_child=_after_fork_in_child)


def _checked_vfs() -> str:
    """The name of SQLite's checksum VFS, loaded once a process."""
    import apsw

    if "cksmvfs" not in apsw.vfs_names():
        from apsw import sqlite_extra

        if not sqlite_extra.has("cksumvfs"):
            raise MissingExtra(
                "this build of apsw comes without the checksum VFS of SQLite",
                why="collections keep a checksum on each page",
                fix="pip install --force-reinstall --only-binary apsw apsw",
            )
        with contextlib.closing(apsw.Connection(":memory:")) as carrier:
            sqlite_extra.load(carrier, "cksumvfs")
    return "cksmvfs"


def _carried_over(file: Path) -> StoreError:
    return StoreError(
        f"{file} cannot be used here: this process was forked while its parent was reading or writing",
        why="a forked process takes over the parent's connections, but not their locks",
        fix='start processes with "spawn" or "forkserver", or fork while nothing is read or written',
    )


def _full(file: Path, why: str) -> DiskFull:
    return DiskFull(
        f"{file} cannot grow: nothing of this change was kept, all earlier ones are",
        why=why,
        fix="free some space on the disk, then do it again",
    )


def _damaged(file: Path, why: str) -> DamagedCollection:
    fix = "restore a backup; `nearsense index verify` tells what is affected"
    return DamagedCollection(f"{file} is damaged", why=why, fix=fix)
