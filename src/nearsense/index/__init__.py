"""Vectors to neighbours: the one place that picks a kind of index. Not where vectors are kept: see `Rows`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nearsense.checks import positive_int
from nearsense.errors import InputError
from nearsense.index import faiss as _faiss
from nearsense.index.exact import ArrayRows, ExactIndex, Rows, VectorIndex
from nearsense.index.faiss import kmeans
from nearsense.records import parse
from nearsense.vectors.similarity import paired_dot

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ArrayRows",
    "Choice",
    "ExactIndex",
    "Kind",
    "Rows",
    "VectorIndex",
    "build",
    "choose",
    "kmeans",
    "open_index",
    "parse_kind",
    "recall",
    "write_faiss",
]


class Kind(StrEnum):
    """How neighbours are looked for. `choose` knows which fits."""

    EXACT = "exact"
    """Look at every vector; nothing is built."""
    FLAT_IP = "flat-ip"
    """faiss looks at every vector, by inner product."""
    FLAT_L2 = "flat-l2"
    """faiss looks at every vector, by distance."""
    IVF_FLAT = "ivf-flat"
    """Vectors in lists by place; the nearest lists are looked at."""
    HNSW = "hnsw"
    """A graph of neighbours is walked: much memory, long to build."""
    IVF_PQ = "ivf-pq"
    """Lists of short codes."""
    PQ_FAST = "pq-fast"
    """All are compared by 4-bit codes at the speed of memory; the best are looked at."""
    IVF_PQ_FAST = "ivf-pq-fast"
    """The same, in lists, of which the nearest are compared."""


FEW, MANY = 20_000, 3_000_000
"""Below FEW looking at all takes under 2 ms; beyond MANY comparing all codes takes over 10 ms."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of index, and the reason for it in one plain sentence."""

    kind: Kind
    why: str


def choose(n: int, dimension: int) -> Choice:
    """The kind of index for n vectors.

    Example:
        >>> choose(1000, 384).why
        '1,000 vectors of dimension 384: looking at every one takes a moment, and nothing is missed.'
        >>> choose(1_000_000, 384).kind
        <Kind.PQ_FAST: 'pq-fast'>
    """
    given = f"{n:,} vectors of dimension {dimension}"
    if n * dimension <= FEW * 384:
        return Choice(Kind.EXACT, f"{given}: looking at every one takes a moment, and nothing is missed.")
    kind, codes = (Kind.PQ_FAST, "short codes") if n <= MANY else (Kind.IVF_PQ_FAST, "short codes in lists")
    return Choice(kind, f"{given}: {codes} find candidates, which are then compared in full.")


def parse_kind(name: str) -> Kind:
    """A user's word for a kind of index."""
    return parse(Kind, name, name="index")


def build(kind: str, rows: Rows, *, seed: int = 0) -> VectorIndex:
    """Make an index of all rows, which have unit length and are read a block at a time; it goes on reading them.

    Example:
        >>> index = build("exact", ArrayRows(np.eye(3, dtype=np.float32)))
        >>> index.search(np.array([[0.0, 0.6, 0.8]], np.float32), k=2).scores
        array([[0.8, 0.6]], dtype=float32)
    """
    chosen = parse_kind(kind)
    if chosen is Kind.EXACT:
        return ExactIndex(rows)
    return _faiss.build(chosen, rows, seed=seed)


def open_index(kind: str, path: Path | None, rows: Rows) -> VectorIndex:
    """An index that was saved, of these rows; its file is checked before: faiss trusts what it reads."""
    chosen = parse_kind(kind)
    if chosen is Kind.EXACT:
        return ExactIndex(rows)
    if path is None:
        raise InputError(f"the {chosen} index has no file", why="this kind is saved", fix="build it again")
    return _faiss.read(chosen, path, rows)


def recall(index: VectorIndex, rows: Rows, *, k: int = 10, sample: int = 200, seed: int = 0) -> float:
    """How much of the truth an index finds: recall@k on the collection's own vectors, from 0 to 1.

    Rows drawn by chance are the queries, and each leaves itself out, so that what is measured is how well their
    neighbours are found. The truth is the exact scan. Another row that is as near as the k-th counts as found. A
    query that looks like nothing stored may fare worse than this says.
    """
    k, n = positive_int(k, "k"), rows.shape[0]
    if n < 2 or index.kind == Kind.EXACT:
        return 1.0
    drawn = np.random.default_rng(seed).choice(n, min(sample, n), replace=False, shuffle=False)
    own = np.sort(drawn).astype(np.int64)
    queries, k = rows.take(own), min(k, n - 1)
    truth, found = (each.search(queries, k + 1) for each in (ExactIndex(rows), index))
    best, got = (_others(rows, own, each.ids)[:, :k] for each in (truth, found))
    return float((got >= best[:, -1:]).mean())


def write_faiss(stream: BinaryIO, parts: Iterable[NDArray[np.float32]]) -> None:
    """Write vectors, some at a time, for programs that use faiss: a flat index by inner product."""
    _faiss.write_flat(stream, parts)


def _others(rows: Rows, own: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """What was found for the rows `own`, without themselves: the true scores, best first."""
    who, where = np.nonzero((ids >= 0) & (ids != own[:, None]))
    scores = np.full(ids.shape, -np.inf, np.float32)
    scores[who, where] = paired_dot(rows.take(own[who]), rows.take(ids[who, where]))
    return -np.sort(-scores, axis=1)
