"""The k nearest of each vector among the others, exactly: the graph that clusters and maps are made from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense._forks import computing
from nearsense._machine import cores
from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.mining.sieve import COLUMNS, ROWS, Sieve, sieve_for
from nearsense.mining.units import Units, cosines
from nearsense.types import Neighbours, Precision, parse
from nearsense.vectors.rows import blocks
from nearsense.vectors.topk import TopK

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["nearest"]


def nearest(
    vectors: ArrayLike,
    k: int,
    *,
    threads: int | None = None,
    precision: str | None = None,
    progress: Progress = False,
) -> Neighbours:
    """The k nearest others of each vector by cosine similarity, exactly.

    Args:
        vectors: Shape (n, d).
        k: How many; n - 1 where there are no more.
        threads: As for `mine`.
        precision: As for `mine`.
        progress: True for a bar on stderr, or a function called with (done, total) texts.

    Returns:
        Shape (n, k): rows, best first, ties to the lower row; never the row itself.

    Raises:
        InputError: A value is not finite, or k is below 1.
        ZeroVectorError: A vector has length zero.

    Example:
        >>> nearest([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], 1).ids
        array([[1],
               [0],
               [1]])
    """
    units = Units.of(vectors)
    n, k = len(units.data), min(positive_int(k, "k"), max(len(units.data) - 1, 0))
    if not k:
        return Neighbours(np.empty((n, 0), np.int64), np.empty((n, 0), np.float32), np.zeros(n, np.int64))
    chosen = None if precision is None else parse(Precision, precision, name="precision")
    search = _Search(units, sieve_for(units.data, units.data, chosen), k)
    pool, found = ThreadPoolExecutor(cores() if threads is None else positive_int(threads, "threads")), []
    try:
        with tracked(n, "texts", progress) as update:
            every = list(blocks(n, ROWS))
            for block, own in zip(every, pool.map(search.block, every), strict=True):
                found.append(own)
                update(block.stop)
    finally:
        pool.shutdown(cancel_futures=True)
    return Neighbours(
        *(np.concatenate([getattr(own, name) for own in found]) for name in ("ids", "scores", "counts"))
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    units: Units
    sieve: Sieve
    k: int

    def block(self, block: slice) -> Neighbours:
        """The nearest of some rows. What was found in ever more tiles is what the next have to surpass."""
        data, board = self.units.data, TopK(block.stop - block.start, self.k)
        asked, columns = self.sieve.prepare(data[block]), list(blocks(len(data), COLUMNS))
        own = block.start // COLUMNS
        self._first(board, block, columns[own])
        columns, tiles = columns[:own] + columns[own + 1 :], 1
        while columns:
            now, columns, tiles = columns[:tiles], columns[tiles:], 2 * tiles
            near, floor = [], board.worst
            for column in now:
                i, j = self.sieve.near(asked, column, floor)
                near.append((i, j + column.start))
            i, j = (np.concatenate(side) for side in zip(*near, strict=True))
            self._offer(board, block, i, j)
        return board.neighbours()

    def _first(self, board: TopK, block: slice, column: slice) -> None:
        """All of one tile, of which the best are kept."""
        with computing():
            rough = self.units.data[block] @ self.units.data[column].T
        rough[np.arange(len(rough)), np.arange(block.start, block.stop) - column.start] = -np.inf
        keep = min(self.k, rough.shape[1] - 1)
        kth = np.partition(rough, -keep, axis=1)[:, -keep, None] if keep else np.inf
        i, j = np.divmod(np.flatnonzero(rough >= np.maximum(kth - 1e-5, -2)), rough.shape[1])
        self._offer(board, block, i, j + column.start)

    def _offer(self, board: TopK, block: slice, i: NDArray[np.int64], j: NDArray[np.int64]) -> None:
        scores = cosines(self.units, i + block.start, self.units, j)
        better = scores >= board.worst[i]
        if better.any():
            board.offer(i[better], j[better], scores[better])
