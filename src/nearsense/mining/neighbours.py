"""The k nearest of each vector, exactly, for clusters and maps; and most near pairs of millions of vectors."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense._forks import computing
from nearsense._machine import cores
from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int, score
from nearsense.index import kmeans
from nearsense.mining.pairs import COLUMNS, ROWS, NearPairs, Sieve, Units, candidates, cosines, sides, sieve_for
from nearsense.records import Neighbours, Precision, parse
from nearsense.vectors import gemm
from nearsense.vectors.rows import blocks, evenly_spaced, normalize
from nearsense.vectors.similarity import TopK, top_k

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PROBES = 4
"""Lists that each row is compared with, of its own side or the other."""

LEARNT = 32
"""Vectors a list that the lists are learnt from."""

BLOCK = 2048
"""Rows compared with a list at once."""

SAMPLE = 512
"""Rows whose pairs are looked for exactly too."""


def nearest(
    vectors: ArrayLike,
    k: int,
    *,
    threads: int | None = None,
    precision: str | None = None,
    progress: Progress = False,
) -> Neighbours:
    """The k nearest others of each vector (n - 1 where there are no more) by cosine similarity, exactly.

    Other arguments and errors are those of `mine`; `progress` counts texts. Shape (n, k): rows, best first, ties
    to the lower row, never the row itself.

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
                found.append((own.ids, own.scores, own.counts))
                update(block.stop)
    finally:
        pool.shutdown(cancel_futures=True)
    return Neighbours(*map(np.concatenate, zip(*found, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """The k nearest by a sieve whose rows and columns are the same vectors."""

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


def mine_approximately(
    vectors: ArrayLike, min_score: float, *, against: ArrayLike | None = None, progress: Progress = False
) -> NearPairs:
    """Most pairs of vectors whose cosine similarity is at least `min_score`.

    Vectors are put into lists by place (k-means), and each is compared with those of the nearest lists only. The
    scores are exact. It pays for millions of vectors: below, `mine` takes minutes and misses nothing. `recall` of
    the result is the share of the pairs of 512 rows, found exactly, that is among them. Arguments and errors are
    those of `mine`; `progress` counts lists.

    Example:
        >>> mine_approximately([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], 0.7).recall
        1.0
    """
    floor = score(min_score)
    rows, columns = sides(vectors, against)
    lists = max(1, round(math.sqrt(len(columns.data))))
    left, right = _near(rows, columns, _centroids(columns.data, lists), floor, progress)
    if columns is rows:  # each pair once, the lower row on the left, no row with itself
        n, low, high = len(rows.data), np.minimum(left, right), np.maximum(left, right)
        pairs = np.unique(low[low != high] * n + high[low != high])
        left, right = pairs // max(n, 1), pairs % max(n, 1)
    scores = cosines(rows, left, columns, right)
    order = np.lexsort((right, left, -scores))[: np.count_nonzero(scores >= np.float32(floor))]
    left, right, scores = left[order], right[order], scores[order]
    return NearPairs(left, right, scores, floor, _recall(rows, columns, left, right, floor))


def _centroids(data: NDArray[np.float32], lists: int) -> NDArray[np.float32]:
    """What the lists lie around."""
    some = data[:: max(1, len(data) // (LEARNT * lists))]
    if not len(some):
        return np.empty((0, data.shape[1]), np.float32)
    groups = kmeans(np.ascontiguousarray(some), min(lists, len(some)))
    sums = np.zeros((int(groups.max()) + 1, data.shape[1]))
    np.add.at(sums, groups, some)
    return normalize(sums[np.abs(sums).max(axis=1) > 0])


def _near(
    rows: Units, columns: Units, centroids: NDArray[np.float32], floor: float, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Candidates: rows and the columns of their lists that may be near enough."""
    lefts, rights = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    if not len(centroids) or not len(rows.data):
        return lefts[0], rights[0]
    probed = top_k(rows.data, centroids, min(PROBES, len(centroids))).ids
    home = probed[:, 0] if columns is rows else top_k(columns.data, centroids, 1).ids[:, 0]
    asking, members = _by_list(probed.ravel(), len(centroids)), _by_list(home, len(centroids))
    level = floor - gemm.slack(rows.data.shape[1], Precision.F32)
    with tracked(len(centroids), "lists", progress) as update:
        for number, (who, own) in enumerate(zip(asking, members, strict=True), 1):
            block = columns.data[own]
            for part in blocks(len(who), BLOCK):
                asked = who[part] // probed.shape[1]
                i, j = np.nonzero(rows.data[asked] @ block.T >= level)
                lefts.append(asked[i])
                rights.append(own[j])
            update(number)
    return np.concatenate(lefts), np.concatenate(rights)


def _by_list(lists: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """The positions of each list's members."""
    return np.split(np.argsort(lists, kind="stable"), np.cumsum(np.bincount(lists, minlength=count))[:-1])


def _recall(rows: Units, columns: Units, left: NDArray[np.int64], right: NDArray[np.int64], floor: float) -> float:
    """The share of all pairs of some rows that was found."""
    n = len(columns.data)
    sieve, truth = sieve_for(columns.data, rows.data), [np.empty(0, np.int64)]
    for i, j in candidates(sieve, rows.data, evenly_spaced(len(rows.data), SAMPLE), n, floor):
        near = (cosines(rows, i, columns, j) >= np.float32(floor)) & ((i != j) | (columns is not rows))
        truth.append(i[near] * n + j[near])
    wanted, known = np.concatenate(truth), left * n + right
    if columns is rows:
        known = np.concatenate([known, right * n + left])
    return float(np.isin(wanted, known).mean()) if len(wanted) else 1.0
