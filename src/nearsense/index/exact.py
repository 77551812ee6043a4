"""What every index can do, and the one that looks at every vector: the truth that the others are measured by."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from nearsense._forks import lock
from nearsense._machine import cores, free_memory
from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.records import Neighbours, Precision
from nearsense.vectors import gemm, whole
from nearsense.vectors.rows import as_rows, blocks
from nearsense.vectors.similarity import TopK, paired_dot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32: TypeAlias = NDArray[np.float32]
    Ints: TypeAlias = NDArray[np.int64]
    Mask: TypeAlias = NDArray[np.bool_]

ALONE = 4
"""Up to so many queries look at a few rows one by one; more share what is read."""

PIECE = 512
"""Rows fetched at a time where they lie scattered: they stay in a core's cache until they are multiplied."""

SCATTERED = 1 / 3
"""Up to this share of rows it is sooner to fetch those that are allowed than to read all."""

CROWDED = 1 / 50
"""A block of which more than this share passes the bf16 screen is screened in f32, and so are those after it."""

LARGE = 2**24
"""From so many numbers on rows are rounded to int8 for those who ask again and again: 10 ms of f32 for a query."""

OFTEN = 16
"""Who has asked so many queries before is likely to ask more."""

LONGEST = 256
"""Up to so many neighbours: more than that are best found in f32."""

ROUNDED, SCORES = 2**15, 2**19
"""Rows that are rounded by one step; scores of a tile, 2 MiB."""

TOGETHER = 4
"""Tiles whose pairs are looked at together, once the best of many rows are known."""

FULL = 1 / 8
"""From this share of a tile on a product in f32 is sooner made than those that pass are looked at one by one."""

FIRST = 256
"""Rows of the first tile, of which all are ranked; the best of them are what those of the next have to reach."""


