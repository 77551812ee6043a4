"""Groups become clusters: with exemplars, themes, and as names the phrases that set each apart from the others.

A word is a run of letters and digits; its inflections are one term where the texts are English (Porter's stems). A
pair is two neighbours with no stop word and no punctuation between them. A term counts once a text, however often
the text says it.

A word's weight in a cluster is its class-based TF-IDF (Grootendorst 2022): tf log(1 + A / f), tf being the share
of the cluster's texts that hold it, f how many texts of all do, and A how many words a cluster has on average. A
pair of words weighs as much as both together, times the share of the weightier word's texts that hold the pair, to
the power of 0.4.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense.clustering.geometry import (
    SLACK,
    Shape,
    centroids_and_thresholds,
    numbered_by_size,
    places_by_text,
    shapes,
)
from nearsense.clustering.kmeans import spherical
from nearsense.clustering.records import Cluster, ClusteredTexts, ClusterModel, Level, Partition, Settings
from nearsense.lexical.analysis import stemmed, tokens
from nearsense.markup import EVERY, words_alone
from nearsense.stopwords import languages_of, stop_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.clustering.records import Floats, Ints
    from nearsense.markup import Markup
    from nearsense.records import Document

    Doubles = NDArray[np.float64]

FEW_FOR_THEMES = 8  # with fewer clusters there is nothing to gain from themes
KEYWORDS = 10  # phrases that a cluster has at most
TOGETHER = 0.4  # how much it takes from a pair that its words also stand alone
MOST = 3  # phrases of a name, where fewer do not cover the cluster
SHORT = 60  # characters of a name that is made of whole texts

COVERED = 0.6
"""Share of a cluster's texts that hold one of the phrases of its name: with so many it is long enough."""

WORTHY = 0.45  # a further phrase of a name weighs at least so much of the first
BESIDE_A_WORD = 0.3  # the same where the name is one word so far, which says little
LOOKED_AT = 60  # phrases of a cluster that are looked at
EVERYWHERE = 0.6  # where no list of stop words fits: what stands in so many of the clusters is one
FEW_CLUSTERS = 4  # with fewer, standing in most of them says nothing

LONGEST, BUDGET, LEAST = 1_000, 60_000_000, 100  # characters read of a text, of all together, of a text at least
WITH_MARKUP = 4  # times as many are looked at where there is markup between them

BLOCK = 4_000_000  # characters that are split at a time

_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0fff"
    "\u1000-\u1049\u1780-\u17d3"
)
"""Vowels and accents that stand on letters, which the expression's own classes take for punctuation."""

_SPLIT = re.compile(rf"(?:[^\W_]|[{_MARKS}])+|[^\w\s'\u2019\-]|\n")

WITHOUT_SPACES = "\u2e80"  # from here on scripts put no space between words: Chinese, Japanese

FIRST_WORD = 1e-3
"""What a word that begins a sentence counts when its usual spelling is looked for: it is capital anyway."""


def describe_clusters(
    texts: ClusteredTexts, found: Partition, settings: Settings, *, parent: int | None = None
) -> Level:
    """The groups of texts as clusters, under themes where there are many, or as parts of the cluster `parent`."""
    places, data = places_by_text(texts.documents), texts.vectors.data
    phrases = phrases_of([document.text for document in texts.documents], texts.language, texts.markup)

    def level_of(
        labels: Ints, core: NDArray[np.bool_] | None, seed: int, reach: float = 1.0
    ) -> tuple[Level, list[Shape]]:
        total = int(labels.max(initial=-1)) + 1
        outer = shapes(data, labels, total, places)
        inner = outer if core is None else shapes(data, np.where(core, labels, -1), total, places)
        centroids, thresholds = centroids_and_thresholds(inner, data.shape[1])
        if reach < 1:
            usual = centroids @ data[np.argsort(places)].mean(axis=0)
            thresholds = usual + np.float32(reach) * (thresholds - usual) - np.float32(SLACK)
        model = ClusterModel(np.arange(total), centroids, thresholds, settings.min_size, seed)
        clusters = name_clusters(texts.documents, outer, phrases, labels)
        return Level(
            clusters, labels, found.strengths, settings.method, found.exact, model, strict=settings.strict
        ), outer

    labels = numbered_by_size(found.labels, places)
    level, geometry = level_of(labels, found.core, settings.seed, found.reach)
    if parent is not None:
        return replace(level, clusters=[replace(cluster, parent=parent) for cluster in level.clusters])
    theme_of = _themes(level.model.centroids)
    if theme_of is None:
        return level
    above = numbered_by_size(np.where(labels >= 0, theme_of[labels], -1), places)
    themes, _ = level_of(above, None, 0)
    parents = [int(above[each.rows[0]]) for each in geometry]
    under = [replace(cluster, parent=theme) for cluster, theme in zip(level.clusters, parents, strict=True)]
    return replace(level, clusters=under, themes=themes)


