"""The pairs found so far, stripe by stripe; in a file too, where an interrupted run shall go on."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nearsense.errors import FileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]

__all__ = ["Kept", "job_of"]

MAGIC = b"nearsense pairs 1\n"
_HEAD = struct.Struct("<II")  # pairs, CRC-32 of their bytes


class Kept:
    """Finished stripes, in order.

    Args:
        file: Where each is written too; None for memory alone.
        stripes: Those that are there already.
    """

    def __init__(self, file: BinaryIO | None, stripes: list[Columns]) -> None:
        self._file, self._stripes = file, stripes
        self.pairs = sum(len(scores) for _, _, scores in stripes)

    @property
    def done(self) -> int:
        """How many stripes are finished."""
        return len(self._stripes)

    def add(self, found: Columns) -> None:
        """Keep a stripe: left, right, scores.

        Raises:
            FileError: It cannot be written.
        """
        self._stripes.append(found)
        self.pairs += len(found[2])
        if self._file is None:
            return
        payload = b"".join(column.tobytes() for column in found)
        try:
            self._file.write(_HEAD.pack(len(found[2]), zlib.crc32(payload)) + payload)
            self._file.flush()
        except OSError as error:
            raise FileError(
                f"{self._file.name} cannot be written",
                why=error.strerror or str(error),
                fix="free some space; what is there is kept, and the same call goes on from it",
            ) from None

    def all(self) -> Columns:
        """All pairs, stripe after stripe."""
        left, right = (
            np.concatenate([stripe[side] for stripe in self._stripes] or [np.empty(0, np.int32)])
            for side in (0, 1)
        )
        return left, right, np.concatenate([stripe[2] for stripe in self._stripes] or [np.empty(0, np.float32)])


@contextmanager
def keeping(path: Path | None, job: bytes) -> Iterator[Kept]:
    """What is kept of a job; its file goes when the job is done, and stays when it is interrupted.

    Raises:
        FileError: The file cannot be read, or is of another job.
    """
    if path is None:
        yield Kept(None, [])
        return
    try:
        file = path.open("r+b" if path.exists() else "x+b")
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{path} cannot be opened", why=why, fix="name a file in a folder that is there") from None
    with file:
        yield Kept(file, _read(file, job))
    with suppress(OSError):
        path.unlink()


def job_of(*parts: object) -> bytes:
    """What tells one job from another: arrays by their bytes, all else by its words."""
    found = hashlib.sha256()
    for part in parts:
        found.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else repr(part).encode())
    return found.digest()


def _read(file: BinaryIO, job: bytes) -> list[Columns]:
    """The whole stripes of a file; what was half written behind them is cut off."""
    head = file.read(len(MAGIC) + len(job))
    if not head:
        file.write(MAGIC + job)
        return []
    if not head.startswith(MAGIC):
        raise FileError(
            f"{file.name} holds something else than an unfinished run",
            why="it would be written over, and removed at the end",
            fix="name another file",
        )
    if head != MAGIC + job:
        raise FileError(
            f"{file.name} is no unfinished run of these texts and this score",
            why="a run goes on only with the same vectors and the same settings",
            fix=f"name another file, or remove it: rm {file.name}",
        )
    stripes, end = [], file.tell()
    while len(header := file.read(_HEAD.size)) == _HEAD.size:
        pairs, crc = _HEAD.unpack(header)
        payload = file.read(12 * pairs)
        if len(payload) < 12 * pairs or zlib.crc32(payload) != crc:
            break
        left, right = (np.frombuffer(payload, np.int32, pairs, 4 * pairs * side) for side in (0, 1))
        stripes.append((left, right, np.frombuffer(payload, np.float32, pairs, 8 * pairs)))
        end = file.tell()
    file.seek(end)
    file.truncate()
    return stripes
