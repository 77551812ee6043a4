"""A database file that one can do without: when it fails, work goes on. Not what is in its tables."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from nearsense._folder import Folder, make_folders
from nearsense._forks import lock
from nearsense.errors import DamagedCollection, StoreError
from nearsense.store.database import Connection, Database
from nearsense.store.locks import try_alone

__all__ = ["Expendable"]

T = TypeVar("T")

PAUSE = 30.0
"""Seconds without a try after one that failed."""
BUSY_MS = 1000
"""How long to wait for others."""
ENDS = ("-wal", "-shm", "-journal")
"""What SQLite adds to the name of the file for what lies beside it."""


class Expendable:
    """A file that is opened with the first attempt, deleted when it is damaged, and left alone when it fails.

    Args:
        file: The database file.
        tables: The SQL that makes its tables.
        mark: Its application id and the version of its tables; a healthy file with another mark is not touched.
        max_bytes: A file of more than twice that is begun anew; 0 is no file at all.
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
        """Do some work with the file; None where that cannot be.

        Args:
            kind: Of work; after a failure the same kind is not tried for `PAUSE` seconds.
            work: Gets a connection. Where the file is damaged, it raises DamagedCollection.
        """
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
