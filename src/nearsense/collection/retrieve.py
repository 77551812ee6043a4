"""A snapshot and a question: the nearest by meaning, by words, or both. Positions and scores, no documents yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.collection.snapshot import Snapshot
from nearsense.filters import Filter
from nearsense.lexical import bm25, reciprocal_rank_fusion
from nearsense.records import Mode
from nearsense.ties import SLACK, order_ties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.index import Rows, VectorIndex
    from nearsense.ties import Best

__all__ = ["DEPTH", "Asked", "Ranked", "ranked"]

DEPTH = 100
"""How far down both rankings are read before they are fused; ten times k where that is more."""

ROUNDING = 1e-6
"""How far apart sums of the same numbers may be, as a part of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is looked for, and where.

    Args:
        texts: q queries.
        vectors: float32, shape (q, d), unit length; None where only words count.
        k: How many are wanted.
        where: Only documents that this filter lets pass.
        exact: Compare with every vector instead of asking the index.
        written: The texts at some positions.
    """

    texts: Sequence[str]
    vectors: NDArray[np.float32] | None
    k: int
    where: Filter | None
    exact: bool
    written: Callable[[NDArray[np.int64]], Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Positions, best first, and their scores.

    Args:
        positions: int64, shape (m,).
        scores: float, shape (m,).
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.floating]

    def at_least(self, score: float | None) -> Ranked:
        """Without what scores less."""
        if score is None:
            return self
        kept = self.scores >= score
        return Ranked(self.positions[kept], self.scores[kept])


def ranked(snapshot: Snapshot, asked: Asked, mode: Mode) -> list[Ranked]:
    """The k best documents of each query; of those that score alike the one that is written like the query."""
    return _MODES[mode](snapshot, asked, asked.k)


def _dense(snapshot: Snapshot, asked: Asked, k: int) -> list[Ranked]:
    """By cosine similarity."""
    from nearsense.index import ExactIndex

    every = asked.vectors
    if every is None:
        return []
    frozen, (allowed, tail_allowed) = snapshot.frozen, snapshot.allowed(asked.where)

    def ask(which: NDArray[np.int64], depth: int) -> list[Best]:
        queries, parts = every[which], []
        if frozen is not None and len(frozen):
            index = ExactIndex(frozen.rows) if asked.exact else frozen.index
            parts.append(_nearest(index, frozen.rows, frozen.positions, queries, depth, allowed))
        if snapshot.count:
            rows, positions = snapshot.tail.rows(snapshot.count), snapshot.tail.positions(snapshot.count)
            parts.append(_nearest(ExactIndex(rows), rows, positions, queries, depth, tail_allowed))
        return [_best([part[row] for part in parts], depth) for row in range(len(queries))]

    return _settled(snapshot, asked, k, ask, SLACK)


def _lexical(snapshot: Snapshot, asked: Asked, k: int) -> list[Ranked]:
    """By the words they share with the query: BM25."""
    allowed = snapshot.mask(asked.where) if asked.where is not None else None
    positions = snapshot.rows()

    def ask(which: NDArray[np.int64], depth: int) -> list[Best]:
        answers = []
        for row in which.tolist():
            found = bm25(asked.texts[row], snapshot.segments, depth, allowed=allowed)
            count = int(found.counts[0])
            answers.append((positions[found.ids[0, :count]], found.scores[0, :count]))
        return answers

    return _settled(snapshot, asked, k, ask, ROUNDING)


def _hybrid(snapshot: Snapshot, asked: Asked, k: int) -> list[Ranked]:
    """By their places in both rankings."""
    depth = min(max(DEPTH, 10 * k), max(snapshot.state.documents, 1))
    sides = list(zip(_dense(snapshot, asked, depth), _lexical(snapshot, asked, depth), strict=True))

    def ask(which: NDArray[np.int64], size: int) -> list[Best]:
        return [reciprocal_rank_fusion([side.positions for side in sides[row]], size) for row in which.tolist()]

    return _settled(snapshot, asked, k, ask, ROUNDING)


def _settled(
    snapshot: Snapshot,
    asked: Asked,
    k: int,
    ask: Callable[[NDArray[np.int64], int], list[Best]],
    slack: float,
) -> list[Ranked]:
    n = max(snapshot.state.documents, 1)
    return [Ranked(*best) for best in order_ties(asked.texts, k, n, ask, asked.written, slack=slack)]


_MODES: dict[Mode, Callable[[Snapshot, Asked, int], list[Ranked]]] = {
    Mode.DENSE: _dense,
    Mode.LEXICAL: _lexical,
    Mode.HYBRID: _hybrid,
}


def _nearest(
    index: VectorIndex,
    rows: Rows,
    positions: NDArray[np.int64],
    queries: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None,
) -> list[Best]:
    """The answers of one part, their scores computed anew in one way for all parts and kinds of index."""
    found = index.search(queries, k, allowed=allowed)
    answers = []
    for query, ids, count in zip(queries, found.ids, found.counts.tolist(), strict=True):
        vectors = rows.take(ids[:count])
        scores = (vectors.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
        answers.append((positions[ids[:count]], scores))
    return answers


def _best(parts: list[Best], k: int) -> Best:
    """The k best of several answers; ties in the order of positions."""
    positions = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    scores = np.concatenate([np.empty(0, np.float32), *(part[1] for part in parts)])
    order = np.lexsort((positions, -scores))[:k]
    return positions[order], scores[order]
