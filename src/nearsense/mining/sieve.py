"""What mining is made of: unit vectors, the pairs of a tile that may reach a score, and the exact cosine of these.

None that reaches the score is missed, and few others pass. Two sieves: where numkong is there, vectors are rounded
to int8 and multiplied in whole numbers, as fast as a core's matrix unit goes; how far each vector was moved is
known, and so what a product may be off. Else products are those of `nearsense.vectors.gemm`, in bf16 or f32.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from nearsense.errors import InputError
from nearsense.records import Precision
from nearsense.vectors import gemm
from nearsense.vectors.rows import blocks, unit_rows_and_lengths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    Float32: TypeAlias = NDArray[np.float32]
    Ints: TypeAlias = NDArray[np.int64]
    Found: TypeAlias = tuple[Ints, Ints]

ROWS, COLUMNS = 256, 2048
"""A tile: its scores are 2 MiB, which a core's cache holds until they have been looked at."""

_LEVELS = 127
"""The largest number that a coordinate is rounded to."""

_ROUNDING = 1e-5
"""What else may be off: lengths that are not quite 1, and how far vectors were moved, in float32."""

_CHECKED = 512
"""Pairs scored at once: their vectors stay in a core's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Mined:
    """m pairs of rows, best first; equal scores in the order of their rows.

    Args:
        left: int64, shape (m,): the row of one side.
        right: int64, shape (m,): the row of the other: of the same vectors, then always greater than `left`, or of
            those that were compared against.
        scores: float32, shape (m,): their cosine similarity.
        min_score: All pairs of at least this score are here.
        recall: The share of those pairs that are here, as measured; None where it is all of them, exactly.
    """

    left: Ints
    right: Ints
    scores: Float32
    min_score: float
    recall: float | None = None

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """n unit vectors.

    Args:
        data: float32, shape (n, d).
        lengths: float64, shape (n,): the length that each has in truth, rounded as it is.
    """

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
        raise InputError(
            f"vectors of dimension {rows.data.shape[1]} and {columns.data.shape[1]} do not compare",
            fix="encode both with the same model",
        )
    return rows, columns


def cosines(left: Units, i: Ints, right: Units, j: Ints) -> Float32:
    """The cosine similarity of row i[p] of one with row j[p] of the other, summed in float64: float32, (m,)."""
    found = np.empty(len(i), np.float32)
    for part in blocks(len(i), _CHECKED):
        a, b = left.data.take(i[part], axis=0), right.data.take(j[part], axis=0)
        dots = np.einsum("ij,ij->i", a, b, dtype=np.float64)
        found[part] = np.clip(dots / (left.lengths[i[part]] * right.lengths[j[part]]), -1.0, 1.0)
    return found


def candidates(
    sieve: Sieve, rows: Float32, chosen: Ints, columns: int, floor: float
) -> Iterator[tuple[Ints, Ints]]:
    """The chosen rows and, of so many columns, those that may score `floor` with them, a tile at a time."""
    for part in blocks(len(chosen), ROWS):
        asked = sieve.prepare(rows[chosen[part]])
        for column in blocks(columns, COLUMNS):
            i, j = sieve.near(asked, column, floor)
            yield chosen[part][i], j + column.start


class Sieve(Protocol):
    """Unit vectors as columns, which rows of others are held against, a tile at a time. For several threads."""

    def prepare(self, rows: Float32) -> Any:
        """Rows as `near` takes them: at most ROWS."""
        ...  # pragma: no cover

    def near(self, rows: Any, columns: slice, floor: NDArray[np.float64] | float) -> Found:
        """Positions (row, column - columns.start) of all pairs of a tile that may score `floor`, one or one a row.

        `rows` is what `prepare` made; `columns` are COLUMNS of them from a multiple of it on, fewer at the end.
        """
        ...  # pragma: no cover


def sieve_for(columns: Float32, rows: Float32, precision: Precision | None = None) -> Sieve:
    """The fastest sieve there is here; `rows` are all that will be asked. With a precision it is not int8."""
    if precision is None:
        try:
            return Int8Sieve(columns, rows)
        except ImportError:
            precision = gemm.fastest(len(rows), len(columns), rows.shape[1])
    return FloatSieve(columns, precision)


class FloatSieve:
    """By a product of floating point numbers, F32 or BF16."""

    def __init__(self, columns: Float32, precision: Precision) -> None:
        self._columns, self._precision = columns, precision
        self._slack = gemm.slack(columns.shape[1], precision)

    def prepare(self, rows: Float32) -> Float32:
        """See `Sieve.prepare`."""
        return rows

    def near(self, rows: Float32, columns: slice, floor: NDArray[np.float64] | float) -> Found:
        """See `Sieve.near`."""
        level = np.asarray(floor - self._slack, np.float32)
        return gemm.decide_block(
            rows, self._columns[columns], self._precision, lambda scores: _pairs_reaching(scores, level)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """Rows in whole numbers: int8 (q, d), and how far each was moved, float64 (q,)."""

    numbers: NDArray[np.int8]
    moved: NDArray[np.float64]


class Int8Sieve:
    """By a product of whole numbers.

    With x = s p + e, p whole, and y = s q + f likewise, |x·y - s² p·q| <= |e||y| + |s p||f|, and how long e and f
    are is known.
    """

    def __init__(self, columns: Float32, rows: Float32) -> None:
        import numkong

        self._engine: Any = numkong
        largest = _largest(columns) if columns is rows else max(_largest(columns), _largest(rows))
        self._step = max(largest, 1e-30) / _LEVELS
        self._packed, self._moved = [], []
        for part in blocks(len(columns), COLUMNS):
            whole = self.prepare(columns[part])
            self._packed.append(numkong.dots_pack(whole.numbers, dtype="int8"))
            self._moved.append(float(whole.moved.max(initial=0.0)))
        self._room = threading.local()

    def prepare(self, rows: Float32) -> _Whole:
        """See `Sieve.prepare`."""
        numbers = np.rint(rows * np.float32(1 / self._step))
        moved = np.linalg.norm(rows - numbers * np.float32(self._step), axis=1).astype(np.float64)
        return _Whole(numbers.astype(np.int8), moved)

    def near(self, rows: _Whole, columns: slice, floor: NDArray[np.float64] | float) -> Found:
        """See `Sieve.near`."""
        moved, other = rows.moved, self._moved[columns.start // COLUMNS]
        slack = moved + (1.0 + moved) * other + _ROUNDING
        level = np.clip(np.ceil((floor - slack) / self._step**2), -(2**31), 2**31 - 1).astype(np.int32)
        scores, tensor = self._tile(len(moved), columns.stop - columns.start)
        self._engine.dots_packed(rows.numbers, self._packed[columns.start // COLUMNS], out=tensor)
        return _pairs_reaching(scores, level)

    def _tile(self, rows: int, columns: int) -> tuple[NDArray[np.int32], Any]:
        """Where a thread's products go: always the same place, so that it stays in the cache."""
        if not hasattr(self._room, "tiles"):
            self._room.place, self._room.tiles = np.empty(ROWS * COLUMNS, np.int32), {}
        tiles: dict[tuple[int, int], tuple[NDArray[np.int32], Any]] = self._room.tiles
        if (rows, columns) not in tiles:
            view = self._room.place[: rows * columns].reshape(rows, columns)
            tiles[rows, columns] = view, self._engine.from_pointer(view.ctypes.data, view.shape, "int32")
        return tiles[rows, columns]


def _largest(x: Float32) -> float:
    return max(float(x.max(initial=0.0)), -float(x.min(initial=0.0)))


def _pairs_reaching(scores: NDArray[Any], level: NDArray[Any]) -> Found:
    """Where scores reach their level. Most rows of most tiles do nowhere, so the best of each is asked first."""
    some = np.flatnonzero(scores.max(axis=1, initial=_least(scores)) >= level)
    levels = level if level.ndim == 0 else level[some, None]
    row, column = np.divmod(np.flatnonzero(scores[some] >= levels), scores.shape[1])
    return some[row], column


def _least(scores: NDArray[Any]) -> Any:
    return np.iinfo(scores.dtype).min if scores.dtype.kind == "i" else -math.inf
