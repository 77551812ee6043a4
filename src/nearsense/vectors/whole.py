"""Vectors rounded to whole numbers, int8: a quarter of the bytes, multiplied as fast as a core can (numkong).

With x = s p + e, p whole, and y = t q + f likewise, |x·y - s t p·q| <= |e||y| + |s p||f|, and how long e and f are
is known: so products rule pairs out and never hide one. What is done with those that are left the caller decides.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32: TypeAlias = NDArray[np.float32]
    Float64: TypeAlias = NDArray[np.float64]
    Int8: TypeAlias = NDArray[np.int8]
    Int32: TypeAlias = NDArray[np.int32]

LEVELS = 127
"""The largest number that a coordinate is rounded to."""

ROUNDING = 1e-5
"""What else a product may be off: lengths that are not quite 1, and how far vectors were moved, in float32."""


def is_here() -> bool:
    """Whether what multiplies them can be had."""
    try:
        import numkong  # noqa: F401
    except ImportError:
        return False
    return True


def step_for(*rows: Float32) -> float:
    """How far numbers lie apart where the largest coordinate of all these rows becomes LEVELS."""
    largest = max(max(float(x.max(initial=0.0)), -float(x.min(initial=0.0))) for x in rows)
    return max(largest, 1e-30) / LEVELS


def rounded(rows: Float32, step: float | Float32) -> tuple[Int8, Float64]:
    """Rows as numbers of a step, int8, shape (n, d), and how far each was moved, float64, shape (n,).

    `step` is one for all, or has the shape (n, 1).
    """
    near = np.float32(step)
    numbers = np.rint(rows * (1 / near))
    moved = np.linalg.norm(rows - numbers * near, axis=1).astype(np.float64)
    return numbers.astype(np.int8), moved


def slack(moved: Float64, other: float) -> Float64:
    """How far the product of vectors of unit length that were moved so far may be off the true one."""
    return moved + (1.0 + moved) * other + ROUNDING


def level(floor: Float64 | float, unit: Float64 | float) -> Int32:
    """The least whole number that stands for a score of `floor` or more, if numbers of `unit` do."""
    return np.clip(np.ceil(floor / np.asarray(unit)), -(2**31), 2**31 - 1).astype(np.int32)


class Products:
    """Products of numbers with packed ones. Each thread has one place for them, so that it stays in the cache.

    Args:
        size: How many scores a product has at most.
    """

    def __init__(self, size: int) -> None:
        import numkong

        self._engine: Any = numkong
        self._size, self._own = size, threading.local()

    def pack(self, numbers: Int8) -> Any:
        """Numbers as the right side of products."""
        return self._engine.dots_pack(numbers, dtype="int8")

    def of(self, numbers: Int8, packed: Any, columns: int) -> Int32:
        """Every row of `numbers` with each of the packed `columns`: int32, as they are until the next product."""
        own = self._own
        if not hasattr(own, "tiles"):
            own.place, own.tiles = np.empty(self._size, np.int32), {}
        shape = len(numbers), columns
        if shape not in own.tiles:
            view = own.place[: math.prod(shape)].reshape(shape)
            own.tiles[shape] = view, self._engine.from_pointer(view.ctypes.data, view.shape, "int32")
        scores, tensor = own.tiles[shape]
        self._engine.dots_packed(numbers, packed, out=tensor)
        found: Int32 = scores
        return found
