"""Rows of vectors: checked, read in blocks, brought to unit length. Not how two of them compare: see forms.py."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from math import prod
from operator import index
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nearsense.errors import InputError, TooLargeError, ZeroVectorError
from nearsense.types import parse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[Any]
    Float32: TypeAlias = NDArray[np.float32]
    Float64: TypeAlias = NDArray[np.float64]

BLOCK = 2**20
"""Numbers worked on at once: 8 MiB in float64, about what a core's cache holds."""

LARGEST = float(np.finfo(np.float32).max)
_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)


class ZeroRow(StrEnum):
    """What `normalize` does with a row of length zero."""

    ERROR = "error"
    """Refuse, naming the row."""
    KEEP = "keep"
    """Leave it zero."""


def normalize(x: ArrayLike, *, zero: str = ZeroRow.ERROR) -> Float32:
    """Scale each row to unit length: x / |x|, with |x| the Euclidean norm, accumulated in float64.

    Args:
        x: Shape (n, d); a single vector goes in as `x[None, :]`. It is not changed.
        zero: `"error"` or `"keep"`: what happens to a row without direction. A row shorter than the smallest
            float32, 1.4e-45, counts as zero.

    Returns:
        float32, shape (n, d). Nothing over- or underflows, whether components are 1e30 or 1e-30.

    Raises:
        ZeroVectorError: A row has length zero, and `zero` is `"error"`.
        InputError: The shape is not (n, d), or a value is not finite.

    Example:
        >>> normalize([[3.0, 4.0], [1e30, 0.0]])
        array([[0.6, 0.8],
               [1. , 0. ]], dtype=float32)
    """
    policy = parse(ZeroRow, zero, name="zero")
    rows = as_rows(x, "x")
    directions = empty(rows.shape, np.float32)
    for part in parts(len(rows), rows_per_block(rows)):
        directions[part] = unit(wide(rows, part, "x"), part, "x", policy)
    return directions


def as_rows(x: ArrayLike, name: str) -> Array:
    """The array itself where it is one: shape (n, d), any kind of real number, its values not yet looked at."""
    try:
        rows = np.asarray(x)
    except ValueError:
        raise InputError(f"the rows of {name} differ in length", fix="give an array of shape (n, d)") from None
    if rows.dtype.kind not in "fiub":
        raise InputError(f"{name} must hold real numbers, got {rows.dtype}", fix="give float32 of shape (n, d)")
    if rows.ndim != 2:
        fix = f"for a single vector: {name}[None, :]" if rows.ndim == 1 else ""
        raise InputError(f"{name} must have shape (n, d), got {rows.shape}", fix=fix)
    return rows


def as_sides(a: ArrayLike, b: ArrayLike, first: str, second: str) -> tuple[Array, Array]:
    """Both as `as_rows`, and of one dimension."""
    left, right = as_rows(a, first), as_rows(b, second)
    if left.shape[1] != right.shape[1]:
        raise InputError(
            f"{first} of shape {left.shape} and {second} of shape {right.shape} differ in dimension",
            why="only vectors of one dimension compare",
            fix="encode both with the same model",
        )
    return left, right


def rows_per_block(x: Array) -> int:
    """How many rows of `x` make a block."""
    return int(max(1, BLOCK // max(1, x.shape[1])))


def parts(n: int, step: int) -> Iterator[slice]:
    """The slices that cut n rows into blocks of `step`."""
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def wide(x: Array, part: slice, name: str) -> Float64:
    """A copy of these rows in float64: all finite, all within float32's range."""
    rows = x[part].astype(np.float64)
    if not (rows.min(initial=0.0) >= -LARGEST and rows.max(initial=0.0) <= LARGEST):  # a NaN fails both
        row, column = np.argwhere(~(np.abs(rows) <= LARGEST))[0]
        raise InputError(
            f"row {part.start + row} of {name} holds {rows[row, column]} in column {column}",
            why="vectors must hold finite numbers within the range of float32",
            fix="leave that row out, or encode its text again",
        )
    return rows


def unit(rows: Float64, part: slice, name: str, zero: ZeroRow = ZeroRow.ERROR) -> Float64:
    """These rows brought to unit length, in place."""
    norms = np.sqrt(np.vecdot(rows, rows))
    shortest = norms < _SMALLEST
    if shortest.any():
        if zero is ZeroRow.ERROR:
            raise ZeroVectorError(
                f"row {part.start + np.flatnonzero(shortest)[0]} of {name} has length zero",
                why="a vector without direction has no cosine",
                fix='leave that row out; normalize(x, zero="keep") leaves it zero',
            )
        norms[shortest] = np.inf
    rows /= norms[:, None]
    return rows


def within_float32(scores: Array) -> Array:
    """The scores, none of them beyond what float32 holds."""
    if scores.dtype == np.float64 and max(scores.max(initial=0.0), -scores.min(initial=0.0)) > LARGEST:
        raise InputError(
            f"a score of {scores.flat[np.abs(scores).argmax()]:.3g} exceeds the range of float32",
            why="scores are float32, which ends at 3.4e38",
            fix="scale the vectors down, or use the cosine",
        )
    return scores


def narrow(scores: Float64) -> Float32:
    """The scores in float32, none of them beyond it."""
    return within_float32(scores).astype(np.float32)


def empty(shape: tuple[int, ...], dtype: type[Any]) -> Array:
    """Room for a result, or an error that says how much it would have taken."""
    try:
        return np.empty(shape, dtype=dtype)
    except (MemoryError, ValueError):  # numpy's words for "too much" and "far too much"
        raise TooLargeError(
            f"a result of shape {shape} takes {prod(shape) * np.dtype(dtype).itemsize / 2**30:,.1f} GiB",
            why="it does not fit into memory",
            fix="use top_k, which keeps only the best, or fewer rows at a time",
        ) from None


def from_one(value: int, name: str) -> int:
    """A whole number that counts from 1."""
    try:
        number = index(value)
    except TypeError:
        raise InputError(f"{name}={value!r} is not a whole number", fix=f"{name}=10") from None
    if number < 1:
        raise InputError(f"{name}={number} is too small", why=f"{name} counts from 1", fix=f"{name}=1")
    return number
