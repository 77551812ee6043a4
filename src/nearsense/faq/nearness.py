"""How near a question is to each entry: to its phrasings, to its answer, word by word. Not how sure that makes.

The answer counts with its question, and by sentences. Words are compared where each entry has one phrasing and the
model tells them apart, by their vectors as their sentences make them.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense._paths import is_file
from nearsense._progress import Progress
from nearsense.encoders import Encoder
from nearsense.encoders.base import symmetric_role
from nearsense.errors import UnsupportedModel
from nearsense.faq.entries import FAQItem
from nearsense.lexical import words as words_of
from nearsense.stopwords import languages_of, stop_words
from nearsense.vectors.rows import ZeroRow, blocks, normalize, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Int64 = NDArray[np.int64]

MIXTURES = ((0.2, 0.2), (1 / 3, 1 / 3), (0.0, 0.2), (0.0, 0.0))
"""How much of an entry's score is that of question and answer as one text, and how much that of the answer's
nearest sentence: answers name what questions leave out ("bank transfer"). Where a FAQ cannot choose, the first if
words are compared, else the second."""

WORDED = 0.25  # how much of an entry's score its words are, where they are compared
SENTENCES = 24  # so many sentences of an answer are looked at
SHORT = 6  # a sentence of fewer characters says nothing alone ("Yes.")
SENTENCE = re.compile(r"(?<=[.!?;:])\s+|(?<=[\u3002\uff01\uff1f\uff1b])|\n+")

FEW = 2
"""So few questions are compared on one core: BLAS would wake its threads for them, which then spin in the way of
the model that encodes the next question (13 ms for it instead of 3)."""

FEW_WORDS = 2000  # beyond so many words of entries all cores are worth their waking
WORDS_AT_ONCE = 256  # words of questions that are compared at once
MOST_WORDS = (
    20_000  # beyond so many, entries are not compared by words: it takes longer than to encode the question
)
TEXTS_AT_ONCE = 512  # texts whose words are read at once: the vectors of all their tokens are in memory
GONE = np.float32(-2.0)  # the score of what was left out: below every cosine
REFERENCE_SPREAD = 0.9035  # 1 minus the mean cosine of unrelated questions, in the model of prior.json


class Nearness(StrEnum):
    """By what a question is compared with an entry of several phrasings."""

    NEAREST = "nearest phrasing"
    CENTROID = "centroid of phrasings"
    MIX = "mean of nearest phrasing and centroid"


@dataclass(frozen=True, slots=True, eq=False)
class WordVectors:
    """The words of n texts that say something, as unit vectors, one text's after the other's."""

    vectors: Float32  # (w, d)
    starts: Int64  # (n,): where each text's words begin; each has one at least

    @property
    def counts(self) -> Int64:
        """How many each text has."""
        return np.diff(self.starts, append=len(self.vectors))

    def take(self, rows: slice | Int64) -> WordVectors:
        """Those of some of the texts."""
        counts, first = self.counts[rows], self.starts[rows]
        starts = np.cumsum(counts) - counts
        return WordVectors(self.vectors[np.repeat(first - starts, counts) + np.arange(counts.sum())], starts)


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """q questions as they are compared with entries."""

    vectors: Float32  # (q, d): unit vectors
    words: WordVectors | None = None  # None where words are not compared

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: slice | Int64) -> Questions:
        """Some of them."""
        return Questions(self.vectors[rows], None if self.words is None else self.words.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class EntryScores:
    """What q questions scored with n entries."""

    scores: Float32  # (q, n)
    # (q, n): how near the question's most foreign word is to its nearest in each entry; None where words are not
    # compared
    least: Float32 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AnswerVectors:
    """The answers of those a entries that have one, as unit vectors."""

    entries: Int64  # (a,): which entries, ascending
    wholes: Float32  # (a, d): of each the question and the answer as one text
    sentences: Float32  # (s, d), ordered by entry
    starts: Int64  # (a,): where each answer's sentences begin


@dataclass(frozen=True, slots=True, eq=False)
class Phrasebook:
    """The phrasings and answers of n entries as unit vectors."""

    phrasings: Float32  # (p, d), ordered by entry
    owner: Int64  # (p,): each phrasing's entry, ascending
    answers: AnswerVectors | None = None  # None where no entry has one
    words: WordVectors | None = None  # of each entry with its answer; None where words are not compared
    asked: WordVectors | None = None  # of each phrasing alone
    unit: float = 1.0  # how far cosines of texts reach beside those of words, which have no direction in common

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
        self._sums, self._centroids = book.phrasings, book.phrasings
        if not self.single and nearness is not Nearness.NEAREST:
            self._sums = np.add.reduceat(book.phrasings, self.starts, axis=0)
            lengths = np.linalg.norm(self._sums, axis=1, keepdims=True)
            self._centroids = (self._sums / np.maximum(lengths, 1e-6)).astype(np.float32)

    @property
    def answered(self) -> float:
        """How much of the scores is the answers', over all entries, from 0 to 1."""
        answers = self.book.answers
        return 0.0 if answers is None else sum(self.mixture) * len(answers.entries) / len(self.counts)

    def scored(self, questions: Questions) -> EntryScores:
        """Each entry's score for each question."""
        vectors = questions.vectors
        scores = self._by_phrasings(vectors, _cosines(vectors, self.book.phrasings), None)
        return self._with_words(questions.words, self._with_answers(vectors, scores))

    def without(self, rows: Int64) -> EntryScores:
        """The same for the book's own phrasings, each compared with all others but not with itself.

        An entry whose only phrasing is the one that asks scores `GONE`.
        """
        questions = self.book.phrasings[rows]
        raw = _cosines(questions, self.book.phrasings)
        raw[np.arange(len(rows)), rows] = GONE
        asked = None if self.book.asked is None else self.book.asked.take(rows)
        found = self._with_words(asked, self._with_answers(questions, self._by_phrasings(questions, raw, rows)))
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

    def _by_phrasings(self, questions: Float32, raw: Float32, rows: Int64 | None) -> Float32:
        """The score of each entry, (q, n), of those of its phrasings, (q, p)."""
        if self.single:
            return raw
        if self.nearness is Nearness.CENTROID:
            return self._by_centroid(questions, rows)
        nearest = np.maximum.reduceat(raw, self.starts, axis=1)
        if self.nearness is not Nearness.NEAREST:
            nearest = (nearest + self._by_centroid(questions, rows)) / 2
        return np.asarray(nearest, np.float32)

    def _by_centroid(self, questions: Float32, rows: Int64 | None) -> Float32:
        scores = _cosines(questions, self._centroids)
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

    def _with_words(self, asked: WordVectors | None, scores: Float32) -> EntryScores:
        """Mixed with how near each question's words are on average to their nearest in each entry."""
        words = self.book.words
        if words is None or asked is None:
            return EntryScores(scores)
        few = len(asked.starts) <= FEW and len(words.vectors) <= FEW_WORDS
        cosines = (
            _cosines(asked.vectors[part], words.vectors, few) for part in blocks(len(asked.vectors), WORDS_AT_ONCE)
        )
        near = np.concatenate([np.maximum.reduceat(block, words.starts, axis=1) for block in cosines])
        covered = np.asarray(np.add.reduceat(near, asked.starts, axis=0) / asked.counts[:, None], np.float32)
        least = np.asarray(np.minimum.reduceat(near, asked.starts, axis=0), np.float32)
        return EntryScores(np.float32(1 - WORDED) * scores + np.float32(WORDED * self.book.unit) * covered, least)


