"""What dense regions leave over: smaller groups in it, and texts near a group. Not how regions are found.

Three steps, each on what the one before left. Texts as near to a region's centroid as its own texts join it. In
the rest smaller regions are looked for, and kept where they hold together as well as the first. If more than a
third of all texts is in none then, the nearest come in, the nearest first, down to a fixed nearness.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.density import DenseRows, Selection
from nearsense.clustering.geometry import ROUNDED, centroids_and_thresholds, nearest_two, shapes

if TYPE_CHECKING:
    from nearsense.clustering.geometry import Shape
    from nearsense.clustering.records import Partition

LOOSER = 0.1
"""Share of the first regions that may hold together less well than a smaller one."""

LEFT_OUT = 1 / 3
"""Share of the texts that stays in no group, if so many are near to none."""

NEAR = 0.4
"""How near a text has to be at least: 0 is what all texts score with the centroid on average, 1 what nearly all of
the group's own do."""


def with_surroundings(rows: DenseRows, found: Partition, min_size: int | None) -> Partition:
    """Dense regions and what is near to them; with `min_size` also smaller groups of so many rows, and more noise.

    What is as near to a group as its own rows is in it as firmly as the least firm of them; all else less.
    """
    found = replace(found, core=found.labels >= 0)
    geometry = shapes(rows.rows, found.labels, len(found.centroids), rows.places)
    found = _joined(rows, found, geometry, 1.0)
    if min_size is None or not geometry or (found.labels < 0).sum() < min_size:
        return found
    found, smaller = _with_smaller_groups(rows, found, geometry, min_size)
    return _joined(rows, found, [*geometry, *smaller], NEAR)


def _with_smaller_groups(
    rows: DenseRows, found: Partition, first: list[Shape], min_size: int
) -> tuple[Partition, list[Shape]]:
    """Dense regions of the noise that hold together as nearly all of the first do; and their geometry."""
    assert found.core is not None
    outside = np.flatnonzero(found.labels < 0)
    chosen = np.zeros(len(rows.rows), np.bool_)
    chosen[outside] = True
    smaller = rows.part(chosen, min_size).groups(Selection.LEAF)
    every = shapes(rows.rows[outside], smaller.labels, len(smaller.centroids), rows.places[outside])
    least = float(np.quantile([each.cohesion for each in first], LOOSER))
    labels, strengths, core = found.labels.copy(), found.strengths.copy(), found.core.copy()
    kept: list[Shape] = []
    for each in every:
        if each.cohesion >= least:
            own = outside[each.rows]
            labels[own], core[own] = len(first) + len(kept), True
            strengths[own] = smaller.strengths[each.rows]
            kept.append(replace(each, rows=own))
    return replace(found, labels=labels, strengths=strengths, core=core), kept


def _joined(rows: DenseRows, found: Partition, geometry: list[Shape], least: float) -> Partition:
    """Noise in the nearest group: what is as near as its own rows; with `least` below 1 until LEFT_OUT is left."""
    order = np.argsort(rows.places)
    outside = order[found.labels[order] < 0]  # in canonical order: the last digits of products depend on it
    if not geometry or not len(outside):
        return found
    centroids, thresholds = centroids_and_thresholds(geometry, rows.rows.shape[1])
    owner, scores, _ = nearest_two(rows.rows[outside], centroids)
    near, nearness, reach = scores >= thresholds[owner], np.ones(len(outside), np.float32), 1.0
    needed = len(outside) - int(LEFT_OUT * len(rows.rows))
    if least < 1 and needed > near.sum():
        usual = centroids @ rows.rows[order].mean(axis=0)
        span = np.maximum(thresholds - usual, np.float32(1e-6))
        nearness = np.round((scores - usual[owner]) / span[owner], ROUNDED)
        reach = max(float(np.sort(nearness)[-needed]), least)
        near = nearness >= reach
    labels, strengths = found.labels.copy(), found.strengths.copy()
    firm = np.array([strengths[each.rows].min() for each in geometry], np.float32)
    labels[outside[near]] = owner[near]
    strengths[outside[near]] = firm[owner[near]] * np.minimum(nearness[near], 1)
    return replace(found, labels=labels, strengths=strengths, reach=reach)
