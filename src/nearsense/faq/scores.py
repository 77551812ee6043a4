"""How near a question is to each entry: to its phrasings, to its answer, and word by word.

The answer counts with its question, and by sentences. Not how sure that makes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Int64 = NDArray[np.int64]

__all__ = ["MIXTURES", "Answers", "Nearness", "Phrasebook", "Questions", "Words", "sentences", "top_two"]

MIXTURES = ((0.2, 0.2), (1 / 3, 1 / 3), (0.0, 0.2), (0.0, 0.0))
"""How much of an entry's score is that of question and answer as one text, and how much that of the answer's
nearest sentence: answers name what questions leave out ("bank transfer"). Where a FAQ cannot choose, the first if
words are compared, else the second."""

WORDED = 0.25
"""How much of an entry's score its words are, where they are compared."""

SENTENCES = 24
"""So many sentences of an answer are looked at."""

_SENTENCE = re.compile(r"(?<=[.!?;:])\s+|(?<=[\u3002\uff01\uff1f\uff1b])|\n+")

_SHORT = 6
"""What has fewer characters says nothing alone ("Yes.")."""

FEW = 2
"""So few questions are compared on one core: BLAS would wake its threads for them, which then spin in the way of
the model that encodes the next question (13 ms for it instead of 3)."""

FEW_WORDS = 2000
"""Beyond so many words of entries all cores are worth their waking."""

BLOCK = 256
"""Words that are compared at once."""

GONE = np.float32(-2.0)
"""The score of what was left out: below every cosine."""


class Nearness(StrEnum):
    """By what a question is compared with an entry of several phrasings."""

    NEAREST = "nearest phrasing"
    CENTROID = "centroid of phrasings"
    MIX = "mean of nearest phrasing and centroid"


