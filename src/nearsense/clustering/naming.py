"""Clusters get names: the phrases that set each apart from the others. Not how phrases are counted: phrases.py.

A word's weight in a cluster is its class-based TF-IDF (Grootendorst 2022): tf log(1 + A / f), tf being the share
of the cluster's texts that hold it, f how many texts of all do, and A how many words a cluster has on average. A
pair of words weighs as much as both together, times the share of the weightier word's texts that hold the pair, to
the power of 0.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.phrases import WITHOUT_SPACES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.clustering.phrases import Phrases

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["KEYWORDS", "Name", "names", "weights"]

KEYWORDS = 10
"""Phrases that are kept of a cluster."""

TOGETHER = 0.4
"""How much it takes from a pair that its words also stand alone."""

MOST = 3
"""Phrases of a name, where fewer do not cover the cluster."""

COVERED = 0.6
"""Share of a cluster's texts that hold one of the phrases of its name: with so many it is long enough."""

WORTHY = 0.45
"""A further phrase of a name weighs at least so much of the first."""

BESIDE_A_WORD = 0.3
"""The same where the name is one word so far, which says little."""

LOOKED_AT = 60
"""Phrases of a cluster that are looked at."""

EVERYWHERE = 0.6
"""Where no list of stop words fits: what stands in so many of the clusters is one."""

FEW_CLUSTERS = 4
"""With fewer, standing in most of them says nothing."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a cluster is called.

    Args:
        label: Its name: one to three of its phrases.
        keywords: The phrases that set it apart, the best first.
    """

    label: str
    keywords: tuple[str, ...]


def names(
    phrases: Phrases, labels: Ints, clusters: int, *, taken: Sequence[str] = (), first: int = 0
) -> list[Name]:
    """Name clusters; no two names are equal, and none holds a stop word.

    Args:
        phrases: Those of n texts.
        labels: int64, shape (n,): the cluster of each text from 0, -1 for noise.
        clusters: How many there are; names are given in this order.
        taken: Names that must not be given again.
        first: Clusters before this one have names; they only say what the others are set apart from.

    Example:
        >>> from nearsense.clustering.phrases import count
        >>> texts = ["a lost card", "My lost card", "The exchange rate is wrong", "a bad exchange rate"]
        >>> [name.label for name in names(count(texts), np.array([0, 0, 1, 1]), 2)]
        ['lost card', 'exchange rate']
    """
    found = [_chosen(phrases, candidates) for candidates in _candidates(phrases, labels, clusters)]
    return list(_told_apart(phrases, found, {_words([label]) for label in taken}, first))


def weights(phrases: Phrases, labels: Ints, clusters: int) -> tuple[Ints, Ints, Floats, Floats]:
    """Every phrase of every cluster with its class-based TF-IDF.

    Returns:
        The cluster, the phrase, its share of the cluster's texts, and its weight; each of shape (m,).
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


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A phrase that might name a cluster."""

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
        yield [_Candidate(*each) for each in zip(*(column[best].tolist() for column in columns), strict=True)]


def _chosen(phrases: Phrases, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The best of them that share no word, nor a character where these are written without spaces."""
    chosen: list[_Candidate] = []
    used: set[int | str] = set()
    for candidate in candidates:
        words: set[int | str] = set(phrases.parts[candidate.phrase].tolist())
        words |= {sign for sign in phrases.spelling[candidate.phrase] if sign >= WITHOUT_SPACES}
        if not words & used:
            chosen.append(candidate)
            used |= words
        if len(chosen) == KEYWORDS:
            break
    return chosen


def _told_apart(
    phrases: Phrases, found: Sequence[list[_Candidate]], taken: set[frozenset[str]], first: int
) -> Iterator[Name]:
    """Names, each as long as it must be to be the only one."""
    for number, candidates in enumerate(found):
        keywords = [phrases.spelling[each.phrase] for each in candidates]
        for length in range(_length(candidates), len(keywords) + 1):
            words = _words(keywords[:length])
            if words and words not in taken:
                label = ", ".join(keywords[:length])
                break
        else:
            label = " ".join([*keywords[:1], f"#{number}"]) if keywords else f"cluster {number}"
            words = _words([label])
        if number >= first:
            taken.add(words)
        yield Name(label, tuple(keywords))


def _words(keywords: Sequence[str]) -> frozenset[str]:
    """The words of a name in any order: "rate exchange" would be no other name than "exchange rate"."""
    return frozenset(" ".join(keywords).lower().replace(",", " ").split())


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
