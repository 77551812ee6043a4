"""The baselines: what words alone reach, without a model. The yardstick that a model has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nearsense.datasets import Task
from nearsense.evaluation.results import Kind
from nearsense.evaluation.systems import Spent, System
from nearsense.evaluation.ties import Found, whole_ties
from nearsense.vectors.rows import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.lexical import Sparse

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["BM25", "Jaccard", "TfIdf", "baselines_for"]

CHARACTERS = 2_000_000
"""Characters up to which n-grams of them are counted; beyond, it would take longer than a model."""

DIMENSION = 1024
"""Dimensions to which TF-IDF weights are hashed before they are clustered."""


class _Words:
    kind, fingerprint = Kind.BASELINE, ""
    name: str

    def __init__(self) -> None:
        self.spent = Spent()


class Jaccard(_Words):
    """The words that two texts share, as a part of all words of both."""

    name = "Jaccard"

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """See `Scorer`."""
        from nearsense.lexical import words

        with self.spent.time(reading=len({*left, *right})):
            sets = {text: words(text) for text in {*left, *right}}
            sides = ((sets[a], sets[b]) for a, b in zip(left, right, strict=True))
            return np.array([len(a & b) / max(len(a | b), 1) for a, b in sides], np.float64)

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """See `Finder`."""
        from nearsense.lexical import overlaps

        with self.spent.time(reading=len(queries) + len(corpus)):
            asked, there = _sets(queries, corpus)
            sizes = np.diff(there.offsets).astype(np.float32)

            def blocks(some: Sparse) -> Iterator[tuple[slice, NDArray[np.float32]]]:
                asking = np.diff(some.offsets).astype(np.float32)
                for part, shared in overlaps(some, there):
                    yield part, shared / np.maximum(asking[part, None] + sizes - shared, np.float32(1.0))

            return _best(blocks, asked, len(corpus), k)


class TfIdf(_Words):
    """Words, or character n-grams, weighted by how rare they are.

    Args:
        unit: `"words"` or `"characters"`.
    """

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit
        self.name = f"TF-IDF {unit}"

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """See `Scorer`."""
        from nearsense.lexical import Tfidf, paired_dot

        with self.spent.time(reading=len({*left, *right})):
            weights = Tfidf([*left, *right], self._unit).fitted
            here = np.arange(len(left))
            return paired_dot(weights.take(here), weights.take(here + len(left)))

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """See `Finder`."""
        from nearsense.lexical import Tfidf, overlaps

        with self.spent.time(reading=len(queries) + len(corpus)):
            model = Tfidf(corpus, self._unit)
            return _best(lambda some: overlaps(some, model.fitted), model(queries), len(corpus), k)

    def groups(self, texts: Sequence[str], k: int, seeds: Sequence[int]) -> list[Ints]:
        """See `Grouper`."""
        from nearsense.index import kmeans
        from nearsense.lexical import Tfidf

        with self.spent.time(reading=len(texts)):
            vectors = Tfidf(texts, self._unit).fitted.projected(DIMENSION)
            return [kmeans(vectors, k, seed=seed) for seed in seeds]


class BM25(_Words):
    """What search engines rank by."""

    name = "BM25"

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """See `Scorer`; the corpus is all that stands at the right."""
        from nearsense.lexical import Postings, Segment, bm25

        different, rows = distinct(right)
        scores = np.zeros(len(rows))
        begins = [0, *(row for row in range(1, len(left)) if left[row] != left[row - 1]), len(left)]
        with self.spent.time(reading=len({*left, *right})):
            segment = Segment(Postings.build(different))
            for begin, end in pairwise(begins):
                own = rows[begin:end]
                allowed = np.zeros(len(different), bool)
                allowed[own] = True
                found = bm25(left[begin], [segment], len(own), allowed=allowed)
                worth = dict(zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True))
                scores[begin:end] = [worth.get(row, 0.0) for row in own.tolist()]
        return scores

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """See `Finder`."""
        from nearsense.lexical import Postings, Segment, bm25

        with self.spent.time(reading=len(queries) + len(corpus)):
            segment = Segment(Postings.build(corpus))

            def look(rows: Sequence[int], depth: int) -> tuple[Ints, NDArray[np.float32]]:
                found = [bm25(queries[row], [segment], depth) for row in rows]
                ids, scores = ([getattr(each, name) for each in found] for name in ("ids", "scores"))
                return np.concatenate(ids), np.concatenate(scores)

            return whole_ties(look, len(queries), len(corpus), k)


def baselines_for(task: Task, characters: int) -> tuple[list[System], list[str]]:
    """The baselines that suit a task, and what is to be said of those that do not run.

    Args:
        task: What is asked.
        characters: How many there are in all texts.
    """
    found: list[System] = []
    if task in (Task.RETRIEVAL, Task.RERANK):
        found.append(BM25())
    if task is not Task.CLUSTERING:
        found.append(Jaccard())
    found.append(TfIdf("words"))
    if characters <= CHARACTERS:
        return [*found, TfIdf("characters")], []
    return found, [f"TF-IDF of characters was left out: {characters:,} of them are too many for it."]


def _best(
    blocks: Callable[[Sparse], Iterator[tuple[slice, NDArray[np.float32]]]], asked: Sparse, corpus: int, k: int
) -> Found:
    """The k best of each query, ties whole; what shares nothing with it is not found."""
    from nearsense.vectors.similarity import top_k_of

    def look(rows: Sequence[int], depth: int) -> tuple[Ints, NDArray[np.float32]]:
        some = asked if len(rows) == len(asked) else asked.take(np.array(rows))
        found = [top_k_of(np.where(block > 0, block, np.float32(-np.inf)), depth) for _, block in blocks(some)]
        return np.concatenate([each.ids for each in found]), np.concatenate([each.scores for each in found])

    return whole_ties(look, len(asked), corpus, k)


def _sets(queries: Sequence[str], corpus: Sequence[str]) -> tuple[Sparse, Sparse]:
    """The words of texts as rows of ones."""
    from nearsense.lexical import Sparse, words

    numbers: dict[str, int] = {}
    sides = []
    for texts in (corpus, queries):
        rows = [sorted(numbers.setdefault(word, len(numbers)) for word in words(text)) for text in texts]
        offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        columns = np.array([number for row in rows for number in row], np.int64)
        sides.append((offsets, columns, np.ones(len(columns))))
    there, asked = (Sparse(*side, len(numbers)) for side in sides)
    return asked, there
