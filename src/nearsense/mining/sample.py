"""The pairs of some rows: how many there will be in all, and what share of them another way finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nearsense.mining.sieve import COLUMNS, ROWS, Sieve
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["candidates", "spread"]


def spread(n: int, size: int) -> NDArray[np.int64]:
    """At most `size` of n rows, evenly over all: int64, rising."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, size)).astype(np.int64))


def candidates(
    sieve: Sieve, rows: NDArray[np.float32], chosen: NDArray[np.int64], columns: int, floor: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows and columns that may score `floor`, a tile at a time.

    Args:
        sieve: Of the columns.
        rows: float32, shape (n, d).
        chosen: Those of the rows that are looked at.
        columns: How many columns there are.
        floor: The score.
    """
    for part in blocks(len(chosen), ROWS):
        asked = sieve.prepare(rows[chosen[part]])
        for column in blocks(columns, COLUMNS):
            i, j = sieve.near(asked, column, floor)
            yield chosen[part][i], j + column.start
