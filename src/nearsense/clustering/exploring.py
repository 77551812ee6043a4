"""A closer look at clusters: what shows what each is about, what stands alone, which come again. No new groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.clustering.geometry import ROUNDED, places_by_text
from nearsense.clustering.methods import find
from nearsense.clustering.records import Cluster, ClusteredTexts, Settings
from nearsense.mining import nearest
from nearsense.records import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.clustering.records import Ints


BALANCE = 0.5
"""Between how near a representative is to the centroid and how far from those chosen before (maximal marginal
relevance, Carbonell and Goldstein 1998)."""

LOOKED_AT = 1_000  # texts nearest to the centroid that representatives are chosen from
SHARE = 0.8  # the share of the texts that is clustered again for stability


def representatives(texts: ClusteredTexts, labels: Ints, cluster: Cluster, n: int) -> list[Hit]:
    """Diverse texts near the centroid; see `Clusters.representatives`."""
    positive_int(n, "n")
    rows = np.flatnonzero(labels == cluster.id)
    if not len(rows):
        return []
    place = {texts.documents[row].id: row for row in rows.tolist()}
    near = np.array([place[id_] for id_ in cluster.members[:LOOKED_AT]])
    own = texts.vectors.data[near]
    centroid = texts.vectors.data[rows].sum(axis=0, dtype=np.float64)
    centroid /= max(float(np.linalg.norm(centroid)), 1e-12)
    scores = own @ centroid
    said = np.array([texts.documents[row].text for row in near.tolist()], object)
    chosen: list[int] = []
    nearest_chosen, open_ = np.full(len(own), -1.0), np.ones(len(own), np.bool_)
    while len(chosen) < n and open_.any():
        worth = np.round(BALANCE * scores - (1 - BALANCE) * nearest_chosen, ROUNDED)
        at = int(np.where(open_, worth, -np.inf).argmax()) if chosen else 0
        chosen.append(at)
        nearest_chosen = np.maximum(nearest_chosen, own @ own[at])
        open_ &= said != said[at]  # the same words are not chosen again
    return [_hit(texts, rank, int(near[at]), float(scores[at])) for rank, at in enumerate(chosen, 1)]


def outliers(texts: ClusteredTexts, n: int) -> list[Hit]:
    """Texts whose nearest other text is far; see `Clusters.outliers`."""
    positive_int(n, "n")
    first: dict[str, int] = {}
    for row in np.argsort(places_by_text(texts.documents)).tolist():
        first.setdefault(texts.documents[row].text, row)
    rows = np.fromiter(first.values(), np.int64, len(first))
    if len(rows) < 2:
        return []
    scores = nearest(texts.vectors.data[rows], 1).scores[:, 0]
    best = np.argsort(np.round(scores, ROUNDED), kind="stable")[:n]
    return [_hit(texts, rank, int(rows[at]), float(scores[at])) for rank, at in enumerate(best.tolist(), 1)]


def _hit(texts: ClusteredTexts, rank: int, row: int, score: float) -> Hit:
    document = texts.documents[row]
    return Hit(rank, document.id, score, None, document.text or None, document.metadata)


def stabilities(
    texts: ClusteredTexts, labels: Ints, clusters: int, settings: Settings, rounds: int, progress: Progress
) -> list[float]:
    """Each cluster's mean Jaccard similarity to its best match (Hennig 2007); see `Clusters.with_stability`."""
    positive_int(rounds, "rounds")
    order = np.argsort(places_by_text(texts.documents))
    random, size = np.random.default_rng(settings.seed), round(SHARE * len(order))
    if settings.k is not None:
        settings = replace(settings, k=max(min(settings.k, size), 1))
    total = np.zeros((rounds, clusters))
    with tracked(rounds, "rounds", progress) as update:
        for turn in range(rounds):
            rows = order[np.sort(random.permutation(len(order))[:size])]
            again = find(texts.vectors.data[rows], settings).labels
            total[turn] = jaccard(labels[rows], again, clusters)
            update(turn + 1)
    seen = np.isfinite(total)
    means: list[float] = (np.where(seen, total, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)).tolist()
    return means


def jaccard(before: Ints, after: Ints, clusters: int) -> NDArray[np.float64]:
    """The best Jaccard similarity of each of so many clusters, in [0, 1], to one of another clustering.

    Labels are of shape (n,), -1 for noise. A cluster none of whose texts is there has NaN.
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