def sentences(answer: str) -> list[str]:
    """The sentences of an answer, at most `SENTENCES`; the answer itself where it has none of any length.

    Example:
        >>> sentences("Yes. Ask our support; they send a label.")
        ['Ask our support;', 'they send a label.']
    """
    parts = [part.strip() for part in _SENTENCE.split(answer)]
    return [part for part in parts if len(part) >= _SHORT][:SENTENCES] or [answer]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of n texts that say something, as unit vectors, one text's after the other's.

    Args:
        vectors: float32, shape (w, d).
        starts: int64, shape (n,): where each text's words begin; each has one at least.
    """

    vectors: Float32
    starts: Int64

    @property
    def counts(self) -> Int64:
        """How many each text has."""
        return np.diff(self.starts, append=len(self.vectors))

    def take(self, rows: slice | Int64) -> Words:
        """Those of some of the texts."""
        counts, first = self.counts[rows], self.starts[rows]
        starts = np.cumsum(counts) - counts
        return Words(self.vectors[np.repeat(first - starts, counts) + np.arange(counts.sum())], starts)


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Questions as they are compared with entries.

    Args:
        vectors: float32, shape (q, d), unit vectors.
        words: Their words; None where those are not compared.
    """

    vectors: Float32
    words: Words | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: slice | Int64) -> Questions:
        """Some of them."""
        return Questions(self.vectors[rows], None if self.words is None else self.words.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What questions scored.

    Args:
        scores: Each entry's score for each question, float32, shape (q, n).
        least: How near the question's most foreign word is to its nearest in each entry, float32, shape (q, n);
            None where words are not compared.
    """

    scores: Float32
    least: Float32 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The answers of those entries that have one, as unit vectors.

    Args:
        entries: int64, shape (a,): which entries, ascending.
        wholes: float32, shape (a, d): of each the question and the answer as one text.
        sentences: float32, shape (s, d), ordered by entry.
        starts: int64, shape (a,): where each answer's sentences begin.
    """

    entries: Int64
    wholes: Float32
    sentences: Float32
    starts: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Phrasebook:
    """The phrasings and answers of n entries as unit vectors.

    Args:
        phrasings: float32, shape (p, d), ordered by entry.
        owner: int64, shape (p,): each phrasing's entry, ascending.
        answers: None where no entry has one.
        words: Of each entry with its answer; None where words are not compared.
        asked: Of each phrasing alone.
        unit: How far cosines of texts reach beside those of words, which have no direction in common.
    """

    phrasings: Float32
    owner: Int64
    answers: Answers | None = None
    words: Words | None = None
    asked: Words | None = None
    unit: float = 1.0

    @property
    def counts(self) -> Int64:
        """How many phrasings each entry has."""
        return np.bincount(self.owner).astype(np.int64)

    @property
    def kinds(self) -> tuple[Nearness, ...]:
        """What there is to choose from."""
        return tuple(Nearness) if len(self.owner) > int(self.owner[-1]) + 1 else (Nearness.NEAREST,)

    @property
    def mixture(self) -> tuple[float, float]:
        """That with the answers, where nothing tells which is best."""
        return MIXTURES[1] if self.words is None and len(self.kinds) == 1 else MIXTURES[0]

    def near(self, nearness: Nearness, mixture: tuple[float, float] | None = None) -> Near:
        """The same, ready to be asked by one kind of nearness and one mixture with the answers."""
        return Near(self, nearness, self.mixture if mixture is None else mixture)


class Near:
    """A phrasebook, asked by one kind of nearness and one mixture. Made by `Phrasebook.near`."""

    def __init__(self, book: Phrasebook, nearness: Nearness, mixture: tuple[float, float]) -> None:
        self.book, self.nearness, self.mixture, self.counts = book, nearness, mixture, book.counts
        self.starts: Int64 = np.concatenate([[0], np.cumsum(self.counts)[:-1]]).astype(np.int64)
        self.single = len(self.counts) == len(book.owner)
        self._sums, self._centres = book.phrasings, book.phrasings
        if not self.single and nearness is not Nearness.NEAREST:
            self._sums = np.add.reduceat(book.phrasings, self.starts, axis=0)
            lengths = np.linalg.norm(self._sums, axis=1, keepdims=True)
            self._centres = (self._sums / np.maximum(lengths, 1e-6)).astype(np.float32)

    @property
    def answered(self) -> float:
        """How much of the scores is the answers', over all entries, from 0 to 1."""
        answers = self.book.answers
        return 0.0 if answers is None else sum(self.mixture) * len(answers.entries) / len(self.counts)

    def scored(self, questions: Questions) -> Scored:
        """Each entry's score for each question."""
        vectors = questions.vectors
        scores = self._phrasings(vectors, _cosines(vectors, self.book.phrasings), None)
        return self._with_words(questions.words, self._with_answers(vectors, scores))

    def without(self, rows: Int64) -> Scored:
        """The same for the book's own phrasings, each compared with all others but not with itself.

        An entry whose only phrasing is the one that asks scores `GONE`.
        """
        questions = self.book.phrasings[rows]
        raw = _cosines(questions, self.book.phrasings)
        raw[np.arange(len(rows)), rows] = GONE
        asked = None if self.book.asked is None else self.book.asked.take(rows)
        found = self._with_words(asked, self._with_answers(questions, self._phrasings(questions, raw, rows)))
        owner = self.book.owner[rows]
        alone = self.counts[owner] == 1
        found.scores[np.flatnonzero(alone), owner[alone]] = GONE
        return found

    def phrasing(self, question: Float32, entry: int) -> tuple[int, float]:
        """Which row of the book, of an entry's, is nearest to a question, and their cosine."""
        first = int(self.starts[entry])
        cosines = self.book.phrasings[first : first + int(self.counts[entry])] @ question
        best = int(np.argmax(cosines))
        return first + best, float(cosines[best])

    def _phrasings(self, questions: Float32, raw: Float32, rows: Int64 | None) -> Float32:
        """From phrasings to entries."""
        if self.single:
            return raw
        if self.nearness is Nearness.CENTROID:
            return self._centroid(questions, rows)
        nearest = np.maximum.reduceat(raw, self.starts, axis=1)
        if self.nearness is not Nearness.NEAREST:
            nearest = (nearest + self._centroid(questions, rows)) / 2
        return np.asarray(nearest, np.float32)

    def _centroid(self, questions: Float32, rows: Int64 | None) -> Float32:
        scores = _cosines(questions, self._centres)
        if rows is not None:
            owner = self.book.owner[rows]
            rest = self._sums[owner] - questions
            length = np.maximum(np.linalg.norm(rest, axis=1), 1e-6)
            scores[np.arange(len(rows)), owner] = (rest * questions).sum(1) / length
        return scores

    def _with_answers(self, questions: Float32, scores: Float32) -> Float32:
        answers, (whole, part) = self.book.answers, self.mixture
        if answers is None or not whole + part:
            return scores
        nearest = np.maximum.reduceat(_cosines(questions, answers.sentences), answers.starts, axis=1)
        mixed = scores.copy()
        mixed[:, answers.entries] *= np.float32(1 - whole - part)
        mixed[:, answers.entries] += np.float32(part) * nearest
        if whole:
            mixed[:, answers.entries] += np.float32(whole) * _cosines(questions, answers.wholes)
        return mixed

    def _with_words(self, asked: Words | None, scores: Float32) -> Scored:
        if self.book.words is None or asked is None:
            return Scored(scores)
        covered, least = _covered(asked, self.book.words)
        return Scored(np.float32(1 - WORDED) * scores + np.float32(WORDED * self.book.unit) * covered, least)


def _covered(asked: Words, entries: Words) -> tuple[Float32, Float32]:
    """How near each question's words are to their nearest in each entry, shape (q, n): the mean, the least."""
    blocks = [asked.vectors[start : start + BLOCK] for start in range(0, len(asked.vectors), BLOCK)]
    few = len(asked.starts) <= FEW and len(entries.vectors) <= FEW_WORDS
    near = np.concatenate(
        [np.maximum.reduceat(_cosines(block, entries.vectors, few), entries.starts, axis=1) for block in blocks]
    )
    means = np.add.reduceat(near, asked.starts, axis=0) / asked.counts[:, None]
    least = np.minimum.reduceat(near, asked.starts, axis=0)
    return np.asarray(means, np.float32), np.asarray(least, np.float32)


def _cosines(questions: Float32, rows: Float32, few: bool = False) -> Float32:
    """Of all with all, shape (q, n)."""
    if len(questions) > FEW and not few:
        return questions @ rows.T
    return np.stack([np.vecdot(rows, question) for question in questions])


def top_two(scores: Float32) -> tuple[Int64, Float32, Float32]:
    """For each row its best entry, that one's score, and the second's; `GONE` where there is no second.

    Example:
        >>> [part.tolist() for part in top_two(np.array([[0.25, 0.75, 0.5]], np.float32))]
        [[1], [0.75], [0.5]]
    """
    rows = np.arange(len(scores))
    best = scores.argmax(axis=1)
    first = scores[rows, best]
    if scores.shape[1] == 1:
        return best, first, np.full(len(scores), GONE, np.float32)
    scores[rows, best] = GONE
    second = scores.max(axis=1)
    scores[rows, best] = first
    return best, first, second
