"""What is measured: a model, words alone, a model and words together; each scores pairs, finds and groups.

Not what their scores are worth: see judging.py. Nothing may depend on the order in which a file holds its rows: so
a search gives all documents that are tied with the last that was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from nearsense._progress import Progress
from nearsense.calibration import random_scores
from nearsense.datasets import Task
from nearsense.encoders import Encoder, is_encoder, symmetric_role
from nearsense.evaluation.results import Kind
from nearsense.lexical import RRF_CONSTANT, Postings, Segment, Sparse, Tfidf, bm25, overlaps, paired_dot, words
from nearsense.vectors.rows import distinct, normalize
from nearsense.vectors.similarity import paired_cosine, paired_similarity, top_k, top_k_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import CrossEncoder

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ROUNDING = 1e-6
"""Scores no farther apart are tied, as a part of a ranking's largest: what float32 leaves of equal sums."""

CELLS = 1 << 22  # ids that are looked for at once where ties are long
CHARACTERS = 2_000_000
"""Characters up to which n-grams of them are counted; beyond, it would take longer than a model."""

DIMENSION = 1024  # dimensions to which TF-IDF weights are hashed before they are clustered


class Found(NamedTuple):
    """The best rows of a corpus for each query, best first, and their scores: arrays of one length a query.

    All rows that are tied with the last one wanted are there too; in a tie the scores are equal.
    """

    ids: list[Ints]
    scores: list[Floats]


def level_ties(scores: Floats) -> Floats:
    """Falling scores, shape (n,), those of a tie made equal.

    Example:
        >>> level_ties(np.array([0.9, 0.5000001, 0.5, 0.1]))
        array([0.9      , 0.5000001, 0.5000001, 0.1      ])
    """
    if not len(scores):
        return scores
    new = np.append(True, scores[:-1] - scores[1:] > ROUNDING * np.abs(scores).max())
    level: Floats = scores[np.flatnonzero(new)[np.cumsum(new) - 1]]
    return level


