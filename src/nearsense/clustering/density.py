"""Groups where texts lie densely, how many nobody says: HDBSCAN by cosine. What lies between them is noise.

The distance of two rows is 1 - cosine; a row's core distance is that of its `min_samples`-th nearest row, itself
the first; the mutual reachability of two rows is the greatest of the three (Campello and others 2013). A minimum
spanning tree by it says how rows merge; of the clusters within clusters that follow, those that last are chosen
(McInnes and Healy 2017).
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from nearsense._forks import computing
from nearsense._machine import cores
from nearsense._progress import Progress, tracked
from nearsense.clustering.geometry import canonical_order, checked_rows, partition, places_of
from nearsense.clustering.records import Partition
from nearsense.errors import InputError
from nearsense.mining import nearest
from nearsense.records import Neighbours, parse
from nearsense.vectors.rows import blocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nearsense.clustering.records import Floats, Ints

    Doubles = NDArray[np.float64]

EXACT = 15_000  # up to so many rows all distances are looked at: 900 MB
NEIGHBOURS = 32  # edges of each row in the graph that stands for all distances beyond that
BLOCK_ROWS = 256  # rows whose distances are computed at a time
DEEP = 16  # columns that share a maximum while core distances are looked for
FARTHEST = np.float32(2.0)  # the distance of opposite rows
APART = 1.0  # the distance of what no edge joins: that of rows at right angles
OUT = np.int64(2**63 - 1)  # more than any key
EVERY = 512  # rows between two notes of progress
FEW = 1_024  # rows whose table is so small that it is not worth making it smaller
LEAST = 1e-7  # distances below are those of equal rows: float32 does not tell them apart


class Selection(StrEnum):
    """Which of the clusters within clusters are chosen."""

    EOM = "eom"  # those with the greatest excess of mass: they stay the longest while density grows
    LEAF = "leaf"  # the innermost: more and smaller ones


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
    """Groups of unit vectors, (n, d), closer to each other than to what is around them; the same for any order.

    Up to 15,000 rows, or with `exact`, the result is that of HDBSCAN on all distances; else that on the edges to
    the 32 nearest rows of each. A group has `min_size` rows, from 2. `min_samples`, from 1, is how many rows,
    itself counted, have to be near a row that is in the midst of a group (None for `min_size`): the more, the more
    is noise. With `by_row` the numbers of the rows decide between edges of equal reach, as in scikit-learn, not
    their distances: the labels are then scikit-learn's, and in another order of rows others. Rows that are all
    equal are one group.
    """
    chosen = parse(Selection, selection, name="selection")
    samples = min_size if min_samples is None else min_samples
    return dense_rows(vectors, min_size, samples, exact=exact, by_row=by_row, progress=progress).groups(chosen)


@dataclass(frozen=True, slots=True, eq=False)
class DenseRows:
    """n rows and how densely they lie: groups are chosen in two ways, and looked for in a part of the rows."""

    rows: Floats  # (n, d): as they were given
    places: Ints  # (n,): the place of each in canonical order
    samples: int  # how many rows, itself counted, make company
    exact: bool
    within: Condensed | None  # None where there is nothing to choose
    alike: bool  # enough rows for a group, and all of them equal
    graph: Neighbours | None  # of the rows in canonical order, where not all distances were looked at

    def groups(self, selection: Selection) -> Partition:
        """The groups of one of the two choices."""
        if self.within is not None:
            labels, strengths = _lasting_clusters(self.within, leaves=selection is Selection.LEAF)
        else:
            n = len(self.rows)
            labels, strengths = np.full(n, self.alike - 1, np.int64), np.full(n, float(self.alike))
        firm = strengths[self.places].astype(np.float32)
        return partition(self.rows, labels[self.places], self.places, strengths=firm, exact=self.exact)

    def part(self, chosen: NDArray[np.bool_], min_size: int) -> DenseRows:
        """The chosen rows as if they were alone; where there is a graph, along its edges between them."""
        order = np.argsort(self.places)
        inside = chosen[order]
        number = np.cumsum(inside) - 1
        rows, places = self.rows[chosen], number[self.places[chosen]]
        if self.graph is None:
            return dense_rows(rows, min_size, self.samples, exact=True)
        ids = self.graph.ids[inside]
        near = inside[ids] & (ids >= 0)
        scores = np.where(near, self.graph.scores[inside], -np.inf)
        graph = Neighbours(np.where(near, number[ids], -1), scores, near.sum(axis=1))
        return _dense_rows(rows, places, min_size, self.samples, graph=graph)


def dense_rows(
    vectors: ArrayLike,
    min_size: int,
    min_samples: int,
    *,
    exact: bool | None = None,
    by_row: bool = False,
    progress: Progress = False,
) -> DenseRows:
    """How densely rows lie; see `density`."""
    rows = checked_rows(vectors)
    if min_size < 2 or min_samples < 1:
        given = f"min_size={min_size}, min_samples={min_samples}"
        raise InputError(given, why="a group has at least 2 texts", fix="min_size from 2, min_samples from 1")
    n = len(rows)
    order = np.arange(n) if by_row else canonical_order(rows)
    exact, graph = n <= EXACT if exact is None else exact, None
    if not exact and n >= min_size:
        graph = nearest(rows[order], min(n - 1, max(NEIGHBOURS, min_samples - 1)), progress=progress)
    return _dense_rows(
        rows, places_of(order), min_size, min_samples, graph=graph, by_row=by_row, progress=progress
    )


def _dense_rows(
    rows: Floats,
    places: Ints,
    min_size: int,
    samples: int,
    *,
    graph: Neighbours | None,
    by_row: bool = False,
    progress: Progress = False,
) -> DenseRows:
    """The same by a graph of neighbours, or without one by all distances."""
    n, exact, within = len(rows), graph is None, None
    alike = n >= min_size and bool((rows == rows[0]).all())
    if n >= min_size and not alike:
        if graph is None:
            edges = spanning(rows[np.argsort(places)], min(samples, n), by_row=by_row, progress=progress)
        else:
            edges = forest(graph, min(samples, n))
        within = _condense(_tree(edges, n, by_row=by_row and exact), min_size)
    return DenseRows(rows, places, samples, exact, within, alike, graph)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The m edges of a spanning tree, or of a forest: one tree in each component."""

    left: Ints  # (m,): a row
    right: Ints  # (m,): another
    keys: Ints  # (m,): what `_keys` made of each edge's mutual reachability and its plain distance

    @property
    def distances(self) -> Floats:
        """float32, shape (m,): of mutual reachability, from 0 to 2."""
        return (self.keys >> 32).astype(np.int32).view(np.float32)


