"""An order of vectors by what they hold, so that no result depends on how rows were sorted. Not a ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Distinct", "canonical", "checked", "distinct"]


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """The m different rows among n, in canonical order.

    Args:
        rows: float32, shape (m, d): every row once.
        counts: int64, shape (m,): how often each was there.
        places: int64, shape (n,): which of them each given row is.
    """

    rows: NDArray[np.float32]
    counts: NDArray[np.int64]
    places: NDArray[np.int64]


def checked(vectors: ArrayLike) -> NDArray[np.float32]:
    """Rows that can be grouped: float32, two-dimensional, finite.

    Args:
        vectors: Shape (n, d), of unit length; that is the caller's word.

    Raises:
        InputError: It is no table of numbers, or a value is not finite.

    Example:
        >>> checked([[1, 0]]).dtype
        dtype('float32')
    """
    rows = np.ascontiguousarray(vectors, np.float32)
    if rows.ndim != 2 or (len(rows) and not rows.shape[1]):
        raise InputError(f"vectors of shape {rows.shape}", why="a row for each text is expected: (n, d)")
    if not np.isfinite(rows).all():
        row = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise InputError(f"row {row} of the vectors holds a value that is not finite", fix="leave that row out")
    return rows + np.float32(0)  # -0.0 and 0.0 are one number, and shall be one byte pattern


def canonical(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Where each row goes in an order that only the rows' contents decide; equal rows end up together.

    Rows go by their first number, and only where that is the same by their bytes: another processor or precision,
    which changes the last digits of all numbers, changes the places of hardly any row.

    Args:
        rows: What `checked` gave, shape (n, d).

    Returns:
        int64, shape (n,): `rows[canonical(rows)]` is the same for every order of the same rows.

    Example:
        >>> rows = checked([[0.6, 0.8], [1.0, 0.0], [0.6, 0.8]])
        >>> bool((rows[canonical(rows)] == rows[::-1][canonical(rows[::-1].copy())]).all())
        True
    """
    if not rows.size:
        return np.arange(len(rows))
    order = np.argsort(_whole(rows), kind="stable")
    return order[np.argsort(rows[order, 0], kind="stable")].astype(np.int64)


def distinct(rows: NDArray[np.float32]) -> Distinct:
    """Every different row once, in canonical order.

    Args:
        rows: What `checked` gave, shape (n, d).

    Example:
        >>> distinct(checked([[0.6, 0.8], [1.0, 0.0], [0.6, 0.8]])).counts.sum()
        np.int64(3)
    """
    order = canonical(rows)
    whole = _whole(rows)[order]
    new = np.ones(len(rows), bool)
    new[1:] = whole[1:] != whole[:-1]
    group = np.cumsum(new) - 1
    places = np.empty(len(rows), np.int64)
    places[order] = group
    return Distinct(rows[order[new]], np.bincount(group).astype(np.int64), places)


def _whole(rows: NDArray[np.float32]) -> NDArray[np.void]:
    """Each row as one value, compared byte by byte."""
    if not rows.size:
        return np.zeros(len(rows), np.dtype((np.void, 1)))
    return rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
