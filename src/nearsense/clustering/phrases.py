"""Texts as the words and pairs of words in them, counted once. Not which of them name a cluster: see naming.py.

A word is a run of letters and digits; its inflections are one term where the texts are English (Porter's stems). A
pair is two neighbours with no stop word and no punctuation between them. A term counts once a text, however often
the text says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from nearsense.lexical.analysis import stemmed, tokens
from nearsense.stopwords import languages_of, stop_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["WITHOUT_SPACES", "Phrases", "count"]

LONGEST, BUDGET, LEAST = 1_000, 60_000_000, 100
"""Characters that are read of a text, of all texts together, and of a text at least."""

BLOCK = 4_000_000
"""Characters that are split at a time."""

_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0fff"
    "\u1000-\u1049\u1780-\u17d3"
)
"""Vowels and accents that stand on letters, which the expression's own classes take for punctuation."""

_SPLIT = re.compile(rf"(?:[^\W_]|[{_MARKS}])+|[^\w\s'\u2019\-]|\n")

WITHOUT_SPACES = "\u2e80"
"""From here on scripts put no space between words: Chinese, Japanese."""

FIRST_WORD = 1e-3
"""What a word that begins a sentence counts when its usual spelling is looked for: it is capital anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """Which texts hold which phrases. The first `words` phrases are single words, the others are pairs.

    Args:
        rows: int64, shape (m,): a text that holds a phrase.
        phrases: int64, shape (m,): the phrase; each pair of row and phrase occurs once.
        spelling: As it is usually written, a string a phrase.
        parts: int64, shape (phrases, 2): the words of each phrase; a single word twice.
        words: How many phrases are single words.
        texts: How many texts there are.
        languages: Whose stop words were left out; empty where no list fits.
        nameless: bool, shape (words,): digits alone, which name nothing.
    """

    rows: Ints
    phrases: Ints
    spelling: tuple[str, ...]
    parts: Ints
    words: int
    texts: int
    languages: tuple[str, ...]
    nameless: NDArray[np.bool_]


def count(texts: Sequence[str], language: str | None = None) -> Phrases:
    """Count the phrases of texts.

    Args:
        texts: Any texts; of a long one its beginning is read.
        language: Whose stop words are left out, ISO 639-1; by default that of the texts.

    Example:
        >>> found = count(["The exchange rate is bad.", "Which exchange rate?"])
        >>> found.spelling, found.languages
        (('bad', 'exchange', 'rate', 'exchange rate'), ('en',))
    """
    read = _Reader(texts)
    languages = languages_of(read.frequencies()) if language is None else (language,)
    stops = frozenset().union(*map(stop_words, languages))
    names, term_of = _terms([surface.lower() for surface in read.surfaces], stops, "en" in languages)
    stream = np.where(read.stream >= 0, term_of[read.stream], -1)
    nameless = np.array([not any(map(str.isalpha, name)) for name in names], np.bool_)
    rows, keys = read.rows, stream
    single = _distinct(rows[keys >= 0], keys[keys >= 0], len(names))
    first, second = stream[:-1], stream[1:]
    together = (first >= 0) & (second >= 0) & (first != second) & (rows[:-1] == rows[1:])
    together &= ~(read.grams[:-1] | read.grams[1:])
    if len(names):
        together &= ~(nameless[first] & nameless[second])
    at = np.flatnonzero(together)
    pairs, which = np.unique(first[at] * max(len(names), 1) + second[at], return_inverse=True)
    pair_rows, pair_keys = _distinct(rows[at], which, len(pairs))
    often = np.bincount(pair_keys, minlength=len(pairs)) > 1
    place = np.cumsum(often) - 1
    kept = often[pair_keys]
    parts = np.stack(np.divmod(pairs[often], max(len(names), 1)), axis=1).reshape(-1, 2)
    spelling = [
        *read.spelt(stream, len(names)),
        *read.spelt_pairs(at[often[which]], place[which[often[which]]], len(parts)),
    ]
    return Phrases(
        np.concatenate([single[0], pair_rows[kept]]),
        np.concatenate([single[1], place[pair_keys[kept]] + len(names)]),
        tuple(spelling),
        np.concatenate([np.arange(len(names)).repeat(2).reshape(-1, 2), parts]),
        len(names),
        len(texts),
        languages,
        nameless,
    )


def _distinct(rows: Ints, keys: Ints, width: int) -> tuple[Ints, Ints]:
    """Each pair of row and key once."""
    cells = np.unique(rows * max(width, 1) + keys)
    found = np.divmod(cells, max(width, 1))
    return found[0], found[1]


def _terms(words: Sequence[str], stops: frozenset[str], english: bool) -> tuple[list[str], Ints]:
    """The terms, sorted, and which of them each word is; -1 for stop words and single letters."""
    kept = [None if word in stops or _letter(word) else stemmed(word) if english else word for word in words]
    names = sorted({name for name in kept if name is not None})
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([-1 if name is None else places[name] for name in kept] or [-1], np.int64)


def _parts(word: str) -> list[str]:
    """What a run without spaces is split into; of characters in a row each two, and none alone."""
    parts = tokens(word)
    paired = {sign for part in parts if len(part) == 2 and part >= WITHOUT_SPACES for sign in part}
    return [part for part in parts if part not in paired]


def _letter(word: str) -> bool:
    """A single letter or digit; a Chinese character is a word."""
    return len(word) == 1 and word < WITHOUT_SPACES


class _Surfaces(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = place = len(self) if word[-1].isalnum() or len(word) > 1 else -1 - (word == "\n")
        return place


class _Reader:
    """All words of all texts behind each other, as numbers; -1 stands for punctuation."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._numbers = _Surfaces()
        limit = min(LONGEST, max(LEAST, BUDGET // max(len(texts), 1)))
        blocks = [self._block(block) for block in _blocks(texts, limit)]
        whole = np.concatenate(blocks) if blocks else np.empty(0, np.int64)
        ends = whole == -2
        self.rows = np.cumsum(ends) - ends
        self.surfaces, self.stream = self._numbered(whole)
        self._expand()
        before = np.concatenate([[-1], self.stream[:-1]])
        self._weights = np.where((before < 0) | (np.diff(self.rows, prepend=-1) > 0), FIRST_WORD, 1.0)

    def _block(self, block: list[str]) -> Ints:
        words = _SPLIT.findall("\n".join(block) + "\n")
        return np.fromiter(map(self._numbers.__getitem__, words), np.int64, len(words))

    def _numbered(self, whole: Ints) -> tuple[list[str], Ints]:
        """The words in the order of the alphabet, so that nothing depends on which text came first."""
        words = [word for word, number in self._numbers.items() if number >= 0]
        order = sorted(range(len(words)), key=words.__getitem__)
        new = np.full(len(self._numbers) + 1, -1, np.int64)
        for place, old in enumerate(order):
            new[self._numbers[words[old]]] = place
        return [words[old] for old in order], np.where(whole >= 0, new[whole], -1)

    def _expand(self) -> None:
        """Scripts without spaces: each run of characters becomes its neighbouring pairs."""
        split = {
            place: parts
            for place, word in enumerate(self.surfaces)
            if not word.isascii() and len(parts := _parts(word)) > 1
        }
        self.grams = np.zeros(len(self.stream), np.bool_)
        if not split:
            return
        pieces = [split.get(place, [word]) for place, word in enumerate(self.surfaces)]
        words = sorted(set(chain.from_iterable(pieces)))
        places = {word: place for place, word in enumerate(words)}
        sizes = np.array([*map(len, pieces), 1], np.int64)
        flat = np.array([*(places[part] for part in chain.from_iterable(pieces)), -1], np.int64)
        starts = np.cumsum(sizes) - sizes
        repeats = sizes[self.stream]
        offset = np.arange(int(repeats.sum())) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        self.grams = np.repeat(repeats > 1, repeats)
        self.rows = np.repeat(self.rows, repeats)
        self.stream = flat[np.repeat(starts[self.stream], repeats) + offset]
        self.surfaces = words

    def frequencies(self) -> dict[str, int]:
        """How often each word occurs, in small letters."""
        counts = np.bincount(self.stream[self.stream >= 0], minlength=len(self.surfaces))
        found: dict[str, int] = {}
        for surface, times in zip(self.surfaces, counts.tolist(), strict=True):
            found[surface.lower()] = found.get(surface.lower(), 0) + times
        return found

    def spelt(self, terms: Ints, width: int) -> Iterator[str]:
        """How each term is usually written."""
        return (self.surfaces[place] for place in self._usual(terms, self.stream, width))

    def spelt_pairs(self, at: Ints, keys: Ints, width: int) -> Iterator[str]:
        """How each pair is usually written; `at` are the places of its first words."""
        both = self.stream[at] * (len(self.surfaces) + 1) + self.stream[at + 1]
        for place in self._usual(keys, both, width, at):
            left, right = divmod(place, len(self.surfaces) + 1)
            yield f"{self.surfaces[left]} {self.surfaces[right]}"

    def _usual(self, keys: Ints, written: Ints, width: int, at: Ints | None = None) -> list[int]:
        """Of each key the most frequent way of writing, the first in the alphabet among equals."""
        weights = self._weights if at is None else self._weights[at]
        known = keys >= 0
        keys, written, weights = keys[known], written[known], weights[known]
        ways, which = np.unique(written, return_inverse=True)
        cells, cell_of = np.unique(keys * max(len(ways), 1) + which, return_inverse=True)
        worth = np.bincount(cell_of, weights, len(cells))
        owner, way = np.divmod(cells, max(len(ways), 1))
        order = np.lexsort((-way, -np.round(worth, 6), owner))
        first = np.searchsorted(owner[order], np.arange(width))
        chosen: list[int] = ways[way[order][first]].tolist() if width else []
        return chosen


def _blocks(texts: Sequence[str], limit: int) -> Iterator[list[str]]:
    """The beginnings of texts, each on one line, some at a time."""
    block: list[str] = []
    size = 0
    for text in texts:
        line = " . ".join(text[:limit].splitlines())
        block.append(line)
        size += len(line)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block
