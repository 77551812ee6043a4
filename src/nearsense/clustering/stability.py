"""How far clusters come again when a part of the texts is left out. Not whether they are the right ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.clustering.clusters import Clusters, Held
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SHARE", "jaccard", "with_stability"]

SHARE = 0.8
"""The share of the texts that is clustered again."""


def with_stability(clusters: Clusters, held: Held, rounds: int, progress: Progress) -> Clusters:
    """The mean Jaccard similarity to the best match (Hennig 2007); see `Clusters.with_stability`."""
    from nearsense.clustering.finding import find
    from nearsense.clustering.making import ordered

    positive_int(rounds, "rounds")
    if not held.options:
        raise InputError(
            "stability: nothing says how these clusters were found",
            why="they were assigned or split, not found in these texts",
            fix="ask the clusters that ns.cluster gave",
        )
    order = np.argsort(ordered(held.documents))
    random, size = np.random.default_rng(held.options["seed"]), round(SHARE * len(order))
    total = np.zeros((rounds, len(clusters)))
    options = dict(held.options)
    if options.get("k") is not None:
        options["k"] = max(min(options["k"], size), 1)
    with tracked(rounds, "rounds", progress) as update:
        for turn in range(rounds):
            rows = np.sort(random.permutation(len(order))[:size])
            again = find(held.vectors.data[order[rows]], **options).labels
            total[turn] = jaccard(clusters.labels[order[rows]], again, len(clusters))
            update(turn + 1)
    seen = np.isfinite(total)
    means = np.where(seen, total, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return clusters.copied(
        replace(cluster, stability=float(mean)) for cluster, mean in zip(clusters, means, strict=True)
    )


def jaccard(before: NDArray[np.int64], after: NDArray[np.int64], clusters: int) -> NDArray[np.float64]:
    """Of each cluster the best Jaccard similarity to one of another clustering of the same texts.

    Args:
        before: int64, shape (n,), from 0; -1 for noise.
        after: int64, shape (n,), likewise.
        clusters: How many there were before.

    Returns:
        float64, shape (clusters,): in [0, 1]; NaN for a cluster none of whose texts is there.

    Example:
        >>> jaccard(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), 2)
        array([0.66666667, 0.5       ])
    """
    found = int(after.max(initial=-1)) + 1
    both = (before >= 0) & (after >= 0)
    sizes = np.bincount(before[before >= 0], minlength=clusters)
    if not found:
        return np.where(sizes > 0, 0.0, np.nan)
    shared = np.bincount(before[both] * found + after[both], minlength=clusters * found).reshape(clusters, found)
    others = np.bincount(after[after >= 0], minlength=found)
    united = sizes[:, None] + others[None, :] - shared
    best: NDArray[np.float64] = (shared / np.maximum(united, 1)).max(axis=1)
    return np.where(sizes > 0, best, np.nan)
