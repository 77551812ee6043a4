"""k groups by direction, k known: k-means with a good start and a second look. Not for an unknown number.

Two things make it better than k-means as it is. Every row is first drawn towards its nearest neighbours, so that
what lies between groups, and a single odd wording, pull less. And the centres, once settled, *breathe* (Fritzke
2020): some more are added where the loss is high, all settle, and those that are missed least are taken away, as
long as that helps; so a bad start is mended where many fresh starts would only be another draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.lloyd import Settled, settled
from nearsense.clustering.order import checked, distinct
from nearsense.clustering.partition import Partition, numbered, summed, unit
from nearsense.errors import InputError
from nearsense.mining import nearest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["spherical"]

NEIGHBOURS = 5
"""How many neighbours a row is drawn to; fewer where the groups will be small."""

LEARNT = 2**14
"""Rows that centres are learnt from, or PER_GROUP for each where that is more."""

PER_GROUP = 64

BREATH = 5
"""Centres that are added at first; one fewer after each breath that did not help."""

PATIENCE = 5 * 10**8
"""Similarities that may be computed for breathing, over all starts: some 5 seconds of two cores."""

STARTS = 2
"""How often all begins anew while there is patience; the better is taken."""

POLISH = 3
"""Steps on all rows after centres were learnt from some."""


def spherical(vectors: ArrayLike, k: int, *, seed: int = 0, smooth: int = NEIGHBOURS) -> Partition:
    """Make k groups of vectors by their direction, the same for every order of the rows.

    Up to some 16,000 rows (or 64 for each group) all are learnt from. Of more, that many are drawn, and all rows
    then go to the nearest centre, which moves a few times.

    Args:
        vectors: float32, shape (n, d), of unit length.
        k: How many groups, from 1 to n.
        seed: Of the draws: where centres begin, and which rows are learnt from.
        smooth: How many nearest neighbours a row is averaged with before centres are learnt; 0 for k-means on the
            rows as they are.

    Returns:
        k groups; fewer where fewer rows are different.

    Raises:
        InputError: k is not between 1 and n, or the vectors cannot be grouped.

    Example:
        >>> rows = np.repeat(np.eye(3, dtype=np.float32), [5, 3, 4], axis=0)
        >>> spherical(rows, 3).labels
        array([0, 0, 0, 0, 0, 2, 2, 2, 1, 1, 1, 1])
    """
    rows = checked(vectors)
    if not 1 <= k <= len(rows):
        raise InputError(f"{k:,} groups of {len(rows):,} texts", why="a group has one text or more", fix="lower k")
    different = distinct(rows)
    m = len(different.rows)
    weights = different.counts.astype(np.float32)
    if k >= m:
        return numbered(rows, different.places, different.places)
    random = np.random.default_rng(seed)
    sample = max(LEARNT, PER_GROUP * k)
    if m <= sample:
        labels = _learnt(different.rows, weights, k, smooth, random).labels
    else:
        drawn = np.sort(random.choice(m, sample, replace=False, shuffle=False))
        there = _learnt(different.rows[drawn], weights[drawn], k, smooth, random)
        centres = unit(summed(different.rows[drawn], there.labels, k, weights[drawn]))
        labels = settled(different.rows, weights, centres, steps=POLISH).labels
    return numbered(rows, labels[different.places], different.places)


def _learnt(
    rows: NDArray[np.float32], weights: NDArray[np.float32], k: int, smooth: int, random: np.random.Generator
) -> Settled:
    """Settled centres of the rows, each drawn towards its neighbours."""
    smoothed = _smoothed(rows, min(smooth, len(rows) // (4 * k)))
    best: Settled | None = None
    spent = 0
    for _ in range(STARTS):
        start = settled(smoothed, weights, _far_apart(smoothed, weights, k, random))
        found, cost = _breathed(smoothed, weights, start, PATIENCE - spent, random)
        best = found if best is None or found.loss < best.loss else best
        spent += cost
        if 2 * spent > PATIENCE:
            break
    assert best is not None
    return best


def _smoothed(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Each row half-way between itself and the mean of its nearest neighbours."""
    if count < 1:
        return rows
    mean = np.zeros_like(rows)
    ids = nearest(rows, count).ids
    for column in range(ids.shape[1]):
        mean += rows[ids[:, column]]
    return unit(rows + mean / np.float32(ids.shape[1]))


def _far_apart(
    rows: NDArray[np.float32], weights: NDArray[np.float32], k: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Some of the rows: each the best of a few draws, likelier the farther from those before.

    That is greedy k-means++ (Arthur and Vassilvitskii 2007).
    """
    chosen = [_draws(weights, 1, random)[0]]
    far = np.maximum(1.0 - rows @ rows[chosen[0]], 0.0)
    for _ in range(k - 1):
        drawn = _draws(far * weights, 2 + int(np.log(k)), random)
        left = np.minimum(np.maximum(1.0 - rows @ rows[drawn].T, 0.0), far[:, None])
        best = int((weights @ left).argmin())
        chosen.append(drawn[best])
        far = left[:, best]
    return rows[chosen]


def _draws(chances: NDArray[np.float32], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    sums = np.cumsum(chances, dtype=np.float64)
    drawn = np.searchsorted(sums, random.random(count) * sums[-1], side="right").astype(np.int64)
    last: NDArray[np.int64] = np.minimum(drawn, len(chances) - 1)
    return last


def _breathed(
    rows: NDArray[np.float32],
    weights: NDArray[np.float32],
    start: Settled,
    patience: int,
    random: np.random.Generator,
) -> tuple[Settled, int]:
    """Centres after breathing in and out for as long as it helps, and how many similarities that took."""
    k = len(start.centres)
    best, breath, spent = start, min(BREATH, k - 1, len(rows) - k), 0
    while breath > 0 and spent < patience:
        larger = settled(rows, weights, np.vstack([best.centres, _inhaled(rows, weights, best, breath, random)]))
        smaller = settled(rows, weights, np.delete(larger.centres, _exhaled(larger, weights, breath), axis=0))
        spent += larger.scores + smaller.scores
        if best.loss - smaller.loss > 1e-4 * best.loss:
            best = smaller
        else:
            breath -= 1
    return best, spent


def _inhaled(
    rows: NDArray[np.float32],
    weights: NDArray[np.float32],
    there: Settled,
    count: int,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """New centres, one in each of the groups of the greatest loss: half-way to a member that is drawn."""
    far = np.maximum(1.0 - there.first, 0.0) * weights
    worst = np.argsort(-np.bincount(there.labels, far, len(there.centres)), kind="stable")[:count]
    drawn = []
    for group in worst:
        members = np.flatnonzero(there.labels == group)
        chances = far[members]
        drawn.append(members[_draws(chances if chances.sum() > 0 else weights[members], 1, random)[0]])
    return unit(there.centres[worst] + rows[drawn])


def _exhaled(there: Settled, weights: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The centres that are missed least; of two that are nearest to each other not both."""
    lost = np.bincount(there.labels, (there.first - there.second) * weights, len(there.centres))
    order = np.argsort(lost, kind="stable")
    near = there.centres @ there.centres.T
    np.fill_diagonal(near, -np.inf)
    gone: list[int] = []
    kept: set[int] = set()
    for each in order.tolist():
        if len(gone) == count:
            break
        if each not in kept:
            gone.append(each)
            kept.add(int(near[each].argmax()))
    gone += [each for each in order.tolist() if each not in gone][: count - len(gone)]
    return np.array(gone, np.int64)
