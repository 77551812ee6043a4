"""Rows and groups of rows as numbers: order, centroids, how far they reach. Not how groups are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense.clustering.records import Partition
from nearsense.errors import InputError
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.clustering.records import Floats, Ints
    from nearsense.records import Document


ROUNDED = 5  # decimals by which two similarities differ, where it is to be said which is the greater

OUTSIDE = 0.05
"""Share of a cluster's own texts that would not be let in again: with it 93 % of new requests that belong
somewhere come in, and 16 % of those that belong nowhere (150 intents of clinc150)."""

SLACK = 1e-4  # what rounding may take from a similarity
BLOCK = 2**22  # scores computed at a time: 16 MiB


def checked_rows(vectors: ArrayLike) -> Floats:
    """Rows that can be grouped: float32, (n, d), finite; that they are of unit length is the caller's word."""
    rows = np.ascontiguousarray(vectors, np.float32)
    if rows.ndim != 2 or (len(rows) and not rows.shape[1]):
        raise InputError(f"vectors of shape {rows.shape}", why="a row for each text is expected: (n, d)")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        raise InputError(f"row {row} of the vectors holds a value that is not finite", fix="leave that row out")
    return rows + np.float32(0)  # -0.0 and 0.0 are one number, and shall be one byte pattern


def canonical_order(rows: Floats) -> Ints:
    """An order, shape (n,), that only the contents of checked rows decide; equal rows end up together.

    Rows go by their first number, and only where that is the same by their bytes: another processor or precision,
    which changes the last digits of all numbers, changes the places of hardly any row.
    """
    if not rows.size:
        return np.arange(len(rows))
    order = np.argsort(_as_bytes(rows), kind="stable")
    return order[np.argsort(rows[order, 0], kind="stable")].astype(np.int64)


def places_of(order: Ints) -> Ints:
    """The place of each row in an order."""
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def places_by_text(documents: Sequence[Document]) -> Ints:
    """The place of each document in an order that does not depend on how they were given: by text, then id."""
    keys = [(document.text, document.id) for document in documents]
    return places_of(np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64))


class DistinctRows(NamedTuple):
    """The m different rows among n, in canonical order."""

    rows: Floats  # (m, d): every row once
    counts: Ints  # (m,): how often each was there
    places: Ints  # (n,): which of them each given row is


def distinct_rows(rows: Floats) -> DistinctRows:
    """Every different one of checked rows once, in canonical order."""
    order = canonical_order(rows)
    as_bytes = _as_bytes(rows)[order]
    new = np.ones(len(rows), bool)
    new[1:] = as_bytes[1:] != as_bytes[:-1]
    group = np.cumsum(new) - 1
    places = np.empty(len(rows), np.int64)
    places[order] = group
    return DistinctRows(rows[order[new]], np.bincount(group).astype(np.int64), places)


def _as_bytes(rows: Floats) -> NDArray[np.void]:
    """Each row as one value, compared byte by byte."""
    if not rows.size:
        return np.zeros(len(rows), np.dtype((np.void, 1)))
    return rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()


def partition(
    rows: Floats, labels: Ints, places: Ints, *, strengths: Floats | None = None, exact: bool = True
) -> Partition:
    """Groups with any numbers from 0 (-1 for noise) as a Partition, which numbers them by size.

    Places, shape (n,), are those in canonical order; equal rows may share one. Without strengths the cosine
    similarity to the centroid is taken.
    """
    labels = numbered_by_size(labels, places)
    inside = labels >= 0
    order = np.lexsort((places, labels))
    order = order[labels[order] >= 0]
    sums = group_sums(rows[order], labels[order], int(labels.max(initial=-1)) + 1)
    centroids = normalize(sums, zero="keep")
    if strengths is None:
        strengths = np.zeros(len(rows), np.float32)
        strengths[inside] = np.vecdot(rows[inside], centroids[labels[inside]])
    strengths = np.clip(np.where(inside, strengths, 0.0), 0.0, 1.0).astype(np.float32)
    return Partition(labels, strengths, centroids, exact)