def _themes(centroids: Floats) -> Ints | None:
    """The theme of each cluster, as many as the square root of the clusters; None where there is nothing to gain.

    The centroids are grouped by direction, as texts are. On 150 clusters of assistant requests that finds their
    ten domains better than merging the nearest two again and again does: V-measure 0.59 against 0.52.
    """
    if len(centroids) < FEW_FOR_THEMES:
        return None
    labels = spherical(centroids, round(math.sqrt(len(centroids)))).labels
    return labels if labels.max() > 0 else None


def name_clusters(
    documents: Sequence[Document],
    geometry: Sequence[Shape],
    phrases: Phrases,
    labels: Ints,
    *,
    first: int = 0,
    taken: Sequence[str] = (),
) -> list[Cluster]:
    """The clusters from `first` on with names that are not taken, in the order of their geometry."""
    called = cluster_names(phrases, labels, len(geometry), taken=taken, first=first)
    clusters = []
    used = {*taken, *(label for label, _ in called)}
    for number in range(first, len(geometry)):
        (label, keywords), shape = called[number], geometry[number]
        members = [documents[row] for row in shape.rows.tolist()]
        if not keywords:  # nothing but numbers or signs
            label = _by_texts(members, used) or label
            used.add(label)
        ids = tuple(document.id for document in members)
        clusters.append(Cluster(number, label, keywords, len(ids), shape.cohesion, members[0], ids))
    return clusters


def _by_texts(members: Sequence[Document], used: set[str]) -> str:
    """The most frequent texts of a cluster as its name, "404, 500, 503"; empty where they are long, or taken."""
    counts = Counter(" ".join(document.text.split()) for document in members)
    label = ", ".join(text for text, _ in counts.most_common(MOST) if text)
    return label if len(label) <= SHORT and label not in used else ""


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """Which texts hold which phrases. The first `words` phrases are single words, the others are pairs."""

    rows: Ints  # (m,): a text that holds a phrase
    phrases: Ints  # (m,): the phrase; each pair of row and phrase occurs once
    spelling: tuple[str, ...]  # as it is usually written, a string a phrase
    parts: Ints  # (phrases, 2): the words of each phrase; a single word twice
    words: int  # how many phrases are single words
    languages: tuple[str, ...]  # whose stop words were left out; empty where no list fits
    nameless: NDArray[np.bool_]  # (words,): digits alone, which name nothing


