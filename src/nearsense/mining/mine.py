"""All pairs of vectors at or above a score, exactly: tiles of products, sieved, and what passes scored in full."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearsense import checks
from nearsense._machine import cores
from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.mining.budget import Budget
from nearsense.mining.kept import job_of, keeping
from nearsense.mining.mined import Mined
from nearsense.mining.sieve import COLUMNS, ROWS, Sieve, sieve_for
from nearsense.mining.units import Units, cosines
from nearsense.types import Precision, parse
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.mining.kept import Columns

__all__ = ["mine", "sides"]

STRIPE = COLUMNS
"""Rows that are finished together: a resumed run goes on at the next."""

MILLION = 10**6


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
    floor, threads = checks.score(min_score), cores() if threads is None else positive_int(threads, "threads")
    rows, columns = sides(vectors, against)
    budget = Budget.of(len(columns.data), columns.data.shape[1], max_memory)
    chosen = None if precision is None else parse(Precision, precision, name="precision")
    sieve = sieve_for(columns.data, rows.data, chosen)
    budget.require(sieve, rows.data, columns.data, floor)
    job = job_of(rows.data, b"" if columns is rows else columns.data, floor) if resume else b""
    with keeping(Path(resume) if resume else None, job) as kept:
        for found in _Tiles(rows, columns, sieve, floor).stripes(kept.done, threads, progress):
            kept.add(found)
            budget.count(kept.pairs)
        left, right, scores = kept.all()
    order = np.lexsort((right, left, -scores))
    return Mined(left[order].astype(np.int64), right[order].astype(np.int64), scores[order], floor)


def sides(vectors: ArrayLike, against: ArrayLike | None) -> tuple[Units, Units]:
    """Both sides of unit length: the same object twice where they are compared with each other.

    Raises:
        InputError: See `mine`.
        ZeroVectorError: See `mine`.
    """
    rows = Units.of(vectors)
    columns = rows if against is None else Units.of(against, "against")
    if rows.data.shape[1] != columns.data.shape[1]:
        raise InputError(
            f"vectors of dimension {rows.data.shape[1]} and {columns.data.shape[1]} do not compare",
            fix="encode both with the same model",
        )
    return rows, columns


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