def _keys(reach: Floats, plain: Floats) -> Ints:
    """Numbers that sort edges by mutual reachability, where that is equal by plain distance; neither below 0.

    Many edges of a row reach exactly as far as its core, so mutual reachability alone leaves much undecided.
    """
    high = np.ascontiguousarray(reach).view(np.int32).astype(np.int64)
    return (high << 32) | np.ascontiguousarray(plain).view(np.int32)


def spanning(rows: Floats, min_samples: int, *, by_row: bool = False, progress: Progress = False) -> Edges:
    """The minimum spanning tree of all rows by mutual reachability, exactly: Prim on all distances.

    The table of cosines takes 4 n² bytes; once half of its rows are reached the others move together. With
    `by_row` edges that reach equally far are taken as they are met, lower rows first, and each is noted from the
    row that was reached before it; else the one of the smaller plain distance is.
    """
    n = len(rows)
    with computing():
        table: Floats = rows @ rows.T
    np.fill_diagonal(table, 1)
    core = _core_distances(table, min_samples)
    left, right, keys = np.zeros(n - 1, np.int64), np.zeros(n - 1, np.int64), np.zeros(n - 1, np.int64)
    best, origin = np.full(n, OUT), np.zeros(n, np.int64)
    row, nearer = np.empty(n, np.float32), np.empty(n, bool)
    pair = np.zeros((n, 2), np.float32)  # as one number: the second half counts more
    low, high = (0, 1) if sys.byteorder == "little" else (1, 0)
    here, ids, since = 0, np.arange(n), 0
    with tracked(n - 1, "texts", progress) as update:
        for step in range(n - 1):
            if 2 * since > len(ids) > FEW:
                open_rows = np.flatnonzero(np.isfinite(core))
                here, since = int(np.searchsorted(open_rows, here)), 0
                table = _kept(table, open_rows)
                best, origin, core, ids = best[open_rows], origin[open_rows], core[open_rows], ids[open_rows]
                pair, row, nearer = pair[: len(ids)], row[: len(ids)], nearer[: len(ids)]
            own, before, since = core[here], ids[here], since + 1
            core[here] = np.inf  # reached: nothing is nearer by it any more
            best[here] = OUT
            np.maximum(np.subtract(1, table[here], out=row), 0, out=row)
            if not by_row:
                pair[:, low] = row
            np.maximum(row, core, out=row)
            np.maximum(row, own, out=pair[:, high])
            key = pair.view(np.int64).ravel()
            np.less(key, best, out=nearer)
            np.copyto(origin, before, where=nearer)
            np.minimum(best, key, out=best)
            here = int(best.argmin())
            left[step], right[step], keys[step] = before if by_row else origin[here], ids[here], best[here]
            if step % EVERY == 0:
                update(step)
        update(n - 1)
    return Edges(left, right, keys)


