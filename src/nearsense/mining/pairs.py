"""All pairs of vectors at or above a score, exactly: tiles of products, sieved, and what passes scored in full.

A sieve misses no pair that reaches the score, and few others pass. Where numkong is there, vectors are rounded to
int8 and multiplied in whole numbers, as fast as a core's matrix unit goes; how far each vector was moved is known,
and so what a product may be off. Else products are those of `nearsense.vectors.gemm`, in bf16 or f32. What is
finished can be kept in a file, from which an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from nearsense import checks
from nearsense._machine import cores, free_memory
from nearsense._paths import exists
from nearsense._progress import Progress, tracked
from nearsense.errors import FileError, InputError, TooLargeError
from nearsense.mining.narrowing import Narrow, narrow_for
from nearsense.records import Precision, parse
from nearsense.vectors import gemm, whole
from nearsense.vectors.rows import blocks, evenly_spaced, unit_rows_and_lengths

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float32: TypeAlias = NDArray[np.float32]
    Ints: TypeAlias = NDArray[np.int64]
    Found: TypeAlias = tuple[Ints, Ints]
    Floor: TypeAlias = NDArray[np.float64] | float
    Columns: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32], Float32]

ROWS, COLUMNS = 256, 2048
"""A tile: its scores are 2 MiB, which a core's cache holds until they have been looked at."""

STRIPE = COLUMNS
"""Rows that are finished together: a resumed run goes on at the next."""

MILLION = 10**6

SAMPLE = 1024
"""Rows whose pairs are counted beforehand."""

TRIED = 4096
"""Pairs of a tile that are looked at for it."""

PAIR = 120
"""Bytes that a pair takes at most while the best are put first, and while it is judged as a duplicate."""

LOOKED_AT = 2**24
"""Scores that are looked at to say which threshold would fit."""

MAGIC = b"nearsense pairs 1\n"
_HEAD = struct.Struct("<II")  # pairs, CRC-32 of their bytes

