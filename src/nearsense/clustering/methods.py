"""Vectors to groups: which algorithm, with which settings, and the one for small sets. No names: see naming.py."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense import checks
from nearsense._forks import computing
from nearsense._progress import Progress
from nearsense.checks import is_whole
from nearsense.clustering.density import Selection, dense_rows
from nearsense.clustering.geometry import checked_rows, distinct_rows, partition
from nearsense.clustering.kmeans import bisecting, spherical
from nearsense.clustering.noise import with_surroundings
from nearsense.clustering.records import Partition, Settings
from nearsense.errors import InputError, TooLargeError
from nearsense.records import parse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.clustering.records import Floats, Ints

GIANT, TIMES = 0.25, 4
"""A cluster with more than this share of all texts, and so many times the next largest, is taken for the crowd
itself and not for a cluster."""

NEIGHBOURS = 3
"""What makes a region dense: the text itself and its two nearest. More would call most short texts noise."""

LEAST = 3  # texts of the smallest cluster that is found where nobody says
PAIR = 2  # the same for groups of a small set under a fixed score
MOST = 20_000  # different rows whose table of similarities is made for merging: 1.6 GB


class Method(StrEnum):
    """How clusters are found."""

    KMEANS = "kmeans"  # k groups by direction; every text is in one
    BALANCED = "balanced"  # k groups of about the same size: the largest is halved until there are k
    DENSITY = "density"  # as many as there are dense regions (HDBSCAN); what lies between them is noise
    AGGLOMERATIVE = "agglomerative"  # groups whose texts score at least `min_score` on average with each other


NEEDS = {Method.KMEANS: "k", Method.BALANCED: "k", Method.AGGLOMERATIVE: "min_score"}  # what must be said
TAKES = {  # what can be said
    Method.KMEANS: ("k",),
    Method.BALANCED: ("k",),
    Method.DENSITY: ("min_size", "strict"),
    Method.AGGLOMERATIVE: ("min_size", "min_score"),
}


def default_min_size(texts: int) -> int:
    """How many texts make a cluster: a fifth of the square root of all, at least 3."""
    return max(LEAST, round(math.sqrt(texts) / 5))


def settings(
    texts: int,
    k: int | None,
    method: str | None,
    min_size: int | None,
    min_score: float | None,
    seed: int,
    *,
    strict: bool = False,
) -> Settings:
    """How that many texts are clustered, checked before anything costly is done."""
    given = {"k": k, "min_size": min_size, "min_score": min_score, "strict": strict or None}
    if method is None:
        method = Method.KMEANS if k is not None else Method.DENSITY if min_score is None else Method.AGGLOMERATIVE
    chosen = parse(Method, method, name="method")
    needed = NEEDS.get(chosen)
    for name, value in given.items():
        if value is None and name == needed:
            raise InputError(f"method={chosen.value!r} without {name}", fix=f"give {name}=")
        if value is not None and name not in TAKES[chosen]:
            fit = ", ".join(each.value for each in Method if name in TAKES[each])
            raise InputError(f"{name}={value!r} says nothing to method={chosen.value!r}", why=f"it is for: {fit}")
    most = max(texts, 1)
    if k is not None and not is_whole(k, 1, most):
        fix = f"give a whole number from 1 to {most:,}"
        raise InputError(f"k={k!r} clusters of {texts:,} texts", why="a cluster has one text or more", fix=fix)
    if min_size is not None and not is_whole(min_size, 2):
        raise InputError(f"min_size={min_size!r}", why="a cluster has two texts or more", fix="give 2 or more")
    if min_score is not None:
        checks.score(min_score)
    if not is_whole(seed):
        raise InputError(f"seed={seed!r}", why="a seed is a whole number from 0", fix="seed=0")
    between = min_size
    if min_size is None:
        min_size = PAIR if chosen is Method.AGGLOMERATIVE else default_min_size(texts)
        between = max(LEAST, min_size // 2)
    return Settings(chosen.value, int(min_size), k, min_score, seed, strict, between or min_size)


def find(data: Floats, settings: Settings, *, progress: Progress = False) -> Partition:
    """Group vectors, float32 of shape (n, d) and unit length, by the algorithm that the settings name."""
    if not len(data):
        return Partition(np.empty(0, np.int64), np.empty(0, np.float32), data)
    if settings.method == Method.DENSITY:
        return _dense(data, settings, progress)
    if settings.method == Method.AGGLOMERATIVE:
        found = agglomerative(data, min_score=float(settings.min_score or 0.0))
        small = np.bincount(found.labels)[found.labels] < settings.min_size
        strengths = np.where(small, 0, found.strengths).astype(np.float32)
        return replace(found, labels=np.where(small, -1, found.labels), strengths=strengths)
    k = int(settings.k or 1)
    return bisecting(data, k) if settings.method == Method.BALANCED else spherical(data, k, seed=settings.seed)


def _dense(data: Floats, settings: Settings, progress: Progress) -> Partition:
    """Dense regions, and the texts around them; unless strict also smaller groups between them.

    HDBSCAN's own choice of regions ("excess of mass") at times is the whole crowd against a handful. Then its
    smallest regions ("leaf") say more.
    """
    rows = dense_rows(data, settings.min_size, min(NEIGHBOURS, len(data)), progress=progress)
    found = rows.groups(Selection.EOM)
    sizes = np.sort(np.bincount(found.labels[found.labels >= 0], minlength=1))
    if len(sizes) > 1 and sizes[-1] > max(GIANT * len(data), TIMES * sizes[-2]):
        leaves = rows.groups(Selection.LEAF)
        found = leaves if leaves.labels.max() > 0 else found
    return with_surroundings(rows, found, None if settings.strict else settings.min_size_between)


def agglomerative(vectors: ArrayLike, *, min_score: float) -> Partition:
    """Merge groups of unit vectors, (n, d), while two are as near as `min_score`, the same for any order of rows.

    How near two groups are is the mean cosine similarity of all pairs of their rows (average linkage). The groups
    are found along chains of nearest neighbours (Murtagh 1983), in time that grows with n²; more than 20,000
    different rows are refused.
    """
    checks.score(min_score)
    rows = checked_rows(vectors)
    different = distinct_rows(rows)
    if len(different.rows) > MOST:
        raise TooLargeError(
            f"{len(different.rows):,} different texts",
            why=f"merging from the bottom up holds every similarity of {MOST:,} texts at most",
            fix="group by density, or into a number of groups",
        )
    labels = _merge(different.rows, different.counts.astype(np.float32), np.float32(min_score))
    return partition(rows, labels[different.places], different.places)


def _merge(rows: Floats, counts: Floats, least: np.float32) -> Ints:
    """The group of each row, any number from 0, where `counts` says how often it is there.

    A chain goes from a group to its nearest, on to the nearest of that, until two are nearest to each other: they
    merge. A group at the end of a chain that has none as near as `least` will never have one: merging brings
    nothing nearer.
    """
    n = len(rows)
    with computing():
        table = rows @ rows.T
    np.fill_diagonal(table, -np.inf)
    counts, owner = counts.copy(), np.arange(n)
    gone = np.zeros(n, bool)
    chain: list[int] = []
    begin = 0
    while True:
        if not chain:
            while begin < n and gone[begin]:
                begin += 1
            if begin == n:
                break
            chain.append(begin)
        here = chain[-1]
        there = int(table[here].argmax())
        near = table[here, there]
        if len(chain) > 1 and table[here, chain[-2]] >= near:
            there, near = chain[-2], table[here, chain[-2]]
        if near < least:
            gone[here] = True
            table[:, here] = -np.inf
            chain.pop()
        elif len(chain) > 1 and there == chain[-2]:
            del chain[-2:]
            kept, lost = min(here, there), max(here, there)
            sums = table[kept] * counts[kept] + table[lost] * counts[lost]
            joined = np.divide(sums, counts[kept] + counts[lost], dtype=np.float32)
            joined[gone] = joined[kept] = joined[lost] = -np.inf
            table[kept], table[:, kept] = joined, joined
            table[:, lost] = -np.inf
            counts[kept] += counts[lost]
            gone[lost], owner[lost] = True, kept
        else:
            chain.append(there)
    while (owner[owner] != owner).any():
        owner = owner[owner]
    return owner
