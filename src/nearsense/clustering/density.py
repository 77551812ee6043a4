"""Groups where texts lie densely, how many nobody says: HDBSCAN by cosine. What lies between them is noise."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress
from nearsense.clustering.condensing import chosen, condensed
from nearsense.clustering.linkage import forest, spanning, tree
from nearsense.clustering.order import canonical, checked
from nearsense.clustering.partition import NOISE, Partition, numbered
from nearsense.errors import InputError
from nearsense.types import parse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["EXACT", "NEIGHBOURS", "Selection", "density"]

EXACT = 15_000
"""Up to so many rows all distances are looked at: 900 MB."""

NEIGHBOURS = 32
"""Edges of each row in the graph that stands for all distances beyond that."""


class Selection(StrEnum):
    """Which of the clusters within clusters are kept."""

    EOM = "eom"
    """Those with the greatest excess of mass: they stay the longest while density grows."""
    LEAF = "leaf"
    """The innermost: more and smaller ones."""


def density(
    vectors: ArrayLike,
    *,
    min_size: int,
    min_samples: int | None = None,
    selection: str = Selection.EOM,
    exact: bool | None = None,
    by_row: bool = False,
    progress: Progress = False,
) -> Partition:
    """Groups of vectors that lie closer to each other than to what is around them, in every order of rows.

    Up to 15,000 rows the result is that of HDBSCAN on all distances. Of more, that on the edges to the 32 nearest
    rows of each; `Partition.exact` says so.

    Args:
        vectors: float32, shape (n, d), of unit length.
        min_size: How many rows make a group, from 2.
        min_samples: How many rows, itself counted, have to be near a row that is in the midst of a group: the
            more, the more is noise. None for `min_size`.
        selection: One of `Selection`.
        exact: Whether all distances are looked at; None for what `n` suggests.
        by_row: Decide between edges of equal reach by the numbers of the rows, as scikit-learn does, not by their
            distances: the labels are then scikit-learn's, and in another order of rows others.
        progress: What to show.

    Returns:
        Groups, and noise, which is labelled -1. Rows that are all equal are one group.

    Raises:
        InputError: `min_size` is below 2, `min_samples` below 1, there is no such selection, or the vectors cannot
            be grouped.

    Example:
        >>> rows = np.array([[1, 0], [0.999, 0.0447], [0, 1], [0.0447, 0.999], [-0.707, -0.707]], np.float32)
        >>> density(rows, min_size=2).labels
        array([ 1, 1, 0, 0, -1])
    """
    leaves = parse(Selection, selection, name="selection") is Selection.LEAF
    rows = checked(vectors)
    wanted = min_size if min_samples is None else min_samples
    if min_size < 2 or wanted < 1:
        given = f"min_size={min_size}, min_samples={wanted}"
        raise InputError(given, why="a group has at least 2 texts", fix="min_size from 2, min_samples from 1")
    n = len(rows)
    order = np.arange(n) if by_row else canonical(rows)
    places = np.empty(n, np.int64)
    places[order] = np.arange(n)
    all_of_them = n <= EXACT if exact is None else exact
    labels, strengths = _grouped(rows[order], min_size, min(wanted, n), leaves, all_of_them, by_row, progress)
    return numbered(
        rows,
        labels[places],
        places,
        strengths=strengths[places].astype(np.float32),
        exact=all_of_them or n < min_size,
    )


def _grouped(
    rows: NDArray[np.float32],
    min_size: int,
    min_samples: int,
    leaves: bool,
    exact: bool,
    by_row: bool,
    progress: Progress,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    n = len(rows)
    if n < min_size:
        return np.full(n, NOISE, np.int64), np.zeros(n)
    if (rows == rows[0]).all():
        return np.zeros(n, np.int64), np.ones(n)
    if exact:
        edges = spanning(rows, min_samples, by_row=by_row, progress=progress)
    else:
        edges = forest(rows, min_samples, min(n - 1, max(NEIGHBOURS, min_samples - 1)), progress=progress)
    return chosen(condensed(tree(edges, n, by_row=by_row and exact), min_size), leaves=leaves)
