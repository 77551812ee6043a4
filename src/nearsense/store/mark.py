"""The high-water mark: how far the log had come, kept outside it.

SQLite reads a damaged log up to the damage and takes the rest as never written. The mark is written after each
commit; a database that is behind its mark has lost commits, and that is said instead of swallowed.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from nearsense._folder import Folder, flush
from nearsense.store.place import unwritable

__all__ = ["Mark"]

SECTOR = 512
"""The two copies lie in sectors of their own: one torn write cannot take both."""
_LAYOUT = struct.Struct("<16sQ")


class Mark:
    """One small file: the collection's identity and the number of its last commit, twice.

    Args:
        file: Where it lies.
        identity: 16 bytes of the collection it belongs to.
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
