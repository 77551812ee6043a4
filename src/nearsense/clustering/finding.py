"""Vectors to groups: which algorithm, and with which settings. Not what the groups are called: see making.py."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense import checks
from nearsense._progress import Progress
from nearsense.checks import is_whole
from nearsense.clustering.making import Found, middles
from nearsense.errors import InputError
from nearsense.types import parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["Method", "default_min_size", "find", "settings"]

GIANT, TIMES = 0.25, 4
"""A cluster with more than this share of all texts, and so many times the next largest, is taken for the crowd
itself and not for a cluster."""

NEIGHBOURS = 3
"""What makes a region dense: the text itself and its two nearest. More would call most short texts noise."""

LEAST = 3
"""Texts of the smallest cluster that is found where nobody says."""

PAIR = 2
"""The same for groups of a small set under a fixed score."""


class Method(StrEnum):
    """How clusters are found."""

    KMEANS = "kmeans"
    """k groups by direction; every text is in one."""
    BALANCED = "balanced"
    """k groups of about the same size: the largest is halved until there are k."""
    DENSITY = "density"
    """As many as there are dense regions (HDBSCAN); what lies between them is noise."""
    AGGLOMERATIVE = "agglomerative"
    """Groups whose texts score at least `min_score` on average with each other."""


NEEDS = {
    Method.KMEANS: ("k",),
    Method.BALANCED: ("k",),
    Method.DENSITY: (),
    Method.AGGLOMERATIVE: ("min_score",),
}
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
) -> dict[str, Any]:
    """What `find` is told, checked before anything costly is done.

    Raises:
        InputError: Settings contradict each other, or are out of range.
    """
    given = {"k": k, "min_size": min_size, "min_score": min_score}
    if method is None:
        method = Method.KMEANS if k is not None else Method.DENSITY if min_score is None else Method.AGGLOMERATIVE
    chosen = parse(Method, method, name="method")
    for name, value in given.items():
        if value is None and name in NEEDS[chosen]:
            raise InputError(f"method={chosen.value!r} without {name}", fix=f"give {name}=")
        if value is not None and name not in TAKES[chosen]:
            fit = ", ".join(each.value for each in Method if name in TAKES[each])
            raise InputError(f"{name}={value!r} says nothing to method={chosen.value!r}", why=f"it is for: {fit}")
    if k is not None and not is_whole(k, 1, max(texts, 1)):
        raise InputError(
            f"k={k!r} clusters of {texts:,} texts",
            why="a cluster has one text or more",
            fix=f"give a whole number from 1 to {max(texts, 1):,}",
        )
    if min_size is not None and not is_whole(min_size, 2):
        raise InputError(f"min_size={min_size!r}", why="a cluster has two texts or more", fix="give 2 or more")
    if min_score is not None:
        checks.score(min_score)
    if not is_whole(seed):
        raise InputError(f"seed={seed!r}", why="a seed is a whole number from 0", fix="seed=0")
    if min_size is None:
        min_size = PAIR if chosen is Method.AGGLOMERATIVE else default_min_size(texts)
    return {"method": chosen, "k": k, "min_size": int(min_size), "min_score": min_score, "seed": seed}


def find(
    data: Floats,
    *,
    method: Method,
    k: int | None,
    min_size: int,
    min_score: float | None,
    seed: int,
    progress: Progress = False,
) -> Found:
    """Group vectors.

    Args:
        data: float32, shape (n, d), unit length.
        method: How.
        k: For k-means and balanced groups.
        min_size: For dense regions: how many texts make one; smaller groups of the agglomerative are noise.
        min_score: For the agglomerative.
        seed: Of what is drawn.
        progress: What to show.
    """
    if not len(data):
        return Found(np.empty(0, np.int64), np.empty(0, np.float32), method.value, True, min_size)
    if method is Method.DENSITY:
        return _dense(data, min_size, progress)
    if method is Method.AGGLOMERATIVE:
        from nearsense.clustering.agglomerative import agglomerative

        grouped = agglomerative(data, min_score=float(min_score or 0.0))
        sizes = np.bincount(grouped.labels[grouped.labels >= 0], minlength=1)
        small = (grouped.labels < 0) | (sizes[grouped.labels] < min_size)
        labels = np.where(small, -1, grouped.labels)
        return Found(
            labels, np.where(small, 0, grouped.strengths).astype(np.float32), method.value, True, min_size
        )
    if method is Method.BALANCED:
        from nearsense.clustering.bisecting import bisecting

        partition = bisecting(data, int(k or 1))
    else:
        from nearsense.clustering.spherical import spherical

        partition = spherical(data, int(k or 1), seed=seed)
    return Found(partition.labels, partition.strengths, method.value, partition.exact, min_size)


def _dense(data: Floats, min_size: int, progress: Progress) -> Found:
    """Dense regions, and the texts around them that are as near as their own.

    HDBSCAN's own choice of regions ("excess of mass") at times is the whole crowd against a handful. Then its
    smallest regions ("leaf") say more.
    """
    from nearsense.clustering.density import density

    if len(data) < max(min_size, 2):
        return Found(np.full(len(data), -1, np.int64), np.zeros(len(data), np.float32), "density", True, min_size)
    samples = min(NEIGHBOURS, len(data))
    found = density(data, min_size=min_size, min_samples=samples, progress=progress)
    sizes = np.sort(np.bincount(found.labels[found.labels >= 0], minlength=1))
    if len(sizes) > 1 and sizes[-1] > max(GIANT * len(data), TIMES * sizes[-2]):
        leaves = density(data, min_size=min_size, min_samples=samples, selection="leaf", progress=progress)
        found = leaves if leaves.labels.max() > 0 else found
    labels, strengths = _adopted(data, found.labels, found.strengths)
    return Found(labels, strengths, "density", found.exact, min_size, core=found.labels >= 0)


def _adopted(data: Floats, labels: NDArray[np.int64], strengths: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Noise that is as near to a cluster as its own texts joins it, as firmly as its least firm text."""
    from nearsense.clustering.assigning import reach
    from nearsense.clustering.lloyd import nearest_two

    outside = np.flatnonzero(labels < 0)
    if not len(outside) or len(outside) == len(data):
        return labels, strengths
    total = int(labels.max()) + 1
    geometry = middles(data, labels, total, np.arange(len(data)))
    centres = np.stack([each.centre for each in geometry])
    thresholds = np.array([reach(each) for each in geometry], np.float32)
    owner, scores, _ = nearest_two(data[outside], centres)
    near = scores >= thresholds[owner]
    least = np.array([strengths[each.rows].min() for each in geometry], np.float32)
    labels, strengths = labels.copy(), strengths.copy()
    labels[outside[near]] = owner[near]
    strengths[outside[near]] = least[owner[near]]
    return labels, strengths
