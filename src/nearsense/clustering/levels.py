"""One level up, clusters of clusters, and one down, the clusters within one. Not how texts are first grouped."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.clusters import Cluster, Clusters, Held
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEW", "grouped", "split"]

FEW = 8
"""With fewer clusters there is nothing to gain from themes."""

MOST_PARTS = 8
"""Into how many a cluster is split where nobody says."""


def grouped(centres: NDArray[np.float32], sizes: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The theme of each cluster: as many themes as the square root of the clusters.

    The centres are grouped by direction, as texts are. On 150 clusters of assistant requests that finds their ten
    domains better than merging the nearest two again and again does: V-measure 0.59 against 0.52.

    Args:
        centres: float32, shape (k, d), unit length.
        sizes: int64, shape (k,): how many texts each cluster has.

    Returns:
        int64, shape (k,); None for fewer than `FEW` clusters, and where all have the same centre.
    """
    from nearsense.clustering.spherical import spherical

    if len(sizes) < FEW:
        return None
    labels = spherical(centres, round(math.sqrt(len(sizes)))).labels
    return labels if labels.max() > 0 else None


def split(clusters: Clusters, held: Held, cluster: Cluster, k: int | None) -> Clusters:
    """The clusters within one cluster; see `Clusters.split`."""
    from nearsense.clustering.making import Found, made
    from nearsense.clustering.spherical import spherical

    rows = np.flatnonzero(clusters.labels == cluster.id)
    if k is None:
        k = max(1, min(MOST_PARTS, round(math.sqrt(len(rows) / 2))))
    if not 1 <= k <= len(rows):
        raise InputError(
            f"cluster {cluster.id} cannot be split into {k:,}",
            why=f"it has {len(rows):,} texts",
            fix=f"give a k from 1 to {len(rows):,}" if len(rows) else "split one that has texts",
        )
    vectors = held.vectors.take(rows.tolist())
    part = replace(held, documents=[held.documents[row] for row in rows.tolist()], vectors=vectors, options={})
    partition = spherical(vectors.data, k, seed=clusters.model.seed)
    found = Found(partition.labels, partition.strengths, "kmeans", partition.exact, clusters.model.min_size)
    return made(part, clusters.origin, found, parent=cluster.id)
