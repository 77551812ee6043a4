"""Labels to clusters: middles, names, exemplars, themes. Not where the labels come from: see clustered.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.clusters import Cluster, Clusters, Held, Model
from nearsense.clustering.naming import names
from nearsense.clustering.partition import by_size
from nearsense.clustering.phrases import Phrases, count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.types import Document, Origin

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]

__all__ = ["Found", "Middle", "made", "middles", "ordered", "told"]

ROUNDED = 5
"""Decimals by which two similarities differ, where it is to be said which is the greater."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """n texts in groups.

    Args:
        labels: int64, shape (n,), from 0; -1 for noise.
        strengths: float32, shape (n,).
        method: How they were found.
        exact: Whether that was exact.
        min_size: How many texts make a cluster of their own.
        core: bool, shape (n,): the texts that say where a cluster is and how far it reaches; None for all.
    """

    labels: Ints
    strengths: Floats
    method: str
    exact: bool
    min_size: int
    core: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Middle:
    """A cluster as geometry.

    Args:
        rows: int64, shape (size,): its texts, the nearest to the middle first.
        scores: float32, shape (size,): their cosine similarity to the middle.
        centre: float32, shape (d,), unit length.
        cohesion: Mean cosine similarity of its pairs.
        apart: float32, shape (size,): the cosine similarity of each text to the middle of the others, as `rows`.
    """

    rows: Ints
    scores: Floats
    centre: Floats
    cohesion: float
    apart: Floats


def ordered(documents: Sequence[Document]) -> Ints:
    """The place of each document in an order that does not depend on how they were given: by text, then id."""
    order = sorted(range(len(documents)), key=lambda row: (documents[row].text, documents[row].id))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def middles(data: Floats, labels: Ints, clusters: int, places: Ints) -> list[Middle]:
    """The geometry of each cluster.

    Args:
        data: float32, shape (n, d), unit length.
        labels: int64, shape (n,), from 0; -1 for noise.
        clusters: How many there are.
        places: int64, shape (n,): what decides between equals.
    """
    order = np.lexsort((places, labels))
    ends = np.searchsorted(labels[order], np.arange(clusters + 1))
    return [_middle(data, order[begin:end]) for begin, end in pairwise(ends)]


def _middle(data: Floats, rows: Ints) -> Middle:
    own = data[rows].astype(np.float64)
    total = own.sum(axis=0)
    length = float(np.sqrt(total @ total))
    size = len(rows)
    along, squares = own @ total, np.vecdot(own, own)
    scores = along / max(length, 1e-12)
    rest = np.sqrt(np.maximum(length**2 - 2 * along + squares, 0.0))
    alone = rest < 1e-9
    apart = np.where(alone, 1.0, (along - squares) / np.where(alone, 1.0, rest))
    pairs = (length**2 - squares.sum()) / (size * (size - 1)) if size > 1 else 1.0
    best = np.argsort(-np.round(scores, ROUNDED), kind="stable")
    centre = (total / length if length > 1e-9 else total).astype(np.float32)
    return Middle(
        rows[best],
        scores[best].astype(np.float32),
        centre,
        float(np.clip(pairs, -1, 1)),
        apart[best].astype(np.float32),
    )


def made(held: Held, origin: Origin, found: Found, *, parent: int | None = None) -> Clusters:
    """Name and describe clusters, and put them under themes where there are many.

    Args:
        held: n texts and their vectors.
        origin: What produced the vectors.
        found: Their groups.
        parent: The id of the cluster that all of them were split from.
    """
    from nearsense.clustering.assigning import reach
    from nearsense.clustering.levels import grouped

    places, data = ordered(held.documents), held.vectors.data
    labels = by_size(found.labels, places)
    total = int(labels.max(initial=-1)) + 1
    core = labels if found.core is None else np.where(found.core, labels, -1)
    inner = middles(data, core, total, places)
    outer = inner if found.core is None else middles(data, labels, total, places)
    phrases = count([document.text for document in held.documents], held.language)
    items = described(held.documents, outer, phrases, labels)
    model = Model(
        np.arange(total),
        np.stack([each.centre for each in inner]) if inner else np.zeros((0, data.shape[1]), np.float32),
        np.array([reach(each) for each in inner], np.float32),
        found.min_size,
        int(held.options.get("seed", 0)),
    )
    parents = (
        None if parent is not None else grouped(model.centres, np.bincount(labels[labels >= 0], minlength=total))
    )
    themes = None
    if parents is not None:
        above = by_size(np.where(labels >= 0, parents[labels], -1), places)
        first = [int(above[each.rows[0]]) for each in outer]
        items = [replace(item, parent=theme) for item, theme in zip(items, first, strict=True)]
        themes = _plain(held, origin, replace(found, labels=above, core=None), phrases, places)
    if parent is not None:
        items = [replace(item, parent=parent) for item in items]
    return told(held, origin, replace(found, labels=labels), items, model, themes)


def _plain(held: Held, origin: Origin, found: Found, phrases: Phrases, places: Ints) -> Clusters:
    """A level of clusters with nothing above it."""
    from nearsense.clustering.assigning import reach

    total = int(found.labels.max(initial=-1)) + 1
    geometry = middles(held.vectors.data, found.labels, total, places)
    items = described(held.documents, geometry, phrases, found.labels)
    centres = np.stack([each.centre for each in geometry])
    thresholds = np.array([reach(each) for each in geometry], np.float32)
    return told(held, origin, found, items, Model(np.arange(total), centres, thresholds, found.min_size), None)


def told(
    held: Held, origin: Origin, found: Found, items: Sequence[Cluster], model: Model, themes: Clusters | None
) -> Clusters:
    """The result, of its parts."""
    return Clusters(
        items,
        origin,
        labels=found.labels,
        strengths=found.strengths,
        ids=[document.id for document in held.documents],
        method=found.method,
        exact=found.exact,
        model=model,
        themes=themes,
        held=held,
    )


def described(
    documents: Sequence[Document], geometry: Sequence[Middle], phrases: Phrases, labels: Ints
) -> list[Cluster]:
    """Clusters with their names, in their order."""
    called = names(phrases, labels, len(geometry))
    return [
        Cluster(
            number,
            name.label,
            name.keywords,
            len(middle.rows),
            middle.cohesion,
            documents[int(middle.rows[0])],
            tuple(documents[row].id for row in middle.rows.tolist()),
        )
        for number, (name, middle) in enumerate(zip(called, geometry, strict=True))
    ]
