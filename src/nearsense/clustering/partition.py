"""Which row belongs to which group: what every algorithm here returns. Not what the groups are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense.vectors.rows import normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NOISE", "Partition", "numbered", "summed", "unit"]

NOISE = -1
"""The label of a row that belongs to no group."""


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """n rows in groups that are numbered by size, the largest 0.

    Args:
        labels: int64, shape (n,): the group of each row; -1 is noise.
        strengths: float32, shape (n,), from 0 to 1: how firmly each row belongs to its group; 0 for noise. For
            groups around a centre it is the cosine similarity to the centre, for dense regions how near the row is
            to the densest part.
        centres: float32, shape (k, d): the mean direction of each group, of unit length.
        exact: Whether the groups are what the algorithm is defined to give; False where they were found on a part
            of the distances.
    """

    labels: NDArray[np.int64]
    strengths: NDArray[np.float32]
    centres: NDArray[np.float32]
    exact: bool = True

    @property
    def sizes(self) -> NDArray[np.int64]:
        """int64, shape (k,): how many rows each group has, the largest first."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.centres)).astype(np.int64)


def numbered(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    places: NDArray[np.int64],
    *,
    strengths: NDArray[np.float32] | None = None,
    exact: bool = True,
) -> Partition:
    """Give groups their numbers: the largest is 0; of equal sizes the one that comes first in canonical order.

    Args:
        rows: float32, shape (n, d), in the order they were given.
        labels: int64, shape (n,): any numbers from 0 for groups, -1 for noise.
        places: int64, shape (n,): where each row stands in canonical order; equal rows may share a place.
        strengths: float32, shape (n,); None for the cosine similarity to the group's centre.
        exact: As in `Partition`.

    Example:
        >>> rows = np.eye(3, dtype=np.float32)
        >>> numbered(rows, np.array([7, 2, 2]), np.arange(3)).labels
        array([1, 0, 0])
    """
    final = by_size(labels, places)
    inside = final >= 0
    order = np.lexsort((places, final))
    order = order[final[order] >= 0]
    centres = unit(summed(rows[order], final[order], int(final.max(initial=NOISE)) + 1))
    if strengths is None:
        strengths = np.zeros(len(rows), np.float32)
        strengths[inside] = np.vecdot(rows[inside], centres[final[inside]])
    return Partition(final, np.clip(np.where(inside, strengths, 0.0), 0.0, 1.0).astype(np.float32), centres, exact)


def by_size(labels: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same groups by other numbers: the largest is 0; of equal sizes the one whose first row comes first.

    Args:
        labels: int64, shape (n,): any numbers from 0 for groups, -1 for noise.
        places: int64, shape (n,): where each row stands in canonical order.

    Example:
        >>> by_size(np.array([7, 2, -1, 2]), np.arange(4))
        array([ 1,  0, -1,  0])
    """
    inside = labels >= 0
    _, dense = np.unique(labels[inside], return_inverse=True)
    sizes = np.bincount(dense)
    first = np.full(len(sizes), len(labels), np.int64)
    np.minimum.at(first, dense, places[inside])
    ranks = np.empty(len(sizes), np.int64)
    ranks[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    final = np.full(len(labels), NOISE, np.int64)
    final[inside] = ranks[dense]
    return final


def summed(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    k: int,
    weights: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The sum of the rows of each of k groups.

    Args:
        rows: float32, shape (n, d).
        labels: int64, shape (n,), from 0 to k - 1.
        k: How many groups.
        weights: float32, shape (n,): what each row counts; None for 1.

    Returns:
        float32, shape (k, d); zeros for a group without rows.

    Example:
        >>> summed(np.eye(2, dtype=np.float32), np.array([1, 1]), 2)
        array([[0., 0.],
               [1., 1.]], dtype=float32)
    """
    sums = np.zeros((k, rows.shape[1]), np.float32)
    if len(rows):
        order = np.argsort(labels, kind="stable")
        own = labels[order]
        begins = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
        sorted_ = rows[order] if weights is None else rows[order] * weights[order, None]
        sums[own[begins]] = np.add.reduceat(sorted_, begins, axis=0)
    return sums


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row at length one; a row of zeros stays.

    Args:
        rows: float32, shape (n, d).

    Example:
        >>> unit(np.array([[3.0, 4.0]], np.float32))
        array([[0.6, 0.8]], dtype=float32)
    """
    return normalize(rows, zero="keep")