def _kept(table: Floats, rows: Ints) -> Floats:
    """The cosines of some rows alone, in the memory that the table had."""
    m = len(rows)
    flat = table.reshape(-1)
    for place, row in enumerate(rows.tolist()):
        flat[place * m : (place + 1) * m] = table[row, rows]
    return flat[: m * m].reshape(m, m)


def _core_distances(table: Floats, min_samples: int) -> Floats:
    """The distance of the `min_samples`-th nearest of each row, by a table of cosines.

    Columns are taken in groups of DEEP: the greatest values lie in the groups of the greatest maxima, and to find
    a maximum is quick.
    """
    n = len(table)
    core = np.empty(n, np.float32)
    width = n // DEEP
    within = np.arange(DEEP) * width

    def find(part: slice) -> None:
        block = table[part]
        if min_samples * 4 <= width:
            maxima = block[:, : width * DEEP].reshape(len(block), DEEP, width).max(axis=1)
            few = np.argpartition(maxima, -min_samples, axis=1)[:, -min_samples:]
            columns = (few[:, :, None] + within).reshape(len(block), -1)
            block = np.hstack([np.take_along_axis(block, columns, axis=1), block[:, width * DEEP :]])
        core[part] = np.partition(block, -min_samples, axis=1)[:, -min_samples]

    with ThreadPoolExecutor(cores()) as pool:
        deque(pool.map(find, blocks(n, BLOCK_ROWS)), maxlen=0)
    found: Floats = np.maximum(np.float32(1) - core, 0)
    return found


def forest(graph: Neighbours, min_samples: int) -> Edges:
    """The minimum spanning forest on the graph of nearest neighbours: `spanning` where the graph suffices.

    Each row has `min_samples - 1` neighbours or more, the nearest first; of those with the id -1 nothing is known,
    and a row that lacks some is in no company. Borůvka's way (1926): every component takes its shortest edge to
    another, all at once, until none is left.
    """
    n = len(graph.ids)
    far = np.where(graph.ids < 0, FARTHEST, np.maximum(np.float32(1) - graph.scores, 0)).astype(np.float32)
    core = np.sort(far, axis=1)[:, min_samples - 2] if min_samples > 1 else np.zeros(n, np.float32)
    left, right = np.repeat(np.arange(n), graph.ids.shape[1]), graph.ids.ravel()
    reach = np.maximum(far.ravel(), np.maximum(core[left], core[right]))
    known = reach < FARTHEST
    left, right, keys = left[known], right[known], _keys(reach[known], far.ravel()[known])
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
        component = _join_components(component, left[chosen], right[chosen])
    edges = np.sort(np.concatenate([*taken, np.zeros(0, np.int64)]))
    return Edges(left[edges], right[edges], keys[edges])


def _join_components(component: Ints, left: Ints, right: Ints) -> Ints:
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


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """How n rows merge into one, nearest first: merge i makes node n + i of two nodes before it."""

    left: list[int]  # n - 1 numbers: a row below n, or an earlier merge
    right: list[int]  # likewise
    distances: Doubles  # (n - 1,), rising; APART or more where components are joined that no edge joins
    sizes: list[int]  # the rows below each of all 2n - 1 nodes


def _tree(edges: Edges, n: int, *, by_row: bool = False) -> Tree:
    """The order in which n rows merge along the edges; what they do not join is joined as APART, last of all."""
    if by_row:
        order = np.argsort(edges.distances.astype(np.float64))
    else:
        order = np.lexsort((edges.right, edges.left, edges.keys))
    pairs = [*zip(edges.left[order].tolist(), edges.right[order].tolist(), strict=True)]
    heights = edges.distances[order].astype(np.float64).tolist()
    parent, node, sizes = list(range(n)), list(range(n)), [1] * n
    left, right, distances = [], [], []

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    def merge(a: int, b: int, height: float) -> None:
        if sizes[node[a]] < sizes[node[b]]:
            a, b = b, a
        parent[b] = a
        left.append(node[a])
        right.append(node[b])
        distances.append(height)
        sizes.append(sizes[node[a]] + sizes[node[b]])
        node[a] = len(sizes) - 1

    for (one, other), height in zip(pairs, heights, strict=True):
        merge(root(one), root(other), height)
    apart = max([APART, *heights[-1:]])
    for row in range(1, n):
        if root(0) != root(row):
            merge(root(0), root(row), apart)
    return Tree(left, right, np.array(distances, np.float64), sizes)


