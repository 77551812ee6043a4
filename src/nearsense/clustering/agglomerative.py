"""Groups in which all texts are near each other, for small sets: merging from the bottom up to a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense._forks import computing
from nearsense.checks import score
from nearsense.clustering.geometry import checked_rows, distinct_rows, partition
from nearsense.clustering.records import Partition
from nearsense.errors import TooLargeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from nearsense.clustering.records import Floats, Ints

MOST = 20_000  # different rows whose table of similarities is made: 1.6 GB


def agglomerative(vectors: ArrayLike, *, min_score: float) -> Partition:
    """Merge groups of unit vectors, (n, d), while two are as near as `min_score`, the same for any order of rows.

    How near two groups are is the mean cosine similarity of all pairs of their rows (average linkage). The groups
    are found along chains of nearest neighbours (Murtagh 1983), in time that grows with n²; more than 20,000
    different rows are refused.

    Example:
        >>> rows = np.array([[1, 0], [0.8, 0.6], [0, 1], [1, 0]], np.float32)
        >>> agglomerative(rows, min_score=0.7).labels
        array([0, 0, 1, 0])
    """
    score(min_score)
    rows = checked_rows(vectors)
    different = distinct_rows(rows)
    if len(different.rows) > MOST:
        raise TooLargeError(
            f"{len(different.rows):,} different texts",
            why=f"merging from the bottom up holds every similarity of {MOST:,} texts at most",
            fix="group by density, or into a number of groups",
        )
    labels = _merge(different.rows, different.counts.astype(np.float32), np.float32(min_score))
    return partition(rows, labels[different.places], different.places)


def _merge(rows: Floats, counts: Floats, least: np.float32) -> Ints:
    """The group of each row, any number from 0, where `counts` says how often it is there.

    A chain goes from a group to its nearest, on to the nearest of that, until two are nearest to each other: they
    merge. A group at the end of a chain that has none as near as `least` will never have one: merging brings
    nothing nearer.
    """
    n = len(rows)
    with computing():
        table = rows @ rows.T
    np.fill_diagonal(table, -np.inf)
    counts, owner = counts.copy(), np.arange(n)
    gone = np.zeros(n, bool)
    chain: list[int] = []
    begin = 0
    while True:
        if not chain:
            while begin < n and gone[begin]:
                begin += 1
            if begin == n:
                break
            chain.append(begin)
        here = chain[-1]
        there = int(table[here].argmax())
        near = table[here, there]
        if len(chain) > 1 and table[here, chain[-2]] >= near:
            there, near = chain[-2], table[here, chain[-2]]
        if near < least:
            gone[here] = True
            table[:, here] = -np.inf
            chain.pop()
        elif len(chain) > 1 and there == chain[-2]:
            del chain[-2:]
            kept, lost = min(here, there), max(here, there)
            sums = table[kept] * counts[kept] + table[lost] * counts[lost]
            joined = np.divide(sums, counts[kept] + counts[lost], dtype=np.float32)
            joined[gone] = joined[kept] = joined[lost] = -np.inf
            table[kept], table[:, kept] = joined, joined
            table[:, lost] = -np.inf
            counts[kept] += counts[lost]
            gone[lost], owner[lost] = True, kept
        else:
            chain.append(there)
    while (owner[owner] != owner).any():
        owner = owner[owner]
    return owner
