"""k groups by direction, k known: k-means with a good start and a second look, or groups of about one size.

Two things make `spherical` better than k-means as it is. Every row is first drawn towards its nearest neighbours,
so that what lies between groups, and a single odd wording, pull less. And the centroids, once they stay where they
are, *breathe* (Fritzke 2020): some more are added where the loss is high, all move again, and those that are
missed least are taken away, as long as that helps; so a bad start is mended where many fresh starts would only be
another draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.geometry import (
    canonical_order,
    checked_rows,
    distinct_rows,
    group_sums,
    nearest_two,
    partition,
    places_of,
)
from nearsense.clustering.records import Partition
from nearsense.errors import InputError
from nearsense.mining import nearest
from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.clustering.records import Floats, Ints


NEIGHBOURS = 5  # how many neighbours a row is drawn to; fewer where the groups will be small
SAMPLE = 2**14  # rows that centroids are learnt from, or PER_GROUP for each where that is more
PER_GROUP = 64  # rows that centroids are learnt from, for each group
BREATH = 5  # centroids that are added at first; one fewer after each breath that did not help

PATIENCE = 5 * 10**8
"""Similarities that may be computed for breathing, over all starts: some 5 seconds of two cores."""

STARTS = 2  # how often all begins anew while there is patience; the better is taken
POLISH = 3  # steps on all rows after centroids were learnt from some
ENOUGH = 1e-4  # centroids stay where a step, or a breath, takes less than this share off the loss
HALVING_STEPS = 20  # how often two halves may change
POWER_STEPS = 8  # steps towards the direction in which rows differ most


def spherical(vectors: ArrayLike, k: int, *, seed: int = 0, smooth: int = NEIGHBOURS) -> Partition:
    """Make k groups of unit vectors, (n, d), by their direction; the same for every order of the rows.

    Up to some 16,000 rows (or 64 for each group) all are learnt from. Of more, that many are drawn, and all rows
    then go to the nearest centroid, which moves a few times. Before, each is averaged with its `smooth` nearest;
    with 0 it is k-means on the rows as they are. Where fewer than k rows differ there are fewer groups.
    """
    rows = checked_rows(vectors)
    _require_groups(k, len(rows))
    different = distinct_rows(rows)
    m = len(different.rows)
    weights = different.counts.astype(np.float32)
    if k >= m:
        return partition(rows, different.places, different.places)
    random = np.random.default_rng(seed)
    sample = max(SAMPLE, PER_GROUP * k)
    if m <= sample:
        labels = _learn(different.rows, weights, k, smooth, random).labels
    else:
        drawn = np.sort(random.choice(m, sample, replace=False, shuffle=False))
        learnt = _learn(different.rows[drawn], weights[drawn], k, smooth, random)
        sums = group_sums(different.rows[drawn], learnt.labels, k, weights[drawn])
        centroids = normalize(sums, zero="keep")
        labels = run_lloyd(different.rows, weights, centroids, steps=POLISH).labels
    return partition(rows, labels[different.places], different.places)


def _require_groups(k: int, n: int) -> None:
    if not 1 <= k <= n:
        raise InputError(f"{k:,} groups of {n:,} texts", why="a group has one text or more", fix="lower k")


@dataclass(frozen=True, slots=True, eq=False)
class Centroids:
    """Centroids that stay where they are."""

    centroids: Floats  # (k, d): of unit length
    labels: Ints  # (n,): the nearest centroid of each row
    first: Floats  # (n,): the cosine similarity to it
    second: Floats  # (n,): that of the second nearest; -1 where there is none
    loss: float  # the sum of `1 - first`, by weight
    scores: int  # how many similarities were computed on the way


def run_lloyd(rows: Floats, weights: Floats, centroids: Floats, *, steps: int = 100) -> Centroids:
    """Move centroids until they hardly move (Lloyd 1982, by direction: Dhillon and Modha 2001).

    A centroid that no row is nearest to goes to a row that is far from all.
    """
    labels, first, second = nearest_two(rows, centroids)
    loss = _loss(first, weights)
    done = 0
    for _ in range(steps):
        moved = normalize(group_sums(rows, labels, len(centroids), weights), zero="keep")
        empty = np.flatnonzero(np.bincount(labels, minlength=len(centroids)) == 0)
        moved[empty] = rows[np.argsort(first, kind="stable")[: len(empty)]]
        there = nearest_two(rows, moved)
        done += 1
        now = _loss(there[1], weights)
        if len(empty) == 0 and now > loss:
            break  # rounding alone
        gain, loss, centroids = loss - now, now, moved
        labels, first, second = there
        if len(empty) == 0 and gain <= ENOUGH * loss:
            break
    return Centroids(centroids, labels, first, second, loss, (done + 1) * len(rows) * len(centroids))


def _loss(first: Floats, weights: Floats) -> float:
    return float(np.sum((1.0 - first.astype(np.float64)) * weights))


def _learn(rows: Floats, weights: Floats, k: int, smooth: int, random: np.random.Generator) -> Centroids:
    """The best centroids of the rows, each drawn towards its neighbours, over some starts."""
    smoothed = _smooth(rows, min(smooth, len(rows) // (4 * k)))
    best: Centroids | None = None
    spent = 0
    for _ in range(STARTS):
        start = run_lloyd(smoothed, weights, far_apart(smoothed, weights, k, random))
        found, cost = _breathe(smoothed, weights, start, PATIENCE - spent, random)
        best = found if best is None or found.loss < best.loss else best
        spent += cost
        if 2 * spent > PATIENCE:
            break
    assert best is not None
    return best


def _smooth(rows: Floats, count: int) -> Floats:
    """Each row half-way between itself and the mean of its nearest neighbours."""
    if count < 1:
        return rows
    mean = np.zeros_like(rows)
    ids = nearest(rows, count).ids
    for column in range(ids.shape[1]):
        mean += rows[ids[:, column]]
    return normalize(rows + mean / np.float32(ids.shape[1]), zero="keep")


def far_apart(rows: Floats, weights: Floats, k: int, random: np.random.Generator) -> Floats:
    """K of the rows by greedy k-means++ (Arthur and Vassilvitskii 2007).

    Each is the best of a few draws, in which a row is likelier the farther it is from those before.
    """
    chosen = [_draw(weights, 1, random)[0]]
    far = np.maximum(1.0 - rows @ rows[chosen[0]], 0.0)
    for _ in range(k - 1):
        drawn = _draw(far * weights, 2 + int(np.log(k)), random)
        left = np.minimum(np.maximum(1.0 - rows @ rows[drawn].T, 0.0), far[:, None])
        best = int((weights @ left).argmin())
        chosen.append(drawn[best])
        far = left[:, best]
    return rows[chosen]


def _draw(chances: Floats, count: int, random: np.random.Generator) -> Ints:
    """Places drawn with these chances, which need not sum to 1."""
    sums = np.cumsum(chances, dtype=np.float64)
    drawn = np.searchsorted(sums, random.random(count) * sums[-1], side="right").astype(np.int64)
    last: Ints = np.minimum(drawn, len(chances) - 1)
    return last


def _breathe(
    rows: Floats, weights: Floats, start: Centroids, patience: int, random: np.random.Generator
) -> tuple[Centroids, int]:
    """Centroids of which some are added and as many taken away while it helps, and the similarities spent."""
    k = len(start.centroids)
    best, breath, spent = start, min(BREATH, k - 1, len(rows) - k), 0
    while breath > 0 and spent < patience:
        more = _added_centroids(rows, weights, best, breath, random)
        larger = run_lloyd(rows, weights, np.vstack([best.centroids, more]))
        missed_least = _least_missed_centroids(larger, weights, breath)
        smaller = run_lloyd(rows, weights, np.delete(larger.centroids, missed_least, axis=0))
        spent += larger.scores + smaller.scores
        if best.loss - smaller.loss > ENOUGH * best.loss:
            best = smaller
        else:
            breath -= 1
    return best, spent


def _added_centroids(
    rows: Floats, weights: Floats, there: Centroids, count: int, random: np.random.Generator
) -> Floats:
    """New centroids, one in each of the groups of the greatest loss: half-way to a member that is drawn."""
    far = np.maximum(1.0 - there.first, 0.0) * weights
    worst = np.argsort(-np.bincount(there.labels, far, len(there.centroids)), kind="stable")[:count]
    drawn = []
    for group in worst:
        members = np.flatnonzero(there.labels == group)
        chances = far[members]
        drawn.append(members[_draw(chances if chances.sum() > 0 else weights[members], 1, random)[0]])
    return normalize(there.centroids[worst] + rows[drawn], zero="keep")


def _least_missed_centroids(there: Centroids, weights: Floats, count: int) -> Ints:
    """The centroids without which least is lost; of two that are nearest to each other not both."""
    lost = np.bincount(there.labels, (there.first - there.second) * weights, len(there.centroids))
    order = np.argsort(lost, kind="stable").tolist()
    near = there.centroids @ there.centroids.T
    np.fill_diagonal(near, -np.inf)
    chosen: list[int] = []
    needed: set[int] = set()
    for each in order:
        if len(chosen) == count:
            break
        if each not in needed:
            chosen.append(each)
            needed.add(int(near[each].argmax()))
    chosen += [each for each in order if each not in chosen][: count - len(chosen)]
    return np.array(chosen, np.int64)


def bisecting(vectors: ArrayLike, k: int, *, balance: float = 0.25) -> Partition:
    """Make k groups of unit vectors, (n, d), of about n / k rows each; the same for every order of the rows.

    A set of rows is cut where the two halves' directions suggest it (spherical 2-means, begun along the direction
    in which its rows differ most), moved as far as the sizes demand. Equal rows may come to lie in two groups. A
    size may differ from n / k by the share `balance` of it, or by less than one row.
    """
    rows = checked_rows(vectors)
    n = len(rows)
    _require_groups(k, n)
    if not 0 <= balance <= 1:
        raise InputError(f"balance={balance}", why="it is a share: from 0 to 1")
    order = canonical_order(rows)
    least, most = max(1, int(np.ceil((1 - balance) * n / k))), int((1 + balance) * n / k)
    if least * k > n or most * k < n:
        least, most = n // k, -(-n // k)
    labels = np.empty(n, np.int64)
    open_, done = [(order, k)], 0
    while open_:
        own, parts = open_.pop()
        if parts == 1:
            labels[own] = done
            done += 1
            continue
        small = parts // 2
        first, second = _halves(rows[own], small, parts - small, least, most)
        open_ += [(own[second], parts - small), (own[first], small)]
    return partition(rows, labels, places_of(order))


def _halves(rows: Floats, first: int, second: int, least: int, most: int) -> tuple[Ints, Ints]:
    """Two sets of rows, of sizes that `first` and `second` groups of `least` to `most` rows can have."""
    n = len(rows)
    low, high = max(first * least, n - second * most), min(first * most, n - second * least)
    leaning = rows @ _widest_direction(rows)
    before: Ints | None = None
    for _ in range(HALVING_STEPS):
        order = np.argsort(-leaning, kind="stable")
        cut = int(np.clip(np.count_nonzero(leaning > 0), low, high))
        inside = np.sort(order[:cut])
        if before is not None and np.array_equal(inside, before):
            break
        before = inside
        rest = np.delete(np.arange(n), inside)
        sums = np.stack([rows[inside].sum(axis=0), rows[rest].sum(axis=0)])
        leaning = rows @ np.subtract(*normalize(sums, zero="keep"))
    assert before is not None
    return before, np.delete(np.arange(n), before)


def _widest_direction(rows: Floats) -> Floats:
    """The direction in which rows differ most from their mean, nearly: a few turns of the power method."""
    off = rows - rows.mean(axis=0)
    direction: Floats = off[int(np.vecdot(off, off).argmax())]
    for _ in range(POWER_STEPS):
        turned = (off @ direction) @ off
        length = float(np.linalg.norm(turned))
        if length == 0:
            break
        direction = turned / np.float32(length)
    return direction