@dataclass(frozen=True, slots=True, eq=False)
class Condensed:
    """Clusters within clusters; cluster 0 is the whole, and those within others have greater numbers.

    Density is the inverse of distance.
    """

    parents: list[int]  # the cluster around each of c; -1 for the whole
    births: Doubles  # (c,): the density at which each becomes a cluster of its own
    deaths: Doubles  # (c,): the greatest density at which something leaves it
    # (c,): its excess of mass: over all its rows, how much longer than from its birth they stay
    stabilities: Doubles
    clusters: Ints  # (n,): the innermost cluster that each row was in
    densities: Doubles  # (n,): where it left that


def _condense(tree: Tree, min_size: int) -> Condensed:
    """The tree without the splits in which fewer than `min_size` rows leave."""
    n = len(tree.left) + 1
    sizes, density = tree.sizes, (1.0 / np.maximum(tree.distances, LEAST)).tolist()
    parents, births = [-1], [0.0]
    within = [0] * (2 * n - 1)
    left_at = [-1.0] * (2 * n - 1)  # where a node fell out of its cluster; -1 while it is in
    for node in range(2 * n - 2, n - 1, -1):
        children, cluster = (tree.left[node - n], tree.right[node - n]), within[node]
        if left_at[node] >= 0:
            for child in children:
                within[child], left_at[child] = cluster, left_at[node]
            continue
        parted = min(sizes[children[0]], sizes[children[1]]) >= min_size
        for child in children:
            within[child] = cluster
            if sizes[child] < min_size:
                left_at[child] = density[node - n]
            elif parted:
                within[child] = len(parents)
                parents.append(cluster)
                births.append(density[node - n])
    return _measure(parents, np.array(births), np.array(within[:n], np.int64), np.array(left_at[:n]))


def _measure(parents: list[int], births: Doubles, clusters: Ints, densities: Doubles) -> Condensed:
    """Deaths and excess of mass of clusters within clusters."""
    count = len(parents)
    sizes = np.bincount(clusters, minlength=count)
    mass = np.bincount(clusters, densities - births[clusters], count).astype(np.float64)
    deaths = births.copy()
    np.maximum.at(deaths, clusters, densities)
    for cluster in range(count - 1, 0, -1):
        parent = parents[cluster]
        mass[parent] += sizes[cluster] * (births[cluster] - births[parent])
        deaths[parent] = max(deaths[parent], births[cluster])
        sizes[parent] += sizes[cluster]
    return Condensed(parents, births, deaths, mass, clusters, densities)


def _lasting_clusters(condensed: Condensed, *, leaves: bool) -> tuple[Ints, Doubles]:
    """The chosen cluster of each row, none within another, and the row's density relative to the densest in it.

    Chosen are the most stable clusters, or the innermost; never the whole. A row in none has -1 and 0.
    """
    count = len(condensed.parents)
    parents, own = condensed.parents, condensed.stabilities.tolist()
    inner, chosen, has_inner = [0.0] * count, [False] * count, [False] * count
    for cluster in range(count - 1, 0, -1):
        lasts = condensed.deaths[cluster] > condensed.births[cluster]  # or rows that are equally far made it
        stable = bool(lasts) and (not has_inner[cluster] or own[cluster] >= inner[cluster])
        chosen[cluster] = not has_inner[cluster] if leaves else stable
        inner[parents[cluster]] += own[cluster] if chosen[cluster] else inner[cluster]
        has_inner[parents[cluster]] = True
    outermost = np.full(count, -1, np.int64)
    for cluster in range(1, count):
        above = outermost[parents[cluster]]
        outermost[cluster] = above if above >= 0 else cluster if chosen[cluster] else -1
    labels = outermost[condensed.clusters]
    inside = labels >= 0
    strengths = np.zeros(len(labels))
    deaths = condensed.deaths[labels[inside]]
    strengths[inside] = np.minimum(condensed.densities[inside], deaths) / deaths
    return labels, strengths
