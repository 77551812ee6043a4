"""The two steps of k-means by direction: rows go to the nearest centre, centres to the middle. Not its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.partition import summed, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Settled", "nearest_two", "settled"]

BLOCK = 2**22
"""Scores held at a time: 16 MiB."""

ENOUGH = 1e-4
"""Centres have settled when a step takes less than this share off the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """Centres that stay where they are.

    Args:
        centres: float32, shape (k, d), of unit length.
        labels: int64, shape (n,): the nearest centre of each row.
        first: float32, shape (n,): the cosine similarity to it.
        second: float32, shape (n,): that of the second nearest; -1 where there is none.
        loss: The sum of `1 - first`, by weight.
        scores: How many similarities were computed on the way.
    """

    centres: NDArray[np.float32]
    labels: NDArray[np.int64]
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    loss: float
    scores: int


def settled(
    rows: NDArray[np.float32], weights: NDArray[np.float32], centres: NDArray[np.float32], *, steps: int = 100
) -> Settled:
    """Move centres until they hardly move (Lloyd 1982, by direction: Dhillon and Modha 2001).

    A centre that no row is nearest to goes to a row that is far from all.

    Args:
        rows: float32, shape (n, d), of unit length.
        weights: float32, shape (n,): what each row counts.
        centres: float32, shape (k, d), of unit length, k from 1 to n: where they begin.
        steps: How often they may move.

    Example:
        >>> rows = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
        >>> settled(rows, np.ones(6, np.float32), rows[[0, 5]]).labels
        array([0, 0, 0, 1, 1, 1])
    """
    labels, first, second = nearest_two(rows, centres)
    loss = _loss(first, weights)
    done = 0
    for _ in range(steps):
        moved = unit(summed(rows, labels, len(centres), weights))
        empty = np.flatnonzero(np.bincount(labels, minlength=len(centres)) == 0)
        moved[empty] = rows[np.argsort(first, kind="stable")[: len(empty)]]
        there = nearest_two(rows, moved)
        done += 1
        now = _loss(there[1], weights)
        if len(empty) == 0 and now > loss:
            break  # rounding alone
        gain, loss, centres = loss - now, now, moved
        labels, first, second = there
        if len(empty) == 0 and gain <= ENOUGH * loss:
            break
    return Settled(centres, labels, first, second, loss, (done + 1) * len(rows) * len(centres))


def nearest_two(
    rows: NDArray[np.float32], centres: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """The nearest centre of each row, its similarity, and that of the second nearest.

    Args:
        rows: float32, shape (n, d).
        centres: float32, shape (k, d).

    Returns:
        int64, float32 and float32, each of shape (n,); of equally near centres the first.

    Example:
        >>> labels, first, second = nearest_two(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
        >>> labels, second
        (array([0, 1]), array([0., 0.], dtype=float32))
    """
    n, k = len(rows), len(centres)
    labels, first, second = np.empty(n, np.int64), np.empty(n, np.float32), np.full(n, -1, np.float32)
    across = np.ascontiguousarray(centres.T)
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


def _loss(first: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    return float(np.sum((1.0 - first.astype(np.float64)) * weights))
