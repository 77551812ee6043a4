"""k groups of about one size: halving by direction, again and again. Not for groups as the texts have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearsense.clustering.order import canonical, checked
from nearsense.clustering.partition import Partition, numbered, unit
from nearsense.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["bisecting"]

STEPS = 20
"""How often the two halves may change."""

TURNS = 8
"""Steps towards the direction in which rows differ most."""


def bisecting(vectors: ArrayLike, k: int, *, balance: float = 0.25) -> Partition:
    """Make k groups, none much larger or smaller than n / k, the same for every order of the rows.

    A set of rows is cut where the two halves' directions suggest it (spherical 2-means, begun along the direction
    in which its rows differ most), moved as far as the sizes demand. Equal rows may come to lie in two groups.

    Args:
        vectors: float32, shape (n, d), of unit length.
        k: How many groups, from 1 to n.
        balance: A size may differ from n / k by this share of it, or by less than one row; from 0 to 1. With 0 all
            groups are of one size, to one row.

    Raises:
        InputError: k is not between 1 and n, `balance` not between 0 and 1, or the vectors cannot be grouped.

    Example:
        >>> rows = np.repeat(np.eye(2, dtype=np.float32), [5, 3], axis=0)
        >>> bisecting(rows, 2).sizes, bisecting(rows, 2, balance=0).sizes
        (array([5, 3]), array([4, 4]))
    """
    rows = checked(vectors)
    n = len(rows)
    if not 1 <= k <= n:
        raise InputError(f"{k:,} groups of {n:,} texts", why="a group has one text or more", fix="lower k")
    if not 0 <= balance <= 1:
        raise InputError(f"balance={balance}", why="it is a share: from 0 to 1")
    order = canonical(rows)
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
    places = np.empty(n, np.int64)
    places[order] = np.arange(n)
    return numbered(rows, labels, places)


def _halves(
    rows: NDArray[np.float32], first: int, second: int, least: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two sets of rows, of sizes that `first` and `second` groups can have."""
    n = len(rows)
    low, high = max(first * least, n - second * most), min(first * most, n - second * least)
    leaning = rows @ _spread(rows)
    before: NDArray[np.int64] | None = None
    for _ in range(STEPS):
        order = np.argsort(-leaning, kind="stable")
        cut = int(np.clip(np.count_nonzero(leaning > 0), low, high))
        inside = np.sort(order[:cut])
        if before is not None and np.array_equal(inside, before):
            break
        before = inside
        rest = np.delete(np.arange(n), inside)
        leaning = rows @ np.subtract(*unit(np.stack([rows[inside].sum(axis=0), rows[rest].sum(axis=0)])))
    assert before is not None
    return before, np.delete(np.arange(n), before)


def _spread(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The direction in which rows differ most from their mean, nearly: a few turns of the power method."""
    off = rows - rows.mean(axis=0)
    lengths = np.vecdot(off, off)
    direction: NDArray[np.float32] = off[int(lengths.argmax())]
    for _ in range(TURNS):
        turned = (off @ direction) @ off
        length = float(np.linalg.norm(turned))
        if length == 0:
            break
        direction = turned / np.float32(length)
    return direction
