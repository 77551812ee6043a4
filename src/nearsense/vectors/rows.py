"""Rows of vectors: checked, read in blocks, brought to unit length. Not how two of them compare: similarity.py."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from nearsense.errors import InputError, TooLargeError, ZeroVectorError
from nearsense.records import parse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[Any]
    Float32: TypeAlias = NDArray[np.float32]
    Float64: TypeAlias = NDArray[np.float64]
    Int64: TypeAlias = NDArray[np.int64]

Name: TypeAlias = str | Callable[[int], str]
"""What errors call a row: the name of the array, or a function from a row's number to its name."""

T = TypeVar("T", bound=Hashable)

BLOCK = 2**20
"""Numbers worked on at once: 8 MiB in float64, about what a core's cache holds."""

LARGEST = float(np.finfo(np.float32).max)
_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
_UNIT = 1e-6
"""By how much the length of a unit vector in float32 may differ from 1."""


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
    return _unit_copies(as_rows(x, "x"), "x", parse(ZeroRow, zero, name="zero"))


def normalize_in_place(x: Float32, *, zero: str = "error") -> None:
    """As `normalize`, but nothing new is made: a result that nobody else holds yet is brought to unit length."""
    _unit_copies(as_rows(x, "x"), "x", parse(ZeroRow, zero, name="zero"), x)


def unit_rows(x: ArrayLike, name: Name, zero: ZeroRow = ZeroRow.ERROR) -> Float32:
    """The rows themselves where all are of unit length in float32 already, else scaled copies: float32, (n, d)."""
    return unit_rows_and_lengths(x, name, zero)[0]


def unit_rows_and_lengths(x: ArrayLike, name: Name, zero: ZeroRow = ZeroRow.ERROR) -> tuple[Float32, Float64]:
    """What `unit_rows` gives, and the length that each row has in truth, rounded as it is: float64, shape (n,)."""
    rows = as_rows(x, name if isinstance(name, str) else "vectors")
    norms = lengths(rows, name)
    if rows.dtype == np.float32 and rows.flags.c_contiguous and (np.abs(norms - 1) < _UNIT).all():
        return rows, norms
    data = _unit_copies(rows, name, zero)
    return data, np.sqrt(np.einsum("ij,ij->i", data, data, dtype=np.float64))


def lengths(rows: Array, name: Name) -> Float64:
    """The Euclidean length of each row: float64, shape (n,)."""
    if rows.dtype == np.float32:
        with np.errstate(over="ignore", invalid="ignore"):
            found: Float64 = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        if np.isfinite(found).all():
            return found
    found = np.empty(len(rows))
    for part in blocks(len(rows), rows_per_block(rows)):
        block = as_float64(rows, part, name)
        found[part] = np.sqrt(np.vecdot(block, block))
    return found


def scale_to_unit(rows: Float64, first: int, name: Name, zero: ZeroRow = ZeroRow.ERROR) -> Float64:
    """These rows brought to unit length, in place; `first` is the number that errors give the first of them."""
    norms = np.sqrt(np.vecdot(rows, rows))
    shortest = norms < _SMALLEST
    if shortest.any():
        if zero is ZeroRow.ERROR:
            what = f"{_row(name, first + int(np.flatnonzero(shortest)[0]))} has length zero"
            fix = 'leave that row out; normalize(x, zero="keep") leaves it zero'
            raise ZeroVectorError(what, why="a vector without direction has no cosine", fix=fix)
        norms[shortest] = np.inf
    rows /= norms[:, None]
    return rows


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
        what = f"{first} of shape {left.shape} and {second} of shape {right.shape} differ in dimension"
        raise InputError(what, why="only vectors of one dimension compare", fix="encode both with the same model")
    return left, right


def as_float64(x: Array, part: slice, name: Name) -> Float64:
    """A copy of these rows in float64: all finite, all within float32's range."""
    rows = x[part].astype(np.float64)
    if not (rows.min(initial=0.0) >= -LARGEST and rows.max(initial=0.0) <= LARGEST):  # a NaN fails both
        row, column = np.argwhere(~(np.abs(rows) <= LARGEST))[0]
        what = f"{_row(name, part.start + int(row))} holds {rows[row, column]} in column {column}"
        fix = "leave that row out, or encode its text again"
        raise InputError(what, why="vectors must hold finite numbers within the range of float32", fix=fix)
    return rows


def within_float32(scores: Array) -> Array:
    """The scores, none of them beyond what float32 holds."""
    if scores.dtype == np.float64 and max(scores.max(initial=0.0), -scores.min(initial=0.0)) > LARGEST:
        what = f"a score of {scores.flat[np.abs(scores).argmax()]:.3g} exceeds the range of float32"
        fix = "scale the vectors down, or use the cosine"
        raise InputError(what, why="scores are float32, which ends at 3.4e38", fix=fix)
    return scores


def as_float32(scores: Float64) -> Float32:
    """The scores in float32, none of them beyond it."""
    return within_float32(scores).astype(np.float32)


def empty(shape: tuple[int, ...], dtype: type[Any]) -> Array:
    """Room for a result, or an error that says how much it would have taken."""
    try:
        return np.empty(shape, dtype=dtype)
    except (MemoryError, ValueError):  # numpy's words for "too much" and "far too much"
        what = f"a result of shape {shape} takes {prod(shape) * np.dtype(dtype).itemsize / 2**30:,.1f} GiB"
        fix = "use top_k, which keeps only the best, or fewer rows at a time"
        raise TooLargeError(what, why="it does not fit into memory", fix=fix) from None


def rows_per_block(x: Array) -> int:
    """How many rows of `x` make a block."""
    return int(max(1, BLOCK // max(1, x.shape[1])))


def blocks(n: int, step: int) -> list[slice]:
    """The slices that cut n rows into blocks of `step`."""
    if 0 < n <= step:
        return [slice(0, n)]
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def evenly_spaced(n: int, size: int) -> Int64:
    """At most `size` of n rows, evenly over all: int64, rising."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, size)).round().astype(np.int64))


def distinct(items: Iterable[T]) -> tuple[list[T], Int64]:
    """The different items in the order of their first place, and which of them each item is: int64, shape (n,)."""
    listed = list(items)
    different = list(dict.fromkeys(listed))
    if len(different) == len(listed):
        return different, np.arange(len(listed))
    places = dict(zip(different, range(len(different)), strict=True))
    return different, np.fromiter(map(places.__getitem__, listed), np.int64, len(listed))


def connected_components(count: int, links: Iterable[tuple[int, int]]) -> Int64:
    """Which of `count` things hang together by links: int64, shape (count,), the first of each's component.

    >>> connected_components(4, [(0, 2), (2, 3)]).tolist()
    [0, 1, 0, 0]
    """
    first = list(range(count))

    def root(place: int) -> int:
        while first[place] != place:
            first[place] = first[first[place]]
            place = first[place]
        return place

    for one, other in links:
        low, high = sorted((root(int(one)), root(int(other))))
        first[high] = low
    return np.array([root(place) for place in range(count)], np.int64)


def _unit_copies(rows: Array, name: Name, zero: ZeroRow, out: Float32 | None = None) -> Float32:
    """Copies of the rows at unit length; into `out`, which may be the rows themselves."""
    directions = empty(rows.shape, np.float32) if out is None else out
    for part in blocks(len(rows), rows_per_block(rows)):
        directions[part] = scale_to_unit(as_float64(rows, part, name), part.start, name, zero)
    return directions


def _row(name: Name, number: int) -> str:
    """What errors call a row."""
    return f"row {number} of {name}" if isinstance(name, str) else name(number)
