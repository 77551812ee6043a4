"""Groups in which all texts are near each other, for small sets: merging from the bottom up to a threshold."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense._forks import computing
from nearsense.clustering.order import checked, distinct
from nearsense.clustering.partition import Partition, numbered
from nearsense.errors import InputError, TooLargeError
from nearsense.types import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float32]
    Update = Callable[[Floats, Floats, np.float32, np.float32], Floats]

__all__ = ["MOST", "Linkage", "agglomerative"]

MOST = 20_000
"""Different rows whose table of similarities is held: 1.6 GB."""


class Linkage(StrEnum):
    """How near two groups are, by the similarities of their rows."""

    AVERAGE = "average"
    """The mean over all pairs."""
    COMPLETE = "complete"
    """The least similar pair: all rows of a group are as near as the threshold."""
    SINGLE = "single"
    """The most similar pair: chains of near rows are one group."""


def agglomerative(vectors: ArrayLike, *, min_score: float, linkage: str = Linkage.AVERAGE) -> Partition:
    """Merge what is nearest until no two groups are as near as `min_score`; the same for every order of the rows.

    The groups are found along chains of nearest neighbours (Murtagh 1983), which takes time that grows with n².

    Args:
        vectors: float32, shape (n, d), of unit length.
        min_score: Cosine similarity, from -1 to 1; groups at least this near are one.
        linkage: One of `Linkage`.

    Returns:
        Groups; a row that is near no other is a group of its own.

    Raises:
        InputError: There is no such linkage, the score is no cosine similarity, or the vectors cannot be grouped.
        TooLargeError: More than 20,000 rows are different.

    Example:
        >>> rows = np.array([[1, 0], [0.8, 0.6], [0, 1], [1, 0]], np.float32)
        >>> agglomerative(rows, min_score=0.7).labels
        array([0, 0, 1, 0])
    """
    update = UPDATES[parse(Linkage, linkage, name="linkage")]
    if not -1 <= min_score <= 1:
        raise InputError(f"min_score={min_score}", why="a cosine similarity lies between -1 and 1")
    rows = checked(vectors)
    different = distinct(rows)
    if len(different.rows) > MOST:
        raise TooLargeError(
            f"{len(different.rows):,} different texts",
            why=f"merging from the bottom up holds every similarity of {MOST:,} texts at most",
            fix="group by density, or into a number of groups",
        )
    labels = _merged(different.rows, different.counts.astype(np.float32), np.float32(min_score), update)
    return numbered(rows, labels[different.places], different.places)


def _mean(a: Floats, b: Floats, count_a: np.float32, count_b: np.float32) -> Floats:
    return np.divide(a * count_a + b * count_b, count_a + count_b, dtype=np.float32)


UPDATES: dict[Linkage, Update] = {
    Linkage.AVERAGE: _mean,
    Linkage.COMPLETE: lambda a, b, count_a, count_b: np.minimum(a, b),
    Linkage.SINGLE: lambda a, b, count_a, count_b: np.maximum(a, b),
}
"""How near others are to two groups after these have become one (Lance and Williams 1967)."""


def _merged(
    rows: NDArray[np.float32], counts: NDArray[np.float32], least: np.float32, update: Update
) -> NDArray[np.int64]:
    """The group of each row: any number from 0.

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
                return _roots(owner)
            chain.append(begin)
        here = chain[-1]
        there = int(table[here].argmax())
        score = table[here, there]
        if len(chain) > 1 and table[here, chain[-2]] >= score:
            there, score = chain[-2], table[here, chain[-2]]
        if score < least:
            gone[here] = True
            table[:, here] = -np.inf
            chain.pop()
        elif len(chain) > 1 and there == chain[-2]:
            del chain[-2:]
            kept, lost = min(here, there), max(here, there)
            joined = update(table[kept], table[lost], counts[kept], counts[lost])
            joined[gone] = joined[kept] = joined[lost] = -np.inf
            table[kept], table[:, kept] = joined, joined
            table[:, lost] = -np.inf
            counts[kept] += counts[lost]
            gone[lost], owner[lost] = True, kept
        else:
            chain.append(there)


def _roots(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each leads in the end."""
    while True:
        further = owner[owner]
        if (further == owner).all():
            return owner
        owner = further
