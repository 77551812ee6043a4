"""Spanning trees of mutual reachability: which rows hang together at which distance. Not which groups follow."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearsense._forks import computing
from nearsense._progress import Progress, tracked
from nearsense.mining import nearest
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Edges", "Tree", "forest", "keyed", "spanning", "tree"]

BLOCK_ROWS = 256
"""Rows whose distances are computed at a time."""

DEEP = 16
"""Columns that share a minimum while core distances are looked for."""

APART = 1.0
"""The distance of what no edge joins: that of rows at right angles."""

OUT = np.int64(2**63 - 1)
"""More than any key."""

EVERY = 512
"""Rows between two notes of progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The m edges of a spanning tree, or of a forest: one tree in each component.

    Args:
        left: int64, shape (m,).
        right: int64, shape (m,).
        keys: int64, shape (m,): what `keyed` made of each edge's mutual reachability and its plain distance.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    keys: NDArray[np.int64]

    @property
    def distances(self) -> NDArray[np.float32]:
        """float32, shape (m,): of mutual reachability, from 0 to 2."""
        return (self.keys >> 32).astype(np.int32).view(np.float32)


def keyed(reach: NDArray[np.float32], plain: NDArray[np.float32]) -> NDArray[np.int64]:
    """One number that sorts edges by mutual reachability, and where that is equal by plain distance.

    Many edges of a row reach exactly as far as its core, so mutual reachability alone leaves much undecided.

    Args:
        reach: float32, not negative.
        plain: float32, not negative, of the same shape.

    Example:
        >>> a, b = keyed(np.array([0.5, 0.5], np.float32), np.array([0.4, 0.3], np.float32))
        >>> bool(b < a)
        True
    """
    high = np.ascontiguousarray(reach).view(np.int32).astype(np.int64)
    return (high << 32) | np.ascontiguousarray(plain).view(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """How n rows merge into one, nearest first: merge i makes node n + i of two nodes before it.

    Args:
        left: int64, shape (n - 1,): a row below n, or an earlier merge.
        right: int64, shape (n - 1,): likewise.
        distances: float64, shape (n - 1,), rising; APART or more where components are joined that no edge joins.
        sizes: int64, shape (n - 1,): the rows below each merge.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    distances: NDArray[np.float64]
    sizes: NDArray[np.int64]


def spanning(
    rows: NDArray[np.float32], min_samples: int, *, by_row: bool = False, progress: Progress = False
) -> Edges:
    """The minimum spanning tree of all rows by mutual reachability, exactly: Prim on the whole table of distances.

    The distance of two rows is 1 - cosine; a row's core distance is that of its `min_samples`-th nearest row,
    itself the first; the mutual reachability of two rows is the greatest of the three (Campello and others 2013).

    Args:
        rows: float32, shape (n, d), of unit length. The table takes 4 n² bytes.
        min_samples: From 1 to n.
        by_row: Edges that reach equally far are taken as they are met, lower rows first, and each is noted from
            the row that was reached before it; else the one of the smaller plain distance is taken.
        progress: What to show.

    Example:
        >>> spanning(np.eye(3, dtype=np.float32), 1).distances
        array([1., 1.], dtype=float32)
    """
    n = len(rows)
    table = _distances(rows)
    core = _core_distances(table, min_samples)
    left, right, keys = np.zeros(n - 1, np.int64), np.zeros(n - 1, np.int64), np.zeros(n - 1, np.int64)
    best = np.full(n, OUT)
    origin, outside, open_ = np.zeros(n, np.int64), np.zeros(n, np.int64), np.empty(n, np.int64)
    pair = np.zeros((n, 2), np.float32)  # as one number: the second half counts more
    key, nearer = pair.view(np.int64).ravel(), np.empty(n, bool)
    low, high = (0, 1) if sys.byteorder == "little" else (1, 0)
    here = 0
    with tracked(n - 1, "texts", progress) as update:
        for step in range(n - 1):
            outside[here], before = OUT, here
            row = table[here]
            if not by_row:
                pair[:, low] = row
            np.maximum(row, core, out=row)
            np.maximum(row, core[here], out=pair[:, high])
            np.less(key, best, out=nearer)
            np.copyto(origin, here, where=nearer)
            np.minimum(best, key, out=best)
            np.bitwise_or(best, outside, out=open_)
            here = int(open_.argmin())
            left[step], right[step], keys[step] = before if by_row else origin[here], here, best[here]
            if step % EVERY == 0:
                update(step)
        update(n - 1)
    return Edges(left, right, keys)


def forest(rows: NDArray[np.float32], min_samples: int, neighbours: int, *, progress: Progress = False) -> Edges:
    """The minimum spanning forest on the graph of nearest neighbours: `spanning` where the graph suffices.

    Borůvka's way (1926): every component takes its shortest edge to another, all at once, until none is left.

    Args:
        rows: float32, shape (n, d), of unit length.
        min_samples: As in `spanning`.
        neighbours: How many edges each row has, at least `min_samples - 1`.
        progress: What to show.

    Example:
        >>> forest(np.repeat(np.eye(2, dtype=np.float32), 2, axis=0), 2, 1).left
        array([0, 2])
    """
    n = len(rows)
    found = nearest(rows, neighbours, progress=progress)
    far = np.maximum(np.float32(1) - found.scores, 0)
    core = far[:, min_samples - 2] if min_samples > 1 else np.zeros(n, np.float32)
    left, right = np.repeat(np.arange(n), found.ids.shape[1]), found.ids.ravel()
    keys = keyed(np.maximum(far.ravel(), np.maximum(core[left], core[right])), far.ravel())
    left, right = np.minimum(left, right), np.maximum(left, right)
    order = np.lexsort((right, left, keys))
    left, right, keys = left[order], right[order], keys[order]
    component, taken = np.arange(n), []
    alive = np.arange(len(left))
    while len(alive):
        here, there = component[left[alive]], component[right[alive]]
        apart = here != there
        alive, here, there = alive[apart], here[apart], there[apart]
        shortest = np.full(n, -1, np.int64)
        for side in (here, there):  # written from the longest edge on, so that the shortest stays
            own = np.full(n, -1, np.int64)
            own[side[::-1]] = alive[::-1]
            shortest = np.where((own >= 0) & ((shortest < 0) | (own < shortest)), own, shortest)
        chosen = np.unique(shortest[shortest >= 0])
        taken.append(chosen)
        component = _joined(component, left[chosen], right[chosen])
    kept = np.sort(np.concatenate([*taken, np.zeros(0, np.int64)]))
    return Edges(left[kept], right[kept], keys[kept])


def tree(edges: Edges, n: int, *, by_row: bool = False) -> Tree:
    """The order in which rows merge along the edges; what they do not join is joined as APART, last of all.

    Args:
        edges: A spanning tree or forest.
        n: How many rows there are, from 1.
        by_row: As in `spanning`.

    Example:
        >>> half = np.array([0.5], np.float32)
        >>> made = tree(Edges(np.array([1]), np.array([2]), keyed(half, half)), 3)
        >>> made.distances, made.sizes
        (array([0.5, 1. ]), array([2, 3]))
    """
    order = np.lexsort((edges.right, edges.left, edges.keys))
    if by_row:
        order = np.argsort(edges.distances.astype(np.float64))
    pairs = [*zip(edges.left[order].tolist(), edges.right[order].tolist(), strict=True)]
    heights = edges.distances[order].astype(np.float64).tolist()
    parent, node, size = list(range(n)), list(range(n)), [1] * n
    merges: list[tuple[int, int, float, int]] = []

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    def merge(a: int, b: int, height: float) -> None:
        if size[a] < size[b]:
            a, b = b, a
        parent[b] = a
        size[a] += size[b]
        merges.append((node[a], node[b], height, size[a]))
        node[a] = n + len(merges) - 1

    for (left, right), height in zip(pairs, heights, strict=True):
        merge(root(left), root(right), height)
    apart = max([APART, *heights[-1:]])
    for row in range(1, n):
        a, b = root(0), root(row)
        if a != b:
            merge(a, b, apart)
    columns = [*zip(*merges, strict=True)] if merges else [(), (), (), ()]
    ends = (np.array(columns[0], np.int64), np.array(columns[1], np.int64))
    return Tree(*ends, np.array(columns[2], np.float64), np.array(columns[3], np.int64))


def _distances(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - cosine of every pair, shape (n, n); numpy computes half of x @ x.T and mirrors it."""
    with computing():
        table: NDArray[np.float32] = rows @ rows.T
    np.subtract(np.float32(1), table, out=table)
    np.maximum(table, 0, out=table)
    np.fill_diagonal(table, 0)
    return table


def _core_distances(table: NDArray[np.float32], min_samples: int) -> NDArray[np.float32]:
    """The `min_samples`-th smallest value of each row.

    Columns are taken in groups of DEEP: the smallest values lie in the groups of the smallest minima, and to find
    a minimum is quick.
    """
    n = len(table)
    core = np.empty(n, np.float32)
    width = n // DEEP
    grouped = min_samples * 4 <= width
    within = np.arange(DEEP) * width
    for part in blocks(n, BLOCK_ROWS):
        block = table[part]
        if grouped:
            minima = block[:, : width * DEEP].reshape(len(block), DEEP, width).min(axis=1)
            few = np.argpartition(minima, min_samples - 1, axis=1)[:, :min_samples]
            columns = (few[:, :, None] + within).reshape(len(block), -1)
            block = np.hstack([np.take_along_axis(block, columns, axis=1), block[:, width * DEEP :]])
        core[part] = np.partition(block, min_samples - 1, axis=1)[:, min_samples - 1]
    return core


def _joined(component: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """The component of each row, those of `left` and `right` made one: the lowest number among them."""
    here, there = component[left], component[right]
    lowest = np.arange(len(component))
    while True:
        before = lowest.copy()
        together = np.minimum(lowest[here], lowest[there])
        np.minimum.at(lowest, here, together)
        np.minimum.at(lowest, there, together)
        lowest = lowest[lowest]
        if (before == lowest).all():
            return lowest[component]
