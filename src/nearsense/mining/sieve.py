"""Which pairs of a tile may reach a score: none that does is missed, and few others pass. Not their exact scores.

Two sieves. Where numkong is there, vectors are rounded to int8 and multiplied in whole numbers, as fast as a
core's matrix unit goes; how far each vector was moved by that is known, and so what a product may be off. Else the
products are those of `nearsense.vectors.gemm`, in bf16 or f32.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nearsense.types import Precision
from nearsense.vectors import gemm
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Found = tuple[NDArray[np.int64], NDArray[np.int64]]

__all__ = ["COLUMNS", "ROWS", "FloatSieve", "Int8Sieve", "Sieve", "sieve_for"]

ROWS, COLUMNS = 256, 2048
"""A tile: its scores are 2 MiB, which a core's cache holds until they have been looked at."""

_LEVELS = 127
"""The largest number that a coordinate is rounded to."""

_ROUNDING = 1e-5
"""What else may be off: lengths that are not quite 1, and how far vectors were moved, in float32."""


class Sieve(Protocol):
    """Unit vectors as columns, which rows of others are held against, a tile at a time. For several threads."""

    def prepare(self, rows: NDArray[np.float32]) -> Any:
        """Rows as `near` takes them: at most ROWS."""
        ...  # pragma: no cover

    def near(self, rows: Any, columns: slice, floor: NDArray[np.float64] | float) -> Found:
        """Positions (row, column - columns.start) of all pairs that may score `floor`, by rows.

        Args:
            rows: What `prepare` made.
            columns: COLUMNS of them, beginning at a multiple of it; fewer at the end.
            floor: A score, or one for each row.
        """
        ...  # pragma: no cover


def sieve_for(
    columns: NDArray[np.float32], rows: NDArray[np.float32], precision: Precision | None = None
) -> Sieve:
    """The fastest sieve there is here.

    Args:
        columns: float32, shape (m, d), unit length.
        rows: float32, shape (n, d), unit length: all that will be asked; may be the same array.
        precision: F32 or BF16 for such a product; None for int8 where it can be had.
    """
    if precision is None:
        try:
            return Int8Sieve(columns, rows)
        except ImportError:
            precision = gemm.fastest(len(rows), len(columns), rows.shape[1])
    return FloatSieve(columns, precision)


class FloatSieve:
    """By a product of floating point numbers.

    Args:
        columns: float32, shape (m, d), unit length.
        precision: F32 or BF16.
    """

    def __init__(self, columns: NDArray[np.float32], precision: Precision) -> None:
        self._columns, self._precision = columns, precision
        self._slack = gemm.slack(columns.shape[1], precision)

    def prepare(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Sieve.prepare`."""
        return rows

    def near(self, rows: NDArray[np.float32], columns: slice, floor: NDArray[np.float64] | float) -> Found:
        """See `Sieve.near`."""
        level = np.asarray(floor - self._slack, np.float32)
        return gemm.decided(rows, self._columns[columns], self._precision, lambda scores: _reaching(scores, level))


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """Rows in whole numbers: int8 (q, d), and how far each was moved, float64 (q,)."""

    numbers: NDArray[np.int8]
    moved: NDArray[np.float64]


class Int8Sieve:
    """By a product of whole numbers.

    With x = s p + e, p whole, and y = s q + f likewise, |x·y - s² p·q| <= |e||y| + |s p||f|, and how long e and f
    are is known.

    Args:
        columns: float32, shape (m, d), unit length.
        rows: float32, shape (n, d), unit length: all that will be asked.
    """

    def __init__(self, columns: NDArray[np.float32], rows: NDArray[np.float32]) -> None:
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

    def prepare(self, rows: NDArray[np.float32]) -> _Whole:
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
        return _reaching(scores, level)

    def _tile(self, rows: int, columns: int) -> tuple[NDArray[np.int32], Any]:
        """Where a thread's products go: always the same place, so that it stays in the cache."""
        if not hasattr(self._room, "tiles"):
            self._room.place, self._room.tiles = np.empty(ROWS * COLUMNS, np.int32), {}
        tiles: dict[tuple[int, int], tuple[NDArray[np.int32], Any]] = self._room.tiles
        if (rows, columns) not in tiles:
            view = self._room.place[: rows * columns].reshape(rows, columns)
            tiles[rows, columns] = view, self._engine.from_pointer(view.ctypes.data, view.shape, "int32")
        return tiles[rows, columns]


def _largest(x: NDArray[np.float32]) -> float:
    return max(float(x.max(initial=0.0)), -float(x.min(initial=0.0)))


def _reaching(scores: NDArray[Any], level: NDArray[Any]) -> Found:
    """Where scores reach their level. Most rows of most tiles do nowhere, so the best of each is asked first."""
    some = np.flatnonzero(scores.max(axis=1, initial=_least(scores)) >= level)
    levels = level if level.ndim == 0 else level[some, None]
    row, column = np.divmod(np.flatnonzero(scores[some] >= levels), scores.shape[1])
    return some[row], column


def _least(scores: NDArray[Any]) -> Any:
    return np.iinfo(scores.dtype).min if scores.dtype.kind == "i" else -math.inf