def phrases_of(texts: Sequence[str], language: str | None = None, markup: Sequence[Markup] = EVERY) -> Phrases:
    """The phrases of texts without markup and the stop words of a language (ISO 639-1), or of those found."""
    limit = min(LONGEST, max(LEAST, BUDGET // max(len(texts), 1)))
    read = _WordStream(words_alone((text[: WITH_MARKUP * limit] for text in texts), markup), limit)
    languages = languages_of(read.frequencies()) if language is None else (language,)
    stops = frozenset().union(*map(stop_words, languages))
    terms, term_of = _terms([word.lower() for word in read.words], stops, "en" in languages)
    stream, rows, width = np.where(read.stream >= 0, term_of[read.stream], -1), read.rows, max(len(terms), 1)
    nameless = np.array([not any(map(str.isalpha, term)) for term in terms], np.bool_)
    known = stream >= 0
    single_rows, singles = _distinct_pairs(rows[known], stream[known], len(terms))
    first, second = stream[:-1], stream[1:]
    together = (first >= 0) & (second >= 0) & (first != second) & (rows[:-1] == rows[1:])
    together &= ~(read.grams[:-1] | read.grams[1:])
    if terms:
        together &= ~(nameless[first] & nameless[second])
    at = np.flatnonzero(together)
    pairs, which = np.unique(first[at] * width + second[at], return_inverse=True)
    pair_rows, pair_keys = _distinct_pairs(rows[at], which, len(pairs))
    often = np.bincount(pair_keys, minlength=len(pairs)) > 1
    place = np.cumsum(often) - 1
    counted, spelt = often[pair_keys], often[which]
    parts = np.stack(np.divmod(pairs[often], width), axis=1).reshape(-1, 2)
    spelling = (*read.spelt(stream, len(terms)), *read.spelt_pairs(at[spelt], place[which[spelt]], len(parts)))
    return Phrases(
        np.concatenate([single_rows, pair_rows[counted]]),
        np.concatenate([singles, place[pair_keys[counted]] + len(terms)]),
        spelling,
        np.concatenate([np.arange(len(terms)).repeat(2).reshape(-1, 2), parts]),
        len(terms),
        languages,
        nameless,
    )


def _distinct_pairs(rows: Ints, keys: Ints, width: int) -> tuple[Ints, Ints]:
    """Each pair of row and key once."""
    found = np.divmod(np.unique(rows * max(width, 1) + keys), max(width, 1))
    return found[0], found[1]


def _terms(words: Sequence[str], stops: frozenset[str], english: bool) -> tuple[list[str], Ints]:
    """The terms, sorted, and which of them each word is; -1 for stop words, single letters and digits."""
    of_words = [
        None if word in stops or (len(word) == 1 and word < WITHOUT_SPACES) else stemmed(word) if english else word
        for word in words
    ]
    terms = sorted({term for term in of_words if term is not None})
    places: dict[str | None, int] = {term: place for place, term in enumerate(terms)}
    return terms, np.array([places.get(term, -1) for term in of_words] or [-1], np.int64)


class _Numbers(dict[str, int]):
    """Each word's number in the order of their coming; -1 for punctuation, -2 for the end of a text."""

    def __missing__(self, word: str) -> int:
        self[word] = place = len(self) if word[-1].isalnum() or len(word) > 1 else -1 - (word == "\n")
        return place


class _WordStream:
    """All words of all texts behind each other, as numbers; -1 stands for punctuation.

    `words` are in the order of the alphabet, so that nothing depends on which text came first. `rows` says which
    text each word of `stream` is of, `grams` which are pairs of characters of scripts without spaces.
    """

    def __init__(self, texts: Sequence[str], limit: int) -> None:
        numbers = _Numbers()
        blocks = [np.empty(0, np.int64)]
        for block in _blocks(texts, limit):
            found = _SPLIT.findall(block)
            blocks.append(np.fromiter(map(numbers.__getitem__, found), np.int64, len(found)))
        whole = np.concatenate(blocks)
        ends = whole == -2
        self.rows = np.cumsum(ends) - ends
        self.words = sorted(word for word, number in numbers.items() if number >= 0)
        places = np.full(len(numbers) + 1, -1, np.int64)
        places[[numbers[word] for word in self.words]] = np.arange(len(self.words))
        self.stream = np.where(whole >= 0, places[whole], -1)
        self._split_into_grams()
        before = np.concatenate([[-1], self.stream[:-1]])
        self._weights = np.where((before < 0) | (np.diff(self.rows, prepend=-1) > 0), FIRST_WORD, 1.0)

    def _split_into_grams(self) -> None:
        """Scripts without spaces: each run of characters becomes its neighbouring pairs."""
        split = {
            place: parts
            for place, word in enumerate(self.words)
            if not word.isascii() and len(parts := _grams(word)) > 1
        }
        self.grams = np.zeros(len(self.stream), np.bool_)
        if not split:
            return
        pieces = [split.get(place, [word]) for place, word in enumerate(self.words)]
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
        self.words = words

    def frequencies(self) -> dict[str, int]:
        """How often each word occurs, in small letters."""
        counts = np.bincount(self.stream[self.stream >= 0], minlength=len(self.words))
        found: dict[str, int] = {}
        for word, times in zip(map(str.lower, self.words), counts.tolist(), strict=True):
            found[word] = found.get(word, 0) + times
        return found

    def spelt(self, terms: Ints, width: int) -> list[str]:
        """How each of `width` terms is usually written, where `terms` says which one each word is."""
        return [self.words[place] for place in self._usual_spellings(terms, self.stream, self._weights, width)]

    def spelt_pairs(self, at: Ints, keys: Ints, width: int) -> Iterator[str]:
        """How each of `width` pairs is usually written; `keys` says which one begins at each place in `at`."""
        both = self.stream[at] * (len(self.words) + 1) + self.stream[at + 1]
        for place in self._usual_spellings(keys, both, self._weights[at], width):
            left, right = divmod(place, len(self.words) + 1)
            yield f"{self.words[left]} {self.words[right]}"

    @staticmethod
    def _usual_spellings(keys: Ints, written: Ints, weights: Doubles, width: int) -> list[int]:
        """Of each key the most frequent way of writing, the first in the alphabet among equals."""
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


def _blocks(texts: Sequence[str], limit: int) -> Iterator[str]:
    """The beginnings of texts, each on one line, some at a time."""
    block: list[str] = []
    size = 0
    for text in texts:
        line = " . ".join(text[:limit].splitlines())
        block.append(line)
        size += len(line)
        if size >= BLOCK:
            yield "\n".join(block) + "\n"
            block, size = [], 0
    if block:
        yield "\n".join(block) + "\n"


def _grams(word: str) -> list[str]:
    """What a run without spaces is split into; of characters in a row each two, and none alone."""
    parts = tokens(word)
    paired = {sign for part in parts if len(part) == 2 and part >= WITHOUT_SPACES for sign in part}
    return [part for part in parts if part not in paired]


class Name(NamedTuple):
    """What a cluster is called: one to three of its phrases; and the phrases that set it apart, the best first."""

    label: str
    keywords: tuple[str, ...]


def cluster_names(
    phrases: Phrases, labels: Ints, clusters: int, *, taken: Sequence[str] = (), first: int = 0
) -> list[Name]:
    """Names for so many clusters; no two are equal, none is taken already, and none holds a stop word.

    Labels are of shape (n,), -1 for noise. Clusters before `first` have names; they only say what the others are
    set apart from.
    """
    used = {_words([label]) for label in taken}
    found = []
    for number, candidates in enumerate(_candidates(phrases, labels, clusters)):
        chosen = _without_shared_words(phrases, candidates)
        keywords = [phrases.spelling[each.phrase] for each in chosen]
        for length in range(_length(chosen), len(keywords) + 1):  # as long as it must be to be the only one
            words = _words(keywords[:length])
            if words and words not in used:
                label = ", ".join(keywords[:length])
                break
        else:
            label = " ".join([*keywords[:1], f"#{number}"]) if keywords else f"cluster {number}"
            words = _words([label])
        if number >= first:
            used.add(words)
        found.append(Name(label, tuple(keywords)))
    return found


def _words(keywords: Sequence[str]) -> frozenset[str]:
    """The words of a name in any order: "rate exchange" would be no other name than "exchange rate"."""
    return frozenset(" ".join(keywords).lower().replace(",", " ").split())


def weights(phrases: Phrases, labels: Ints, clusters: int) -> tuple[Ints, Ints, Doubles, Doubles]:
    """Every phrase of every cluster with its class-based TF-IDF.

    It is the cluster, the phrase, its share of the cluster's texts, and its weight; each of shape (m,).
    """
    owner = labels[phrases.rows]
    width = max(len(phrases.spelling), 1)
    cells, texts = np.unique((owner + 1) * width + phrases.phrases, return_counts=True)
    cluster, phrase = np.divmod(cells, width)
    frequency = np.bincount(phrases.phrases, minlength=width)
    groups = clusters + bool((labels < 0).any())
    average = frequency[: phrases.words].sum() / max(groups, 1)
    sizes = np.bincount(labels + 1, minlength=clusters + 1)
    share = texts / np.maximum(sizes[cluster], 1)
    weight = share * np.log1p(average / frequency[phrase])
    real = cluster > 0
    return cluster[real] - 1, phrase[real], share[real], weight[real]


class _Candidate(NamedTuple):
    """A phrase that might name a cluster; `once` where a single text of it holds it."""

    phrase: int
    share: float
    weight: float
    word: bool
    once: bool


def _candidates(phrases: Phrases, labels: Ints, clusters: int) -> Iterator[list[_Candidate]]:
    """The weightiest phrases of each cluster."""
    cluster, phrase, share, weight = weights(phrases, labels, clusters)
    width = max(len(phrases.spelling), 1)
    parts = phrases.parts[phrase]
    keys = cluster * width + phrase
    pair = phrase >= phrases.words
    left, right = (np.searchsorted(keys, cluster * width + parts[:, side]) for side in (0, 1))
    leading = np.where(weight[left] >= weight[right], share[left], share[right]) if len(share) else share
    together = share / np.maximum(leading, share)
    weight = np.where(pair, (weight[left] + weight[right]) * together**TOGETHER, weight)
    fit = np.ones(len(phrase), np.bool_)
    fit[~pair] = ~phrases.nameless[phrase[~pair]]
    sizes = np.bincount(labels[labels >= 0], minlength=clusters)
    once = share * sizes[cluster] < 1.5
    fit &= ~(once & pair) | (sizes[cluster] == 1)
    if not phrases.languages and clusters >= FEW_CLUSTERS:
        spread = np.bincount(phrase[~pair], minlength=width) / clusters
        fit &= (spread[parts] <= EVERYWHERE).all(axis=1)
    cluster, phrase, share, weight = cluster[fit], phrase[fit], share[fit], weight[fit]
    columns = (phrase, share, weight, phrase < phrases.words, once[fit])
    order = np.lexsort((phrase, -np.round(weight, 9), cluster))
    ends = np.searchsorted(cluster[order], np.arange(clusters + 1))
    for place in range(clusters):
        best = order[ends[place] : ends[place + 1]][:LOOKED_AT]
        yield list(map(_Candidate._make, zip(*(column[best].tolist() for column in columns), strict=True)))


def _without_shared_words(phrases: Phrases, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The best of them that share no word, nor a character where these are written without spaces."""
    chosen: list[_Candidate] = []
    used: set[int | str] = set()
    for candidate in candidates:
        words: set[int | str] = set(phrases.parts[candidate.phrase].tolist())
        spelling = phrases.spelling[candidate.phrase]
        if not spelling.isascii():
            words |= {sign for sign in spelling if sign >= WITHOUT_SPACES}
        if not words & used:
            chosen.append(candidate)
            used |= words
        if len(chosen) == KEYWORDS:
            break
    return chosen


def _length(candidates: Sequence[_Candidate]) -> int:
    """With how many phrases a name begins."""
    missed, length = 1.0, 0
    for candidate in candidates[:MOST]:
        alone = length == 1 and candidates[0].word
        enough = 1 - missed >= COVERED and not alone
        worthy = candidate.weight >= (BESIDE_A_WORD if alone else WORTHY) * candidates[0].weight
        if length and (enough or not worthy or candidate.once):
            break
        missed *= 1 - candidate.share
        length += 1
    return length
