"""How an engine's own rankings become an answer: ties, both kinds fused, a least score. Not how they arise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nearsense.collection.engine import Answer, Facts, Question
from nearsense.lexical import reciprocal_rank_fusion
from nearsense.records import Document, Mode
from nearsense.ties import SLACK, order_ties

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.ties import Best

DEPTH = 100
"""How far down both rankings are read before they are fused; ten times k where that is more."""
ROUNDING = 1e-6
"""How far apart sums of the same numbers may be, as a part of them."""


class Ranked(ABC):
    """What an engine finds at one moment, among the documents that the question's filter lets pass.

    Documents are known by their positions; of those that score alike the lower one comes first.
    """

    __slots__ = ()

    @abstractmethod
    def count(self) -> int:
        """How many documents there are."""

    @abstractmethod
    def nearest(self, vectors: NDArray[np.float32], depth: int) -> list[Best]:
        """The so many nearest of each vector, shape (q, d), with their cosine similarities."""

    @abstractmethod
    def by_words(self, texts: Sequence[str], depth: int) -> list[Best]:
        """The so many best of each text by the words they share with it, with BM25."""

    @abstractmethod
    def at(self, positions: list[int]) -> Mapping[int, Document]:
        """The documents at some positions."""


def ranked(source: Ranked, question: Question, facts: Facts) -> Answer:
    """The answer to a question, best first."""
    ranking = _Ranking(source, question)
    modes = {Mode.DENSE: ranking.dense, Mode.LEXICAL: ranking.lexical, Mode.HYBRID: ranking.hybrid}
    best = []
    for positions, scores in modes[question.mode](min(question.k, ranking.n)):
        exactly = scores.astype(np.float64)  # as the scores of hits are compared
        high = slice(None) if question.min_score is None else exactly >= question.min_score
        best.append(list(zip(positions[high].tolist(), scores[high].tolist(), strict=True)))
    there = source.at(list({position for each in best for position, _ in each}))
    return Answer([[(there[position], score) for position, score in each] for each in best], facts)


class _Ranking:
    def __init__(self, source: Ranked, question: Question) -> None:
        self._source, self._question = source, question
        self.n = max(source.count(), 1)

    def dense(self, k: int) -> list[Best]:
        """By cosine similarity."""
        every = self._question.vectors
        if every is None:
            return []
        return self._ordered(k, lambda which, depth: self._source.nearest(every[which], depth), SLACK)

    def lexical(self, k: int) -> list[Best]:
        """By the words they share with the query: BM25."""

        def ask(which: NDArray[np.int64], depth: int) -> list[Best]:
            return self._source.by_words([self._question.texts[row] for row in which.tolist()], depth)

        return self._ordered(k, ask, ROUNDING)

    def hybrid(self, k: int) -> list[Best]:
        """By their places in both rankings."""
        depth = min(max(DEPTH, 10 * k), self.n)
        sides = list(zip(self.dense(depth), self.lexical(depth), strict=True))

        def ask(which: NDArray[np.int64], size: int) -> list[Best]:
            rankings = ([positions for positions, _ in sides[row]] for row in which.tolist())
            return [reciprocal_rank_fusion(each, size) for each in rankings]

        return self._ordered(k, ask, ROUNDING)

    def _ordered(self, k: int, ask: Callable[[NDArray[np.int64], int], list[Best]], slack: float) -> list[Best]:
        def texts(positions: NDArray[np.int64]) -> list[str]:
            there = self._source.at(positions.tolist())
            return [there[position].text for position in positions.tolist()]

        return order_ties(self._question.texts, k, self.n, ask, texts, slack=slack)
