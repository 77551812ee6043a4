"""What is measured: a model, words alone, a model and words together; each scores pairs, finds and groups.

Not what their scores are worth: see judging.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nearsense._progress import Progress
from nearsense.encoders import Encoder, symmetric_role
from nearsense.evaluation.results import Kind
from nearsense.evaluation.ties import Found, levelled, whole_ties
from nearsense.vectors.rows import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Finder", "Fusion", "Grouper", "Model", "Remembered", "Scorer", "Spent", "System"]


class Spent:
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

    def add(self, *others: Spent) -> None:
        """What parts took; the texts are those of the first."""
        self.seconds += sum(each.seconds for each in others)
        first = others[0]
        self.texts, self.reading, self.truncated = first.texts, first.reading, first.truncated

    @property
    def texts_per_second(self) -> float:
        """How many texts were read in a second of reading."""
        return self.texts / max(self.reading, 1e-9)


class System(Protocol):
    """Whatever can be measured."""

    name: str
    kind: Kind
    fingerprint: str
    spent: Spent


class Scorer(System, Protocol):
    """Says how near two texts are."""

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """How near text i of `left` is to text i of `right`, shape (n,).

        `searching`: `left` are queries, and `right` is what might answer them.
        """
        ...  # pragma: no cover


class Finder(System, Protocol):
    """Finds the nearest texts."""

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """The k best of a corpus for each query, and all that are tied with the last of them."""
        ...  # pragma: no cover


class Grouper(System, Protocol):
    """Makes groups of texts."""

    def groups(self, texts: Sequence[str], k: int, seeds: Sequence[int]) -> list[Ints]:
        """So many groups of texts, once for each seed."""
        ...  # pragma: no cover


class Model:
    """An encoder: texts are near where their vectors are.

    Args:
        encoder: Which.
        name: What it is called.
        kind: A model, or one with another pooling.
        progress: What to show while it encodes.
    """

    def __init__(
        self, encoder: Encoder, name: str = "", kind: Kind = Kind.MODEL, *, progress: Progress = False
    ) -> None:
        self.name, self.kind, self.fingerprint = name or encoder.name, kind, encoder.fingerprint
        self.encoder, self.spent, self._progress = encoder, Spent(), progress
        self._metric = encoder.similarity
        self.compared: tuple[Floats, tuple[float, float] | None] | None = None

    def pairs(self, left: Sequence[str], right: Sequence[str], *, searching: bool = False) -> Floats:
        """See `Scorer`; `compared` keeps the cosines of texts of one kind, and what random pairs of them score."""
        from nearsense.calibration import random_scores
        from nearsense.metrics import paired_cosine, paired_similarity

        if searching:
            a, b = self._read(left, "query"), self._read(right, "passage")
        else:
            both = self._read([*left, *right], symmetric_role(self.encoder))
            a, b = both[: len(left)], both[len(left) :]
        with self.spent.time():
            scores = paired_similarity(a, b, self._metric)
        if not searching:
            self.compared = np.asarray(paired_cosine(a, b), np.float64), random_scores(a, b)
        return np.asarray(scores, np.float64)

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """See `Finder`."""
        from nearsense.vectors.similarity import top_k

        if searching:
            there, asked = self._read(corpus, "passage"), self._read(queries, "query")
        else:
            both = self._read([*corpus, *queries], symmetric_role(self.encoder))
            there, asked = both[: len(corpus)], both[len(corpus) :]

        def look(rows: Sequence[int], depth: int) -> tuple[Ints, NDArray[np.float32]]:
            found = top_k(asked[rows], there, depth, self._metric)
            return found.ids, found.scores

        with self.spent.time():
            return whole_ties(look, len(queries), len(corpus), k)

    def groups(self, texts: Sequence[str], k: int, seeds: Sequence[int]) -> list[Ints]:
        """See `Grouper`."""
        from nearsense.index import kmeans
        from nearsense.metrics import normalize

        vectors = normalize(self._read(texts, symmetric_role(self.encoder)))
        with self.spent.time():
            return [kmeans(vectors, k, seed=seed) for seed in seeds]

    def _read(self, texts: Sequence[str], role: str | None) -> NDArray[np.float32]:
        """One vector a text; equal texts are encoded once."""
        different, rows = distinct(texts)
        with self.spent.time(reading=len(different)):
            vectors = self.encoder.encode(different, role=role, progress=self._progress)
        self.spent.truncated += int(vectors.truncated.sum())
        return vectors.data[rows]


class Fusion:
    """A model and BM25 in one ranking, by reciprocal rank fusion of what each of them finds.

    Args:
        model: The one.
        words: The other.
    """

    kind, fingerprint = Kind.FUSION, ""

    def __init__(self, model: Finder, words: Finder) -> None:
        self.name, self.spent = f"{model.name} + {words.name}", Spent()
        self._parts = (model, words)

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """See `Finder`."""
        parts = [part.nearest(queries, corpus, k, searching=searching) for part in self._parts]
        found = Found([], [])
        with self.spent.time():
            for row in range(len(queries)):
                ids, scores = _fused([(part.ids[row], part.scores[row]) for part in parts], k)
                found.ids.append(ids)
                found.scores.append(scores)
        self.spent.add(*(part.spent for part in self._parts))
        return found


def _fused(rankings: Sequence[tuple[Ints, Floats]], k: int) -> tuple[Ints, Floats]:
    """The k best by reciprocal rank fusion, and what is tied with the last; a tie shares what its places give."""
    from nearsense.lexical import RRF_CONSTANT

    ids = np.concatenate([own for own, _ in rankings])
    shares = []
    for own, scores in rankings:
        worth = np.where(np.arange(len(own)) < k, 1.0 / (RRF_CONSTANT + 1.0 + np.arange(len(own))), 0.0)
        _, group = np.unique(-scores, return_inverse=True)
        shares.append((np.bincount(group, worth) / np.bincount(group))[group] if len(own) else worth)
    known, who = np.unique(ids, return_inverse=True)
    sums = np.bincount(who, np.concatenate(shares), len(known)).astype(np.float64)
    best = np.lexsort((known, -sums))
    level = levelled(sums[best])
    kept = len(best) if len(best) <= k else int(np.count_nonzero(level >= level[k - 1]))
    return known[best][:kept], level[:kept]


class Remembered:
    """A finder that is asked the same twice, and looks once.

    Args:
        finder: Which.
    """

    def __init__(self, finder: Finder) -> None:
        self.name, self.kind, self.fingerprint = finder.name, finder.kind, finder.fingerprint
        self.spent, self._finder = finder.spent, finder
        self._asked: tuple[object, ...] = ()
        self._found: Found | None = None

    def nearest(self, queries: Sequence[str], corpus: Sequence[str], k: int, *, searching: bool = False) -> Found:
        """See `Finder`."""
        asked = (queries, corpus, k, searching)
        if self._found is None or self._asked != asked:
            self._found, self._asked = self._finder.nearest(queries, corpus, k, searching=searching), asked
        return self._found
