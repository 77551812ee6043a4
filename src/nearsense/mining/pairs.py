"""All pairs of vectors at or above a score, exactly: tiles of products, sieved, and what passes scored in full.

Whether the pairs will fit into memory is told before the work begins; what is finished can be kept in a file, from
which an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nearsense import checks
from nearsense._machine import cores, free_memory
from nearsense._progress import Progress, tracked
from nearsense.errors import FileError, InputError, TooLargeError
from nearsense.mining.sieve import COLUMNS, ROWS, Mined, Sieve, Units, candidates, cosines, sides, sieve_for
from nearsense.records import Precision, parse
from nearsense.vectors import gemm
from nearsense.vectors.rows import blocks, evenly_spaced

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Columns = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]

STRIPE = COLUMNS
"""Rows that are finished together: a resumed run goes on at the next."""

MILLION = 10**6

SAMPLE = 1024
"""Rows whose pairs are counted beforehand."""

PAIR = 120
"""Bytes that a pair takes at most while the best are put first, and while it is judged as a duplicate."""

LOOKED_AT = 2**24
"""Scores that are looked at to say which threshold would fit."""

MAGIC = b"nearsense pairs 1\n"
_HEAD = struct.Struct("<II")  # pairs, CRC-32 of their bytes


def mine(
    vectors: ArrayLike,
    min_score: float,
    *,
    against: ArrayLike | None = None,
    max_memory: int | None = None,
    threads: int | None = None,
    precision: str | None = None,
    progress: Progress = False,
    resume: Path | str | None = None,
) -> Mined:
    """All pairs of vectors whose cosine similarity is at least `min_score`, exactly.

    Products of whole numbers (or of bf16, or f32) rule out nearly all pairs, by a bound that misses none; the rest
    is scored in float64. The work grows with the square of the number of vectors.

    Args:
        vectors: Shape (n, d).
        min_score: In [-1, 1].
        against: Shape (m, d): compare with these instead of with each other.
        max_memory: Bytes that may be used beyond the vectors; half of the free memory without it.
        threads: How many; one a core without it.
        precision: Of the products that rule pairs out: "f32" or "bf16"; the fastest there is without it. The
            result is the same.
        progress: True for a bar on stderr, or a function called with (done, total), in millions of pairs.
        resume: A file that keeps what is done; where it is there already, an interrupted run goes on. It goes when
            all is done.

    Returns:
        The pairs, best first; of two rows compared with each other once, the lower on the left.

    Raises:
        InputError: A value is not finite, the dimensions differ, or `min_score` is no cosine.
        ZeroVectorError: A vector has length zero.
        TooLargeError: The pairs would not fit into `max_memory`; it is told before the work begins.
        FileError: `resume` cannot be read or written, or is of another run.

    Example:
        >>> found = mine([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], 0.7)
        >>> found.left, found.right, found.scores
        (array([0]), array([1]), array([0.8], dtype=float32))
    """
    floor, threads = (
        checks.score(min_score),
        cores() if threads is None else checks.positive_int(threads, "threads"),
    )
    rows, columns = sides(vectors, against)
    budget = Budget.of(len(columns.data), columns.data.shape[1], max_memory)
    chosen = None if precision is None else parse(Precision, precision, name="precision")
    sieve = sieve_for(columns.data, rows.data, chosen)
    budget.require(sieve, rows.data, columns.data, floor)
    job = _job_of(rows.data, b"" if columns is rows else columns.data, floor) if resume else b""
    with checkpoint(Path(resume) if resume else None, job) as finished:
        for found in _Tiles(rows, columns, sieve, floor).stripes(finished.done, threads, progress):
            finished.add(found)
            budget.count(finished.pairs)
        left, right, scores = finished.all()
    order = np.lexsort((right, left, -scores))
    return Mined(left[order].astype(np.int64), right[order].astype(np.int64), scores[order], floor)


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """All tiles of a job; of rows that are compared with each other those on and above the diagonal."""

    rows: Units
    columns: Units
    sieve: Sieve
    floor: float

    def stripes(self, done: int, threads: int, progress: Progress) -> Iterator[Columns]:
        """The pairs of each stripe of rows that is not done, in order."""
        every = list(blocks(len(self.rows.data), STRIPE))
        pairs = np.cumsum([0, *((stripe.stop - stripe.start) * self._width(stripe) for stripe in every)])
        total, pool = -(-int(pairs[-1]) // MILLION), ThreadPoolExecutor(threads)
        try:
            with tracked(total, "million pairs", progress) as update:
                for number, found in enumerate(pool.map(self._stripe, every[done:]), done + 1):
                    yield found
                    update(int(pairs[number]) * total // max(1, int(pairs[-1])))
        finally:
            pool.shutdown(cancel_futures=True)

    def _first(self, stripe: slice) -> int:
        return stripe.start if self.columns is self.rows else 0

    def _width(self, stripe: slice) -> int:
        return len(self.columns.data) - self._first(stripe)

    def _stripe(self, stripe: slice) -> Columns:
        """All pairs of some rows: a block of columns stays in the cache while all of them pass by."""
        same = self.columns is self.rows
        starts = [stripe.start + part.start for part in blocks(stripe.stop - stripe.start, ROWS)]
        asked = [self.sieve.prepare(self.rows.data[start : min(start + ROWS, stripe.stop)]) for start in starts]
        lefts, rights = [], []
        for begin in range(self._first(stripe), len(self.columns.data), COLUMNS):
            column = slice(begin, min(begin + COLUMNS, len(self.columns.data)))
            for start, rows in zip(starts, asked, strict=True):
                i, j = self.sieve.near(rows, column, self.floor)
                if len(i):
                    i, j = i + start, j + begin
                    above = j > i if same and begin == stripe.start else slice(None)
                    lefts.append(i[above])
                    rights.append(j[above])
        if not lefts:
            return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
        left, right = np.concatenate(lefts), np.concatenate(rights)
        scores = cosines(self.rows, left, self.columns, right)
        reached = scores >= np.float32(self.floor)
        return left[reached].astype(np.int32), right[reached].astype(np.int32), scores[reached]


@dataclass(frozen=True, slots=True)
class Budget:
    """A bound of memory, and what it leaves for pairs.

    Args:
        limit: Bytes.
        pairs: How many pairs that is.
    """

    limit: int
    pairs: int

    @classmethod
    def of(cls, columns: int, dimension: int, limit: int | None) -> Budget:
        """The budget for so many columns: a byte a coordinate goes to them."""
        allowed = free_memory() // 2 if limit is None else limit
        fixed = columns * (dimension + 16) + 64 * 2**20
        if allowed <= fixed:
            raise InputError(
                f"{_size(allowed)} of memory are too little for {columns:,} vectors of dimension {dimension}",
                why=f"{_size(fixed)} are needed beside the vectors before any pair is found",
                fix=f"allow {_size(2 * fixed)} or more as max_memory",
            )
        return cls(allowed, (allowed - fixed) // PAIR)

    def require(self, sieve: Sieve, rows: NDArray[np.float32], columns: NDArray[np.float32], floor: float) -> None:
        """Refuse a score that so many pairs reach that they would not fit, by counting those of some rows."""
        chosen = evenly_spaced(len(rows), SAMPLE)
        count = sum(len(found) for found, _ in candidates(sieve, rows, chosen, len(columns), floor))
        expected = count * len(rows) // max(1, len(chosen))
        if columns is rows:
            expected = max(0, expected - len(rows)) // 2
        if expected > self.pairs:
            enough = self._enough(rows, columns)
            raise TooLargeError(
                f"about {expected:,} pairs reach a score of {floor:g}: they take {_size(expected * PAIR)}",
                why=f"{_size(self.limit)} of memory may be used",
                fix=f"ask for {enough:.2f} or more, or for the nearest of each text, or allow more memory",
            )

    def count(self, pairs: int) -> None:
        """Refuse to go on where more pairs were found than fit."""
        if pairs > self.pairs:
            raise TooLargeError(
                f"more than {self.pairs:,} pairs were found",
                why=f"{_size(self.limit)} of memory may be used",
                fix="ask for a higher score, or allow more memory",
            )

    def _enough(self, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> float:
        """The least score, in hundredths, that so few pairs reach that they fit."""
        some = rows[:: max(1, len(rows) * len(columns) // LOOKED_AT)]
        scores = gemm.scores(some, columns[:: max(1, len(some) * len(columns) // LOOKED_AT)]).ravel()
        share = min(1.0, self.pairs / (len(rows) * len(columns)) * (2 if columns is rows else 1))
        return float(np.ceil(100 * np.quantile(scores, 1 - share / 2)) / 100)


def _size(count: int) -> str:
    """Rounded to the next; as it is said to --max-memory."""
    return f"{-(-count // 2**20):,} MiB" if count < 2**30 else f"{count / 2**30:,.1f} GiB"


class Checkpoint:
    """Finished stripes of a run, in order, and the file where each is written too, if any."""

    def __init__(self, file: BinaryIO | None, stripes: list[Columns]) -> None:
        self._file, self._stripes = file, stripes
        self.pairs = sum(len(scores) for _, _, scores in stripes)

    @property
    def done(self) -> int:
        """How many stripes are finished."""
        return len(self._stripes)

    def add(self, found: Columns) -> None:
        """Keep a stripe: left, right, scores."""
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
def checkpoint(path: Path | None, job: bytes) -> Iterator[Checkpoint]:
    """What is finished of a job; its file goes when the job is done, and stays when it is interrupted."""
    if path is None:
        yield Checkpoint(None, [])
        return
    try:
        file = path.open("r+b" if path.exists() else "x+b")
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{path} cannot be opened", why=why, fix="name a file in a folder that is there") from None
    with file:
        yield Checkpoint(file, _read(file, job))
    with suppress(OSError):
        path.unlink()


def _job_of(*parts: object) -> bytes:
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
