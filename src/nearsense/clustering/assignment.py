"""New texts into known clusters, and new clusters where many are left over. Not how the first ones were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.geometry import Shape, centroids_and_thresholds, nearest_two, places_by_text, shapes
from nearsense.clustering.methods import Method, agglomerative, find
from nearsense.clustering.naming import name_clusters, phrases_of
from nearsense.clustering.records import Cluster, ClusteredTexts, ClusterModel, Level, Settings

if TYPE_CHECKING:
    from nearsense.clustering.records import Floats, Ints
    from nearsense.records import Document


SMALL = 5_000
"""Up to so many texts left over are grouped by their mean similarity; of more the dense regions are found."""


def assign_texts(old: Level, texts: ClusteredTexts, *, open_new: bool) -> Level:
    """New texts in old clusters; see `Clusters.assign`."""
    documents, data, model = texts.documents, texts.vectors.data, old.model
    labels, strengths = np.full(len(data), -1, np.int64), np.zeros(len(data), np.float32)
    if len(model.ids) and len(data):
        owner, scores, _ = nearest_two(data, model.centroids)
        near = scores >= model.thresholds[owner]
        labels[near] = model.ids[owner[near]]
        strengths[near] = np.clip(scores[near], 0, 1)
    first = int(model.ids.max(initial=-1)) + 1
    places = places_by_text(documents)
    opened = _groups_to_open(old, data, np.flatnonzero(labels < 0)) if open_new else []
    opened.sort(key=lambda rows: (-len(rows), int(places[rows].min())))
    total = first + len(opened)
    if opened:
        for number, rows in enumerate(opened, first):
            labels[rows] = number
        model = _extend(model, shapes(data, labels, total, places)[first:], first)
        left = np.flatnonzero(labels < 0)  # what is near enough to a new cluster joins it
        owner, scores, _ = nearest_two(data[left], model.centroids[first:])
        near = scores >= model.thresholds[first:][owner]
        labels[left[near]] = owner[near] + first
    geometry = shapes(data, labels, total, places)
    for shape in geometry[first:]:
        strengths[shape.rows] = np.clip(shape.scores, 0, 1)
    clusters = [_refill(cluster, documents, geometry[cluster.id]) for cluster in old.clusters]
    if opened:
        phrases = phrases_of([document.text for document in documents], texts.language, texts.markup)
        taken = [cluster.label for cluster in clusters]
        new = name_clusters(documents, geometry, phrases, labels, first=first, taken=taken)
        clusters += [replace(cluster, new=True) for cluster in new]
    level = replace(old, clusters=clusters, labels=labels, strengths=strengths, model=model)
    return level if old.themes is None else replace(level, themes=_themes(old.themes, level, texts, places))


def _groups_to_open(old: Level, data: Floats, left: Ints) -> list[Ints]:
    """The groups among texts that belong nowhere, each of them large enough for a cluster."""
    least = old.model.min_size
    if len(left) < least:
        return []
    cohesions = [cluster.cohesion for cluster in old.clusters if cluster.size > 1]
    if len(left) <= SMALL and cohesions:
        labels = agglomerative(data[left], min_score=float(np.median(cohesions))).labels
    else:
        labels = find(data[left], Settings(Method.DENSITY, least, seed=old.model.seed, strict=True)).labels
    groups = [left[labels == number] for number in range(int(labels.max(initial=-1)) + 1)]
    return [rows for rows in groups if len(rows) >= least]


def _refill(cluster: Cluster, documents: Sequence[Document], shape: Shape) -> Cluster:
    """An old cluster with new texts: its name, exemplar and theme stay."""
    members = tuple(documents[row].id for row in shape.rows.tolist())
    cohesion = shape.cohesion if len(members) > 1 else cluster.cohesion
    return replace(cluster, members=members, size=len(members), cohesion=cohesion, stability=None, new=False)


def _themes(above: Level, level: Level, texts: ClusteredTexts, places: Ints) -> Level:
    """The level above for new texts: those in new clusters are under no theme."""
    parents = np.full(max(cluster.id for cluster in level.clusters) + 2, -1, np.int64)
    for cluster in level.clusters:
        if cluster.parent is not None:
            parents[cluster.id] = cluster.parent
    labels = parents[level.labels]  # -1 is the last place, which is no theme
    geometry = shapes(texts.vectors.data, labels, int(above.model.ids.max()) + 1, places)
    themes = [_refill(theme, texts.documents, geometry[theme.id]) for theme in above.clusters]
    return replace(level, clusters=themes, labels=labels, model=above.model, themes=None)


def _extend(model: ClusterModel, geometry: Sequence[Shape], first: int) -> ClusterModel:
    """What further texts are judged by: the old centroids as they are, and those of new clusters."""
    centroids, thresholds = centroids_and_thresholds(geometry, model.centroids.shape[1])
    return replace(
        model,
        ids=np.concatenate([model.ids, np.arange(first, first + len(geometry))]),
        centroids=np.concatenate([model.centroids, centroids]),
        thresholds=np.concatenate([model.thresholds, thresholds]),
    )
