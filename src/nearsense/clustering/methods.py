"""Vectors to groups: which algorithm, with which settings. Not what the groups are called: see naming.py."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense import checks
from nearsense._progress import Progress
from nearsense.checks import is_whole
from nearsense.clustering.geometry import centroids_and_thresholds, nearest_two, shapes
from nearsense.clustering.records import Partition, Settings
from nearsense.errors import InputError
from nearsense.records import parse

if TYPE_CHECKING:
    from nearsense.clustering.records import Floats


GIANT, TIMES = 0.25, 4
"""A cluster with more than this share of all texts, and so many times the next largest, is taken for the crowd
itself and not for a cluster."""

NEIGHBOURS = 3
"""What makes a region dense: the text itself and its two nearest. More would call most short texts noise."""

LEAST = 3  # texts of the smallest cluster that is found where nobody says
PAIR = 2  # the same for groups of a small set under a fixed score


class Method(StrEnum):
    """How clusters are found."""

    KMEANS = "kmeans"  # k groups by direction; every text is in one
    BALANCED = "balanced"  # k groups of about the same size: the largest is halved until there are k
    DENSITY = "density"  # as many as there are dense regions (HDBSCAN); what lies between them is noise
    AGGLOMERATIVE = "agglomerative"  # groups whose texts score at least `min_score` on average with each other


NEEDS = {Method.KMEANS: "k", Method.BALANCED: "k", Method.AGGLOMERATIVE: "min_score"}
TAKES = {
    Method.KMEANS: ("k",),
    Method.BALANCED: ("k",),
    Method.DENSITY: ("min_size",),
    Method.AGGLOMERATIVE: ("min_size", "min_score"),
}
"""What each method must be told, and what it can be told."""


def default_min_size(texts: int) -> int:
    """How many texts make a cluster: a fifth of the square root of all, at least 3.

    Example:
        >>> [default_min_size(texts) for texts in (20, 1_000, 10_000, 200_000)]
        [3, 6, 20, 89]
    """
    return max(LEAST, round(math.sqrt(texts) / 5))


def settings(
    texts: int, k: int | None, method: str | None, min_size: int | None, min_score: float | None, seed: int
) -> Settings:
    """How that many texts are clustered, checked before anything costly is done.

    Raises:
        InputError: Settings contradict each other, or are out of range.
    """
    given = {"k": k, "min_size": min_size, "min_score": min_score}
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
    if min_size is None:
        min_size = PAIR if chosen is Method.AGGLOMERATIVE else default_min_size(texts)
    return Settings(chosen.value, int(min_size), k, min_score, seed)


def find(data: Floats, settings: Settings, *, progress: Progress = False) -> Partition:
    """Group vectors, float32 of shape (n, d) and unit length, by the algorithm that the settings name."""
    if not len(data):
        return Partition(np.empty(0, np.int64), np.empty(0, np.float32), data)
    if settings.method == Method.DENSITY:
        return _dense(data, settings.min_size, progress)
    if settings.method == Method.AGGLOMERATIVE:
        from nearsense.clustering.agglomerative import agglomerative

        found = agglomerative(data, min_score=float(settings.min_score or 0.0))
        small = np.bincount(found.labels)[found.labels] < settings.min_size
        strengths = np.where(small, 0, found.strengths).astype(np.float32)
        return replace(found, labels=np.where(small, -1, found.labels), strengths=strengths)
    from nearsense.clustering.kmeans import bisecting, spherical

    k = int(settings.k or 1)
    return bisecting(data, k) if settings.method == Method.BALANCED else spherical(data, k, seed=settings.seed)


def _dense(data: Floats, min_size: int, progress: Progress) -> Partition:
    """Dense regions, and the texts around them that are as near as their own.

    HDBSCAN's own choice of regions ("excess of mass") at times is the whole crowd against a handful. Then its
    smallest regions ("leaf") say more.
    """
    from nearsense.clustering.density import density

    samples = min(NEIGHBOURS, len(data))
    found = density(data, min_size=min_size, min_samples=samples, progress=progress)
    sizes = np.sort(np.bincount(found.labels[found.labels >= 0], minlength=1))
    if len(sizes) > 1 and sizes[-1] > max(GIANT * len(data), TIMES * sizes[-2]):
        leaves = density(data, min_size=min_size, min_samples=samples, selection="leaf", progress=progress)
        found = leaves if leaves.labels.max() > 0 else found
    return _with_near_noise(data, found)


def _with_near_noise(data: Floats, found: Partition) -> Partition:
    """Noise that is as near to a cluster as its own texts joins it, as firmly as its least firm text."""
    core = found.labels >= 0
    outside = np.flatnonzero(~core)
    labels, strengths = found.labels.copy(), found.strengths.copy()
    if 0 < len(outside) < len(data):
        geometry = shapes(data, labels, int(labels.max()) + 1, np.arange(len(data)))
        centroids, thresholds = centroids_and_thresholds(geometry, data.shape[1])
        owner, scores, _ = nearest_two(data[outside], centroids)
        near = scores >= thresholds[owner]
        least = np.array([strengths[each.rows].min() for each in geometry], np.float32)
        labels[outside[near]] = owner[near]
        strengths[outside[near]] = least[owner[near]]
    return replace(found, labels=labels, strengths=strengths, core=core)
