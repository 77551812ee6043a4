"""Texts that show what a cluster is about, and texts that stand alone. Not the noise of a clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.checks import positive_int
from nearsense.clustering.clusters import Cluster, Clusters, Held
from nearsense.clustering.making import ROUNDED, ordered
from nearsense.types import Hit, Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["outliers", "representatives"]

BALANCE = 0.5
"""Between how near a representative is to the middle and how far from those chosen before (Carbonell and Goldstein
1998, maximal marginal relevance)."""

LOOKED_AT = 1_000
"""Texts nearest to the middle that representatives are chosen from."""


def representatives(clusters: Clusters, held: Held, cluster: Cluster, n: int) -> Results[Hit]:
    """Diverse texts near the middle; see `Clusters.representatives`."""
    positive_int(n, "n")
    rows = np.flatnonzero(clusters.labels == cluster.id)
    if not len(rows):
        return Results([], clusters.origin, cluster.label)
    place = {held.documents[row].id: row for row in rows.tolist()}
    near = np.array([place[id_] for id_ in cluster.members[:LOOKED_AT]])
    own = held.vectors.data[near]
    middle = held.vectors.data[rows].sum(axis=0, dtype=np.float64)
    middle /= max(float(np.linalg.norm(middle)), 1e-12)
    scores = own @ middle
    chosen = _spread(own, scores, [held.documents[row].text for row in near.tolist()], n)
    hits = (_hit(held, rank, int(near[at]), float(scores[at])) for rank, at in enumerate(chosen, 1))
    return Results(hits, clusters.origin, cluster.label)


def _spread(own: NDArray[np.float32], scores: NDArray[np.float64], texts: list[str], n: int) -> list[int]:
    """Places of n texts, the first first; a text that was chosen is not chosen in the same words again."""
    chosen: list[int] = []
    nearest = np.full(len(own), -1.0)
    open_ = np.ones(len(own), np.bool_)
    while len(chosen) < n and open_.any():
        worth = BALANCE * scores - (1 - BALANCE) * nearest if chosen else scores
        at = 0 if not chosen else int(np.where(open_, np.round(worth, ROUNDED), -np.inf).argmax())
        chosen.append(at)
        nearest = np.maximum(nearest, own @ own[at])
        open_ &= np.array([text != texts[at] for text in texts])
    return chosen


def outliers(clusters: Clusters, held: Held, n: int) -> Results[Hit]:
    """Texts whose nearest other text is far; see `Clusters.outliers`."""
    from nearsense.mining import nearest

    positive_int(n, "n")
    first: dict[str, int] = {}
    places = ordered(held.documents)
    for row in np.argsort(places).tolist():
        first.setdefault(held.documents[row].text, row)
    rows = np.fromiter(first.values(), np.int64, len(first))
    if len(rows) < 2:
        return Results([], clusters.origin)
    scores = nearest(held.vectors.data[rows], 1).scores[:, 0]
    best = np.argsort(np.round(scores, ROUNDED), kind="stable")[:n]
    hits = (_hit(held, rank, int(rows[at]), float(scores[at])) for rank, at in enumerate(best.tolist(), 1))
    return Results(hits, clusters.origin)


def _hit(held: Held, rank: int, row: int, score: float) -> Hit:
    document = held.documents[row]
    return Hit(rank, document.id, score, None, document.text or None, document.metadata)
