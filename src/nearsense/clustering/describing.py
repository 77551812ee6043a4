"""Groups to clusters: names, exemplars, themes, what new texts are judged by. Not where the groups come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.geometry import Shape, numbered_by_size, places_by_text, shapes, stacked
from nearsense.clustering.naming import Phrases, names, phrases_of
from nearsense.clustering.records import Cluster, ClusteredTexts, ClusterModel, Level, Partition, Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.types import Document

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]

FEW = 8
"""With fewer clusters there is nothing to gain from themes."""


def described(texts: ClusteredTexts, found: Partition, settings: Settings, *, parent: int | None = None) -> Level:
    """The groups of texts as clusters, under themes where there are many, or as parts of the cluster `parent`."""
    places, data = places_by_text(texts.documents), texts.vectors.data
    labels = numbered_by_size(found.labels, places)
    total = int(labels.max(initial=-1)) + 1
    outer = shapes(data, labels, total, places)
    inner = outer if found.core is None else shapes(data, np.where(found.core, labels, -1), total, places)
    phrases = phrases_of([document.text for document in texts.documents], texts.language)
    clusters = named(texts.documents, outer, phrases, labels)
    centroids, thresholds = stacked(inner, data.shape[1])
    model = ClusterModel(np.arange(total), centroids, thresholds, settings.min_size, settings.seed)
    level = Level(clusters, labels, found.strengths, settings.method, found.exact, model)
    if parent is not None:
        return replace(level, clusters=[replace(cluster, parent=parent) for cluster in clusters])
    theme_of = _themes(centroids)
    if theme_of is None:
        return level
    above = numbered_by_size(np.where(labels >= 0, theme_of[labels], -1), places)
    parents = [int(above[each.rows[0]]) for each in outer]
    geometry = shapes(data, above, int(above.max()) + 1, places)
    model = ClusterModel(np.arange(len(geometry)), *stacked(geometry, data.shape[1]), settings.min_size)
    themes = replace(
        level, clusters=named(texts.documents, geometry, phrases, above), labels=above, model=model, themes=None
    )
    under = [replace(cluster, parent=theme) for cluster, theme in zip(clusters, parents, strict=True)]
    return replace(level, clusters=under, themes=themes)


def _themes(centroids: Floats) -> Ints | None:
    """The theme of each cluster, as many as the square root of the clusters; None where there is nothing to gain.

    The centroids are grouped by direction, as texts are. On 150 clusters of assistant requests that finds their
    ten domains better than merging the nearest two again and again does: V-measure 0.59 against 0.52.
    """
    from nearsense.clustering.kmeans import spherical

    if len(centroids) < FEW:
        return None
    labels = spherical(centroids, round(math.sqrt(len(centroids)))).labels
    return labels if labels.max() > 0 else None


def named(
    documents: Sequence[Document],
    geometry: Sequence[Shape],
    phrases: Phrases,
    labels: Ints,
    *,
    first: int = 0,
    taken: Sequence[str] = (),
) -> list[Cluster]:
    """The clusters from `first` on with names that are not taken, in the order of their geometry."""
    called = names(phrases, labels, len(geometry), taken=taken, first=first)
    return [
        Cluster(
            number,
            called[number].label,
            called[number].keywords,
            len(geometry[number].rows),
            geometry[number].cohesion,
            documents[int(geometry[number].rows[0])],
            tuple(documents[row].id for row in geometry[number].rows.tolist()),
        )
        for number in range(first, len(geometry))
    ]