def _cosines(questions: Float32, rows: Float32, few: bool = False) -> Float32:
    """Of all with all, shape (q, n)."""
    if len(questions) > FEW and not few:
        return questions @ rows.T
    return np.stack([np.vecdot(rows, question) for question in questions])


def top_two(scores: Float32) -> tuple[Int64, Float32, Float32]:
    """For each row its best entry, that one's score, and the second's; `GONE` where there is no second."""
    rows = np.arange(len(scores))
    best = scores.argmax(axis=1)
    first = scores[rows, best]
    if scores.shape[1] == 1:
        return best, first, np.full(len(scores), GONE, np.float32)
    scores[rows, best] = GONE
    second = scores.max(axis=1)
    scores[rows, best] = first
    return best, first, second


def sentences(answer: str) -> list[str]:
    """The sentences of an answer, at most `SENTENCES`; the answer itself where it has none of any length.

    Example:
        >>> sentences("Yes. Ask our support; they send a label.")
        ['Ask our support;', 'they send a label.']
    """
    parts = [part.strip() for part in SENTENCE.split(answer)]
    return [part for part in parts if len(part) >= SHORT][:SENTENCES] or [answer]


def spread_of(vectors: Float32) -> float:
    """1 minus the mean cosine of unrelated texts, given as n unit vectors; at least 0.05."""
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return max(1 - float(total @ total - n) / max(n * (n - 1), 1), 0.05)


