"""Yardsticks without a model: TF-IDF of words or character n-grams, and shared words. BM25 is for search.

In its form and its defaults it is scikit-learn's `TfidfVectorizer`: counts times ln((1 + n) / (1 + df)) + 1, rows
of unit length; words are runs of two or more word characters, character n-grams have 3 to 5 and stay within a word
and the spaces around it. A term is known by a hash of 64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from nearsense.lexical.postings import term_hash
from nearsense.records import parse
from nearsense.vectors.rows import blocks, normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Keys = NDArray[np.uint64]
    Ints = NDArray[np.int64]


COMMON, ROOM = 512, 2**22
"""Terms that are multiplied as a dense matrix; inner products held at a time."""


class Unit(StrEnum):
    """What a text is counted by."""

    WORDS = "words"
    CHARACTERS = "characters"  # 3 to 5 neighbouring ones


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """n rows of which few cells are not zero, row by row."""

    offsets: NDArray[np.int64]  # (n + 1,): the cells of row i stand at `offsets[i]` to `offsets[i + 1]`
    columns: NDArray[np.int64]  # the column of each cell, ascending within a row
    values: NDArray[np.float64]  # what stands in it
    width: int  # how many columns there are

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> Ints:
        """The row of each cell."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def take(self, rows: Ints) -> Sparse:
        """Some rows, in their order."""
        sizes = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        places = np.repeat(self.offsets[:-1][rows] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return Sparse(offsets, self.columns[places], self.values[places], self.width)

    def projected(self, dimension: int, seed: int = 0) -> NDArray[np.float32]:
        """As dense rows of unit length: each column goes to one of `dimension`, with a sign drawn by chance.

        Inner products are kept in expectation (Weinberger et al. 2009, feature hashing).
        """
        random = np.random.default_rng(seed)
        place, sign = random.integers(0, dimension, self.width), random.choice([-1.0, 1.0], self.width)
        cells = self.rows * dimension + place[self.columns]
        total = np.bincount(cells, self.values * sign[self.columns], len(self) * dimension).astype(np.float32)
        dense = total.reshape(len(self), dimension)
        return normalize(dense, zero="keep")


class Tfidf:
    """Learns from texts how rare each term is (`"words"` or `"characters"`), then weighs texts by it.

    Example:
        >>> model = Tfidf(["a red car", "a blue car"])
        >>> weights = model(["red car"])
        >>> weights.values.round(4), len(weights), weights.width
        (array([0.5797, 0.8148]), 1, 3)
    """

    def __init__(self, texts: Sequence[str], unit: str = Unit.WORDS) -> None:
        self.unit = parse(Unit, unit, name="unit")
        counted, self._terms = _count_terms(texts, self.unit, None)
        frequencies = np.bincount(counted.columns, minlength=len(self._terms))
        self._idf = np.log((1.0 + len(texts)) / (1.0 + frequencies)) + 1.0
        self.fitted = self._weigh(counted)
        """The weights of the texts that it learnt from."""

    def __call__(self, texts: Sequence[str]) -> Sparse:
        """The weights of texts; terms that were not learnt count for nothing."""
        return self._weigh(_count_terms(texts, self.unit, self._terms)[0])

    def _weigh(self, counted: Sparse) -> Sparse:
        values = counted.values * self._idf[counted.columns]
        norms = np.sqrt(np.bincount(counted.rows, values * values, len(counted)))
        values /= np.repeat(np.maximum(norms, 1e-300), np.diff(counted.offsets))
        return Sparse(counted.offsets, counted.columns, values, counted.width)


def paired_dot(a: Sparse, b: Sparse) -> NDArray[np.float64]:
    """Row i of `a` with row i of `b`, float64, shape (n,): of rows of unit length the cosine."""
    left, right = (each.rows * each.width + each.columns for each in (a, b))
    shared, here, there = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    return np.bincount(shared // max(a.width, 1), a.values[here] * b.values[there], len(a)).astype(np.float64)


def overlaps(queries: Sparse, corpus: Sparse) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Some queries at a time: which, and their inner products with each row of `corpus`, float32, (queries, n).

    The most frequent terms are multiplied as a dense matrix, the others by their lists.
    """
    n, width = len(corpus), corpus.width
    frequencies = np.bincount(corpus.columns, minlength=width)
    common = np.argsort(-frequencies, kind="stable")[:COMMON]
    common = common[frequencies[common] > n // 100]
    place = np.full(width, -1, np.int64)
    place[common] = np.arange(len(common))
    dense = _dense(corpus, place, len(common))
    order = np.argsort(corpus.columns, kind="stable")
    rows, values = corpus.rows[order], corpus.values[order]
    starts = np.concatenate([[0], np.cumsum(frequencies)])
    for block in blocks(len(queries), max(1, ROOM // max(n, 1))):
        part = queries.take(np.arange(block.start, block.stop))
        found = _dense(part, place, len(common)) @ dense.T
        rare = place[part.columns] < 0
        columns, who = part.columns[rare], part.rows[rare]
        sizes = frequencies[columns]
        before = np.cumsum(sizes) - sizes
        cells = np.repeat(starts[columns] - before, sizes) + np.arange(int(sizes.sum()))
        worth = np.repeat(part.values[rare], sizes) * values[cells]
        targets = np.repeat(who * n, sizes) + rows[cells]
        found += np.bincount(targets, worth, found.size).reshape(found.shape)
        yield block, found


def _dense(cells: Sparse, place: Ints, width: int) -> NDArray[np.float32]:
    """Some columns as a dense matrix."""
    dense = np.zeros((len(cells), width), np.float32)
    where = place[cells.columns]
    chosen = where >= 0
    dense[cells.rows[chosen], where[chosen]] = cells.values[chosen]
    return dense


def _count_terms(texts: Sequence[str], unit: Unit, known: Keys | None) -> tuple[Sparse, Keys]:
    """How often each text holds each term, and the terms by their hashes, ascending."""
    rows, keys = _KEYS[unit](texts)
    if known is None:
        known, columns = np.unique(keys, return_inverse=True)
    else:
        columns = np.searchsorted(known, keys)
        columns[columns == len(known)] = 0
        there = known[columns] == keys if len(known) else np.zeros(len(keys), bool)
        rows, columns = rows[there], columns[there]
    width = len(known)
    cells, counts = np.unique(rows * width + columns, return_counts=True)
    row_of, column_of = np.divmod(cells, max(width, 1))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row_of, minlength=len(texts)))])
    return Sparse(offsets.astype(np.int64), column_of, counts.astype(np.float64), width), known


_WORD = re.compile(r"\b\w\w+\b")


class _Hashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = found = term_hash(word)
        return found


def _words(texts: Sequence[str]) -> tuple[Ints, Keys]:
    """The words of all texts: which text, and which word."""
    hashes = _Hashes()
    found = [_WORD.findall(text.lower()) for text in texts]
    keys = np.fromiter(map(hashes.__getitem__, chain.from_iterable(found)), np.uint64)
    return np.repeat(np.arange(len(texts)), np.fromiter(map(len, found), np.int64, len(texts))), keys


SHORTEST, LONGEST = 3, 5
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def _grams(texts: Sequence[str]) -> tuple[Ints, Keys]:
    """The character n-grams of all texts.

    All words stand behind each other in one array, each with a space before and after it; a hash of n neighbours
    is a polynomial of their codes, and those that reach over the end of a word are left out.
    """
    words = [text.lower().split() for text in texts]
    joined = "".join(f" {word} " for word in chain.from_iterable(words))
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.fromiter((len(word) + 2 for word in chain.from_iterable(words)), np.int64)
    text_of = np.repeat(np.arange(len(texts)), np.fromiter(map(len, words), np.int64, len(texts)))
    ends = np.repeat(np.cumsum(lengths), lengths)
    owner, left = np.repeat(text_of, lengths), ends - np.arange(len(codes))
    rows, keys = [], []
    hashes = np.zeros(len(codes), np.uint64)
    for size in range(1, LONGEST + 1):
        whole = hashes[: len(codes) - size + 1] if size <= len(codes) else hashes[:0]
        whole *= _FACTOR
        whole += codes[size - 1 :] + np.uint64(1)
        if size >= SHORTEST:
            fits = np.flatnonzero(left[: len(whole)] >= size)
            rows.append(owner[fits])
            keys.append(whole[fits])
    return np.concatenate(rows), np.concatenate(keys)


_KEYS = {Unit.WORDS: _words, Unit.CHARACTERS: _grams}


def words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case."""
    return frozenset(re.findall(r"\w+", text.lower()))


def jaccard(query: str, corpus: Sequence[str]) -> NDArray[np.float32]:
    """The words that a query and each text share, as a part of all words of both (Jaccard 1912): float32, (n,)."""
    asked = words(query)
    scores = np.zeros(len(corpus), np.float32)
    for row, text in enumerate(corpus):
        found = words(text)
        scores[row] = len(asked & found) / max(len(asked | found), 1)
    return scores
