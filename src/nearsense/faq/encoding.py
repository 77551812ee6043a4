"""From the texts of a FAQ to what is compared: vectors, and the vectors of words as their sentences make them.

Words are compared where each entry has one phrasing and the model tells them apart. Not how near they are: see
scores.py.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress
from nearsense.encoders import Encoder
from nearsense.encoders.base import symmetric_role
from nearsense.errors import UnsupportedModel
from nearsense.faq.certainty import REFERENCE_SPREAD, spread_of
from nearsense.faq.entries import FAQItem
from nearsense.faq.scores import Answers, Phrasebook, Questions, Words, sentences
from nearsense.lexical import words as words_of
from nearsense.stopwords import languages_of, stop_words
from nearsense.vectors.rows import ZeroRow, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

__all__ = ["Reader", "outsiders"]

MOST_WORDS = 20_000
"""Beyond so many words, entries are not compared by them: it would take longer than to encode the question."""

BATCH = 512
"""Texts whose words are read at once: the vectors of all their tokens are in memory."""


@functools.cache
def outsiders(language: str = "en") -> tuple[str, ...]:
    """Questions and remarks that hardly any FAQ answers, in a language; in English where it has none.

    Args:
        language: ISO 639-1.

    Example:
        >>> outsiders()[0], outsiders("it")[0]
        ('What is the capital of Australia?', "Qual è la capitale dell'Australia?")
    """
    folder = Path(__file__).with_name("outsiders")
    path = folder / f"{language}.txt"
    return tuple((path if path.exists() else folder / "en.txt").read_text(encoding="utf-8").splitlines())


class Reader:
    """An encoder, as a FAQ of some items reads texts with it.

    Args:
        encoder: The model.
        texts: What the FAQ says, to tell its languages by.

    Attributes:
        outsiders: Questions in its language that hardly any FAQ answers.
        spread: 1 minus the mean cosine of those.
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
        """Questions, with their words where those are compared."""
        return Questions(self.vectors(texts), self.words(texts) if words else None)

    def phrasebook(self, items: Sequence[FAQItem], progress: Progress = False) -> Phrasebook:
        """The entries, with their answers, and their words where each has one phrasing."""
        phrasings = [text for item in items for text in (item.question, *item.phrasings)]
        owner = np.repeat(np.arange(len(items)), [1 + len(item.phrasings) for item in items])
        said = [(row, item.question, item.answer) for row, item in enumerate(items) if item.answer]
        parts = [sentences(answer) for _, _, answer in said]
        wholes = [f"{question} {answer}" for _, question, answer in said]
        texts = [*phrasings, *wholes, *(part for each in parts for part in each)]
        questions, whole, part = np.split(self.vectors(texts, progress), np.cumsum([len(phrasings), len(wholes)]))
        answers = None
        if said:
            starts = np.cumsum([0, *map(len, parts[:-1])])
            answers = Answers(np.array([row for row, _, _ in said], np.int64), whole, part, starts)
        entries = asked = None
        if len(phrasings) == len(items):
            texts = list(phrasings)
            for (row, _, _), text in zip(said, wholes, strict=True):
                texts[row] = text
            if sum(text.count(" ") for text in texts) <= MOST_WORDS:
                entries, asked = self.words(texts), self.words(phrasings)
        unit = self.spread / REFERENCE_SPREAD
        return Phrasebook(np.ascontiguousarray(questions), owner.astype(np.int64), answers, entries, asked, unit)

    def strangers(self, more: Sequence[str], words: bool) -> Questions:
        """The outsiders and some more questions that the FAQ shall not answer."""
        vectors = np.concatenate([self._outside, self.vectors(more)]) if more else self._outside
        return Questions(vectors, self.words([*self.outsiders, *more]) if words else None)

    def words(self, texts: Sequence[str]) -> Words | None:
        """The words of each text that say something, less what words have in common.

        None where the model gives vectors of whole texts only.
        """
        if self._foreign is None:
            self._foreign = self._read(self.outsiders)
        known = len(self.outsiders) if tuple(texts[: len(self.outsiders)]) == self.outsiders else 0
        found = self._read(texts[known:])
        if self._foreign is None or found is None:
            return None
        found = [*self._foreign[:known], *found]
        counts = [len(each) for each in found]
        moved = np.concatenate(found) - np.concatenate(self._foreign).mean(axis=0)
        moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-6)
        return Words(moved, np.cumsum([0, *counts[:-1]]))

    def _read(self, texts: Sequence[str]) -> list[Float32] | None:
        """Of each text the directions of its words: without stop words, if others are left."""
        from nearsense.encoders.batch import TokenEncoder
        from nearsense.encoders.cache import uncached

        encoder = uncached(self.encoder)
        if not isinstance(encoder, TokenEncoder):
            return None
        found = []
        for start in range(0, len(texts), BATCH):
            block = texts[start : start + BATCH]
            try:
                read = encoder.tokens(block, role=self._role, long="head")
            except UnsupportedModel:
                return None
            for text, known in zip(block, read, strict=True):
                words = [text[first:last].lower() for first, last in known.spans.tolist()]
                telling = [any(map(str.isalnum, word)) and word not in self._common for word in words]
                kept = np.zeros((len(words), known.vectors.shape[1]), np.float32)
                np.add.at(kept, known.words[known.words >= 0], known.vectors[known.words >= 0])
                kept /= np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-6)
                if any(telling):
                    kept = kept[np.array(telling)]
                found.append(kept if len(kept) else np.zeros((1, known.vectors.shape[1]), np.float32))
        return found
