"""A collection that may not be written: in an image layer, on a medium, in somebody else's folder. It is read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from nearsense._folder import Folder
from nearsense.errors import StoreError
from nearsense.store.database import Connection
from nearsense.store.generations import GENERATIONS
from nearsense.store.mark import Mark
from nearsense.store.place import unwritable
from nearsense.store.schema import MIGRATIONS
from nearsense.store.sqlite import DATABASE, FILES, MARK, SQLiteReader, SQLiteStore
from nearsense.store.still import Still

__all__ = ["ReadOnlyStore", "only_readable"]


def only_readable(folder: Path) -> bool:
    """Whether a collection lies in a folder and may be read there, but not written."""
    effective = os.access in os.supports_effective_ids
    if not os.access(folder / DATABASE, os.R_OK, effective_ids=effective):
        return False
    there = [folder / name for name in FILES if os.path.lexists(folder / name)]
    return not all(os.access(each, os.W_OK, effective_ids=effective) for each in (folder, *there))


class ReadOnlyStore(SQLiteStore):
    """What of a store can be had without writing anything; see `Store` in base.py.

    Args:
        folder: Of the collection.
        network: It may lie on a network file system while others write it.
        accept_losses: Go on from what is there, though the mark says that there was more.

    Raises:
        DamagedCollection: The log has lost commits, or the file is damaged.
        StoreError: It cannot be read, or has an older or a newer schema.
    """

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

    def writing(self) -> NoReturn:
        """Refused."""
        raise self._refusal()

    def require_ready(self) -> NoReturn:
        """Refused."""
        raise self._refusal()

    def vacuum(self) -> NoReturn:
        """Refused."""
        raise self._refusal()

    def checkpoint(self) -> NoReturn:
        """Refused."""
        raise self._refusal()

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
        marked, sequence = (
            Mark(self.folder / MARK, identity).read(),
            SQLiteReader(connection, self.folder).sequence(),
        )
        if marked is not None and marked > sequence and not self._accept_losses:
            raise self._lost(f"{marked:,} commits were acknowledged, {sequence:,} are there")

    def _refusal(self) -> StoreError:
        return StoreError(
            f"{self.folder} cannot be changed",
            why="its folder may not be written here",
            fix="copy it to where it may be written, or ask its owner",
        )