class Rows(Protocol):
    """Where an index reads the n vectors from; whoever keeps them on a disk checks them as they are read."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        ...  # pragma: no cover

    def take(self, rows: Ints) -> Float32:
        """Some vectors, shape (len(rows), d)."""
        ...  # pragma: no cover

    def block(self, start: int, stop: int) -> Float32:
        """The vectors of rows start to stop, shape (stop - start, d); not copied where that can be avoided."""
        ...  # pragma: no cover


class ArrayRows:
    """Vectors in memory: float32, shape (n, d), rows of unit length."""

    def __init__(self, data: Float32) -> None:
        self._data = data

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self._data.shape[0], self._data.shape[1]

    def take(self, rows: Ints) -> Float32:
        """Some vectors."""
        return self._data[rows]

    def block(self, start: int, stop: int) -> Float32:
        """The vectors of rows start to stop."""
        return self._data[start:stop]


class VectorIndex(Protocol):
    """n vectors of unit length, ready to be asked for the nearest. Scores are cosine similarities."""

    kind: str
    exact: ExactIndex
    """The same rows, all looked at."""

    def search(self, queries: Float32, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """The k nearest rows of each query (float32, shape (q, d), unit length), best first, ties in their order.

        `allowed`, bool, shape (n,), names the only rows that may be found; where k of them exist, k are found.
        """
        ...  # pragma: no cover

    def save(self, path: Path) -> None:
        """Write what cannot be made from the vectors at once; nothing for an index without such a thing."""
        ...  # pragma: no cover


class ExactIndex:
    """The k nearest by looking at all; equal to brute force in float64, in memory that n does not enlarge.

    A product screens each block, in bf16 where that pays, and in whole numbers once many have asked, which take a
    quarter of the vectors' bytes in memory. Whatever its rounding could have hidden among the best is scored again
    in float64. Safe to use from several threads.
    """

    kind = "exact"

    def __init__(self, rows: Rows) -> None:
        self._rows, self.exact = rows, self
        self._asked, self._lock = 0, lock()
        self._codes: _Codes | None = None

    def search(self, queries: Float32, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """See `VectorIndex.search`."""
        queries, k, allowed = check_search(self._rows, queries, k, allowed)
        few = None if allowed is None else np.flatnonzero(allowed)
        if few is not None and len(few) > SCATTERED * len(allowed):  # type: ignore[arg-type]
            few = None
        if few is None and (codes := self._rounded(len(queries), k)) is not None:
            return codes.search(queries, k, allowed)
        board = TopK(len(queries), k)
        if few is None or len(queries) > ALONE:
            self._scan(board, queries, k, few, allowed)
            return board.neighbours()
        for i, query in enumerate(queries):
            ids, best = best_among(self._rows, query, few, k)
            board.offer(np.full(len(ids), i), ids, best)
        return board.neighbours()

    def save(self, path: Path) -> None:
        """Write nothing: the vectors are all there is."""

    def rounds(self, k: int) -> bool:
        """Whether the k nearest are screened in whole numbers here, once many have asked."""
        n, d = self._rows.shape
        return n * d >= LARGE and k <= LONGEST and whole.is_here()

    def _rounded(self, queries: int, k: int) -> _Codes | None:
        """The rows in int8, where that pays by now; None for rows that are screened as they lie."""
        if not self.rounds(k):
            return None
        n, d = self._rows.shape
        with self._lock:
            if self._codes is None and self._asked >= OFTEN and 4 * n * d < free_memory():
                self._codes = _Codes(self._rows)
            self._asked += queries  # of calls before: who asks once, however much, does not ask often
            return self._codes

    def _scan(self, board: TopK, queries: Float32, k: int, few: Ints | None, allowed: Mask | None) -> None:
        n, d = self._rows.shape
        precision = gemm.fastest(len(queries), n if few is None else len(few), d)
        step = max(k, gemm.ROWS * min(8, max(1, gemm.QUERIES // max(1, len(queries)))))
        for part in blocks(n if few is None else len(few), step):
            ids = np.arange(part.start, part.stop) if few is None else few[part]
            block = self._rows.block(part.start, part.stop) if few is None else self._rows.take(ids)
            refused = None if allowed is None or few is not None else ~allowed[ids]
            for here in blocks(len(queries), gemm.QUERIES):
                asked = queries[here]
                i, j = _promising_pairs(board, here, asked, block, refused, precision)
                if precision is Precision.BF16 and len(i) > len(asked) * (k + CROWDED * len(block)):
                    precision = Precision.F32
                    i, j = _promising_pairs(board, here, asked, block, refused, precision)
                for own in blocks(len(i), gemm.ROWS):
                    best = paired_dot(asked[i[own]], block[j[own]])
                    board.offer(i[own] + here.start, ids[j[own]], best)


class _Codes:
    """All rows in int8, by one step for ROUNDED of them, and how far these were moved at most."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self._products = rows, whole.Products(SCORES)
        self._numbers = np.empty(rows.shape, np.int8)
        self._parts = blocks(len(self._numbers), ROUNDED)
        with ThreadPoolExecutor(cores()) as pool:
            self._steps, self._moved = np.array(list(pool.map(self._round, self._parts))).T

    def _round(self, part: slice) -> tuple[float, float]:
        step, moved = whole.step_for(self._rows.block(part.start, part.stop)), 0.0
        for own in blocks(part.stop - part.start, gemm.ROWS // 4):
            here = slice(part.start + own.start, part.start + own.stop)
            self._numbers[here], far = whole.rounded(self._rows.block(here.start, here.stop), step)
            moved = max(moved, float(far.max()))
        return step, moved

    def search(self, queries: Float32, k: int, allowed: Mask | None) -> Neighbours:
        """See `VectorIndex.search`: each thread looks at its part of all rows, and the best of all parts count."""
        board = TopK(len(queries), k)
        for here in blocks(len(queries), gemm.QUERIES):
            asked = queries[here]
            steps = np.maximum(np.abs(asked).max(axis=1), 1e-30) / whole.LEVELS
            numbers, moved = whole.rounded(asked, steps[:, None])
            off = gemm.slack(asked.shape[1], Precision.F32)
            ask = _Asked(asked, steps.astype(np.float64), moved, self._products.pack(numbers), k, allowed, off)
            share = -(-len(self._parts) // cores())
            shares = [range(own.start, own.stop) for own in blocks(len(self._parts), share)]
            with ThreadPoolExecutor(len(shares)) as pool:  # of its own: threads do not come along into a fork
                found = list(pool.map(self._best_of, [ask] * len(shares), shares))
            i, j, rough = (np.concatenate(each) for each in zip(*found, strict=True))
            best = TopK(len(asked), k)
            best.offer(i, j, rough)
            near = np.flatnonzero(rough >= (best.worst - 2 * ask.slack)[i])
            for some in blocks(len(near), PIECE):
                i_, j_ = i[near[some]], j[near[some]]
                board.offer(i_ + here.start, j_, paired_dot(asked[i_], self._rows.take(j_)))
        return board.neighbours()

    def _best_of(self, ask: _Asked, parts: range) -> tuple[Ints, Ints, Float32]:
        """Of some parts the pairs (query, row) that may belong to the k best, and their scores in float32."""
        board, kept = TopK(len(ask.queries), ask.k), []
        most = max(1, SCORES // len(ask.queries))
        size = min(most, max(FIRST, 4 * ask.k))
        waiting: list[tuple[Ints, Ints]] = []
        for number in parts:
            part, unit = self._parts[number], self._steps[number] * ask.steps
            slack, stop = whole.slack(ask.moved, self._moved[number]) + 2 * ask.slack, part.start
            while stop < part.stop:
                tile = slice(stop, min(stop + size, part.stop))
                scores = self._products.of(self._numbers[tile], ask.packed, len(ask.queries))
                refused = None if ask.allowed is None else ~ask.allowed[tile]
                j, i = _reaching(scores, board.worst, slack, unit, ask.k, refused)
                if len(i) > len(ask.queries) * (2 * ask.k + FULL * len(scores)):
                    every, block = slice(0, len(ask.queries)), self._rows.block(tile.start, tile.stop)
                    i, j = _promising_pairs(board, every, ask.queries, block, refused, Precision.F32, 2)
                waiting.append((i, j + (tile.start - part.start)))
                stop, growing = tile.stop, size < most
                if growing or len(waiting) == TOGETHER or stop == part.stop:
                    i, j = (np.concatenate(side) for side in zip(*waiting, strict=True))
                    i, j, rough = _scored(ask, self._rows.block(part.start, stop), i, j, board.worst)
                    board.offer(i, j + part.start, rough)
                    kept.append((i, j + part.start, rough))
                    waiting.clear()
                size = min(most, 2 * size)
        i, j, rough = (np.concatenate(each) for each in zip(*kept, strict=True))
        near = rough >= (board.worst - 2 * ask.slack)[i]
        return i[near], j[near], rough[near]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Queries as they are, by which step each was rounded and how far moved, and their numbers, packed.

    `slack` is how far a score in float32 may be off.
    """

    queries: Float32
    steps: NDArray[np.float64]
    moved: NDArray[np.float64]
    packed: Any
    k: int
    allowed: Mask | None
    slack: float


def _scored(
    ask: _Asked, block: Float32, i: Ints, j: Ints, worst: NDArray[np.float64]
) -> tuple[Ints, Ints, Float32]:
    """Those of the pairs that may reach the worst of the best of their query, with their scores in float32."""
    rough = np.empty(len(i), np.float32)
    for some in blocks(len(i), PIECE):
        rough[some] = np.vecdot(ask.queries.take(i[some], axis=0), block.take(j[some], axis=0))
    near = rough >= (worst - 2 * ask.slack)[i]
    return i[near], j[near], rough[near]


def _reaching(
    scores: NDArray[np.int32],
    worst: NDArray[np.float64],
    slack: NDArray[np.float64],
    unit: NDArray[np.float64],
    k: int,
    refused: Mask | None,
) -> tuple[Ints, Ints]:
    """Positions (row, query) in a tile, shape (m, q), that may belong to the k best of their query."""
    if refused is not None:
        scores[refused] = np.iinfo(np.int32).min
    level = whole.level(worst - slack, unit)
    if len(scores) > k and not np.isfinite(worst).all():
        kth = np.partition(scores, -k, axis=0)[-k]
        level = np.maximum(level, whole.level(kth * unit - 2 * slack, unit))
    level = np.maximum(level, np.iinfo(np.int32).min + 1)  # which no row has but those that are refused
    return np.divmod(np.flatnonzero(scores >= level), scores.shape[1])


def _promising_pairs(
    board: TopK,
    here: slice,
    asked: Float32,
    block: Float32,
    refused: Mask | None,
    precision: Precision,
    times: int = 1,
) -> tuple[Ints, Ints]:
    """The pairs (query, row of the block) that may belong to the best, whatever the product rounded.

    The board's own scores were rounded as well where the bound is to count `times` 2.
    """
    slack = np.full(len(asked), times * gemm.slack(asked.shape[1], precision))

    def decide(rough: Float32) -> tuple[Ints, Ints]:
        if refused is not None:
            rough[:, refused] = -np.inf
        i, j = board.promising(here, rough, slack)
        if refused is not None:
            real = ~refused[j]
            i, j = i[real], j[real]
        return i, j

    return gemm.decide_block(asked, block, precision, decide)


def best_among(rows: Rows, query: Float32, ids: Ints, k: int) -> tuple[Ints, Float32]:
    """The k nearest to one query of some rows (ascending, none twice), exactly: numbers and scores, best first."""
    rough = np.empty(len(ids), np.float32)
    for part in blocks(len(ids), PIECE):
        rough[part] = np.vecdot(rows.take(ids[part]), query)
    if len(ids) > k:
        floor = np.partition(rough, -k)[-k] - np.float32(2 * gemm.slack(len(query), Precision.F32))
        ids = ids[rough >= floor]
    best = np.empty(len(ids), np.float32)
    for part in blocks(len(ids), gemm.ROWS):
        some = rows.take(ids[part])
        best[part] = paired_dot(np.broadcast_to(query, some.shape), some)
    order = np.lexsort((ids, -best))[:k]
    return ids[order], best[order]


def check_search(rows: Rows, queries: Float32, k: int, allowed: Mask | None) -> tuple[Float32, int, Mask | None]:
    """What a search was asked, fit for these rows; None for an `allowed` that lets all pass."""
    n, d = rows.shape
    asked = np.ascontiguousarray(as_rows(queries, "queries"), dtype=np.float32)
    if asked.shape[1] != d:
        what = f"queries of dimension {asked.shape[1]}, an index of dimension {d}"
        raise InputError(what, why="only vectors of one dimension compare", fix="encode both with the same model")
    if not np.isfinite(asked).all():
        raise InputError("a query holds a value that is not finite", fix="encode its text again")
    if allowed is not None and (allowed.shape != (n,) or allowed.dtype != np.bool_):
        raise InputError(f"allowed must be bool of shape ({n},), got {allowed.dtype} of shape {allowed.shape}")
    return asked, positive_int(k, "k"), None if allowed is None or bool(allowed.all()) else allowed
