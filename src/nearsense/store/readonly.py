"""A collection that may not be written: in an image layer, on a medium, in somebody else's folder. It is read.

SQLite wants to write beside a database that has a log, even to read it. Where it cannot, there are three cases:

    nothing in the log            the file is all there is: it is read as one that nobody changes
    a log and its index (-shm)    SQLite reads both as they are; somebody else may be writing
    a log without its index       both are copied into a temporary folder, and read there

A writer with more rights may come at any time: they are looked at before each use, in the first case after it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from nearsense._folder import Folder
from nearsense.errors import DamagedCollection, StoreError
from nearsense.store.database import Connection, Database
from nearsense.store.generations import GENERATIONS
from nearsense.store.lock import require_local, unwritable
from nearsense.store.sqlite import DATABASE, FILES, MARK, CommitMark, SQLiteStore
from nearsense.store.tables import MIGRATIONS, SQLiteReader

Seen = tuple[tuple[int, ...] | None, ...]

MOMENT = 2.0
"""Seconds that a log may take to be there as a whole."""


def only_readable(folder: Path) -> bool:
    """Whether a collection lies in a folder and may be read there, but not written."""
    effective = os.access in os.supports_effective_ids
    if not os.access(folder / DATABASE, os.R_OK, effective_ids=effective):
        return False

    def refused(path: Path) -> bool:  # looked at three times: others make and remove files meanwhile
        tries = (os.path.lexists(path) and not os.access(path, os.W_OK, effective_ids=effective) for _ in range(3))
        return all(tries)

    return any(map(refused, (folder, *(folder / name for name in FILES))))


class ReadOnlyStore(SQLiteStore):
    """What of a store can be had without writing anything; the options are those of SQLiteStore."""

    readonly = True

    def __init__(self, folder: Path, *, network: bool = False, accept_losses: bool = False) -> None:
        self._accept_losses = accept_losses
        folder = Path(os.path.realpath(folder))
        self.folder, self.file = folder, folder / DATABASE
        try:
            with Folder(folder) as opened:  # two names are no harm where nothing is written
                opened.require(*FILES, folders=(GENERATIONS,))
        except OSError as error:
            raise unwritable(folder, error) from None
        self._inode = self._file_there()
        self._still = Still(self.file, network=network)
        try:
            with self._lent() as connection:
                self._check(connection)
        except BaseException:
            self._still.close()
            raise

    def _refuse(self) -> NoReturn:
        """What would change it raises StoreError."""
        raise StoreError(
            f"{self.folder} cannot be changed",
            why="its folder may not be written here",
            fix="copy it to where it may be written, or ask its owner",
        )

    writing = require_ready = vacuum = checkpoint = _refuse

    def close(self) -> None:
        """Give everything back."""
        self._still.close()

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Connection]:
        self._require_same_file()
        with self._still.connection() as connection:
            yield connection

    def _check(self, connection: Connection) -> None:
        self._check_application(connection)
        schema = connection.pragma("user_version")
        if schema != len(MIGRATIONS):
            raise StoreError(
                f"{self.folder} has schema {schema}, this nearsense reads {len(MIGRATIONS)}",
                why="it cannot be brought to it where nothing may be written",
                fix="copy the folder to where it may be written, and open it there",
            )
        identity = connection.value("SELECT value FROM state WHERE name = 'identity'")
        if identity is None:
            raise self._lost("the database has no first state")
        marked = CommitMark(self.folder / MARK, identity).read()
        sequence = SQLiteReader(connection, self.folder).sequence()
        if marked is not None and marked > sequence and not self._accept_losses:
            raise self._lost(f"{marked:,} commits were acknowledged, {sequence:,} are there")


class Still:
    """A database file that is only read, opened anew whenever it has changed."""

    def __init__(self, file: Path, *, network: bool) -> None:
        self._file, self._network = file, network
        self._guard = threading.Lock()
        self._database: Database | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._seen: Seen = ()
        self._closed = False

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow a connection to what is there now; StoreError where it was changed while it was read."""
        database, before = self._current()
        try:
            with database.connection() as connection:
                yield connection
        except DamagedCollection:
            self._require_still(database, before)
            raise
        self._require_still(database, before)

    def close(self) -> None:
        """Give everything back."""
        with self._guard:
            self._closed = True
            self._forget()

    def _current(self) -> tuple[Database, tuple[int, ...] | None]:
        with self._guard:
            if self._closed:
                raise StoreError(f"{self._file.parent} is closed", fix="open it again: ns.open(...)")
            seen = self._look()
            if self._database is None or seen != self._seen:
                self._forget()
                seen, self._database = self._opened(seen)
                self._seen = seen
            return self._database, seen[0]

    def _opened(self, seen: Seen) -> tuple[Seen, Database]:
        """What is there now; a writer that is just making the log, or taking it away, is given a moment."""
        if seen[2] and not self._network:
            require_local(self._file.parent)
        until = time.monotonic() + MOMENT
        while True:
            try:
                return seen, self._open(seen)
            except DamagedCollection:
                raise
            except StoreError:
                if not seen[2] or time.monotonic() > until:
                    raise
            time.sleep(0.01)
            seen = self._look()

    def _open(self, seen: Seen) -> Database:
        _, log, index = seen
        if not log or not log[-1]:
            return Database(self._file, readonly=True, still=True)
        if index:
            return Database(self._file, readonly=True)
        self._copy = tempfile.TemporaryDirectory(prefix="nearsense-", ignore_cleanup_errors=True)
        place = Path(os.path.realpath(self._copy.name))
        try:
            with Folder(self._file.parent) as source, Folder(place) as target:
                for name in (self._file.name, f"{self._file.name}-wal"):
                    with source.file(name, "rb") as read, target.file(name, "xb") as written:
                        shutil.copyfileobj(read, written, 1 << 20)
        except OSError as error:
            self._forget()
            raise unwritable(place, error) from None
        if self._look() != seen:
            raise self._changed()
        return Database(place / self._file.name, synchronous="off")

    def _look(self) -> Seen:
        """What tells one state of the files from another; of a log that SQLite shares with writers, only that."""
        log, index = (_known(self._file.with_name(f"{self._file.name}-{end}")) for end in ("wal", "shm"))
        if log and log[-1] and index:
            return (_known(self._file) or ())[:2], (1,), (1,)
        return _known(self._file), log, None

    def _require_still(self, database: Database, before: tuple[int, ...] | None) -> None:
        """Where it was read as one that nobody changes, nobody has."""
        if database.still and _known(database.file) != before:
            raise self._changed()

    def _changed(self) -> StoreError:
        return StoreError(
            f"{self._file.parent} was changed by somebody else while it was read",
            why="it may not be written here, so it is read without locks",
            fix="do it again",
        )

    def _forget(self) -> None:
        if self._database is not None:
            self._database.close()
        if self._copy is not None:
            self._copy.cleanup()
        self._database = self._copy = None


def _known(file: Path) -> tuple[int, ...] | None:
    """Device, number, time of the last change and size of a file; None where there is none."""
    try:
        found = file.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