def whole_ties(
    look: Callable[[Sequence[int], int], tuple[Ints, NDArray[np.floating]]], queries: int, corpus: int, k: int
) -> Found:
    """The k best of so many rows for each of so many queries, and all that are tied with the last of them.

    `look` finds so many of the best for some of the queries: ids, -1 where there are fewer, and their scores.
    """
    ids: list[Ints] = [np.zeros(0, np.int64)] * queries
    scores: list[Floats] = [np.zeros(0)] * queries
    waiting, depth = list(range(queries)), min(k + 1, corpus)
    while waiting:
        again: list[int] = []
        step = max(1, CELLS // depth)
        for begin in range(0, len(waiting), step):
            rows = waiting[begin : begin + step]
            for row, places, values in zip(rows, *look(rows, depth), strict=True):
                there = places >= 0
                level = level_ties(values[there].astype(np.float64))
                kept = len(level) if len(level) <= k else int(np.count_nonzero(level >= level[k - 1]))
                if kept == depth < corpus:
                    again.append(row)  # the tie may go on
                ids[row], scores[row] = places[there][:kept], level[:kept]
        waiting, depth = again, min(4 * depth, corpus)
    return Found(ids, scores)


class Timing:
    """What a system took: seconds, different texts, and how many of them were cut."""

    def __init__(self) -> None:
        self.seconds = self.reading = 0.0
        self.texts = self.truncated = 0

    @contextmanager
    def time(self, *, reading: int = 0) -> Iterator[None]:
        """Count the time of a block; `reading` is how many texts are read in it, if it is that."""
        begin = time.perf_counter()
        yield
        took = time.perf_counter() - begin
        self.seconds += took
        if reading:
            self.reading += took
            self.texts += reading

    def add(self, first: Timing, *others: Timing) -> None:
        """What parts took; the texts are those of the first."""
        self.seconds += first.seconds + sum(each.seconds for each in others)
        self.texts, self.reading, self.truncated = first.texts, first.reading, first.truncated

    @property
    def texts_per_second(self) -> float:
        """How many texts were read in a second of reading."""
        return self.texts / max(self.reading, 1e-9)


class System:
    """Whatever can be measured: it says how near texts are, finds the nearest, makes groups, or some of that."""

    kind: Kind = Kind.BASELINE
    fingerprint: str = ""

    def __init__(self, name: str = "") -> None:
        self.name, self.timing = name or type(self).__name__, Timing()

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """How near text i of `left`, a query where one is `searching`, is to text i of `right`, shape (n,)."""
        raise NotImplementedError

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """The k best of a corpus for each query, and all that are tied with the last of them."""
        raise NotImplementedError

    def groups(self, texts: Sequence[str], k: int) -> Ints:
        """In which of k groups each text is."""
        raise NotImplementedError


class Model(System):
    """An encoder: texts are near where their vectors are."""

    def __init__(
        self, encoder: Encoder, name: str = "", kind: Kind = Kind.MODEL, *, progress: Progress = False
    ) -> None:
        super().__init__(name or encoder.name)
        self.kind, self.fingerprint = kind, encoder.fingerprint
        self.encoder, self._metric, self._progress = encoder, encoder.similarity, progress
        self.compared: tuple[Floats, tuple[float, float] | None] | None = None

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """`compared` keeps the cosines of texts of one kind, and what random pairs of them score."""
        a, b = self._read_both(left, right, searching)
        with self.timing.time():
            scores = paired_similarity(a, b, self._metric)
        if not searching:
            self.compared = np.asarray(paired_cosine(a, b), np.float64), random_scores(a, b)
        return np.asarray(scores, np.float64)

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        asked, there = self._read_both(queries, corpus, searching)

        def look(rows: Sequence[int], depth: int) -> tuple[Ints, NDArray[np.float32]]:
            found = top_k(asked[rows], there, depth, self._metric)
            return found.ids, found.scores

        with self.timing.time():
            return whole_ties(look, len(queries), len(corpus), k)

    def groups(self, texts: Sequence[str], k: int) -> Ints:
        vectors = normalize(self._read(texts, symmetric_role(self.encoder)))
        with self.timing.time():
            return _groups(vectors, k)

    def _read_both(
        self, left: Sequence[str], right: Sequence[str], searching: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The vectors of two sides: queries and what may answer them, or texts of one kind."""
        if searching:
            return self._read(left, "query"), self._read(right, "passage")
        both = self._read([*left, *right], symmetric_role(self.encoder))
        return both[: len(left)], both[len(left) :]

    def _read(self, texts: Sequence[str], role: str | None) -> NDArray[np.float32]:
        """One vector a text; equal texts are encoded once."""
        different, rows = distinct(texts)
        with self.timing.time(reading=len(different)):
            vectors = self.encoder.encode(different, role=role, progress=self._progress)
        self.timing.truncated += int(vectors.truncated.sum())
        return vectors.data[rows]


class Scorer(System):
    """A cross-encoder: it reads both texts."""

    def __init__(self, model: CrossEncoder) -> None:
        super().__init__(model.name)
        self.fingerprint, self._model = model.fingerprint, model

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        with self.timing.time(reading=len(left)):
            return np.asarray(self._model.score(list(zip(left, right, strict=True))), np.float64)


def system_of(model: Encoder | CrossEncoder) -> System:
    """A model of either kind as what is measured."""
    return Model(model) if is_encoder(model) else Scorer(cast("CrossEncoder", model))


def _groups(vectors: NDArray[np.float32], k: int) -> Ints:
    """In which of k groups each unit vector is, by the k-means of `ns.cluster`."""
    from nearsense.clustering.kmeans import spherical

    return spherical(vectors, k).labels


class Fusion(System):
    """A model and BM25 in one ranking, by reciprocal rank fusion of what each of them finds."""

    kind = Kind.FUSION

    def __init__(self, model: System, words: System) -> None:
        super().__init__(f"{model.name} + {words.name}")
        self._parts = (model, words)

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        parts = [part.nearest(queries, corpus, k, searching=searching) for part in self._parts]
        with self.timing.time():
            rankings = zip(*(zip(part.ids, part.scores, strict=True) for part in parts), strict=True)
            fused = [_fused(each, k) for each in rankings]
        self.timing.add(*(part.timing for part in self._parts))
        return Found([ids for ids, _ in fused], [scores for _, scores in fused])


def _fused(rankings: Sequence[tuple[Ints, Floats]], k: int) -> tuple[Ints, Floats]:
    """The k best by reciprocal rank fusion, and what is tied with the last; a tie shares what its places give."""
    ids = np.concatenate([own for own, _ in rankings])
    shares = []
    for own, scores in rankings:
        worth = np.where(np.arange(len(own)) < k, 1.0 / (RRF_CONSTANT + 1.0 + np.arange(len(own))), 0.0)
        _, group = np.unique(-scores, return_inverse=True)
        shares.append((np.bincount(group, worth) / np.bincount(group))[group] if len(own) else worth)
    known, who = np.unique(ids, return_inverse=True)
    sums = np.bincount(who, np.concatenate(shares), len(known)).astype(np.float64)
    best = np.lexsort((known, -sums))
    level = level_ties(sums[best])
    kept = len(best) if len(best) <= k else int(np.count_nonzero(level >= level[k - 1]))
    return known[best][:kept], level[:kept]


class CachedFinder(System):
    """A finder that is asked the same twice, and looks once."""

    def __init__(self, finder: System) -> None:
        super().__init__(finder.name)
        self.kind, self.fingerprint, self.timing = finder.kind, finder.fingerprint, finder.timing
        self._finder = finder
        self._question: tuple[object, ...] = ()
        self._answer: Found | None = None

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        question = (queries, corpus, k, searching)
        if self._answer is None or self._question != question:
            self._answer, self._question = self._finder.nearest(queries, corpus, k, searching=searching), question
        return self._answer


class Jaccard(System):
    """The words that two texts share, as a part of all words of both."""

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        with self.timing.time(reading=len({*left, *right})):
            sets = {text: words(text) for text in {*left, *right}}
            sides = ((sets[a], sets[b]) for a, b in zip(left, right, strict=True))
            return np.array([len(a & b) / max(len(a | b), 1) for a, b in sides], np.float64)

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        with self.timing.time(reading=len(queries) + len(corpus)):
            asked, there = _sets(queries, corpus)
            sizes = np.diff(there.offsets).astype(np.float32)

            def blocks(some: Sparse) -> Iterator[tuple[slice, NDArray[np.float32]]]:
                asking = np.diff(some.offsets).astype(np.float32)
                for part, shared in overlaps(some, there):
                    yield part, shared / np.maximum(asking[part, None] + sizes - shared, np.float32(1.0))

            return _best(blocks, asked, len(corpus), k)


class TfIdf(System):
    """Words, or character n-grams, weighted by how rare they are; `unit` is "words" or "characters"."""

    def __init__(self, unit: str) -> None:
        super().__init__(f"TF-IDF {unit}")
        self._unit = unit

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        with self.timing.time(reading=len({*left, *right})):
            weights = Tfidf([*left, *right], self._unit).fitted
            here = np.arange(len(left))
            return paired_dot(weights.take(here), weights.take(here + len(left)))

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        with self.timing.time(reading=len(queries) + len(corpus)):
            model = Tfidf(corpus, self._unit)
            return _best(lambda some: overlaps(some, model.fitted), model(queries), len(corpus), k)

    def groups(self, texts: Sequence[str], k: int) -> Ints:
        with self.timing.time(reading=len(texts)):
            vectors = Tfidf(texts, self._unit).fitted.projected(DIMENSION)
            return _groups(vectors, k)


class BM25(System):
    """What search engines rank by."""

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """The corpus is all that stands at the right."""
        different, rows = distinct(right)
        scores = np.zeros(len(rows))
        begins = [0, *(row for row in range(1, len(left)) if left[row] != left[row - 1]), len(left)]
        with self.timing.time(reading=len({*left, *right})):
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
        with self.timing.time(reading=len(queries) + len(corpus)):
            segment = Segment(Postings.build(corpus))

            def look(rows: Sequence[int], depth: int) -> tuple[Ints, NDArray[np.float32]]:
                found = [bm25(queries[row], [segment], depth) for row in rows]
                ids, scores = ([getattr(each, name) for each in found] for name in ("ids", "scores"))
                return np.concatenate(ids), np.concatenate(scores)

            return whole_ties(look, len(queries), len(corpus), k)


def baselines_for(task: Task, characters: int) -> tuple[list[System], list[str]]:
    """The baselines that suit a task and texts of so many characters, and what is to be said of those left out."""
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

    def look(rows: Sequence[int], depth: int) -> tuple[Ints, NDArray[np.float32]]:
        some = asked if len(rows) == len(asked) else asked.take(np.array(rows))
        found = [top_k_of(np.where(block > 0, block, np.float32(-np.inf)), depth) for _, block in blocks(some)]
        return np.concatenate([each.ids for each in found]), np.concatenate([each.scores for each in found])

    return whole_ties(look, len(asked), corpus, k)


def _sets(queries: Sequence[str], corpus: Sequence[str]) -> tuple[Sparse, Sparse]:
    """The words of texts as rows of ones."""
    numbers: dict[str, int] = {}
    sides = []
    for texts in (corpus, queries):
        rows = [sorted(numbers.setdefault(word, len(numbers)) for word in words(text)) for text in texts]
        offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        columns = np.array([number for row in rows for number in row], np.int64)
        sides.append((offsets, columns, np.ones(len(columns))))
    there, asked = (Sparse(*side, len(numbers)) for side in sides)
    return asked, there
