"""A collection on the disk: one SQLite file is the only authority, everything else can be made from it.

Readers never wait and see one snapshot; writers take turns in the order of their arrival. Beside the database lies
the mark of its last commit, by which a lost one is noticed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from nearsense._folder import Folder, flush, make_folders
from nearsense.errors import CollectionNotFound, DamagedCollection, StoreError
from nearsense.store.database import PAGE_BYTES, Connection, Database
from nearsense.store.generations import BUILDER, GENERATIONS, crash_point
from nearsense.store.lock import one_at_a_time, reader_of, require_local, unwritable, waiting
from nearsense.store.tables import APPLICATION_ID, SQLiteReader, SQLiteWriter, is_newest, migrate

DATABASE, MARK, LOCK = "collection.db", "mark", "lock"
FILES = (DATABASE, *(f"{DATABASE}-{end}" for end in ("journal", "wal", "shm")), MARK, LOCK, BUILDER)
"""Every file that lies in the folder itself; none of them may be a link."""


class SQLiteStore:
    """A folder with one authoritative database file; one that is missing is made where `create` allows it.

    `network` allows a network file system; `accept_losses` goes on from what is there, whatever the mark says.
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
                    self._database, self._mark = database, CommitMark(self.folder / MARK, bytes(identity))
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
                self._mark = CommitMark(self.folder / MARK, self._identity(connection))
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
                crash_point("commit.before")
            crash_point("commit.after")
            crash_point("mark.before")
            with contextlib.suppress(StoreError):  # the change is kept: to call it failed would be a lie
                self._mark.write(writer.next)
            crash_point("mark.after")

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
        """Rewrite the database without anything that was deleted, the log and free pages included."""
        self._require_same_file()
        with self._turn(), self._lent() as connection:
            _require_own(self.folder)
            crash_point("compact.before-vacuum")
            connection.run("VACUUM")
            with waiting(self.file, lambda: reader_of(self.file.with_name(f"{self.file.name}-shm"))):
                connection.checkpoint(truncate=True)
            crash_point("compact.after-vacuum")

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


SECTOR = 512
"""The two copies lie in sectors of their own: one torn write cannot take both."""
_LAYOUT = struct.Struct("<16sQ")


class CommitMark:
    """One small file: the 16 bytes of a collection's identity and the number of its last commit, twice.

    SQLite reads a damaged log up to the damage and takes the rest as never written. The mark is written after each
    commit; a database that is behind its mark has lost commits, and that is said instead of swallowed.
    """

    def __init__(self, file: Path, identity: bytes) -> None:
        self._file, self._identity = file, identity

    def read(self) -> int | None:
        """The highest number that was marked; None where no copy is readable or of this collection."""
        try:
            with Folder(self._file.parent) as folder:
                content = folder.read(self._file.name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unwritable(self._file, error) from None
        numbers = [self._parse(content[start:]) for start in (0, SECTOR)]
        return max((number for number in numbers if number is not None), default=None)

    def write(self, number: int) -> None:
        """Mark a commit; on the disk when it returns. The copies take turns."""
        with self._opened() as (file, _):
            self._put(file, SECTOR * (number % 2), number)
            flush(file, size=False)

    def reset(self, number: int) -> None:
        """Set both copies, up or down."""
        with self._opened() as (file, folder):
            for start in (0, SECTOR):
                self._put(file, start, number)
            flush(file)
            folder.sync()  # the file may be new

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[int, Folder]]:
        try:
            with Folder(self._file.parent) as folder:
                file = folder.open(self._file.name, os.O_RDWR | os.O_CREAT)
                try:
                    yield file, folder
                finally:
                    os.close(file)
        except OSError as error:
            raise unwritable(self._file, error) from None

    def _put(self, file: int, start: int, number: int) -> None:
        if hasattr(os, "pwrite"):
            os.pwrite(file, self._packed(number), start)
        else:  # Windows
            os.lseek(file, start, os.SEEK_SET)
            os.write(file, self._packed(number))

    def _packed(self, number: int) -> bytes:
        packed = _LAYOUT.pack(self._identity, number)
        return packed + struct.pack("<I", zlib.crc32(packed))

    def _parse(self, content: bytes) -> int | None:
        packed, crc = content[: _LAYOUT.size], content[_LAYOUT.size : _LAYOUT.size + 4]
        if len(crc) < 4 or struct.unpack("<I", crc)[0] != zlib.crc32(packed):
            return None
        identity, number = _LAYOUT.unpack(packed)
        return number if identity == self._identity else None
