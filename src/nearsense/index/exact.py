"""Every vector is looked at: the truth that the other kinds are measured by. Not for millions in a hurry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.types import Neighbours, Precision
from nearsense.vectors import gemm
from nearsense.vectors.rows import as_rows, blocks
from nearsense.vectors.similarity import paired_dot
from nearsense.vectors.topk import TopK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.index.base import Rows

__all__ = ["ExactIndex", "best_among", "checked"]

ALONE = 4
"""Up to so many queries look at a few rows one by one; more share what is read."""

PIECE = 512
"""Rows fetched at a time where they lie scattered: they stay in a core's cache until they are multiplied."""

SCATTERED = 1 / 3
"""Up to this share of rows it is sooner to fetch those that are allowed than to read all."""

CROWDED = 1 / 50
"""A block of which more than this share passes the bf16 screen is screened in f32, and so are those after it."""


class ExactIndex:
    """The k nearest by looking at all; equal to brute force in float64, in memory that n does not enlarge.

    A product screens each block, in bf16 where that pays; whatever its rounding could have hidden among the best
    is scored again in float64. Safe to use from several threads.

    Args:
        rows: Where the vectors are.

    Example:
        >>> from nearsense.index.base import ArrayRows
        >>> index = ExactIndex(ArrayRows(np.eye(3, dtype=np.float32)))
        >>> index.search(np.array([[0.6, 0.8, 0.0]], np.float32), k=2).ids
        array([[1, 0]])
    """

    kind = "exact"

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def search(
        self, queries: NDArray[np.float32], k: int, *, allowed: NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """The k nearest rows of each query; see `VectorIndex.search`.

        Raises:
            InputError: k < 1, the dimensions differ, or `allowed` is not one bool a row.
        """
        queries, k, allowed = checked(self._rows, queries, k, allowed)
        few = None if allowed is None else np.flatnonzero(allowed)
        if few is not None and len(few) > SCATTERED * len(allowed):  # type: ignore[arg-type]
            few = None
        board = TopK(len(queries), k)
        if few is not None and len(queries) <= ALONE:
            for i, query in enumerate(queries):
                ids, best = best_among(self._rows, query, few, k)
                board.offer(np.full(len(ids), i), ids, best)
        else:
            self._scan(board, queries, k, few, allowed)
        return board.neighbours()

    def save(self, path: Path) -> None:
        """Write nothing: the vectors are all there is."""

    def _scan(
        self,
        board: TopK,
        queries: NDArray[np.float32],
        k: int,
        few: NDArray[np.int64] | None,
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        n, d = self._rows.shape
        precision = gemm.fastest(len(queries), n if few is None else len(few), d)
        step = max(k, gemm.ROWS * min(8, max(1, gemm.QUERIES // max(1, len(queries)))))
        for ids, block in self._blocks(few, step):
            refused = None if allowed is None or few is not None else ~allowed[ids]
            for here in blocks(len(queries), gemm.QUERIES):
                asked = queries[here]
                i, j = _promising(board, here, asked, block, refused, precision)
                if precision is Precision.BF16 and len(i) > len(asked) * (k + CROWDED * len(block)):
                    precision = Precision.F32
                    i, j = _promising(board, here, asked, block, refused, precision)
                for part in blocks(len(i), gemm.ROWS):
                    best = paired_dot(asked[i[part]], block[j[part]])
                    board.offer(i[part] + here.start, ids[j[part]], best)

    def _blocks(
        self, few: NDArray[np.int64] | None, step: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Row numbers and their vectors: all, or only a few."""
        if few is None:
            for part in blocks(self._rows.shape[0], step):
                yield np.arange(part.start, part.stop), self._rows.block(part.start, part.stop)
        else:
            for part in blocks(len(few), step):
                yield few[part], self._rows.take(few[part])


def _promising(
    board: TopK,
    here: slice,
    asked: NDArray[np.float32],
    block: NDArray[np.float32],
    refused: NDArray[np.bool_] | None,
    precision: Precision,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs (query, row of the block) that may belong to the best, whatever the product rounded."""
    slack = np.full(len(asked), gemm.slack(asked.shape[1], precision))

    def decide(rough: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if refused is not None:
            rough[:, refused] = -np.inf
        i, j = board.promising(here, rough, slack)
        if refused is not None:
            real = ~refused[j]
            i, j = i[real], j[real]
        return i, j

    return gemm.decided(asked, block, precision, decide)


def best_among(
    rows: Rows, query: NDArray[np.float32], ids: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k nearest of some rows to one query, exactly.

    Args:
        rows: Where the vectors are.
        query: float32, shape (d,), of unit length.
        ids: The rows to choose from, ascending, none twice.
        k: At least 1.

    Returns:
        Row numbers and scores, best first, ties in the order of the rows; all of `ids` where k is larger.

    Example:
        >>> from nearsense.index.base import ArrayRows
        >>> rows = ArrayRows(np.eye(4, dtype=np.float32))
        >>> best_among(rows, np.array([0.6, 0.8, 0.0, 0.0], np.float32), np.array([0, 2, 3]), k=1)
        (array([0]), array([0.6], dtype=float32))
    """
    rough = np.empty(len(ids), np.float32)
    for part in blocks(len(ids), PIECE):
        rough[part] = np.vecdot(rows.take(ids[part]), query)
    if len(ids) > k:
        floor = np.partition(rough, -k)[-k] - np.float32(2 * gemm.slack(len(query), Precision.F32))
        ids = ids[rough >= floor]
    best = np.concatenate([_alone(query, rows.take(ids[part])) for part in blocks(len(ids), gemm.ROWS)] or [rough])
    order = np.lexsort((ids, -best))[:k]
    return ids[order], best[order]


def checked(
    rows: Rows, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], int, NDArray[np.bool_] | None]:
    """What a search was asked, fit for these rows.

    Args:
        rows: Where the vectors are.
        queries: Should be of shape (q, d), finite.
        k: Should be at least 1.
        allowed: Should be bool of shape (n,), or None.

    Returns:
        The same; None for an `allowed` that lets all pass.

    Raises:
        InputError: One of them does not fit.

    Example:
        >>> from nearsense.index.base import ArrayRows
        >>> rows = ArrayRows(np.eye(2, dtype=np.float32))
        >>> checked(rows, np.eye(2, dtype=np.float32), 1, np.array([True, True]))[2] is None
        True
    """
    n, d = rows.shape
    asked = np.ascontiguousarray(as_rows(queries, "queries"), dtype=np.float32)
    if asked.shape[1] != d:
        raise InputError(
            f"queries of dimension {asked.shape[1]}, an index of dimension {d}",
            why="only vectors of one dimension compare",
            fix="encode both with the same model",
        )
    if not np.isfinite(asked).all():
        raise InputError("a query holds a value that is not finite", fix="encode its text again")
    if allowed is not None and (allowed.shape != (n,) or allowed.dtype != np.bool_):
        raise InputError(f"allowed must be bool of shape ({n},), got {allowed.dtype} of shape {allowed.shape}")
    return asked, positive_int(k, "k"), None if allowed is None or bool(allowed.all()) else allowed


def _alone(query: NDArray[np.float32], some: NDArray[np.float32]) -> NDArray[np.float32]:
    return paired_dot(np.broadcast_to(query, some.shape), some)