@functools.cache
def outsiders(language: str = "en") -> tuple[str, ...]:
    """Questions and remarks that hardly any FAQ answers, in a language (ISO 639-1); English where it has none."""
    folder = Path(__file__).with_name("outsiders")
    path = folder / f"{language}.txt"
    return tuple((path if is_file(path) else folder / "en.txt").read_text(encoding="utf-8").splitlines())


class Reader:
    """An encoder, as a FAQ reads texts with it; `texts` are what the FAQ says, to tell its languages by.

    `outsiders` are questions in its language that hardly any FAQ answers, `spread` is 1 minus the mean cosine of
    those.
    """

    def __init__(self, encoder: Encoder, texts: Iterable[str]) -> None:
        self.encoder, self._role = encoder, symmetric_role(encoder)
        languages = languages_of(Counter(word for text in texts for word in words_of(text))) or ("en",)
        self.outsiders = outsiders(languages[0])
        self._common = frozenset().union(*map(stop_words, languages))
        self._foreign: list[Float32] | None = None
        self._outside = self.vectors(self.outsiders)
        self.spread = spread_of(self._outside)

    def vectors(self, texts: Iterable[str], progress: Progress = False) -> Float32:
        """Unit vectors, shape (n, d)."""
        data = self.encoder.encode(texts, role=self._role, progress=progress).data
        return unit_rows(data, f"the vectors of {self.encoder.name}", ZeroRow.KEEP)

    def questions(self, texts: Sequence[str], words: bool) -> Questions:
        """Questions, with their words where those are compared: the model runs once for both."""
        read = self._read(texts) if words else None
        if read is None:
            return Questions(self.vectors(texts))
        return Questions(self._wholes(texts, read), self._moved([each.words for each in read]))

    def _wholes(self, texts: Sequence[str], read: Sequence[_Read]) -> Float32:
        """The vectors of texts whose words were read, as `vectors` gives them."""
        wholes = [each.whole for each in read if each.whole is not None]
        if len(wholes) < len(read) or not np.isfinite(np.sum(wholes)):
            return self.vectors(texts)  # which warns of what is cut, or refuses it
        self.encoder.check_language(list(dict.fromkeys(texts)))
        data = normalize(np.stack(wholes), zero="keep")
        return unit_rows(data, f"the vectors of {self.encoder.name}", ZeroRow.KEEP)

    def strangers(self, more: Sequence[str], words: bool) -> Questions:
        """The outsiders and some more questions that the FAQ shall not answer."""
        vectors = np.concatenate([self._outside, self.vectors(more)]) if more else self._outside
        return Questions(vectors, self.words([*self.outsiders, *more]) if words else None)

    def phrasebook(self, items: Sequence[FAQItem], progress: Progress = False) -> Phrasebook:
        """The entries, with their answers, and their words where each has one phrasing."""
        phrasings = [text for item in items for text in (item.question, *item.phrasings)]
        owner = np.repeat(np.arange(len(items)), [1 + len(item.phrasings) for item in items])
        rows = [row for row, item in enumerate(items) if item.answer]
        parts = [sentences(items[row].answer or "") for row in rows]
        wholes = [f"{items[row].question} {items[row].answer}" for row in rows]
        texts = [*phrasings, *wholes, *(part for each in parts for part in each)]
        questions, whole, part = np.split(self.vectors(texts, progress), np.cumsum([len(phrasings), len(wholes)]))
        answers = None
        if rows:
            answers = AnswerVectors(np.array(rows, np.int64), whole, part, np.cumsum([0, *map(len, parts[:-1])]))
        entries = asked = None
        if len(phrasings) == len(items):
            texts = list(phrasings)
            for row, text in zip(rows, wholes, strict=True):
                texts[row] = text
            if sum(text.count(" ") for text in texts) <= MOST_WORDS:
                entries, asked = self.words(texts), self.words(phrasings)
        unit = self.spread / REFERENCE_SPREAD
        return Phrasebook(np.ascontiguousarray(questions), owner.astype(np.int64), answers, entries, asked, unit)

    def words(self, texts: Sequence[str]) -> WordVectors | None:
        """The words of each text that say something, less what words have in common.

        None where the model gives vectors of whole texts only.
        """
        known = len(self.outsiders) if tuple(texts[: len(self.outsiders)]) == self.outsiders else 0
        read = self._read(texts[known:])
        return None if read is None else self._moved([each.words for each in read], known)

    def _moved(self, found: list[Float32], known: int = 0) -> WordVectors | None:
        """The words of the first so many outsiders and of further texts, less what words have in common."""
        if self._foreign is None:
            outside = self._read(self.outsiders)
            self._foreign = None if outside is None else [each.words for each in outside]
        if self._foreign is None:
            return None
        found = [*self._foreign[:known], *found]
        counts = [len(each) for each in found]
        moved = np.concatenate(found) - np.concatenate(self._foreign).mean(axis=0)
        return WordVectors(_directions(moved), np.cumsum([0, *counts[:-1]]))

    def _read(self, texts: Sequence[str]) -> list[_Read] | None:
        """Of each text the directions of its words, without stop words if others are left; and its own vector."""
        from nearsense.encoders.batch import TokenEncoder
        from nearsense.encoders.cache import runner_of, uncached

        encoder = uncached(self.encoder)
        if not isinstance(runner_of(encoder), TokenEncoder):
            return None
        found: list[_Read] = []
        for part in blocks(len(texts), TEXTS_AT_ONCE):
            try:
                read = encoder.tokens(texts[part], role=self._role, long="head")
            except UnsupportedModel:
                return None
            for text, known in zip(texts[part], read, strict=True):
                words = [text[first:last].lower() for first, last in known.spans.tolist()]
                telling = [any(map(str.isalnum, word)) and word not in self._common for word in words]
                own = np.zeros((len(words), known.vectors.shape[1]), np.float32)
                np.add.at(own, known.words[known.words >= 0], known.vectors[known.words >= 0])
                own = _directions(own)
                if any(telling):
                    own = own[np.array(telling)]
                said = own if len(own) else np.zeros((1, known.vectors.shape[1]), np.float32)
                found.append(_Read(said, None if known.truncated else known.whole))
        return found


class _Read(NamedTuple):
    """A text as the model read it."""

    words: Float32  # (w, d): directions
    whole: Float32 | None  # (d,): its own vector, of any length; None where it was cut, or the model gives none


def _directions(rows: Float32) -> Float32:
    """Rows at unit length; what is shorter than 1e-6 stays near zero."""
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return rows
