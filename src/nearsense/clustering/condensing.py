"""A tree of merges to groups that last: the condensed tree, and which of it is chosen. Not how the tree is made.

After Campello, Moulavi and Sander (2013) and McInnes and Healy (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.clustering.linkage import Tree

__all__ = ["Condensed", "chosen", "condensed"]

LEAST = 1e-7
"""Distances below are those of equal rows: float32 does not tell them apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Condensed:
    """Clusters within clusters; cluster 0 is the whole, and those within others have greater numbers.

    Density is the inverse of distance.

    Args:
        parents: int64, shape (c,): the cluster around each; -1 for the whole.
        births: float64, shape (c,): the density at which each becomes a cluster of its own.
        deaths: float64, shape (c,): the greatest density at which something leaves it.
        stabilities: float64, shape (c,): its excess of mass: over all its rows, how much longer than from its
            birth they stay.
        clusters: int64, shape (n,): the innermost cluster that each row was in.
        densities: float64, shape (n,): where it left that.
    """

    parents: NDArray[np.int64]
    births: NDArray[np.float64]
    deaths: NDArray[np.float64]
    stabilities: NDArray[np.float64]
    clusters: NDArray[np.int64]
    densities: NDArray[np.float64]


def condensed(tree: Tree, min_size: int) -> Condensed:
    """The tree without the splits in which fewer than `min_size` rows leave.

    Args:
        tree: How n rows merge.
        min_size: Rows that make a cluster, from 2.

    Example:
        >>> from nearsense.clustering.linkage import Edges, keyed, tree
        >>> far = np.array([0.1, 0.5, 0.1], np.float32)
        >>> line = Edges(np.arange(3), np.arange(1, 4), keyed(far, far))
        >>> condensed(tree(line, 4), 2).clusters
        array([1, 1, 2, 2])
    """
    n = len(tree.sizes) + 1
    left, right, sizes = tree.left.tolist(), tree.right.tolist(), tree.sizes.tolist()
    density = (1.0 / np.maximum(tree.distances, LEAST)).tolist()
    parents, births = [-1], [0.0]
    within = [0] * (2 * n - 1)
    left_at = [-1.0] * (2 * n - 1)  # where a node fell out of its cluster; -1 while it is in

    def size(node: int) -> int:
        return 1 if node < n else sizes[node - n]

    for node in range(2 * n - 2, n - 1, -1):
        children, cluster, level = (left[node - n], right[node - n]), within[node], density[node - n]
        if left_at[node] >= 0:
            for child in children:
                within[child], left_at[child] = cluster, left_at[node]
            continue
        large = [child for child in children if size(child) >= min_size]
        for child in children:
            within[child] = cluster
            if size(child) < min_size:
                left_at[child] = level
        if len(large) > 1:
            for child in large:
                within[child] = len(parents)
                parents.append(cluster)
                births.append(level)
    return _measured(parents, births, within[:n], left_at[:n])


def chosen(condensed: Condensed, *, leaves: bool = False) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The clusters that are kept, none within another: the most stable ones, or the innermost.

    The whole is never kept.

    Args:
        condensed: Clusters within clusters.
        leaves: The innermost ones instead of those with the greatest excess of mass.

    Returns:
        int64, shape (n,): the kept cluster of each row, -1 for noise; and float64, shape (n,), from 0 to 1: its
        density relative to the cluster's densest row.

    Example:
        >>> from nearsense.clustering.linkage import Edges, keyed, tree
        >>> far = np.array([0.1, 0.5, 0.1], np.float32)
        >>> line = Edges(np.arange(3), np.arange(1, 4), keyed(far, far))
        >>> chosen(condensed(tree(line, 4), 2))[0]
        array([1, 1, 2, 2])
    """
    count = len(condensed.parents)
    parents, own = condensed.parents.tolist(), condensed.stabilities.tolist()
    inner, kept, has_inner = [0.0] * count, [False] * count, [False] * count
    for cluster in range(count - 1, 0, -1):
        lasts = condensed.deaths[cluster] > condensed.births[cluster]  # or rows that are equally far made it
        stable = bool(lasts) and (not has_inner[cluster] or own[cluster] >= inner[cluster])
        kept[cluster] = not has_inner[cluster] if leaves else stable
        inner[parents[cluster]] += own[cluster] if kept[cluster] else inner[cluster]
        has_inner[parents[cluster]] = True
    nearest = np.full(count, -1, np.int64)
    for cluster in range(1, count):
        above = nearest[parents[cluster]]
        nearest[cluster] = above if above >= 0 else cluster if kept[cluster] else -1
    labels = nearest[condensed.clusters]
    inside = labels >= 0
    strengths = np.zeros(len(labels))
    deaths = condensed.deaths[labels[inside]]
    strengths[inside] = np.minimum(condensed.densities[inside], deaths) / deaths
    return labels, strengths


def _measured(parents: list[int], births: list[float], clusters: list[int], densities: list[float]) -> Condensed:
    """Sizes, deaths and excess of mass of what was found."""
    up, birth = np.array(parents, np.int64), np.array(births)
    inside, density = np.array(clusters, np.int64), np.array(densities)
    sizes = np.bincount(inside, minlength=len(up))
    mass = np.bincount(inside, density - birth[inside], len(up)).astype(np.float64)
    deaths = birth.copy()
    np.maximum.at(deaths, inside, density)
    for cluster in range(len(up) - 1, 0, -1):
        parent = up[cluster]
        mass[parent] += sizes[cluster] * (birth[cluster] - birth[parent])
        deaths[parent] = max(deaths[parent], birth[cluster])
        sizes[parent] += sizes[cluster]
    return Condensed(up, birth, deaths, mass, inside, density)
