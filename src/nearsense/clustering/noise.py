"""What dense regions leave over: smaller groups in it, and texts near a group. Not how regions are found.

Three steps, each on what the one before left. Texts as near to a region's centroid as its own texts join it. In
the rest smaller regions are looked for, and kept where they hold together as well as the first. If more than a
third of all texts is in none then, the nearest come in, the nearest first, down to a fixed nearness.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearsense.clustering.density import DenseRows, Selection
from nearsense.clustering.geometry import ROUNDED, centroids_and_thresholds, nearest_two, shapes
from nearsense.clustering.records import Partition

if TYPE_CHECKING:
    from nearsense.clustering.geometry import Shape
    from nearsense.clustering.records import Floats, Ints

LOOSER = 0.1
"""Share of the first regions that may hold together less well than a smaller one."""

LEFT_OUT = 1 / 3
"""Share of the texts that stays in no group, if so many are near to none."""

NEAR = 0.4
"""How near a text has to be at least: 0 is what all texts score with the centroid on average, 1 what nearly all of
the group's own do."""


class Surroundings(NamedTuple):
    """The nearest group of each of m rows, and how near."""

    owner: Ints  # (m,)
    nearness: Floats  # (m,): of the cosine similarity to the centroid; 0 is the mean of all rows, 1 the threshold


def with_near_noise(rows: DenseRows, found: Partition) -> Partition:
    """Noise that is as near to a region as its own rows joins it, as firmly as its least firm row."""
    found = replace(found, core=found.labels >= 0)
    return _joined(rows, found, 1.0)


def with_noise_in_groups(rows: DenseRows, found: Partition, min_size: int) -> Partition:
    """Smaller groups in the noise, of `min_size` rows or more, and the noise around all groups."""
    assert found.core is not None
    first = _geometry(rows, found)
    outside = found.labels < 0
    if not first or outside.sum() < min_size:
        return found
    smaller = rows.part(outside, min_size).groups(Selection.LEAF)
    labels, strengths, core = found.labels.copy(), found.strengths.copy(), found.core.copy()
    labels[outside] = np.where(smaller.labels < 0, -1, smaller.labels + len(first))
    least = float(np.quantile([each.cohesion for each in first], LOOSER))
    every = shapes(rows.rows, labels, len(first) + len(smaller.centroids), rows.places)
    kept = np.array([True] * len(first) + [each.cohesion >= least for each in every[len(first) :]] + [False])
    numbers = np.where(kept, np.cumsum(kept) - 1, -1)
    strengths[outside] = smaller.strengths
    core[outside] = labels[outside] >= 0
    labels = numbers[labels]  # -1 is the last place
    strengths[labels < 0], core[labels < 0] = 0, False
    return _joined(rows, replace(found, labels=labels, strengths=strengths, core=core), NEAR)


def _geometry(rows: DenseRows, found: Partition) -> list[Shape]:
    """The groups by the rows that say where they are."""
    inside = found.labels if found.core is None else np.where(found.core, found.labels, -1)
    return shapes(rows.rows, inside, int(found.labels.max(initial=-1)) + 1, rows.places)


def _joined(rows: DenseRows, found: Partition, least: float) -> Partition:
    """Noise in the nearest group: what is as near as its own rows; with `least` below 1 until LEFT_OUT is left."""
    order = np.argsort(rows.places)
    outside = order[found.labels[order] < 0]  # in canonical order: the last digits of products depend on it
    geometry = _geometry(rows, found)
    if not geometry or not len(outside):
        return found
    owner, nearness = _surroundings(rows.rows[outside], rows.rows[order].mean(axis=0), geometry)
    reach, needed = 1.0, len(outside) - int(LEFT_OUT * len(rows.rows))
    if least < 1 and needed > (nearness >= 1).sum():
        reach = max(float(np.sort(nearness)[-needed]), least)
    near = nearness >= reach
    labels, strengths = found.labels.copy(), found.strengths.copy()
    firm = np.array([strengths[each.rows].min() for each in geometry], np.float32)
    labels[outside[near]] = owner[near]
    strengths[outside[near]] = firm[owner[near]] * np.minimum(nearness[near], 1)
    return replace(found, labels=labels, strengths=strengths, reach=reach)


def _surroundings(rows: Floats, mean: Floats, geometry: list[Shape]) -> Surroundings:
    """The nearest group of each row; `mean` is that of all rows."""
    centroids, thresholds = centroids_and_thresholds(geometry, rows.shape[1])
    owner, scores, _ = nearest_two(rows, centroids)
    usual = centroids @ mean
    span = np.maximum(thresholds - usual, np.float32(1e-6))
    return Surroundings(owner, np.round((scores - usual[owner]) / span[owner], ROUNDED))