_CHECKED = 512
"""Pairs scored at once: their vectors stay in a core's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class NearPairs:
    """m pairs of rows, best first; equal scores in the order of their rows.

    `left` and `right` are rows, of the same vectors the lower on the left; `scores` their cosine similarity.
    `recall` is the share of the pairs of at least `min_score` that are here, as measured; None where it is all.
    """

    left: Ints
    right: Ints
    scores: Float32
    min_score: float
    recall: float | None = None

    def __len__(self) -> int:
        return len(self.scores)


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
) -> NearPairs:
    """All pairs of vectors whose cosine similarity is at least `min_score`, exactly.

    `vectors`, shape (n, d), are compared with each other, or with `against`, shape (m, d). Products of whole
    numbers (or of `precision`, "bf16" or "f32", with the same result) rule out nearly all pairs, by a bound that
    misses none; the rest is scored in float64, on all cores or `threads` of them. The work grows with n².
    `max_memory` is in bytes beyond the vectors, half of the free memory without it; pairs that would not fit are
    refused before the work begins. `resume` is a file that keeps what is done, from which an interrupted run goes
    on, and which goes when all is done. `progress` counts millions of pairs.

    Example:
        >>> found = mine([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], 0.7)
        >>> found.left, found.right, found.scores
        (array([0]), array([1]), array([0.8], dtype=float32))
    """
    floor = checks.score(min_score)
    threads = cores() if threads is None else checks.positive_int(threads, "threads")
    rows, columns = sides(vectors, against)
    budget = Budget(len(columns.data), columns.data.shape[1], max_memory)
    chosen = None if precision is None else parse(Precision, precision, name="precision")
    sieve = sieve_for(columns.data, rows.data, chosen, floor)
    budget.require(sieve, rows, columns, floor)
    job = (rows.data, b"" if columns is rows else columns.data, floor)
    with checkpoint(Path(resume) if resume else None, job) as finished:
        for found in _Tiles(rows, columns, sieve, floor).stripes(len(finished.stripes), threads, progress):
            finished.add(found)
            budget.count(finished.pairs)
        left, right, scores = finished.all()
    order = np.lexsort((right, left, -scores))
    return NearPairs(left[order].astype(np.int64), right[order].astype(np.int64), scores[order], floor)


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """All tiles of a job; of rows that are compared with each other those on and above the diagonal."""

    rows: Units
    columns: Units
    sieve: Sieve
    floor: float

    def stripes(self, done: int, threads: int, progress: Progress) -> Iterator[Columns]:
        """The pairs of each stripe of rows that is not done, in order."""
        every, same = list(blocks(len(self.rows.data), STRIPE)), self.columns is self.rows
        widths = (len(self.columns.data) - (stripe.start if same else 0) for stripe in every)
        sizes = ((stripe.stop - stripe.start) * width for stripe, width in zip(every, widths, strict=True))
        pairs = np.cumsum([0, *sizes])
        total, pool = -(-int(pairs[-1]) // MILLION), ThreadPoolExecutor(threads)
        try:
            with tracked(total, "million pairs", progress) as update:
                for number, found in enumerate(pool.map(self._stripe, every[done:]), done + 1):
                    yield found
                    update(int(pairs[number]) * total // max(1, int(pairs[-1])))
        finally:
            pool.shutdown(cancel_futures=True)

    def _stripe(self, stripe: slice) -> Columns:
        """All pairs of some rows: a block of columns stays in the cache while all of them pass by."""
        same = self.columns is self.rows
        starts = [stripe.start + part.start for part in blocks(stripe.stop - stripe.start, ROWS)]
        asked = [self.sieve.prepare(self.rows.data[start : min(start + ROWS, stripe.stop)]) for start in starts]
        lefts, rights = [], []
        for begin in range(stripe.start if same else 0, len(self.columns.data), COLUMNS):
            column = slice(begin, min(begin + COLUMNS, len(self.columns.data)))
            for start, rows in zip(starts, asked, strict=True):
                i, j = self.sieve.near(rows, column, self.floor)
                if len(i):
                    i, j = i + start, j + begin
                    above = j > i if same and begin == stripe.start else slice(None)
                    lefts.append(i[above])
                    rights.append(j[above])
        if not lefts:
            return _NONE
        left, right = _screened(self.rows, np.concatenate(lefts), self.columns, np.concatenate(rights), self.floor)
        scores = cosines(self.rows, left, self.columns, right)
        reached = scores >= np.float32(self.floor)
        return left[reached].astype(np.int32), right[reached].astype(np.int32), scores[reached]


_NONE: Columns = np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)


class Budget:
    """A bound of memory in bytes, and how many pairs it leaves room for beside so many columns."""

    def __init__(self, columns: int, dimension: int, limit: int | None) -> None:
        self.limit = free_memory() // 2 if limit is None else limit
        fixed = columns * (dimension + 16) + 64 * 2**20  # a byte a coordinate
        if self.limit <= fixed:
            what = f"{_size(self.limit)} of memory are too little for {columns:,} vectors of dimension {dimension}"
            why = f"{_size(fixed)} are needed beside the vectors before any pair is found"
            raise InputError(what, why=why, fix=f"allow {_size(2 * fixed)} or more as max_memory")
        self.pairs = (self.limit - fixed) // PAIR

    def require(self, sieve: Sieve, rows: Units, columns: Units, floor: float) -> None:
        """Refuse a score that so many pairs reach that they would not fit, by counting those of some rows."""
        chosen, count, n = evenly_spaced(len(rows.data), SAMPLE), 0, len(rows.data)
        for i, j in candidates(sieve, rows.data, chosen, len(columns.data), floor):
            tried = evenly_spaced(len(i), TRIED)
            near = np.count_nonzero(cosines(rows, i[tried], columns, j[tried]) >= np.float32(floor))
            count += round(near * len(i) / max(1, len(tried)))
        expected = count * n // max(1, len(chosen))
        if columns is rows:
            expected = max(0, expected - n) // 2
        if expected > self.pairs:
            what = f"about {expected:,} pairs reach a score of {floor:g}: they take {_size(expected * PAIR)}"
            more = f"{self._enough(rows.data, columns.data):.2f} or more, or for the nearest of each text,"
            fix = f"ask for {more} or allow more memory"
            raise TooLargeError(what, why=f"{_size(self.limit)} of memory may be used", fix=fix)

    def count(self, pairs: int) -> None:
        """Refuse to go on where more pairs were found than fit."""
        if pairs > self.pairs:
            why, fix = f"{_size(self.limit)} of memory may be used", "ask for a higher score, or allow more memory"
            raise TooLargeError(f"more than {self.pairs:,} pairs were found", why=why, fix=fix)

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
        self._file, self.stripes = file, stripes
        self.pairs = sum(len(scores) for _, _, scores in stripes)

    def add(self, found: Columns) -> None:
        """Keep a stripe: left, right, scores."""
        self.stripes.append(found)
        self.pairs += len(found[2])
        if self._file is None:
            return
        payload = b"".join(column.tobytes() for column in found)
        try:
            self._file.write(_HEAD.pack(len(found[2]), zlib.crc32(payload)) + payload)
            self._file.flush()
        except OSError as error:
            why = error.strerror or str(error)
            fix = "free some space; what is there is kept, and the same call goes on from it"
            raise FileError(f"{self._file.name} cannot be written", why=why, fix=fix) from None

    def all(self) -> Columns:
        """All pairs, stripe after stripe."""
        left, right, scores = zip(*(self.stripes or [_NONE]), strict=True)
        return np.concatenate(left), np.concatenate(right), np.concatenate(scores)


@contextmanager
def checkpoint(path: Path | None, job: tuple[object, ...]) -> Iterator[Checkpoint]:
    """What is finished of a job; its file goes when the job is done, and stays when it is interrupted.

    The file tells one job from another by the bytes of its arrays and the words of all else.
    """
    if path is None:
        yield Checkpoint(None, [])
        return
    try:
        file = path.open("r+b" if exists(path) else "x+b")
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{path} cannot be opened", why=why, fix="name a file in a folder that is there") from None
    digest = hashlib.sha256()
    for part in job:
        digest.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else repr(part).encode())
    with file:
        yield Checkpoint(file, _finished_stripes(file, digest.digest()))
    with suppress(OSError):
        path.unlink()


def _finished_stripes(file: BinaryIO, job: bytes) -> list[Columns]:
    """The whole stripes of a file; what was half written behind them is cut off."""
    head = file.read(len(MAGIC) + len(job))
    if not head:
        file.write(MAGIC + job)
        return []
    if not head.startswith(MAGIC):
        what = f"{file.name} holds something else than an unfinished run"
        raise FileError(what, why="it would be written over, and removed at the end", fix="name another file")
    if head != MAGIC + job:
        what = f"{file.name} is no unfinished run of these texts and this score"
        why = "a run goes on only with the same vectors and the same settings"
        raise FileError(what, why=why, fix=f"name another file, or remove it: rm {file.name}")
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


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """n unit vectors, float32, shape (n, d), and the length that each has in truth, rounded as it is: float64."""

    data: Float32
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: ArrayLike, name: str = "vectors") -> Units:
        """The vectors themselves where they are of unit length, else scaled copies."""
        return cls(*unit_rows_and_lengths(vectors, name))


def sides(vectors: ArrayLike, against: ArrayLike | None) -> tuple[Units, Units]:
    """Both sides of unit length: the same object twice where they are compared with each other."""
    rows = Units.of(vectors)
    columns = rows if against is None else Units.of(against, "against")
    if rows.data.shape[1] != columns.data.shape[1]:
        what = f"vectors of dimension {rows.data.shape[1]} and {columns.data.shape[1]} do not compare"
        raise InputError(what, fix="encode both with the same model")
    return rows, columns


def cosines(left: Units, i: Ints, right: Units, j: Ints) -> Float32:
    """The cosine similarity of row i[p] of one with row j[p] of the other, summed in float64: float32, (m,)."""
    found = np.empty(len(i), np.float32)
    for part in blocks(len(i), _CHECKED):
        a, b = left.data.take(i[part], axis=0), right.data.take(j[part], axis=0)
        dots = np.einsum("ij,ij->i", a, b, dtype=np.float64)
        found[part] = np.clip(dots / (left.lengths[i[part]] * right.lengths[j[part]]), -1.0, 1.0)
    return found


def _screened(left: Units, i: Ints, right: Units, j: Ints, floor: float) -> Found:
    """Those of the pairs that reach a floor in float32, or nearly: five times as soon as `cosines` says it."""
    least = np.float32(floor - gemm.slack(left.data.shape[1], Precision.F32) - whole.ROUNDING)
    near = [np.empty(0, np.int64)]
    for part in blocks(len(i), _CHECKED):
        rough = np.vecdot(left.data.take(i[part], axis=0), right.data.take(j[part], axis=0))
        near.append(part.start + np.flatnonzero(rough >= least))
    kept = np.concatenate(near)
    return i[kept], j[kept]


def candidates(
    sieve: Sieve, rows: Float32, chosen: Ints, columns: int, floor: float
) -> Iterator[tuple[Ints, Ints]]:
    """The chosen rows and, of so many columns, those that may score `floor` with them, a tile at a time."""
    for part in blocks(len(chosen), ROWS):
        asked = sieve.prepare(rows[chosen[part]])
        for column in blocks(columns, COLUMNS):
            i, j = sieve.near(asked, column, floor)
            yield chosen[part][i], j + column.start


def sieve_for(
    columns: Float32, rows: Float32, precision: Precision | None = None, floor: float | None = None
) -> Sieve:
    """The fastest sieve there is here; `rows` are all that will be asked, `floor` the least score if it is known.

    With a precision it is not int8.
    """
    if precision is None:
        if whole.is_here():
            return Int8Sieve(columns, None if floor is None else narrow_for(columns, rows, floor))
        precision = gemm.fastest(len(rows), len(columns), rows.shape[1])
    return FloatSieve(columns, precision)


class FloatSieve:
    """Unit vectors as columns, by a product of floating point numbers, F32 or BF16. For several threads."""

    def __init__(self, columns: Float32, precision: Precision) -> None:
        self._columns, self._precision = columns, precision
        self._slack = gemm.slack(columns.shape[1], precision)

    def prepare(self, rows: Float32) -> Any:
        """Rows as `near` takes them: at most ROWS."""
        return rows

    def near(self, rows: Any, columns: slice, floor: Floor) -> Found:
        """Positions (row, column - columns.start) of all pairs of a tile that may score `floor`, one or one a row.

        `rows` is what `prepare` made; `columns` are COLUMNS of them from a multiple of it on, fewer at the end.
        """
        level = np.asarray(floor - self._slack, np.float32)
        return gemm.decide_block(
            rows, self._columns[columns], self._precision, lambda scores: _pairs_reaching(scores, level)
        )


class Int8Sieve:
    """The same by a product of whole numbers: see `nearsense.vectors.whole`."""

    def __init__(self, columns: Float32, narrow: Narrow | None = None) -> None:
        self._products, self._narrow = whole.Products(ROWS * COLUMNS), narrow
        self._packed, self._steps, self._moved = [], [], []
        for part in blocks(len(columns), COLUMNS):
            numbers, moved, step = self.prepare(columns[part])
            self._packed.append(self._products.pack(numbers))
            self._steps.append(step)
            self._moved.append(float(moved.max(initial=0.0)))

    def prepare(self, rows: Float32) -> Any:
        """Rows as `near` takes them: int8, shape (q, m); how far each was moved, float64, (q,); their step."""
        own = rows if self._narrow is None else self._narrow(rows)
        step = whole.step_for(own)
        return *whole.rounded(own, step), step

    def near(self, rows: Any, columns: slice, floor: Floor) -> Found:
        """See `FloatSieve.near`."""
        numbers, moved, step = rows
        tile = columns.start // COLUMNS
        level = whole.level(floor - whole.slack(moved, self._moved[tile]), step * self._steps[tile])
        scores = self._products.of(numbers, self._packed[tile], columns.stop - columns.start)
        return _pairs_reaching(scores, level)


Sieve: TypeAlias = FloatSieve | Int8Sieve


def _pairs_reaching(scores: NDArray[Any], level: NDArray[Any]) -> Found:
    """Where scores reach their level. Most rows of most tiles do nowhere, so the best of each is asked first."""
    least = np.iinfo(scores.dtype).min if scores.dtype.kind == "i" else -math.inf
    some = np.flatnonzero(scores.max(axis=1, initial=least) >= level)
    levels = level if level.ndim == 0 else level[some, None]
    row, column = np.divmod(np.flatnonzero(scores[some] >= levels), scores.shape[1])
    return some[row], column
