"""What every index can do, and the one that looks at every vector: the truth that the others are measured by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.records import Neighbours, Precision
from nearsense.vectors import gemm
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

    A product screens each block, in bf16 where that pays; whatever its rounding could have hidden among the best
    is scored again in float64. Safe to use from several threads.
    """

    kind = "exact"

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def search(self, queries: Float32, k: int, *, allowed: Mask | None = None) -> Neighbours:
        """See `VectorIndex.search`."""
        queries, k, allowed = check_search(self._rows, queries, k, allowed)
        few = None if allowed is None else np.flatnonzero(allowed)
        if few is not None and len(few) > SCATTERED * len(allowed):  # type: ignore[arg-type]
            few = None
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


def _promising_pairs(
    board: TopK, here: slice, asked: Float32, block: Float32, refused: Mask | None, precision: Precision
) -> tuple[Ints, Ints]:
    """The pairs (query, row of the block) that may belong to the best, whatever the product rounded."""
    slack = np.full(len(asked), gemm.slack(asked.shape[1], precision))

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