def numbered_by_size(labels: Ints, places: Ints) -> Ints:
    """The same groups by other numbers: the largest is 0; of equal sizes the one whose first row comes first.

    Example:
        >>> numbered_by_size(np.array([7, 2, -1, 2]), np.arange(4))
        array([ 1,  0, -1,  0])
    """
    inside = labels >= 0
    _, dense = np.unique(labels[inside], return_inverse=True)
    sizes = np.bincount(dense)
    first = np.full(len(sizes), len(labels), np.int64)
    np.minimum.at(first, dense, places[inside])
    ranks = places_of(np.lexsort((first, -sizes)))
    final = np.full(len(labels), -1, np.int64)
    final[inside] = ranks[dense]
    return final


def group_sums(rows: Floats, labels: Ints, k: int, weights: Floats | None = None) -> Floats:
    """The sum of the rows of each of k groups, by weight, shape (k, d); zeros for a group without rows."""
    sums = np.zeros((k, rows.shape[1]), np.float32)
    if len(rows):
        order = np.argsort(labels, kind="stable")
        own = labels[order]
        begins = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
        weighted = rows[order] if weights is None else rows[order] * weights[order, None]
        sums[own[begins]] = np.add.reduceat(weighted, begins, axis=0)
    return sums


def nearest_two(rows: Floats, centroids: Floats) -> tuple[Ints, Floats, Floats]:
    """The nearest centroid of each row, the cosine similarity to it, and that to the second nearest (-1 for none).

    Of equally near centroids the first is taken.
    """
    n, k = len(rows), len(centroids)
    labels, first, second = np.empty(n, np.int64), np.empty(n, np.float32), np.full(n, -1, np.float32)
    across = np.ascontiguousarray(centroids.T)
    step = max(1, BLOCK // max(k, 1))
    for top in range(0, n, step):
        part = slice(top, min(n, top + step))
        scores = rows[part] @ across
        here = np.arange(len(scores))
        best = scores.argmax(axis=1)
        labels[part], first[part] = best, scores[here, best]
        if k > 1:
            scores[here, best] = -np.inf
            second[part] = scores.max(axis=1)
    return labels, first, second


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A cluster as geometry."""

    rows: Ints  # (size,): its texts, the nearest to the centroid first
    scores: Floats  # (size,): their cosine similarity to it
    centroid: Floats  # (d,): unit length
    cohesion: float  # mean cosine similarity of its pairs
    to_others: Floats  # (size,): the cosine similarity of each text to the centroid of the others, as `rows`

    @property
    def threshold(self) -> float:
        """From which cosine similarity to the centroid on a text belongs here.

        It is what all but a twentieth of its own texts score with the centroid of the others: a text is not
        measured against itself, which would make small clusters hard to enter.
        """
        if not len(self.to_others):
            return 1.0
        return float(np.quantile(self.to_others.astype(np.float64), OUTSIDE)) - SLACK


def shapes(data: Floats, labels: Ints, clusters: int, places: Ints) -> list[Shape]:
    """The geometry of each cluster of rows of unit length; places decide between equally near rows."""
    order = np.lexsort((places, labels))
    ends = np.searchsorted(labels[order], np.arange(clusters + 1))
    return [_shape(data, order[begin:end]) for begin, end in pairwise(ends)]


def _shape(data: Floats, rows: Ints) -> Shape:
    own = data[rows].astype(np.float64)
    total = own.sum(axis=0)
    length = float(np.sqrt(total @ total))
    size = len(rows)
    along, squares = own @ total, np.vecdot(own, own)
    scores = along / max(length, 1e-12)
    rest = np.sqrt(np.maximum(length**2 - 2 * along + squares, 0.0))
    alone = rest < 1e-9
    to_others = np.where(alone, 1.0, (along - squares) / np.where(alone, 1.0, rest)).astype(np.float32)
    pairs = (length**2 - squares.sum()) / (size * (size - 1)) if size > 1 else 1.0
    best = np.argsort(-np.round(scores, ROUNDED), kind="stable")
    centroid = (total / length if length > 1e-9 else total).astype(np.float32)
    cohesion = float(np.clip(pairs, -1, 1))
    return Shape(rows[best], scores[best].astype(np.float32), centroid, cohesion, to_others[best])


def centroids_and_thresholds(shapes: Sequence[Shape], dimension: int) -> tuple[Floats, Floats]:
    """The centroids, shape (k, d), and thresholds, shape (k,), of some clusters."""
    centroids = np.array([shape.centroid for shape in shapes], np.float32).reshape(len(shapes), dimension)
    return centroids, np.array([shape.threshold for shape in shapes], np.float32)
